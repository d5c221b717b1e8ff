import Disk
import LogStore
import TestSupport
import Testing

@Suite("What is kept of transactional ids")
struct StoredTransactionTests {
    private let fixture = LogFixture()

    private func transaction(_ name: String, _ state: StoredTransaction.State = .ongoing) -> StoredTransaction {
        var transaction = StoredTransaction(transactionalID: name, producerID: 7, timeoutMs: 60_000, changedMs: 9)
        transaction.previousProducerID = 3
        transaction.producerEpoch = 5
        transaction.lastProducerEpoch = 4
        transaction.startedMs = 8
        transaction.state = state
        transaction.partitions = [
            TopicPartition(topic: "t", partition: 0), TopicPartition(topic: "u", partition: 9),
        ]
        transaction.groups = ["g", "h"]
        return transaction
    }

    private func change(_ store: LogStore, _ change: TransactionChange) throws -> LogStoreError? {
        let outcome = Monitor<LogStoreError??>(nil)
        try store.changeTransactions(change) { error in outcome.update { $0 = .some(error) } }
        return outcome.wait { $0 } ?? nil
    }

    private func kept(_ store: LogStore) -> [StoredTransaction] {
        store.storedTransactions.sorted { $0.transactionalID < $1.transactionalID }
    }

    @Test("every change that was acknowledged is there after a crash, whole")
    func changes() throws {
        let store = try fixture.open()
        for state in StoredTransaction.State.allCases {
            #expect(try change(store, .set(transaction("\(state.rawValue)", state))) == nil)
        }
        #expect(try change(store, .set(transaction("a", .ongoing))) == nil)
        #expect(try change(store, .set(transaction("a", .prepareAbort))) == nil)
        #expect(try change(store, .set(transaction("gone"))) == nil)
        #expect(try change(store, .delete("gone")) == nil)
        fixture.disk.crash(.none)
        let again = try fixture.open()
        let states = StoredTransaction.State.allCases.map { transaction("\($0.rawValue)", $0) }
        #expect(kept(again) == states + [transaction("a", .prepareAbort)])
        #expect(again.recovery.problems == [])
        again.close()
    }

    @Test("what is outdated does not pile up in the file, and what counts stays")
    func rewriting() throws {
        let store = try fixture.open()
        for round in 0..<20_000 {
            var changed = transaction("a")
            changed.changedMs = Int64(round)
            if round % 4000 == 3999 {
                #expect(try change(store, .set(changed)) == nil)
            } else {
                try store.changeTransactions(.set(changed)) { _ in }
            }
        }
        #expect((fixture.disk.contents("/data/log/transactions")?.count ?? 0) < 1 << 20)
        fixture.disk.crash(.none)
        #expect(try fixture.open().storedTransactions.map(\.changedMs) == [19_999])
    }

    @Test("too many ids are refused, but what is decided is always taken")
    func limit() throws {
        var fixture = LogFixture()
        fixture.settings.maxTransactionBytes = 1000
        let store = try fixture.open()
        var refusals = 0
        for number in 0..<50 where try change(store, .set(transaction("\(number)")))?.code == .diskFull {
            refusals += 1
        }
        #expect((30..<50).contains(refusals))
        #expect(try change(store, .set(transaction("0", .prepareCommit))) == nil)
        #expect(try change(store, .set(transaction("0", .completeCommit))) == nil)
        #expect(try change(store, .delete("0")) == nil)
        store.close()
    }

    @Test("no flipped bit is taken for a transaction")
    func damage() throws {
        let store = try fixture.open()
        for name in ["a", "b", "c"] { #expect(try change(store, .set(transaction(name))) == nil) }
        store.close()
        let bytes = try #require(fixture.disk.contents("/data/log/transactions"))
        for bit in 0..<bytes.count * 8 {
            fixture.disk.plant("/data/log/transactions", bytes)
            fixture.disk.flipBit("/data/log/transactions", bit)
            let again = try fixture.open()
            let kept = kept(again)
            #expect(kept.count == 2 && kept.allSatisfy { $0 == transaction($0.transactionalID) })
            #expect(again.recovery.problems.count + (again.recovery.cutBytes > 0 ? 1 : 0) == 1)
            again.close()
        }
    }
}
