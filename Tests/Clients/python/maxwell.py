"""Rows as Maxwell writes them (its producer is Java's; here librdkafka sends them): one topic for all, keyed by the
source's primary key. They become a table of changes, and a table of the current rows of one source table.

    maxwell.py BOOTSTRAP HTTP
"""

import json
import sys

from confluent_kafka import Producer

from debezium import ask
from checks import equal, eventually


def row(xid, kind, table, data, old=None, database="shop", **more):
    """Key and value, with the members in Maxwell's order."""
    value = {"database": database, "table": table, "type": kind, "ts": 1740787200 + xid, "xid": xid, "commit": True,
             "data": data}
    if kind.startswith("bootstrap"):
        del value["xid"], value["commit"]
    if old is not None:
        value["old"] = old
    value.update(more)
    key = {"database": database, "table": table, "pk.id": data["id"]}
    return json.dumps(key, separators=(",", ":")), json.dumps(value, ensure_ascii=False, separators=(",", ":"))


ROWS = [
    # What was there before, sent by maxwell-bootstrap.
    row(0, "bootstrap-insert", "customers", {"id": 1, "name": "Ada", "balance": 1.5}),
    row(0, "bootstrap-insert", "customers", {"id": 2, "name": "Bob", "balance": 2.5}),
    row(7, "insert", "customers", {"id": 3, "name": "Cid", "balance": 3.5}, xoffset=0),
    row(7, "insert", "orders", {"id": 1, "customer": 3, "item": "a \"thing\""}),
    row(8, "update", "customers", {"id": 1, "name": "Ada", "balance": 9.5}, {"balance": 1.5}),
    row(9, "delete", "customers", {"id": 2, "name": "Bob", "balance": 2.5}),
    # A new column, and one row moves to another key.
    row(10, "insert", "customers", {"id": 4, "name": "Ümit", "balance": 4.0, "city": "Ulm"}),
    row(11, "update", "customers", {"id": 5, "name": "Cid", "balance": 3.5, "city": None}, {"id": 3}),
]


def main():
    bootstrap, http = sys.argv[1:3]
    failures = []
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": "snappy", "enable.idempotence": True})
    for key, value in ROWS:
        producer.produce("maxwell", value, key=key, on_delivery=lambda error, _: error and failures.append(error))
    equal((producer.flush(30), failures), (0, []), "failures")

    def becomes(sql, wanted):
        eventually(lambda: ask(http, sql) == wanted, f"{sql} to give {wanted}, not {ask(http, sql)},", 20)

    becomes("SELECT type, count() FROM maxwell GROUP BY type ORDER BY type",
            [["bootstrap-insert", 2], ["delete", 1], ["insert", 3], ["update", 2]])
    becomes("SELECT data.name, old.balance, data.balance FROM maxwell WHERE type = 'update' AND old.balance > 0",
            [["Ada", 1.5, 9.5]])
    becomes("SELECT toUnixTimestamp(ts) FROM maxwell WHERE xid = 8", [[1740787208]])
    becomes("SELECT data.item FROM maxwell WHERE table = 'orders'", [["a \"thing\""]])

    made = ask(http, "CREATE TABLE customers "
               "SETTINGS topic = 'maxwell', cdc = 'current', cdc_source = 'shop.customers'")
    equal("Exception" in str(made), False, f"making a table of current rows ({made})")
    becomes("SELECT id, name, balance, city FROM customers ORDER BY id",
            [[1, "Ada", 9.5, None], [4, "Ümit", 4.0, "Ulm"], [5, "Cid", 3.5, None]])
    print("ok")


if __name__ == "__main__":
    main()
