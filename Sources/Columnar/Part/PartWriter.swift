import Disk

/// Writes a part, column after column, each granule by granule. Memory: one granule of one column, and of the Bloom
/// filter one group.
///
/// Calls come in order: for each column `beginColumn`, `append` once a granule, `endColumn`; then `finish`. A writer
/// that failed is thrown away with `abandon`.
final class PartWriter {
    private let fileSystem: any FileSystem
    private let file: any File
    let path: String
    private let compression: BlockCompression
    private var footer: PartFooter
    /// Bytes not written yet, and where they go.
    private var pending: [UInt8] = []
    private var offset: UInt64 = 0
    private var column: ColumnInProgress?

    private struct ColumnInProgress {
        var column: PartColumn
        var dictionary: ValueDictionary?
        /// Hashes of the dictionary's values, when a Bloom filter is built over them.
        var dictionaryHashes: [UInt64] = []
        var bloom: BloomBuilder?
        var ranges: [ValueRange?] = []
    }

    /// Bytes gathered before they are written.
    private static let bufferBytes = 256 << 10
    /// The longest average value, in bytes, of a column that gets a Bloom filter: longer ones are text, which nobody
    /// looks up whole.
    private static let bloomValueBytes: UInt64 = 72
    /// Dictionaries up to this size get no Bloom filter: their values are in most granules.
    private static let bloomDictionaryCount = 512

    /// Begins the file at `path`, which must not exist. `footer` says everything but the columns.
    init(
        path: String, footer: PartFooter, compression: BlockCompression, fileSystem: any FileSystem
    ) throws(ColumnarError) {
        file = try onDisk { () throws(DiskError) in try fileSystem.open(path, .createNew) }
        self.path = path
        self.footer = footer
        self.compression = compression
        self.fileSystem = fileSystem
        pending = PartFormat.magic + [PartFormat.version]
        offset = UInt64(pending.count)
    }

    /// Begins a column. Granules given as codes into `dictionary` are stored as such; `averageBytes` is about what a
    /// value takes, to decide on a Bloom filter.
    func beginColumn(
        id: UInt32, name: String, type: DataType, dictionary: ValueDictionary?, averageBytes: UInt64
    ) throws(ColumnarError) {
        precondition(column == nil, "BUG: a column begun inside another")
        var begun = ColumnInProgress(column: PartColumn(id: id, name: name, type: type), dictionary: dictionary)
        if let dictionary {
            let values = dictionary.values
            begun.column.dictionary = try writeBlock(ColumnEncoder.block(values, dictionary: nil))
            begun.column.dictionaryCount = values.count
            if values.count > Self.bloomDictionaryCount, case .string(let strings) = values.data {
                begun.dictionaryHashes = strings.hashes()
                begun.bloom = BloomBuilder()
            }
        } else if type.physical == .string, averageBytes <= Self.bloomValueBytes, type.base == .string {
            begun.bloom = BloomBuilder()
        }
        begun.column.offset = offset
        column = begun
    }

    /// Adds the next granule of the column, as many rows as the footer says.
    func append(_ values: Column) throws(ColumnarError) {
        guard var current = column.take() else { preconditionFailure("BUG: a granule outside a column") }
        let granule = current.column.lengths.count
        precondition(values.count == Int(footer.granules[granule]), "BUG: \(values.count) rows in granule \(granule)")
        let location = try writeBlock(ColumnEncoder.block(values, dictionary: current.dictionary))
        current.column.lengths.append(location.length)
        current.column.checksums.append(location.checksum)
        current.column.memoryBytes.append(UInt64(values.flatBytes))
        current.column.nullCounts.append(UInt32(values.nullCount))
        if current.column.type.isSortable { current.ranges.append(ColumnRange.of(values)) }
        current.bloom?.append(hashes: values.hashes(dictionary: current.dictionary, current.dictionaryHashes))
        column = current
    }

    /// Ends the column.
    func endColumn() throws(ColumnarError) {
        guard var current = column.take() else { preconditionFailure("BUG: no column to end") }
        precondition(current.column.lengths.count == footer.granules.count, "BUG: a column without all granules")
        if var bloom = current.bloom {
            bloom.finish()
            current.column.bloom = BloomLocation(offset: offset, pages: bloom.pages)
            try write(bloom.bytes)
        }
        if current.column.type.isSortable { current.column.setRanges(current.ranges) }
        footer.columns.append(current.column)
    }

    /// Writes the footer and makes the file durable; its name becomes so with the folder's sync. `timeColumn` is the
    /// id of the column that dates the rows. Returns the file's size.
    func finish(timeColumn: UInt32?) throws(ColumnarError) -> UInt64 {
        footer.times = footer.columns.first { $0.id == timeColumn }.flatMap { $0.times(rows: footer.rowCount) }
        let bytes = try BlockFrame.frame(footer.encoded(), .zstd(level: 1))
        try write(bytes)
        var trailer = BlockBuilder()
        trailer.integer(UInt32(bytes.count))
        let size = offset + UInt64(PartFormat.trailerBytes)
        trailer.integer(size)
        trailer.integer(CRC32C.checksum(trailer.bytes, seed: CRC32C.checksum(bytes)))
        trailer.integer(UInt32(0))
        trailer.bytes += PartFormat.magic + [PartFormat.version]
        try write(trailer.bytes)
        try flush()
        try onDisk { () throws(DiskError) in try file.sync() }
        file.close()
        return size
    }

