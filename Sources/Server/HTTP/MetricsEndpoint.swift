import Columnar
import Disk
import HTTPTypes
import Hummingbird
import Ingest
import LogStore
import NIOCore
import Synchronization

/// `/metrics`: Prometheus' text form.
struct MetricsEndpoint: Sendable {
    let store: Store
    let metrics: ServerMetrics
    let queries: QueryRunner
    let pool: BlockingPool
    let startMs: Int64
    let kafka: KafkaMetrics

    func respond() async -> Response {
        let endpoint = self
        let text = (try? await pool.run { endpoint.text() }) ?? ""
        var headers = HTTPFields()
        headers[.contentType] = "text/plain; version=0.0.4; charset=utf-8"
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    private func text() -> String {
        var page = PrometheusPage()
        server(&page)
        ingest(&page)
        kafkaListener(&page)
        log(&page)
        tables(&page)
        query(&page)
        return page.text
    }

    private func server(_ page: inout PrometheusPage) {
        page.add("logstore_build_info", .gauge, "The running version.", [(["version": Version.current], 1)])
        page.add("process_start_time_seconds", .gauge, "When the server started.", [([:], Double(startMs) / 1000)])
        let memory = ProcessMemory.read()
        page.add("process_resident_memory_bytes", .gauge, "Memory held.", [([:], Double(memory.residentBytes))])
        page.add(
            "process_resident_memory_max_bytes", .gauge, "The most memory ever held.", [([:], Double(memory.peakBytes))]
        )
        if let free = try? store.fileSystem.freeSpace(store.folder) {
            page.add("logstore_disk_free_bytes", .gauge, "Free space where the data folder is.", [([:], Double(free))])
        }
        page.add(
            "logstore_http_requests_total", .counter, "Requests of every kind.",
            [([:], Double(metrics.httpRequests.value))])
    }

    private func kafkaListener(_ page: inout PrometheusPage) {
        func value(_ counter: borrowing Atomic<UInt64>) -> [([String: String], Double)] {
            [([:], Double(counter.load(ordering: .relaxed)))]
        }
        page.add(
            "logstore_kafka_connections", .gauge, "Connections of Kafka clients.",
            [([:], Double(kafka.connections.load(ordering: .relaxed)))])
        page.add(
            "logstore_kafka_connections_total", .counter, "Connections ever accepted from Kafka clients.",
            value(kafka.connectionsTotal))
        page.add(
            "logstore_kafka_connections_refused_total", .counter,
            "Connections of Kafka clients closed for what they sent or did not send.",
            value(kafka.connectionsRefused))
        page.add(
            "logstore_kafka_requests_total", .counter, "Requests of Kafka clients, of every kind.",
            value(kafka.requests))
        page.add(
            "logstore_kafka_received_bytes_total", .counter, "Bytes received from Kafka clients.",
            value(kafka.bytesReceived))
        page.add("logstore_kafka_sent_bytes_total", .counter, "Bytes sent to Kafka clients.", value(kafka.bytesSent))
    }

    private func ingest(_ page: inout PrometheusPage) {
        page.add(
            "logstore_ingest_requests_total", .counter, "Ingest requests.",
            [([:], Double(metrics.ingestRequests.value))])
        page.add(
            "logstore_ingest_failures_total", .counter, "Ingest requests that failed.",
            [([:], Double(metrics.ingestFailures.value))])
        page.add(
            "logstore_ingest_bytes_total", .counter, "Bytes of records received, decompressed.",
            [([:], Double(metrics.ingestBytes.value))])
        page.add(
            "logstore_ingest_records_total", .counter, "Records received.",
            [
                (["outcome": "accepted"], Double(metrics.ingestAccepted.value)),
                (["outcome": "rejected"], Double(metrics.ingestRejected.value)),
            ])
        page.add(
            "logstore_ingest_seconds", "Time from an ingest request's start to its answer.", metrics.ingestDuration)
    }

    private func log(_ page: inout PrometheusPage) {
        let partitions = store.logStore.topics.flatMap { topic in topic.partitions.map { (topic.name, $0) } }
        func each(_ value: (PartitionLog) -> Double) -> [([String: String], Double)] {
            partitions.map { (["topic": $0.0, "partition": String($0.1.partition)], value($0.1)) }
        }
        page.add("logstore_log_end_offset", .gauge, "The offset the next record gets.", each { Double($0.endOffset) })
        page.add("logstore_log_start_offset", .gauge, "The oldest offset still there.", each { Double($0.startOffset) })
        page.add("logstore_log_bytes", .gauge, "Bytes of the log.", each { Double($0.sizeBytes) })
        page.add("logstore_log_segments", .gauge, "Segments of the log.", each { Double($0.segments.count) })
        page.add(
            "logstore_log_poisoned", .gauge, "1 when a sync failed and the log takes no more.",
            each { $0.failure == nil ? 0 : 1 })
        page.add("logstore_disk_sync_seconds", "Time a sync of a file took.", store.meteredFileSystem.syncDuration)
        page.add(
            "logstore_disk_bytes_total", .counter, "Bytes moved between memory and files.",
            [
                (["direction": "read"], Double(store.meteredFileSystem.bytesRead.value)),
                (["direction": "written"], Double(store.meteredFileSystem.bytesWritten.value)),
            ])
        let status = store.materializer.status
        page.add(
            "logstore_materializer_lag_records", .gauge, "Records in the log that are not in the table yet.",
            status.map { (["topic": $0.topic, "table": $0.table], Double($0.lag)) })
        page.add(
            "logstore_materializer_rows_total", .counter, "Rows made from records.",
            status.map { (["topic": $0.topic, "table": $0.table], Double($0.rows)) })
        page.add(
            "logstore_dead_letters_total", .counter, "Records that could not become rows.",
            status.map { (["topic": $0.topic, "table": $0.table], Double($0.deadLetters)) })
    }

    private func tables(_ page: inout PrometheusPage) {
        let all = store.catalog.tables.map { ($0.name, $0.statistics) }
        func each(_ value: (TableStatistics) -> Double) -> [([String: String], Double)] {
            all.map { (["table": $0.0], value($0.1)) }
        }
        page.add("logstore_table_rows", .gauge, "Rows of a table.", each { Double($0.rowCount) })
        page.add("logstore_table_bytes", .gauge, "Bytes of a table's parts.", each { Double($0.sizeBytes) })
        page.add(
            "logstore_table_uncompressed_bytes", .gauge, "Bytes of the rows in parts before encoding.",
            each { Double($0.uncompressedBytes) })
        page.add("logstore_table_parts", .gauge, "Parts of a table.", each { Double($0.partCount) })
        page.add("logstore_table_memory_rows", .gauge, "Rows not yet in a part.", each { Double($0.memoryRows) })
        page.add("logstore_table_memory_bytes", .gauge, "Bytes of those.", each { Double($0.memoryBytes) })
        page.add(
            "logstore_table_detached_parts", .gauge, "Parts set aside as damaged.", each { Double($0.detachedParts) })
    }

    private func query(_ page: inout PrometheusPage) {
        page.add("logstore_queries_total", .counter, "Queries that ended.", [([:], Double(metrics.queries.value))])
        page.add(
            "logstore_query_failures_total", .counter, "Queries that failed.",
            [([:], Double(metrics.queryFailures.value))])
        page.add(
            "logstore_queries_cancelled_total", .counter, "Queries that were cancelled.",
            [([:], Double(metrics.queriesCancelled.value))])
        page.add("logstore_queries_running", .gauge, "Queries running now.", [([:], Double(queries.runningCount))])
        page.add(
            "logstore_query_rows_read_total", .counter, "Rows queries looked at.",
            [([:], Double(metrics.queryRowsRead.value))])
        page.add(
            "logstore_query_bytes_read_total", .counter, "Stored bytes queries looked at.",
            [([:], Double(metrics.queryBytesRead.value))])
        page.add(
            "logstore_query_rows_returned_total", .counter, "Rows queries gave back.",
            [([:], Double(metrics.queryRowsReturned.value))])
        page.add(
            "logstore_rows_inserted_total", .counter, "Rows written by INSERT.",
            [([:], Double(metrics.rowsInserted.value))])
        page.add("logstore_query_seconds", "Time a query took.", metrics.queryDuration)
    }
}

/// Puts a page of metrics together.
struct PrometheusPage {
    enum Kind: String {
        case counter, gauge
    }

