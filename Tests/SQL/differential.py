#!/usr/bin/env python3
"""Asks a running server and ClickHouse's own engine (chDB) the same random queries over the same table and compares
the answers as multisets, floats to a relative 1e-9.

    differential.py --url http://localhost:8123 --seed 1 --count 500
"""
import argparse
import json
import math
import random
import sys
import time

import sqltest

TABLE = "differential_t"
ROWS = 30_000
COLUMNS = {
    "id": "UInt32", "ts": "DateTime64(3, 'UTC')", "level": "LowCardinality(String)", "service": "String",
    "status": "UInt16", "ms": "Float64", "user": "Nullable(String)", "bytes": "Nullable(Int64)", "small": "Int8",
    "ok": "Bool", "day": "Date",
}
STRINGS = ["level", "service", "user"]
NUMBERS = ["id", "status", "ms", "bytes", "small"]
LEVELS = ["DEBUG", "INFO", "WARN", "ERROR"]
SERVICES = ["web", "api", "db", "auth", "größe", ""]


def rows(rng):
    start = 1_713_326_652_000
    for i in range(ROWS):
        at = start + i * 60_000 + rng.randrange(60_000)
        seconds, milliseconds = divmod(at, 1000)
        moment = time.gmtime(seconds)
        yield {
            "id": i, "ts": time.strftime("%Y-%m-%d %H:%M:%S", moment) + f".{milliseconds:03}", "level": rng.choice(LEVELS),
            "service": rng.choice(SERVICES), "status": rng.choice([200, 201, 301, 404, 500, 503]),
            "ms": round(rng.expovariate(0.01), 3), "user": rng.choice([None, f"u{rng.randrange(500)}"]),
            "bytes": rng.choice([None, rng.randrange(-1000, 1 << 40)]), "small": rng.randrange(-128, 128),
            "ok": rng.random() < 0.7, "day": time.strftime("%Y-%m-%d", moment),
        }


