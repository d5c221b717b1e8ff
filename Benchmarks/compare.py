"""compare.py BINARY ROWS FOLDER REPORT: loads FOLDER/logs-ROWS.jsonl into logstore over HTTP and into chDB, runs the
queries on both in turns, compares the answers, and writes what it measured into REPORT between its markers."""

import datetime
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

from chdb import session

import server as under_test

COLUMNS = (
    "timestamp DateTime64(3), level LowCardinality(String), service LowCardinality(String), "
    "host LowCardinality(String), method LowCardinality(String), path LowCardinality(String), status UInt16, "
    "response_time_ms Float64, user_id String, trace_id String, message String")
KEYS = "PARTITION BY toDate(timestamp) ORDER BY (service, timestamp)"
TIMES = 5
CONNECTIONS = 3
REQUEST_BYTES = 4 * 1024 * 1024
# Queries whose answers are approximate by design, on both sides: ours must come this close to the exact answer, which
# the peer computes by the functions named here instead.
APPROXIMATE = {
    "latency_quantiles": (0.02, "quantile(", "quantileExact("),
    "uniq_users_day": (0.02, "uniq(", "uniqExact("),
}
REQUIRED_LOAD = 200_000


def main():
    binary, rows, folder, report = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    data = f"{folder}/logs-{rows}.jsonl"
    with open(data + ".trace") as file:
        trace = file.read().strip()
    with open(os.path.join(os.path.dirname(__file__), "queries.sql")) as file:
        queries = [line.strip().split("|", 1) for line in file if line.strip()]
    queries = [(name, sql.replace("{trace_id}", trace)) for name, sql in queries]

    ours = f"{folder}/data"
    theirs = f"{folder}/chdb"
    for path in (ours, theirs):
        shutil.rmtree(path, ignore_errors=True)

    server = under_test.Server(binary, ours, f"{folder}/server.log")
    try:
        figures = load_ours(server, binary, data, rows, ours)
        peer, peer_figures = load_theirs(theirs, data, rows)
        results = [run(server, peer, name, sql) for name, sql in queries]
        figures["peak memory, load and queries"] = megabytes(server.peak_memory())
    finally:
        server.stop()

    text = written(rows, figures, peer_figures, results)
    print(text)
    replace_between_markers(report, text)
    wrong = [f"{r['name']}: {r['difference']}" for r in results if r["difference"]]
    for line in wrong:
        print("bench: answers differ:", line, file=sys.stderr)
    slow = rows >= 1_000_000 and figures["rows_per_second"] < REQUIRED_LOAD
    if slow:
        print(f"bench: the load is below {REQUIRED_LOAD:,} rows/s", file=sys.stderr)
    raise SystemExit(1 if wrong or slow else 0)


def load_ours(server, binary, data, rows, folder):
    server.query(f"CREATE TABLE logs ({COLUMNS}) {KEYS}")
    print(f"bench: loading {rows:,} rows over {CONNECTIONS} connections, {REQUEST_BYTES >> 20} MB a request")
    begin = time.monotonic()
    accepted = under_test.load(server, data, "logs", CONNECTIONS, REQUEST_BYTES)
    durable = time.monotonic() - begin
    if accepted != rows:
        raise SystemExit(f"{accepted} rows accepted instead of {rows}")
    while (seen := int(server.value("SELECT count() FROM logs"))) < rows:
        if time.monotonic() - begin > 600 + 20 * durable:
            raise SystemExit(f"only {seen} of {rows} rows became visible")
        time.sleep(0.05)
    visible = time.monotonic() - begin
    after_load = server.peak_memory()
    print(f"bench: durable after {durable:.1f} s, visible after {visible:.1f} s; compacting")
    begin = time.monotonic()
    subprocess.run(
        [binary, "compact", "--url", f"http://127.0.0.1:{server.port}", "--table", "logs", "--final"], check=True)
    compacting = time.monotonic() - begin
    table = int(server.value("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'logs'"))
    return {
        "rows_per_second": rows / visible,
        "load, until durable in the log": f"{rows / durable:,.0f} rows/s",
        "load, until visible to queries": f"{rows / visible:,.0f} rows/s",
        "compaction to one part a day": f"{compacting:.1f} s",
        "table on disk, compacted": megabytes(table),
        "whole data folder, with the log": megabytes(under_test.disk_bytes(folder)),
        "peak memory, load": megabytes(after_load),
    }


def load_theirs(folder, data, rows):
    print("bench: loading chDB")
    peer = session.Session(folder)
    peer.query("CREATE DATABASE IF NOT EXISTS bench ENGINE = Atomic")
    peer.query("USE bench")
    columns = ", ".join(column.strip() + " CODEC(ZSTD(1))" for column in COLUMNS.split(", "))
    peer.query(f"CREATE TABLE logs ({columns}) ENGINE = MergeTree {KEYS}")
    structure = ("timestamp Int64, level String, service String, host String, method String, path String, "
                 "status UInt16, response_time_ms Float64, user_id String, trace_id String, message String")
    begin = time.monotonic()
    peer.query(f"INSERT INTO logs SELECT fromUnixTimestamp64Milli(timestamp), * EXCEPT (timestamp) "
               f"FROM file('{data}', JSONEachRow, '{structure}')")
    elapsed = time.monotonic() - begin
    peer.query("OPTIMIZE TABLE logs FINAL")
    count = rows_of(peer.query("SELECT count() FROM logs", "JSONCompact").bytes())[0][0]
    if int(count) != rows:
        raise SystemExit(f"chDB holds {count} rows instead of {rows}")
    size = rows_of(peer.query(
        "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'logs'", "JSONCompact").bytes())[0][0]
    version = rows_of(peer.query("SELECT version()", "JSONCompact").bytes())[0][0]
    return peer, {"load": f"{rows / elapsed:,.0f} rows/s", "size": megabytes(int(size)), "version": version}


