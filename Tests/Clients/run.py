"""The Java clients, Debezium and Maxwell's rows against the release binary; what `make test-clients` runs.

    run.py BINARY [WORD]...      WORDs choose the tests whose names contain one of them

Each test has a server and a folder of its own. As many run at once as there are processors; each line tells one's
outcome, and a failure shows the client's output and the end of the server's log.
"""

import concurrent.futures
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = str(ROOT / ".venv/bin/python")
JARS = {"3.1": ROOT / ".venv/jars/kafka-3.1", "3.6": ROOT / ".venv/jars/kafka-3.6", "4.3": ROOT / ".venv/jars/debezium"}
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
LIMIT = 240


PORTS, PORTS_LOCK = set(), threading.Lock()


def free_port():
    """A port that is free, and that nobody here was given before."""
    with PORTS_LOCK:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            if port not in PORTS:
                PORTS.add(port)
                return port


class Failure(Exception):
    """What a test expected and did not get."""


class Server:
    """`logstore serve` on free ports, in a folder of its own."""

    def __init__(self, binary, folder, *arguments):
        self.http, self.kafka = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self.log = folder / "server.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [binary, "serve", "--data", folder / "data", "--http", self.http, "--kafka", self.kafka, *arguments],
                stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://{self.http}/ping", timeout=5).read()
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Failure(f"the server did not come up: {self.tail()}") from None
                time.sleep(0.05)

    def tail(self):
        return self.log.read_text(errors="replace")[-1500:]

    def request(self, path, body, user=None):
        request = urllib.request.Request(f"http://{self.http}{path}", data=body.encode())
        if user:
            request.add_header("Authorization", "Bearer " + user)
        try:
            return urllib.request.urlopen(request, timeout=30).read().decode().strip()
        except urllib.error.HTTPError as failure:
            return f"{failure.code} {failure.read().decode()}"

    def answers(self, sql, wanted, seconds=20):
        deadline = time.monotonic() + seconds
        while (got := self.request("/", sql)) != wanted:
            if time.monotonic() > deadline:
                raise Failure(f"{sql}: expected {wanted!r}, got {got!r}")
            time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure("the server did not stop") from None
        if status != 0:
            raise Failure(f"the server ended with {status}: {self.tail()}")


def client(command):
    """Runs a client to its end."""
    try:
        outcome = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired as slow:
        output = (slow.stdout or b"")[-1500:].decode(errors="replace")
        errors = (slow.stderr or b"")[-3000:].decode(errors="replace")
        raise Failure(f"it took longer than {LIMIT} s\n{output}{errors}") from None
    if outcome.returncode != 0:
        raise Failure(f"{outcome.stdout[-1500:]}{outcome.stderr[-4000:]}")


