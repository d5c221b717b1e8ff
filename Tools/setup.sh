#!/bin/bash
# Installs what the build, the tests, the demo and the benchmark need beyond Swift itself, on Debian 12.
# Says what it does, does only what is missing, and may be run as often as one likes.
#   setup.sh                  everything
#   setup.sh --system-only    only the Debian packages (what a build and the demo need)
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
    build-essential git curl ca-certificates    # compiler for the C parts, git and curl for dependencies and tests
    libzstd-dev liblz4-dev zlib1g-dev libsnappy-dev libre2-dev    # linked statically into the binary
    nginx-light                                 # writes the real logs of the demo and of the end-to-end tests
    python3 python3-venv                        # chDB runs in Python; small tools
    zstd                                        # the tests compress request bodies with it
)

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

if [ ${#missing[@]} -gt 0 ]; then
    echo "setup: installing with apt: ${missing[*]}"
    if [ "$(id -u)" != 0 ] && ! command -v sudo > /dev/null; then
        echo "setup: this needs root (or sudo). As root: apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    # A nginx the package starts by itself would take port 80; nobody here needs it.
    masked=no
    if [[ " ${missing[*]} " == *" nginx-light "* ]] && [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d > /dev/null
        as_root chmod 755 /usr/sbin/policy-rc.d
        masked=yes
    fi
    restore() { [ "$masked" = no ] || as_root rm -f /usr/sbin/policy-rc.d; }
    trap restore EXIT
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    restore
    trap - EXIT
fi

if ! command -v swift > /dev/null; then
    echo "setup: no swift found; install Swift 6.3 from https://www.swift.org/install/linux/" >&2
    exit 1
fi
version=$(swift --version 2> /dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -1)
if [ "$(printf '%s\n' 6.2 "$version" | sort -V | head -1)" != 6.2 ]; then
    echo "setup: Swift $version is too old; 6.3 is what this is built with" >&2
    exit 1
fi

[ "${1:-}" != --system-only ] || exit 0

wanted=$(cat Tools/requirements.txt)
if [ "$(cat .venv/installed 2> /dev/null || true)" != "$wanted" ]; then
    echo "setup: installing from PyPI into .venv:" $wanted
    python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r Tools/requirements.txt
    echo "$wanted" > .venv/installed
fi
