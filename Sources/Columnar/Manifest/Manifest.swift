import Disk

/// What a manifest says in all: the sum of its records.
struct ManifestContent: Sendable {
    var stored: StoredDefinition
    var parts: [UInt64: PartEntry] = [:]
    var offsets: [SourcePartition: Int64] = [:]
    /// The number the next part gets.
    var nextPart: UInt64 = 1

    init(_ stored: StoredDefinition) {
        self.stored = stored
    }

    mutating func apply(_ edit: ManifestEdit) {
        switch edit {
        case .definition(let changed): stored = changed
        case .addPart(let entry):
            parts[entry.number] = entry
            nextPart = max(nextPart, entry.number &+ 1)
        case .removePart(let number): parts[number] = nil
        case .offset(let source, let next): offsets[source] = next
        case .nextPart(let number): nextPart = max(nextPart, number)
        }
    }

    /// Edits that make this content out of nothing.
    var snapshot: [ManifestEdit] {
        [.definition(stored), .nextPart(nextPart)]
            + parts.values.sorted { $0.number < $1.number }.map { .addPart($0) }
            + offsets.sorted { $0.key < $1.key }.map { .offset($0.key, $0.value) }
    }
}

/// The manifest of an open table. One user at a time.
struct Manifest: ~Copyable {
    private(set) var content: ManifestContent
    private let path: String
    private let fileSystem: any FileSystem
    private var file: (any File)?
    private var sizeBytes: UInt64 = 0
    private var snapshotBytes: UInt64 = 0
    /// Whether the file's end is not known to be what `content` says: a commit failed, or a torn end is there. The
    /// next commit writes a new file instead of appending.
    private var needsRewrite = false
    /// Bytes cut off as torn when the manifest was opened.
    let tornBytes: Int

    private init(
        content: ManifestContent, path: String, fileSystem: any FileSystem, sizeBytes: UInt64 = 0, tornBytes: Int = 0
    ) {
        self.content = content
        self.path = path
        self.fileSystem = fileSystem
        self.sizeBytes = sizeBytes
        snapshotBytes = sizeBytes
        self.tornBytes = tornBytes
        needsRewrite = tornBytes > 0
    }

    /// Writes the manifest of a new table at `path`, durably. Throws `.disk`.
    static func create(
        _ path: String, content: ManifestContent, fileSystem: any FileSystem
    ) throws(ColumnarError) -> Manifest {
        var manifest = Manifest(content: content, path: path, fileSystem: fileSystem)
        try manifest.rewrite(content)
        return manifest
    }

    /// Reads the manifest at `path`. Throws `.corrupt`, `.newerVersion`, `.disk`.
    static func open(_ path: String, fileSystem: any FileSystem) throws(ColumnarError) -> Manifest {
        let bytes = try onDisk { () throws(DiskError) in
            try fileSystem.readFile(path, maxBytes: ManifestFormat.maxBytes)
        }
        do throws(ColumnarError) {
            let (content, end) = try parse(bytes)
            return Manifest(
                content: content, path: path, fileSystem: fileSystem, sizeBytes: UInt64(end),
                tornBytes: bytes.count - end)
        } catch {
            throw ColumnarError(error.code, "\(path): \(error.message)", cause: error)
        }
    }

    /// Applies `edits` at once, durably. Throws `.disk`; whether they happened is then known only after the next
    /// open or commit, so files they name must stay until a commit succeeds.
    mutating func commit(_ edits: [ManifestEdit]) throws(ColumnarError) {
        var changed = content
        for edit in edits { changed.apply(edit) }
        if needsRewrite {
            try rewrite(changed)
            return
        }
        let record = Self.record(edits)
        do throws(ColumnarError) {
            try append(record)
        } catch {
            needsRewrite = true
            throw error
        }
        content = changed
        sizeBytes += UInt64(record.count)
        if sizeBytes > max(UInt64(ManifestFormat.rewriteBytes), 4 * snapshotBytes) {
            // The log as it is says the same: failing to shorten it loses nothing.
            try? rewrite(content)
        }
    }

    private mutating func append(_ record: [UInt8]) throws(ColumnarError) {
        let file = try opened()
        let end = sizeBytes
        try onDisk { () throws(DiskError) in
            try file.write(record, at: end)
            try file.sync()
        }
    }

