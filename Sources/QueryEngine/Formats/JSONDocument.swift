import Columnar

/// JSON, JSONCompact and JSONStrings: one object with meta, data, rows and statistics.
struct JSONDocument: OutputFormat {
    private let columns: [(name: String, type: DataType)]
    private let isCompact: Bool
    private let settings: FormatSettings
    private let style: CellStyle
    private var rows: RowFormat
    private var rowCount: UInt64 = 0

    init(columns: [(name: String, type: DataType)], isCompact: Bool, isStrings: Bool, settings: FormatSettings) {
        self.columns = columns
        self.isCompact = isCompact
        self.settings = settings
        style = isStrings ? .jsonString : isCompact ? .json(valid: true) : .prettyJSON(indent: 3)
        rows = RowFormat(
            columns, style: style, settings: settings,
            cellPrefixes: Self.prefixes(columns, settings, isCompact: isCompact, indent: "\t\t"),
            rowEnd: Array((isCompact ? "]" : "\n\t\t}").utf8))
        rows.rowSeparator = Array(",\n".utf8)
    }

    private static func prefixes(
        _ columns: [(name: String, type: DataType)], _ settings: FormatSettings, isCompact: Bool, indent: String
    ) -> [[UInt8]] {
        columns.enumerated().map { index, column in
            if isCompact { return Array((index == 0 ? "\(indent)[" : ", ").utf8) }
            return Array((index == 0 ? "\(indent){\n\(indent)\t" : ",\n\(indent)\t").utf8)
                + RowFormats.jsonString(column.name, settings) + Array(": ".utf8)
        }
    }

    mutating func begin(into bytes: inout [UInt8]) {
        bytes += Array("{\n\t\"meta\":\n\t[\n".utf8)
        for (index, column) in columns.enumerated() {
            bytes += Array("\t\t{\n\t\t\t\"name\": ".utf8)
            bytes += RowFormats.jsonString(column.name, settings)
            bytes += Array(",\n\t\t\t\"type\": ".utf8)
            bytes += RowFormats.jsonString(column.type.name, settings)
            bytes += Array("\n\t\t}\(index + 1 < columns.count ? "," : "")\n".utf8)
        }
        bytes += Array("\t],\n\n\t\"data\":\n\t[\n".utf8)
    }

    mutating func write(_ block: Block, into bytes: inout [UInt8]) {
        rowCount += UInt64(block.rowCount)
        rows.write(block, into: &bytes)
    }

    mutating func finish(_ statistics: ResultStatistics, into bytes: inout [UInt8]) {
        bytes += Array("\n\t],\n\n".utf8)
        if let totals = statistics.totals { write(totals: totals, into: &bytes) }
        bytes += Array("\t\"rows\": \(rowCount)".utf8)
        if let rows = statistics.rowsBeforeLimit {
            bytes += Array(",\n\n\t\"rows_before_limit_at_least\": \(rows)".utf8)
        }
        if settings.writesStatistics {
            bytes += Array(",\n\n\t\"statistics\":\n\t{\n\t\t\"elapsed\": ".utf8)
            ValueText.append(double: statistics.elapsedSeconds, to: &bytes)
            bytes += Array(
                ",\n\t\t\"rows_read\": \(statistics.rowsRead),\n\t\t\"bytes_read\": \(statistics.bytesRead)\n\t}".utf8)
        }
        bytes += Array("\n}\n".utf8)
    }

    private func write(totals: Block, into bytes: inout [UInt8]) {
        bytes += Array((isCompact ? "\t\"totals\": " : "\t\"totals\":\n").utf8)
        var totalsStyle = style
        if case .prettyJSON = style { totalsStyle = .prettyJSON(indent: 2) }
        var format = RowFormat(
            columns, style: totalsStyle, settings: settings,
            cellPrefixes: Self.prefixes(columns, settings, isCompact: isCompact, indent: isCompact ? "" : "\t"),
            rowEnd: Array((isCompact ? "]" : "\n\t}").utf8))
        format.write(totals, into: &bytes)
        bytes += Array(",\n\n".utf8)
    }
}
