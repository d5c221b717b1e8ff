"""The Kafka side of `make bench`: a C client over librdkafka against logstore, and against librdkafka's own mock
broker, which keeps records in memory and does nothing else: the ceiling of this client on this machine.

    bench.py BINARY FOLDER PAGE [--quick]

Prints a table and writes it into PAGE between its marks.
"""

import datetime
import os
import pathlib
import resource
import shutil
import socket
import statistics
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from server import Server  # noqa: E402

SIZE = 200
MARKS = "<!-- kafka:begin -->", "<!-- kafka:end -->"


class Broker(Server):
    """A server with a Kafka port."""

    def __init__(self, binary, folder, log):
        shutil.rmtree(folder, ignore_errors=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.kafka = f"127.0.0.1:{probe.getsockname()[1]}"
        super().__init__(binary, folder, log, self.kafka)

    def resident(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))

    def processor_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def client(program, *words):
    """The numbers that the client prints."""
    outcome = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
    if outcome.returncode != 0:
        raise SystemExit(f"bench: client {words}: {outcome.stderr[-1000:]}")
    return [float(word) for word in outcome.stdout.split()]


def rate(program, *words):
    seconds, records = client(program, *words)
    return records / seconds


def many_topics(broker, count):
    """One record into each of `count` topics, by one client."""
    from confluent_kafka import Producer
    failures = []
    producer = Producer({"bootstrap.servers": broker.kafka, "linger.ms": 100, "message.timeout.ms": 120000})
    for number in range(count):
        producer.produce(f"many-{number:04}", b'{"n":%d}' % number,
                         on_delivery=lambda error, _: failures.append(error) if error else None)
        producer.poll(0)
    if producer.flush(120) or failures:
        raise SystemExit(f"bench: {count} topics: {failures[:3]}")


def connections(broker, count):
    """Open connections that have each asked for the versions, as every client does first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 200)), hard))
    host, port = broker.kafka.split(":")
    body = struct.pack(">hhih", 18, 0, 1, 5) + b"bench"
    held = []
    for _ in range(count):
        link = socket.create_connection((host, int(port)), timeout=30)
        link.sendall(struct.pack(">i", len(body)) + body)
        held.append(link)
    for link in held:
        if len(link.recv(4)) != 4:
            raise SystemExit("bench: a connection was closed")
    return held


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
    return f"{os.cpu_count()} cores ({model.split(' Processor')[0]}), Linux {os.uname().release.split('-')[0]}"


def measure(binary, folder, program, quick):
    records, rounds = (200_000, 1) if quick else (3_000_000, 3)
    data, log = f"{folder}/kafka", f"{folder}/kafka.log"
    rows = []
    ceiling, ours, shares = [], [], []
    for number in range(rounds):
        # In turns, so that both see the same machine.
        ceiling.append(rate(program, "produce", "mock", "bench", records, SIZE))
        broker = Broker(binary, data, log)
        ours.append(rate(program, "produce", broker.kafka, f"bench-{number}", records, SIZE))
        shares.append(ours[-1] / ceiling[-1])
        if number + 1 < rounds:
            broker.stop()
    best, top = statistics.median(ours), statistics.median(ceiling)
    rows.append(("produce, acks=all, one client", f"{best:,.0f} records/s, {best * SIZE / 1e6:,.0f} MB/s",
                 f"{top:,.0f} records/s", f"{statistics.median(shares):.2f}"))
    topic = f"bench-{rounds - 1}"
    fetched = [rate(program, "consume", broker.kafka, topic, records) for _ in range(rounds)]
    rows.append(("consume, one client", f"{statistics.median(fetched):,.0f} records/s", "", ""))
    middle, slow, worst = client(program, "latency", broker.kafka, "latency", 500 if quick else 5000, SIZE)
    rows.append(("one record, awaited", f"p50 {middle / 1000:.2f} ms, p99 {slow / 1000:.2f} ms, "
                 f"longest {worst / 1000:.1f} ms", "", ""))
    crowd = rate(program, "crowd", broker.kafka, "crowd", records // 32, SIZE, 32)
    rows.append(("produce, 32 clients at once", f"{crowd:,.0f} records/s", "", ""))
    used = broker.processor_seconds()
    peak = broker.peak_memory()
    rows.append(("peak memory so far", f"{peak / 1e6:,.0f} MB", "", ""))
    broker.stop()

    broker = Broker(binary, data, log)
    empty = broker.resident()
    held = connections(broker, 100 if quick else 1000)
    many_topics(broker, 100 if quick else 1000)
    rows.append((f"memory, {len(held):,} connections and as many topics",
                 f"{broker.resident() / 1e6:,.0f} MB ({empty / 1e6:,.0f} MB at the start)", "", ""))
    for link in held:
        link.close()
    broker.stop()
    shutil.rmtree(data, ignore_errors=True)
    note = f"{records:,} records of {SIZE} bytes, {datetime.date.today()}, {machine()}; {used:.0f} s of processor time."
    return note, rows


def page(note, rows):
    lines = [note, "", "| | logstore | mock broker in memory | ratio |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def main():
    binary, folder, path = sys.argv[1:4]
    os.makedirs(folder, exist_ok=True)
    program = f"{folder}/kafka-client"
    subprocess.run(["cc", "-O2", "-Wall", "-o", program, HERE / "client.c", "-lrdkafka", "-lpthread"], check=True)
    quick = "--quick" in sys.argv
    text = page(*measure(os.path.abspath(binary), folder, program, quick))
    print(text)
    if not quick:
        whole = pathlib.Path(path).read_text()
        before, rest = whole.split(MARKS[0], 1)
        after = rest.split(MARKS[1], 1)[1]
        pathlib.Path(path).write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}")


if __name__ == "__main__":
    main()
