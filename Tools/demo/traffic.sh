#!/bin/bash
# traffic.sh PORT ROUNDS: real requests to the nginx on PORT, about 100 a round: several paths, methods, answers
# and browsers. Each curl sends many requests over one connection.
set -euo pipefail
port=$1 rounds=$2
base=http://127.0.0.1:$port
agents=(
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15"
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
    "curl/7.88.1"
    'odd "agent" with \ and ümlaut'
)
words=(shoes "red%20hat" "caf%C3%A9" lamp)

fetch() { curl --silent --output /dev/null --globoff --max-time 20 "$@"; }

for ((round = 0; round < rounds; round++)); do
    agent=${agents[round % ${#agents[@]}]}
    word=${words[round % ${#words[@]}]}
    {
        # A config on stdin: curl takes any number of URLs from it.
        for ((i = 0; i < 60; i++)); do printf 'url = "%s/products/%d"\n' "$base" $(((round * 7 + i * i) % 97)); done
        for ((i = 0; i < 20; i++)); do printf 'url = "%s/search?q=%s&page=%d"\n' "$base" "$word" $i; done
        printf 'url = "%s%s"\n' "$base" / "$base" /old/shop "$base" /account "$base" /favicon.ico \
            "$base" "/missing-$((round % 5))" "$base" /health
        for ((i = 0; i < 4; i++)); do printf 'url = "%s/api/orders/%d"\n' "$base" $i; done
        for ((i = 0; i < 92; i++)); do printf 'output = /dev/null\n'; done
    } | fetch --config - --user-agent "$agent" --referer "https://example.org/campaign?round=$round"
    fetch --user-agent "$agent" --data "item=$round" "$base/cart" || true
done
