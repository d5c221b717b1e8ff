#!/bin/bash
# nginx.sh PREFIX PORT: runs Debian's nginx in the foreground with everything it writes under PREFIX.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
prefix=$1 port=$2
nginx=$(PATH=$PATH:/usr/sbin:/sbin command -v nginx) || { echo "no nginx; run make setup" >&2; exit 1; }
mkdir -p "$prefix"
# Nothing listens on port 9 (discard) of a normal machine: requests to /api/ really fail, with 502.
sed -e "s/@PORT@/$port/" -e "s/@DEAD_PORT@/9/" "$here/nginx.conf" > "$prefix/nginx.conf"
exec "$nginx" -p "$prefix/" -c nginx.conf -e error.log
