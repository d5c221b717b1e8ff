import Testing

@testable import Ingest

@Suite("Primary keys as bytes")
struct RowKeyTests {
    private static func key(_ values: String...) -> [UInt8] {
        var key = RowKey()
        for value in values { Array(value.utf8).withUnsafeBytes { key.append($0) } }
        return key.bytes
    }

    @Test("keys order as their values do, the first value first")
    func order() {
        let ordered = [
            Self.key("null"), Self.key("false"), Self.key("true"), Self.key("-9223372036854775808"), Self.key("-1"),
            Self.key("0"), Self.key("1"), Self.key("1", "2"), Self.key("1", "10"), Self.key("2"), Self.key("256"),
            Self.key("9223372036854775807"), Self.key("1.5"), Self.key(#""""#), Self.key(#""\u0000""#),
            Self.key(#""a""#), Self.key(#""a""#, #""b""#), Self.key(#""a\u0000""#), Self.key(#""ab""#),
            Self.key(#""b""#),
            Self.key("[1]"),
        ]
        for (left, right) in zip(ordered, ordered.dropFirst()) {
            #expect(left.lexicographicallyPrecedes(right), "\(left) before \(right)")
        }
    }

    @Test("different keys are different bytes, however their values are cut; equal ones are equal")
    func distinct() {
        let keys = [
            Self.key(#""a""#, #""bc""#), Self.key(#""ab""#, #""c""#), Self.key(#""abc""#), Self.key("1", "2"),
            Self.key("12"), Self.key(#""12""#), Self.key("18446744073709551615"), Self.key(#""a\u0000""#, #""b""#),
            Self.key(#""a""#, #""\u0000b""#), Self.key("{}"),
        ]
        #expect(Set(keys).count == keys.count)
        #expect(Self.key(#""\u0061""#) == Self.key(#""a""#))
    }

    @Test("the bytes are those that parts hold")
    func golden() {
        #expect(Self.key("1", #""ab""#, "null") == [2, 0x80, 0, 0, 0, 0, 0, 0, 1, 4, 97, 98, 0, 0, 0])
        #expect(Self.key("-2", #""\u0000""#) == [2, 0x7f, 255, 255, 255, 255, 255, 255, 254, 4, 0, 255, 0, 0])
        var raw = RowKey()
        raw.append(raw: [7, 0])
        #expect(raw.bytes == [6, 7, 0, 255, 0, 0])
    }
}
