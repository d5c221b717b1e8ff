"""kafka-fixtures.py SCHEMAS: writes Fixtures/kafka-protocol, what the tests of the Kafka messages compare with.

SCHEMAS is the folder clients/src/main/resources/common/message of Apache Kafka's sources, of a version that still has
the oldest messages (3.9). Needs kafka-python (3.0) and aiokafka (0.14). Two files come out:

schemas.txt   the fields of every message, as Kafka's own schemas have them
messages.txt  messages as kafka-python wrote them from its schemas; those it does not know any more, aiokafka. A message
              that both know was written by kafka-python, and aiokafka read it and wrote the same bytes again."""

import importlib
import io
import json
import os
import random
import re
import sys
import types
import uuid

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Fixtures", "kafka-protocol")

# Message, first and last version.
MESSAGES = [
    ("Produce", 3, 9), ("Fetch", 4, 12), ("ListOffsets", 1, 7), ("Metadata", 0, 12), ("OffsetCommit", 1, 8),
    ("OffsetFetch", 1, 7), ("FindCoordinator", 0, 3), ("JoinGroup", 0, 7), ("Heartbeat", 0, 4), ("LeaveGroup", 0, 4),
    ("SyncGroup", 0, 5), ("DescribeGroups", 0, 5), ("ListGroups", 0, 4), ("SaslHandshake", 0, 1),
    ("ApiVersions", 0, 3), ("CreateTopics", 0, 6), ("DeleteTopics", 0, 5), ("DeleteRecords", 0, 2),
    ("InitProducerId", 0, 4), ("OffsetForLeaderEpoch", 2, 4), ("AddPartitionsToTxn", 0, 3), ("AddOffsetsToTxn", 0, 3),
    ("EndTxn", 0, 3), ("TxnOffsetCommit", 0, 3), ("DescribeAcls", 0, 3), ("DescribeConfigs", 0, 4),
    ("AlterConfigs", 0, 2), ("DescribeLogDirs", 0, 4), ("SaslAuthenticate", 0, 2), ("CreatePartitions", 0, 3),
    ("DeleteGroups", 0, 2), ("IncrementalAlterConfigs", 0, 1), ("OffsetDelete", 0, 0), ("DescribeCluster", 0, 1),
    ("DescribeProducers", 0, 0), ("DescribeTransactions", 0, 0), ("ListTransactions", 0, 1),
]

# The only tagged field that is both read and written; all others are left out.
TAGGED = {"topic_config_error_code"}


def span(text, last=32767):
    """The first and last version that "3+", "2-4" or "0" stands for."""
    if text in (None, "", "none"):
        return (1, 0)
    if text.endswith("+"):
        return (int(text[:-1]), last)
    first, _, end = text.partition("-")
    return (int(first), int(end or first))


# Schemas


