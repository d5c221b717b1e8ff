"""kafka-python, both the old 2.0.2 that many scripts still use and 3.x; they share most of their interface."""

import os
import pathlib
import re
import threading

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka import errors as failures
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.structs import OffsetAndMetadata

from checks import COMMON, PARTITIONS, START, equal, eventually, expect, main, records, same_records

OLD = kafka.__version__.startswith("2.")
# Several versions meet the same server in a test: topics are named after the client.
NAME = "kafka2" if OLD else "kafka3"
CODECS = [None, "gzip", "snappy", "lz4", "zstd"]


def producer(bootstrap, **settings):
    return KafkaProducer(bootstrap_servers=bootstrap, **COMMON, **settings)


def consumer(bootstrap, group=None, **settings):
    return KafkaConsumer(bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest",
                         enable_auto_commit=False, **COMMON, **settings)


def committed_at(offset, metadata=""):
    """Later versions carry a leader epoch beside the offset."""
    fields = len(OffsetAndMetadata._fields) if hasattr(OffsetAndMetadata, "_fields") else 3
    return OffsetAndMetadata(offset, metadata, *([-1] if fields > 2 else []))


def send(sender, topic, wanted, partition=0):
    waiting = [sender.send(topic, partition=partition, key=r["key"], value=r["value"], headers=r["headers"],
                           timestamp_ms=r["timestamp"]) for r in wanted]
    sender.flush(40)
    return [future.get(40).offset for future in waiting]


def take(reader, count, seconds=60):
    got = []

    def enough():
        for messages in reader.poll(timeout_ms=500).values():
            got.extend(messages)
        return len(got) >= count

    eventually(enough, f"{count} messages", seconds)
    return got


def plain(message):
    return (message.key, message.value, list(message.headers), message.timestamp)


def produce(bootstrap):
    """Every codec, every acks; keys, headers and timestamps come back as they were sent."""
    for codec in CODECS:
        topic = f"{NAME}-{codec or 'none'}"
        wanted = list(records(300))
        sender = producer(bootstrap, compression_type=codec, acks="all", linger_ms=5)
        equal(send(sender, topic, wanted), list(range(300)), "offsets")
        sender.close()
        reader = consumer(bootstrap, check_crcs=True)
        place = TopicPartition(topic, 0)
        reader.assign([place])
        reader.seek_to_beginning(place)
        same_records(map(plain, take(reader, 300)), wanted, str(codec))
        reader.seek(place, 123)
        equal(take(reader, 177)[0].offset, 123, "offset asked for")
        reader.close()
    for acks in (0, 1):
        # kafka-python 3 writes with idempotence unless told not to; that needs all acks.
        settings = {} if OLD else {"enable_idempotence": False}
        sender = producer(bootstrap, acks=acks, **settings)
        send(sender, f"{NAME}-acks{acks}", records(50))
        sender.close()


def offsets(bootstrap):
    topic = f"{NAME}-offsets"
    sender = producer(bootstrap)
    send(sender, topic, records(100))
    sender.close()
    place = TopicPartition(topic, 0)
    reader = consumer(bootstrap)
    reader.assign([place])
    equal(reader.beginning_offsets([place])[place], 0, "beginning")
    equal(reader.end_offsets([place])[place], 100, "end")
    for time, offset in [(0, 0), (START + 41_500, 42), (START + 99_000, 99), (START + 99_001, None)]:
        found = reader.offsets_for_times({place: time})[place]
        equal(found.offset if found else None, offset, f"offset for time {time - START}")
    reader.seek(place, 5000)
    equal(take(reader, 100)[0].offset, 0, "offset after one out of range")
    expect(topic in reader.topics(), "the topic to be listed")
    reader.close()


