"""confluent-kafka, which is librdkafka: most non-Java clients are this library."""

import os
import threading

from confluent_kafka import (
    OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException, Producer,
    TopicPartition)
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource, NewPartitions, NewTopic, OffsetSpec,
    ResourceType)

from checks import COMMON, PARTITIONS, START, equal, eventually, expect, main, records, same_records

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def producer(bootstrap, **settings):
    return Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": 15000, **COMMON,
                     **{name if name == "error_cb" else name.replace("_", "."): value
                        for name, value in settings.items()}})


def consumer(bootstrap, group="alone", **settings):
    return Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, "session.timeout.ms": 10000, **COMMON,
                     **{name.replace("_", "."): value for name, value in settings.items()}})


def administrator(bootstrap):
    return AdminClient({"bootstrap.servers": bootstrap, **COMMON})


def send(sender, topic, wanted, partition=0):
    """Sends records and waits until all are acknowledged. Returns (partition, offset) of each."""
    acknowledged, failures = [], []

    def report(error, message):
        (failures if error else acknowledged).append(error or (message.partition(), message.offset()))

    for record in wanted:
        sender.produce(topic, on_delivery=report, partition=partition, **record)
        sender.poll(0)
    equal(sender.flush(40), 0, "messages left after flush")
    equal(failures, [], "failed deliveries")
    return acknowledged


def take(reader, count, seconds=60):
    """The next `count` messages."""
    got = []

    def enough():
        for message in reader.consume(1000, 0.5):
            expect(message.error() is None, "a message", message.error())
            got.append(message)
        return len(got) >= count

    eventually(enough, f"{count} messages", seconds)
    return got


def plain(message):
    return (message.key(), message.value(), message.headers(), message.timestamp()[1])


def fails(call, code, what):
    """Expects that the call fails with one of Kafka's error codes."""
    try:
        call()
    except KafkaException as failure:
        equal(failure.args[0].code(), code, f"error of {what} ({failure.args[0].str()})")
        return
    expect(False, f"{what} to fail")


def produce(bootstrap):
    """Every codec, with and without idempotence; keys, headers and timestamps come back as they were sent."""
    for codec in CODECS:
        topic = f"confluent-{codec}"
        wanted = list(records(500))
        first = send(producer(bootstrap, compression_type=codec, linger_ms=5), topic, wanted[:400])
        second = send(producer(bootstrap, compression_type=codec, enable_idempotence=True), topic, wanted[400:])
        equal([offset for _, offset in first + second], list(range(500)), "offsets")
        reader = consumer(bootstrap, check_crcs=True)
        reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        same_records(map(plain, take(reader, 500)), wanted, codec)
        # From the middle of a batch.
        reader.assign([TopicPartition(topic, 0, 123)])
        equal(take(reader, 377)[0].offset(), 123, "offset asked for")
        reader.close()
    sender = producer(bootstrap, acks=0)
    send(sender, "confluent-acks0", records(100))
    sender = producer(bootstrap, acks=1)
    send(sender, "confluent-acks1", records(100))


def offsets(bootstrap):
    """Watermarks, offsets for times, out of range, end of partition."""
    topic = "confluent-offsets"
    send(producer(bootstrap, batch_num_messages=10), topic, records(100))
    reader = consumer(bootstrap, enable_partition_eof=True)
    equal(reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=20), (0, 100), "watermarks")
    for time, offset in [(0, 0), (START, 0), (START + 41_500, 42), (START + 99_000, 99), (START + 99_001, -1)]:
        answer = reader.offsets_for_times([TopicPartition(topic, 0, time)], timeout=20)
        # librdkafka gives the end for a time after the last record.
        equal(answer[0].offset, offset, f"offset for time {time - START}")
    reader.assign([TopicPartition(topic, 0, 5000)])
    message = eventually(lambda: reader.poll(0.5), "a message after a reset")
    equal(message.offset(), 0, "offset after one out of range")
    reader.assign([TopicPartition(topic, 0, 99)])
    equal(eventually(lambda: reader.poll(0.5), "the last message").offset(), 99, "last offset")
    end = eventually(lambda: reader.poll(0.5), "the end")
    equal(end.error().code(), KafkaError._PARTITION_EOF, "end of the partition")
    reader.close()
    admin = administrator(bootstrap)
    for spec, offset in [(OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 100), (OffsetSpec.max_timestamp(), 99),
                         (OffsetSpec.for_timestamp(START + 500), 1)]:
        for partition, future in admin.list_offsets({TopicPartition(topic, 0): spec}).items():
            equal(future.result().offset, offset, f"{spec}")


