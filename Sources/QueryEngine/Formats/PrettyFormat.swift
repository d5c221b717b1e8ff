import Columnar

/// How a Pretty table is drawn.
enum PrettyStyle: Sendable {
    /// A line between all rows.
    case full
    /// Names in the upper edge.
    case compact
    /// No lines.
    case space
}

/// Tables for people's eyes. Rows are held until the end, no more than are shown, so that columns are as wide as
/// their widest value.
struct PrettyFormat: OutputFormat {
    /// Values longer than this are cut.
    private static let maxValueWidth = 10_000
    /// Tables of at least this many rows show their names below as well.
    private static let footerRows = 50
    /// Wide and short tables are turned on their side.
    private static let fallback = (rows: 10, columns: 5, width: 1000)

    private struct Cell {
        /// The lines of the value, cut where they were too long.
        var lines: [ArraySlice<UInt8>]
        var tip: [UInt8] = []
    }

    private let columns: [(name: String, type: DataType)]
    private let style: PrettyStyle
    private let settings: FormatSettings
    private var renderers: [CellRenderer]
    /// The first rows and, once there are more than are shown, the last.
    private var head: [[Cell]] = []
    private var tail: [[Cell]] = []
    private var tailStart = 0
    private var rowCount = 0
    private var kept: [Block] = []

    init(columns: [(name: String, type: DataType)], style: PrettyStyle, settings: FormatSettings) {
        self.columns = columns
        self.style = style
        self.settings = settings
        renderers = columns.map { CellRenderer(type: $0.type, style: .text, settings: settings) }
    }

    private var headRows: Int { (settings.prettyMaxRows + 1) / 2 }
    private var tailRows: Int { settings.prettyMaxRows / 2 }

    mutating func begin(into bytes: inout [UInt8]) {}

    mutating func write(_ block: Block, into bytes: inout [UInt8]) {
        if rowCount <= Self.fallback.rows, rowCount + block.rowCount <= Self.fallback.rows {
            kept.append(block)
        } else {
            kept = []
        }
        var start = 0
        while start < block.rowCount {
            let end = min(block.rowCount, start + granuleRows)
            // Of a long result only the ends are looked at.
            let isSkipped = head.count >= headRows && tailRows == 0
            if !isSkipped { keepRows(block, start..<end) }
            rowCount += end - start
            start = end
        }
    }

    private mutating func keepRows(_ block: Block, _ range: Range<Int>) {
        let first = min(range.count, headRows - head.count)
        let last = range.count - first
        var rows = Array(range.prefix(first))
        if last > 0 { rows += range.suffix(min(last, tailRows)) }
        guard !rows.isEmpty else { return }
        let columns = block.columns.map { $0.gather(rows.map { UInt32($0) }) }
        let made = cells(columns, rows: rows.count)
        head += made.prefix(first)
        for row in made.dropFirst(first) {
            if tail.count < tailRows {
                tail.append(row)
            } else {
                tail[tailStart] = row
                tailStart = (tailStart + 1) % tailRows
            }
        }
    }

    private mutating func cells(_ columns: [Column], rows: Int) -> [[Cell]] {
        var result = [[Cell]](repeating: [], count: rows)
        for index in renderers.indices {
            let rendered = renderers[index].render(columns[index])
            for row in 0..<rows {
                var cell = cell(rendered.text(row))
                if columns.count == 1 { cell.tip = DisplayText.largeNumberTip(columns[index], row: row) }
                result[row].append(cell)
            }
        }
        return result
    }

    private func cell(_ text: ArraySlice<UInt8>) -> Cell {
        var text = text
        if text.count > Self.maxValueWidth, columns.count > 1 {
            // Never within a character.
            var end = text.startIndex + Self.maxValueWidth
            while end > text.startIndex, text[end] & 0xC0 == 0x80 { end -= 1 }
            text = (Array(text[..<end]) + Array("⋯".utf8))[...]
        }
        guard text.contains(0x0A) else { return Cell(lines: [Array(text)[...]]) }
        return Cell(lines: Array(text).split(separator: 0x0A, omittingEmptySubsequences: false))
    }

    mutating func finish(_ statistics: ResultStatistics, into bytes: inout [UInt8]) {
        if rowCount > 0 { writeTable(into: &bytes) }
        if rowCount > head.count + tail.count {
            if style == .space { bytes.append(UInt8(ascii: "\n")) }
            bytes += Array("Showed \(head.count + tail.count) out of \(rowCount) rows.\n".utf8)
        }
        guard let totals = statistics.totals, totals.rowCount > 0 else { return }
        bytes += Array("\nTotals:\n".utf8)
        head = cells(totals.columns, rows: 1)
        tail = []
        kept = []
        rowCount = 1
        writeTable(into: &bytes)
    }

    private mutating func writeTable(into bytes: inout [UInt8]) {
        let ordered = Array(tail[tailStart...] + tail[..<tailStart])
        let rows = head + ordered
        let names = columns.map { Array($0.name.utf8) }
        let widths = columns.indices.map { index in
            rows.reduce(DisplayText.width(names[index])) { widest, row in
                row[index].lines.reduce(widest) { max($0, DisplayText.width($1)) }
            }
        }
        if isBetterVertical(rows, widths) {
            var vertical = VerticalFormat(columns: columns, settings: settings)
            for block in kept { vertical.write(block, into: &bytes) }
            vertical.finish(ResultStatistics(), into: &bytes)
            return
        }
        var table = PrettyTable(
            style: style, names: names, widths: widths, right: columns.map(\.type.alignsRight),
            numberWidth: settings.prettyRowNumbers ? String(rowCount).count : nil)
        table.header()
        let tailFirst = rowCount - ordered.count
        for (index, row) in rows.enumerated() {
            let number = index < head.count ? index + 1 : tailFirst + index - head.count + 1
            if index > 0 { table.separator(isGap: index == head.count && rowCount > rows.count) }
            table.row(row.map(\.lines), number: number, tip: row.first?.tip ?? [])
        }
        table.end(withNames: rowCount >= Self.footerRows)
        bytes += table.bytes
    }

    private func isBetterVertical(_ rows: [[Cell]], _ widths: [Int]) -> Bool {
        guard !kept.isEmpty, rows.count <= Self.fallback.rows, columns.count >= Self.fallback.columns else {
            return false
        }
        return widths.reduce(0, +) >= Self.fallback.width || rows.contains { $0.contains { $0.lines.count > 1 } }
    }
}
