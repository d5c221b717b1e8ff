import Columnar
import Synchronization

/// Rows on their way through the operators: one column an input, empty where an input is not read.
struct Frame {
    var columns: [Column]
    var rowCount: Int
}

/// Reads a snapshot granule by granule: leaves out granules that cannot have rows, filters, and then reads the other
/// columns for the rows that are left.
final class TableScan: Sendable {
    /// A granule to be read, and which filters it must still be asked.
    struct Piece: Sendable {
        var source: Int
        var granule: Int
        /// Indices of filters that ranges did not decide.
        var open: [Int]
        /// The smallest sort prefix a row of it can have, where rows are wanted in order.
        var bestPrefix: UInt64 = 0
    }

    let context: QueryContext
    let snapshot: any TableSnapshot
    let sources: [any GranuleSource]
    let columns: [ColumnDefinition]
    /// Cheap ones first.
    let filters: [ScanFilter]
    /// The columns read for rows that pass, in order.
    let output: [Int]

    init(_ snapshot: any TableSnapshot, filters: [(BoundExpression, String)], output: [Int], context: QueryContext) {
        self.snapshot = snapshot
        self.context = context
        sources = snapshot.sources
        columns = snapshot.columns
        self.output = output
        self.filters = filters.map { ScanFilter($0.0, text: $0.1, evaluation: context.evaluation) }
            .enumerated().sorted { ($0.element.cost, $0.offset) < ($1.element.cost, $1.offset) }.map(\.element)
    }

    // MARK: Before reading

    /// The granules that may have rows, judged by ranges alone.
    func pieces(_ report: PruneReport? = nil) throws(QueryError) -> [Piece] {
        var result: [Piece] = []
        let all = Array(filters.indices)
        for (index, source) in sources.enumerated() where source.granuleCount > 0 {
            try context.checkpoint()
            report?.add(source)
            guard context.limits.usesPruning, !filters.isEmpty else {
                for granule in 0..<source.granuleCount {
                    result.append(Piece(source: index, granule: granule, open: all))
                }
                continue
            }
            let pieces = rangePieces(source, index, report)
            context.progress.skipped.wrappingAdd(
                UInt64(source.granuleCount - pieces.count), ordering: .relaxed)
            result += pieces
        }
        return result
    }

    private func rangePieces(_ source: any GranuleSource, _ index: Int, _ report: PruneReport?) -> [Piece] {
        var open: [Int] = []
        for (number, filter) in filters.enumerated() {
            var used: Set<Int> = []
            filter.condition.forEachColumn { used.insert($0) }
            let ranges = SourceRanges(source, columns: columns, indices: used, wholeSource: true)
            switch filter.condition.verdicts(ranges, context: context.evaluation).first {
            case Verdict.never:
                report?.skipSource(source, filter)
                return []
            case Verdict.always: continue
            default: open.append(number)
            }
        }
        var verdicts: [(filter: Int, verdicts: [UInt8])] = []
        for number in open where !filters[number].condition.isUnknown {
            var used: Set<Int> = []
            filters[number].condition.forEachColumn { used.insert($0) }
            let ranges = SourceRanges(source, columns: columns, indices: used, wholeSource: false)
            verdicts.append((number, filters[number].condition.verdicts(ranges, context: context.evaluation)))
        }
        var result: [Piece] = []
        for granule in 0..<source.granuleCount {
            if let decisive = verdicts.first(where: { $0.verdicts[granule] == Verdict.never }) {
                report?.skipGranule(
                    source, filters[decisive.filter], isSortingKey: isSortingKey(decisive.filter, source))
                continue
            }
            let decided = verdicts.filter { $0.verdicts[granule] == Verdict.always }.map(\.filter)
            result.append(
                Piece(
                    source: index, granule: granule,
                    open: decided.isEmpty ? open : open.filter { !decided.contains($0) }))
        }
        return result
    }

