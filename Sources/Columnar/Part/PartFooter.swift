/// What a part says of itself: everything a reader needs but the blocks. Form: see PartFormat.swift.
struct PartFooter: Sendable {
    var level = 0
    var createdMs: Int64 = 0
    var partition: String?
    /// Earliest and latest time of the rows, by the table's time column.
    var times: ClosedRange<Int64>?
    /// Which offsets the rows came from.
    var sources: [PartOrigin] = []
    var rowCount = 0
    /// Rows of each granule, each 1 to `granuleRows`.
    var granules: [UInt32] = []
    /// Ids of the columns by which rows are sorted.
    var sortingKey: [UInt32] = []
    var columns: [PartColumn] = []

    /// Bytes the rows took in memory.
    var uncompressedBytes: UInt64 { columns.reduce(0) { $0 &+ $1.memoryBytes.reduce(0, &+) } }
}

/// Offsets of one source partition: from the first up to, not including, the end.
struct PartOrigin: Sendable, Hashable {
    var source: SourcePartition
    var first: Int64
    var end: Int64
}

/// A block in the file.
struct BlockLocation: Sendable, Hashable {
    var offset: UInt64
    var length: UInt32
    var checksum: UInt32
}

/// One column of a part.
struct PartColumn: Sendable {
    var id: UInt32
    var name: String
    var type: DataType
    /// Where the first granule's block begins; the others follow.
    var offset: UInt64 = 0
    var lengths: [UInt32] = []
    var checksums: [UInt32] = []
    /// Bytes of each granule in memory, flat.
    var memoryBytes: [UInt64] = []
    var nullCounts: [UInt32] = []
    var dictionary: BlockLocation?
    var dictionaryCount = 0
    var bloom: BloomLocation?
    /// Minimum of each granule and then of the part; nil when the type has no order.
    var minimums: Column?
    var maximums: Column?
    /// One for each of those: 1 where minimum and maximum occur.
    var exactness: [UInt8] = []
    /// Where each granule's block begins; made from `offset` and `lengths`.
    var offsets: [UInt64] = []

    /// The block of `granule`.
    func block(_ granule: Int) -> BlockLocation {
        BlockLocation(offset: offsets[granule], length: lengths[granule], checksum: checksums[granule])
    }

    /// The range at `index`: a granule, or the number of granules for the part.
    func range(_ index: Int, rows: Int, nulls: Int) -> ValueRange? {
        guard let minimums, let maximums else { return nil }
        if nulls == rows { return ValueRange(minimum: .null, maximum: .null, nullCount: nulls, isExact: true) }
        if minimums.isNull(at: index) || maximums.isNull(at: index) { return nil }
        return ValueRange(
            minimum: minimums.scalar(at: index), maximum: maximums.scalar(at: index), nullCount: nulls,
            isExact: exactness[index] == 1)
    }

    /// The type of `minimums` and `maximums`.
    static func rangeType(_ type: DataType) -> DataType { .nullable(type.base) }
}

extension PartFooter {
    /// The footer's bytes, before they are framed.
    func encoded() -> [UInt8] {
        var out = BlockBuilder()
        out.varint(0)
        out.count(level)
        out.zigzag(createdMs)
        out.optional(partition)
        out.uint8(times == nil ? 0 : 1)
        if let times {
            out.zigzag(times.lowerBound)
            out.zigzag(times.upperBound)
        }
        out.count(sources.count)
        for origin in sources {
            out.string(origin.source.topic)
            out.varint(UInt64(UInt32(bitPattern: origin.source.partition)))
            out.zigzag(origin.first)
            out.zigzag(origin.end)
        }
        out.count(rowCount)
        out.count(granules.count)
        IntegerEncoder.encode(granules, to: &out)
        out.count(sortingKey.count)
        for id in sortingKey { out.varint(UInt64(id)) }
        out.count(columns.count)
        for column in columns { column.encode(to: &out) }
        return out.bytes
    }

