import Columnar

/// How one value is written within a format.
enum CellStyle: Sendable, Equatable {
    /// TabSeparated: backslash escapes, NULL as `\N`.
    case escaped
    /// TSVRaw: strings as they are, NULL as `\N`.
    case raw
    /// CSV: strings in double quotes.
    case csv
    /// VALUES: strings in single quotes, NULL as `NULL`.
    case quoted
    /// For people's eyes: strings as they are, NULL as `ᴺᵁᴸᴸ`.
    case text
    /// JSON on one line; strings' bytes as they are or, `valid`, with U+FFFD for what is not UTF-8.
    case json(valid: Bool)
    /// JSON over several lines, objects and tuples unfolded; the value stands `indent` tabs deep.
    case prettyJSON(indent: Int)
    /// JSON strings only.
    case jsonString

    var isJSON: Bool {
        switch self {
        case .json, .prettyJSON, .jsonString: true
        default: false
        }
    }

    var null: [UInt8] {
        switch self {
        case .escaped, .raw, .csv: Array("\\N".utf8)
        case .quoted: Array("NULL".utf8)
        case .text: Array("ᴺᵁᴸᴸ".utf8)
        case .json, .prettyJSON: Array("null".utf8)
        case .jsonString: Array("\"ᴺᵁᴸᴸ\"".utf8)
        }
    }
}

/// Writes values of one type in one style. Made once a column of a result.
struct CellWriter {
    let type: DataType
    let style: CellStyle
    let settings: FormatSettings
    let zone: TimeZone
    let enumNames: [Int16: [UInt8]]
    let fields: [CellWriter]
    /// Arrays and the like outside JSON are ClickHouse's text in whatever style.
    let plain: ValueTextWriter

    init(type: DataType, style: CellStyle, settings: FormatSettings) {
        self.type = type.base
        self.style = style
        self.settings = settings
        var zone = TimeZone.utc
        var names: [Int16: [UInt8]] = [:]
        var fields: [CellWriter] = []
        // Elements of a folded array stand where the array stands; objects' and tuples' one tab deeper.
        func field(_ type: DataType, deeper: Bool) -> CellWriter {
            guard case .prettyJSON(let indent) = style else {
                return CellWriter(type: type, style: style, settings: settings)
            }
            return CellWriter(type: type, style: .prettyJSON(indent: indent + (deeper ? 1 : 0)), settings: settings)
        }
        switch type.base {
        case .dateTime(let name?), .dateTime64(_, let name?): zone = TimeZone.named(name) ?? .utc
        case .enum8(let cases), .enum16(let cases):
            for item in cases { names[item.value] = Array(item.name.utf8) }
        case .array(let element): fields = [field(element, deeper: Self.unfolds(element))]
        case .map(let key, let value): fields = [field(key, deeper: true), field(value, deeper: true)]
        case .tuple(let types): fields = types.map { field($0, deeper: true) }
        default: break
        }
        self.zone = zone
        enumNames = names
        self.fields = fields
        plain = ValueTextWriter(type: type)
    }

    /// Whether the unfolded form of JSON puts values of the type, inside an array, on lines of their own.
    static func unfolds(_ type: DataType) -> Bool {
        switch type.base {
        case .array, .map, .tuple: true
        default: false
        }
    }

    /// Appends the value at `row`; NULL in the style's form.
    func append(_ column: Column, row: Int, to bytes: inout [UInt8]) {
        switch column.data {
        case .dictionary(let encoded) where !column.isNull(at: row):
            return append(encoded.dictionary.values, row: Int(encoded.codes[row]), to: &bytes)
        case .constant(let value, _):
            return append(value, row: 0, to: &bytes)
        default: break
        }
        if column.isNull(at: row) || type == .nothing {
            bytes.append(contentsOf: style.null)
        } else {
            appendValue(column.data, row: row, to: &bytes)
        }
    }

