"""Debezium reads a real MariaDB through Kafka Connect, whose three topics are on the server under test; its changes end
in tables.

    debezium.py BOOTSTRAP HTTP JARS WORK SCHEMAS

BOOTSTRAP and HTTP are addresses of the server, JARS the folder of Debezium's and Connect's jars, WORK an empty folder,
SCHEMAS `on` or `off`: whether the JSON converter wraps each value in its schema. worker.properties and connector.json
are taken from the page on Kafka as they stand there, but for addresses and ports.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from checks import equal, eventually, expect

ROOT = pathlib.Path(__file__).resolve().parents[3]


def documented(name):
    """The block of the page below the mark with this name."""
    text = (ROOT / "docs/kafka.md").read_text()
    expect(f"<!-- file: {name} -->" in text, f"docs/kafka.md to have {name}")
    return text.split(f"<!-- file: {name} -->", 1)[1].split("```", 2)[1].split("\n", 1)[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Database:
    """MariaDB on a folder of its own, writing the row binlog that Debezium reads."""

    def __init__(self, work):
        self.port = free_port()
        self.socket = f"{work}/mariadb.sock"
        data = f"{work}/mariadb"
        # Root may not run it as itself without saying so.
        user = ["--user=root"] if os.getuid() == 0 else []
        with open(f"{work}/mariadb-install.log", "w") as log:
            subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
                            "--auth-root-authentication-method=normal", *user],
                           stdout=log, stderr=log, check=True)
        self.log = open(f"{work}/mariadb.log", "w")
        self.process = subprocess.Popen(
            ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={self.socket}", f"--port={self.port}",
             "--bind-address=127.0.0.1", f"--pid-file={work}/mariadb.pid", "--server-id=1", "--log-bin=binlog",
             "--binlog-format=ROW", "--binlog-row-image=FULL",
             # Debezium's MySQL connector asks a server by its version how to speak to it; by MariaDB's own number it
             # takes it for a MySQL that is newer than it is. From 5.7.20 on variables have names that MariaDB has not.
             "--version=5.7.19-log", "--innodb-buffer-pool-size=64M", *user],
            stdout=self.log, stderr=self.log)
        eventually(lambda: self.run("SELECT 1", check=False).returncode == 0, "MariaDB to answer")

    def run(self, sql, check=True):
        result = subprocess.run(["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root"],
                                input=sql, text=True, capture_output=True)
        expect(not check or result.returncode == 0, f"{sql!r} to work", result.stderr)
        return result

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


class Worker:
    """Kafka Connect's distributed worker with the connector of the page."""

    def __init__(self, work, jars, bootstrap, database, schemas):
        self.log = f"{work}/connect.log"
        properties = documented("worker.properties").replace("localhost:9092", bootstrap)
        if schemas:
            properties = properties.replace("schemas.enable=false", "schemas.enable=true")
        properties += "listeners=http://127.0.0.1:0\nplugin.discovery=only_scan\n"
        pathlib.Path(f"{work}/worker.properties").write_text(properties)
        connector = json.loads(documented("connector.json").replace("localhost:9092", bootstrap))
        connector["config"]["name"] = connector["name"]
        connector["config"]["database.hostname"] = "127.0.0.1"
        connector["config"]["database.port"] = str(database.port)
        pathlib.Path(f"{work}/connector.json").write_text(json.dumps(connector))
        # Just warnings, on the standard error.
        pathlib.Path(f"{work}/log4j2.properties").write_text(
            "rootLogger.level = warn\nrootLogger.appenderRef.err.ref = err\nappender.err.type = Console\n"
            "appender.err.name = err\nappender.err.target = SYSTEM_ERR\nappender.err.layout.type = PatternLayout\n"
            "appender.err.layout.pattern = %d %p %c{1} %m%n\n")
        program = ROOT / "Tests/Clients/java/ConnectWorker.java"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", f"-Dlog4j2.configurationFile={work}/log4j2.properties",
                 "-cp", f"{jars}/*", program, f"{work}/worker.properties", f"{work}/connector.json"],
                stdout=log, stderr=log)
        eventually(self.has_connector, "the worker to take the connector", 120)

    def has_connector(self):
        text = pathlib.Path(self.log).read_text()
        expect(self.process.poll() is None, "the worker to run", text[-3000:])
        return "connector taken" in text

    def tail(self):
        return pathlib.Path(self.log).read_text()[-3000:]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()