    /// Reads what `encoded` wrote; blocks must lie inside the first `blockEnd` bytes of the file. Throws `.corrupt`,
    /// `.newerVersion`.
    static func decode(_ bytes: [UInt8], blockEnd: UInt64) throws(ColumnarError) -> PartFooter {
        try withBytes(bytes) { (buffer) throws(ColumnarError) -> PartFooter in
            var cursor = BlockCursor(buffer)
            var footer = PartFooter()
            try footer.read(&cursor)
            for _ in 0..<(try cursor.count(max: cursor.remaining)) {
                footer.columns.append(try PartColumn(&cursor, granules: footer.granules.count, blockEnd: blockEnd))
            }
            guard cursor.remaining == 0 else { throw cursor.corrupt("the footer has bytes too many") }
            return footer
        }
    }

    private mutating func read(_ cursor: inout BlockCursor) throws(ColumnarError) {
        guard try cursor.varint() == 0 else {
            throw ColumnarError(.newerVersion, "the part uses features of a newer version")
        }
        level = try cursor.count(max: 1 << 20)
        createdMs = try cursor.zigzag()
        partition = try cursor.optional()
        if try cursor.flag() {
            let earliest = try cursor.zigzag()
            let latest = try cursor.zigzag()
            guard earliest <= latest else { throw cursor.corrupt("times run backwards") }
            times = earliest...latest
        }
        for _ in 0..<(try cursor.count(max: cursor.remaining)) {
            let topic = try cursor.string()
            let partition = Int32(bitPattern: UInt32(try cursor.count(max: Int(UInt32.max))))
            let first = try cursor.zigzag()
            let source = SourcePartition(topic: topic, partition: partition)
            sources.append(PartOrigin(source: source, first: first, end: try cursor.zigzag()))
        }
        rowCount = try cursor.count(max: 1 << 48)
        let granuleCount = try cursor.count(max: 1 << 26)
        granules = try IntegerDecoder.decode(UInt32.self, count: granuleCount, &cursor)
        var total = 0
        for rows in granules {
            guard rows > 0, rows <= granuleRows else { throw cursor.corrupt("a granule of \(rows) rows") }
            total += Int(rows)
        }
        guard total == rowCount else {
            throw cursor.corrupt("granules of \(total) rows in all, the part has \(rowCount)")
        }
        for _ in 0..<(try cursor.count(max: cursor.remaining)) {
            sortingKey.append(UInt32(try cursor.count(max: Int(UInt32.max))))
        }
    }
}

extension PartColumn {
    fileprivate func encode(to out: inout BlockBuilder) {
        out.varint(UInt64(id))
        out.string(name)
        out.type(type)
        var flags: UInt64 = 0
        if dictionary != nil { flags |= PartFormat.ColumnFlags.dictionary }
        if bloom != nil { flags |= PartFormat.ColumnFlags.bloom }
        if minimums != nil { flags |= PartFormat.ColumnFlags.ranges }
        out.varint(flags)
        out.varint(offset)
        IntegerEncoder.encode(lengths, to: &out)
        IntegerEncoder.encode(checksums, to: &out)
        IntegerEncoder.encode(memoryBytes, to: &out)
        IntegerEncoder.encode(nullCounts, to: &out)
        if let dictionary {
            out.varint(dictionary.offset)
            out.varint(UInt64(dictionary.length))
            out.integer(dictionary.checksum)
            out.count(dictionaryCount)
        }
        if let bloom {
            out.varint(bloom.offset)
            IntegerEncoder.encode(bloom.pages, to: &out)
        }
        if let minimums, let maximums {
            ColumnEncoder.encode(minimums, dictionary: nil, to: &out)
            ColumnEncoder.encode(maximums, dictionary: nil, to: &out)
            IntegerEncoder.encode(exactness, to: &out)
        }
    }