    /// Appends a value that is not NULL; `data` is neither dictionary nor constant.
    func appendValue(_ data: ColumnData, row: Int, to bytes: inout [UInt8]) {
        switch data {
        case .int8(let values): appendEnumOrNumber(Int16(values[row]), to: &bytes)
        case .int16(let values): appendEnumOrNumber(values[row], to: &bytes)
        case .int32(let values): appendNumber(values[row], to: &bytes)
        case .int64(let values): appendLong(values[row], to: &bytes)
        case .uint8(let values):
            if type == .bool {
                appendBare(values[row] != 0 ? "true" : "false", to: &bytes)
            } else {
                appendNumber(values[row], to: &bytes)
            }
        case .uint16(let values): appendDateOrNumber(values[row], to: &bytes)
        case .uint32(let values): appendTimeOrNumber(values[row], to: &bytes)
        case .uint64(let values): appendUnsignedLong(values[row], to: &bytes)
        case .uint128(let values):
            appendQuotes(to: &bytes)
            if type == .uuid {
                ValueText.appendUUID(values[row], to: &bytes)
            } else {
                ValueText.appendIPv6(values[row], to: &bytes)
            }
            appendQuotes(to: &bytes)
        case .float32(let values):
            appendFloat(Double(values[row]), to: &bytes) { ValueText.append(float: values[row], to: &$0) }
        case .float64(let values):
            appendFloat(values[row], to: &bytes) { ValueText.append(double: values[row], to: &$0) }
        case .string(let values):
            let range = Int(values.offsets[row])..<Int(values.offsets[row + 1])
            values.bytes.withUnsafeBytes { appendString(UnsafeRawBufferPointer(rebasing: $0[range]), to: &bytes) }
        case .array(let values): appendArray(values, row: row, to: &bytes)
        case .map(let values): appendMap(values, row: row, to: &bytes)
        case .tuple(let columns): appendTuple(columns, row: row, to: &bytes)
        case .dictionary, .constant: preconditionFailure("BUG: an encoded column inside an encoded column")
        }
    }

    // MARK: Numbers

    /// The quotes around values that are neither numbers nor strings.
    private func appendQuotes(to bytes: inout [UInt8]) {
        switch style {
        case .csv, .json, .prettyJSON, .jsonString: bytes.append(UInt8(ascii: "\""))
        case .quoted: bytes.append(UInt8(ascii: "'"))
        case .escaped, .raw, .text: break
        }
    }

    private func appendBare(_ text: StaticString, to bytes: inout [UInt8]) {
        let quote = style == .jsonString
        if quote { bytes.append(UInt8(ascii: "\"")) }
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        if quote { bytes.append(UInt8(ascii: "\"")) }
    }

    private func appendNumber(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        let quote = style == .jsonString
        if quote { bytes.append(UInt8(ascii: "\"")) }
        ValueText.append(integer: value, to: &bytes)
        if quote { bytes.append(UInt8(ascii: "\"")) }
    }

    private var quotesLong: Bool { style == .jsonString || (style.isJSON && settings.quotes64BitIntegers) }

    private func appendLong(_ value: Int64, to bytes: inout [UInt8]) {
        guard case .dateTime64(let precision, _) = type else {
            if quotesLong { bytes.append(UInt8(ascii: "\"")) }
            ValueText.append(integer: value, to: &bytes)
            if quotesLong { bytes.append(UInt8(ascii: "\"")) }
            return
        }
        appendQuotes(to: &bytes)
        switch settings.dateTimeFormat {
        case .simple: ValueText.appendDateTime64(ticks: value, precision: precision, zone: zone, to: &bytes)
        case .iso: ValueText.appendDateTime64(ticks: value, precision: precision, zone: .utc, iso: true, to: &bytes)
        case .unixTimestamp: appendTicks(value, precision: precision, to: &bytes)
        }
        appendQuotes(to: &bytes)
    }

