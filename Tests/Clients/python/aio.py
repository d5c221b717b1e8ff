"""aiokafka, the client of asyncio."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka import errors as failures
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import OffsetAndMetadata

from checks import PARTITIONS, START, equal, expect, main, records, same_records

CODECS = [None, "gzip", "snappy", "lz4", "zstd"]


def consumer(bootstrap, *topics, group=None, **settings):
    return AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest",
                            enable_auto_commit=False, **settings)


async def send(sender, topic, wanted, partition=0):
    waiting = [await sender.send(topic, partition=partition, key=r["key"], value=r["value"], headers=r["headers"],
                                 timestamp_ms=r["timestamp"]) for r in wanted]
    return [(await future).offset for future in waiting]


async def take(reader, count, seconds=60):
    got = []

    async def all_of_them():
        while len(got) < count:
            for messages in (await reader.getmany(timeout_ms=500)).values():
                got.extend(messages)

    try:
        await asyncio.wait_for(all_of_them(), seconds)
    except asyncio.TimeoutError:
        expect(False, f"{count} messages within {seconds} s", len(got))
    return got


async def until(condition, what, seconds=60):
    async def loop():
        while not condition():
            await asyncio.sleep(0.02)

    try:
        await asyncio.wait_for(loop(), seconds)
    except asyncio.TimeoutError:
        expect(False, f"{what} within {seconds} s")


async def fails(call, kind, what):
    try:
        await call
    except kind:
        return
    except failures.KafkaError as failure:
        expect(False, f"{what} to raise {kind.__name__}", failure)
    expect(False, f"{what} to raise {kind.__name__}")


def plain(message):
    return (message.key, message.value, list(message.headers), message.timestamp)


async def produce(bootstrap):
    for codec in CODECS:
        topic = f"aio-{codec or 'none'}"
        wanted = list(records(300))
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type=codec, acks="all") as sender:
            equal(await send(sender, topic, wanted[:200]), list(range(200)), "offsets")
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type=codec,
                                    enable_idempotence=True) as sender:
            equal(await send(sender, topic, wanted[200:]), list(range(200, 300)), "offsets with idempotence")
        place = TopicPartition(topic, 0)
        async with consumer(bootstrap, check_crcs=True) as reader:
            reader.assign([place])
            await reader.seek_to_beginning(place)
            same_records(map(plain, await take(reader, 300)), wanted, str(codec))
            reader.seek(place, 123)
            equal((await take(reader, 177))[0].offset, 123, "offset asked for")


async def offsets(bootstrap):
    topic = "aio-offsets"
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as sender:
        await send(sender, topic, records(100))
    place = TopicPartition(topic, 0)
    async with consumer(bootstrap) as reader:
        equal(await reader.beginning_offsets([place]), {place: 0}, "beginning")
        equal(await reader.end_offsets([place]), {place: 100}, "end")
        for time, offset in [(0, 0), (START + 41_500, 42), (START + 99_001, None)]:
            found = (await reader.offsets_for_times({place: time}))[place]
            equal(found.offset if found else None, offset, f"offset for time {time - START}")


async def group(bootstrap):
    topic, name = "aio-group", "aio-team"
    boss = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await boss.start()
    await boss.create_topics([NewTopic(topic, PARTITIONS, 1)])
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as sender:
        for partition in range(PARTITIONS):
            await send(sender, topic, records(50, partition * 50), partition)

    settings = {"session_timeout_ms": 10000, "heartbeat_interval_ms": 500}
    members = [consumer(bootstrap, topic, group=name, **settings) for _ in range(2)]
    seen = set()

    async def work(member):
        await member.start()
        while True:
            for messages in (await member.getmany(timeout_ms=100)).values():
                seen.update((message.partition, message.offset) for message in messages)

    tasks = [asyncio.create_task(work(members[0]))]
    await until(lambda: len(members[0].assignment()) == PARTITIONS, "the first member to get all partitions")
    tasks.append(asyncio.create_task(work(members[1])))

    def shared():
        one, other = (member.assignment() for member in members)
        return one and other and not one & other and len(one | other) == PARTITIONS

    await until(shared, "both members to share all partitions")
    await until(lambda: len(seen) == PARTITIONS * 50, "all messages")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for member in members:
        places = member.assignment()
        await member.commit({place: OffsetAndMetadata(30 + place.partition, f"note {place.partition}")
                             for place in places})
    for member in members:
        await member.stop()
    async with consumer(bootstrap, topic, group=name, **settings) as heir:
        rest = await take(heir, sum(20 - p for p in range(PARTITIONS)))
        equal(sorted((m.partition, m.offset) for m in rest),
              [(p, o) for p in range(PARTITIONS) for o in range(30 + p, 50)], "what the next member got")
    expect(name in repr(await boss.list_consumer_groups()), "the group to be listed")
    found = await boss.list_consumer_group_offsets(name)
    equal({place.partition: (at.offset, at.metadata) for place, at in found.items()},
          {p: (30 + p, f"note {p}") for p in range(PARTITIONS)}, "committed offsets")
    expect(name in repr(await boss.describe_consumer_groups([name])), "the group to be described")
    await boss.close()


async def admin(bootstrap):
    boss = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await boss.start()
    topic = "aio.admin"
    # Its methods give Kafka's answers as they are.
    made = await boss.create_topics([NewTopic(topic, 2, 1, topic_configs={"retention.ms": "86400000"})])
    equal(made.topic_errors[0][1], 0, "error of creating")
    again = await boss.create_topics([NewTopic(topic, 2, 1)])
    equal(again.topic_errors[0][1], 36, "error of creating twice")
    wrong = await boss.create_topics([NewTopic("none", 1, 1, topic_configs={"no.such.setting": "1"})])
    equal(wrong.topic_errors[0][1], 40, "error of an unknown config")
    more = await boss.create_partitions({topic: NewPartitions(4)})
    equal(more.topic_errors[0][1], 0, "error of adding partitions")
    described = await boss.describe_topics([topic])
    equal(len(described[0]["partitions"]), 4, "partitions")
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    expect("86400000" in repr(await boss.describe_configs([resource])), "the config to be described")
    change = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": "3600000"})
    await boss.alter_configs([change])
    expect("3600000" in repr(await boss.describe_configs([resource])), "the config to be altered")
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as sender:
        await send(sender, topic, records(100), 1)
    low = await boss.delete_records({TopicPartition(topic, 1): RecordsToDelete(60)})
    equal(low, {TopicPartition(topic, 1): 60}, "low watermark")
    gone = await boss.delete_topics([topic])
    equal(gone.topic_error_codes[0][1], 0, "error of deleting")
    expect(topic not in await boss.list_topics(), "the topic to be gone")
    expect(await boss.describe_cluster(), "a cluster")
    await boss.close()


async def transactions(bootstrap):
    topic = "aio-tx"
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as sender:
        await send(sender, "aio-source", records(10))
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="aio-writer") as sender:
        for number, commit in enumerate([True, False, True]):
            await sender.begin_transaction()
            for record in records(50, number * 50):
                await sender.send(topic, partition=0, key=record["key"], value=record["value"])
            if commit:
                await sender.send_offsets_to_transaction({TopicPartition("aio-source", 0): number + 1}, "aio-copiers")
                await sender.commit_transaction()
            else:
                await sender.abort_transaction()
    async with consumer(bootstrap, isolation_level="read_committed") as reader:
        reader.assign([TopicPartition(topic, 0)])
        await reader.seek_to_beginning()
        got = await take(reader, 100)
        equal([message.key for message in got], [f"key-{n}".encode() for n in [*range(50), *range(100, 150)]], "keys")
    async with consumer(bootstrap, group="aio-copiers") as reader:
        reader.assign([TopicPartition("aio-source", 0)])
        equal(await reader.committed(TopicPartition("aio-source", 0)), 3, "offset committed by the transaction")


def whole(scenario):
    return lambda bootstrap: asyncio.run(scenario(bootstrap))


if __name__ == "__main__":
    main({scenario.__name__: whole(scenario)
          for scenario in (produce, offsets, group, admin, transactions)})
