#!/bin/bash
# ship.sh LOGFILE URL: sends what is appended to LOGFILE to an ingest URL, whole lines only, until it is ended.
# It moves on only after the server has answered that the lines are durable; where it is stands in LOGFILE.position.
set -euo pipefail
file=$1 url=$2
position=$file.position chunk=$file.chunk
batch=$((4 * 1024 * 1024))
sent=$(cat "$position" 2> /dev/null || echo 0)

while true; do
    size=$(stat -c %s "$file" 2> /dev/null || echo 0)
    if [ "$size" -gt "$sent" ]; then
        tail -c +$((sent + 1)) "$file" 2> /dev/null | head -c $batch > "$chunk.raw" || true
        # Only whole lines: the last one may still be on its way into the file.
        head -n "$(wc -l < "$chunk.raw")" "$chunk.raw" > "$chunk"
        length=$(stat -c %s "$chunk")
        if [ "$length" -gt 0 ] && curl --silent --show-error --fail --max-time 60 --data-binary "@$chunk" \
            --header 'Content-Type: application/x-ndjson' "$url" > /dev/null; then
            sent=$((sent + length))
            echo "$sent" > "$position"
            continue
        fi
    fi
    sleep 0.3
done
