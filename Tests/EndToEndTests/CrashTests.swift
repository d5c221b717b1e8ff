import Foundation
import Synchronization
import Testing

/// Producers write, the process is killed at any moment, and what was acknowledged is there, each row once.
@Suite("Kill -9")
struct CrashTests {
    /// What producers sent and what the server acknowledged.
    private final class Ledger: Sendable {
        private let state = Mutex<(sent: Set<String>, acknowledged: Set<String>)>(([], []))

        func send(_ ids: [String]) { state.withLock { $0.sent.formUnion(ids) } }
        func acknowledge(_ ids: [String]) { state.withLock { $0.acknowledged.formUnion(ids) } }
        var sent: Set<String> { state.withLock { $0.sent } }
        var acknowledged: Set<String> { state.withLock { $0.acknowledged } }
    }

    /// Posts batches of rows, each row with an id of its own, until the server is gone.
    private func produce(to server: Server, name: String, ledger: Ledger) {
        var batch = 0
        while server.child.isRunning {
            let ids = (0..<40).map { "\(name)-\(batch)-\($0)" }
            let body = ids.map { "{\"timestamp\":\"2025-05-05T05:05:05Z\",\"id\":\"\($0)\",\"n\":\(batch)}\n" }.joined()
            ledger.send(ids)
            if let reply = try? server.ingest("ledger", body), reply.status == 200 { ledger.acknowledge(ids) }
            batch += 1
        }
    }

    @Test("acknowledged rows survive repeated kills under load, each exactly once")
    func acknowledgedRowsSurvive() throws {
        let space = try TemporaryFolder()
        let data = space.file("data")
        let ledger = Ledger()
        // Parts are written often, so that kills also hit flushes, manifest commits and merges.
        let settings = ["LOGSTORE_FLUSH_INTERVAL": "200ms"]
        for round in 0..<6 {
            let server = try Server(data: data, environment: settings)
            let producers = (0..<3).map { number in
                let thread = Thread { produce(to: server, name: "\(round)-\(number)", ledger: ledger) }
                thread.start()
                return thread
            }
            // The last rounds die soon after the start: while the log is still being read again.
            usleep(UInt32([900, 1300, 700, 1100, 150, 60][round]) * 1000)
            try server.kill9()
            #expect(eventually { producers.allSatisfy(\.isFinished) })
        }

        let server = try Server(data: data, environment: settings)
        let acknowledged = ledger.acknowledged
        #expect(acknowledged.count > 100, "the test did too little")
        var rows: [String] = []
        let complete = try eventually {
            rows = try server.answer("SELECT id FROM ledger").split(separator: "\n").map(String.init)
            return acknowledged.isSubset(of: rows)
        }
        let missing = acknowledged.subtracting(rows)
        #expect(complete, "\(missing.count) acknowledged rows are missing, such as \(missing.sorted().prefix(3))")
        #expect(rows.count == Set(rows).count, "\(rows.count - Set(rows).count) rows are there more than once")
        #expect(Set(rows).isSubset(of: ledger.sent), "rows that nobody sent")
        let counts = "\(rows.count)\t\(rows.count)"
        #expect(try server.answer("SELECT count(), uniqExact(id) FROM ledger", becomes: counts) == counts)
        #expect(try server.stop() == 0)

        let check = try Program.run(["check", "--data", data])
        #expect(check.status == 0, "\(check.output)\(check.errors)")
    }

    @Test("a stop by signal loses nothing and says so by its exit code")
    func stopBySignal() throws {
        let space = try TemporaryFolder()
        let data = space.file("data")
        for signal in [SIGTERM, SIGINT] {
            let server = try Server(data: data)
            #expect(try server.ingest("stops", "{\"signal\":\(signal)}").status == 200)
            server.child.signal(signal)
            #expect(try server.child.wait(seconds: 60) == 0)
            #expect(!server.child.leavesProcesses)
        }
        let server = try Server(data: data)
        let all = "\(SIGINT)\n\(SIGTERM)"
        #expect(try server.answer("SELECT signal FROM stops ORDER BY signal", becomes: all) == all)
    }
}
