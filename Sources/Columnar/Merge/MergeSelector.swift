/// Chooses which parts to merge: sets of similar size, so that each row is rewritten O(log rows) times.
///
/// Parts of one partition are looked at from the smallest up. A window of them is worth merging when the sum is many
/// times its largest part. The window with the best ratio wins; small parts therefore never wait behind large ones.
enum MergeSelector {
    /// What the choice looks at.
    struct Candidate: Sendable, Hashable {
        var number: UInt64
        var sizeBytes: UInt64
        var rowCount: Int
        var createdMs: Int64
    }

    /// Parts that came in a stream of flushes are merged this many at a time.
    static let eagerCount = 8
    /// How many times its largest part a window must be.
    static let eagerRatio = 4.0
    /// When nothing new came for this long, two parts of like size are enough.
    static let idleMs: Int64 = 30_000
    static let idleRatio = 1.5
    /// With this many parts in a partition the idle rule holds at once.
    static let crowdedCount = 32

    /// Numbers of the parts to merge, oldest first; nil when none are worth it. `isIdle` merges what waiting would.
    static func select(
        _ candidates: [Candidate], settings: ColumnarSettings, nowMs: Int64, isIdle: Bool = false
    ) -> [UInt64]? {
        guard candidates.count > 1 else { return nil }
        let sorted = candidates.sorted { ($0.sizeBytes, $0.number) < ($1.sizeBytes, $1.number) }
        let newest = candidates.map(\.createdMs).max() ?? 0
        let isCalm = isIdle || nowMs - newest >= idleMs || candidates.count >= crowdedCount
        var best: (ratio: Double, window: Range<Int>)?
        for start in sorted.indices.dropLast() {
            var bytes = sorted[start].sizeBytes
            var rows = sorted[start].rowCount
            for end in (start + 1)..<min(sorted.count, start + settings.mergeMaxParts) {
                bytes += sorted[end].sizeBytes
                rows += sorted[end].rowCount
                if bytes > settings.mergeMaxBytes || rows > settings.mergeMaxRows { break }
                let ratio = Double(bytes) / Double(max(1, sorted[end].sizeBytes))
                let count = end - start + 1
                guard (count >= eagerCount && ratio >= eagerRatio) || (isCalm && ratio >= idleRatio) else { continue }
                if ratio > best?.ratio ?? 0 { best = (ratio, start..<end + 1) }
            }
        }
        return best.map { sorted[$0.window].map(\.number).sorted() }
    }
}
