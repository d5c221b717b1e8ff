import Disk
import LogStore
import TestSupport
import Testing

@Suite("What is kept of consumer groups")
struct GroupFileTests {
    private let fixture = LogFixture()
    private let t0 = TopicPartition(topic: "t", partition: 0)
    private let t1 = TopicPartition(topic: "t", partition: 1)
    private let u0 = TopicPartition(topic: "u", partition: 0)

    private func group(_ name: String, generation: Int32 = 3, padding: Int = 4) -> StoredGroup {
        StoredGroup(
            name: name, generation: generation, protocolType: "consumer", protocolName: "range", leader: "a",
            changedMs: 17,
            members: [
                StoredMember(
                    id: "a", instanceID: nil, clientID: "c", clientHost: "/h", rebalanceTimeoutMs: 5,
                    sessionTimeoutMs: 6, subscription: Array(repeating: 1, count: padding), assignment: [2, 3]),
                StoredMember(
                    id: "b", instanceID: "static", clientID: "c2", clientHost: "/h2", rebalanceTimeoutMs: 7,
                    sessionTimeoutMs: 8, subscription: [], assignment: []),
            ])
    }

    private func stage(
        _ store: LogStore, _ producer: Int64, _ epoch: Int16, _ offsets: [TopicPartition: Int64]
    ) throws(LogStoreError) {
        try store.changeGroups(
            .stage(
                group: "g", producerID: producer, producerEpoch: epoch,
                offsets.mapValues { CommittedOffset(offset: $0) }))
    }

    private func end(_ store: LogStore, _ producer: Int64, _ epoch: Int16, commit: Bool) throws(LogStoreError) {
        try store.changeGroups(.endTransaction(producerID: producer, producerEpoch: epoch, isCommit: commit))
    }

    private func offsets(_ store: LogStore) -> [TopicPartition: Int64] {
        store.committedOffsets(group: "g").mapValues(\.offset)
    }

    @Test("a rebalance that was acknowledged is there after a crash, in all its parts")
    func rebalance() throws {
        let store = try fixture.open()
        try store.changeGroups(.rebalance(group("g", generation: 2)))
        try store.changeGroups(.rebalance(group("g")))
        var empty = group("empty")
        empty.members = []
        empty.leader = nil
        empty.protocolName = nil
        try store.changeGroups(.rebalance(empty))
        fixture.disk.crash(.none)
        let again = try fixture.open()
        #expect(again.storedGroup("g") == group("g"))
        #expect(again.storedGroup("empty") == empty)
        #expect(again.groups == ["empty", "g"])
        #expect(again.recovery.problems == [])
        try again.deleteGroup("g")
        #expect(again.storedGroups.map(\.name) == ["empty"])
    }

    @Test("staged offsets count once their transaction commits, not when it aborts, across restarts")
    func transactions() throws {
        var store = try fixture.open()
        try store.commitOffsets(group: "g", [t0: CommittedOffset(offset: 1)])
        try stage(store, 9, 0, [t0: 5, t1: 6])
        try stage(store, 8, 0, [u0: 7])
        #expect(offsets(store) == [t0: 1])
        #expect(store.groupOffsets("g").unstable == [t0, t1, u0])
        fixture.disk.crash(.none)
        store = try fixture.open()
        #expect(store.groupOffsets("g").unstable == [t0, t1, u0])
        #expect(store.stagedEpoch(group: "g", producerID: 9) == 0)
        try end(store, 9, 0, commit: true)
        try end(store, 8, 0, commit: false)
        #expect(offsets(store) == [t0: 5, t1: 6])
        // Once more changes nothing: a coordinator that crashed may ask again.
        try end(store, 9, 0, commit: true)
        fixture.disk.crash(.none)
        store = try fixture.open()
        #expect(offsets(store) == [t0: 5, t1: 6])
        #expect(store.groupOffsets("g").unstable == [])
    }

    @Test("a commit after staging wins, whatever becomes of the transaction, also when the file was rewritten")
    func commitAfterStaging() throws {
        var store = try fixture.open()
        try stage(store, 9, 0, [t0: 5, t1: 6])
        try store.commitOffsets(group: "g", [t0: CommittedOffset(offset: 10)])
        try fillUntilRewritten(store)
        store.close()
        store = try fixture.open()
        #expect(store.groupOffsets("g").unstable == [t1])
        try end(store, 9, 0, commit: true)
        #expect(offsets(store) == [t0: 10, t1: 6])
    }

    @Test("another epoch begins with nothing staged, and an older transaction's end does not touch it")
    func epochs() throws {
        let store = try fixture.open()
        try stage(store, 9, 0, [t0: 5])
        try stage(store, 9, 1, [t1: 6])
        #expect(store.groupOffsets("g").unstable == [t1])
        try end(store, 9, 0, commit: true)
        #expect(offsets(store) == [:])
        try end(store, 9, 2, commit: true)
        #expect(offsets(store) == [t1: 6])
    }

    @Test("a deleted topic takes committed and staged offsets of all groups with it")
    func deletedTopic() throws {
        let store = try fixture.open()
        for name in ["t", "u"] { try store.createTopic(name, partitions: 2) }
        try store.commitOffsets(group: "g", [t0: CommittedOffset(offset: 1), u0: CommittedOffset(offset: 2)])
        try store.commitOffsets(group: "h", [t1: CommittedOffset(offset: 1)])
        try stage(store, 9, 0, [t1: 6])
        try store.deleteTopic("t")
        #expect(offsets(store) == [u0: 2])
        #expect(store.groupOffsets("g").unstable == [])
        fixture.disk.crash(.none)
        #expect(try fixture.open().groups == ["g"])
    }

