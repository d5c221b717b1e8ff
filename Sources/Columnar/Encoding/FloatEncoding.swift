/// Floats as decimal numbers where they are such (12.345, 0.1), else as bit patterns.
///
/// A measured value mostly has few decimal places. Then value × 10^k is an integer n, and n ÷ 10^k, rounded once,
/// gives back the same bits; rows where it does not (NaN, −0, a computed value) are kept aside as exceptions.
protocol StoredFloat: BinaryFloatingPoint, BitwiseCopyable, Sendable {
    associatedtype Bits: FixedWidthInteger & UnsignedInteger & BitwiseCopyable & Sendable
    var bitPattern: Bits { get }
    init(bitPattern: Bits)
    init(narrowing value: Double)
}

extension Double: StoredFloat {
    init(narrowing value: Double) { self = value }
}

extension Float: StoredFloat {
    init(narrowing value: Double) { self = Float(value) }
}

enum FloatEncoding {
    /// 10^0 … 10^18: those up to 10^22 are exact as Double.
    static let powers: [Double] = (0...EncodingFormat.maxExponent).reduce(into: []) { powers, _ in
        powers.append((powers.last ?? 0.1) * 10)
    }.enumerated().map { exactPower($0.offset) }

    private static func exactPower(_ exponent: Int) -> Double {
        var power: UInt64 = 1
        for _ in 0..<exponent { power *= 10 }
        return Double(power)
    }

    /// Appends the encoding's number and body.
    static func encode<Value: StoredFloat>(_ values: [Value], to builder: inout BlockBuilder) {
        if let exponent = exponent(values), encodeDecimal(values, exponent, to: &builder) { return }
        builder.uint8(Encoding.bits.rawValue)
        IntegerEncoder.encode(values.map(\.bitPattern), to: &builder)
    }

    /// The integer n with n ÷ power = value, bit for bit; nil when there is none below 2^51.
    @inline(__always)
    private static func integer<Value: StoredFloat>(_ value: Value, _ power: Double) -> Int64? {
        // Adding and taking away 1.5 × 2^52 rounds to an integer, without a call.
        let magic = 6_755_399_441_055_744.0
        let scaled = Double(value) * power
        guard scaled.magnitude < 2_251_799_813_685_248 else { return nil }
        let rounded = (scaled + magic) - magic
        guard Value(narrowing: rounded / power).bitPattern == value.bitPattern else { return nil }
        return Int64(rounded)
    }

    /// The smallest exponent that fits nearly all of a sample; nil when none does.
    private static func exponent<Value: StoredFloat>(_ values: [Value]) -> Int? {
        guard !values.isEmpty else { return nil }
        let step = max(1, values.count / 64)
        let sample = stride(from: 0, to: values.count, by: step).map { values[$0] }
        for exponent in 0...EncodingFormat.maxExponent {
            let power = powers[exponent]
            var misses = 0
            for value in sample where integer(value, power) == nil {
                misses += 1
                if misses * 16 > sample.count { break }
            }
            if misses * 16 <= sample.count { return exponent }
        }
        return nil
    }

    private static func encodeDecimal<Value: StoredFloat>(
        _ values: [Value], _ exponent: Int, to builder: inout BlockBuilder
    ) -> Bool {
        let power = powers[exponent]
        var integers: [Int64] = []
        integers.reserveCapacity(values.count)
        var exceptions: [Int] = []
        for index in values.indices {
            if let value = integer(values[index], power) {
                integers.append(value)
            } else {
                integers.append(integers.last ?? 0)
                exceptions.append(index)
                if exceptions.count > values.count / 8 { return false }
            }
        }
        builder.uint8(Encoding.decimal.rawValue)
        builder.uint8(UInt8(exponent))
        builder.count(exceptions.count)
        var before = 0
        for row in exceptions {
            builder.count(row - before)
            builder.integer(values[row].bitPattern)
            before = row
        }
        IntegerEncoder.encode(integers, to: &builder)
        return true
    }

    /// Decodes `count` floats. Throws `.corrupt`.
    static func decode<Value: StoredFloat>(
        _: Value.Type, count: Int, _ cursor: inout BlockCursor
    ) throws(ColumnarError) -> [Value] {
        let number = try cursor.uint8()
        switch Encoding(rawValue: number) {
        case .bits:
            let patterns = try IntegerDecoder.decode(Value.Bits.self, count: count, &cursor)
            try cursor.allocate(count, size: MemoryLayout<Value>.size)
            return patterns.map { Value(bitPattern: $0) }
        case .decimal: return try decodeDecimal(count, &cursor)
        default: throw cursor.corrupt("encoding \(number) is none of floats")
        }
    }

    private static func decodeDecimal<Value: StoredFloat>(
        _ count: Int, _ cursor: inout BlockCursor
    ) throws(ColumnarError) -> [Value] {
        let exponent = Int(try cursor.uint8())
        guard exponent <= EncodingFormat.maxExponent else { throw cursor.corrupt("an exponent of \(exponent)") }
        let exceptionCount = try cursor.count(max: count)
        var exceptions: [(row: Int, value: Value)] = []
        var row = 0
        for _ in 0..<exceptionCount {
            row += try cursor.count(max: count)
            guard row < count else { throw cursor.corrupt("an exception past the rows") }
            exceptions.append((row, Value(bitPattern: try cursor.integer(Value.Bits.self))))
        }
        let integers = try IntegerDecoder.decode(Int64.self, count: count, &cursor)
        try cursor.allocate(count, size: MemoryLayout<Value>.size)
        let power = powers[exponent]
        var values = [Value](unsafeUninitializedCapacity: count) { buffer, filled in
            for index in 0..<count {
                buffer.initializeElement(at: index, to: Value(narrowing: Double(integers[index]) / power))
            }
            filled = count
        }
        for exception in exceptions { values[exception.row] = exception.value }
        return values
    }
}