    fileprivate init(_ cursor: inout BlockCursor, granules: Int, blockEnd: UInt64) throws(ColumnarError) {
        id = UInt32(try cursor.count(max: Int(UInt32.max)))
        name = try cursor.string()
        type = try cursor.type()
        guard type.isStorable(depth: 0) else { throw cursor.corrupt("a column of type \(type)") }
        let flags = try cursor.varint()
        guard flags <= PartFormat.ColumnFlags.known else {
            throw ColumnarError(.newerVersion, "column \(name) uses features of a newer version")
        }
        offset = try cursor.varint()
        lengths = try IntegerDecoder.decode(UInt32.self, count: granules, &cursor)
        checksums = try IntegerDecoder.decode(UInt32.self, count: granules, &cursor)
        memoryBytes = try IntegerDecoder.decode(UInt64.self, count: granules, &cursor)
        nullCounts = try IntegerDecoder.decode(UInt32.self, count: granules, &cursor)
        try locateBlocks(cursor, blockEnd: blockEnd)
        if flags & PartFormat.ColumnFlags.dictionary != 0 { try readDictionary(&cursor, blockEnd: blockEnd) }
        if flags & PartFormat.ColumnFlags.bloom != 0 { try readBloom(&cursor, granules: granules, blockEnd: blockEnd) }
        if flags & PartFormat.ColumnFlags.ranges != 0 { try readRanges(&cursor, granules: granules) }
    }

    private mutating func locateBlocks(_ cursor: borrowing BlockCursor, blockEnd: UInt64) throws(ColumnarError) {
        guard offset <= blockEnd else { throw cursor.corrupt("column \(name) lies past the blocks") }
        offsets.reserveCapacity(lengths.count)
        var next = offset
        for length in lengths {
            offsets.append(next)
            next += UInt64(length)
        }
        guard next <= blockEnd else { throw cursor.corrupt("column \(name) reaches past the blocks") }
    }

    private mutating func readDictionary(_ cursor: inout BlockCursor, blockEnd: UInt64) throws(ColumnarError) {
        let offset = try cursor.varint()
        let length = UInt32(try cursor.count(max: Int(UInt32.max)))
        let checksum = try cursor.integer(UInt32.self)
        dictionaryCount = try cursor.count(max: ValueDictionary.limit)
        guard type.physical == .string, offset <= blockEnd, UInt64(length) <= blockEnd - offset else {
            throw cursor.corrupt("the dictionary of column \(name) lies past the blocks")
        }
        dictionary = BlockLocation(offset: offset, length: length, checksum: checksum)
    }

    private mutating func readBloom(_ cursor: inout BlockCursor, granules: Int, blockEnd: UInt64) throws(ColumnarError)
    {
        let offset = try cursor.varint()
        let groups = (granules + BloomFormat.groupGranules - 1) / BloomFormat.groupGranules
        let pages = try IntegerDecoder.decode(UInt32.self, count: groups, &cursor)
        for count in pages where count == 0 || count > 1 << 20 {
            throw cursor.corrupt("a Bloom filter of \(count) pages")
        }
        let location = BloomLocation(offset: offset, pages: pages)
        guard offset <= blockEnd, location.byteCount(granules: granules) <= blockEnd - offset else {
            throw cursor.corrupt("the Bloom filter of column \(name) lies past the blocks")
        }
        bloom = location
    }

    private mutating func readRanges(_ cursor: inout BlockCursor, granules: Int) throws(ColumnarError) {
        guard type.isSortable else { throw cursor.corrupt("ranges of a column of type \(type)") }
        let rangeType = Self.rangeType(type)
        minimums = try ColumnDecoder.decode(type: rangeType, count: granules + 1, dictionary: nil, &cursor).flattened()
        maximums = try ColumnDecoder.decode(type: rangeType, count: granules + 1, dictionary: nil, &cursor).flattened()
        exactness = try IntegerDecoder.decode(UInt8.self, count: granules + 1, &cursor)
    }
}
