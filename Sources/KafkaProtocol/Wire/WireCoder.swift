/// Reads or writes the fields of one message, in one version: the same list of fields serves both ways.
///
/// Kafka's encoding: numbers big-endian; in flexible versions lengths are varints of length + 1 (0: null) and each
/// structure ends with its tagged fields; in others lengths are 16 or 32 bits (-1: null).
/// https://kafka.apache.org/protocol
public struct WireCoder {
    /// The version of the message.
    public let version: Int16
    /// Whether lengths are varints and structures end with tagged fields.
    public let isFlexible: Bool

    let isReading: Bool
    var input: ArraySlice<UInt8>
    var output: WireOutput
    /// How many array elements and tagged fields may still be made of the input: what bounds memory against a hostile
    /// frame.
    var elementsLeft: Int
    /// Reading: the tagged fields of the structure, once they were reached. Writing: those to be written.
    var tags: [UInt64: ArraySlice<UInt8>]?

    /// The most array elements and tagged fields in one message.
    public static let maxElements = 200_000

    /// A coder that reads `input`.
    public init(reading input: ArraySlice<UInt8>, version: Int16, isFlexible: Bool) {
        self.version = version
        self.isFlexible = isFlexible
        self.input = input
        isReading = true
        output = WireOutput()
        elementsLeft = Self.maxElements
    }

    /// A coder that writes, after what `output` holds.
    public init(writing output: WireOutput, version: Int16, isFlexible: Bool) {
        self.version = version
        self.isFlexible = isFlexible
        self.output = output
        isReading = false
        input = []
        elementsLeft = 0
    }

    /// What was written.
    public consuming func finish() -> WireOutput { output }

    /// Bytes of the input that are left.
    public var remaining: ArraySlice<UInt8> { input }

    // MARK: Numbers

    /// A flag: one byte, 0 or 1.
    public mutating func field(_ value: inout Bool, _ versions: Versions = .all) throws(WireError) {
        var byte: Int8 = value ? 1 : 0
        try field(&byte, versions)
        value = byte != 0
    }

    /// A number of 8 bits.
    public mutating func field(_ value: inout Int8, _ versions: Versions = .all) throws(WireError) {
        if versions.contains(version) { try integer(&value) }
    }

    /// A number of 16 bits.
    public mutating func field(_ value: inout Int16, _ versions: Versions = .all) throws(WireError) {
        if versions.contains(version) { try integer(&value) }
    }

    /// A number of 32 bits.
    public mutating func field(_ value: inout Int32, _ versions: Versions = .all) throws(WireError) {
        if versions.contains(version) { try integer(&value) }
    }

    /// A number of 64 bits.
    public mutating func field(_ value: inout Int64, _ versions: Versions = .all) throws(WireError) {
        if versions.contains(version) { try integer(&value) }
    }

    /// A floating-point number of 64 bits.
    public mutating func field(_ value: inout Double, _ versions: Versions = .all) throws(WireError) {
        var bits = Int64(bitPattern: value.bitPattern)
        try field(&bits, versions)
        value = Double(bitPattern: UInt64(bitPattern: bits))
    }

    /// An error code.
    public mutating func field(_ value: inout ErrorCode, _ versions: Versions = .all) throws(WireError) {
        try field(&value.rawValue, versions)
    }

    // MARK: Strings and bytes

    /// A string.
    public mutating func field(_ value: inout String, _ versions: Versions = .all) throws(WireError) {
        guard versions.contains(version) else { return }
        var optional: String? = value
        try string(&optional, isNullable: false)
        value = optional ?? ""
    }

    /// A string, null in the versions of `nullable` when nil (and empty in others).
    public mutating func field(
        _ value: inout String?, _ versions: Versions = .all, nullable: Versions = .all
    ) throws(WireError) {
        if versions.contains(version) { try string(&value, isNullable: nullable.contains(version)) }
    }

    /// Bytes.
    public mutating func field(_ value: inout [UInt8], _ versions: Versions = .all) throws(WireError) {
        guard versions.contains(version) else { return }
        if isReading {
            guard let count = try length(isWide: true) else { throw null("bytes") }
            value = Array(try take(count))
        } else {
            try writeLength(value.count, isWide: true)
            output.append(value[...])
        }
    }