class Queries:
    """Makes queries whose answers do not depend on the order of rows."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, *options):
        return self.r.choice(options)

    def number(self, depth=2):
        if depth == 0 or self.r.random() < 0.4:
            return self.pick(*NUMBERS, str(self.r.randrange(1000)), str(self.r.randrange(-50, 50)), "1.5")
        a, b = self.number(depth - 1), self.number(depth - 1)
        return self.pick(
            f"({a} + {b})", f"({a} - {b})", f"({a} * 2)", f"({a} / 4)", f"abs({a})", f"intDiv(id, {self.r.randrange(1, 50)})",
            f"(id % {self.r.randrange(1, 20)})", f"if({self.condition(1)}, {a}, {b})", f"ifNull(bytes, {self.r.randrange(9)})",
            f"length({self.text(1)})", f"toHour(ts)", f"toUInt8(ok)", f"round(ms, 1)", f"greatest(id, status)",
            f"-small", f"toInt64(floor(ms))")

    def text(self, depth=2):
        if depth == 0 or self.r.random() < 0.5:
            return self.pick(*STRINGS, "'x'", f"'{self.pick(*SERVICES)}'")
        a = self.text(depth - 1)
        return self.pick(
            f"lower({a})", f"upper({a})", f"concat({a}, '-', level)", f"substring({a}, 1, 2)", "toString(status)",
            f"replaceAll({a}, 'e', '3')", f"if({self.condition(1)}, {a}, 'no')", f"coalesce(user, {self.pick(*SERVICES)!r})")

    def condition(self, depth=2):
        if depth > 0 and self.r.random() < 0.35:
            a, b = self.condition(depth - 1), self.condition(depth - 1)
            return self.pick(f"({a} AND {b})", f"({a} OR {b})", f"NOT ({a})")
        op = self.pick("=", "!=", "<", "<=", ">", ">=")
        hour = f"2024-0{self.r.randrange(4, 6)}-{self.r.randrange(10, 28)} 0{self.r.randrange(10)}:00:00"
        return self.pick(
            f"{self.number(depth - 1) if depth else 'status'} {op} {self.r.randrange(600)}",
            f"service {op} '{self.pick(*SERVICES)}'", f"level {self.pick('=', '!=')} '{self.pick(*LEVELS)}'",
            f"level IN ('{self.pick(*LEVELS)}', '{self.pick(*LEVELS)}')", f"status NOT IN (200, {self.pick(404, 500)})",
            f"ts {op} '{hour}'", f"day {op} '2024-04-{self.r.randrange(10, 30)}'", "ok", "NOT ok", "user IS NULL",
            "bytes IS NOT NULL", f"user LIKE 'u{self.r.randrange(10)}%'", "service LIKE '%b'", f"id BETWEEN {self.r.randrange(9999)} AND 20000",
            f"match(level, '^{self.pick('E', 'I', 'W')}')", f"bytes > {self.r.randrange(1 << 40)}", f"user = 'u{self.r.randrange(500)}'")

    def key(self):
        return self.pick(
            "level", "service", "status", "ok", "user", "day", "small", "toStartOfHour(ts)", "toStartOfDay(ts)", "toHour(ts)",
            "status DIV 100", "id % 7", "substring(level, 1, 1)", "toStartOfInterval(ts, INTERVAL 6 HOUR)", "toDayOfWeek(day)")

    def aggregate(self):
        n = self.pick(*NUMBERS, self.number(1))
        c = self.condition(1)
        return self.pick(
            "count()", "count(user)", f"countIf({c})", f"sum({self.pick('id', 'status', 'small', 'bytes')})", f"min({n})", f"max({n})",
            f"avg({self.pick('id', 'status', 'ms', 'bytes')})", f"sumIf(status, {c})", f"min({self.text(1)})", f"max({self.text(1)})",
            "uniqExact(user)", f"count(DISTINCT {self.key()})", "min(ts)", "max(day)", f"avgIf(ms, {c})", "argMin(id, id)",
            "argMax(service, id)", "round(stddevPop(ms), 6)", f"quantileExact(0.9)({self.pick('id', 'status')})",
            "arraySort(groupUniqArray(level))", "sum(ms)")

    def make(self):
        where = f" WHERE {self.condition()}" if self.r.random() < 0.7 else ""
        kind = self.r.random()
        if kind < 0.55:
            keys = list(dict.fromkeys(self.key() for _ in range(self.r.randrange(1, 3))))
            aggregates = [self.aggregate() for _ in range(self.r.randrange(1, 4))]
            columns = ", ".join(f"{e} AS c{i}" for i, e in enumerate(keys + aggregates))
            having = f" HAVING count() > {self.r.randrange(50)}" if self.r.random() < 0.3 else ""
            order, limit = "", ""
            if self.r.random() < 0.4:
                order = " ORDER BY " + ", ".join(f"c{i}{self.pick('', ' DESC')}" for i in range(len(keys)))
                limit = f" LIMIT {self.r.randrange(1, 20)}"
            return f"SELECT {columns} FROM {TABLE}{where} GROUP BY {', '.join(f'c{i}' for i in range(len(keys)))}{having}{order}{limit}"
        if kind < 0.75:
            aggregates = ", ".join(self.aggregate() for _ in range(self.r.randrange(1, 5)))
            return f"SELECT {aggregates} FROM {TABLE}{where}"
        if kind < 0.85:
            return f"SELECT DISTINCT {self.key()}, {self.key()} FROM {TABLE}{where}"
        columns = ", ".join(self.pick(self.number(), self.text(), self.condition(1)) for _ in range(self.r.randrange(1, 4)))
        return f"SELECT id, {columns} FROM {TABLE}{where} ORDER BY id {self.pick('', 'DESC')} LIMIT {self.r.randrange(1, 50)}"


def load(engine, data, is_server):
    engine.run(f"DROP TABLE IF EXISTS {TABLE}")
    columns = ", ".join(f"{name} {type}" for name, type in COLUMNS.items())
    engine.run(f"CREATE TABLE {TABLE} ({columns}) ENGINE = MergeTree ORDER BY (service, ts) PARTITION BY toYYYYMM(ts)")
    for start in range(0, len(data), 10_000):
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in data[start:start + 10_000])
        engine.run(f"INSERT INTO {TABLE} FORMAT JSONEachRow\n{lines}")
    if is_server:
        for _ in range(100):
            if engine.run(f"SELECT count() FROM {TABLE}").strip() == str(len(data)):
                return
            time.sleep(0.1)
        raise SystemExit("the server does not show all rows")


def normal(text):
    """Rows in an order that the last digits of floats hardly change: by their other fields first."""
    rows = [[field(f) for f in line.split("\t")] for line in text.split("\n") if line]

    def order(row):
        return [f for f in row if isinstance(f, str)], [f for f in row if isinstance(f, float)]

    return sorted(rows, key=order)


def field(text):
    if "." in text or "e" in text:
        try:
            return float(text)
        except ValueError:
            pass
    return text


def close(left, right):
    return len(left) == len(right) and all(
        len(a) == len(b) and all(x == y or both_floats(x, y) for x, y in zip(a, b)) for a, b in zip(left, right))


def both_floats(x, y):
    """Floats near each other; one that happens to be whole has no point, and was read as text."""
    if not isinstance(x, float) and not isinstance(y, float):
        return False
    try:
        return math.isclose(float(x), float(y), rel_tol=1e-9)
    except ValueError:
        return False


def answer(engine, sql):
    try:
        return "result", engine.run(sql)
    except sqltest.Failure as error:
        return "error", error


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--show", action="store_true", help="print every query")
    arguments = parser.parse_args()
    chdb, server = sqltest.ChDB(), sqltest.Server(arguments.url)
    data = list(rows(random.Random(arguments.seed)))
    load(chdb, data, False)
    load(server, data, True)
    queries = Queries(arguments.seed)
    different = refused = 0
    for number in range(arguments.count):
        sql = queries.make()
        if arguments.show:
            print(sql)
        (kind, wanted), (other_kind, got) = answer(chdb, sql), answer(server, sql)
        if kind == "error":
            refused += 1
            # What ClickHouse refuses may be refused here, with whatever words.
            continue
        if other_kind == "error" or not close(normal(wanted), normal(got)):
            different += 1
            print(f"✘ {number}: {sql}\n  ClickHouse: {wanted[:300]!r}\n  server:     {str(got)[:300]!r}")
    server.run(f"DROP TABLE {TABLE}")
    chdb.close()
    print(f"{arguments.count} queries, {different} differ, {refused} refused by ClickHouse")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
