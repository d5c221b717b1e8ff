// A Kafka client that is as fast as librdkafka lets it be, for Benchmarks/kafka/bench.py.
//
//     client produce BROKER TOPIC COUNT SIZE     records in default batches, acks=all; BROKER "mock": its own
//     client crowd   BROKER TOPIC COUNT SIZE N   the same by N producers at once, COUNT records each
//     client consume BROKER TOPIC COUNT          reads from the beginning
//     client latency BROKER TOPIC COUNT SIZE     one record at a time, each awaited
//
// Prints one line of numbers: seconds and records; for latency p50, p99 and maximum in microseconds.

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what, const char *why) {
    fprintf(stderr, "client: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[512];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) fail(name, why);
}

/// Deliveries of one producer; touched only by the thread that polls it.
struct tally {
    long delivered;
    long failed;
};

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
    struct tally *tally = opaque;
    (void)producer;
    if (message->err) {
        if (tally->failed++ == 0) fprintf(stderr, "client: delivery: %s\n", rd_kafka_err2str(message->err));
    } else {
        tally->delivered++;
    }
}

static rd_kafka_t *start_producer(const char *broker, const char *topic, struct tally *tally) {
    char why[512];
    int is_mock = strcmp(broker, "mock") == 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (is_mock) {
        set(conf, "test.mock.num.brokers", "1");
    } else {
        set(conf, "bootstrap.servers", broker);
    }
    set(conf, "acks", "all");
    rd_kafka_conf_set_opaque(conf, tally);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!producer) fail("producer", why);
    if (is_mock) rd_kafka_mock_topic_create(rd_kafka_handle_mock_cluster(producer), topic, 1, 1);
    return producer;
}

/// A JSON record of exactly `size` bytes; the number makes each different.
static void fill(char *record, size_t size, long number) {
    int length = snprintf(record, size + 1,
        "{\"n\":%09ld,\"level\":\"info\",\"service\":\"checkout\",\"path\":\"/orders/%03ld\",\"status\":%d,"
        "\"user\":\"u%05ld\",\"message\":\"", number, number % 997, number % 13 ? 200 : 404, number % 50021);
    if (length < 0 || (size_t)length + 2 > size) fail("record", "the size is too small");
    memset(record + length, 'a' + (int)(number % 26), size - (size_t)length - 2);
    memcpy(record + size - 2, "\"}", 2);
}

static void produce_all(rd_kafka_t *producer, rd_kafka_topic_t *topic, struct tally *tally, long count, size_t size) {
    char *record = malloc(size + 1);
    if (!record) fail("record", "no memory");
    for (long number = 0; number < count; number++) {
        fill(record, size, number);
        while (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, record, size, NULL, 0, NULL) != 0) {
            if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
                fail("produce", rd_kafka_err2str(rd_kafka_last_error()));
            rd_kafka_poll(producer, 10);
        }
        if (number % 1000 == 0) rd_kafka_poll(producer, 0);
    }
    while (tally->delivered + tally->failed < count) rd_kafka_poll(producer, 100);
    free(record);
    if (tally->failed) fail("produce", "records were not delivered");
}

/// One record through, so that connecting and making the topic are not measured.
static void warm_up(rd_kafka_t *producer, rd_kafka_topic_t *topic, struct tally *tally, size_t size) {
    produce_all(producer, topic, tally, 1, size);
    tally->delivered = 0;
}

struct worker {
    const char *broker, *name;
    long count;
    size_t size;
    pthread_barrier_t *ready;
    double seconds;
};

static void *work(void *argument) {
    struct worker *worker = argument;
    struct tally tally = {0, 0};
    rd_kafka_t *producer = start_producer(worker->broker, worker->name, &tally);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, worker->name, NULL);
    warm_up(producer, topic, &tally, worker->size);
    pthread_barrier_wait(worker->ready);
    double start = now();
    produce_all(producer, topic, &tally, worker->count, worker->size);
    worker->seconds = now() - start;
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    return NULL;
}

