import Columnar

/// Writes rows of a block as JSON objects that the row builder turns back into the same values: times as ISO 8601
/// in UTC with every digit, NaN and infinities as strings, enums by name.
struct JSONRowWriter {
    private let columns: [(key: [UInt8], writer: JSONValueWriter)]
    let rowCount: Int

    /// Prepares the columns of `block`. Throws `.invalidValue` when a name is no UTF-8 or a type has no JSON form.
    init(_ block: Block) throws(IngestError) {
        var columns: [(key: [UInt8], writer: JSONValueWriter)] = []
        for (index, name) in block.names.enumerated() {
            var key: [UInt8] = index == 0 ? [UInt8(ascii: "{")] : [UInt8(ascii: ",")]
            Array(name.utf8).withUnsafeBufferPointer { JSONTextWriter.appendQuoted($0, to: &key) }
            key.append(UInt8(ascii: ":"))
            columns.append((key, try JSONValueWriter(block.columns[index], name: name)))
        }
        self.columns = columns
        rowCount = block.rowCount
    }

    /// Appends row `row` as one object. Throws `.invalidValue` when a string of it is no UTF-8.
    func append(row: Int, to bytes: inout [UInt8]) throws(IngestError) {
        if columns.isEmpty { bytes.append(UInt8(ascii: "{")) }
        for (key, writer) in columns {
            bytes += key
            try writer.append(row: row, to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
    }
}

/// Writes the values of one column as JSON.
final class JSONValueWriter {
    private let name: String
    private let type: DataType
    private let data: ColumnData
    private let nulls: [UInt8]?
    private var enumNames: [Int16: [UInt8]] = [:]
    private var keys: JSONValueWriter?
    private var elements: JSONValueWriter?
    private var offsets: [UInt32] = []

    init(_ column: Column, name: String) throws(IngestError) {
        let column = column.flattened()
        self.name = name
        type = column.type.base
        data = column.data
        nulls = column.nulls
        switch (type, column.data) {
        case (.enum8(let cases), _), (.enum16(let cases), _):
            for one in cases { enumNames[one.value] = Array(one.name.utf8) }
        case (.array, .array(let arrays)):
            offsets = arrays.offsets
            elements = try JSONValueWriter(arrays.elements, name: name)
        case (.map, .map(let maps)):
            offsets = maps.offsets
            keys = try JSONValueWriter(maps.keys, name: name)
            elements = try JSONValueWriter(maps.values, name: name)
        case (.tuple, _), (.interval, _):
            throw IngestError(.invalidValue, "column \(name): values of type \(type.name) cannot be stored")
        default: break
        }
    }

    func append(row: Int, to bytes: inout [UInt8]) throws(IngestError) {
        if let nulls, nulls[row] != 0 {
            bytes += Array("null".utf8)
            return
        }
        switch data {
        case .string(let strings):
            try appendString(strings, row, to: &bytes)
        case .float64(let values):
            appendFloat(values[row].isFinite, to: &bytes) { ValueText.append(double: values[row], to: &$0) }
        case .float32(let values):
            appendFloat(values[row].isFinite, to: &bytes) { ValueText.append(float: values[row], to: &$0) }
        case .int8(let values): appendInteger(Int64(values[row]), to: &bytes)
        case .int16(let values): appendInteger(Int64(values[row]), to: &bytes)
        case .int32(let values): appendInteger(Int64(values[row]), to: &bytes)
        case .int64(let values): appendInteger(values[row], to: &bytes)
        case .uint8(let values): appendInteger(Int64(values[row]), to: &bytes)
        case .uint16(let values): appendInteger(Int64(values[row]), to: &bytes)
        case .uint32(let values): appendInteger(Int64(values[row]), to: &bytes)
        case .uint64(let values): ValueText.append(integer: values[row], to: &bytes)
        case .uint128(let values):
            quoted(&bytes) {
                if type == .ipv6 {
                    ValueText.appendIPv6(values[row], to: &$0)
                } else {
                    ValueText.appendUUID(values[row], to: &$0)
                }
            }
        case .array: try appendArray(row, to: &bytes)
        case .map: try appendMap(row, to: &bytes)
        case .tuple, .dictionary, .constant:
            preconditionFailure("BUG: a flat column of type \(type.name) that is not flat")
        }
    }

    private func quoted(_ bytes: inout [UInt8], _ body: (inout [UInt8]) -> Void) {
        bytes.append(UInt8(ascii: "\""))
        body(&bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    private func appendFloat(_ isFinite: Bool, to bytes: inout [UInt8], _ body: (inout [UInt8]) -> Void) {
        if isFinite { body(&bytes) } else { quoted(&bytes, body) }
    }

    /// Whatever lies in memory as an integer.
    private func appendInteger(_ value: Int64, to bytes: inout [UInt8]) {
        switch type {
        case .bool:
            bytes += value == 0 ? Array("false".utf8) : Array("true".utf8)
        case .date:
            quoted(&bytes) { ValueText.appendDate(days: value, to: &$0) }
        case .dateTime:
            quoted(&bytes) {
                ValueText.appendDateTime64(ticks: value, precision: 0, zone: .utc, iso: true, to: &$0)
            }
        case .dateTime64(let precision, _):
            quoted(&bytes) {
                ValueText.appendDateTime64(ticks: value, precision: precision, zone: .utc, iso: true, to: &$0)
            }
        case .ipv4:
            quoted(&bytes) { ValueText.appendIPv4(UInt32(truncatingIfNeeded: value), to: &$0) }
        case .enum8, .enum16:
            guard let name = enumNames[Int16(truncatingIfNeeded: value)] else {
                ValueText.append(integer: value, to: &bytes)
                return
            }
            name.withUnsafeBufferPointer { JSONTextWriter.appendQuoted($0, to: &bytes) }
        default:
            ValueText.append(integer: value, to: &bytes)
        }
    }

    private func appendString(_ strings: StringData, _ row: Int, to bytes: inout [UInt8]) throws(IngestError) {
        let range = Int(strings.offsets[row])..<Int(strings.offsets[row + 1])
        let isValid = strings.bytes.withUnsafeBufferPointer { all in
            let value = UnsafeBufferPointer(rebasing: all[range])
            guard JSONTextWriter.isUTF8(value) else { return false }
            JSONTextWriter.appendQuoted(value, to: &bytes)
            return true
        }
        guard isValid else {
            throw IngestError(.invalidValue, "column \(name), row \(row + 1): a string that is no valid UTF-8")
        }
    }

    private func appendArray(_ row: Int, to bytes: inout [UInt8]) throws(IngestError) {
        bytes.append(UInt8(ascii: "["))
        let range = Int(offsets[row])..<Int(offsets[row + 1])
        for index in range {
            if index > range.lowerBound { bytes.append(UInt8(ascii: ",")) }
            try elements?.append(row: index, to: &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    private func appendMap(_ row: Int, to bytes: inout [UInt8]) throws(IngestError) {
        bytes.append(UInt8(ascii: "{"))
        let range = Int(offsets[row])..<Int(offsets[row + 1])
        for index in range {
            if index > range.lowerBound { bytes.append(UInt8(ascii: ",")) }
            // A key that is a number in its column is a string in JSON.
            let start = bytes.count
            try keys?.append(row: index, to: &bytes)
            if start < bytes.count && bytes[start] != UInt8(ascii: "\"") {
                bytes.insert(UInt8(ascii: "\""), at: start)
                bytes.append(UInt8(ascii: "\""))
            }
            bytes.append(UInt8(ascii: ":"))
            try elements?.append(row: index, to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
    }
}

/// Strings into JSON.
enum JSONTextWriter {
    /// Appends `text` in quotes, escaping what must be.
    static func appendQuoted(_ text: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        var start = 0
        for (index, byte) in text.enumerated() {
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            bytes.append(contentsOf: text[start..<index])
            start = index + 1
            bytes.append(UInt8(ascii: "\\"))
            switch byte {
            case 0x0a: bytes.append(UInt8(ascii: "n"))
            case 0x0d: bytes.append(UInt8(ascii: "r"))
            case 0x09: bytes.append(UInt8(ascii: "t"))
            case 0..<0x20:
                let hex = Array("0123456789abcdef".utf8)
                bytes += Array("u00".utf8)
                bytes.append(hex[Int(byte >> 4)])
                bytes.append(hex[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(contentsOf: text[start...])
        bytes.append(UInt8(ascii: "\""))
    }

    /// Whether `text` is UTF-8.
    static func isUTF8(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let base = text.baseAddress else { return true }
        var at = 0
        while at < text.count {
            if base[at] < 0x80 {
                at += 1
                continue
            }
            do throws(JSONFault) {
                at = try JSONText.character(base, at, text.count)
                if at < 0 { return false }
            } catch {
                return false
            }
        }
        return true
    }
}
