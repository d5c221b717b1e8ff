"""The program under test as a process: start, load, ask, measure, stop."""

import http.client
import json
import mmap
import os
import socket
import subprocess
import threading
import time


class Server:
    """`logstore serve` on a free port of this machine."""

    def __init__(self, binary, folder, log, kafka="off"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.binary = binary
        self.log = open(log, "wb")
        self.process = subprocess.Popen(
            [binary, "serve", "--data", folder, "--http", f"127.0.0.1:{self.port}", "--kafka", kafka],
            stdout=self.log, stderr=self.log)
        self.connection = None
        self._wait_until_up(log)

    def _wait_until_up(self, log):
        for _ in range(200):
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended at once; see {log}")
            try:
                self.query("SELECT 1")
                return
            except OSError:
                self.connection = None
                time.sleep(0.1)
        raise SystemExit(f"the server does not answer; see {log}")

    def query(self, sql, form="JSONCompact"):
        """The answer's bytes, over one connection that stays open."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        self.connection.request("POST", f"/?default_format={form}", body=sql.encode())
        response = self.connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {body.decode(errors='replace').strip()}")
        return body

    def value(self, sql):
        """The single value of an answer."""
        return json.loads(self.query(sql))["data"][0][0]

    def peak_memory(self):
        """The most memory the process ever held, in bytes."""
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return 0

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def requests_of(path, size):
    """Byte ranges of a file of lines, about `size` bytes each, cut at line ends."""
    ranges = []
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start, total = 0, len(data)
        while start < total:
            end = min(start + size, total)
            if end < total:
                end = data.rfind(b"\n", start, end) + 1
                if end <= start:
                    raise SystemExit(f"{path}: a line longer than a request")
            ranges.append((start, end - start))
            start = end
    return ranges


def load(server, path, topic, connections, size):
    """Posts a file of JSON lines over several connections. Returns the rows that were acknowledged."""
    waiting = requests_of(path, size)
    waiting.reverse()
    lock = threading.Lock()
    accepted, failures = [0], []

    def work():
        link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        with open(path, "rb") as file:
            while True:
                with lock:
                    if not waiting or failures:
                        return
                    start, length = waiting.pop()
                body = os.pread(file.fileno(), length, start)
                link.request("POST", f"/ingest/{topic}", body=body, headers={"Content-Type": "application/x-ndjson"})
                response = link.getresponse()
                answer = response.read()
                with lock:
                    if response.status != 200:
                        failures.append(f"{response.status}: {answer[:300]!r}")
                        return
                    accepted[0] += json.loads(answer)["accepted"]

    workers = [threading.Thread(target=work) for _ in range(connections)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise SystemExit(f"loading failed: {failures[0]}")
    return accepted[0]


def disk_bytes(folder):
    """Bytes of all files under a folder."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size
            except FileNotFoundError:
                pass
    return total
