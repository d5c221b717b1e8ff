import Disk
import KafkaBroker
import KafkaProtocol
import LogStore
import TestSupport
import Testing

/// A broker on a simulated disk, with a clock that is moved by hand.
final class BrokerFixture: Sendable {
    static let startMs: Int64 = 1_700_000_000_000

    let disk: SimulatedDisk
    let clock: ManualClock
    let timers: Timers
    let logStore: LogStore
    let broker: Broker

    init(
        disk: SimulatedDisk = SimulatedDisk(), clock: ManualClock = ManualClock(nowMs: startMs),
        settings: BrokerSettings = BrokerSettings()
    ) throws {
        self.disk = disk
        self.clock = clock
        timers = Timers(clock: clock, startsThread: false)
        logStore = try LogStore.open(folder: "/data/log", fileSystem: disk, clock: clock)
        broker = Broker(logStore: logStore, clock: clock, settings: settings, timers: timers) { work in
            _ = Thread(name: "offload", work)
            return true
        }
    }

    deinit {
        broker.stop()
        logStore.close()
    }

    /// A client that connected and may do what `permissions` say.
    func client(_ permissions: Principal.Permissions = .all) -> BrokerClient {
        BrokerClient(broker, permissions)
    }

    /// Lets time pass, and what is due happen.
    func advance(milliseconds: Int64) {
        clock.advance(milliseconds: milliseconds)
        timers.runDue()
    }

    /// The log of partition `partition` of `topic`, which is created with 3 partitions when it is not there.
    func log(_ topic: String, _ partition: Int32 = 0) throws -> PartitionLog {
        if logStore.topic(topic) == nil { try logStore.createTopic(topic, partitions: 3) }
        return try #require(logStore.partition(TopicPartition(topic: topic, partition: partition)))
    }
}