    /// Bytes, null when nil.
    public mutating func field(_ value: inout [UInt8]?, _ versions: Versions = .all) throws(WireError) {
        guard versions.contains(version) else { return }
        if isReading {
            value = nil
            if let count = try length(isWide: true) { value = Array(try take(count)) }
        } else {
            try writeLength(value?.count, isWide: true)
            if let value { output.append(value[...]) }
        }
    }

    /// Record batches, null when nil. What is read shares the frame's memory.
    public mutating func field(_ value: inout RecordData?, _ versions: Versions = .all) throws(WireError) {
        guard versions.contains(version) else { return }
        if isReading {
            value = nil
            if let count = try length(isWide: true) { value = RecordData(try take(count)) }
        } else {
            try writeLength(value?.count, isWide: true)
            if let value { output.append(value) }
        }
    }

    /// A topic's or member's id of 128 bits.
    public mutating func field(_ value: inout UInt128, _ versions: Versions = .all) throws(WireError) {
        if versions.contains(version) { try integer(&value) }
    }

    // MARK: Structures and arrays

    /// A structure inside this one.
    public mutating func field(
        _ value: inout some WireStruct, _ versions: Versions = .all
    ) throws(WireError) {
        if versions.contains(version) { try value.code(&self) }
    }

    /// An array.
    public mutating func field<Element: WireValue>(
        _ value: inout [Element], _ versions: Versions = .all
    ) throws(WireError) {
        guard versions.contains(version) else { return }
        var optional: [Element]? = value
        value = []
        try array(&optional, isNullable: false)
        value = optional ?? []
    }

    /// An array, null in the versions of `nullable` when nil (and empty in others).
    public mutating func field<Element: WireValue>(
        _ value: inout [Element]?, _ versions: Versions = .all, nullable: Versions = .all
    ) throws(WireError) {
        if versions.contains(version) { try array(&value, isNullable: nullable.contains(version)) }
    }

    /// A tagged field: in flexible versions only, and written only where `isPresent` says so. Comes after all others.
    public mutating func tagged<Value: WireValue>(
        _ tag: UInt64, _ value: inout Value, _ versions: Versions = .all, isPresent: Bool
    ) throws(WireError) {
        guard isFlexible, versions.contains(version) else { return }
        if isReading {
            if tags == nil { tags = try readTags() }
            guard let bytes = tags?[tag] else { return }
            var inner = WireCoder(reading: bytes, version: version, isFlexible: true)
            inner.elementsLeft = elementsLeft
            try value.code(&inner)
            elementsLeft = inner.elementsLeft
        } else if isPresent {
            var inner = WireCoder(writing: WireOutput(), version: version, isFlexible: true)
            try value.code(&inner)
            tags = tags ?? [:]
            tags?[tag] = inner.output.flattened[...]
        }
    }

    // MARK: Structures' ends

    mutating func beginStructure() -> [UInt64: ArraySlice<UInt8>]? {
        defer { tags = nil }
        return tags
    }

    mutating func endStructure(_ outer: [UInt64: ArraySlice<UInt8>]?) throws(WireError) {
        defer { tags = outer }
        guard isFlexible else { return }
        if isReading {
            if tags == nil { _ = try readTags() }
            return
        }
        let tags = tags ?? [:]
        output.unsignedVarint(UInt64(tags.count))
        for (tag, bytes) in tags.sorted(by: { $0.key < $1.key }) {
            output.unsignedVarint(tag)
            output.unsignedVarint(UInt64(bytes.count))
            output.append(bytes)
        }
    }

    private mutating func readTags() throws(WireError) -> [UInt64: ArraySlice<UInt8>] {
        var tags: [UInt64: ArraySlice<UInt8>] = [:]
        let count = try unsignedVarint()
        // Every tagged field takes two bytes at least.
        guard count <= UInt64(input.count / 2) else {
            throw WireError(.truncated, "\(count) tagged fields in \(input.count) bytes")
        }
        elementsLeft -= Int(count)
        guard elementsLeft >= 0 else { throw tooMany() }
        for _ in 0..<count {
            let tag = try unsignedVarint()
            let size = try unsignedVarint()
            guard size <= UInt64(input.count) else {
                throw WireError(.truncated, "a tagged field of \(size) bytes where \(input.count) are left")
            }
            tags[tag] = try take(Int(size))
        }
        return tags
    }