    @Test("a rewritten file says the same in less")
    func rewriting() throws {
        var store = try fixture.open()
        try store.changeGroups(.rebalance(group("g")))
        let many = (0..<2500).map { (TopicPartition(topic: "t", partition: $0), CommittedOffset(offset: Int64($0))) }
        try store.commitOffsets(group: "g", Dictionary(uniqueKeysWithValues: many))
        try stage(store, 9, 4, [u0: 5])
        try fillUntilRewritten(store)
        fixture.disk.crash(.none)
        store = try fixture.open()
        #expect(store.storedGroup("g") == group("g"))
        #expect(offsets(store).count == 2500)
        #expect(store.groupOffsets("g").unstable == [u0])
        #expect(store.stagedEpoch(group: "g", producerID: 9) == 4)
    }

    private func fillUntilRewritten(_ store: LogStore) throws {
        let path = "/data/log/group-offsets"
        var last = 0
        for _ in 0..<5000 {
            try store.changeGroups(.rebalance(group("filler", padding: 10_000)))
            let size = fixture.disk.contents(path)?.count ?? 0
            if size < last { return }
            last = size
        }
        Issue.record("the file was not rewritten")
    }

    /// The changes as docs/format.md draws them, byte by byte: what was written once must be read for ever.
    @Test("records have the bytes that the format says")
    func bytes() throws {
        let store = try fixture.open()
        try store.changeGroups(
            .rebalance(
                StoredGroup(
                    name: "g", generation: 2, protocolType: "c", protocolName: "r", leader: nil, changedMs: 3,
                    members: [
                        StoredMember(
                            id: "m", instanceID: "i", clientID: "", clientHost: "h", rebalanceTimeoutMs: 4,
                            sessionTimeoutMs: 5, subscription: [6], assignment: [7, 8])
                    ])))
        try stage(store, 9, 10, [u0: 11])
        try end(store, 9, 10, commit: true)
        try store.changeGroups(.deleteTopic("u"))
        var reader = ByteReader(fixture.disk.contents("/data/log/group-offsets") ?? [])
        var payloads: [[UInt8]] = []
        while !reader.isAtEnd {
            let checksum = try reader.uint32()
            var checked = ByteWriter()
            let length = try reader.uint32()
            checked.uint32(length)
            payloads.append(try reader.bytes(Int(length)))
            checked.bytes(payloads[payloads.count - 1])
            #expect(CRC32C.checksum(checked.bytes) == checksum)
        }
        let nowMs = withUnsafeBytes(of: Int64(1_700_000_000_000).littleEndian) { Array($0) }
        let ascii: (String) -> [UInt8] = { [UInt8($0.utf8.count)] + Array($0.utf8) }
        let i32: (UInt8) -> [UInt8] = { [$0, 0, 0, 0] }
        let i64: (UInt8) -> [UInt8] = { [$0, 0, 0, 0, 0, 0, 0, 0] }
        let rebalance: [UInt8] =
            [4] + ascii("g") + i32(2) + ascii("c") + [1] + ascii("r") + [0] + i64(3) + [1] + ascii("m") + [1]
            + ascii("i") + ascii("") + ascii("h") + i32(4) + i32(5) + [1, 6] + [2, 7, 8]
        let staged: [UInt8] =
            [5] + ascii("g") + i64(9) + [10, 0] + [1] + ascii("u") + i32(0) + i64(11)
            + [255, 255, 255, 255] + ascii("") + nowMs
        #expect(payloads == [rebalance, staged, [6] + i64(9) + [10, 0, 1], [7] + ascii("u")])
    }

    @Test("changes that wait together share one sync and take effect in order")
    func batching() throws {
        let store = try fixture.open()
        fixture.disk.holdSyncs()
        let done = Monitor<[Int64]>([])
        let before = fixture.disk.operationCount([.sync])
        for number in 1...100 as ClosedRange<Int64> {
            try store.changeGroups(.commit(group: "g", [t0: CommittedOffset(offset: number)])) { error in
                if error == nil { done.update { $0.append(number) } }
            }
        }
        _ = fixture.disk.waitForHeldSyncs(1)
        #expect(done.withLock { $0 } == [], "nothing is acknowledged before its sync")
        #expect(offsets(store) == [:], "nothing is shown before it is durable")
        fixture.disk.releaseSyncs()
        let order = done.wait(timeoutMs: 60_000) { $0.count == 100 ? $0 : nil }
        #expect(order == Array(1...100))
        #expect(offsets(store) == [t0: 100])
        #expect(fixture.disk.operationCount([.sync]) - before <= 3)
    }

    @Test("among changes that are written together a too large one fails alone")
    func tooLarge() throws {
        let store = try fixture.open()
        let code = logCode { () throws(LogStoreError) in
            try store.changeGroups(.rebalance(group("g", padding: 17 << 20)))
        }
        #expect(code == .messageTooLarge)
        try store.changeGroups(.rebalance(group("h")))
        #expect(store.groups == ["h"])
    }

    @Test("groups take so much memory and no more; deleting makes room")
    func bounded() throws {
        var fixture = fixture
        fixture.settings.maxGroupBytes = 64 << 10
        let store = try fixture.open()
        let full = logCode { () throws(LogStoreError) in
            for number in 0..<10 { try store.changeGroups(.rebalance(group("g\(number)", padding: 15 << 10))) }
        }
        #expect(full == .diskFull)
        #expect(store.groups == ["g0", "g1", "g2", "g3"])
        try store.deleteGroup("g1")
        try store.changeGroups(.rebalance(group("g9", padding: 15 << 10)))
    }
}
