"""sql-reference.py BINARY [--check]: writes the lists of functions, formats and system tables in docs/sql.md from what
the binary says it has. With --check it only tells whether they are up to date."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import textwrap
import time

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "docs", "sql.md")

LISTS = {
    "functions": [
        ("Aggregate functions, also with `If`, `Distinct`, `OrNull` and `OrDefault` at the end of the name:",
         "SELECT DISTINCT name FROM system.functions WHERE is_aggregate = 1 AND alias_to = '' ORDER BY name"),
        ("Others:", "SELECT DISTINCT name FROM system.functions WHERE is_aggregate = 0 ORDER BY name"),
    ],
    "formats": [
        ("For answers:", "SELECT name FROM system.formats WHERE is_output = 1 ORDER BY name"),
        ("For INSERT:", "SELECT name FROM system.formats WHERE is_input = 1 ORDER BY name"),
    ],
    "tables": [
        ("", "SELECT name FROM system.tables WHERE database = 'system' ORDER BY name"),
    ],
}


def ask(binary, url, sql):
    answer = subprocess.run(
        [binary, "query", "--url", url, "--format", "TabSeparated", sql], capture_output=True, text=True)
    if answer.returncode != 0:
        raise SystemExit(f"{sql}: {answer.stderr.strip()}")
    return answer.stdout.split()


def serve(binary, folder):
    """A server on a free port: its process and its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % probe.getsockname()[1]
    server = subprocess.Popen(
        [binary, "serve", "--data", os.path.join(folder, "data"), "--http", address, "--kafka", "off"], stderr=subprocess.DEVNULL)
    url = "http://" + address
    for _ in range(100):
        if subprocess.run([binary, "query", "--url", url, "SELECT 1"], capture_output=True).returncode == 0:
            return server, url
        time.sleep(0.1)
    server.kill()
    raise SystemExit("the server does not answer")


def main():
    binary = sys.argv[1]
    with open(PAGE) as file:
        page = old = file.read()
    with tempfile.TemporaryDirectory() as folder:
        server, url = serve(binary, folder)
        try:
            page = filled(page, binary, url)
        finally:
            server.terminate()
            server.wait()
    if page == old:
        return
    if "--check" in sys.argv:
        raise SystemExit("docs/sql.md is not up to date: run make reference")
    with open(PAGE, "w") as file:
        file.write(page)


def filled(page, binary, url):
    """The page with its lists as the server has them."""
    for section, queries in LISTS.items():
        text = ""
        for title, sql in queries:
            names = ", ".join(f"`{name}`" for name in ask(binary, url, sql))
            text += "\n" + (title + "\n\n" if title else "") + textwrap.fill(names, 118) + "\n"
        begin, end = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
        page = re.sub(
            re.escape(begin) + ".*?" + re.escape(end), lambda _: begin + text + "\n" + end, page, flags=re.S)
    return page


main()
