import Disk
import Synchronization

/// A line on the terminal that says how far a long work has come, how fast it goes and how long it still takes.
/// Nothing is shown where nobody looks.
final class ProgressBar: Sendable {
    private let title: String
    private let isShown: Bool
    private let clock = SystemClock()
    private let startNs: UInt64
    private let lastNs = Mutex<UInt64>(0)

    /// Begins now.
    init(_ title: String) {
        self.title = title
        isShown = Terminal.showsProgress
        startNs = clock.steadyNs()
    }

    /// Seconds since the beginning.
    var elapsed: Double { Double(clock.steadyNs() - startNs) / 1e9 }

    /// Shows the state, at most ten times a second. `total` 0: nobody knows how much there is. `rate` is shown after
    /// the bar.
    func update(done: UInt64, total: UInt64, rate: String) {
        let now = clock.steadyNs()
        guard isShown else { return }
        let isDue = lastNs.withLock { last in
            guard now - last >= 100_000_000 else { return false }
            last = now
            return true
        }
        guard isDue else { return }
        var line = "\(title) "
        let seconds = elapsed
        if total > 0 {
            let share = min(1, Double(done) / Double(total))
            let room = max(8, min(40, Terminal.width - title.count - rate.count - 28))
            let filled = Int(share * Double(room))
            let left = share > 0.001 ? Human.span(seconds: seconds / share * (1 - share)) : "--:--"
            line +=
                "[" + String(repeating: "=", count: filled) + (filled < room ? ">" : "")
                + String(repeating: " ", count: max(0, room - filled - 1))
                + "] \(Int(share * 100))%  \(rate)  \(left) left"
        } else {
            line += "\(Human.bytes(done))  \(rate)  \(Human.span(seconds: seconds))"
        }
        Terminal.note("\r\u{1B}[2K" + String(line.prefix(Terminal.width - 1)))
    }

    /// Takes the line away.
    func clear() {
        if isShown, lastNs.withLock({ $0 > 0 }) { Terminal.note("\r\u{1B}[2K") }
    }
}