    /// Closes and removes the file, as far as the disk lets.
    func abandon() {
        file.close()
        try? fileSystem.remove(path)
    }

    private func writeBlock(_ raw: [UInt8]) throws(ColumnarError) -> BlockLocation {
        guard raw.count <= BlockLimits.rawBytes else {
            throw ColumnarError(.invalidValue, "a granule of \(raw.count >> 20) MiB is more than a block may have")
        }
        let framed = try BlockFrame.frame(raw, compression)
        let location = BlockLocation(offset: offset, length: UInt32(framed.count), checksum: CRC32C.checksum(framed))
        try write(framed)
        return location
    }

    private func write(_ bytes: [UInt8]) throws(ColumnarError) {
        pending += bytes
        offset += UInt64(bytes.count)
        if pending.count >= Self.bufferBytes { try flush() }
    }

    private func flush() throws(ColumnarError) {
        try onDisk { () throws(DiskError) in try file.write(pending, at: offset - UInt64(pending.count)) }
        pending.removeAll(keepingCapacity: true)
    }
}

extension PartColumn {
    /// The earliest and latest time, when the column's range is known.
    fileprivate func times(rows: Int) -> ClosedRange<Int64>? {
        let nulls = nullCounts.reduce(0) { $0 + Int($1) }
        guard let range = range(lengths.count, rows: rows, nulls: nulls),
            let earliest = TimeUnits.milliseconds(range.minimum, type: type),
            let latest = TimeUnits.milliseconds(range.maximum, type: type), earliest <= latest
        else { return nil }
        return earliest...latest
    }

    fileprivate mutating func setRanges(_ ranges: [ValueRange?]) {
        var whole = ranges.first ?? nil
        for range in ranges.dropFirst() {
            guard let known = whole, let range else {
                whole = nil
                break
            }
            whole = known.union(range)
        }
        let all = ranges + [whole]
        let type = Self.rangeType(type)
        minimums = Column(type: type, scalars: all.map { $0?.minimum ?? .null })
        maximums = Column(type: type, scalars: all.map { $0?.maximum ?? .null })
        exactness = all.map { $0?.isExact == true ? 1 : 0 }
    }
}

extension Column {
    /// How many rows are NULL.
    var nullCount: Int {
        guard let flags = flattenedNulls else { return 0 }
        var count = 0
        for flag in flags { count &+= Int(flag & 1) }
        return count
    }

    /// Bytes the rows take without dictionary and constant: what reading them may cost.
    var flatBytes: Int {
        switch data {
        case .dictionary(let encoded): encoded.flatBytes
        case .constant(let value, let count): value.memoryBytes * count
        default: memoryBytes
        }
    }

    /// Hashes of the values of a granule, without NULLs: of each row, or of each code of `dictionary`.
    fileprivate func hashes(dictionary: ValueDictionary?, _ dictionaryHashes: [UInt64]) -> [UInt64] {
        if case .dictionary(let encoded) = data, let dictionary, encoded.dictionary === dictionary {
            return encoded.usedCodes(flattenedNulls).map { dictionaryHashes[Int($0)] }
        }
        if case .dictionary(let encoded) = data, case .string(let values) = encoded.dictionary.values.data {
            let all = values.hashes()
            return encoded.usedCodes(flattenedNulls).map { all[Int($0)] }
        }
        if case .constant(let value, _) = data {
            return value.hashes(dictionary: nil, [])
        }
        guard case .string(let values) = data else { return [] }
        let all = values.hashes()
        guard let nulls = flattenedNulls else { return all }
        return all.indices.filter { nulls[$0] == 0 }.map { all[$0] }
    }
}

extension StringData {
    /// The hash of each row.
    func hashes() -> [UInt64] {
        bytes.withUnsafeBytes { bytes in
            (0..<count).map { row in
                Hash64.hash(UnsafeRawBufferPointer(rebasing: bytes[Int(offsets[row])..<Int(offsets[row + 1])]))
            }
        }
    }
}

extension ColumnarError {
    /// A failure of the disk: damage where the disk says so, else `.disk`.
    init(disk error: DiskError) {
        switch error.code {
        case .corrupt, .truncated: self.init(.corrupt, error.message, cause: error)
        default: self.init(.disk, error.message, cause: error)
        }
    }
}

/// Runs `body`; a failure of the disk becomes a `ColumnarError`.
func onDisk<Result>(_ body: () throws(DiskError) -> Result) throws(ColumnarError) -> Result {
    do throws(DiskError) {
        return try body()
    } catch {
        throw ColumnarError(disk: error)
    }
}
