#!/bin/bash
# kcat, Debian's command line over an old librdkafka (2.0.2): produces with every codec, reads back alone and in a
# group, asks for offsets. Run as `kcat.sh BOOTSTRAP`; ends with `ok` or says what was expected.
set -euo pipefail
broker=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "kcat: $*" >&2; exit 1; }
same() { diff "$1" "$2" > "$work/diff" || fail "$3: $(head -5 "$work/diff")"; }

for number in $(seq 1 300); do
    echo "key-$number|{\"n\":$number,\"path\":\"/p/$((number % 7))\",\"client\":\"ünï\"}"
done > "$work/sent"

for codec in none gzip snappy lz4 zstd; do
    topic=kcat-$codec
    kcat -P -b "$broker" -t "$topic" -p 0 -K '|' -z "$codec" -H trace=t1 -H "codec=$codec" -X acks=all \
        -l "$work/sent" 2> "$work/errors" || fail "$codec: $(cat "$work/errors")"
    ! grep -qi 'does not support compression' "$work/errors" || fail "$codec: $(cat "$work/errors")"
    timeout 60 kcat -C -b "$broker" -t "$topic" -p 0 -o beginning -e -q -X check.crcs=true -f '%k|%s\n' > "$work/got"
    same "$work/sent" "$work/got" "$codec, read alone"
    headers=$(timeout 60 kcat -C -b "$broker" -t "$topic" -p 0 -o beginning -c 1 -q -f '%h')
    [ "$headers" = "trace=t1,codec=$codec" ] || fail "$codec: headers $headers"
done

timeout 60 kcat -C -b "$broker" -t kcat-gzip -p 0 -o 290 -e -q -f '%o\n' > "$work/got"
seq 290 299 > "$work/wanted"
same "$work/wanted" "$work/got" "offsets from 290"
timeout 60 kcat -C -b "$broker" -t kcat-gzip -p 0 -o -5 -e -q -f '%o\n' > "$work/got"
seq 295 299 > "$work/wanted"
same "$work/wanted" "$work/got" "the last five"

# A group reads all, commits on leaving, and has nothing more to read; what comes later it gets.
group() { timeout 60 kcat -b "$broker" -G "kcat-team" -e -q -X auto.offset.reset=earliest -f '%k|%s\n' kcat-zstd; }
group > "$work/got"
same "$work/sent" "$work/got" "read in a group"
echo 'late|{"n":1000}' | kcat -P -b "$broker" -t kcat-zstd -p 0 -K '|'
group > "$work/got"
[ "$(cat "$work/got")" = 'late|{"n":1000}' ] || fail "second turn of the group: $(head -3 "$work/got")"

echo 'k|{"n":1}' | kcat -P -b "$broker" -t kcat-idempotent -p 0 -K '|' -X enable.idempotence=true
kcat -L -b "$broker" > "$work/list"
grep -q 'topic "kcat-lz4" with 1 partitions' "$work/list" || fail "topics: $(cat "$work/list")"
[ "$(kcat -Q -b "$broker" -t kcat-lz4:0:0 | grep -o 'offset [0-9]*')" = "offset 0" ] || fail "offset of time 0"
echo ok
