import Columnar

/// Vertical: each value on a line of its own.
struct VerticalFormat: OutputFormat {
    private let names: [[UInt8]]
    private var renderers: [CellRenderer]
    private let maxRows: Int
    private var rowCount = 0
    private var shown = 0

    init(columns: [(name: String, type: DataType)], settings: FormatSettings) {
        // Names are padded to the longest, so that values stand in a column.
        let widths = columns.map { DisplayText.width(Array($0.name.utf8)) }
        let widest = widths.max() ?? 0
        names = columns.enumerated().map { index, column in
            Array("\(column.name): \(String(repeating: " ", count: widest - widths[index]))".utf8)
        }
        renderers = columns.map { CellRenderer(type: $0.type, style: .text, settings: settings) }
        maxRows = settings.prettyMaxRows
    }

    mutating func begin(into bytes: inout [UInt8]) {}

    mutating func write(_ block: Block, into bytes: inout [UInt8]) {
        rowCount += block.rowCount
        let showing = min(block.rowCount, maxRows - shown)
        guard showing > 0 else { return }
        let columns = block.columns.map { $0.slice(0..<showing) }
        var cells: [CellColumn] = []
        for index in renderers.indices { cells.append(renderers[index].render(columns[index])) }
        for row in 0..<showing {
            shown += 1
            if shown > 1 { bytes.append(UInt8(ascii: "\n")) }
            bytes += Array("Row \(shown):\n".utf8)
            // As long as the next row's title: so ClickHouse draws it.
            bytes += Array(String(repeating: "─", count: 5 + String(shown + 1).count).utf8)
            bytes.append(UInt8(ascii: "\n"))
            write(columns, cells, row: row, into: &bytes)
        }
    }

    private func write(_ columns: [Column], _ cells: [CellColumn], row: Int, into bytes: inout [UInt8]) {
        for index in cells.indices {
            bytes += names[index]
            bytes += cells[index].text(row)
            bytes += DisplayText.largeNumberTip(columns[index], row: row)
            bytes.append(UInt8(ascii: "\n"))
        }
    }

    mutating func finish(_ statistics: ResultStatistics, into bytes: inout [UInt8]) {
        if rowCount > shown { bytes += Array("\nShowed first \(shown).\n".utf8) }
        guard let totals = statistics.totals, totals.rowCount > 0 else { return }
        bytes += Array("\n\nTotals:\n───────\n".utf8)
        var cells: [CellColumn] = []
        for index in renderers.indices { cells.append(renderers[index].render(totals.columns[index])) }
        write(totals.columns, cells, row: 0, into: &bytes)
    }
}
