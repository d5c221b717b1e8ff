/// NULL flags to and from their stored forms.
enum NullMarks {
    /// Appends form and marks. `nulls` has one byte a row, at least one of them 0.
    static func encode(_ nulls: [UInt8]?, to builder: inout BlockBuilder) {
        guard let nulls else {
            builder.uint8(NullsForm.none.rawValue)
            return
        }
        var runs: [Int] = []
        var start = 0
        var flag: UInt8 = 0
        for row in 0..<nulls.count where nulls[row] != flag {
            runs.append(row - start)
            start = row
            flag = nulls[row]
        }
        runs.append(nulls.count - start)
        // A run takes one or two bytes, the bitmap an eighth of a byte a row.
        if runs.count * 2 < nulls.count / 8 {
            builder.uint8(NullsForm.runs.rawValue)
            builder.count(runs.count)
            for run in runs { builder.count(run) }
            return
        }
        builder.uint8(NullsForm.bitmap.rawValue)
        builder.append(count: (nulls.count + 7) / 8) { target in
            for row in 0..<nulls.count { target[row >> 3] |= (nulls[row] & 1) << UInt8(row & 7) }
        }
    }

    /// Decodes `count` flags; nil when no row is NULL.
    static func decode(_ count: Int, _ cursor: inout BlockCursor) throws(ColumnarError) -> [UInt8]? {
        let number = try cursor.uint8()
        switch NullsForm(rawValue: number) {
        case .some(.none): return nil
        case .all:
            try cursor.allocate(count, size: 1)
            return [UInt8](repeating: 1, count: count)
        case .bitmap:
            let bits = try cursor.take((count + 7) / 8)
            try cursor.allocate(count, size: 1)
            return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                for row in 0..<count {
                    buffer.initializeElement(at: row, to: bits[row >> 3] >> UInt8(row & 7) & 1)
                }
                filled = count
            }
        case .runs: return try runs(count, &cursor)
        case nil: throw cursor.corrupt("null marks of form \(number)")
        }
    }

    private static func runs(_ count: Int, _ cursor: inout BlockCursor) throws(ColumnarError) -> [UInt8] {
        try cursor.allocate(count, size: 1)
        var nulls: [UInt8] = []
        nulls.reserveCapacity(count)
        var flag: UInt8 = 0
        for _ in 0..<(try cursor.count(max: count + 1)) {
            let run = try cursor.count(max: count - nulls.count)
            nulls.append(contentsOf: repeatElement(flag, count: run))
            flag ^= 1
        }
        guard nulls.count == count else { throw cursor.corrupt("null marks for \(nulls.count) of \(count) rows") }
        return nulls
    }
}
