import Disk
import KafkaBroker
import Synchronization
import TestSupport
import Testing

@Suite struct TimersTests {
    private final class Notes: Sendable {
        let all = Mutex<[String]>([])
        func add(_ text: String) { all.withLock { $0.append(text) } }
        var text: String { all.withLock { $0.joined(separator: " ") } }
    }

    private let clock = ManualClock(nowMs: 1_000)

    @Test func callsAreMadeInTheOrderOfTheirDeadlines() {
        let timers = Timers(clock: clock, startsThread: false)
        let notes = Notes()
        for delay: Int64 in [30, 10, 20, 10] { timers.schedule(afterMs: delay) { notes.add("\(delay)") } }
        #expect(timers.runDue() == 0)
        #expect(timers.nextDueMs == 10)
        clock.advance(milliseconds: 10)
        #expect(timers.runDue() == 2)
        clock.advance(milliseconds: 20)
        #expect(timers.runDue() == 2)
        #expect(notes.text == "10 10 20 30")
        #expect(timers.nextDueMs == nil)
    }

    @Test func cancelledCallsAreNotMadeAndTakeNoRoom() {
        let timers = Timers(clock: clock, startsThread: false)
        let notes = Notes()
        var random = SeededRandom(seed: 7)
        var expected: [Int64] = []
        var tokens: [(Int64, Timers.Token)] = []
        for _ in 0..<500 {
            let delay = Int64.random(in: 0..<1_000_000, using: &random)
            tokens.append((delay, timers.schedule(afterMs: delay) { notes.add("\(delay)") }))
        }
        for (delay, token) in tokens.shuffled(using: &random) {
            if Bool.random(using: &random) {
                #expect(token.cancel())
                #expect(!token.cancel())
            } else {
                expected.append(delay)
            }
        }
        #expect(timers.count == expected.count)
        clock.advance(milliseconds: 1_000_000)
        #expect(timers.runDue() == expected.count)
        #expect(notes.text == expected.sorted().map { "\($0)" }.joined(separator: " "))
        for (_, token) in tokens { #expect(!token.cancel()) }
    }

    @Test func aCallMayScheduleAndCancelOthers() {
        let timers = Timers(clock: clock, startsThread: false)
        let notes = Notes()
        let victim = timers.schedule(afterMs: 5) { notes.add("victim") }
        timers.schedule(afterMs: 0) {
            notes.add("first")
            victim.cancel()
            timers.schedule(afterMs: -3) { notes.add("second") }
        }
        clock.advance(milliseconds: 5)
        timers.runDue()
        #expect(notes.text == "first second")
    }

    @Test func theThreadMakesCallsAndWakesForAnEarlierDeadline() {
        let timers = Timers(clock: SystemClock())
        let fired = Monitor<[String]>([])
        let late = timers.schedule(afterMs: .max) { fired.update { $0.append("late") } }
        timers.schedule(afterMs: 2) { fired.update { $0.append("soon") } }
        timers.schedule(afterMs: 1) { fired.update { $0.append("sooner") } }
        let seen = fired.wait(timeoutMs: 60_000) { $0.count == 2 ? $0 : nil }
        #expect(seen == ["sooner", "soon"])
        #expect(late.cancel())
        timers.stop()
    }

    @Test func afterStopNothingIsCalled() {
        let timers = Timers(clock: clock, startsThread: false)
        let notes = Notes()
        timers.schedule(afterMs: 1) { notes.add("before") }
        timers.stop()
        let token = timers.schedule(afterMs: 1) { notes.add("after") }
        clock.advance(milliseconds: 10)
        #expect(timers.runDue() == 0)
        #expect(!token.cancel())
        #expect(notes.text == "")
    }
}