def ask(http, sql):
    """Rows of the answer, none for a statement without; or the error's text."""
    request = urllib.request.Request(f"http://{http}/?default_format=JSONCompact", data=sql.encode())
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            body = response.read()
            return json.loads(body)["data"] if body.strip() else []
    except urllib.error.HTTPError as failure:
        return failure.read().decode()


def becomes(http, sql, wanted, worker, seconds=90):
    """Waits until the query has this answer."""
    deadline = time.monotonic() + seconds
    while True:
        got = ask(http, sql)
        if got == wanted:
            return
        expect(time.monotonic() < deadline, f"{sql} to give {wanted!r}", got, worker.tail())
        time.sleep(0.05)


def changes(http, database, worker):
    """Snapshot, inserts, updates, deletes, a new column: each change is one row."""
    table = "`shop.shop.customers`"
    by_kind = f"SELECT op, count() FROM {table} GROUP BY op ORDER BY op"
    becomes(http, by_kind, [["r", 3]], worker)
    database.run("""
        USE shop;
        INSERT INTO customers (name, balance) VALUES ('Dora', 4.25), ('Ümit', 5.5);
        UPDATE customers SET balance = balance + 1 WHERE id <= 2;
        DELETE FROM customers WHERE id = 3;
        ALTER TABLE customers ADD COLUMN city VARCHAR(40);
        INSERT INTO customers (name, balance, city) VALUES ('Eve', 6, 'Ulm');
    """)
    becomes(http, by_kind, [["c", 3], ["d", 1], ["r", 3], ["u", 2]], worker)
    becomes(http, f"SELECT after.name, after.city FROM {table} WHERE op = 'c' ORDER BY after.id",
            [["Dora", None], ["Ümit", None], ["Eve", "Ulm"]], worker)
    becomes(http, f"SELECT before.name FROM {table} WHERE op = 'd'", [["Cid"]], worker)
    becomes(http, f"SELECT before.id, after.id FROM {table} WHERE op = 'u' ORDER BY after.id", [[1, 1], [2, 2]], worker)
    made = ask(http, "CREATE TABLE customers SETTINGS topic = 'shop.shop.customers', cdc = 'current'")
    expect("Exception" not in str(made), "a table of current rows", made)
    # Its rows are those of the source itself.
    source = database.run("SELECT id, name, balance, city FROM shop.customers ORDER BY id").stdout
    rows = [line.split("\t") for line in source.splitlines()[1:]]
    current = [[int(a), b, float(c), None if d == "NULL" else d] for a, b, c, d in rows]
    becomes(http, "SELECT id, name, balance, city FROM customers ORDER BY id", current, worker)
    database.run("USE shop; " + "".join(
        f"INSERT INTO orders (customer, item) VALUES ({n % 5 + 1}, 'thing {n}');" for n in range(500)))
    becomes(http, "SELECT count(), uniqExact(after.id), uniqExact(after.item) FROM `shop.shop.orders`",
            [[500, 500, 500]], worker)


def main():
    bootstrap, http, jars, work, schemas = sys.argv[1:6]
    database = Database(work)
    worker = None
    try:
        database.run("""
            CREATE USER debezium@'%' IDENTIFIED BY 'secret';
            GRANT SELECT, RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT, BINLOG MONITOR, LOCK TABLES
                ON *.* TO debezium@'%';
            CREATE DATABASE shop;
            USE shop;
            CREATE TABLE customers (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(80), balance DOUBLE);
            CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, customer INT, item VARCHAR(80));
            INSERT INTO customers (name, balance) VALUES ('Ada', 1.5), ('Bob', 2.5), ('Cid', 3.5);
        """)
        worker = Worker(work, jars, bootstrap, database, schemas == "on")
        changes(http, database, worker)
        # A new worker goes on where the old one ended: its offsets are in a compacted topic of the server.
        worker.stop()
        database.run("USE shop; INSERT INTO customers (name) VALUES ('Fay')")
        worker = Worker(work, jars, bootstrap, database, schemas == "on")
        becomes(http, "SELECT op, count() FROM `shop.shop.customers` GROUP BY op ORDER BY op",
                [["c", 4], ["d", 1], ["r", 3], ["u", 2]], worker)
        becomes(http, "SELECT count() FROM `shop.shop.orders`", [[500]], worker)
    finally:
        if worker:
            worker.stop()
        database.stop()
    print("ok")


if __name__ == "__main__":
    main()