def group(bootstrap):
    """Two members share six partitions; what they commit is where the next one goes on."""
    topic, name = f"{NAME}-group", f"{NAME}-team"
    boss = KafkaAdminClient(bootstrap_servers=bootstrap, **COMMON)
    boss.create_topics([NewTopic(topic, PARTITIONS, 1)])
    sender = producer(bootstrap)
    for partition in range(PARTITIONS):
        send(sender, topic, records(50, partition * 50), partition)
    sender.close()

    settings = {"session_timeout_ms": 10000, "heartbeat_interval_ms": 500}
    members = [consumer(bootstrap, name, **settings) for _ in range(2)]
    seen, shares, ends = {}, [set(), set()], [threading.Event(), threading.Event()]
    lock = threading.Lock()

    def work(number):
        member = members[number]
        member.subscribe([topic])
        while not ends[number].is_set():
            for messages in member.poll(timeout_ms=100).values():
                with lock:
                    for message in messages:
                        seen[(message.partition, message.offset)] = message
            with lock:
                shares[number] = {place.partition for place in member.assignment()}

    workers = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(2)]
    workers[0].start()
    eventually(lambda: len(shares[0]) == PARTITIONS, "the first member to get all partitions")
    workers[1].start()

    def shared():
        with lock:
            return all(shares) and not shares[0] & shares[1] and set.union(*shares) == set(range(PARTITIONS))

    eventually(shared, "both members to share all partitions")
    eventually(lambda: len(seen) == PARTITIONS * 50, "all messages")
    describe = boss.describe_consumer_groups if OLD else boss.describe_groups
    described = repr(describe([name]))
    expect("Stable" in described, "the group to be stable", described[:400])
    for end, worker in zip(ends, workers):
        end.set()
        worker.join()
    for member in members:
        mine = member.assignment()
        member.commit({place: committed_at(30 + place.partition, f"note {place.partition}") for place in mine})
        member.close()

    heir = consumer(bootstrap, name, **settings)
    heir.subscribe([topic])
    rest = take(heir, sum(20 - p for p in range(PARTITIONS)))
    equal(sorted((m.partition, m.offset) for m in rest),
          [(p, o) for p in range(PARTITIONS) for o in range(30 + p, 50)], "what the next member got")
    for partition in range(PARTITIONS):
        place = TopicPartition(topic, partition)
        answer = heir.committed(place, metadata=True)
        equal((answer.offset, answer.metadata), (30 + partition, f"note {partition}"), "committed offset")
    heir.close()

    listed = repr((boss.list_consumer_groups if OLD else boss.list_groups)())
    expect(name in listed, f"{name} to be listed", listed)
    if OLD:
        found = boss.list_consumer_group_offsets(name)
        equal(len(found), PARTITIONS, "partitions with offsets")
        equal([failure.__name__ for _, failure in boss.delete_consumer_groups([name])], ["NoError"], "deleting")
    else:
        found = boss.list_group_offsets({name: None})
        expect(f"'{topic}'" in repr(found) or topic in repr(found), "offsets", found)
        boss.delete_groups([name])
    listed = repr((boss.list_consumer_groups if OLD else boss.list_groups)())
    expect(name not in listed, f"{name} to be gone", listed)
    boss.close()


def fails(call, kind, what):
    try:
        call()
    except kind:
        return
    except failures.KafkaError as failure:
        expect(False, f"{what} to raise {kind}", failure)
    expect(False, f"{what} to raise {kind}")


def admin(bootstrap):
    boss = KafkaAdminClient(bootstrap_servers=bootstrap, **COMMON)
    topic = f"{NAME}.admin"
    boss.create_topics([NewTopic(topic, 2, 1, topic_configs={"retention.ms": "86400000"})])
    expect(topic in boss.list_topics(), "the topic to be listed")
    fails(lambda: boss.create_topics([NewTopic(topic, 1, 1)]), failures.TopicAlreadyExistsError, "creating twice")
    if not OLD:
        # The old one checks the name itself, or not at all.
        fails(lambda: boss.create_topics([NewTopic("a/b", 1, 1)]), failures.InvalidTopicError, "a bad name")
    wrong = NewTopic("none", 1, 1, topic_configs={"no.such.setting": "1"})
    fails(lambda: boss.create_topics([wrong]), failures.InvalidConfigurationError, "an unknown config")
    boss.create_partitions({topic: NewPartitions(4)})
    described = boss.describe_topics([topic])
    equal(len(described[0]["partitions"]), 4, "partitions after adding")
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    expect("86400000" in repr(boss.describe_configs([resource])), "the config to be described")
    boss.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": "3600000"})])
    expect("3600000" in repr(boss.describe_configs([resource])), "the config to be altered")
    expect(boss.describe_cluster(), "a cluster")
    if not OLD:
        sender = producer(bootstrap)
        send(sender, topic, records(100), 1)
        sender.close()
        boss.delete_records({TopicPartition(topic, 1): 60})
        reader = consumer(bootstrap)
        equal(reader.beginning_offsets([TopicPartition(topic, 1)])[TopicPartition(topic, 1)], 60, "first record left")
        reader.close()
    boss.delete_topics([topic])
    expect(topic not in boss.list_topics(), "the topic to be gone")
    fails(lambda: boss.delete_topics([topic]), failures.UnknownTopicOrPartitionError, "deleting twice")
    boss.close()


