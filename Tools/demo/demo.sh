#!/bin/bash
# demo.sh BINARY: a server on an empty data folder, a real nginx under real requests, its log streamed in, one event
# posted by hand, three questions answered. Stays up until Ctrl-C, then ends what it started.
# DEMO_ONCE=1 ends after the answers instead; DEMO_FOLDER says where everything is kept (.demo).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
binary=$(realpath "$1")
folder=${DEMO_FOLDER:-$PWD/.demo}
children=()

finish() {
    trap - EXIT INT TERM
    echo
    echo "demo: ending"
    for child in "${children[@]}"; do kill -- "-$child" 2> /dev/null || true; done
    wait 2> /dev/null || true
    # Nothing is lost: the next `logstore serve` on the folder finds it all.
    echo "demo: ended; the data stays in $folder/data until the next demo"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

die() {
    echo "demo: $*" >&2
    exit 1
}

# Prints the first free port from $1 upwards.
free_port() {
    local port
    for ((port = $1; port < $1 + 100; port++)); do
        if ! (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; then
            echo "$port"
            return
        fi
    done
    die "no free port between $1 and $(($1 + 99))"
}

# Tries a command every tenth of a second for up to $1 seconds.
wait_for() {
    local tries=$(($1 * 10))
    shift
    while ! "$@" > /dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

rm -rf "$folder"
mkdir -p "$folder"
port=$(free_port 8123)
[ "$port" = 8123 ] || echo "demo: port 8123 is taken; using $port"
nginx_port=$(free_port 8080)
url=http://127.0.0.1:$port

# A process group each, so that Ctrl-C reaches this script alone and it ends them with all their children.
set -m
"$binary" serve --data "$folder/data" --http "127.0.0.1:$port" > "$folder/server.log" 2>&1 &
server=$!
children+=("$server")
wait_for 20 curl --silent --fail "$url/ping" || { cat "$folder/server.log" >&2; die "the server did not start"; }

"$here/nginx.sh" "$folder/nginx" "$nginx_port" > "$folder/nginx.out" 2>&1 &
children+=($!)
wait_for 10 curl --silent "http://127.0.0.1:$nginx_port/health" || {
    cat "$folder/nginx.out" >&2
    die "nginx did not start"
}

"$here/ship.sh" "$folder/nginx/access.log" "$url/ingest/nginx" > "$folder/ship.log" 2>&1 &
children+=($!)
set +m

echo "demo: sending requests to nginx on port $nginx_port; its access log goes to the topic nginx"
"$here/traffic.sh" "$nginx_port" 40 > "$folder/traffic.log" 2>&1

echo "demo: posting one event to the topic events:"
event='{"type":"click","user_id":"1","session_id":"FaAa31","timestamp":"2024-04-17T04:04:12","locale":"en",'
event+='"path":"/getting-started","appVersion":"0.0.1","details":{"meta_a":"meta_a","meta_b":"meta_b"}}'
echo "curl --data '$event' $url/ingest/events"
curl --silent --show-error --fail --data "$event" "$url/ingest/events" || die "the event was refused"
echo

logged=$(wc -l < "$folder/nginx/access.log")
count() { curl --silent --fail --data 'SELECT count() FROM nginx' "$url/"; }
all_there() { [ "$(count)" -ge "$logged" ] && [ "$(curl --silent --data 'SELECT count() FROM events' "$url/")" = 1 ]; }
wait_for 30 all_there || { tail -5 "$folder/server.log" >&2; die "only $(count) of $logged lines arrived"; }
echo "demo: $logged requests made, $(count) rows in the table nginx"

ask() {
    echo
    echo "logstore query --url $url \"$1\""
    "$binary" query --url "$url" --format PrettyCompact "$1"
}
ask "SELECT status, count() AS requests, sum(bytes) AS bytes, round(avg(request_time) * 1000, 2) AS ms FROM nginx
    GROUP BY status ORDER BY status"
ask "SELECT uri, count() AS requests, uniq(user_agent) AS browsers FROM nginx
    GROUP BY uri ORDER BY requests DESC, uri LIMIT 5"
ask "SELECT type, user_id, timestamp, path, details.meta_a FROM events"

[ -z "${DEMO_ONCE:-}" ] || exit 0

echo
echo "demo: open  $url/  in a browser, or ask by curl:"
echo "  curl --data 'SELECT count() FROM nginx' $url/"
echo "demo: more requests keep coming; Ctrl-C ends everything"
while kill -0 "$server" 2> /dev/null; do
    "$here/traffic.sh" "$nginx_port" 1 >> "$folder/traffic.log" 2>&1 || true
    sleep 2
done
tail -20 "$folder/server.log" >&2
die "the server has ended by itself"