def group(bootstrap):
    for strategy in ["range", "roundrobin", "cooperative-sticky"]:
        group_with(bootstrap, strategy)


def group_with(bootstrap, strategy):
    """Two members share six partitions; what they commit is where the next one goes on."""
    topic, name = f"confluent-group-{strategy}", f"team-{strategy}"
    admin = administrator(bootstrap)
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result()
    sender = producer(bootstrap)
    for partition in range(PARTITIONS):
        send(sender, topic, records(50, partition * 50), partition)

    settings = {"partition_assignment_strategy": strategy, "heartbeat_interval_ms": 500}
    members = [consumer(bootstrap, name, **settings) for _ in range(2)]
    seen = {}

    def turn():
        for member in members:
            for message in member.consume(100, 0.1):
                expect(message.error() is None, "a message", message.error())
                seen[(message.partition(), message.offset())] = message
        shares = [{place.partition for place in member.assignment()} for member in members]
        return shares if all(shares) and set().union(*shares) == set(range(PARTITIONS)) else None

    members[0].subscribe([topic])
    eventually(lambda: members[0].consume(1, 0.1) or members[0].assignment(), "an assignment of the first member")
    members[1].subscribe([topic])
    shares = eventually(turn, "both members to share all partitions")
    expect(not shares[0] & shares[1], "no partition to have two readers", shares)
    eventually(lambda: turn() and len(seen) == PARTITIONS * 50, "all messages")

    described = admin.describe_consumer_groups([name])[name].result()
    equal(described.state.name, "STABLE", "state of the group")
    equal(len(described.members), 2, "members")
    equal(described.partition_assignor, strategy, "assignor")
    for member, share in zip(members, shares):
        places = [TopicPartition(topic, p, 30 + p, metadata=f"note {p}") for p in share]
        for place in member.commit(offsets=places, asynchronous=False):
            expect(place.error is None, "a commit", place.error)
    for member in members:
        member.close()

    heir = consumer(bootstrap, name, **settings)
    committed = heir.committed([TopicPartition(topic, p) for p in range(PARTITIONS)], timeout=20)
    equal([place.offset for place in committed], [30 + p for p in range(PARTITIONS)], "committed offsets")
    equal([place.metadata for place in committed], [f"note {p}" for p in range(PARTITIONS)], "commit metadata")
    heir.subscribe([topic])
    rest = take(heir, sum(20 - p for p in range(PARTITIONS)))
    equal(sorted((m.partition(), m.offset()) for m in rest),
          [(p, o) for p in range(PARTITIONS) for o in range(30 + p, 50)], "what the next member got")
    heir.close()

    listed = {one.group_id for one in admin.list_consumer_groups().result().valid}
    expect(name in listed, f"{name} to be listed", listed)
    answer = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(name)])[name].result()
    equal(len(answer.topic_partitions), PARTITIONS, "partitions with offsets")
    change = ConsumerGroupTopicPartitions(name, [TopicPartition(topic, 0, 7)])
    admin.alter_consumer_group_offsets([change])[name].result()
    probe = ConsumerGroupTopicPartitions(name, [TopicPartition(topic, 0)])
    answer = admin.list_consumer_group_offsets([probe])[name].result()
    equal(answer.topic_partitions[0].offset, 7, "altered offset")
    admin.delete_consumer_groups([name])[name].result()
    listed = {one.group_id for one in admin.list_consumer_groups().result().valid}
    expect(name not in listed, f"{name} to be gone", listed)
    fails(lambda: admin.delete_consumer_groups([name])[name].result(), KafkaError.GROUP_ID_NOT_FOUND,
          "deleting a group that is not there")


