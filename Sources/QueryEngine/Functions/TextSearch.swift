import CKernels
import Columnar

// Searching for bytes in whole columns of strings.

/// Where `needle` begins in `text` at or after `start`; nil when nowhere.
@inline(__always)
func find(_ needle: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer, from start: Int = 0) -> Int? {
    guard start >= 0, start + needle.count <= text.count else { return nil }
    guard needle.count > 0, let base = text.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return start }
    let wanted = needle.baseAddress?.assumingMemoryBound(to: UInt8.self)
    guard let found = logstore_find(base + start, text.count - start, wanted, needle.count) else { return nil }
    return found - base
}

/// ASCII letters in lower case, everything else as it is.
func lowercasedASCII(_ bytes: [UInt8]) -> [UInt8] { mapValues(bytes) { $0 | (byte($0 &- 0x41 < 26) << 5) } }

extension StringData {
    /// One byte a row: 1 where the row contains `needle`. The rows' bytes are searched as one text, so that rows
    /// without a match cost next to nothing.
    func contains(_ needle: [UInt8]) -> [UInt8] {
        guard !needle.isEmpty else { return [UInt8](repeating: 1, count: count) }
        var mask = [UInt8](repeating: 0, count: count)
        bytes.withUnsafeBytes { all in
            needle.withUnsafeBytes { needle in
                offsets.withUnsafeBufferPointer { offsets in
                    let text = UnsafeRawBufferPointer(rebasing: all[..<Int(offsets[offsets.count - 1])])
                    var row = 0
                    var start = 0
                    while let position = find(needle, in: text, from: start) {
                        while Int(offsets[row + 1]) <= position { row += 1 }
                        let end = Int(offsets[row + 1])
                        if position + needle.count <= end {
                            mask[row] = 1
                            start = end
                        } else {
                            // It reaches into the next row.
                            start = position + 1
                        }
                    }
                }
            }
        }
        return mask
    }

    /// The same strings in ASCII lower case.
    func lowercasedASCII() -> StringData {
        StringData(bytes: mapValues(bytes) { $0 | (byte($0 &- 0x41 < 26) << 5) }, offsets: offsets)
    }

    /// The same strings in ASCII upper case.
    func uppercasedASCII() -> StringData {
        StringData(bytes: mapValues(bytes) { $0 & ~(byte($0 &- 0x61 < 26) << 5) }, offsets: offsets)
    }
}

/// What a LIKE pattern asks, in the cheapest form that answers it.
enum LikeMatcher: Sendable {
    case everything
    case equal([UInt8])
    case contains([UInt8])
    /// Parts in order, the first at the start unless `prefix` is empty, the last at the end likewise.
    case parts(prefix: [UInt8], middle: [[UInt8]], suffix: [UInt8])
    case regex(RegularExpression)

    /// Compiles a pattern: `%` for any bytes, `_` for one character, a backslash before either for itself.
    init(_ pattern: [UInt8], ignoresCase: Bool) throws(QueryError) {
        var parts: [[UInt8]] = [[]]
        var hasSingle = false
        var expression: [UInt8] = Array("^".utf8)
        var index = 0
        while index < pattern.count {
            var byte = pattern[index]
            index += 1
            switch byte {
            case UInt8(ascii: "%"):
                parts.append([])
                expression += Array(".*".utf8)
                continue
            case UInt8(ascii: "_"):
                hasSingle = true
                expression += Array(".".utf8)
                continue
            case 0x5C where index < pattern.count:
                // Before other characters the backslash is itself.
                let next = pattern[index]
                if next == UInt8(ascii: "%") || next == UInt8(ascii: "_") || next == 0x5C {
                    byte = next
                    index += 1
                }
            default: break
            }
            parts[parts.count - 1].append(byte)
            if byte < 0x80, !isWord(byte) { expression.append(0x5C) }
            expression.append(byte)
        }
        expression += Array("$".utf8)
        let isASCII = pattern.allSatisfy { $0 < 0x80 }
        if hasSingle || (ignoresCase && !isASCII) {
            self = .regex(try RegularExpression(expression, ignoresCase: ignoresCase))
            return
        }
        if ignoresCase { parts = parts.map { lowercasedASCII($0) } }
        if parts.count == 1 {
            self = .equal(parts[0])
            return
        }
        let middle = parts[1..<(parts.count - 1)].filter { !$0.isEmpty }
        let (prefix, suffix) = (parts[0], parts[parts.count - 1])
        switch (prefix.isEmpty, suffix.isEmpty, middle.count) {
        case (true, true, 0): self = .everything
        case (true, true, 1): self = .contains(middle[0])
        default: self = .parts(prefix: prefix, middle: middle, suffix: suffix)
        }
    }

