/// Draws a table with known column widths, row by row.
struct PrettyTable {
    let style: PrettyStyle
    let names: [[UInt8]]
    let widths: [Int]
    /// Whether values stand to the right.
    let right: [Bool]
    /// Digits of the highest row number; nil without numbers.
    let numberWidth: Int?
    private(set) var bytes: [UInt8] = []

    init(style: PrettyStyle, names: [[UInt8]], widths: [Int], right: [Bool], numberWidth: Int?) {
        self.style = style
        self.names = names
        self.widths = widths
        self.right = right
        self.numberWidth = numberWidth
    }

    private mutating func put(_ text: String) { bytes += Array(text.utf8) }

    private mutating func spaces(_ count: Int) {
        for _ in 0..<max(0, count) { bytes.append(0x20) }
    }

    private mutating func margin() {
        if let numberWidth { spaces(numberWidth + 2) }
    }

    /// `├───┼───┤` and its kin.
    private mutating func rule(_ left: String, _ line: String, _ cross: String, _ right: String) {
        margin()
        put(left)
        for (index, width) in widths.enumerated() {
            if index > 0 { put(cross) }
            put(String(repeating: line, count: width + 2))
        }
        put(right + "\n")
    }

    private mutating func padded(_ text: some Collection<UInt8>, column: Int, fill: String = " ") {
        let padding = String(repeating: fill, count: max(0, widths[column] - DisplayText.width(text)))
        if right[column] { put(padding) }
        bytes += Array(text)
        if !right[column] { put(padding) }
    }

    /// The names between lines: `┃ a ┃ b ┃`.
    private mutating func nameRow(_ edge: String) {
        margin()
        for (index, name) in names.enumerated() {
            put(index == 0 ? "\(edge) " : " \(edge) ")
            padded(name, column: index)
        }
        put(" \(edge)\n")
    }

    /// The names within a line: `┌─a─┬─b─┐`.
    private mutating func nameRule(_ left: String, _ cross: String, _ rightEdge: String) {
        margin()
        for (index, name) in names.enumerated() {
            put((index == 0 ? left : cross) + "─")
            padded(name, column: index, fill: "─")
            put("─")
        }
        put(rightEdge + "\n")
    }

    mutating func header() {
        switch style {
        case .full:
            rule("┏", "━", "┳", "┓")
            nameRow("┃")
            rule("┡", "━", "╇", "┩")
        case .compact:
            nameRule("┌", "┬", "┐")
        case .space:
            nameLine()
            put("\n\n")
        }
    }

    /// The names alone.
    private mutating func nameLine() {
        margin()
        for (index, name) in names.enumerated() {
            put(index == 0 ? " " : "   ")
            padded(name, column: index)
        }
    }

    /// What stands between two rows; a gap says that rows were left out.
    mutating func separator(isGap: Bool) {
        if style == .full { rule("├", "─", "┼", "┤") }
        guard isGap else { return }
        margin()
        let width = widths.reduce(1) { $0 + $1 + 3 }
        if style == .space {
            put(Array(repeating: "─", count: (width - 2) / 2).joined(separator: " ") + "\n")
        } else {
            put(String(repeating: "─ ", count: width / 2) + "\n")
        }
        if style == .full { rule("├", "─", "┼", "┤") }
    }

    /// A row, over several lines where a value has several.
    mutating func row(_ cells: [[ArraySlice<UInt8>]], number: Int, tip: [UInt8]) {
        let height = cells.reduce(1) { max($0, $1.count) }
        for line in 0..<height {
            if let numberWidth {
                if line == 0 {
                    spaces(numberWidth - String(number).count)
                    put("\(number). ")
                } else {
                    margin()
                }
            }
            for (index, cell) in cells.enumerated() { self.cell(cell, line: line, column: index) }
            if style != .space { put("│") }
            if line == 0 { bytes += tip }
            put("\n")
        }
    }

    private mutating func cell(_ lines: [ArraySlice<UInt8>], line: Int, column: Int) {
        put(style == .space ? (column > 0 ? " " : "") : "│")
        put(line > 0 && line < lines.count ? "↳" : " ")
        padded(line < lines.count ? lines[line] : [], column: column)
        put(line + 1 < lines.count ? "↴" : " ")
    }

    /// The lower edge; `withNames` repeats the names there.
    mutating func end(withNames: Bool) {
        switch style {
        case .full:
            if withNames {
                rule("┢", "━", "╈", "┪")
                nameRow("┃")
                rule("┗", "━", "┻", "┛")
            } else {
                rule("└", "─", "┴", "┘")
            }
        case .compact:
            if withNames { nameRule("└", "┴", "┘") } else { rule("└", "─", "┴", "┘") }
        case .space:
            guard withNames else { return }
            put("\n")
            nameLine()
            put("\n\n")
        }
    }
}
