import TestSupport
import Testing

@testable import Ingest

@Suite("JSON scanner")
struct JSONScannerTests {
    /// Values RFC 8259 allows, within the scanner's bounds.
    static let good: [String] = [
        "{}", "[]", "0", "-0", "1", "-1", "10", "1.5", "-1.5e10", "1E+2", "1e-2", "0.1", "0e0",
        "123456789012345678901234567890",
        "1e999", "-1e-999", "true", "false", "null", "\"\"", "\"a\"", " 1 ", "\t{\r\n}\n", "[1,2,3]", "[ 1 , 2 ]",
        #"{"a":1}"#, #"{"a":{"b":[1,{"c":null}]}}"#, #"{"a":1,"a":2}"#, #"{"":0}"#, #""\" \\ \/ \b \f \n \r \t""#,
        #""A é € 𝄞 \u0000""#, #""\ud834\udd1e""#, #""é € 𝄞 ü""#, #""ends exactly8""#, #"[[],{},"",0,true]"#,
        #""1234567""#, #""12345678""#, #""123456789""#, #"{"1234567":"12345678","123456789":""}"#, #""\u00Ff""#,
        "\"\u{7f}\"", "\"\u{10FFFF}\"", "\"\u{FFFD}\"",
        String(repeating: "[", count: 100) + String(repeating: "]", count: 100),
        "[\n1,\n2\n]", #"{"a" : "b" , "c" : [ ] }"#,
    ]

