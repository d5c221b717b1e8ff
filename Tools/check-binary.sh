#!/bin/bash
# check-binary.sh FILE: the release executable must be static, stripped, under 40 MB and free of full Foundation.
set -euo pipefail
binary=$1
limit=$((40 * 1000 * 1000))
fail() { echo "check-binary: $binary: $*" >&2; exit 1; }

[ -x "$binary" ] || fail "missing"
headers=$(LC_ALL=C readelf --program-headers --section-headers --wide "$binary")
grep -q 'INTERP' <<< "$headers" && fail "asks for a dynamic loader"
grep -q '\.symtab' <<< "$headers" && fail "is not stripped"
# Full Foundation brings Unicode's tables (named icudt…), CoreFoundation and classes such as NSOperationQueue;
# FoundationEssentials has none of them. Their names stay in a stripped executable.
for mark in icudt CFRunLoop NSOperationQueue FoundationInternationalization; do
    LC_ALL=C grep -q --text --fixed-strings "$mark" "$binary" && fail "contains full Foundation (found $mark)"
done
size=$(stat -c %s "$binary")
[ "$size" -lt "$limit" ] || fail "is $size bytes; the limit is $limit"
echo "$binary: static, stripped, $((size / 1000 / 1000)) MB"
