/// Steps through the members of one JSON object, checking what it passes. Nothing is copied.
struct JSONMembers {
    /// A name and its value, as they stand in the text.
    struct Member {
        /// What stands between the name's quotes.
        let rawName: UnsafeRawBufferPointer
        /// Whether the name has escapes.
        let isEscaped: Bool
        /// The value's text: a string with its quotes, an object with its brackets.
        let value: UnsafeRawBufferPointer

        /// Whether the name is `name`, which has no character that JSON escapes.
        func isNamed(_ name: StaticString) -> Bool { !isEscaped && rawName.elementsEqual(name.bytes) }

        /// The name without escapes.
        var name: [UInt8] { JSONValueText.unescaped(rawName, isEscaped: isEscaped) }
    }

    private let base: UnsafePointer<UInt8>
    private let end: Int
    private var at: Int
    private var isFirst = true
    private var isDone = false

    /// Begins with the object that `text` is; nil when it is none. Bytes after the object are not looked at.
    init?(_ text: UnsafeRawBufferPointer) {
        guard let start = text.baseAddress else { return nil }
        base = start.assumingMemoryBound(to: UInt8.self)
        end = text.count
        at = 0
        guard JSONWalk.skip(base, &at, end) == UInt8(ascii: "{") else { return nil }
        at += 1
    }

    /// The next member; nil after the last.
    mutating func next() throws(JSONFault) -> Member? {
        if isDone { return nil }
        var byte = JSONWalk.skip(base, &at, end)
        if byte == UInt8(ascii: "}") {
            isDone = true
            at += 1
            return nil
        }
        if !isFirst {
            guard byte == UInt8(ascii: ",") else { throw unexpected() }
            at += 1
            byte = JSONWalk.skip(base, &at, end)
        }
        isFirst = false
        guard byte == UInt8(ascii: "\"") else { throw unexpected() }
        var escaped = false
        let start = at + 1
        let close = try JSONText.scan(base, start, end, &escaped)
        guard close >= 0 else { throw JSONFault(.unexpectedEnd, at: end) }
        at = close + 1
        guard JSONWalk.skip(base, &at, end) == UInt8(ascii: ":") else { throw unexpected() }
        at += 1
        _ = JSONWalk.skip(base, &at, end)
        let valueStart = at
        try JSONWalk.skipValue(base, &at, end, maxDepth: JSONLimits.maxDepth)
        return Member(
            rawName: UnsafeRawBufferPointer(start: base + start, count: close - start), isEscaped: escaped,
            value: UnsafeRawBufferPointer(start: base + valueStart, count: at - valueStart))
    }

    private func unexpected() -> JSONFault {
        at >= end ? JSONFault(.unexpectedEnd, at: end) : JSONFault(.unexpectedByte, at: at)
    }
}

extension StaticString {
    /// The text's bytes.
    var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount) }
}

/// Reading single values from JSON text that was checked.
enum JSONValueText {
    /// The text without escapes.
    static func unescaped(_ raw: UnsafeRawBufferPointer, isEscaped: Bool) -> [UInt8] {
        guard isEscaped, let start = raw.baseAddress else { return Array(raw) }
        return [UInt8](unsafeUninitializedCapacity: raw.count) { buffer, filled in
            guard let target = buffer.baseAddress else { return }
            filled = JSONText.unescape(start.assumingMemoryBound(to: UInt8.self), 0, raw.count, to: target)
        }
    }

    /// What the string `value` says; nil when it is no string.
    static func string(_ value: UnsafeRawBufferPointer) -> [UInt8]? {
        guard value.count >= 2, value.first == UInt8(ascii: "\""), value.last == UInt8(ascii: "\"") else { return nil }
        let inner = UnsafeRawBufferPointer(rebasing: value[1..<value.count - 1])
        return unescaped(inner, isEscaped: inner.contains(UInt8(ascii: "\\")))
    }

    /// Whether the string `value` says `text`, which has no character that JSON escapes.
    static func isString(_ value: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        value.count == text.utf8CodeUnitCount + 2 && value.first == UInt8(ascii: "\"")
            && value.dropFirst().dropLast().elementsEqual(text.bytes)
    }

    static func isNull(_ value: UnsafeRawBufferPointer) -> Bool { value.elementsEqual(StaticString("null").bytes) }
    static func isObject(_ value: UnsafeRawBufferPointer) -> Bool { value.first == UInt8(ascii: "{") }

    /// The elements of an array that was checked; none when it is no array.
    static func elements(_ text: UnsafeRawBufferPointer) throws(JSONFault) -> [UnsafeRawBufferPointer] {
        guard let start = text.baseAddress, text.first == UInt8(ascii: "[") else { return [] }
        let base = start.assumingMemoryBound(to: UInt8.self)
        var result: [UnsafeRawBufferPointer] = []
        var at = 1
        while true {
            let byte = JSONWalk.skip(base, &at, text.count)
            if byte == UInt8(ascii: "]") { return result }
            if !result.isEmpty {
                guard byte == UInt8(ascii: ",") else { throw JSONFault(.unexpectedByte, at: at) }
                at += 1
                _ = JSONWalk.skip(base, &at, text.count)
            }
            let valueStart = at
            try JSONWalk.skipValue(base, &at, text.count, maxDepth: JSONLimits.maxDepth)
            result.append(UnsafeRawBufferPointer(start: base + valueStart, count: at - valueStart))
        }
    }
}
