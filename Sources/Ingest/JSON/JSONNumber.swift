#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A number of JSON as it was read: its digits, not yet a value.
///
/// Whether it is an integer is decided by how it is written: `1` is one, `1.0` and `1e3` are not.
struct JSONNumber {
    /// Where its text begins and ends.
    var start: Int
    var end: Int
    var isNegative = false
    /// Written without a point and without an exponent.
    var isInteger = true
    /// The digits as one number, point left out; meaningless when `isCut`.
    var mantissa: UInt64 = 0
    /// More digits than `mantissa` holds.
    var isCut = false
    /// The power of ten that `mantissa` is to be multiplied by.
    var exponent = 0

    /// Reads the number at `start`. A number has no mark at its end: when `end` is reached, `number.end == end` and
    /// the caller decides whether more may come. Throws `.badNumber`.
    @inline(__always)
    static func scan(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) throws(JSONFault) -> JSONNumber {
        var number = JSONNumber(start: start, end: start)
        var at = start
        if base[at] == UInt8(ascii: "-") {
            number.isNegative = true
            at &+= 1
        }
        let first = at
        number.digits(base, &at, end)
        guard at > first else { throw fault(base, first, end) }
        if at &- first > 1 && base[first] == UInt8(ascii: "0") { throw JSONFault(.badNumber, at: first) }
        if at < end && (base[at] == UInt8(ascii: ".") || base[at] | 0x20 == UInt8(ascii: "e")) {
            try number.scanRest(base, &at, end)
        }
        number.end = at
        return number
    }

    @inline(__always)
    private mutating func digits(_ base: UnsafePointer<UInt8>, _ at: inout Int, _ end: Int) {
        let first = at
        var value = mantissa
        while at < end {
            let digit = base[at] &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            value = value &* 10 &+ UInt64(digit)
            at &+= 1
        }
        // 18 digits always fit; more are sorted out with care.
        if at &- start > 18 { checkDigits(base, first, at) }
        mantissa = value
    }

    /// Finds out whether `mantissa` followed by these digits overflows 64 bits.
    private mutating func checkDigits(_ base: UnsafePointer<UInt8>, _ first: Int, _ last: Int) {
        var value = mantissa
        for index in first..<last {
            let (product, productOverflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflows) = product.addingReportingOverflow(UInt64(base[index] &- UInt8(ascii: "0")))
            if productOverflows || sumOverflows {
                isCut = true
                return
            }
            value = sum
        }
    }

    private mutating func scanRest(_ base: UnsafePointer<UInt8>, _ at: inout Int, _ end: Int) throws(JSONFault) {
        isInteger = false
        if base[at] == UInt8(ascii: ".") {
            at += 1
            let first = at
            digits(base, &at, end)
            guard at > first else { throw Self.fault(base, at, end) }
            exponent = first - at
        }
        guard at < end, base[at] | 0x20 == UInt8(ascii: "e") else { return }
        at += 1
        var isMinus = false
        if at < end, base[at] == UInt8(ascii: "-") || base[at] == UInt8(ascii: "+") {
            isMinus = base[at] == UInt8(ascii: "-")
            at += 1
        }
        let first = at
        var power = 0
        while at < end, base[at] &- UInt8(ascii: "0") < 10 {
            // A larger power means 0 or infinity, which `strtod` finds in the text itself.
            if power < 100_000 { power = power * 10 + Int(base[at] - UInt8(ascii: "0")) }
            at += 1
        }
        guard at > first else { throw Self.fault(base, at, end) }
        exponent += isMinus ? -power : power
    }

    private static func fault(_ base: UnsafePointer<UInt8>, _ at: Int, _ end: Int) -> JSONFault {
        JSONFault(at >= end ? .unexpectedEnd : .badNumber, at: at)
    }

    /// The value when it is written as an integer and fits; nil otherwise.
    @inline(__always)
    var int64: Int64? {
        guard isInteger && !isCut else { return nil }
        if isNegative {
            guard mantissa <= 1 << 63 else { return nil }
            return Int64(truncatingIfNeeded: 0 &- mantissa)
        }
        return mantissa < 1 << 63 ? Int64(truncatingIfNeeded: mantissa) : nil
    }

    /// The value when it is written as a non-negative integer and fits; nil otherwise.
    var uint64: UInt64? { isInteger && !isCut && (!isNegative || mantissa == 0) ? mantissa : nil }

    /// The nearest double; infinite when there is none that large.
    @inline(__always)
    func double(_ base: UnsafePointer<UInt8>, powers: UnsafePointer<Double>) -> Double {
        // Both factors exact, so one rounding: the nearest double (Clinger's fast path).
        if !isCut && mantissa <= 1 << 53 && exponent >= -22 && exponent <= 22 {
            let value = Double(mantissa)
            let scaled = exponent < 0 ? value / powers[0 &- exponent] : value * powers[exponent]
            return isNegative ? -scaled : scaled
        }
        return Self.slowDouble(base + start, count: end - start)
    }

    /// By the C library; `text` is a number this scanner has checked.
    @inline(never)
    static func slowDouble(_ text: UnsafePointer<UInt8>, count: Int) -> Double {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: count + 1) { copy in
            for index in 0..<count { copy[index] = CChar(bitPattern: text[index]) }
            copy[count] = 0
            guard let start = copy.baseAddress else { return 0 }
            return strtod(start, nil)
        }
    }

    /// 10⁰ to 10²², all exact, for `double`. The caller owns the memory.
    static func makePowers() -> UnsafeMutablePointer<Double> {
        let powers = UnsafeMutablePointer<Double>.allocate(capacity: 23)
        var value = 1.0
        for index in 0..<23 {
            powers[index] = value
            value *= 10
        }
        return powers
    }
}