    private(set) var text = ""

    /// Adds a metric with its samples; one without samples is left out.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [([String: String], Double)]) {
        if samples.isEmpty { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        for (labels, value) in samples { text += "\(name)\(Self.labels(labels)) \(Self.number(value))\n" }
    }

    /// Adds a histogram.
    mutating func add(_ name: String, _ help: String, _ histogram: DurationHistogram) {
        let (counts, sum) = histogram.snapshot
        text += "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
        var total: UInt64 = 0
        for (index, count) in counts.enumerated() {
            total += count
            let bound = index < DurationHistogram.bounds.count ? Self.number(DurationHistogram.bounds[index]) : "+Inf"
            text += "\(name)_bucket{le=\"\(bound)\"} \(total)\n"
        }
        text += "\(name)_sum \(sum)\n\(name)_count \(total)\n"
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && value.magnitude < 1e15 ? String(Int64(value)) : "\(value)"
    }

    private static func labels(_ labels: [String: String]) -> String {
        if labels.isEmpty { return "" }
        let pairs = labels.sorted { $0.key < $1.key }.map { name, value in
            var escaped = ""
            for character in value {
                switch character {
                case "\\": escaped += "\\\\"
                case "\"": escaped += "\\\""
                case "\n": escaped += "\\n"
                default: escaped.append(character)
                }
            }
            return "\(name)=\"\(escaped)\""
        }
        return "{" + pairs.joined(separator: ",") + "}"
    }
}
