#!/usr/bin/env python3
"""Compares the .test files with ClickHouse's own engine (chDB, `pip install chdb`).

Without --url: what chDB answers must be what the files expect.
With --url:    a running server must answer as chDB does, with the same names and types.
--write FILE:  puts chDB's answers into the file as expectations.
"""
import argparse
import glob
import math
import os
import sys

import sqltest

FOLDER = os.path.dirname(os.path.abspath(__file__))


def outcome(engine, statements, format):
    """What the last statement answers, or the error that ended the case."""
    try:
        result = ""
        for statement in statements:
            result = engine.run(statement, format)
        return "result", result
    except sqltest.Failure as error:
        return "error", error


def expected_lines(kind, value):
    if kind == "error":
        return [f"error {value.code}"]
    lines = value.split("\n")
    return lines[:-1] if lines and lines[-1] == "" else lines


def same(left, right):
    """Equal lines; floats may differ in the last digits."""
    if left == right:
        return True
    if len(left) != len(right):
        return False
    return all(same_line(a, b) for a, b in zip(left, right))


def same_line(left, right):
    a, b = left.split("\t"), right.split("\t")
    return len(a) == len(b) and all(same_value(x, y) for x, y in zip(a, b))


def same_value(left, right):
    if left == right:
        return True
    try:
        return ("." in left or "e" in left) and math.isclose(float(left), float(right), rel_tol=1e-9)
    except ValueError:
        return False


def check(path, url):
    cases, is_oracle = sqltest.read(path)
    if not is_oracle:
        return 0, 0
    chdb = sqltest.ChDB()
    server = sqltest.Server(url) if url else None
    bad = done = 0
    tables = set()
    for case in cases:
        if case.ours:
            continue
        done += 1
        place = f"{os.path.relpath(path)}:{case.line} {case.name}"
        format = "TabSeparatedWithNamesAndTypes" if server else "TabSeparated"
        kind, value = outcome(chdb, case.statements, format)
        if server:
            other_kind, other = outcome(server, case.statements, format)
            wanted, got = expected_lines(kind, value), expected_lines(other_kind, other)
        else:
            wanted, got = expected_lines(kind, value), [line for line in case.expected or []]
            if got and got[0].startswith("error "):
                got = [" ".join(got[0].split(" ")[:2])]
        if not same(wanted, got):
            bad += 1
            print(f"✘ {place}\n  ClickHouse: {wanted[:12]}\n  {'server    ' if server else 'expected  '}: {got[:12]}")
        tables |= {s.split()[2] for s in case.statements if s.upper().startswith("CREATE TABLE ") and "(" not in s.split()[2]}
    if server:
        for table in tables:
            outcome(server, [f"DROP TABLE IF EXISTS {table}"], "TabSeparated")
    chdb.close()
    return done, bad


def write(path):
    cases, is_oracle = sqltest.read(path)
    chdb = sqltest.ChDB()
    lines = ["-- oracle", ""] if is_oracle else []
    for case in cases:
        lines.append(f"-- {case.name}")
        if case.ours:
            lines.append("-- ours")
        lines += "\n".join(case.text).strip("\n").split("\n")
        if case.ours:
            expected = case.expected
        else:
            expected = expected_lines(*outcome(chdb, case.statements, "TabSeparated"))
            before = case.expected[0] if case.expected else ""
            # Words of the message that were asked for stay.
            if expected and before.startswith(expected[0] + " "):
                expected = case.expected
        lines += ["----"] + (expected or []) + [""]
    open(path, "w", encoding="utf-8").write("\n".join(lines))
    chdb.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a running server, such as http://localhost:8123")
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("files", nargs="*", help="default: all")
    arguments = parser.parse_args()
    if arguments.write:
        return write(arguments.write)
    total = failed = 0
    for path in arguments.files or sorted(glob.glob(os.path.join(FOLDER, "*.test"))):
        done, bad = check(path, arguments.url)
        total, failed = total + done, failed + bad
    print(f"{total} cases compared with ClickHouse, {failed} differ")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
