import Columnar

// hex, base64, readable sizes, addresses as text.

enum EncodingFunctions {
    static let all: [any ScalarFunction] = [
        hex, bin, unhex, base64Encode, base64Decode("base64Decode", isStrict: true),
        base64Decode("tryBase64Decode", isStrict: false),
        readable("formatReadableSize") { binarySize($0) }, readable("formatReadableDecimalSize") { decimalSize($0) },
        readable("formatReadableQuantity") { quantity($0) }, readable("formatReadableTimeDelta") { timeDelta($0) },
        crc32, ipv4NumToString, ipv4StringToNum("IPv4StringToNum", isStrict: true),
        ipv4StringToNum("IPv4StringToNumOrDefault", isStrict: false), ipv4ToIPv6, ipv6NumToString,
        addressTest("isIPv4String") { ValueText.parseIPv4($0) != nil },
        addressTest("isIPv6String") { ValueText.parseIPv4($0) == nil && ValueText.parseIPv6($0) != nil },
        isIPAddressInRange,
    ]

    // MARK: Digits

    /// The bytes that `hex` shows: of numbers from the highest that is not 0, of floats and wide ones all.
    private static func rawBytes(_ column: Column, row: Int) -> [UInt8] {
        func whole<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
            let bytes = withUnsafeBytes(of: value.bigEndian) { Array($0) }
            let short = bytes.drop { $0 == 0 }
            return short.isEmpty ? [0] : Array(short)
        }
        switch column.data {
        case .int8(let values): return whole(values[row])
        case .int16(let values): return whole(values[row])
        case .int32(let values): return whole(values[row])
        case .int64(let values): return whole(values[row])
        case .uint8(let values): return whole(values[row])
        case .uint16(let values): return whole(values[row])
        case .uint32(let values): return whole(values[row])
        case .uint64(let values): return whole(values[row])
        case .uint128(let values): return withUnsafeBytes(of: values[row].bigEndian) { Array($0) }
        case .float32(let values): return withUnsafeBytes(of: values[row]) { Array($0) }
        case .float64(let values): return withUnsafeBytes(of: values[row]) { Array($0) }
        case .string(let values): return Array(values[row])
        default: return []
        }
    }

    private static func digits(_ name: String, _ body: @escaping @Sendable ([UInt8], inout [UInt8]) -> Void)
        -> any ScalarFunction
    {
        PlainFunction(
            name, 1...1,
            type: { (arguments) throws(QueryError) in
                switch arguments[0].type.base {
                case .array, .map, .tuple, .interval: throw illegalArgument(name, 0, arguments[0].type)
                default: return .string
                }
            },
            body: { (columns, type, count, _) throws(QueryError) in
                let column = columns[0].flattened()
                var bytes: [UInt8] = []
                var offsets: [UInt32] = [0]
                for row in 0..<count {
                    body(rawBytes(column, row: row), &bytes)
                    try StringFunctions.checkSize(bytes.count)
                    offsets.append(UInt32(bytes.count))
                }
                return StringFunctions.result(StringData(bytes: bytes, offsets: offsets))
            })
    }

    private static func upperHex(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x37 + value }

    private static let hex = digits("hex") { bytes, out in
        for byte in bytes { out += [upperHex(byte >> 4), upperHex(byte & 15)] }
    }

    private static let bin = digits("bin") { bytes, out in
        for byte in bytes { for bit in 0..<8 { out.append(0x30 + (byte >> UInt8(7 - bit)) & 1) } }
    }

    private static let unhex = StringFunctions.make("unhex", 1...1, .string) { (columns, _, _, _) throws(QueryError) in
        StringFunctions.result(
            columns[0].strings.mapStrings { text, out in
                // An odd number of digits lacks a 0 in front.
                var index = 0
                if text.count % 2 == 1 {
                    out.append(ValueText.hexValue(text[0]) ?? 0)
                    index = 1
                }
                while index + 1 < text.count {
                    out.append((ValueText.hexValue(text[index]) ?? 0) << 4 | (ValueText.hexValue(text[index + 1]) ?? 0))
                    index += 2
                }
            })
    }

    // MARK: Base64

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static let base64Encode = StringFunctions.make("base64Encode", 1...1, .string) {
        (columns, _, _, _) throws(QueryError) in
        let alphabet = alphabet
        return StringFunctions.result(
            columns[0].strings.mapStrings { text, out in
                var index = 0
                while index < text.count {
                    let rest = text.count - index
                    let bits =
                        UInt32(text[index]) << 16 | (rest > 1 ? UInt32(text[index + 1]) << 8 : 0)
                        | (rest > 2 ? UInt32(text[index + 2]) : 0)
                    out.append(alphabet[Int(bits >> 18)])
                    out.append(alphabet[Int(bits >> 12 & 63)])
                    out.append(rest > 1 ? alphabet[Int(bits >> 6 & 63)] : 0x3D)
                    out.append(rest > 2 ? alphabet[Int(bits & 63)] : 0x3D)
                    index += 3
                }
            })
    }

    private static func base64Decode(_ name: String, isStrict: Bool) -> any ScalarFunction {
        PlainFunction(
            name, 1...1, canFail: isStrict,
            type: { (arguments) throws(QueryError) in
                guard arguments[0].type.base == .string else {
                    throw illegalArgument(name, 0, arguments[0].type, expected: "String")
                }
                return .string
            },
            body: { (columns, _, _, _) throws(QueryError) in
                var isBad = false
                let result = columns[0].strings.mapStrings { text, out in
                    guard let bytes = decoded(text) else {
                        isBad = true
                        return
                    }
                    out += bytes
                }
                if isBad, isStrict { throw QueryError(.incorrectData, "Invalid base64 in function \(name)") }
                return StringFunctions.result(result)
            })
    }

    private static func decoded(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var result: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        var padding = 0
        for byte in text {
            let value: UInt8
            switch byte {
            case 0x41...0x5A: value = byte - 0x41
            case 0x61...0x7A: value = byte - 0x61 + 26
            case 0x30...0x39: value = byte - 0x30 + 52
            case 0x2B: value = 62
            case 0x2F: value = 63
            case 0x3D:
                padding += 1
                value = 0
            default: return nil
            }
            if padding > 0, byte != 0x3D { return nil }
            bits = bits << 6 | UInt32(value)
            count += 1
            if count == 4 {
                result += [UInt8(bits >> 16 & 0xFF), UInt8(bits >> 8 & 0xFF), UInt8(bits & 0xFF)]
                (bits, count) = (0, 0)
            }
        }
        guard padding <= 2 else { return nil }
        result.removeLast(padding)
        return result
    }

    // MARK: Readable numbers

    private static func readable(_ name: String, _ body: @escaping @Sendable (Double) -> String) -> any ScalarFunction {
        PlainFunction(
            name, 1...1,
            type: { (arguments) throws(QueryError) in
                guard arguments[0].type.isNumeric else { throw illegalArgument(name, 0, arguments[0].type) }
                return .string
            },
            body: { (columns, _, _, _) throws(QueryError) in
                StringFunctions.result(StringData(columns[0].flattened().data.doubles().map { body($0) }))
            })
    }

    static func fixed(_ value: Double, digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else {
            return value.isNaN ? "nan" : value.isInfinite ? (value < 0 ? "-inf" : "inf") : "\(value)"
        }
        let scale = Civil.powerOfTen(digits)
        let rounded = Int64((abs(value) * Double(scale)).rounded(.toNearestOrEven))
        let fraction = String(rounded % scale)
        return (value < 0 ? "-" : "") + "\(rounded / scale)."
            + String(repeating: "0", count: digits - fraction.utf8.count) + fraction
    }

    private static func scaled(_ value: Double, _ step: Double, _ units: [String]) -> String {
        var value = value
        var index = 0
        while abs(value) >= step, index < units.count - 1 {
            value /= step
            index += 1
        }
        return fixed(value, digits: 2) + units[index]
    }

    private static func binarySize(_ value: Double) -> String {
        scaled(value, 1024, [" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB", " ZiB", " YiB"])
    }

    private static func decimalSize(_ value: Double) -> String {
        scaled(value, 1000, [" B", " KB", " MB", " GB", " TB", " PB", " EB", " ZB", " YB"])
    }

    private static func quantity(_ value: Double) -> String {
        scaled(value, 1000, ["", " thousand", " million", " billion", " trillion", " quadrillion", " quintillion"])
    }

    private static func timeDelta(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
        var rest = Int64(abs(value))
        var parts: [String] = []
        let units: [(Int64, String)] = [
            (31_536_000, "year"), (2_635_200, "month"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"),
        ]
        for (seconds, unit) in units {
            let count = rest / seconds
            rest -= count * seconds
            if count > 0 || (unit == "second" && parts.isEmpty) {
                parts.append("\(count) \(unit)\(count == 1 ? "" : "s")")
            }
        }
        let last = parts.removeLast()
        return (value < 0 ? "-" : "") + (parts.isEmpty ? last : parts.joined(separator: ", ") + " and " + last)
    }

    // MARK: Hashes

    private static let crc32 = StringFunctions.make("crc32", 1...1, .uint32) {
        (columns, type, _, _) throws(QueryError) in
        Column(
            type: type,
            data: .uint32(
                columns[0].strings.map { text in
                    var crc: UInt32 = 0xFFFF_FFFF
                    for byte in text {
                        crc ^= UInt32(byte)
                        for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
                    }
                    return ~crc
                }))
    }

    // MARK: Addresses

    private static let ipv4NumToString = PlainFunction(
        "IPv4NumToString", 1...1,
        type: { (arguments) throws(QueryError) in
            guard arguments[0].type.isInteger || arguments[0].type == .ipv4 else {
                throw illegalArgument("IPv4NumToString", 0, arguments[0].type)
            }
            return .string
        },
        body: { (columns, _, _, _) throws(QueryError) in
            let addresses = Column(type: .ipv4, data: .uint32(columns[0].integerRows(as: UInt32.self)))
            return StringFunctions.result(ValueText.strings(addresses))
        })

    private static func ipv4StringToNum(_ name: String, isStrict: Bool) -> any ScalarFunction {
        PlainFunction(
            name, 1...1, canFail: isStrict,
            type: { (arguments) throws(QueryError) in
                guard arguments[0].type.base == .string else {
                    throw illegalArgument(name, 0, arguments[0].type, expected: "String")
                }
                return .uint32
            },
            body: { (columns, type, _, _) throws(QueryError) in
                try Cast.parsed(columns[0].flattened(), to: .ipv4, onFailure: isStrict ? .error : .zero).withType(type)
            })
    }

    private static let ipv4ToIPv6 = PlainFunction(
        "IPv4ToIPv6", 1...1,
        type: { (arguments) throws(QueryError) in
            guard arguments[0].type == .ipv4 else { throw illegalArgument("IPv4ToIPv6", 0, arguments[0].type) }
            return .ipv6
        },
        body: { (columns, type, _, _) throws(QueryError) in try Cast.column(columns[0].flattened(), to: type) })

    private static let ipv6NumToString = PlainFunction(
        "IPv6NumToString", 1...1,
        type: { (arguments) throws(QueryError) in
            guard arguments[0].type == .ipv6 else { throw illegalArgument("IPv6NumToString", 0, arguments[0].type) }
            return .string
        },
        body: { (columns, _, _, _) throws(QueryError) in StringFunctions.result(ValueText.strings(columns[0])) })

    private static func addressTest(_ name: String, _ body: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool)
        -> any ScalarFunction
    {
        StringFunctions.make(name, 1...1, .uint8) { (columns, type, _, _) throws(QueryError) in
            Column(type: type, data: .uint8(columns[0].strings.mask { body($0) }))
        }
    }

    private static let isIPAddressInRange = PlainFunction(
        "isIPAddressInRange", 2...2, canFail: true,
        type: { (arguments) throws(QueryError) in
            switch arguments[0].type.base {
            case .string, .ipv4, .ipv6: break
            default: throw illegalArgument("isIPAddressInRange", 0, arguments[0].type)
            }
            guard arguments[1].type.base == .string else {
                throw illegalArgument("isIPAddressInRange", 1, arguments[1].type)
            }
            return .uint8
        },
        body: { (columns, type, count, _) throws(QueryError) in
            let texts = ValueText.strings(columns[0])
            let ranges = columns[1].strings
            var isBad = false
            let mask: [UInt8] = StringFunctions.pairs(texts, ranges, count) { text, range in
                guard let slash = range.firstIndex(of: 0x2F),
                    let bits: Int = ValueText.parseInteger(UnsafeRawBufferPointer(rebasing: range[(slash + 1)...])),
                    let address = ValueText.parseIPv6(text),
                    let network = ValueText.parseIPv6(UnsafeRawBufferPointer(rebasing: range[..<slash]))
                else {
                    isBad = true
                    return 0
                }
                let isShort = ValueText.parseIPv4(UnsafeRawBufferPointer(rebasing: range[..<slash])) != nil
                // Addresses of the other family lie in no range.
                if isShort != (ValueText.parseIPv4(text) != nil) { return 0 }
                let length = isShort ? bits + 96 : bits
                guard bits >= 0, length <= 128 else {
                    isBad = true
                    return 0
                }
                return byte(length == 0 || (address ^ network) >> UInt128(128 - length) == 0)
            }
            if isBad {
                throw QueryError(.badArguments, "isIPAddressInRange takes an address and a range such as 10.0.0.0/8")
            }
            return Column(type: type, data: .uint8(mask))
        })
}
