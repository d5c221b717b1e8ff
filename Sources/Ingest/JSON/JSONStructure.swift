/// Checks one JSON value (RFC 8259), in as many pieces as it comes.
///
/// Between pieces it remembers only what may come next and which brackets are open, so a value of any length is
/// checked in one pass. A piece may end anywhere: a token cut in two is left for the next call.
struct JSONStructure {
    private enum Expected: UInt8 {
        case value
        case valueOrEnd
        case key
        case keyOrEnd
        case colon
        case commaOrEnd
    }

    private var expected = Expected.value
    private var depth = 0
    private let maxDepth: Int
    /// One bit a level, the innermost lowest: 1 for an object, 0 for an array.
    private var levels: UInt128 = 0
    /// Line feeds passed so far.
    private(set) var lines = 0

    /// Begins a value whose brackets may nest `maxDepth` levels, at most 127.
    init(maxDepth: Int = JSONLimits.maxDepth) { self.maxDepth = maxDepth }

    /// Goes on at `position`. Returns true when the value is complete: `position` is then one past it. Returns false
    /// when the bytes ended before: `position` is then where to go on once there are more (the start of the token
    /// that is cut). With `isLast` nothing more can come, and a value cut short throws.
    mutating func advance(
        _ base: UnsafePointer<UInt8>, _ position: inout Int, _ end: Int, isLast: Bool
    ) throws(JSONFault) -> Bool {
        var at = position
        while true {
            while at < end && base[at] <= 0x20 { try skip(base[at], &at) }
            position = at
            guard at < end else {
                if isLast { throw JSONFault(.unexpectedEnd, at: end) }
                return false
            }
            switch expected {
            case .key, .keyOrEnd:
                if base[at] == UInt8(ascii: "\"") {
                    guard let next = try string(base, at, end, isLast) else { return false }
                    at = next
                    if at < end && base[at] == UInt8(ascii: ":") {
                        at &+= 1
                        expected = .value
                    } else {
                        expected = .colon
                    }
                    continue
                }
                guard base[at] == UInt8(ascii: "}") && expected == .keyOrEnd else {
                    throw JSONFault(.unexpectedByte, at: at)
                }
                at &+= 1
                close()
            case .colon:
                guard base[at] == UInt8(ascii: ":") else { throw JSONFault(.unexpectedByte, at: at) }
                at &+= 1
                expected = .value
                continue
            case .value, .valueOrEnd:
                guard let next = try value(base, at, end, isLast) else { return false }
                at = next
                if expected != .commaOrEnd { continue }
            case .commaOrEnd:
                at = try separator(base, at)
            }
            if depth == 0 {
                position = at
                return true
            }
            // The usual next byte, without another turn of the loop.
            if at < end && base[at] == UInt8(ascii: ",") && expected == .commaOrEnd {
                expected = levels & 1 == 1 ? .key : .value
                at &+= 1
            }
        }
    }

    @inline(__always)
    private mutating func skip(_ byte: UInt8, _ at: inout Int) throws(JSONFault) {
        switch byte {
        case 0x20, 0x09, 0x0d: break
        case 0x0a: lines &+= 1
        default: throw JSONFault(.unexpectedByte, at: at)
        }
        at &+= 1
    }

    @inline(__always)
    private func string(
        _ base: UnsafePointer<UInt8>, _ at: Int, _ end: Int, _ isLast: Bool
    ) throws(JSONFault) -> Int? {
        var escaped = false
        let close = try JSONText.scan(base, at &+ 1, end, &escaped)
        if close >= 0 { return close &+ 1 }
        if isLast { throw JSONFault(.unexpectedEnd, at: end) }
        return nil
    }

    /// Steps over a scalar or an opening bracket.
    @inline(__always)
    private mutating func value(
        _ base: UnsafePointer<UInt8>, _ at: Int, _ end: Int, _ isLast: Bool
    ) throws(JSONFault) -> Int? {
        switch base[at] {
        case UInt8(ascii: "\""):
            guard let next = try string(base, at, end, isLast) else { return nil }
            expected = .commaOrEnd
            return next
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
            guard let next = try number(base, at, end, isLast) else { return nil }
            expected = .commaOrEnd
            return next
        case UInt8(ascii: "{"):
            try open(object: true, at)
            return at &+ 1
        case UInt8(ascii: "["):
            try open(object: false, at)
            return at &+ 1
        case UInt8(ascii: "]") where expected == .valueOrEnd:
            close()
            return at &+ 1
        default:
            guard let next = try JSONLiteral.scan(base, at, end) else {
                if isLast { throw JSONFault(.unexpectedEnd, at: end) }
                return nil
            }
            expected = .commaOrEnd
            return next
        }
    }

