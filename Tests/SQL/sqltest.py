"""Reads .test files and runs statements through chDB and over HTTP."""
import http.client
import re
import urllib.error
import urllib.parse
import urllib.request


class Case:
    def __init__(self, name, line):
        self.name, self.line = name, line
        self.ours = False
        self.statements, self.expected = [], None


def read(path):
    """The file's cases, and whether it is for the oracle."""
    lines = open(path, encoding="utf-8").read().split("\n")
    oracle = lines[0] == "-- oracle"
    cases, case, state, text = [], None, "between", []
    for number, line in enumerate(lines[1:] if oracle else lines, 2 if oracle else 1):
        if state != "sql" and line.startswith("-- "):
            finish(case)
            case, state, text = Case(line[3:], number), "sql", []
            case.text = text
            cases.append(case)
        elif state == "sql" and line == "-- ours":
            case.ours = True
        elif state == "sql" and line == "----":
            state = "expected"
            case.expected = []
        elif state == "sql":
            text.append(line)
        elif state == "expected":
            case.expected.append(line)
    finish(case)
    return cases, oracle


def finish(case):
    if case is None:
        return
    case.statements = split("\n".join(case.text))
    if case.expected is not None:
        while case.expected and case.expected[-1] == "":
            case.expected.pop()


def split(text):
    """Statements: a `;` at the end of a line ends one."""
    return [part.strip() for part in re.split(r";[ \t]*(?:\n|$)", text) if part.strip()]


class Failure(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


def failure(text):
    found = re.search(r"Code: (\d+)", text)
    return Failure(int(found.group(1)) if found else -1, text.strip())


class ChDB:
    def __init__(self):
        from chdb import session
        self.session = session.Session()

    def run(self, sql, format="TabSeparated"):
        try:
            return self.session.query(sql, format).bytes().decode("utf-8", "surrogateescape")
        except Exception as error:  # chDB raises a plain exception with ClickHouse's text
            raise failure(str(error)) from None

    def close(self):
        self.session.close()


class Server:
    def __init__(self, url):
        self.url = url.rstrip("/")

    def run(self, sql, format="TabSeparated", **parameters):
        query = urllib.parse.urlencode({"default_format": format, "wait_end_of_query": 1, **parameters})
        request = urllib.request.Request(self.url + "/?" + query, data=sql.encode("utf-8", "surrogateescape"), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return response.read().decode("utf-8", "surrogateescape")
        except urllib.error.HTTPError as error:
            raise failure(error.read().decode("utf-8", "replace")) from None
        except (OSError, http.client.HTTPException) as error:
            raise SystemExit(f"✘ the server is gone: {error}\n  it was asked: {sql[:500]}") from None
