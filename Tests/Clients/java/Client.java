// Kafka's own Java client, any version from 3.1: java -cp 'JARS/*' Client.java BOOTSTRAP SCENARIO [PROPERTY=VALUE]...
// Ends with 0 and `ok SCENARIO`, or with 1 and what was expected. Properties go to every client, for TLS and SASL.

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.*;

public class Client {
    static final long START = 1740787200000L;
    static final int PARTITIONS = 6;
    static final Map<String, Object> common = new HashMap<>();
    // Several versions meet the same server in a test: topics are named after the client.
    static String name;

    public static void main(String[] arguments) throws Exception {
        common.put("bootstrap.servers", arguments[0]);
        for (int i = 2; i < arguments.length; i++) {
            String[] pair = arguments[i].split("=", 2);
            common.put(pair[0], pair[1]);
        }
        String version = org.apache.kafka.common.utils.AppInfoParser.getVersion();
        name = "java" + version.replaceAll("[^0-9].*", "");
        switch (arguments[1]) {
            case "produce": produce(); break;
            case "group":
                group("org.apache.kafka.clients.consumer.RangeAssignor", false);
                group("org.apache.kafka.clients.consumer.StickyAssignor", false);
                group("org.apache.kafka.clients.consumer.CooperativeStickyAssignor", false);
                group("org.apache.kafka.clients.consumer.CooperativeStickyAssignor", true);
                break;
            case "transactions": transactions(); break;
            case "admin": admin(); break;
            case "errors": errors(); break;
            case "ingest": allowed(true, false); break;
            case "read": allowed(false, true); break;
            case "intruder": allowed(false, false); break;
            default: throw new IllegalArgumentException("no scenario " + arguments[1]);
        }
        System.out.println("ok " + arguments[1]);
        System.exit(0);
    }

    // Checks.

    static void expect(boolean condition, String what) {
        if (!condition) {
            System.err.println(name + ": expected " + what);
            new Throwable().printStackTrace();
            System.exit(1);
        }
    }

    static void equal(Object got, Object wanted, String what) {
        expect(Objects.equals(got, wanted), what + " to be " + wanted + ", got " + got);
    }

    static void fails(Class<? extends Throwable> kind, String what, Callable<?> call) {
        try {
            call.call();
        } catch (Throwable failure) {
            for (Throwable one = failure; one != null; one = one.getCause()) if (kind.isInstance(one)) return;
            failure.printStackTrace();
            expect(false, what + " to fail with " + kind.getSimpleName() + ", got " + failure);
        }
        expect(false, what + " to fail");
    }

    // Clients.