    private func appendTicks(_ value: Int64, precision: Int, to bytes: inout [UInt8]) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        var scale: UInt64 = 1
        for _ in 0..<precision { scale *= 10 }
        ValueText.append(magnitude: value.magnitude / scale, to: &bytes)
        guard precision > 0 else { return }
        bytes.append(UInt8(ascii: "."))
        ValueText.append(padded: Int64(value.magnitude % scale), digits: precision, to: &bytes)
    }

    private func appendUnsignedLong(_ value: UInt64, to bytes: inout [UInt8]) {
        if quotesLong { bytes.append(UInt8(ascii: "\"")) }
        ValueText.append(magnitude: value, to: &bytes)
        if quotesLong { bytes.append(UInt8(ascii: "\"")) }
    }

    private func appendEnumOrNumber(_ value: Int16, to bytes: inout [UInt8]) {
        guard !enumNames.isEmpty else { return appendNumber(value, to: &bytes) }
        let name = enumNames[value] ?? []
        name.withUnsafeBytes { appendString($0, to: &bytes) }
    }

    private func appendDateOrNumber(_ value: UInt16, to bytes: inout [UInt8]) {
        guard type == .date else { return appendNumber(value, to: &bytes) }
        appendQuotes(to: &bytes)
        ValueText.appendDate(days: Int64(value), to: &bytes)
        appendQuotes(to: &bytes)
    }

    private func appendTimeOrNumber(_ value: UInt32, to bytes: inout [UInt8]) {
        switch type {
        case .dateTime:
            appendQuotes(to: &bytes)
            switch settings.dateTimeFormat {
            case .simple: ValueText.appendDateTime(seconds: Int64(value), zone: zone, to: &bytes)
            case .iso: ValueText.appendDateTime64(ticks: Int64(value), precision: 0, zone: .utc, iso: true, to: &bytes)
            case .unixTimestamp: ValueText.append(integer: value, to: &bytes)
            }
            appendQuotes(to: &bytes)
        case .ipv4:
            appendQuotes(to: &bytes)
            ValueText.appendIPv4(value, to: &bytes)
            appendQuotes(to: &bytes)
        default: appendNumber(value, to: &bytes)
        }
    }

    private func appendFloat(_ value: Double, to bytes: inout [UInt8], _ write: (inout [UInt8]) -> Void) {
        if !value.isFinite, style.isJSON, style != .jsonString, !settings.quotesDenormals {
            bytes.append(contentsOf: style.null)
            return
        }
        let quote = style == .jsonString || (style.isJSON && !value.isFinite)
        if quote { bytes.append(UInt8(ascii: "\"")) }
        write(&bytes)
        if quote { bytes.append(UInt8(ascii: "\"")) }
    }

    // MARK: Strings

    func appendString(_ text: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
        switch style {
        case .escaped: Escaping.appendTSV(text, to: &bytes)
        case .raw, .text: bytes.append(contentsOf: text)
        case .csv: Escaping.appendCSV(text, to: &bytes)
        case .quoted: ValueText.appendQuoted(text, to: &bytes)
        case .json(let valid):
            Escaping.appendJSON(text, slashes: settings.escapesForwardSlashes, valid: valid, to: &bytes)
        case .prettyJSON, .jsonString:
            Escaping.appendJSON(text, slashes: settings.escapesForwardSlashes, valid: true, to: &bytes)
        }
    }

    // MARK: Arrays, maps, tuples

    /// A nested value's own text, wrapped as the style wants.
    private func appendPlain(_ column: Column, row: Int, to bytes: inout [UInt8]) {
        switch style {
        case .csv, .jsonString:
            var text: [UInt8] = []
            plain.append(column, row: row, to: &text)
            text.withUnsafeBytes { appendString($0, to: &bytes) }
        default: plain.append(column, row: row, to: &bytes)
        }
    }

    private func appendArray(_ values: ArrayData, row: Int, to bytes: inout [UInt8]) {
        guard style.isJSON, style != .jsonString else {
            let one = Column(type: type, data: .array(values))
            return appendPlain(one, row: row, to: &bytes)
        }
        let range = Int(values.offsets[row])..<Int(values.offsets[row + 1])
        let elements = values.elements
        let isUnfolded = isPrettyJSON && Self.unfolds(fields[0].type) && !range.isEmpty
        bytes.append(UInt8(ascii: "["))
        for index in range {
            if index > range.lowerBound { bytes.append(UInt8(ascii: ",")) }
            if isUnfolded { newLine(deeper: 1, to: &bytes) }
            fields[0].append(elements, row: index, to: &bytes)
        }
        if isUnfolded { newLine(deeper: 0, to: &bytes) }
        bytes.append(UInt8(ascii: "]"))
    }

    private var isPrettyJSON: Bool {
        if case .prettyJSON = style { return true }
        return false
    }

    private func newLine(deeper: Int, to bytes: inout [UInt8]) {
        guard case .prettyJSON(let indent) = style else { return }
        bytes.append(UInt8(ascii: "\n"))
        for _ in 0..<(indent + deeper) { bytes.append(UInt8(ascii: "\t")) }
    }

    private func appendMap(_ values: MapData, row: Int, to bytes: inout [UInt8]) {
        guard style.isJSON, style != .jsonString else {
            let one = Column(type: type, data: .map(values))
            return appendPlain(one, row: row, to: &bytes)
        }
        let range = Int(values.offsets[row])..<Int(values.offsets[row + 1])
        let (keys, entries) = (values.keys, values.values)
        bytes.append(UInt8(ascii: "{"))
        for index in range {
            if index > range.lowerBound { bytes.append(UInt8(ascii: ",")) }
            newLine(deeper: 1, to: &bytes)
            // Keys are strings in JSON, whatever their type.
            var key: [UInt8] = []
            fields[0].plain.append(keys, row: index, to: &key)
            key.withUnsafeBytes { appendString($0, to: &bytes) }
            bytes.append(UInt8(ascii: ":"))
            if isPrettyJSON { bytes.append(UInt8(ascii: " ")) }
            fields[1].append(entries, row: index, to: &bytes)
        }
        if !range.isEmpty { newLine(deeper: 0, to: &bytes) }
        bytes.append(UInt8(ascii: "}"))
    }

    private func appendTuple(_ columns: [Column], row: Int, to bytes: inout [UInt8]) {
        guard style.isJSON, style != .jsonString else {
            let one = Column(type: type, data: .tuple(columns))
            return appendPlain(one, row: row, to: &bytes)
        }
        bytes.append(UInt8(ascii: "["))
        for (index, column) in columns.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            newLine(deeper: 1, to: &bytes)
            fields[index].append(column, row: row, to: &bytes)
        }
        if !columns.isEmpty { newLine(deeper: 0, to: &bytes) }
        bytes.append(UInt8(ascii: "]"))
    }
}
