import Disk

/// Writes the rows of a memory part into sorted parts, one a partition.
///
/// Works column by column: one column of all rows is in memory beside the memory part, never all of them twice.
struct FlushWriter {
    let memory: MemoryPart
    let stored: StoredDefinition
    let sources: [PartOrigin]
    let nowMs: Int64
    let fileSystem: any FileSystem
    /// Path and number of a new part.
    let newPart: () -> (path: String, number: UInt64)

    /// A part file written and durable (but for its name).
    struct Written {
        var number: UInt64
        var path: String
        var rowCount: Int
        var sizeBytes: UInt64
    }

    /// Parts written at the same time: each has an open file.
    private static let maxOpenParts = 32

    /// Writes all parts. When it throws, it has removed those it began.
    func write() throws(ColumnarError) -> [Written] {
        let (permutation, ranges) = try order()
        let sizes = try rowSizes()
        var written: [Written] = []
        do throws(ColumnarError) {
            var start = 0
            while start < ranges.count {
                let end = min(start + Self.maxOpenParts, ranges.count)
                written += try write(Array(ranges[start..<end]), permutation, sizes)
                start = end
            }
        } catch {
            for part in written { try? fileSystem.remove(part.path) }
            throw error
        }
        return written
    }

    /// Rows of one partition: a range of the sorted order.
    private struct PartitionRange {
        var rows: Range<Int>
        var partition: String?
    }

    private func column(at index: Int) throws(ColumnarError) -> Column {
        let definition = stored.definition.columns[index]
        var runs: [Column] = []
        for run in memory.runs { runs.append(try run.column(id: stored.ids[index], type: definition.type)) }
        return Column.concatenate(runs, type: definition.type)
    }

    private func order() throws(ColumnarError) -> (permutation: [UInt32]?, ranges: [PartitionRange]) {
        var columns: [SortColumn] = []
        var partitions: [Int64] = []
        let scheme = stored.definition.partitionBy
        if let name = scheme.column, let index = stored.index(of: name) {
            partitions = Self.capped(scheme.partitions(try column(at: index)))
            let keys = partitions.map { UInt64(bitPattern: $0) ^ 1 << 63 }
            columns.append(SortColumn(keys: keys))
        }
        for index in stored.sortingIndices { columns += SortColumn.columns(of: try column(at: index)) }
        let permutation = Sorter.permutation(columns, rowCount: memory.rowCount)
        guard !partitions.isEmpty else { return (permutation, [PartitionRange(rows: 0..<memory.rowCount)]) }
        var ranges: [PartitionRange] = []
        var start = 0
        var current = partitions[Int(permutation?[0] ?? 0)]
        for place in 1...memory.rowCount {
            let next = place < memory.rowCount ? partitions[Int(permutation?[place] ?? UInt32(place))] : nil
            if next == current { continue }
            ranges.append(PartitionRange(rows: start..<place, partition: Self.name(current, scheme)))
            start = place
            current = next ?? 0
        }
        return (permutation, ranges)
    }

    /// Partitions one flush may write; rows of the others share one more. Times from all of history in one request
    /// must not make a file a day.
    static let maxPartitions = 128
    private static let otherPartition = Int64.max

    /// The partitions with the fewest rows replaced by one, when there are too many.
    private static func capped(_ partitions: [Int64]) -> [Int64] {
        var counts: [Int64: Int] = [:]
        var last: Int64?
        var run = 0
        for partition in partitions {
            if partition != last {
                if let last { counts[last, default: 0] += run }
                (last, run) = (partition, 0)
            }
            run += 1
        }
        if let last { counts[last, default: 0] += run }
        guard counts.count > maxPartitions else { return partitions }
        let kept = Set(counts.sorted { ($0.value, $0.key) > ($1.value, $1.key) }.prefix(maxPartitions).map(\.key))
        return partitions.map { kept.contains($0) ? $0 : otherPartition }
    }

    private static func name(_ partition: Int64, _ scheme: PartitionScheme) -> String? {
        partition == otherPartition ? "other" : scheme.name(partition)
    }

    /// Bytes of each row; nil when no granule can come near `BlockLimits.granuleBytes`.
    private func rowSizes() throws(ColumnarError) -> [Int]? {
        var largest = 0
        for index in stored.definition.columns.indices {
            var most = 16
            for run in memory.runs {
                most = max(
                    most, try run.column(id: stored.ids[index], type: stored.definition.columns[index].type).largestRow)
            }
            largest += most
        }
        guard largest > BlockLimits.granuleBytes / granuleRows else { return nil }
        var sizes = [Int](repeating: 0, count: memory.rowCount)
        var start = 0
        for run in memory.runs {
            for index in stored.definition.columns.indices {
                let column = try run.column(id: stored.ids[index], type: stored.definition.columns[index].type)
                column.addRowSizes(to: &sizes, from: start)
            }
            start += run.rowCount
        }
        return sizes
    }