    private mutating func opened() throws(ColumnarError) -> any File {
        if let file { return file }
        let fileSystem = fileSystem
        let path = path
        let opened = try onDisk { () throws(DiskError) in try fileSystem.open(path, .readWrite) }
        file = opened
        return opened
    }

    /// Replaces the file by a snapshot of `changed`.
    private mutating func rewrite(_ changed: ManifestContent) throws(ColumnarError) {
        let bytes = ManifestFormat.magic + [ManifestFormat.version] + Self.record(changed.snapshot)
        let fileSystem = fileSystem
        let path = path
        // Whatever fails on the way, which file the name leads to is open until the next rewrite succeeds.
        needsRewrite = true
        file?.close()
        file = nil
        try onDisk { () throws(DiskError) in try fileSystem.replaceFile(path, with: bytes) }
        content = changed
        sizeBytes = UInt64(bytes.count)
        snapshotBytes = sizeBytes
        needsRewrite = false
    }

    private static func record(_ edits: [ManifestEdit]) -> [UInt8] {
        var body = BlockBuilder()
        for edit in edits { body.edit(edit) }
        var record = BlockBuilder()
        record.integer(UInt32(body.bytes.count))
        record.integer(CRC32C.checksum(body.bytes, seed: CRC32C.checksum(record.bytes)))
        record.bytes += body.bytes
        return record.bytes
    }
}

extension Manifest {
    /// What `bytes` say, and where the last whole record ends.
    static func parse(_ bytes: [UInt8]) throws(ColumnarError) -> (content: ManifestContent, end: Int) {
        guard bytes.count >= ManifestFormat.headerBytes, bytes.starts(with: ManifestFormat.magic) else {
            throw ColumnarError(.corrupt, "the file does not begin like a manifest")
        }
        let version = bytes[ManifestFormat.magic.count]
        guard version == ManifestFormat.version else {
            throw ColumnarError(
                version > ManifestFormat.version ? .newerVersion : .corrupt,
                "the manifest is of version \(version), this program reads \(ManifestFormat.version)")
        }
        return try withBytes(bytes) { (buffer) throws(ColumnarError) in
            var position = ManifestFormat.headerBytes
            var content: ManifestContent?
            while let body = record(buffer, at: position) {
                try apply(buffer, body, to: &content)
                position = body.upperBound
            }
            try requireTorn(buffer, from: position)
            guard let content else { throw ColumnarError(.corrupt, "the manifest's first record is damaged") }
            return (content, position)
        }
    }

    private static func apply(
        _ bytes: UnsafeRawBufferPointer, _ body: Range<Int>, to content: inout ManifestContent?
    ) throws(ColumnarError) {
        var cursor = BlockCursor(UnsafeRawBufferPointer(rebasing: bytes[body]))
        while cursor.remaining > 0 {
            let edit = try cursor.edit()
            if content != nil {
                content?.apply(edit)
            } else if case .definition(let stored) = edit {
                content = ManifestContent(stored)
            } else {
                throw cursor.corrupt("the manifest does not begin with a definition")
            }
        }
    }

    /// The body of the record at `position`; nil when there is no whole one.
    private static func record(_ bytes: UnsafeRawBufferPointer, at position: Int) -> Range<Int>? {
        guard bytes.count - position >= ManifestFormat.recordHeaderBytes else { return nil }
        let length = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
        let checksum = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self))
        let start = position + ManifestFormat.recordHeaderBytes
        guard length > 0, Int(length) <= bytes.count - start else { return nil }
        let body = start..<start + Int(length)
        let seed = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[position..<position + 4]))
        guard CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[body]), seed: seed) == checksum else { return nil }
        return body
    }

    /// Throws when a whole record follows the damage at `position`: then it is not the torn end of a commit.
    private static func requireTorn(_ bytes: UnsafeRawBufferPointer, from position: Int) throws(ColumnarError) {
        guard position < bytes.count else { return }
        for later in (position + 1)..<max(position + 1, bytes.count - ManifestFormat.recordHeaderBytes + 1)
        where record(bytes, at: later) != nil {
            throw ColumnarError(
                .corrupt,
                "the record at byte \(position) is damaged, and whole ones follow at byte \(later): not a torn end")
        }
    }
}