def write_schemas(folder):
    lines = ["# The fields of Kafka's messages, by Tools/kafka-fixtures.py from Apache Kafka's schemas:",
             "# name, api key, first and last version, first flexible version or none; then field, type, versions,",
             "# versions in which it may be null, and tag. Indented: the fields of a structure.", ""]
    for name, first, last in MESSAGES:
        for kind in ("Request", "Response"):
            with open(os.path.join(folder, name + kind + ".json"), encoding="utf-8") as file:
                text = re.sub(r"^\s*//.*$", "", file.read(), flags=re.M)
            schema = json.loads(text)
            flexible = schema["flexibleVersions"].rstrip("+")
            lines.append(f"{name + kind} {schema['apiKey']} {first} {last} {flexible}")
            shared = {struct["name"]: struct["fields"] for struct in schema.get("commonStructs", [])}
            write_fields(lines, schema["fields"], shared, 1, first, last)
    with open(os.path.join(OUT, "schemas.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def write_fields(lines, fields, shared, depth, first, last):
    for field in fields:
        start, end = span(field["versions"])
        if start > last or end < first:
            continue
        kind = field["type"]
        inner = field.get("fields") or shared.get(kind.removeprefix("[]"))
        if inner:
            kind = "[]struct" if kind.startswith("[]") else "struct"
        line = f"{' ' * depth}{field['name']} {kind} {field['versions']}"
        if "nullableVersions" in field:
            line += f" null={field['nullableVersions']}"
        if "tag" in field:
            line += f" tag={field['tag']}"
        lines.append(line)
        if inner:
            write_fields(lines, inner, shared, depth + 1, first, last)


# Messages of kafka-python


def word(rng):
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz-_.é") for _ in range(rng.randint(1, 7)))


def number(rng, bits, variant):
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    return rng.choice([low, high, -1, 0]) if variant == "null" else rng.randint(low, high)


BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}


def python_value(field, version, variant, rng):
    kind = field._type_str
    nullable = field.nullable_for_version_q(version)
    if nullable and variant == "null":
        return None
    if kind.startswith("[]"):
        count = 2 if variant == "full" else 1
        if field.is_struct_array():
            return [python_struct(field, version, variant, rng) for _ in range(count)]
        if variant == "null":
            return []
        simple = kind[2:]
        return [word(rng) if simple == "string" else number(rng, BITS[simple], variant) for _ in range(3)]
    if field.is_struct():
        return python_struct(field, version, variant, rng)
    if kind in BITS:
        return number(rng, BITS[kind], variant)
    if kind == "bool":
        return rng.random() < 0.5
    if kind == "bitfield":
        return set(rng.sample(range(31), 5))
    if kind == "uuid":
        return uuid.UUID(bytes=rng.randbytes(16))
    if kind == "string":
        return "" if variant == "null" else word(rng)
    if kind in ("bytes", "records"):
        return b"" if variant == "null" else rng.randbytes(rng.randint(1, 9))
    raise SystemExit(f"no value for {kind}")


def python_struct(struct, version, variant, rng):
    values = {}
    for field in struct._fields:
        if not field.for_version_q(version):
            continue
        if field.tagged_field_q(version) and (field.name not in TAGGED or variant == "null"):
            continue
        values[field.name] = python_value(field, version, variant, rng)
    return types.SimpleNamespace(**values)


def from_kafka_python(name, version, variant, rng):
    for module in ("admin", "consumer", "metadata", "producer", "sasl"):
        found = getattr(importlib.import_module("kafka.protocol." + module), name, None)
        if found is not None:
            break
    if found is None:
        return None
    first, last = found._valid_versions
    if not first <= version <= last:
        return None
    struct = found._struct
    fields = {}
    for field in struct._fields:
        if field.for_version_q(version) and not field.tagged_field_q(version):
            fields[field.name] = python_value(field, version, variant, rng)
    message = found[version](**fields)
    if found.is_request():
        message.with_header(correlation_id=77, client_id="client" if variant == "full" else None)
    else:
        message.with_header(correlation_id=77)
    return bytes(message.encode(header=True))


# Messages of aiokafka


def aio_class(name, version):
    name = name.replace("SaslHandshake", "SaslHandShake").replace("ApiVersions", "ApiVersion")
    name = name.replace("ListOffsets", "Offset")
    for module in ("admin", "commit", "coordination", "fetch", "group", "metadata", "offset", "produce", "transaction"):
        found = importlib.import_module("aiokafka.protocol." + module)
        struct = getattr(found, f"{name}_v{version}", None)
        if struct is not None:
            return struct
    return None


def aio_value(kind, variant, rng):
    from aiokafka.protocol import types as aio
    if isinstance(kind, aio.Schema):
        return tuple(aio_value(field, variant, rng) for field in kind.fields)
    if isinstance(kind, aio.Array):
        if isinstance(kind.array_of, aio.Schema):
            return [aio_value(kind.array_of, variant, rng) for _ in range(2 if variant == "full" else 1)]
        return [] if variant == "null" else [aio_value(kind.array_of, variant, rng) for _ in range(3)]
    if isinstance(kind, aio.String):
        return "" if variant == "null" else word(rng)
    if kind in (aio.Int8, aio.Int16, aio.Int32, aio.Int64):
        return number(rng, BITS[kind.__name__.lower()], variant)
    if kind is aio.Boolean:
        return rng.random() < 0.5
    if kind is aio.Bytes:
        return b"" if variant == "null" else rng.randbytes(rng.randint(1, 9))
    raise SystemExit(f"no value for {kind}")


def from_aiokafka(name, key, version, variant, rng):
    struct = aio_class(name, version)
    if struct is None:
        return None
    body = struct.SCHEMA.encode(aio_value(struct.SCHEMA, variant, rng))
    correlation = (77).to_bytes(4, "big")
    if name.endswith("Response"):
        return correlation + body
    client = b"\0\x06client" if variant == "full" else b"\xff\xff"
    return key.to_bytes(2, "big") + version.to_bytes(2, "big") + correlation + client + body


def header_size(name, flexible, message):
    if name.endswith("Response"):
        return 4 + (1 if flexible and name != "ApiVersionsResponse" else 0)
    client = int.from_bytes(message[8:10], "big", signed=True)
    return 10 + max(client, 0) + (1 if flexible else 0)


def agrees(name, version, flexible, message):
    """Whether aiokafka reads the message and writes the same; None when it does not know the message."""
    struct = aio_class(name, version)
    if struct is None:
        return None
    body = message[header_size(name, flexible, message):]
    stream = io.BytesIO(body)
    again = struct.SCHEMA.encode(struct.SCHEMA.decode(stream))
    return again == body and stream.read() == b""


def write_messages(folder):
    lines = ["# Messages with their headers, by Tools/kafka-fixtures.py: name, version, all fields set or null and",
             "# empty where possible, the program that wrote it (+ where another one agreed), bytes.", ""]
    missing, disputed = [], []
    for name, first, last in MESSAGES:
        for kind in ("Request", "Response"):
            with open(os.path.join(folder, name + kind + ".json"), encoding="utf-8") as file:
                schema = json.loads(re.sub(r"^\s*//.*$", "", file.read(), flags=re.M))
            for version in range(first, last + 1):
                low, high = span(schema["flexibleVersions"])
                for variant in ("full", "null"):
                    rng = random.Random(f"{name}{kind}{version}{variant}")
                    message, writer = from_kafka_python(name + kind, version, variant, rng), "kafka-python"
                    if message is None:
                        message, writer = from_aiokafka(
                            name + kind, schema["apiKey"], version, variant, rng), "aiokafka"
                        if message is None:
                            missing.append(f"{name}{kind} {version}")
                            continue
                    else:
                        try:
                            agreed = agrees(name + kind, version, low <= version <= high, message)
                        except Exception as error:
                            agreed = repr(error)
                        if agreed is True:
                            writer += "+aiokafka"
                        elif agreed is not None:
                            disputed.append(f"{name}{kind} {version} {variant} {agreed}")
                    lines.append(f"{name}{kind} {version} {variant} {writer} {message.hex()}")
    with open(os.path.join(OUT, "messages.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    print(f"{len(lines) - 3} messages")
    print("neither knows:", ", ".join(missing) or "-")
    print("aiokafka does not write again:", ", ".join(disputed) or "-")


os.makedirs(OUT, exist_ok=True)
write_schemas(sys.argv[1])
write_messages(sys.argv[1])
