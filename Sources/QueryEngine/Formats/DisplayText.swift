import Columnar

/// How text looks on a terminal.
enum DisplayText {
    /// Columns the text takes: wide characters of East Asia and emoji two, combining marks none.
    static func width(_ text: some Collection<UInt8>) -> Int {
        if text.allSatisfy({ $0 >= 0x20 && $0 < 0x80 }) { return text.count }
        return String(decoding: text, as: UTF8.self).unicodeScalars.reduce(0) { $0 + width($1.value) }
    }

    private static func width(_ scalar: UInt32) -> Int {
        switch scalar {
        case 0..<0x20, 0x7F, 0x300...0x36F, 0x200B...0x200F, 0xFE00...0xFE0F, 0xFEFF: 0
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x4DBF, 0x4E00...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            2
        default: 1
        }
    }

    /// ` -- 1.23 million` for numbers past a million, which nobody reads at a glance; empty for others.
    static func largeNumberTip(_ column: Column, row: Int) -> [UInt8] {
        guard column.type.isInteger || column.type.isFloat, let value = number(column.scalar(at: row)) else {
            return []
        }
        let size = abs(value)
        // Of integers past sixteen digits ClickHouse says nothing.
        guard size > 1_000_000, size.isFinite, size < 1e17 || size >= 1e21 else { return [] }
        let units: [(Double, String)] = [
            (1e24, "septillion"), (1e21, "sextillion"), (1e18, "quintillion"), (1e15, "quadrillion"),
            (1e12, "trillion"),
            (1e9, "billion"), (1e6, "million"),
        ]
        guard size < 1e27, let unit = units.first(where: { size >= $0.0 }) else { return [] }
        let hundredths = Int64((size / unit.0 * 100).rounded())
        var bytes = Array((value < 0 ? " -- -" : " -- ").utf8)
        ValueText.append(integer: hundredths / 100, to: &bytes)
        bytes.append(UInt8(ascii: "."))
        ValueText.append(padded: hundredths % 100, digits: 2, to: &bytes)
        return bytes + Array(" \(unit.1)".utf8)
    }

    private static func number(_ scalar: Scalar) -> Double? {
        switch scalar {
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .float(let value): value
        default: nil
        }
    }
}