    private func isSortingKey(_ filter: Int, _ source: any GranuleSource) -> Bool {
        guard source.isSorted else { return false }
        return filters[filter].columns.contains { snapshot.sortingKey.contains(columns[$0].name) }
    }

    /// Asks Bloom filters and dictionaries whether a granule can have rows; the filter that says no, and who said so.
    func excluding(_ piece: Piece) throws(QueryError) -> (filter: ScanFilter, byDictionary: Bool)? {
        guard context.limits.usesPruning else { return nil }
        let source = sources[piece.source]
        for number in piece.open {
            let filter = filters[number]
            if let only = filter.onlyColumn {
                let dictionary = try reading(source) { () throws(ColumnarError) in
                    try source.dictionary(column: columns[only].name)
                }
                if let dictionary {
                    if let mask = try filter.mask(dictionary, type: columns[only].type), mask.isEmpty {
                        return (filter, true)
                    }
                    continue
                }
            }
            guard let wanted = filter.wanted else { continue }
            let name = columns[wanted.column].name
            let isThere = try reading(source) { () throws(ColumnarError) in
                for value in wanted.values
                where try source.mayContain(column: name, granule: piece.granule, value: value) {
                    return true
                }
                return false
            }
            if !isThere { return (filter, false) }
        }
        return nil
    }

    // MARK: Reading

    /// The rows of a granule that pass all filters; nil when there are none.
    func frame(_ piece: Piece, limiter: SortLimiter? = nil) throws(QueryError) -> Frame? {
        try context.checkpoint()
        var isExcluded = limiter?.excludes(prefix: piece.bestPrefix) ?? false
        if !isExcluded { isExcluded = try excluding(piece) != nil }
        if isExcluded {
            context.progress.skipped.wrappingAdd(1, ordering: .relaxed)
            return nil
        }
        let source = sources[piece.source]
        let rowCount = source.rowCount(granule: piece.granule)
        if rowCount == 0 { return nil }
        try context.countRead(rows: rowCount, granules: 1)
        var granule = GranuleReader(scan: self, source: source, granule: piece.granule, rowCount: rowCount)
        for number in piece.open {
            try granule.apply(filters[number])
            if granule.kept == 0 { return nil }
        }
        if let limiter {
            try granule.apply(limiter)
            if granule.kept == 0 { return nil }
        }
        return try granule.frame()
    }

    /// Runs a read, its failure named by the part.
    func reading<Result>(
        _ source: any GranuleSource, _ body: () throws(ColumnarError) -> Result
    ) throws(QueryError) -> Result {
        do throws(ColumnarError) {
            return try body()
        } catch {
            let code: QueryError.Code = error.code == .corrupt ? .corruptedData : .logicalError
            throw QueryError(code, "Cannot read part \(source.name): \(error.message)")
        }
    }

    func read(_ source: any GranuleSource, column: Int, granule: Int) throws(QueryError) -> Column {
        let definition = columns[column]
        let result = try reading(source) { () throws(ColumnarError) in
            try source.read(column: definition.name, granule: granule)
        }
        context.progress.bytes.wrappingAdd(
            UInt64(source.storedBytes(column: definition.name, granule: granule)), ordering: .relaxed)
        guard result.count == source.rowCount(granule: granule) else {
            throw QueryError(
                .corruptedData,
                "Cannot read part \(source.name): column \(definition.name) has \(result.count) rows in granule \(granule)"
            )
        }
        return result
    }
}

/// One granule while it is filtered: which columns are read, which rows are left.
struct GranuleReader {
    private let scan: TableScan
    private let source: any GranuleSource
    private let granule: Int
    private let rowCount: Int
    private var columns: [Column]
    private var isRead: [Bool]
    /// 1 a row that is left; nil when all are.
    private var mask: [UInt8]?
    private(set) var kept: Int