static void crowd(const char *broker, const char *name, long count, size_t size, int members) {
    pthread_barrier_t ready;
    pthread_barrier_init(&ready, NULL, (unsigned)members);
    pthread_t *threads = calloc((size_t)members, sizeof *threads);
    struct worker *workers = calloc((size_t)members, sizeof *workers);
    if (!threads || !workers) fail("crowd", "no memory");
    for (int i = 0; i < members; i++) {
        workers[i] = (struct worker){broker, name, count, size, &ready, 0};
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) fail("crowd", "no thread");
    }
    double longest = 0;
    for (int i = 0; i < members; i++) {
        pthread_join(threads[i], NULL);
        if (workers[i].seconds > longest) longest = workers[i].seconds;
    }
    printf("%.6f %ld\n", longest, count * members);
    free(threads);
    free(workers);
}

static int ascending(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static void latency(const char *broker, const char *name, long count, size_t size) {
    struct tally tally = {0, 0};
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", broker);
    set(conf, "acks", "all");
    set(conf, "linger.ms", "0");
    set(conf, "socket.nagle.disable", "true");
    rd_kafka_conf_set_opaque(conf, &tally);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!producer) fail("producer", why);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, name, NULL);
    for (int i = 0; i < 100; i++) warm_up(producer, topic, &tally, size);
    double *times = calloc((size_t)count, sizeof *times);
    char *record = malloc(size + 1);
    if (!times || !record) fail("latency", "no memory");
    for (long number = 0; number < count; number++) {
        fill(record, size, number);
        tally.delivered = 0;
        double start = now();
        if (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, record, size, NULL, 0, NULL) != 0)
            fail("produce", rd_kafka_err2str(rd_kafka_last_error()));
        while (tally.delivered == 0 && tally.failed == 0) rd_kafka_poll(producer, 1000);
        times[number] = (now() - start) * 1e6;
    }
    if (tally.failed) fail("latency", "records were not delivered");
    qsort(times, (size_t)count, sizeof *times, ascending);
    printf("%.0f %.0f %.0f\n", times[count / 2], times[count * 99 / 100], times[count - 1]);
    free(times);
    free(record);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
}

static void consume(const char *broker, const char *name, long count) {
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", broker);
    set(conf, "group.id", "bench");
    set(conf, "enable.auto.commit", "false");
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (!consumer) fail("consumer", why);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer, name, NULL);
    double start = now();
    if (rd_kafka_consume_start(topic, 0, RD_KAFKA_OFFSET_BEGINNING) != 0)
        fail("consume", rd_kafka_err2str(rd_kafka_last_error()));
    enum { MANY = 10000 };
    static rd_kafka_message_t *messages[MANY];
    long got = 0;
    while (got < count) {
        ssize_t some = rd_kafka_consume_batch(topic, 0, 1000, messages, MANY);
        if (some < 0) fail("consume", rd_kafka_err2str(rd_kafka_last_error()));
        for (ssize_t i = 0; i < some; i++) {
            if (messages[i]->err) fail("consume", rd_kafka_message_errstr(messages[i]));
            rd_kafka_message_destroy(messages[i]);
        }
        got += some;
        if (now() - start > 300) fail("consume", "it takes longer than 300 s");
    }
    printf("%.6f %ld\n", now() - start, got);
    rd_kafka_consume_stop(topic, 0);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(consumer);
}

int main(int count, char **words) {
    if (count < 5) fail("usage", "client produce|crowd|consume|latency BROKER TOPIC COUNT [SIZE [N]]");
    const char *mode = words[1], *broker = words[2], *topic = words[3];
    long records = atol(words[4]);
    size_t size = count > 5 ? (size_t)atol(words[5]) : 200;
    if (records <= 0 || size < 120 || size > 1000000) fail("usage", "COUNT from 1, SIZE from 120 to 1000000");
    if (strcmp(mode, "produce") == 0) {
        crowd(broker, topic, records, size, 1);
    } else if (strcmp(mode, "crowd") == 0 && count > 6) {
        crowd(broker, topic, records, size, atoi(words[6]) > 0 ? atoi(words[6]) : 1);
    } else if (strcmp(mode, "consume") == 0) {
        consume(broker, topic, records);
    } else if (strcmp(mode, "latency") == 0) {
        latency(broker, topic, records, size);
    } else {
        fail("usage", "no such mode");
    }
    return 0;
}