    /// One byte a row: 1 where the row matches. `rows` are in lower case already when case is ignored, but for regex.
    func mask(_ rows: StringData) -> [UInt8] {
        switch self {
        case .everything: return [UInt8](repeating: 1, count: rows.count)
        case .equal(let text): return rows.mask { areEqual($0, text) }
        case .contains(let needle): return rows.contains(needle)
        case .regex(let expression): return expression.mask(rows)
        case .parts(let prefix, let middle, let suffix):
            let least = prefix.count + suffix.count
            if middle.isEmpty {
                return rows.mask { $0.count >= least && hasPrefix($0, prefix) && hasSuffix($0, suffix) }
            }
            return rows.mask { text in
                guard text.count >= least, hasPrefix(text, prefix), hasSuffix(text, suffix) else { return false }
                let end = text.count - suffix.count
                var start = prefix.count
                let body = UnsafeRawBufferPointer(rebasing: text[..<end])
                for part in middle {
                    guard let found = part.withUnsafeBytes({ find($0, in: body, from: start) }) else { return false }
                    start = found + part.count
                }
                return true
            }
        }
    }
}

@inline(__always)
private func isWord(_ byte: UInt8) -> Bool {
    (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (byte >= 0x30 && byte <= 0x39) || byte == 0x5F
}

@inline(__always)
func areEqual(_ left: UnsafeRawBufferPointer, _ right: [UInt8]) -> Bool {
    right.withUnsafeBytes { areEqual(left, $0) }
}

@inline(__always)
func hasPrefix(_ text: UnsafeRawBufferPointer, _ prefix: [UInt8]) -> Bool {
    text.count >= prefix.count && areEqual(UnsafeRawBufferPointer(rebasing: text[..<prefix.count]), prefix)
}

@inline(__always)
func hasSuffix(_ text: UnsafeRawBufferPointer, _ suffix: [UInt8]) -> Bool {
    text.count >= suffix.count
        && areEqual(UnsafeRawBufferPointer(rebasing: text[(text.count - suffix.count)...]), suffix)
}

extension StringData {
    /// One byte a row: whether `body` holds.
    @inline(__always)
    func mask(_ body: (UnsafeRawBufferPointer) -> Bool) -> [UInt8] {
        withRows { rows in
            [UInt8](unsafeUninitializedCapacity: rows.count) { target, filled in
                for row in 0..<rows.count { target[row] = byte(body(rows[row])) }
                filled = rows.count
            }
        }
    }

    /// A number from each row.
    @inline(__always)
    func map<Value: BitwiseCopyable>(_ body: (UnsafeRawBufferPointer) -> Value) -> [Value] {
        withRows { rows in
            [Value](unsafeUninitializedCapacity: rows.count) { target, filled in
                for row in 0..<rows.count { target.initializeElement(at: row, to: body(rows[row])) }
                filled = rows.count
            }
        }
    }

    /// A string from each row: `body` appends it.
    @inline(__always)
    func mapStrings(_ body: (UnsafeRawBufferPointer, inout [UInt8]) -> Void) -> StringData {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var ends: [UInt32] = [0]
        ends.reserveCapacity(offsets.count)
        withRows { rows in
            for row in 0..<rows.count {
                body(rows[row], &result)
                ends.append(UInt32(result.count))
            }
        }
        return StringData(bytes: result, offsets: ends)
    }

    /// A list of strings from each row: `body` appends them.
    func mapLists(_ body: (UnsafeRawBufferPointer, inout StringData) -> Void) -> Column {
        var elements = StringData()
        var ends: [UInt32] = [0]
        withRows { rows in
            for row in 0..<rows.count {
                body(rows[row], &elements)
                ends.append(UInt32(elements.count))
            }
        }
        return Column(
            type: .array(.string),
            data: .array(ArrayData(offsets: ends, elements: Column(type: .string, data: .string(elements)))))
    }
}