def java(version, classes, *arguments):
    # The quick compiler alone: these programs are over before the better one pays.
    return ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{classes}:{JARS[version]}/*", "Client", *arguments]


def java_test(version, scenario):
    def test(binary, folder, classes):
        server = Server(binary, folder)
        try:
            client(java(version, classes[version], server.kafka, scenario))
            if scenario == "produce":
                for codec in CODECS:
                    # 3.1 and 3.6 come from a distribution that calls both 7.
                    name = "java4" if version[0] == "4" else "java7"
                    server.answers(f"SELECT count(), uniqExact(n), min(n), max(n) FROM `{name}-{codec}`",
                                   "300\t300\t0\t299")
        except Failure as failure:
            raise Failure(f"{failure}\nserver: {server.tail()}") from None
        finally:
            server.stop()
    return f"java {version} {scenario}", test


def certificate(folder):
    """A certificate for this machine that is its own authority, and its key."""
    pem, key = folder / "server.pem", folder / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key, "-out", pem],
                   check=True, capture_output=True)
    return pem, key


def security_test(version, mechanism):
    def test(binary, folder, classes):
        pem, key = certificate(folder)
        server = Server(binary, folder, "--users", "root:secret0:admin,app:secret1:ingest,reports:secret2:readonly",
                        "--kafka-tls-certificate", pem, "--kafka-tls-key", key)
        module = "plain.PlainLoginModule" if mechanism == "PLAIN" else "scram.ScramLoginModule"
        try:
            server.request("/ingest/secured", '{"n":1}', user="secret0")
            for user, password, scenario in [("app", "secret1", "ingest"), ("reports", "secret2", "read"),
                                             ("app", "wrong", "intruder")]:
                client(java(version, classes[version], server.kafka, scenario, "security.protocol=SASL_SSL",
                            f"sasl.mechanism={mechanism}", "ssl.truststore.type=PEM", f"ssl.truststore.location={pem}",
                            f"sasl.jaas.config=org.apache.kafka.common.security.{module} required "
                            f"username=\"{user}\" password=\"{password}\";"))
        except Failure as failure:
            raise Failure(f"{failure}\nserver: {server.tail()}") from None
        finally:
            server.stop()
    return f"java {version} {mechanism} over TLS", test


def debezium_test(schemas):
    def test(binary, folder, _):
        server = Server(binary, folder)
        try:
            client([PYTHON, ROOT / "Tests/Clients/python/debezium.py", server.kafka, server.http, JARS["4.3"], folder,
                    schemas])
        except Failure as failure:
            raise Failure(f"{failure}\nserver: {server.tail()}") from None
        finally:
            server.stop()
    return f"debezium schemas {schemas}", test


def maxwell_test():
    def test(binary, folder, _):
        server = Server(binary, folder)
        try:
            client([PYTHON, ROOT / "Tests/Clients/python/maxwell.py", server.kafka, server.http])
        except Failure as failure:
            raise Failure(f"{failure}\nserver: {server.tail()}") from None
        finally:
            server.stop()
    return "maxwell's rows", test


def tests():
    every = [debezium_test("off"), debezium_test("on"), maxwell_test()]
    every += [java_test(version, scenario) for version in JARS
              for scenario in ["group", "produce", "transactions", "admin", "errors"]]
    every += [security_test("4.3", "PLAIN"), security_test("4.3", "SCRAM-SHA-512"),
              security_test("3.1", "SCRAM-SHA-256")]
    return every


def compile_client(version, folder):
    classes = folder / f"classes-{version}"
    outcome = subprocess.run(["javac", "-nowarn", "-cp", f"{JARS[version]}/*", "-d", classes,
                              ROOT / "Tests/Clients/java/Client.java"], capture_output=True, text=True)
    if outcome.returncode != 0:
        raise SystemExit(f"test-clients: Client.java for {version}: {outcome.stderr[-3000:]}")
    return classes


def main():
    binary, words = os.path.abspath(sys.argv[1]), sys.argv[2:]
    chosen = [(name, test) for name, test in tests() if not words or any(word in name for word in words)]
    failed, started = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="logstore-clients-") as place:
        place = pathlib.Path(place)
        needed = [version for version in JARS if any(version in name for name, _ in chosen)]
        classes = {version: compile_client(version, place) for version in needed}

        def run(number):
            folder = place / str(number)
            folder.mkdir()
            begin = time.monotonic()
            try:
                chosen[number][1](binary, folder, classes)
                return None, time.monotonic() - begin
            except (Failure, subprocess.CalledProcessError) as failure:
                return failure, time.monotonic() - begin

        with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
            waiting = {pool.submit(run, number): chosen[number][0] for number in range(len(chosen))}
            for future in concurrent.futures.as_completed(waiting):
                failure, seconds = future.result()
                failed += failure is not None
                print(f"{'FAILED' if failure else 'ok':6} {waiting[future]} ({seconds:.1f} s)", flush=True)
                if failure:
                    print(failure, flush=True)
    print(f"test-clients: {len(chosen)} tests, {failed} failed, {time.monotonic() - started:.0f} s")
    sys.exit(1 if failed or not chosen else 0)


if __name__ == "__main__":
    main()
