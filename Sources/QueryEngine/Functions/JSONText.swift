import Columnar

/// A scanner over one JSON text: finds values by path without building anything.
struct JSONText {
    let bytes: UnsafeRawBufferPointer
    /// Deeper nesting is refused, so that no text can exhaust the stack.
    private static let maxDepth = 256

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// One step of a path: a name, or a place counted from 1, negative from the end.
    enum Step {
        case name([UInt8])
        case place(Int64)
    }

    /// The range of the whole value; nil when the text is not valid JSON.
    var root: Range<Int>? {
        guard let value = value(at: skipSpaces(0), depth: 0), skipSpaces(value.upperBound) == bytes.count else {
            return nil
        }
        return value
    }

    func skipSpaces(_ start: Int) -> Int {
        var index = start
        while index < bytes.count, bytes[index] == 0x20 || (bytes[index] >= 0x09 && bytes[index] <= 0x0D) { index += 1 }
        return index
    }

    /// The value that begins at `start`.
    private func value(at start: Int, depth: Int) -> Range<Int>? {
        guard start < bytes.count, depth < Self.maxDepth else { return nil }
        switch bytes[start] {
        case 0x22: return string(at: start).map { start..<$0 }
        case 0x7B, 0x5B:
            let isObject = bytes[start] == 0x7B
            let close: UInt8 = isObject ? 0x7D : 0x5D
            var index = skipSpaces(start + 1)
            if index < bytes.count, bytes[index] == close { return start..<index + 1 }
            while true {
                if isObject {
                    guard index < bytes.count, bytes[index] == 0x22, let end = string(at: index) else { return nil }
                    index = skipSpaces(end)
                    guard index < bytes.count, bytes[index] == 0x3A else { return nil }
                    index = skipSpaces(index + 1)
                }
                guard let item = value(at: index, depth: depth + 1) else { return nil }
                index = skipSpaces(item.upperBound)
                guard index < bytes.count else { return nil }
                if bytes[index] == close { return start..<index + 1 }
                guard bytes[index] == 0x2C else { return nil }
                index = skipSpaces(index + 1)
            }
        default:
            var end = start
            while end < bytes.count, ![0x2C, 0x5D, 0x7D, 0x20, 0x09, 0x0A, 0x0D].contains(bytes[end]) { end += 1 }
            return isPlain(start..<end) ? start..<end : nil
        }
    }

    private func isPlain(_ range: Range<Int>) -> Bool {
        let text = UnsafeRawBufferPointer(rebasing: bytes[range])
        if text.elementsEqual("true".utf8) || text.elementsEqual("false".utf8) || text.elementsEqual("null".utf8) {
            return true
        }
        guard let first = text.first, first == 0x2D || (first >= 0x30 && first <= 0x39) else { return false }
        return ValueText.parseDouble(text) != nil
    }

    /// The place behind the string that begins at `start`.
    private func string(at start: Int) -> Int? {
        var index = start + 1
        while index < bytes.count {
            switch bytes[index] {
            case 0x22: return index + 1
            case 0x5C: index += 2
            default: index += 1
            }
        }
        return nil
    }

    /// Calls `body` with the name's range (empty in arrays) and the value's range of every member of `container`.
    func forEachMember(_ container: Range<Int>, _ body: (Range<Int>, Range<Int>) -> Bool) {
        guard let first = bytes[container].first, first == 0x7B || first == 0x5B else { return }
        var index = skipSpaces(container.lowerBound + 1)
        while index < container.upperBound - 1 {
            var name = index..<index
            if first == 0x7B {
                guard let end = string(at: index) else { return }
                name = index..<end
                index = skipSpaces(skipSpaces(end) + 1)
            }
            guard let item = value(at: index, depth: 1) else { return }
            if !body(name, item) { return }
            index = skipSpaces(skipSpaces(item.upperBound) + 1)
        }
    }

    /// The value at the end of `path` from the whole text.
    func find(_ path: [Step]) -> Range<Int>? {
        guard var current = root else { return nil }
        for step in path {
            var found: Range<Int>?
            switch step {
            case .name(let wanted):
                guard bytes[current.lowerBound] == 0x7B else { return nil }
                forEachMember(current) { name, item in
                    let inner = UnsafeRawBufferPointer(rebasing: bytes[name.lowerBound + 1..<name.upperBound - 1])
                    let isSame = inner.contains(0x5C) ? unescaped(name) == wanted : areEqual(inner, wanted)
                    if isSame { found = item }
                    return !isSame
                }
            case .place(let place):
                var members: [Range<Int>] = []
                forEachMember(current) { _, item in
                    members.append(item)
                    return place < 0 || members.count < place
                }
                let index = place > 0 ? place - 1 : Int64(members.count) + place
                if place != 0, index >= 0, index < Int64(members.count) { found = members[Int(index)] }
            }
            guard let found else { return nil }
            current = found
        }
        return current
    }

    /// The text of the string in `range`, its quotes included.
    func unescaped(_ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        var index = range.lowerBound + 1
        let end = range.upperBound - 1
        while index < end {
            guard bytes[index] == 0x5C, index + 1 < end else {
                result.append(bytes[index])
                index += 1
                continue
            }
            let letter = bytes[index + 1]
            index += 2
            switch letter {
            case UInt8(ascii: "n"): result.append(0x0A)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "r"): result.append(0x0D)
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0C)
            case UInt8(ascii: "u"):
                var unit = hexUnit(index, end) ?? 0xFFFD
                index = min(end, index + 4)
                if unit & 0xFC00 == 0xD800, index + 5 < end, bytes[index] == 0x5C,
                    bytes[index + 1] == UInt8(ascii: "u"),
                    let low = hexUnit(index + 2, end), low & 0xFC00 == 0xDC00
                {
                    unit = 0x10000 + (unit & 0x3FF) << 10 + low & 0x3FF
                    index += 6
                }
                let scalar = Unicode.Scalar(unit) ?? "\u{FFFD}"
                result.append(contentsOf: String(Character(scalar)).utf8)
            default: result.append(letter)
            }
        }
        return result
    }

    private func hexUnit(_ start: Int, _ end: Int) -> UInt32? {
        guard start + 4 <= end else { return nil }
        var value: UInt32 = 0
        for index in start..<start + 4 {
            guard let digit = ValueText.hexValue(bytes[index]) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    /// The JSON in `range` without spaces between its parts.
    func compact(_ range: Range<Int>, to out: inout [UInt8]) {
        var isInside = false
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = bytes[index]
            if isInside, byte == 0x5C, index + 1 < range.upperBound {
                out.append(byte)
                index += 1
                out.append(bytes[index])
            } else {
                if byte == 0x22 { isInside.toggle() }
                if isInside || !(byte == 0x20 || (byte >= 0x09 && byte <= 0x0D)) { out.append(byte) }
            }
            index += 1
        }
    }
}
