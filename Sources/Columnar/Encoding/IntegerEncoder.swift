/// Chooses and writes the encoding of integers by looking at them.
///
/// All widths are handled as 64-bit patterns (signed values sign-extended): differences, bases and products wrap, and
/// cutting the result to the value's width gives it back.
enum IntegerEncoder {
    /// Appends the encoding's number and body.
    static func encode<Value: FixedWidthInteger & BitwiseCopyable>(
        _ values: UnsafeBufferPointer<Value>, to builder: inout BlockBuilder
    ) {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: max(1, values.count)) { wide in
            for index in 0..<values.count { wide[index] = UInt64(truncatingIfNeeded: values[index]) }
            let pattern = UnsafeBufferPointer(rebasing: wide[..<values.count])
            encode(pattern, bytesPerValue: MemoryLayout<Value>.size, isSigned: Value.isSigned, depth: 0, to: &builder)
        }
    }

    /// Appends the encoding's number and body.
    static func encode<Value: FixedWidthInteger & BitwiseCopyable>(_ values: [Value], to builder: inout BlockBuilder) {
        values.withUnsafeBufferPointer { encode($0, to: &builder) }
    }

    private static func encode(
        _ values: UnsafeBufferPointer<UInt64>, bytesPerValue: Int, isSigned: Bool, depth: Int,
        to builder: inout BlockBuilder
    ) {
        let survey = IntegerSurvey(values, isSigned: isSigned)
        if survey.isConstant {
            builder.uint8(Encoding.constant.rawValue)
            appendRaw(values.first ?? 0, bytesPerValue, to: &builder)
            return
        }
        if depth < 2, encodeMultiple(values, survey, bytesPerValue, isSigned, depth, to: &builder) { return }
        var best = (encoding: Encoding.raw, bytes: values.count * bytesPerValue)
        for candidate in [
            (Encoding.frames, survey.frameBytes), (.delta, survey.deltaBytes), (.doubleDelta, survey.doubleDeltaBytes),
        ] where candidate.1 < best.bytes {
            best = candidate
        }
        if depth == 0, values.count >= 64, best.bytes > values.count,
            encodeDictionary(values, bytesPerValue, isSigned, atMost: best.bytes * 7 / 8, to: &builder)
        {
            return
        }
        builder.uint8(best.encoding.rawValue)
        switch best.encoding {
        case .frames: appendFrames(values, isSigned: isSigned, to: &builder)
        case .delta:
            builder.zigzag(Int64(bitPattern: values[0]))
            withDifferences(values) { appendFrames($0, isSigned: true, to: &builder) }
        case .doubleDelta:
            builder.zigzag(Int64(bitPattern: values[0]))
            withDifferences(values) { deltas in
                builder.zigzag(Int64(bitPattern: deltas[0]))
                withDifferences(deltas) { appendFrames($0, isSigned: true, to: &builder) }
            }
        default:
            builder.append(count: values.count * bytesPerValue) { target in
                for index in 0..<values.count {
                    withUnsafeBytes(of: values[index].littleEndian) { bytes in
                        for place in 0..<bytesPerValue { target[index * bytesPerValue + place] = bytes[place] }
                    }
                }
            }
        }
    }

    /// Ticks of a nanosecond that all fall on milliseconds, sizes in pages: divides what all values share.
    private static func encodeMultiple(
        _ values: UnsafeBufferPointer<UInt64>, _ survey: IntegerSurvey, _ bytesPerValue: Int, _ isSigned: Bool,
        _ depth: Int, to builder: inout BlockBuilder
    ) -> Bool {
        let divisor = commonDivisor(values, isSigned: isSigned)
        guard divisor > 1 else { return false }
        builder.uint8(Encoding.multiple.rawValue)
        builder.varint(divisor)
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: values.count) { quotients in
            for index in 0..<values.count {
                quotients[index] =
                    isSigned
                    ? UInt64(bitPattern: Int64(bitPattern: values[index]) / Int64(divisor)) : values[index] / divisor
            }
            encode(
                UnsafeBufferPointer(quotients), bytesPerValue: bytesPerValue, isSigned: isSigned, depth: depth + 1,
                to: &builder)
        }
        return true
    }

    private static func commonDivisor(_ values: UnsafeBufferPointer<UInt64>, isSigned: Bool) -> UInt64 {
        var divisor: UInt64 = 0
        for value in values {
            var rest = isSigned ? Int64(bitPattern: value).magnitude : value
            if divisor != 0 && rest % divisor == 0 { continue }
            while rest != 0 { (divisor, rest) = (rest, divisor % rest) }
            if divisor == 1 { return 1 }
        }
        // A divisor that is no positive Int64 could not divide signed values.
        return divisor <= UInt64(Int64.max) ? divisor : 1
    }

    /// Few distinct values far apart: codes into them.
    private static func encodeDictionary(
        _ values: UnsafeBufferPointer<UInt64>, _ bytesPerValue: Int, _ isSigned: Bool, atMost limit: Int,
        to builder: inout BlockBuilder
    ) -> Bool {
        var interner = IntegerInterner(maxCount: min(1024, values.count / 4))
        var codes: [UInt16] = []
        codes.reserveCapacity(values.count)
        for value in values {
            guard let code = interner.intern(value) else { return false }
            codes.append(code)
        }
        let width = BitPacking.width(of: UInt64(interner.values.count - 1))
        guard BitPacking.byteCount(codes.count, width: width) + interner.values.count * bytesPerValue < limit else {
            return false
        }
        builder.uint8(Encoding.localDictionary.rawValue)
        builder.count(interner.values.count)
        interner.values.withUnsafeBufferPointer {
            encode($0, bytesPerValue: bytesPerValue, isSigned: isSigned, depth: 2, to: &builder)
        }
        codes.withUnsafeBufferPointer { codes in
            withUnsafeTemporaryAllocation(of: UInt64.self, capacity: codes.count) { wide in
                for index in 0..<codes.count { wide[index] = UInt64(codes[index]) }
                encode(UnsafeBufferPointer(wide), bytesPerValue: 2, isSigned: false, depth: 2, to: &builder)
            }
        }
        return true
    }

    private static func withDifferences(
        _ values: UnsafeBufferPointer<UInt64>, _ body: (UnsafeBufferPointer<UInt64>) -> Void
    ) {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: max(1, values.count - 1)) { differences in
            for index in 1..<max(1, values.count) { differences[index - 1] = values[index] &- values[index - 1] }
            body(UnsafeBufferPointer(rebasing: differences[..<(values.count - 1)]))
        }
    }

    private static func appendFrames(
        _ values: UnsafeBufferPointer<UInt64>, isSigned: Bool, to builder: inout BlockBuilder
    ) {
        var start = 0
        while start < values.count {
            let range = start..<min(start + EncodingFormat.frameRows, values.count)
            let (base, span) = IntegerSurvey.baseAndSpan(values, range, isSigned: isSigned)
            let width = BitPacking.width(of: span)
            builder.zigzag(Int64(bitPattern: base))
            builder.uint8(UInt8(width))
            BitPacking.pack(values, range, base: base, width: width, to: &builder)
            start = range.upperBound
        }
    }

    private static func appendRaw(_ value: UInt64, _ bytesPerValue: Int, to builder: inout BlockBuilder) {
        withUnsafeBytes(of: value.littleEndian) {
            builder.append(UnsafeRawBufferPointer(rebasing: $0[..<bytesPerValue]))
        }
    }
}