def run(server, peer, name, sql):
    """Both answers, and the median of several times each, taken in turns after one warm-up."""
    exact = sql
    if name in APPROXIMATE:
        _, approximate_name, exact_name = APPROXIMATE[name]
        exact = sql.replace(approximate_name, exact_name)
    other = rows_of(peer.query(exact, "JSONCompact").bytes())
    peer.query(sql, "JSONCompact")
    try:
        mine = rows_of(server.query(sql))
    except RuntimeError as error:
        print(f"bench: {name}: {error}")
        return {"name": name, "own": math.nan, "peer": math.nan, "difference": "it failed", "rows": 0}
    difference = compare(name, mine, other)
    own_times, peer_times = [], []
    for _ in range(TIMES):
        begin = time.perf_counter()
        server.query(sql)
        own_times.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        peer.query(sql, "JSONCompact")
        peer_times.append(time.perf_counter() - begin)
    result = {
        "name": name, "own": statistics.median(own_times) * 1000, "peer": statistics.median(peer_times) * 1000,
        "difference": difference, "rows": len(mine),
    }
    print(f"bench: {name:18} {result['own']:9.1f} ms  chDB {result['peer']:9.1f} ms  {difference or 'equal'}")
    return result


def rows_of(body):
    return json.loads(body)["data"]


def compare(name, mine, other):
    """What differs between two answers, or an empty string."""
    if len(mine) != len(other):
        return f"{len(mine)} rows against {len(other)}"
    if name == "tail_errors" and mine:
        # Rows of equal time have no order, and LIMIT may cut any of those of the last time.
        if [row[0] for row in mine] != [row[0] for row in other]:
            return "other times"
        last = mine[-1][0]
        mine = sorted(row for row in mine if row[0] != last)
        other = sorted(row for row in other if row[0] != last)
    tolerance = APPROXIMATE[name][0] if name in APPROXIMATE else 1e-9
    for number, (left, right) in enumerate(zip(mine, other)):
        if len(left) != len(right):
            return f"row {number}: {len(left)} columns against {len(right)}"
        for a, b in zip(left, right):
            if a != b and not close(a, b, tolerance):
                return f"row {number}: {left} against {right}"
    return ""


def close(a, b, tolerance):
    try:
        return math.isclose(float(a), float(b), rel_tol=tolerance)
    except (TypeError, ValueError):
        return False


def megabytes(count):
    return f"{count / 1e6:,.0f} MB" if count >= 10e6 else f"{count / 1e6:,.1f} MB"


def machine():
    model = ""
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GB memory, {platform.system()} {platform.release()}"


def written(rows, figures, peer_figures, results):
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    lines = [
        f"{rows:,} rows, {today}, {machine()}.",
        f"Peer: chDB with ClickHouse {peer_figures['version']}, in process, on a MergeTree table of the same columns,",
        "partitions and order, all compressed by ZSTD(1).", "",
        "| | logstore | chDB |", "| --- | ---: | ---: |",
    ]
    beside = {"load, until visible to queries": f"{peer_figures['load']} (from a file, no log)",
              "table on disk, compacted": peer_figures["size"]}
    for name, value in figures.items():
        if name != "rows_per_second":
            lines.append(f"| {name} | {value} | {beside.get(name, '')} |")
    lines += ["", "| query | logstore, ms | chDB, ms | ratio | answers |", "| --- | ---: | ---: | ---: | --- |"]
    for result in results:
        ratio = result["own"] / result["peer"] if result["peer"] else float("nan")
        verdict = "differ: " + result["difference"].replace("|", "/") if result["difference"] else "equal"
        if result["name"] in APPROXIMATE and not result["difference"]:
            verdict = "within 2 % of exact"
        lines.append(f"| {result['name']} | {result['own']:.1f} | {result['peer']:.1f} | {ratio:.2f} | {verdict} |")
    ratios = [r["own"] / r["peer"] for r in results if r["peer"] > 0]
    mean = math.exp(sum(math.log(r) for r in ratios) / len(ratios))
    lines += ["", f"Geometric mean of the ratios: {mean:.2f} (below 1: logstore is faster)."]
    return "\n".join(lines)


def replace_between_markers(path, text):
    begin, end = "<!-- bench:begin -->", "<!-- bench:end -->"
    with open(path) as file:
        page = file.read()
    head, rest = page.split(begin, 1)
    _, tail = rest.split(end, 1)
    with open(path, "w") as file:
        file.write(f"{head}{begin}\n{text}\n{end}{tail}")
    print(f"bench: written to {path}")


if __name__ == "__main__":
    main()