def admin(bootstrap):
    """Topics, partitions, configs, records: made, described, changed, removed."""
    boss = administrator(bootstrap)
    topic = "confluent.admin_1-x"
    boss.create_topics([NewTopic(topic, 2, 1, config={"retention.ms": "86400000"})])[topic].result()
    known = boss.list_topics(timeout=20)
    equal(len(known.topics[topic].partitions), 2, "partitions")
    equal(len(known.brokers), 1, "brokers")
    fails(lambda: boss.create_topics([NewTopic(topic, 1, 1)])[topic].result(), KafkaError.TOPIC_ALREADY_EXISTS,
          "creating a topic twice")
    for wrong in ["a/b", "ümlaut", "x" * 250, "..", "a b"]:
        fails(lambda: boss.create_topics([NewTopic(wrong, 1, 1)])[wrong].result(),
              KafkaError.TOPIC_EXCEPTION, f"topic name {wrong!r}")
    fails(lambda: boss.create_topics([NewTopic("none", 1, 1, config={"no.such.setting": "1"})])["none"].result(),
          KafkaError.INVALID_CONFIG, "an unknown config")
    fails(lambda: boss.create_topics([NewTopic("none", 1, 1, config={"retention.ms": "soon"})])["none"].result(),
          KafkaError.INVALID_CONFIG, "a config that is no number")
    boss.create_topics([NewTopic("dry", 1, 1)], validate_only=True)["dry"].result()
    expect("dry" not in boss.list_topics(timeout=20).topics, "validate_only to make no topic")

    boss.create_partitions([NewPartitions(topic, 4)])[topic].result()
    equal(len(boss.list_topics(timeout=20).topics[topic].partitions), 4, "partitions after adding")
    fails(lambda: boss.create_partitions([NewPartitions(topic, 3)])[topic].result(), KafkaError.INVALID_PARTITIONS,
          "fewer partitions")

    resource = ConfigResource(ResourceType.TOPIC, topic)

    def configs():
        return boss.describe_configs([resource])[resource].result()

    first = configs()
    equal(first["retention.ms"].value, "86400000", "retention.ms")
    equal(ConfigSource(first["retention.ms"].source), ConfigSource.DYNAMIC_TOPIC_CONFIG, "source of retention.ms")
    for name in ["cleanup.policy", "compression.type", "max.message.bytes", "message.timestamp.type",
                 "min.insync.replicas", "retention.bytes", "segment.bytes", "segment.ms"]:
        expect(name in first and first[name].value is not None, f"{name} to be listed", sorted(first))
        expect(ConfigSource(first[name].source) != ConfigSource.DYNAMIC_TOPIC_CONFIG, f"{name} to be a default",
               first[name].source)
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[
        ConfigEntry("segment.ms", "3600000", incremental_operation=AlterConfigOpType.SET),
        ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE)])
    boss.incremental_alter_configs([change])[change].result()
    second = configs()
    equal(second["segment.ms"].value, "3600000", "segment.ms after altering")
    expect(second["retention.ms"].value != "86400000", "retention.ms to be the default again")
    whole = ConfigResource(ResourceType.TOPIC, topic, set_config={"max.message.bytes": "20000"})
    boss.alter_configs([whole])[whole].result()
    third = configs()
    equal(third["max.message.bytes"].value, "20000", "max.message.bytes after altering")
    expect(third["segment.ms"].value != "3600000", "a whole alter to reset what it does not name")
    broker = ConfigResource(ResourceType.BROKER, str(next(iter(known.brokers))))
    expect(boss.describe_configs([broker])[broker].result(), "configs of the broker")

    send(producer(bootstrap, batch_num_messages=10), topic, records(100, 0), 1)
    deleted = boss.delete_records([TopicPartition(topic, 1, 60)])
    for future in deleted.values():
        equal(future.result().low_watermark, 60, "low watermark")
    reader = consumer(bootstrap)
    equal(reader.get_watermark_offsets(TopicPartition(topic, 1), timeout=20), (60, 100), "watermarks after deleting")
    reader.assign([TopicPartition(topic, 1, 0)])
    equal(take(reader, 40)[0].offset(), 60, "first record left")
    reader.close()

    described = boss.describe_cluster().result()
    equal(len(described.nodes), 1, "nodes of the cluster")
    boss.delete_topics([topic])[topic].result()
    expect(topic not in boss.list_topics(timeout=20).topics, "the topic to be gone")
    fails(lambda: boss.delete_topics([topic])[topic].result(), KafkaError.UNKNOWN_TOPIC_OR_PART,
          "deleting a topic that is not there")


