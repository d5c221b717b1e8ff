"""What every client's script shares: the records they send, and a check that says what went wrong.

A script is run as `SCRIPT.py BOOTSTRAP SCENARIO`. It ends with 0 and `ok SCENARIO`, or with 1 and what was expected.
CLIENT_SETTINGS, a JSON object, is added to the settings of every client: for TLS and SASL.
"""

import json
import os
import sys
import time

# 2025-03-01 00:00:00 UTC in milliseconds: records carry times of their own, not the moment of the test.
START = 1740787200000

PARTITIONS = 6

# What every client is given besides.
COMMON = json.loads(os.environ.get("CLIENT_SETTINGS", "{}"))


def records(count, first=0):
    """JSON records with key, value, headers and timestamp; the same ones for every client."""
    for number in range(first, first + count):
        value = {"n": number, "client": "ünï", "path": f"/p/{number % 7}", "pad": "x" * 120}
        yield {
            "key": f"key-{number}".encode(),
            "value": json.dumps(value, ensure_ascii=False).encode(),
            "headers": [("trace", f"t{number}".encode()), ("empty", b"")],
            "timestamp": START + number * 1000,
        }


def expect(condition, message, *details):
    """Ends the scenario when the condition does not hold."""
    if not condition:
        raise SystemExit("expected " + message + (": got " + repr(details) if details else ""))


def equal(got, wanted, what):
    expect(got == wanted, f"{what} to be {wanted!r}"[:600], repr(got)[:600])


def same_records(got, wanted, what):
    """Compares (key, value, headers, timestamp) tuples in order; shows the first that differs."""
    got, wanted = list(got), [(r["key"], r["value"], r["headers"], r["timestamp"]) for r in wanted]
    for number, (one, other) in enumerate(zip(got, wanted)):
        expect(one == other, f"{what}, record {number}, to be {other!r}", one)
    equal(len(got), len(wanted), f"{what}: number of records")


def eventually(condition, what, seconds=60):
    """Waits until condition() is true and returns what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        expect(time.monotonic() < deadline, f"{what} within {seconds} s")
        time.sleep(0.02)


def main(scenarios):
    """Runs the scenario named on the command line."""
    if len(sys.argv) < 3 or sys.argv[2] not in scenarios:
        raise SystemExit(f"usage: {sys.argv[0]} BOOTSTRAP {'|'.join(scenarios)}")
    scenarios[sys.argv[2]](sys.argv[1])
    print("ok", sys.argv[2], flush=True)
    # Some clients' threads linger; nothing is left to wait for.
    sys.stdout.flush()
    os._exit(0)
