/// A request's path and parameters, decoded. Values are bytes: SQL and literals need not be UTF-8.
struct RequestTarget: Sendable {
    /// The path, percent-decoded, without a trailing slash ("/" stays).
    var path: String
    /// The parameters in order; names may repeat.
    var parameters: [Parameter]

    /// One `name=value`.
    struct Parameter: Sendable, Hashable {
        var name: String
        var value: [UInt8]
    }

    /// Splits what stands in the request line.
    init(_ target: String) {
        // A proxy may send the absolute form.
        var text = target[...]
        if let scheme = text.range(of: "://"), text.hasPrefix("http") {
            let rest = text[scheme.upperBound...]
            text = rest.firstIndex { $0 == "/" || $0 == "?" }.map { rest[$0...] } ?? "/"
        }
        if let hash = text.firstIndex(of: "#") { text = text[..<hash] }
        let question = text.firstIndex(of: "?")
        path = String(
            decoding: Self.decode(text[..<(question ?? text.endIndex)].utf8, plusIsSpace: false), as: UTF8.self)
        while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
        if path.isEmpty { path = "/" }
        parameters = question.map { Self.parse(text[text.index(after: $0)...].utf8) } ?? []
    }

    /// Reads `a=b&c=d`.
    static func parse(_ text: some Collection<UInt8>) -> [Parameter] {
        text.split(separator: UInt8(ascii: "&")).map { pair in
            let equals = pair.firstIndex(of: UInt8(ascii: "="))
            let name = decode(pair[..<(equals ?? pair.endIndex)], plusIsSpace: true)
            let value = equals.map { decode(pair[pair.index(after: $0)...], plusIsSpace: true) } ?? []
            return Parameter(name: String(decoding: name, as: UTF8.self), value: value)
        }
    }

    /// The value of the last parameter of that name.
    subscript(name: String) -> [UInt8]? { parameters.last { $0.name == name }?.value }

    /// The same as text.
    func text(_ name: String) -> String? { self[name].map { String(decoding: $0, as: UTF8.self) } }

    private static func decode(_ text: some Collection<UInt8>, plusIsSpace: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var rest = text[...]
        while let byte = rest.first {
            rest = rest.dropFirst()
            if byte == UInt8(ascii: "%"), let high = rest.first.flatMap(hexDigit),
                let low = rest.dropFirst().first.flatMap(hexDigit)
            {
                bytes.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else if byte == UInt8(ascii: "+"), plusIsSpace {
                bytes.append(0x20)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}

extension Substring {
    /// The first place where `text` stands.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