    /// Rows of each granule of a range of the sorted order.
    private func granules(_ range: Range<Int>, _ permutation: [UInt32]?, _ sizes: [Int]?) -> [UInt32] {
        guard let sizes else {
            return stride(from: range.lowerBound, to: range.upperBound, by: granuleRows).map {
                UInt32(min(granuleRows, range.upperBound - $0))
            }
        }
        var result: [UInt32] = []
        var rows: UInt32 = 0
        var bytes = 0
        for place in range {
            let size = sizes[Int(permutation?[place] ?? UInt32(place))]
            if rows > 0, rows == granuleRows || bytes + size > BlockLimits.granuleBytes {
                result.append(rows)
                (rows, bytes) = (0, 0)
            }
            rows += 1
            bytes += size
        }
        if rows > 0 { result.append(rows) }
        return result
    }

    private func write(
        _ ranges: [PartitionRange], _ permutation: [UInt32]?, _ sizes: [Int]?
    ) throws(ColumnarError) -> [Written] {
        var writers: [(writer: PartWriter, range: PartitionRange, number: UInt64, granules: [UInt32])] = []
        do throws(ColumnarError) {
            for range in ranges {
                let (path, number) = newPart()
                let granules = granules(range.rows, permutation, sizes)
                var footer = PartFooter()
                footer.createdMs = nowMs
                footer.partition = range.partition
                footer.sources = sources
                footer.rowCount = range.rows.count
                footer.granules = granules
                footer.sortingKey = stored.sortingIndices.map { stored.ids[$0] }
                let writer = try PartWriter(path: path, footer: footer, compression: .lz4, fileSystem: fileSystem)
                writers.append((writer, range, number, granules))
            }
            for index in stored.definition.columns.indices {
                let whole = try column(at: index)
                for one in writers {
                    try write(whole, index, rows: one.range.rows, granules: one.granules, permutation, to: one.writer)
                }
            }
            var written: [Written] = []
            let timeColumn = stored.definition.timeColumn.flatMap { stored.index(of: $0) }.map { stored.ids[$0] }
            for one in writers {
                let size = try one.writer.finish(timeColumn: timeColumn)
                written.append(
                    Written(
                        number: one.number, path: one.writer.path, rowCount: one.range.rows.count, sizeBytes: size))
            }
            return written
        } catch {
            for one in writers { one.writer.abandon() }
            throw error
        }
    }

    private func write(
        _ whole: Column, _ index: Int, rows: Range<Int>, granules: [UInt32], _ permutation: [UInt32]?,
        to writer: PartWriter
    ) throws(ColumnarError) {
        var values = whole
        let isWhole = rows.count == whole.count
        if !isWhole {
            values = permutation.map { whole.gather(Array($0[rows])) } ?? whole.slice(rows)
        }
        var dictionary: ValueDictionary?
        let averageBytes = UInt64(values.memoryBytes / max(1, values.count))
        if values.type.physical == .string, let coded = DictionaryBuilder.encode(values),
            case .dictionary(let data) = coded.data
        {
            values = coded
            dictionary = data.dictionary
        }
        let definition = stored.definition.columns[index]
        try writer.beginColumn(
            id: stored.ids[index], name: definition.name, type: definition.type, dictionary: dictionary,
            averageBytes: averageBytes)
        var start = 0
        for count in granules {
            let range = start..<start + Int(count)
            if isWhole, let permutation {
                try writer.append(values.gather(Array(permutation[range])))
            } else {
                try writer.append(values.slice(range))
            }
            start = range.upperBound
        }
        try writer.endColumn()
    }
}

extension Column {
    /// Bytes of the largest row, at least.
    var largestRow: Int {
        switch data {
        case .string(let values): values.offsets.largestStep
        case .array, .map, .tuple: count == 0 ? 0 : memoryBytes
        case .dictionary(let encoded): encoded.dictionary.values.largestRow
        case .constant(let value, _): value.memoryBytes
        default: 16
        }
    }

    /// Adds the bytes of each row to `sizes`, the first row's at `start`.
    func addRowSizes(to sizes: inout [Int], from start: Int) {
        switch data {
        case .string(let values):
            for row in 0..<count { sizes[start + row] += Int(values.offsets[row + 1] - values.offsets[row]) + 4 }
        case .array(let values):
            let average = values.elements.memoryBytes / max(1, values.elements.count) + 1
            for row in 0..<count {
                sizes[start + row] += Int(values.offsets[row + 1] - values.offsets[row]) * average + 4
            }
        case .map(let values):
            let bytes = values.keys.memoryBytes + values.values.memoryBytes
            let average = bytes / max(1, values.keys.count) + 1
            for row in 0..<count {
                sizes[start + row] += Int(values.offsets[row + 1] - values.offsets[row]) * average + 4
            }
        case .dictionary(let encoded):
            guard case .string(let values) = encoded.dictionary.values.data else { return }
            for row in 0..<count {
                let code = Int(encoded.codes[row])
                sizes[start + row] += Int(values.offsets[code + 1] - values.offsets[code]) + 4
            }
        case .constant(let value, _):
            let bytes = value.memoryBytes
            for row in 0..<count { sizes[start + row] += bytes }
        default:
            for row in 0..<count { sizes[start + row] += 16 }
        }
    }
}

extension [UInt32] {
    fileprivate var largestStep: Int {
        var most: UInt32 = 0
        for index in stride(from: 1, to: count, by: 1) { most = Swift.max(most, self[index] &- self[index - 1]) }
        return Int(most)
    }
}
