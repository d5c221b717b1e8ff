import Columnar

/// The formats that are rows of cells with fixed text between: one writer, many settings.
struct RowFormat: OutputFormat {
    /// What stands before all rows.
    var opening: [UInt8] = []
    /// What stands before each row but the first.
    var rowSeparator: [UInt8] = []
    /// What stands before each cell, the row's opening included.
    var cellPrefixes: [[UInt8]]
    /// What stands behind the last cell of each row.
    var rowEnd: [UInt8]
    /// What stands before the row of totals; nil when the format shows none.
    var totalsPrefix: [UInt8]?
    private var renderers: [CellRenderer]
    private var hasRows = false

    init(
        _ columns: [(name: String, type: DataType)], style: CellStyle, settings: FormatSettings,
        cellPrefixes: [[UInt8]],
        rowEnd: [UInt8]
    ) {
        self.cellPrefixes = cellPrefixes
        self.rowEnd = rowEnd
        renderers = columns.map { CellRenderer(type: $0.type, style: style, settings: settings) }
    }

    mutating func begin(into bytes: inout [UInt8]) { bytes += opening }

    mutating func write(_ block: Block, into bytes: inout [UInt8]) {
        // Bounded pieces: a big block must not be held twice.
        var start = 0
        while start < block.rowCount {
            let end = min(block.rowCount, start + granuleRows)
            writeRows(block, start..<end, into: &bytes)
            start = end
        }
    }

    private mutating func writeRows(_ block: Block, _ range: Range<Int>, into bytes: inout [UInt8]) {
        var cells: [CellColumn] = []
        for index in renderers.indices { cells.append(renderers[index].render(block.columns[index].slice(range))) }
        let fixed = cellPrefixes.reduce(rowEnd.count + rowSeparator.count) { $0 + $1.count }
        // ends[i + 1] is row i's length, then where it ends.
        var ends = [Int](repeating: fixed, count: range.count + 1)
        ends[0] = 0
        if !hasRows, !range.isEmpty { ends[1] -= rowSeparator.count }
        for column in cells { column.addLengths(to: &ends) }
        for row in 0..<range.count { ends[row + 1] += ends[row] }
        let isFirst = !hasRows
        hasRows = true
        let total = ends[range.count]
        bytes += [UInt8](unsafeUninitializedCapacity: total) { buffer, filled in
            fill(UnsafeMutableRawBufferPointer(buffer), cells, ends, isFirst: isFirst)
            filled = total
        }
    }

    private func fill(_ buffer: UnsafeMutableRawBufferPointer, _ cells: [CellColumn], _ ends: [Int], isFirst: Bool) {
        guard let target = buffer.baseAddress else { return }
        var cursors = Array(ends.dropLast())
        if !rowSeparator.isEmpty {
            for row in cursors.indices where row > 0 || !isFirst {
                CellColumn.put(rowSeparator, at: &cursors[row], target)
            }
        }
        for (index, column) in cells.enumerated() {
            column.copy(prefix: cellPrefixes[index], to: target, cursors: &cursors)
        }
        for row in cursors.indices { CellColumn.put(rowEnd, at: &cursors[row], target) }
        precondition(cursors.enumerated().allSatisfy { $1 == ends[$0 + 1] }, "BUG: a row's length was foreseen wrongly")
    }

    mutating func finish(_ statistics: ResultStatistics, into bytes: inout [UInt8]) {
        guard let totals = statistics.totals, let prefix = totalsPrefix else { return }
        bytes += prefix
        hasRows = false
        write(totals, into: &bytes)
    }
}

/// The settings of `RowFormat` for each format.
enum RowFormats {
    typealias Columns = [(name: String, type: DataType)]

    private static func separated(_ columns: Columns, by separator: UInt8) -> [[UInt8]] {
        columns.indices.map { $0 == 0 ? [] : [separator] }
    }

    static func tabSeparated(_ columns: Columns, _ settings: FormatSettings, raw: Bool, header: [HeaderRow])
        -> RowFormat
    {
        var format = RowFormat(
            columns, style: raw ? .raw : .escaped, settings: settings,
            cellPrefixes: separated(columns, by: UInt8(ascii: "\t")), rowEnd: [UInt8(ascii: "\n")])
        for row in header {
            for (index, column) in columns.enumerated() {
                if index > 0 { format.opening.append(UInt8(ascii: "\t")) }
                var text = row == .names ? column.name : column.type.name
                text.withUTF8 {
                    let bytes = UnsafeRawBufferPointer($0)
                    if raw { format.opening += bytes } else { Escaping.appendTSV(bytes, to: &format.opening) }
                }
            }
            format.opening.append(UInt8(ascii: "\n"))
        }
        format.totalsPrefix = [UInt8(ascii: "\n")]
        return format
    }

