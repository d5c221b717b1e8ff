/// A part: stub until the format lands.
final class Part: Sendable {}

struct PartSource: GranuleSource {
    let part: Part
    let stored: StoredDefinition
    var name: String { "" }
    var partition: String? { nil }
    var rowCount: Int { 0 }
    var granuleCount: Int { 0 }
    var isSorted: Bool { true }
    func rowCount(granule: Int) -> Int { 0 }
    func range(column: String, granule: Int) -> ValueRange? { nil }
    func range(column: String) -> ValueRange? { nil }
    func mayContain(column: String, granule: Int, value: [UInt8]) throws(ColumnarError) -> Bool { true }
    func dictionary(column: String) throws(ColumnarError) -> ValueDictionary? { nil }
    func storedBytes(column: String, granule: Int) -> Int { 0 }
    func read(column: String, granule: Int) throws(ColumnarError) -> Column {
        throw ColumnarError(.unknownColumn, "no parts yet")
    }
}
