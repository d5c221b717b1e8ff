import Disk
import Synchronization

/// An open part: its footer in memory, its blocks on disk.
///
/// Whoever holds the part may read it; when it was retired (merged away, expired) the last holder's release removes
/// the file. Safe from any thread.
final class Part: Sendable {
    let number: UInt64
    let name: String
    let path: String
    let footer: PartFooter
    let sizeBytes: UInt64
    /// Bytes the rows took in memory.
    let uncompressedBytes: UInt64
    /// Position in `footer.columns` of each column id.
    private let columnIndices: [UInt32: Int]
    private let fileSystem: any FileSystem
    private let openFiles: OpenFiles
    private let fileKey: UInt64
    private let isRetired = Atomic(false)
    private let cache = Mutex(PartCache())
    /// Told of damage found while reading.
    private let onDamage: @Sendable (UInt64, ColumnarError) -> Void

    private init(
        number: UInt64, path: String, footer: PartFooter, sizeBytes: UInt64, fileKey: UInt64, openFiles: OpenFiles,
        fileSystem: any FileSystem, onDamage: @escaping @Sendable (UInt64, ColumnarError) -> Void
    ) {
        self.number = number
        name = PartFormat.name(number)
        self.path = path
        self.footer = footer
        self.sizeBytes = sizeBytes
        uncompressedBytes = footer.uncompressedBytes
        self.fileKey = fileKey
        self.openFiles = openFiles
        self.fileSystem = fileSystem
        self.onDamage = onDamage
        columnIndices = Dictionary(
            footer.columns.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    deinit {
        openFiles.forget(fileKey)
        // What stays behind here is removed when the table is opened: the manifest does not name it.
        if isRetired.load(ordering: .acquiring) { try? fileSystem.remove(path) }
    }

    /// Opens the part at `path` by its footer. Throws `.corrupt` (also when there is no such file), `.newerVersion`,
    /// `.disk`.
    static func open(
        _ path: String, number: UInt64, fileSystem: any FileSystem, openFiles: OpenFiles = OpenFiles(),
        onDamage: @escaping @Sendable (UInt64, ColumnarError) -> Void = { _, _ in }
    ) throws(ColumnarError) -> Part {
        let fileKey = openFiles.newKey()
        let file: any File
        do throws(DiskError) {
            file = try openFiles.file(fileKey, path: path, fileSystem: fileSystem)
        } catch {
            if error.code == .notFound { throw ColumnarError(.corrupt, "\(path) is missing", cause: error) }
            throw ColumnarError(disk: error)
        }
        let size = try onDisk { () throws(DiskError) in try file.size() }
        do throws(ColumnarError) {
            let footer = try readFooter(file, size: size)
            return Part(
                number: number, path: path, footer: footer, sizeBytes: size, fileKey: fileKey, openFiles: openFiles,
                fileSystem: fileSystem, onDamage: onDamage)
        } catch {
            openFiles.forget(fileKey)
            throw error.message.hasPrefix(path)
                ? error : ColumnarError(error.code, "\(path): \(error.message)", cause: error)
        }
    }

    /// Marks the part as no longer of the table: its file goes with the last holder.
    func retire() { isRetired.store(true, ordering: .releasing) }

    var rowCount: Int { footer.rowCount }
    var granuleCount: Int { footer.granules.count }

    /// The column numbered `id`; nil when the part does not store it.
    func column(_ id: UInt32) -> PartColumn? { columnIndices[id].map { footer.columns[$0] } }

    /// Reads one granule of a stored column, as the part's type. Throws `.corrupt` naming the part, `.disk`.
    func read(_ column: PartColumn, granule: Int) throws(ColumnarError) -> Column {
        try naming(column) { () throws(ColumnarError) -> Column in
            let dictionary = try dictionary(of: column)
            let bytes = try block(column.block(granule))
            let rows = Int(footer.granules[granule])
            let values = try withBytes(bytes) { (bytes) throws(ColumnarError) in
                try ColumnDecoder.column(bytes, type: column.type, count: rows, dictionary: dictionary)
            }
            guard values.flatBound <= Int(UInt32.max) || values.flatBytes <= Int(UInt32.max) else {
                throw ColumnarError(.corrupt, "a granule of more than 4 GiB")
            }
            return values
        }
    }

    /// The dictionary of a column; nil when it has none. Read once, kept as long as the part is open.
    func dictionary(_ column: PartColumn) throws(ColumnarError) -> ValueDictionary? {
        try naming(column) { () throws(ColumnarError) in try dictionary(of: column) }
    }

    private func dictionary(of column: PartColumn) throws(ColumnarError) -> ValueDictionary? {
        guard let location = column.dictionary else { return nil }
        if let known = cache.withLock({ $0.dictionaries[column.id] }) { return known }
        let bytes = try block(location)
        let type = column.type.base
        let values = try withBytes(bytes) { (bytes) throws(ColumnarError) in
            try ColumnDecoder.column(bytes, type: type, count: column.dictionaryCount, dictionary: nil)
        }
        guard values.flatBound <= BlockLimits.decodedBytes || values.flatBytes <= BlockLimits.decodedBytes else {
            throw ColumnarError(.corrupt, "a dictionary of more than a block may have")
        }
        let made = ValueDictionary(values: values.flattened())
        return cache.withLock { cache in
            // Another thread may have been first: all must see one dictionary.
            if let known = cache.dictionaries[column.id] { return known }
            cache.dictionaries[column.id] = made
            return made
        }
    }

    /// The granules that may hold `value`, a word for 64 of them; nil when the column says nothing about it.
    func granules(of column: PartColumn, holding value: [UInt8]) throws(ColumnarError) -> [UInt64]? {
        guard column.bloom != nil || column.dictionary != nil else { return nil }
        if let known = cache.withLock({ $0.probe(column.id, value) }) { return known }
        let found = try naming(column) { () throws(ColumnarError) in try probe(column, value) }
        cache.withLock { $0.remember(column.id, value, found) }
        return found
    }

    private func probe(_ column: PartColumn, _ value: [UInt8]) throws(ColumnarError) -> [UInt64] {
        let words = (granuleCount + 63) / 64
        if let dictionary = try dictionary(of: column), case .string(let values) = dictionary.values.data,
            !values.contains(value)
        {
            return [UInt64](repeating: 0, count: words)
        }
        guard let bloom = column.bloom else { return [UInt64](repeating: .max, count: words) }
        return try bloom.probe(hash: Hash64.hash(value), granules: granuleCount) {
            (offset, count) throws(ColumnarError) in
            try bytes(at: offset, count: count)
        }
    }

    /// The bytes inside a block, its checksum verified.
    private func block(_ location: BlockLocation) throws(ColumnarError) -> [UInt8] {
        let stored = try bytes(at: location.offset, count: Int(location.length))
        guard CRC32C.checksum(stored) == location.checksum else {
            throw ColumnarError(.corrupt, "the block at byte \(location.offset) fails its checksum")
        }
        return try BlockFrame.open(stored)
    }

    /// `count` bytes of the file; the footer has bounded them by the file's size.
    private func bytes(at offset: UInt64, count: Int) throws(ColumnarError) -> [UInt8] {
        try onDisk { () throws(DiskError) in
            try openFiles.file(fileKey, path: path, fileSystem: fileSystem).readExactly(at: offset, count: count)
        }
    }

    /// Runs `body`; what it throws gets the part's and the column's name, and damage is reported.
    private func naming<Result>(
        _ column: PartColumn, _ body: () throws(ColumnarError) -> Result
    ) throws(ColumnarError) -> Result {
        do throws(ColumnarError) {
            return try body()
        } catch {
            let named = ColumnarError(
                error.code, "part \(name) (\(path)), column \(column.name): \(error.message)", cause: error.cause)
            if error.code == .corrupt { onDamage(number, named) }
            throw named
        }
    }
}

extension Part {
    private static func readFooter(_ file: any File, size: UInt64) throws(ColumnarError) -> PartFooter {
        let path = file.path
        let least = PartFormat.headerBytes + PartFormat.trailerBytes
        guard size >= UInt64(least) else {
            throw ColumnarError(.corrupt, "\(path) has \(size) bytes, too few for a part")
        }
        let tailCount = Int(min(size, UInt64(PartFormat.tailBytes)))
        let tail = try onDisk { () throws(DiskError) in
            try file.readExactly(at: size - UInt64(tailCount), count: tailCount)
        }
        let trailer = try Trailer(tail, fileSize: size, path: path)
        let start = size - UInt64(PartFormat.trailerBytes) - UInt64(trailer.footerBytes)
        var stored = Array(tail.dropLast(PartFormat.trailerBytes).suffix(trailer.footerBytes))
        if stored.count < trailer.footerBytes {
            stored = try onDisk { () throws(DiskError) in try file.readExactly(at: start, count: trailer.footerBytes) }
        }
        guard CRC32C.checksum(trailer.checked, seed: CRC32C.checksum(stored)) == trailer.checksum else {
            throw ColumnarError(.corrupt, "\(path): the footer fails its checksum")
        }
        return try PartFooter.decode(BlockFrame.open(stored, limit: PartFormat.maxFooterBytes), blockEnd: start)
    }

    /// The last bytes of a part.
    private struct Trailer {
        var footerBytes: Int
        var checksum: UInt32
        /// The bytes the checksum covers beside the footer.
        var checked: [UInt8]

        init(_ tail: [UInt8], fileSize: UInt64, path: String) throws(ColumnarError) {
            let bytes = Array(tail.suffix(PartFormat.trailerBytes))
            guard bytes[20..<27].elementsEqual(PartFormat.magic) else {
                throw ColumnarError(.corrupt, "\(path) does not end like a part")
            }
            guard bytes[27] == PartFormat.version else {
                throw ColumnarError(
                    bytes[27] > PartFormat.version ? .newerVersion : .corrupt,
                    "\(path) is a part of version \(bytes[27]), this program reads \(PartFormat.version)")
            }
            let (length, size, sum, reserved) = bytes.withUnsafeBytes {
                (
                    UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt32.self)),
                    UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 4, as: UInt64.self)),
                    UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 12, as: UInt32.self)),
                    UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
                )
            }
            guard size == fileSize, reserved == 0, length <= PartFormat.maxFooterBytes,
                UInt64(length) <= fileSize - UInt64(PartFormat.headerBytes + PartFormat.trailerBytes)
            else { throw ColumnarError(.corrupt, "\(path): the trailer does not fit a file of \(fileSize) bytes") }
            footerBytes = Int(length)
            checksum = sum
            checked = Array(bytes[..<12])
        }
    }

    /// Reads the whole file again: the header, every block's checksum and content, every page of every Bloom
    /// filter. Returns what is wrong.
    func check() -> [CheckProblem] {
        var problems: [CheckProblem] = []
        func attempt(_ body: () throws(ColumnarError) -> Void) {
            do throws(ColumnarError) {
                try body()
            } catch {
                problems.append(CheckProblem(path: path, message: error.message))
            }
        }
        attempt { () throws(ColumnarError) in
            guard try bytes(at: 0, count: PartFormat.headerBytes) == PartFormat.magic + [PartFormat.version] else {
                throw ColumnarError(.corrupt, "the file does not begin like a part")
            }
        }
        for column in footer.columns {
            for granule in 0..<granuleCount {
                attempt { () throws(ColumnarError) in _ = try read(column, granule: granule) }
            }
            attempt { () throws(ColumnarError) in try checkBloom(column) }
        }
        return problems
    }

    private func checkBloom(_ column: PartColumn) throws(ColumnarError) {
        guard let bloom = column.bloom else { return }
        var offset = bloom.offset
        var index: UInt32 = 0
        for (group, pages) in bloom.pages.enumerated() {
            let size = BloomFormat.pageBytes(granules: BloomLocation.width(group, granuleCount))
            for _ in 0..<pages {
                let page = try bytes(at: offset, count: size)
                let stored = page.withUnsafeBytes {
                    UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: size - 4, as: UInt32.self))
                }
                guard CRC32C.checksum(Array(page.dropLast(4)), seed: index) == stored else {
                    throw ColumnarError(
                        .corrupt, "column \(column.name): Bloom filter page \(index) fails its checksum")
                }
                offset += UInt64(size)
                index += 1
            }
        }
    }
}

