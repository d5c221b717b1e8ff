import CRE2
import Columnar

/// A compiled RE2 expression: linear time whatever the text.
final class RegularExpression: Sendable {
    private nonisolated(unsafe) let handle: OpaquePointer
    /// How many groups capture.
    let groupCount: Int
    /// Bytes that every match contains; empty when unknown.
    private let required: [UInt8]

    /// Compiles `pattern`. Throws CANNOT_COMPILE_REGEXP with RE2's reason.
    init(_ pattern: [UInt8], ignoresCase: Bool = false) throws(QueryError) {
        let compiled = pattern.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                logstore_re2_compile($0.baseAddress, $0.count, ignoresCase, 8 << 20)
            }
        }
        guard logstore_re2_ok(compiled) else {
            let reason = String(cString: logstore_re2_error(compiled))
            logstore_re2_free(compiled)
            throw QueryError(
                .cannotCompileRegexp,
                "Cannot compile regular expression \(String(decoding: pattern, as: UTF8.self)): \(reason)")
        }
        handle = compiled
        groupCount = Int(logstore_re2_group_count(compiled))
        required = ignoresCase ? [] : RegularExpression.requiredBytes(of: pattern)
    }

    deinit { logstore_re2_free(handle) }

    /// Whether the text contains a match.
    @inline(__always)
    func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        logstore_re2_matches(handle, text.baseAddress?.assumingMemoryBound(to: CChar.self), text.count)
    }

    /// One byte a row: 1 where the row contains a match.
    func mask(_ rows: StringData) -> [UInt8] {
        guard required.count >= 2 else { return rows.mask { matches($0) } }
        // A search for the bytes that must be there leaves few rows for the automaton.
        var mask = rows.contains(required)
        rows.withRows { rows in
            for row in 0..<rows.count where mask[row] == 1 { mask[row] = byte(matches(rows[row])) }
        }
        return mask
    }

    /// Byte ranges of the first match at or after `start` and of its groups (nil where one took no part); nil when
    /// there is none.
    func find(_ text: UnsafeRawBufferPointer, from start: Int = 0, groups: Int = 0) -> [Range<Int>?]? {
        let count = groups + 1
        var spans = [Int32](repeating: -1, count: 2 * count)
        let found = logstore_re2_find(
            handle, text.baseAddress?.assumingMemoryBound(to: CChar.self), text.count, start, &spans, Int32(count))
        guard found else { return nil }
        return (0..<count).map { spans[2 * $0] < 0 ? nil : Int(spans[2 * $0])..<Int(spans[2 * $0 + 1]) }
    }

    /// Calls `body` with every match, one after the other; an empty match moves on by one byte.
    func forEachMatch(_ text: UnsafeRawBufferPointer, groups: Int, _ body: ([Range<Int>?]) -> Void) {
        var start = 0
        while start <= text.count, let spans = find(text, from: start, groups: groups), let whole = spans[0] {
            body(spans)
            start = whole.isEmpty ? whole.upperBound + 1 : whole.upperBound
        }
    }

    /// The longest run of plain characters outside groups that no alternative and no quantifier can leave out.
    static func requiredBytes(of pattern: [UInt8]) -> [UInt8] {
        var best: [UInt8] = []
        var run: [UInt8] = []
        var index = 0
        func end() {
            if run.count > best.count { best = run }
            run = []
        }
        while index < pattern.count {
            let byte = pattern[index]
            index += 1
            switch byte {
            case UInt8(ascii: "|"): return []
            case UInt8(ascii: "("):
                // Flags may change what letters mean.
                if index + 1 < pattern.count, pattern[index] == UInt8(ascii: "?"),
                    pattern[index + 1] != UInt8(ascii: ":"),
                    pattern[index + 1] != UInt8(ascii: "P")
                {
                    return []
                }
                end()
                var depth = 1
                while index < pattern.count, depth > 0 {
                    switch pattern[index] {
                    case 0x5C: index += 1
                    case UInt8(ascii: "["): index = skipClass(pattern, index + 1) - 1
                    case UInt8(ascii: "("): depth += 1
                    case UInt8(ascii: ")"): depth -= 1
                    default: break
                    }
                    index += 1
                }
            case UInt8(ascii: "["):
                end()
                index = skipClass(pattern, index)
            case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "{"):
                // The character before may be missing.
                if let last = run.popLast(), last >= 0x80 { run = [] }
                end()
                if byte == UInt8(ascii: "{") {
                    while index < pattern.count, pattern[index] != UInt8(ascii: "}") { index += 1 }
                    index += 1
                }
            case UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "$"): end()
            case 0x5C:
                guard index < pattern.count else { return [] }
                let next = pattern[index]
                index += 1
                let isLetter = next | 0x20 >= 0x61 && next | 0x20 <= 0x7A
                if isLetter || (next >= 0x30 && next <= 0x39) || next >= 0x80 {
                    // \Q and \x change what follows.
                    if [UInt8(ascii: "Q"), UInt8(ascii: "x"), UInt8(ascii: "p"), UInt8(ascii: "P")].contains(next) {
                        return []
                    }
                    end()
                } else {
                    run.append(next)
                }
            default: run.append(byte)
            }
        }
        end()
        return best
    }

    /// The place behind the `]` of a class that begins before `start`.
    private static func skipClass(_ pattern: [UInt8], _ start: Int) -> Int {
        var index = start
        if index < pattern.count, pattern[index] == UInt8(ascii: "^") { index += 1 }
        if index < pattern.count, pattern[index] == UInt8(ascii: "]") { index += 1 }
        while index < pattern.count, pattern[index] != UInt8(ascii: "]") {
            if pattern[index] == 0x5C { index += 1 }
            if index + 1 < pattern.count, pattern[index] == UInt8(ascii: "["), pattern[index + 1] == UInt8(ascii: ":") {
                index += 2
                while index + 1 < pattern.count,
                    !(pattern[index] == UInt8(ascii: ":") && pattern[index + 1] == UInt8(ascii: "]"))
                {
                    index += 1
                }
                index += 1
            }
            index += 1
        }
        return index + 1
    }
}
