#!/bin/bash
# bench.sh BINARY ROWS: generates the data, then loads and compares (compare.py). Part of `make bench`.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "$1")
rows=$2
folder=$PWD/.bench
mkdir -p "$folder"

swift build -c release --package-path Benchmarks --product generate
data=$folder/logs-$rows.jsonl
if [ ! -s "$data.trace" ]; then
    echo "bench: generating $rows rows"
    # The trace id is written last: its file says that the data is whole.
    Benchmarks/.build/release/generate "$rows" "$data" > "$data.trace.part"
    mv "$data.trace.part" "$data.trace"
fi
# chDB takes its time zone from here, and both must agree.
TZ=UTC .venv/bin/python Benchmarks/compare.py "$binary" "$rows" "$folder" docs/benchmarks.md
exec .venv/bin/python Benchmarks/kafka/bench.py "$binary" "$folder" docs/benchmarks.md