/// What an open part remembers: dictionaries, and the last few look-ups in Bloom filters.
private struct PartCache: Sendable {
    var dictionaries: [UInt32: ValueDictionary] = [:]
    private var probes: [(column: UInt32, value: [UInt8], granules: [UInt64])] = []
    private static let probeCount = 8

    func probe(_ column: UInt32, _ value: [UInt8]) -> [UInt64]? {
        probes.first { $0.column == column && $0.value == value }?.granules
    }

    mutating func remember(_ column: UInt32, _ value: [UInt8], _ granules: [UInt64]) {
        if probes.count >= Self.probeCount { probes.removeFirst() }
        probes.append((column, value, granules))
    }
}

extension StringData {
    /// Whether one row is `value`. O(rows), comparing lengths first.
    func contains(_ value: [UInt8]) -> Bool {
        let length = UInt32(truncatingIfNeeded: value.count)
        for row in 0..<count where offsets[row + 1] - offsets[row] == length {
            if self[row].elementsEqual(value) { return true }
        }
        return false
    }
}

extension Column {
    /// At least `flatBytes`, found without looking at rows.
    fileprivate var flatBound: Int {
        switch data {
        case .dictionary(let encoded):
            encoded.codes.count.multipliedReportingOverflow(by: encoded.dictionary.values.memoryBytes).partialValue
        case .constant(let value, let count): count.multipliedReportingOverflow(by: value.memoryBytes).partialValue
        default: 0
        }
    }
}