def errors(bootstrap):
    """What a producer does wrong gets Kafka's own error."""
    def sending(topic, value, key=b"k", **settings):
        outcome = []
        sender = producer(bootstrap, **settings)
        sender.produce(topic, value, key=key, on_delivery=lambda error, message: outcome.append(error))
        sender.flush(40)
        return outcome[0].code() if outcome and outcome[0] else None

    boss = administrator(bootstrap)
    small = NewTopic("confluent-small", 1, 1, config={"max.message.bytes": "2000"})
    compacted = NewTopic("confluent-compacted", 1, 1, config={"cleanup.policy": "compact"})
    for name, future in boss.create_topics([small, compacted]).items():
        future.result()
    equal(sending("confluent-small", os.urandom(4000)), KafkaError.MSG_SIZE_TOO_LARGE, "error of an oversize message")
    equal(sending("confluent-small", os.urandom(1000)), None, "error of one that fits")
    equal(sending("confluent-small", b"x" * 100_000, compression_type="gzip"), None,
          "error of one that fits once compressed")
    equal(sending("confluent-compacted", b"{}", key=None), KafkaError.INVALID_RECORD,
          "error of a record without key for a compacted topic")
    equal(sending("a/b", b"{}"), KafkaError.TOPIC_EXCEPTION, "error of a bad topic name")
    reader = consumer(bootstrap, allow_auto_create_topics=False)
    reader.subscribe(["confluent-nowhere"])
    message = eventually(lambda: reader.poll(0.5), "an error")
    equal(message.error().code(), KafkaError.UNKNOWN_TOPIC_OR_PART, "error of a topic that is not there")
    reader.close()
    expect("confluent-nowhere" not in boss.list_topics(timeout=20).topics, "reading to make no topic")


def transactions(bootstrap):
    """Committed ones are seen whole, aborted ones are not; offsets move with the transaction; zombies are fenced."""
    source, target = "confluent-source", "confluent-target"
    send(producer(bootstrap), source, records(100))
    sender = producer(bootstrap, transactional_id="copier", transaction_timeout_ms=20000)
    sender.init_transactions(30)
    reader = consumer(bootstrap, "copiers")
    reader.subscribe([source])
    batch = take(reader, 100)
    sender.begin_transaction()
    for record in records(30, 1000):
        sender.produce(target, **record)
    sender.flush(30)
    sender.abort_transaction(30)
    sender.begin_transaction()
    for message in batch:
        sender.produce(target, message.value(), key=message.key())
    sender.send_offsets_to_transaction(
        [TopicPartition(source, 0, 100)], reader.consumer_group_metadata(), 30)
    # Nothing of an open transaction is visible.
    sender.flush(30)
    committed = consumer(bootstrap, "watch", isolation_level="read_committed", enable_partition_eof=True)
    committed.assign([TopicPartition(target, 0, OFFSET_BEGINNING)])
    first = eventually(lambda: committed.poll(0.5), "the end of the committed records")
    equal(first.error() and first.error().code(), KafkaError._PARTITION_EOF, "what an open transaction shows")
    sender.commit_transaction(30)
    got = []

    def enough():
        message = committed.poll(0.5)
        if message is not None and message.error() is None:
            got.append(message.value())
        return len(got) == 100

    eventually(enough, "the committed records")
    equal(got, [message.value() for message in batch], "committed records")
    committed.close()
    uncommitted = consumer(bootstrap, "watch2", isolation_level="read_uncommitted")
    uncommitted.assign([TopicPartition(target, 0, OFFSET_BEGINNING)])
    equal(len(take(uncommitted, 130)), 130, "records for read_uncommitted")
    uncommitted.close()
    place = reader.committed([TopicPartition(source, 0)], timeout=20)[0]
    equal(place.offset, 100, "offset committed by the transaction")
    reader.close()

    heir = producer(bootstrap, transactional_id="copier")
    heir.init_transactions(30)

    def as_zombie():
        sender.begin_transaction()
        sender.produce(target, b"{}")
        sender.commit_transaction(30)

    try:
        as_zombie()
        expect(False, "the older producer to be fenced")
    except KafkaException as failure:
        expect(failure.args[0].code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED,
                                          KafkaError.INVALID_PRODUCER_EPOCH), "a fencing error", failure.args[0])
    late = producer(bootstrap, transactional_id="late", transaction_timeout_ms=2**31 - 1)
    fails(lambda: late.init_transactions(30), KafkaError.INVALID_TRANSACTION_TIMEOUT, "a timeout too long")


