import Columnar
import Disk
import HTTPTypes
import Hummingbird
import Ingest
import LogStore
import Synchronization

/// `/health`: one check a line of JSON; 503 when one fails, so that a watchdog needs no reading.
struct HealthEndpoint: Sendable {
    let store: Store
    let configuration: ServerConfiguration
    let pool: BlockingPool
    let startMs: Int64

    private struct Check: Sendable {
        var name: String
        var isFine: Bool
        var detail: String
    }

    /// How far behind the log a table may be before that is a failure, in records.
    private static let worryingLag: Int64 = 10_000_000

    func respond() async -> Response {
        let endpoint = self
        let checks: [Check]
        do {
            checks = try await pool.run { endpoint.checks() }
        } catch {
            checks = [Check(name: "threads", isFine: false, detail: "too much work is waiting")]
        }
        let isFine = checks.allSatisfy(\.isFine)
        var json = JSONWriter()
        json.beginObject()
        json.key("status")
        json.value(isFine ? "ok" : "failing")
        json.key("version")
        json.value(Version.current)
        json.key("uptime_seconds")
        json.value(max(0, store.clock.nowMs() - startMs) / 1000)
        json.key("checks")
        json.beginObject()
        for check in checks {
            json.key(check.name)
            json.beginObject()
            json.key("status")
            json.value(check.isFine ? "ok" : "failing")
            json.key("detail")
            json.value(check.detail)
            json.endObject()
        }
        json.endObject()
        json.endObject()
        return .json(json.bytes + [0x0A], status: isFine ? .ok : .serviceUnavailable)
    }

    private func checks() -> [Check] {
        [writable(), space(), log(), materializer(), parts()]
    }

    private func writable() -> Check {
        let path = store.folder + "/.health"
        do throws(DiskError) {
            let file = try store.fileSystem.open(path, .create)
            try file.write(Array("ok".utf8), at: 0)
            file.close()
            try store.fileSystem.remove(path)
            return Check(name: "data_folder_writable", isFine: true, detail: store.folder)
        } catch {
            return Check(name: "data_folder_writable", isFine: false, detail: error.message)
        }
    }

    private func space() -> Check {
        do throws(DiskError) {
            let free = try store.fileSystem.freeSpace(store.folder)
            let wanted = UInt64(max(0, configuration.bytes("min_free_space")))
            return Check(
                name: "free_space", isFine: free >= wanted, detail: "\(free) bytes free, at least \(wanted) wanted")
        } catch {
            return Check(name: "free_space", isFine: false, detail: error.message)
        }
    }

    private func log() -> Check {
        let bad = store.logStore.topics.flatMap { topic in
            topic.partitions.filter { $0.failure != nil }.map { "\(topic.name)/\($0.partition)" }
        }
        return Check(
            name: "log", isFine: bad.isEmpty,
            detail: bad.isEmpty
                ? "\(store.logStore.topics.count) topics"
                : "a sync failed; no appends until a restart: " + bad.joined(separator: ", "))
    }

    private func materializer() -> Check {
        let status = store.materializer.status
        let lag = status.reduce(0) { $0 + $1.lag }
        let errors = status.compactMap { topic in topic.error.map { "\(topic.table): \($0)" } }
        return Check(
            name: "materializer", isFine: errors.isEmpty && lag < Self.worryingLag,
            detail: errors.isEmpty ? "\(lag) records behind" : errors.joined(separator: "; "))
    }

    private func parts() -> Check {
        var troubles: [String] = []
        for table in store.catalog.tables {
            let statistics = table.statistics
            if statistics.detachedParts > 0 {
                troubles.append("\(table.name): \(statistics.detachedParts) damaged parts set aside")
            }
            if let error = statistics.flushError { troubles.append("\(table.name): flush: \(error)") }
            if let error = statistics.mergeError { troubles.append("\(table.name): merge: \(error)") }
        }
        return Check(
            name: "parts", isFine: troubles.isEmpty,
            detail: troubles.isEmpty ? "none set aside" : troubles.joined(separator: "; "))
    }
}