    static KafkaProducer<String, String> producer(Object... settings) {
        return new KafkaProducer<>(with(settings), new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(Object... settings) {
        Map<String, Object> all = with(settings);
        all.putIfAbsent("auto.offset.reset", "earliest");
        all.putIfAbsent("enable.auto.commit", "false");
        return new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
    }

    static Map<String, Object> with(Object... settings) {
        Map<String, Object> all = new HashMap<>(common);
        for (int i = 0; i < settings.length; i += 2) all.put((String) settings[i], settings[i + 1]);
        return all;
    }

    static ProducerRecord<String, String> record(String topic, int partition, int n) {
        String value = "{\"n\":" + n + ",\"client\":\"ünï\",\"path\":\"/p/" + n % 7 + "\",\"pad\":\"" + "x".repeat(100) + "\"}";
        return new ProducerRecord<>(topic, partition, START + n * 1000L, "key-" + n, value,
            List.of(new RecordHeader("trace", ("t" + n).getBytes(StandardCharsets.UTF_8))));
    }

    static List<Long> send(KafkaProducer<String, String> sender, String topic, int partition, int first, int count)
            throws Exception {
        List<Future<RecordMetadata>> waiting = new ArrayList<>();
        for (int n = first; n < first + count; n++) waiting.add(sender.send(record(topic, partition, n)));
        sender.flush();
        List<Long> offsets = new ArrayList<>();
        for (Future<RecordMetadata> one : waiting) offsets.add(one.get(40, TimeUnit.SECONDS).offset());
        return offsets;
    }

    static List<ConsumerRecord<String, String>> take(KafkaConsumer<String, String> reader, int count) {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        long deadline = System.currentTimeMillis() + 60_000;
        while (got.size() < count) {
            reader.poll(Duration.ofMillis(500)).forEach(got::add);
            expect(System.currentTimeMillis() < deadline, count + " records, got " + got.size());
        }
        return got;
    }

    // Scenarios.

    static void produce() throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            String topic = name + "-" + codec;
            try (KafkaProducer<String, String> sender =
                    producer("compression.type", codec, "acks", "all", "enable.idempotence", "true")) {
                equal(send(sender, topic, 0, 0, 300), LongStream.range(0, 300).boxed().collect(Collectors.toList()),
                    codec + ": offsets");
            }
            try (KafkaConsumer<String, String> reader = consumer("check.crcs", "true")) {
                TopicPartition place = new TopicPartition(topic, 0);
                reader.assign(List.of(place));
                reader.seekToBeginning(List.of(place));
                int n = 0;
                for (ConsumerRecord<String, String> got : take(reader, 300)) {
                    ProducerRecord<String, String> sent = record(topic, 0, n);
                    equal(got.offset(), (long) n, codec + ": offset");
                    equal(got.key(), sent.key(), codec + ": key");
                    equal(got.value(), sent.value(), codec + ": value");
                    equal(got.timestamp(), sent.timestamp(), codec + ": timestamp");
                    equal(got.headers(), sent.headers(), codec + ": headers");
                    n++;
                }
                reader.seek(place, 123);
                equal(take(reader, 177).get(0).offset(), 123L, codec + ": offset asked for");
                equal(reader.beginningOffsets(List.of(place)).get(place), 0L, "beginning");
                equal(reader.endOffsets(List.of(place)).get(place), 300L, "end");
                equal(reader.offsetsForTimes(Map.of(place, START + 41_500)).get(place).offset(), 42L, "offset for a time");
                equal(reader.offsetsForTimes(Map.of(place, START + 299_001)).get(place), null, "offset for a late time");
            }
        }
        for (String acks : List.of("0", "1")) {
            try (KafkaProducer<String, String> sender = producer("acks", acks, "enable.idempotence", "false")) {
                send(sender, name + "-acks" + acks, 0, 0, 50);
            }
        }
    }

    /** One member in a thread of its own, as the client demands. */
    static class Member extends Thread {
        final KafkaConsumer<String, String> reader;
        final Set<Integer> mine = ConcurrentHashMap.newKeySet();
        final Set<String> seen = ConcurrentHashMap.newKeySet();
        final String topic;
        volatile boolean ending;
        volatile Throwable failure;

        Member(KafkaConsumer<String, String> reader, String topic) {
            this.reader = reader;
            this.topic = topic;
            setDaemon(true);
            start();
        }

        @Override public void run() {
            try {
                reader.subscribe(List.of(topic));
                while (!ending) {
                    for (ConsumerRecord<String, String> got : reader.poll(Duration.ofMillis(100)))
                        seen.add(got.partition() + "/" + got.offset());
                    Set<Integer> now =
                        reader.assignment().stream().map(TopicPartition::partition).collect(Collectors.toSet());
                    mine.retainAll(now);
                    mine.addAll(now);
                }
                Map<TopicPartition, OffsetAndMetadata> places = new HashMap<>();
                for (TopicPartition place : reader.assignment())
                    places.put(place, new OffsetAndMetadata(30 + place.partition(), "note " + place.partition()));
                reader.commitSync(places);
            } catch (Throwable failure) {
                this.failure = failure;
            }
        }

        void end() throws Exception {
            ending = true;
            join(30_000);
            if (failure != null) throw new Exception(failure);
        }
    }

    static void eventually(String what, BooleanSupplier condition) throws Exception {
        long deadline = System.currentTimeMillis() + 60_000;
        while (!condition.getAsBoolean()) {
            expect(System.currentTimeMillis() < deadline, what);
            Thread.sleep(20);
        }
    }