    /// Bytes that are none, with what is wrong where.
    static let bad: [(String, JSONFault.Reason, Int)] = [
        ("", .unexpectedEnd, 0), (" ", .unexpectedEnd, 1), ("{", .unexpectedEnd, 1), ("[1", .unexpectedEnd, 2),
        ("[1,]", .unexpectedByte, 3), ("[,1]", .unexpectedByte, 1), ("[1 2]", .unexpectedByte, 3),
        ("]", .unexpectedByte, 0),
        ("{]", .unexpectedByte, 1), ("[}", .unexpectedByte, 1), (#"{"a"}"#, .unexpectedByte, 4),
        (#"{"a":}"#, .unexpectedByte, 5), (#"{"a":1,}"#, .unexpectedByte, 7), (#"{"a" 1}"#, .unexpectedByte, 5),
        (#"{a:1}"#, .unexpectedByte, 1), (#"{1:1}"#, .unexpectedByte, 1), (#"{"a":1 "b":2}"#, .unexpectedByte, 7),
        ("1 2", .trailingBytes, 2), ("{} {}", .trailingBytes, 3), ("nul", .unexpectedEnd, 3), ("nulL", .badLiteral, 0),
        ("True", .badLiteral, 0), ("NaN", .badLiteral, 0), ("Infinity", .badLiteral, 0), ("01", .badNumber, 0),
        ("-", .unexpectedEnd, 1), ("-a", .badNumber, 1), ("+1", .unexpectedByte, 0), (".5", .unexpectedByte, 0),
        ("1.", .unexpectedEnd, 2), ("1.x", .badNumber, 2), ("1e", .unexpectedEnd, 2), ("1e+", .unexpectedEnd, 3),
        ("-01", .badNumber, 1), ("1ex", .badNumber, 2), ("0x10", .trailingBytes, 1), ("'a'", .unexpectedByte, 0),
        ("\"a", .unexpectedEnd, 2), ("\"a\nb\"", .controlCharacter, 2), ("\"\0\"", .controlCharacter, 1),
        ("\"long enough to\tfail\"", .controlCharacter, 15), ("\0", .unexpectedByte, 0), ("{}\0", .trailingBytes, 2),
        (#""\x""#, .badEscape, 1), (#""\u12G4""#, .badEscape, 1), (#""\u12"#, .unexpectedEnd, 5),
        (#""\ud800""#, .loneSurrogate, 1), (#""\ud800x""#, .loneSurrogate, 1), (#""\ud800\n""#, .loneSurrogate, 1),
        (#""\udc00""#, .loneSurrogate, 1), (#""\ud800\ud800""#, .loneSurrogate, 1), ("/* */ 1", .unexpectedByte, 0),
        (String(repeating: "[", count: 101), .tooDeep, 100),
        (String(repeating: #"{"a":"#, count: 101), .tooDeep, 500), ("\u{FEFF}1", .unexpectedByte, 0),
    ]

    /// Bytes in quotes that are no UTF-8.
    static let badUTF8: [[UInt8]] = [
        [0x80], [0xbf], [0xc0, 0x80], [0xc1, 0xbf], [0xe0, 0x80, 0x80], [0xe0, 0x9f, 0xbf], [0xed, 0xa0, 0x80],
        [0xf0, 0x8f, 0xbf, 0xbf], [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xff], [0xc3, 0x28],
        [0xe2, 0x28, 0xa1], [0xe2, 0x82, 0x28], [0xf0, 0x28, 0x8c, 0xbc], [0xf0, 0x90, 0x28, 0xbc], [0xc3],
    ]

    static func fault(_ bytes: [UInt8]) -> JSONFault? {
        do throws(JSONFault) {
            try JSON.validate(bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test("what the RFC allows is taken", arguments: good)
    func takesGood(text: String) { #expect(Self.fault(Array(text.utf8)) == nil) }

    @Test("what it does not allow is refused with reason and place", arguments: bad.indices)
    func refusesBad(index: Int) {
        let (text, reason, position) = Self.bad[index]
        #expect(Self.fault(Array(text.utf8)) == JSONFault(reason, at: position), "\(text)")
    }

    @Test("bytes that are no UTF-8 are refused wherever in a string they stand", arguments: badUTF8)
    func refusesBadUTF8(bytes: [UInt8]) {
        for padding in 0..<10 {
            let quoted = [0x22] + [UInt8](repeating: 0x61, count: padding) + bytes + [0x22]
            #expect(Self.fault(quoted) == JSONFault(.invalidUTF8, at: 1 + padding))
        }
    }

    @Test("a value in two pieces is judged as in one, wherever it is cut")
    func resumes() {
        let bytes = Array(#" {"né":[1.5e3,-2,"x\u00e9\ud834\udd1e\n",true,null],"b":{"c":"","d":0}} "#.utf8)
        for cut in 0...bytes.count {
            var structure = JSONStructure()
            var at = 0
            let isComplete = bytes.withUnsafeBufferPointer { buffer -> Bool in
                guard let base = buffer.baseAddress else { return false }
                if (try? structure.advance(base, &at, cut, isLast: false)) == true { return true }
                return (try? structure.advance(base, &at, bytes.count, isLast: true)) == true
            }
            #expect(isComplete && at == bytes.count - 1, "cut at \(cut)")
        }
    }

    static let numbers: [(String, Double)] = [
        ("0", 0), ("-0", -0.0), ("1", 1), ("0.1", 0.1), ("123.456", 123.456), ("1e22", 1e22), ("1e23", 1e23),
        ("9007199254740993", 9_007_199_254_740_992), ("1.7976931348623157e308", 1.7976931348623157e308),
        ("5e-324", .leastNonzeroMagnitude),
        ("123456789012345678901234567890", 1.2345678901234568e29), ("0.000000000000000000000000000001", 1e-30),
        ("2.2250738585072014e-308", .leastNormalMagnitude), ("1e999", .infinity), ("-1e999", -.infinity),
        ("1234567890123456.78901234567890123", 1234567890123456.78901234567890123), ("0.3e1", 3), ("17e-1", 1.7),
    ]

    @Test("numbers are the nearest doubles", arguments: numbers.indices)
    func readsDoubles(index: Int) throws {
        let (text, expected) = Self.numbers[index]
        let bytes = Array(text.utf8)
        let powers = JSONNumber.makePowers()
        defer { powers.deallocate() }
        let value = try bytes.withUnsafeBufferPointer { buffer in
            let base = try #require(buffer.baseAddress)
            return try JSONNumber.scan(base, 0, bytes.count).double(base, powers: powers)
        }
        #expect(value.bitPattern == expected.bitPattern)
    }

    static let integers: [(String, Int64?)] = [
        ("0", 0), ("-0", 0), ("9223372036854775807", .max), ("9223372036854775808", nil),
        ("-9223372036854775808", .min),
        ("-9223372036854775809", nil), ("18446744073709551615", nil), ("18446744073709551616", nil), ("1.0", nil),
        ("1e3", nil), ("100000000000000000000000000", nil), ("1234567890123456789", 1_234_567_890_123_456_789),
    ]

    @Test("integers are exact or none", arguments: integers.indices)
    func readsIntegers(index: Int) throws {
        let (text, expected) = Self.integers[index]
        let bytes = Array(text.utf8)
        let value = try bytes.withUnsafeBufferPointer { buffer in
            try JSONNumber.scan(#require(buffer.baseAddress), 0, bytes.count).int64
        }
        #expect(value == expected)
    }

    @Test("mutated records never trap, and validator and row builder agree on them")
    func fuzz() {
        let seeds = [
            #"{"a":1,"b":"x\u00e9y","c":[1,2.5,"z"],"d":{"e":null,"f":true},"t":"2024-04-17T04:04:12Z"}"#,
            #"{"timestamp":1760000000000,"n":-1.5e300,"big":123456789012345678901234567890,"s":"\ud834\udd1e ü"}"#,
            #"{"a":[[1],{"b":[]}],"a.b":{"c":{"d":{"e":"f"}}},"":""}"#,
        ]
        let palette = Array(#"{}[]:,"\ue0123456789.-+tfn "#.utf8) + [0, 0x0a, 0x80, 0xc3, 0xed, 0xff]
        var random = SeededRandom(seed: 20_240_417)
        for round in 0..<30_000 {
            var bytes = Array(seeds[round % seeds.count].utf8)
            for _ in 0...Int(random.next() % 4) {
                let place = Int(random.next() % UInt64(max(bytes.count, 1)))
                switch random.next() % 4 {
                case 0: bytes.insert(palette[Int(random.next() % UInt64(palette.count))], at: min(place, bytes.count))
                case 1: if !bytes.isEmpty { bytes.remove(at: place) }
                case 2: if !bytes.isEmpty { bytes[place] = palette[Int(random.next() % UInt64(palette.count))] }
                default: bytes.removeLast(Int(random.next() % UInt64(bytes.count / 2 + 1)))
                }
            }
            let builder = RowBuilder(tableName: "t", definition: nil)
            var parserFault: JSONFault?
            for _ in 0..<2 {
                bytes.withUnsafeBytes { record in
                    do throws(JSONFault) { try builder.append(record, timestampMs: 0) } catch { parserFault = error }
                }
            }
            let validatorFault = Self.fault(bytes)
            if parserFault?.reason == .notAnObject {
                #expect(validatorFault == nil)
            } else {
                #expect((parserFault == nil) == (validatorFault == nil), "\(String(decoding: bytes, as: UTF8.self))")
            }
            #expect(builder.rowCount == (parserFault == nil ? 2 : 0))
        }
    }
}