    @inline(__always)
    private func number(
        _ base: UnsafePointer<UInt8>, _ at: Int, _ end: Int, _ isLast: Bool
    ) throws(JSONFault) -> Int? {
        var next = at &+ 1
        // The usual number is all digits; anything else is left to the full grammar.
        if base[at] != UInt8(ascii: "0") && base[at] != UInt8(ascii: "-") {
            while next < end && base[next] &- UInt8(ascii: "0") < 10 { next &+= 1 }
            if next < end && base[next] != UInt8(ascii: ".") && base[next] | 0x20 != UInt8(ascii: "e") { return next }
        }
        do throws(JSONFault) {
            next = try JSONNumber.scan(base, at, end).end
        } catch {
            if error.reason == .unexpectedEnd && !isLast { return nil }
            throw error
        }
        return next == end && !isLast ? nil : next
    }

    private mutating func separator(_ base: UnsafePointer<UInt8>, _ at: Int) throws(JSONFault) -> Int {
        let isObject = levels & 1 == 1
        switch base[at] {
        case UInt8(ascii: ","):
            expected = isObject ? .key : .value
        case UInt8(ascii: "}") where isObject, UInt8(ascii: "]") where !isObject:
            close()
        default:
            throw JSONFault(.unexpectedByte, at: at)
        }
        return at + 1
    }

    private mutating func open(object: Bool, _ at: Int) throws(JSONFault) {
        guard depth < maxDepth else { throw JSONFault(.tooDeep, at: at) }
        depth += 1
        levels = levels << 1 | (object ? 1 : 0)
        expected = object ? .keyOrEnd : .valueOrEnd
    }

    private mutating func close() {
        depth -= 1
        levels >>= 1
        expected = .commaOrEnd
    }
}

/// The three words of JSON.
enum JSONLiteral {
    /// The index after the word at `at`; nil when the bytes end inside it. Throws on any other word.
    @inline(__always)
    static func scan(_ base: UnsafePointer<UInt8>, _ at: Int, _ end: Int) throws(JSONFault) -> Int? {
        switch base[at] {
        case UInt8(ascii: "t"): try match(base, at, end, "true")
        case UInt8(ascii: "f"): try match(base, at, end, "false")
        case UInt8(ascii: "n"): try match(base, at, end, "null")
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
            throw JSONFault(.badLiteral, at: at)
        default: throw JSONFault(.unexpectedByte, at: at)
        }
    }

    @inline(__always)
    private static func match(
        _ base: UnsafePointer<UInt8>, _ at: Int, _ end: Int, _ word: StaticString
    ) throws(JSONFault) -> Int? {
        let count = word.utf8CodeUnitCount
        var index = 0
        while index < count {
            guard at &+ index < end else { return nil }
            guard base[at &+ index] == word.utf8Start[index] else { throw JSONFault(.badLiteral, at: at) }
            index &+= 1
        }
        return at &+ count
    }
}

/// Checks on whole values.
public enum JSON {
    /// Checks that `bytes` are one JSON value and nothing else, by RFC 8259 and the bounds of `JSONLimits`. Strings
    /// must be UTF-8 without lone surrogates; names may repeat. O(n), nothing allocated. Throws what is wrong where.
    public static func validate(_ bytes: UnsafeRawBufferPointer) throws(JSONFault) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { throw JSONFault(.unexpectedEnd, at: 0) }
        let base = start.assumingMemoryBound(to: UInt8.self)
        var structure = JSONStructure()
        var at = 0
        _ = try structure.advance(base, &at, bytes.count, isLast: true)
        while at < bytes.count {
            switch base[at] {
            case 0x20, 0x09, 0x0a, 0x0d: at += 1
            default: throw JSONFault(.trailingBytes, at: at)
            }
        }
    }

    /// Checks that `bytes` are one JSON value and nothing else.
    public static func validate(_ bytes: [UInt8]) throws(JSONFault) {
        var fault: JSONFault?
        bytes.withUnsafeBytes { buffer in
            do throws(JSONFault) { try validate(buffer) } catch { fault = error }
        }
        if let fault { throw fault }
    }
}