    // MARK: Parts

    @inline(__always)
    private mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        _ value: inout Value
    ) throws(WireError) {
        if isReading {
            let size = MemoryLayout<Value>.size
            guard input.count >= size else { throw short(size) }
            value = input.withUnsafeBytes { Value(bigEndian: $0.loadUnaligned(as: Value.self)) }
            input.removeFirst(size)
        } else {
            output.integer(value)
        }
    }

    private mutating func string(_ value: inout String?, isNullable: Bool) throws(WireError) {
        if isReading {
            value = nil
            guard let count = try length(isWide: false) else {
                if isNullable { return }
                throw null("a string")
            }
            value = String(decoding: try take(count), as: UTF8.self)
        } else if let text = value ?? (isNullable ? nil : "") {
            try writeLength(text.utf8.count, isWide: false)
            output.append(text)
        } else {
            try writeLength(nil, isWide: false)
        }
    }

    private mutating func array<Element: WireValue>(
        _ value: inout [Element]?, isNullable: Bool
    ) throws(WireError) {
        guard isReading else {
            let elements = value ?? (isNullable ? nil : [])
            try writeLength(elements?.count, isWide: true)
            for var element in elements ?? [] { try element.code(&self) }
            return
        }
        value = nil
        guard let count = try length(isWide: true) else {
            if isNullable { return }
            throw null("an array")
        }
        // Every element takes a byte at least.
        guard count <= input.count else {
            throw WireError(.truncated, "an array of \(count) elements in \(input.count) bytes")
        }
        elementsLeft -= count
        guard elementsLeft >= 0 else { throw tooMany() }
        var elements: [Element] = []
        elements.reserveCapacity(min(count, 1024))
        for _ in 0..<count {
            var element = Element()
            try element.code(&self)
            elements.append(element)
        }
        value = elements
    }

    /// A length; nil for null. `isWide`: 32 bits where lengths are not varints, otherwise 16.
    private mutating func length(isWide: Bool) throws(WireError) -> Int? {
        if isFlexible {
            let value = try unsignedVarint()
            guard value <= UInt64(Int32.max) else { throw WireError(.invalid, "a length of \(value)") }
            return value == 0 ? nil : Int(value) - 1
        }
        var value: Int32 = 0
        if isWide {
            try integer(&value)
        } else {
            var short: Int16 = 0
            try integer(&short)
            value = Int32(short)
        }
        guard value >= -1 else { throw WireError(.invalid, "a length of \(value)") }
        return value < 0 ? nil : Int(value)
    }

    /// Refuses what the version's lengths cannot say: a client that joined with a flexible version may have brought a
    /// name that is too long for another's older one.
    private mutating func writeLength(_ count: Int?, isWide: Bool) throws(WireError) {
        let most = isFlexible || isWide ? Int(Int32.max) - 1 : Int(Int16.max)
        if let count, count > most {
            throw WireError(.invalid, "\(count) bytes or elements do not fit version \(version), which holds \(most)")
        }
        if isFlexible {
            output.unsignedVarint(count.map { UInt64($0) + 1 } ?? 0)
        } else if isWide {
            output.integer(count.map { Int32(clamping: $0) } ?? -1)
        } else {
            output.integer(count.map { Int16(clamping: $0) } ?? -1)
        }
    }

    private mutating func take(_ count: Int) throws(WireError) -> ArraySlice<UInt8> {
        guard count <= input.count else { throw short(count) }
        defer { input.removeFirst(count) }
        return input.prefix(count)
    }

    /// LEB128 of at most 32 bits' worth, as Kafka has it.
    mutating func unsignedVarint() throws(WireError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard let byte = input.popFirst() else { throw short(1) }
            guard shift < 35 else { throw WireError(.invalid, "a variable-length number is too long") }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    private func short(_ wanted: Int) -> WireError {
        WireError(.truncated, "the message ends early: \(wanted) bytes wanted, \(input.count) are left")
    }

    private func tooMany() -> WireError {
        WireError(.invalid, "more than \(Self.maxElements) array elements and tagged fields in one message")
    }

    private func null(_ what: String) -> WireError { WireError(.invalid, "\(what) is null where it must not be") }
}