    static void group(String assignor, boolean fixed) throws Exception {
        String short_ = assignor.replaceAll(".*\\.", "").toLowerCase(Locale.ROOT) + (fixed ? "-static" : "");
        String topic = name + "-" + short_, team = name + "-team-" + short_;
        Admin boss = Admin.create(common);
        boss.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 1))).all().get();
        try (KafkaProducer<String, String> sender = producer()) {
            for (int p = 0; p < PARTITIONS; p++) send(sender, topic, p, p * 50, 50);
        }
        IntFunction<KafkaConsumer<String, String>> join = seat -> {
            List<Object> settings = new ArrayList<>(List.of("group.id", team, "partition.assignment.strategy", assignor,
                "heartbeat.interval.ms", "500", "session.timeout.ms", "15000"));
            if (fixed) settings.addAll(List.of("group.instance.id", "seat-" + seat));
            return consumer(settings.toArray());
        };
        Member[] members = {new Member(join.apply(0), topic), null};
        eventually("the first member to get all partitions", () -> members[0].mine.size() == PARTITIONS);
        members[1] = new Member(join.apply(1), topic);
        eventually("both members to share all partitions", () -> !members[0].mine.isEmpty()
            && !members[1].mine.isEmpty() && members[0].mine.size() + members[1].mine.size() == PARTITIONS
            && Collections.disjoint(members[0].mine, members[1].mine));
        eventually("all records to be read", () -> {
            Set<String> all = new HashSet<>(members[0].seen);
            all.addAll(members[1].seen);
            return all.size() == PARTITIONS * 50;
        });
        ConsumerGroupDescription described = boss.describeConsumerGroups(List.of(team)).all().get().get(team);
        equal(described.members().size(), 2, "members");
        for (Member member : members) member.end();

        if (fixed) {
            // A static member that comes back gets what it had, and nothing is shared out anew.
            Set<Integer> before = new HashSet<>(members[1].mine);
            members[1].reader.close();
            KafkaConsumer<String, String> again = join.apply(1);
            again.subscribe(List.of(topic));
            long deadline = System.currentTimeMillis() + 30_000;
            while (again.assignment().isEmpty()) {
                again.poll(Duration.ofMillis(100));
                members[0].reader.poll(Duration.ofMillis(100));
                expect(System.currentTimeMillis() < deadline, "the static member to come back");
            }
            equal(again.assignment().stream().map(TopicPartition::partition).collect(Collectors.toSet()), before,
                "partitions of the static member");
            again.close();
            boss.removeMembersFromConsumerGroup(team, new RemoveMembersFromConsumerGroupOptions(
                List.of(new MemberToRemove("seat-0"), new MemberToRemove("seat-1")))).all().get();
        }
        for (Member member : members) member.reader.close();

        Map<TopicPartition, OffsetAndMetadata> offsets =
            boss.listConsumerGroupOffsets(team).partitionsToOffsetAndMetadata().get();
        for (int p = 0; p < PARTITIONS; p++) {
            OffsetAndMetadata at = offsets.get(new TopicPartition(topic, p));
            equal(at.offset(), 30L + p, "committed offset");
            equal(at.metadata(), "note " + p, "commit metadata");
        }
        try (KafkaConsumer<String, String> heir = join.apply(2)) {
            heir.subscribe(List.of(topic));
            int rest = 0;
            for (int p = 0; p < PARTITIONS; p++) rest += 20 - p;
            for (ConsumerRecord<String, String> got : take(heir, rest))
                expect(got.offset() >= 30 + got.partition(), "nothing below the committed offset");
        }
        if (fixed) {
            boss.removeMembersFromConsumerGroup(team, new RemoveMembersFromConsumerGroupOptions(
                List.of(new MemberToRemove("seat-2")))).all().get();
        }
        expect(boss.listConsumerGroups().all().get().stream().anyMatch(one -> one.groupId().equals(team)),
            "the group to be listed");
        TopicPartition first = new TopicPartition(topic, 0);
        boss.alterConsumerGroupOffsets(team, Map.of(first, new OffsetAndMetadata(7))).all().get();
        equal(boss.listConsumerGroupOffsets(team).partitionsToOffsetAndMetadata().get().get(first).offset(), 7L,
            "altered offset");
        boss.deleteConsumerGroupOffsets(team, Set.of(first)).all().get();
        equal(boss.listConsumerGroupOffsets(team).partitionsToOffsetAndMetadata().get().get(first), null,
            "deleted offset");
        boss.deleteConsumerGroups(List.of(team)).all().get();
        fails(GroupIdNotFoundException.class, "deleting a group that is not there",
            () -> boss.deleteConsumerGroups(List.of(team)).all().get());
        boss.close();
    }

    static void transactions() throws Exception {
        String source = name + "-source", target = name + "-target", id = name + "-copier";
        try (KafkaProducer<String, String> sender = producer()) {
            send(sender, source, 0, 0, 100);
        }
        KafkaProducer<String, String> sender = producer("transactional.id", id);
        sender.initTransactions();
        sender.beginTransaction();
        send(sender, target, 0, 1000, 30);
        sender.abortTransaction();
        KafkaConsumer<String, String> reader = consumer("group.id", name + "-copiers");
        reader.subscribe(List.of(source));
        List<ConsumerRecord<String, String>> batch = take(reader, 100);
        sender.beginTransaction();
        for (ConsumerRecord<String, String> one : batch)
            sender.send(new ProducerRecord<>(target, 0, one.key(), one.value()));
        TopicPartition from = new TopicPartition(source, 0), to = new TopicPartition(target, 0);
        sender.sendOffsetsToTransaction(Map.of(from, new OffsetAndMetadata(100)), reader.groupMetadata());
        sender.flush();
        KafkaConsumer<String, String> careful = consumer("isolation.level", "read_committed");
        careful.assign(List.of(to));
        careful.seekToBeginning(List.of(to));
        equal(careful.poll(Duration.ofSeconds(1)).count(), 0, "what an open transaction shows");
        sender.commitTransaction();
        List<String> keys = take(careful, 100).stream().map(ConsumerRecord::key).collect(Collectors.toList());
        equal(keys, batch.stream().map(ConsumerRecord::key).collect(Collectors.toList()), "committed keys");
        KafkaConsumer<String, String> careless = consumer();
        careless.assign(List.of(to));
        careless.seekToBeginning(List.of(to));
        equal(take(careless, 130).size(), 130, "records of read_uncommitted");
        equal(reader.committed(Set.of(from)).get(from).offset(), 100L, "offset committed by the transaction");
        reader.close();

        KafkaProducer<String, String> heir = producer("transactional.id", id);
        heir.initTransactions();
        fails(KafkaException.class, "the older producer", () -> {
            sender.beginTransaction();
            sender.send(record(target, 0, 1)).get();
            sender.commitTransaction();
            return null;
        });
        heir.beginTransaction();
        send(heir, target, 0, 5000, 10);
        heir.commitTransaction();
        equal(take(careful, 10).get(0).key(), "key-5000", "first key of the heir");
        KafkaProducer<String, String> late = producer("transactional.id", "late", "transaction.timeout.ms",
            Integer.toString(Integer.MAX_VALUE));
        // The client knows no kind of error for this one, and repeats its text.
        try {
            late.initTransactions();
            expect(false, "a timeout too long to fail");
        } catch (KafkaException failure) {
            expect(failure.toString().contains("transaction timeout is larger"), "the reason, got " + failure);
        }
    }

    static void admin() throws Exception {
        Admin boss = Admin.create(common);
        String topic = name + ".admin";
        boss.createTopics(List.of(new NewTopic(topic, 2, (short) 1).configs(Map.of("retention.ms", "86400000"))))
            .all().get();
        expect(boss.listTopics().names().get().contains(topic), "the topic to be listed");
        fails(TopicExistsException.class, "creating twice",
            () -> boss.createTopics(List.of(new NewTopic(topic, 2, (short) 1))).all().get());
        fails(InvalidTopicException.class, "a bad name",
            () -> boss.createTopics(List.of(new NewTopic("a/b", 1, (short) 1))).all().get());
        fails(InvalidConfigurationException.class, "an unknown config", () -> boss.createTopics(List.of(
            new NewTopic("none", 1, (short) 1).configs(Map.of("no.such.setting", "1")))).all().get());
        // Neither number of partitions nor replicas: the broker's defaults.
        boss.createTopics(List.of(new NewTopic(topic + "2", Optional.empty(), Optional.empty()))).all().get();
        boss.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all().get();
        equal(boss.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size(), 4, "partitions");

        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Config config = boss.describeConfigs(List.of(resource)).all().get().get(resource);
        equal(config.get("retention.ms").value(), "86400000", "retention.ms");
        equal(config.get("retention.ms").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "its source");
        for (String one : List.of("cleanup.policy", "compression.type", "max.message.bytes", "message.timestamp.type",
                "retention.bytes", "segment.bytes", "segment.ms")) {
            expect(config.get(one) != null && config.get(one).value() != null, one + " to be listed");
            expect(config.get(one).source() != ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, one + " to be a default");
        }
        boss.incrementalAlterConfigs(Map.of(resource, List.of(
            new AlterConfigOp(new ConfigEntry("message.timestamp.type", "LogAppendTime"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE)))).all().get();
        config = boss.describeConfigs(List.of(resource)).all().get().get(resource);
        equal(config.get("message.timestamp.type").value(), "LogAppendTime", "message.timestamp.type");
        try (KafkaProducer<String, String> sender = producer()) {
            RecordMetadata at = sender.send(record(topic, 1, 0)).get();
            expect(at.timestamp() > START + 1000L * 3600 * 24 * 30, "the broker's time in the answer");
            send(sender, topic, 1, 1, 99);
        }
        TopicPartition place = new TopicPartition(topic, 1);
        try (KafkaConsumer<String, String> reader = consumer()) {
            reader.assign(List.of(place));
            reader.seekToBeginning(List.of(place));
            ConsumerRecord<String, String> got = take(reader, 100).get(0);
            equal(got.timestampType().toString(), "LogAppendTime", "type of the timestamp");
            expect(got.timestamp() > START + 1000L * 3600 * 24 * 30, "the broker's time in the record");
        }
        equal(boss.listOffsets(Map.of(place, OffsetSpec.latest())).all().get().get(place).offset(), 100L, "latest");
        equal(boss.listOffsets(Map.of(place, OffsetSpec.earliest())).all().get().get(place).offset(), 0L, "earliest");
        boss.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(60))).all().get();
        equal(boss.listOffsets(Map.of(place, OffsetSpec.earliest())).all().get().get(place).offset(), 60L,
            "earliest after deleting");
        equal(boss.describeCluster().nodes().get().size(), 1, "nodes");
        boss.deleteTopics(List.of(topic, topic + "2")).all().get();
        expect(!boss.listTopics().names().get().contains(topic), "the topic to be gone");
        boss.close();
    }

    static void errors() throws Exception {
        Admin boss = Admin.create(common);
        String small = name + "-small", compacted = name + "-compacted";
        boss.createTopics(List.of(new NewTopic(small, 1, (short) 1).configs(Map.of("max.message.bytes", "2000")),
            new NewTopic(compacted, 1, (short) 1).configs(Map.of("cleanup.policy", "compact")))).all().get();
        KafkaProducer<String, String> sender = producer();
        fails(RecordTooLargeException.class, "an oversize record",
            () -> sender.send(new ProducerRecord<>(small, "k", "x".repeat(4000))).get());
        sender.send(new ProducerRecord<>(small, "k", "x".repeat(1000))).get();
        fails(InvalidRecordException.class, "a record without key for a compacted topic",
            () -> sender.send(new ProducerRecord<>(compacted, "{}")).get());
        sender.send(new ProducerRecord<>(compacted, "k", "{}")).get();
        fails(InvalidTopicException.class, "a bad topic name",
            () -> sender.send(new ProducerRecord<>("a b", "k", "{}")).get());
        KafkaConsumer<String, String> reader = consumer("auto.offset.reset", "none");
        TopicPartition place = new TopicPartition(small, 0);
        reader.assign(List.of(place));
        reader.seek(place, 5000);
        fails(org.apache.kafka.clients.consumer.OffsetOutOfRangeException.class, "an offset out of range", () -> {
            for (int i = 0; i < 100; i++) reader.poll(Duration.ofMillis(100));
            return null;
        });
        boss.close();
    }

    /** What a user may do and what not; the topic `secured` is there and has a record. */
    static void allowed(boolean produce, boolean consume) throws Exception {
        common.put("request.timeout.ms", "15000");
        common.put("default.api.timeout.ms", "20000");
        Map<String, Object> quick = with("max.block.ms", "20000", "enable.idempotence", "false");
        Callable<?> sending = () -> {
            try (KafkaProducer<String, String> sender =
                    new KafkaProducer<>(quick, new StringSerializer(), new StringSerializer())) {
                return sender.send(new ProducerRecord<>("secured", "k", "{\"n\":2}")).get();
            }
        };
        Callable<?> reading = () -> {
            try (KafkaConsumer<String, String> reader = consumer("group.id", "secured-java")) {
                reader.subscribe(List.of("secured"));
                take(reader, 1);
                reader.commitSync();
                return null;
            }
        };
        Class<? extends Throwable> refusal =
            produce || consume ? AuthorizationException.class : AuthenticationException.class;
        if (produce) sending.call(); else fails(refusal, "producing", sending);
        if (consume) reading.call(); else fails(refusal, "consuming", reading);
        fails(refusal, "creating a topic", () -> {
            try (Admin boss = Admin.create(common)) {
                return boss.createTopics(List.of(new NewTopic("mine", 1, (short) 1))).all().get();
            }
        });
    }
}