def static(bootstrap):
    """A static member that comes back within its session keeps its partitions, without a rebalance."""
    topic = "confluent-static"
    boss = administrator(bootstrap)
    boss.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result()
    settings = {"session_timeout_ms": 30000, "heartbeat_interval_ms": 500}
    members = [consumer(bootstrap, "fixed", group_instance_id=f"seat-{n}", **settings) for n in range(2)]
    for member in members:
        member.subscribe([topic])

    def shares():
        for member in members:
            member.poll(0.1)
        parts = [{place.partition for place in member.assignment()} for member in members]
        return parts if all(parts) and len(set().union(*parts)) == PARTITIONS else None

    before = eventually(shares, "both to share the partitions")
    members[1].close()
    members[1] = consumer(bootstrap, "fixed", group_instance_id="seat-1", **settings)
    members[1].subscribe([topic])
    equal(eventually(shares, "the member to come back"), before, "shares after the return")
    described = boss.describe_consumer_groups(["fixed"])["fixed"].result()
    equal(sorted(m.group_instance_id for m in described.members), ["seat-0", "seat-1"], "instance ids")
    for member in members:
        member.close()


def crowd(bootstrap):
    """Many producers at once, each record acknowledged once."""
    def work(number):
        send(producer(bootstrap, linger_ms=1), "confluent-crowd", records(500, number * 500))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    reader = consumer(bootstrap)
    reader.assign([TopicPartition("confluent-crowd", 0, OFFSET_BEGINNING)])
    got = take(reader, 4000)
    equal(len({message.key() for message in got}), 4000, "different records")
    reader.close()


def allowed(produces, reads):
    """What a user may do and what not; the topic `secured` is there and has a record."""
    refusals = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED,
                KafkaError.CLUSTER_AUTHORIZATION_FAILED)

    def scenario(bootstrap):
        # Refused as an idempotent producer, the binding leaves an error behind that breaks whatever Python does next.
        for idempotent in (False, True) if produces else (False,):
            outcome = []
            sender = producer(bootstrap, enable_idempotence=idempotent)
            try:
                sender.produce("secured", b'{"n":2}', key=b"k", on_delivery=lambda error, _: outcome.append(error))
                sender.flush(20)
            except KafkaException as failure:
                outcome.append(failure.args[0])
            if produces:
                equal(outcome, [None], "outcome of producing")
            else:
                expect(outcome and outcome[0] and outcome[0].code() in refusals, "producing to be refused", outcome)
        reader = consumer(bootstrap, "secured-team")
        reader.subscribe(["secured"])
        message = eventually(lambda: reader.poll(0.5), "a message or an error")
        if reads:
            equal(message.error(), None, "error of reading")
            reader.commit(asynchronous=False)
        else:
            expect(message.error() and message.error().code() in refusals, "reading to be refused", message.error())
        reader.close()
        boss = administrator(bootstrap)
        try:
            boss.create_topics([NewTopic("mine", 1, 1)])["mine"].result(20)
            expect(False, "creating a topic to be refused")
        except KafkaException as failure:
            expect(failure.args[0].code() in refusals, "creating a topic to be refused", failure.args[0])

    return scenario


def intruder(bootstrap):
    """With a wrong password nothing works, and the client is told so."""
    told = []
    sender = producer(bootstrap, error_cb=told.append)
    sender.produce("secured", b"{}", key=b"k")

    def refused():
        sender.poll(0.2)
        return any(error.code() == KafkaError._AUTHENTICATION for error in told)

    eventually(refused, "an authentication error")


if __name__ == "__main__":
    main({"produce": produce, "offsets": offsets, "group": group, "static": static, "admin": admin, "errors": errors,
          "transactions": transactions, "crowd": crowd,
          "ingest": allowed(True, False), "read": allowed(False, True), "intruder": intruder})