    init(scan: TableScan, source: any GranuleSource, granule: Int, rowCount: Int) {
        self.scan = scan
        self.source = source
        self.granule = granule
        self.rowCount = rowCount
        columns = [Column](repeating: emptyColumn, count: scan.columns.count)
        isRead = [Bool](repeating: false, count: scan.columns.count)
        kept = rowCount
    }

    private mutating func load(_ index: Int) throws(QueryError) {
        if isRead[index] { return }
        columns[index] = try scan.read(source, column: index, granule: granule)
        isRead[index] = true
    }

    /// Takes away the rows that do not pass.
    mutating func apply(_ filter: ScanFilter) throws(QueryError) {
        for index in filter.columns { try load(index) }
        if let only = filter.onlyColumn, case .dictionary(let encoded) = columns[only].data,
            let known = try filter.mask(encoded.dictionary, type: scan.columns[only].type)
        {
            intersect(maskOfCodes(encoded.codes, known, nulls: columns[only].nulls))
            return
        }
        let evaluation = scan.context.evaluation
        try narrow(filter.columns) { (inputs, count) throws(QueryError) in
            truthMask(try filter.expression.evaluate(inputs, rowCount: count, context: evaluation))
        }
    }

    /// Takes away the rows that cannot come among the first.
    mutating func apply(_ limiter: SortLimiter) throws(QueryError) {
        guard limiter.isActive else { return }
        for index in limiter.columns { try load(index) }
        let evaluation = scan.context.evaluation
        try narrow(limiter.columns) { (inputs, count) throws(QueryError) in
            try limiter.mask(inputs, rowCount: count, context: evaluation)
        }
    }

    private func maskOfCodes(_ codes: [UInt16], _ known: ScanFilter.Mask, nulls: [UInt8]?) -> [UInt8] {
        var result = known.codes.withUnsafeBufferPointer { table in
            codes.withUnsafeBufferPointer { codes in
                [UInt8](unsafeUninitializedCapacity: codes.count) { target, filled in
                    for row in 0..<codes.count { target.initializeElement(at: row, to: table[Int(codes[row])]) }
                    filled = codes.count
                }
            }
        }
        if let nulls {
            let byNull: UInt8 = known.takesNull ? 1 : 0
            for row in nulls.indices where nulls[row] != 0 { result[row] = byNull }
        }
        return result
    }

    /// Evaluates over all rows while most are left, and over those left once they are few.
    private mutating func narrow(
        _ used: [Int], _ body: (_ inputs: [Column], _ count: Int) throws(QueryError) -> [UInt8]
    ) throws(QueryError) {
        guard var mask, kept * 4 < rowCount * 3 else {
            intersect(try body(columns, rowCount))
            return
        }
        let rows = selectedRows(mask: mask, kept: kept)
        var inputs = columns
        for index in used { inputs[index] = columns[index].gather(rows) }
        let verdicts = try body(inputs, kept)
        for (position, row) in rows.enumerated() { mask[Int(row)] = verdicts[position] }
        kept = countOnes(mask)
        self.mask = mask
    }

    private mutating func intersect(_ other: [UInt8]) {
        guard var mask else {
            kept = countOnes(other)
            if kept < rowCount { self.mask = other }
            return
        }
        self.mask = nil
        mask.withUnsafeMutableBufferPointer { mask in
            other.withUnsafeBufferPointer { other in
                for row in 0..<other.count { mask[row] &= other[row] }
            }
        }
        kept = countOnes(mask)
        self.mask = mask
    }

    /// The output columns of the rows that are left.
    mutating func frame() throws(QueryError) -> Frame {
        let rows = mask.map { selectedRows(mask: $0, kept: kept) }
        var result = [Column](repeating: emptyColumn, count: columns.count)
        for index in scan.output {
            try load(index)
            result[index] = rows.map { columns[index].gather($0) } ?? columns[index]
        }
        return Frame(columns: result, rowCount: kept)
    }
}
