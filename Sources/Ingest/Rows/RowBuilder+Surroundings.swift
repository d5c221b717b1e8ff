import Columnar
import LogStore

// What a row has of its record besides the value: key, headers, place in the log.

extension RowBuilder {
    /// Fills the columns that the setting `record_columns` names, in the row added last. What the value itself
    /// brought under such a name gives way.
    func putSurroundings(_ record: RecordView, _ source: SourcePartition) {
        guard rowCount > 0 else { return }
        let row = rowCount - 1
        for (column, index) in surroundings {
            let field = fields + Int(index)
            switch column {
            case .key: field.pointee.putBytes(record.key, row)
            case .topic:
                var topic = source.topic
                topic.withUTF8 { field.pointee.putBytes(UnsafeRawBufferPointer($0), row) }
            case .partition: field.pointee.putInteger(Int64(source.partition), row)
            case .offset: field.pointee.putInteger(record.offset, row)
            case .timestamp:
                if field.pointee.putTime(Self.moment(record.timestampMs), row) == .refused {
                    field.pointee.putNull(row)
                }
            case .headers: putHeaders(record, field, row)
            }
        }
    }

    /// Says of which row the row added last is a version, and whether that is gone.
    func putVersion(ofKey key: [UInt8], isDeleted: Bool) {
        guard rowCount > 0, let keyField, let deletedField else { return }
        let row = rowCount - 1
        key.withUnsafeBytes { (fields + Int(keyField)).pointee.putBytes($0, row) }
        (fields + Int(deletedField)).pointee.putInteger(isDeleted ? 1 : 0, row)
    }

    private func putHeaders(_ record: RecordView, _ field: UnsafeMutablePointer<FieldBuilder>, _ row: Int) {
        guard let children = field.pointee.children else { return }
        field.pointee.begin(row)
        record.forEachHeader { name, value in
            let entry = children[0].rows
            children[0].putBytes(name, entry)
            children[1].putBytes(value, entry)
        }
        field.pointee.putEnd(row)
    }
}

extension FieldBuilder {
    /// Adds bytes as they are; none for nil.
    mutating func putBytes(_ bytes: UnsafeRawBufferPointer?, _ row: Int) {
        guard let bytes, let start = bytes.baseAddress else {
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1) { empty in
                guard let start = empty.baseAddress else { return }
                putBytes(start, 0, row)
            }
            return
        }
        putBytes(start.assumingMemoryBound(to: UInt8.self), bytes.count, row)
    }
}
