#!/bin/bash
# run-tests.sh BINARY: builds the tests once, runs all of them, and ends with the counts. Part of `make test`.
set -euo pipefail
cd "$(dirname "$0")/.."
LOGSTORE_BINARY=$(realpath "$1")
export LOGSTORE_BINARY
log=.build/test.log

started=$SECONDS
swift build --build-tests
echo "tests built in $((SECONDS - started)) s"

started=$SECONDS
status=0
swift test --skip-build --disable-xctest 2>&1 | tee "$log" || status=$?
# Benchmarks are run once on little data, so that they do not rot.
swift run --package-path Benchmarks micro --smoke > .build/micro.log 2>&1 || { tail -20 .build/micro.log; status=1; }
echo "tests ran in $((SECONDS - started)) s"
echo
grep -E '(✘|error:)' "$log" | head -50 || true
# Swift Testing's closing line; XCTest's "Executed 0 tests" says nothing here.
grep -E 'Test run with [0-9]+ tests?' "$log" | tail -1 || { echo "no test ran" >&2; exit 1; }
exit "$status"