    static func csv(_ columns: Columns, _ settings: FormatSettings, header: [HeaderRow]) -> any OutputFormat {
        let flat = FlattenedTuples.columns(columns)
        var format = RowFormat(
            flat, style: .csv, settings: settings, cellPrefixes: separated(flat, by: settings.csvDelimiter),
            rowEnd: [UInt8(ascii: "\n")])
        for row in header {
            for (index, column) in flat.enumerated() {
                if index > 0 { format.opening.append(settings.csvDelimiter) }
                var text = row == .names ? column.name : column.type.name
                text.withUTF8 { Escaping.appendCSV(UnsafeRawBufferPointer($0), to: &format.opening) }
            }
            format.opening.append(UInt8(ascii: "\n"))
        }
        format.totalsPrefix = [UInt8(ascii: "\n")]
        return flat.count == columns.count ? format : FlattenedTuples(format: format)
    }

    static func values(_ columns: Columns, _ settings: FormatSettings) -> RowFormat {
        var prefixes = separated(columns, by: UInt8(ascii: ","))
        if !prefixes.isEmpty { prefixes[0] = [UInt8(ascii: "(")] }
        var format = RowFormat(
            columns, style: .quoted, settings: settings, cellPrefixes: prefixes, rowEnd: [UInt8(ascii: ")")])
        format.rowSeparator = [UInt8(ascii: ",")]
        return format
    }

    static func markdown(_ columns: Columns, _ settings: FormatSettings) -> RowFormat {
        let prefixes = columns.indices.map { Array(($0 == 0 ? "| " : " | ").utf8) }
        var format = RowFormat(
            columns, style: .escaped, settings: settings, cellPrefixes: prefixes, rowEnd: Array(" |\n".utf8))
        for (index, column) in columns.enumerated() {
            format.opening += prefixes[index]
            var name = column.name
            name.withUTF8 { Escaping.appendTSV(UnsafeRawBufferPointer($0), to: &format.opening) }
        }
        format.opening += Array(" |\n|".utf8)
        for column in columns { format.opening += Array((column.type.alignsRight ? "-:|" : ":-|").utf8) }
        format.opening.append(UInt8(ascii: "\n"))
        return format
    }

    // MARK: JSON

    /// A JSON string, quotes included.
    static func jsonString(_ text: String, _ settings: FormatSettings) -> [UInt8] {
        var bytes: [UInt8] = []
        var text = text
        text.withUTF8 {
            Escaping.appendJSON(
                UnsafeRawBufferPointer($0), slashes: settings.escapesForwardSlashes, valid: true, to: &bytes)
        }
        return bytes
    }

    static func jsonEachRow(_ columns: Columns, _ settings: FormatSettings) -> RowFormat {
        let prefixes = columns.enumerated().map { index, column in
            [UInt8(ascii: index == 0 ? "{" : ",")] + jsonString(column.name, settings) + [UInt8(ascii: ":")]
        }
        return RowFormat(
            columns, style: .json(valid: false), settings: settings, cellPrefixes: prefixes, rowEnd: Array("}\n".utf8))
    }

    static func jsonCompactEachRow(_ columns: Columns, _ settings: FormatSettings, header: [HeaderRow]) -> RowFormat {
        let prefixes = columns.indices.map { Array(($0 == 0 ? "[" : ", ").utf8) }
        var format = RowFormat(
            columns, style: .json(valid: false), settings: settings, cellPrefixes: prefixes, rowEnd: Array("]\n".utf8))
        for row in header {
            for (index, column) in columns.enumerated() {
                format.opening += prefixes[index] + jsonString(row == .names ? column.name : column.type.name, settings)
            }
            format.opening += format.rowEnd
        }
        return format
    }
}

extension DataType {
    /// Whether tables for eyes put values of the type to the right: numbers and times.
    var alignsRight: Bool {
        switch base {
        case .bool: false
        case .interval: true
        default: isNumeric || isTemporal
        }
    }
}

/// CSV writes a tuple's fields as columns of their own.
struct FlattenedTuples: OutputFormat {
    var format: RowFormat

    static func columns(_ columns: RowFormats.Columns) -> RowFormats.Columns {
        columns.flatMap { column -> RowFormats.Columns in
            guard case .tuple(let types) = column.type else { return [column] }
            return self.columns(types.enumerated().map { ("\(column.name).\($0 + 1)", $1) })
        }
    }

    private static func columns(_ columns: [Column]) -> [Column] {
        columns.flatMap { column -> [Column] in
            guard case .tuple = column.type, case .tuple(let fields) = column.flattened().data else { return [column] }
            return self.columns(fields)
        }
    }

    mutating func begin(into bytes: inout [UInt8]) { format.begin(into: &bytes) }

    mutating func write(_ block: Block, into bytes: inout [UInt8]) { format.write(flattened(block), into: &bytes) }

    mutating func finish(_ statistics: ResultStatistics, into bytes: inout [UInt8]) {
        var statistics = statistics
        statistics.totals = statistics.totals.map { flattened($0) }
        format.finish(statistics, into: &bytes)
    }

    private func flattened(_ block: Block) -> Block {
        let columns = Self.columns(block.columns)
        return Block(names: columns.indices.map { "\($0)" }, columns: columns, rowCount: block.rowCount)
    }
}