def versions(bootstrap):
    """The server says the versions that the page on Kafka says; 0 to 2 of Produce are said, but not spoken."""
    page = pathlib.Path(__file__).resolve().parents[3] / "docs/kafka.md"
    documented = {int(key): (int(low), int(high))
                  for key, low, high in re.findall(r"\w+ \((\d+)\) \| (\d+)–(\d+)", page.read_text())}
    boss = KafkaAdminClient(bootstrap_servers=bootstrap)
    told = {int(key): (low, high) for key, (low, high) in boss.api_versions().items()}
    told[0] = (max(told[0][0], 3), told[0][1])
    equal(sorted(told.items()), sorted(documented.items()), "versions")
    boss.close()


def errors(bootstrap):
    boss = KafkaAdminClient(bootstrap_servers=bootstrap, **COMMON)
    small, compacted = f"{NAME}-small", f"{NAME}-compacted"
    boss.create_topics([NewTopic(small, 1, 1, topic_configs={"max.message.bytes": "2000"}),
                        NewTopic(compacted, 1, 1, topic_configs={"cleanup.policy": "compact"})])
    # With idempotence, kafka-python 3 gives up a producer after the first refusal.
    sender = producer(bootstrap, **({} if OLD else {"enable_idempotence": False}))
    fails(lambda: sender.send(small, os.urandom(4000)).get(30), failures.MessageSizeTooLargeError,
          "an oversize message")
    sender.send(small, os.urandom(1000)).get(30)
    # kafka-python 2.0.2 knows no error 87 and calls it unknown.
    kind = failures.KafkaError if OLD else getattr(failures, "InvalidRecordError", failures.KafkaError)
    fails(lambda: sender.send(compacted, b"{}").get(30), kind, "a record without key for a compacted topic")
    sender.send(compacted, b"{}", key=b"k").get(30)
    sender.close()
    boss.close()


def transactions(bootstrap):
    """Committed ones are seen, aborted ones are not."""
    if OLD:
        return
    topic = f"{NAME}-tx"
    sender = producer(bootstrap, transactional_id=f"{NAME}-writer")
    sender.init_transactions()
    for number, commit in enumerate([True, False, True]):
        sender.begin_transaction()
        for record in records(50, number * 50):
            sender.send(topic, partition=0, key=record["key"], value=record["value"])
        sender.flush(30)
        sender.commit_transaction() if commit else sender.abort_transaction()
    sender.close()
    reader = consumer(bootstrap, isolation_level="read_committed")
    reader.assign([TopicPartition(topic, 0)])
    reader.seek_to_beginning()
    got = take(reader, 100)
    equal([message.key for message in got], [f"key-{n}".encode() for n in [*range(50), *range(100, 150)]], "keys")
    reader.close()


def allowed(produces, reads):
    """What a user may do and what not; the topic `secured` is there and has a record."""
    refusals = (failures.TopicAuthorizationFailedError, failures.GroupAuthorizationFailedError,
                failures.ClusterAuthorizationFailedError)

    def scenario(bootstrap):
        settings = {} if OLD else {"enable_idempotence": False}

        def produce():
            sender = producer(bootstrap, max_block_ms=15000, **settings)
            sender.send("secured", b'{"n":2}', key=b"k").get(20)

        def read():
            reader = consumer(bootstrap, f"{NAME}-secured")
            reader.subscribe(["secured"])
            take(reader, 1)
            reader.commit()
            reader.close()

        produce() if produces else fails(produce, refusals, "producing")
        read() if reads else fails(read, refusals, "reading")
        boss = KafkaAdminClient(bootstrap_servers=bootstrap, **COMMON)
        fails(lambda: boss.create_topics([NewTopic("mine", 1, 1)]), refusals, "creating a topic")

    return scenario


def intruder(bootstrap):
    """With a wrong password nothing works, and the client is told so."""
    kinds = (failures.SaslAuthenticationFailedError if hasattr(failures, "SaslAuthenticationFailedError")
             else failures.AuthenticationFailedError, failures.KafkaError)

    def produce():
        producer(bootstrap, max_block_ms=8000).send("secured", b"{}").get(8)

    fails(produce, kinds, "producing")


if __name__ == "__main__":
    main({"produce": produce, "offsets": offsets, "group": group, "admin": admin, "versions": versions,
          "errors": errors, "transactions": transactions, "ingest": allowed(True, False), "read": allowed(False, True),
          "intruder": intruder})