/// What each encoding of integers would take, found in one pass a frame.
private struct IntegerSurvey {
    var isConstant = true
    var frameBytes = 0
    var deltaBytes = 8
    var doubleDeltaBytes = 12

    /// Bytes a frame takes beside its fields, about.
    private static let frameHeader = 5

    init(_ values: UnsafeBufferPointer<UInt64>, isSigned: Bool) {
        guard values.count > 1 else { return }
        var start = 0
        while start < values.count {
            let range = start..<min(start + EncodingFormat.frameRows, values.count)
            let (base, span) = Self.baseAndSpan(values, range, isSigned: isSigned)
            if span != 0 || base != values[0] { isConstant = false }
            frameBytes += Self.bytes(range.count, span)
            addDifferences(values, range)
            start = range.upperBound
        }
    }

    private mutating func addDifferences(_ values: UnsafeBufferPointer<UInt64>, _ range: Range<Int>) {
        var low = Int64.max
        var high = Int64.min
        var lowSecond = Int64.max
        var highSecond = Int64.min
        // Frames of differences start one or two values later than these; the estimate does not mind.
        let first = max(range.lowerBound, 2)
        for index in stride(from: first, to: range.upperBound, by: 1) {
            let delta = Int64(bitPattern: values[index] &- values[index - 1])
            let before = Int64(bitPattern: values[index - 1] &- values[index - 2])
            let second = delta &- before
            low = min(low, delta)
            high = max(high, delta)
            lowSecond = min(lowSecond, second)
            highSecond = max(highSecond, second)
        }
        guard first < range.upperBound else { return }
        deltaBytes += Self.bytes(range.count, UInt64(bitPattern: high &- low))
        doubleDeltaBytes += Self.bytes(range.count, UInt64(bitPattern: highSecond &- lowSecond))
    }

    private static func bytes(_ count: Int, _ span: UInt64) -> Int {
        frameHeader + BitPacking.byteCount(count, width: BitPacking.width(of: span))
    }

    /// The smallest value of the range and how far the largest is from it.
    static func baseAndSpan(
        _ values: UnsafeBufferPointer<UInt64>, _ range: Range<Int>, isSigned: Bool
    ) -> (base: UInt64, span: UInt64) {
        // Turning the sign bit makes unsigned order signed, so one loop serves both.
        let turn: UInt64 = isSigned ? 0 : 1 << 63
        var low = Int64.max
        var high = Int64.min
        for index in range {
            let value = Int64(bitPattern: values[index] ^ turn)
            low = min(low, value)
            high = max(high, value)
        }
        return (UInt64(bitPattern: low) ^ turn, UInt64(bitPattern: high &- low))
    }
}
