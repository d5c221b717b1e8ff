/// The members of a record's value, and whose event it is by the looks of it.
struct ChangeEvent {
    enum Kind {
        case maxwell
        case debezium
        case plain
    }

    /// The names that events of Maxwell and Debezium are told by.
    private static let known: [StaticString] = [
        "database", "table", "type", "data", "old", "def", "primary_key_columns", "before", "after", "source", "op",
        "__deleted",
    ]

    private var values = [UnsafeRawBufferPointer?](repeating: nil, count: known.count)
    private(set) var kind = Kind.plain

    /// Looks at the object that `text` is. Throws when it is no JSON object.
    init(_ text: UnsafeRawBufferPointer) throws(JSONFault) {
        guard var members = JSONMembers(text) else {
            try JSON.validate(text)
            throw JSONFault(.notAnObject, at: 0)
        }
        while let member = try members.next() {
            for (index, name) in Self.known.enumerated() where member.isNamed(name) { values[index] = member.value }
        }
        if string("op") != nil, self["before"] != nil || self["after"] != nil || self["source"] != nil {
            kind = .debezium
        } else if string("database") != nil, let type = string("type"),
            self["data"] != nil || self["def"] != nil || Self.isDefinition(type)
        {
            kind = .maxwell
        }
    }

    private static func isDefinition(_ type: [UInt8]) -> Bool {
        type.starts(with: StaticString("table-").bytes) || type.starts(with: StaticString("database-").bytes)
            || type.starts(with: StaticString("bootstrap-").bytes)
    }

    /// The value of one of the known names.
    subscript(name: StaticString) -> UnsafeRawBufferPointer? {
        guard let index = Self.known.firstIndex(where: { $0.bytes.elementsEqual(name.bytes) }) else { return nil }
        return values[index]
    }

    func string(_ name: StaticString) -> [UInt8]? { self[name].flatMap { JSONValueText.string($0) } }

    /// The object of one of the known names. Throws when it is none.
    func object(_ name: StaticString) throws(ChangeFault) -> UnsafeRawBufferPointer {
        guard let value = self[name], JSONValueText.isObject(value) else {
            throw ChangeFault("a change without the object '\(name)'")
        }
        return value
    }

    /// The member called `name` of an object, first as it is written, else whatever its case (Maxwell's keys are in
    /// lower case, its rows are not).
    static func member(
        _ name: [UInt8], of object: UnsafeRawBufferPointer
    ) throws(JSONFault) -> UnsafeRawBufferPointer? {
        guard var members = JSONMembers(object) else { return nil }
        var near: UnsafeRawBufferPointer?
        while let member = try members.next() {
            let found = member.name
            if found == name { return member.value }
            if near == nil, isSame(found, name) { near = member.value }
        }
        return near
    }

    /// Whether two names differ at most in the case of ASCII letters.
    static func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }
        return left.count == right.count && zip(left, right).allSatisfy { lower($0) == lower($1) }
    }
}

/// The record key that Maxwell writes: `{"database": …, "table": …, "pk.id": 1}`, or, with `kafka_key_format=array`,
/// `["shop", "orders", [{"id": 1}]]`.
struct MaxwellKey {
    private(set) var database: [UInt8] = []
    private(set) var table: [UInt8] = []
    /// The primary key's columns, in lower case. None for a table that has no primary key.
    private(set) var columns: [(name: [UInt8], value: UnsafeRawBufferPointer)] = []

    /// The key that `text` is; nil when it is another's. Throws when it is no JSON.
    init?(_ text: UnsafeRawBufferPointer) throws(JSONFault) {
        guard text.first == UInt8(ascii: "{") || text.first == UInt8(ascii: "[") else { return nil }
        var (hasDatabase, hasTable) = (false, false)
        if var members = JSONMembers(text) {
            while let member = try members.next() {
                let name = member.name
                if name.starts(with: StaticString("pk.").bytes) {
                    columns.append((Array(name.dropFirst(3)), member.value))
                } else if member.isNamed("database"), let found = JSONValueText.string(member.value) {
                    (database, hasDatabase) = (found, true)
                } else if member.isNamed("table"), let found = JSONValueText.string(member.value) {
                    (table, hasTable) = (found, true)
                }
            }
        } else {
            let parts = try JSONValueText.elements(text)
            guard parts.count == 3, let first = JSONValueText.string(parts[0]),
                let second = JSONValueText.string(parts[1]), parts[2].first == UInt8(ascii: "[")
            else { return nil }
            (database, table, hasDatabase, hasTable) = (first, second, true, true)
            for part in try JSONValueText.elements(parts[2]) {
                guard var members = JSONMembers(part) else { return nil }
                while let member = try members.next() { columns.append((member.name, member.value)) }
            }
        }
        guard hasDatabase, hasTable else { return nil }
    }

    /// The strings of an array.
    static func strings(_ array: UnsafeRawBufferPointer) throws(JSONFault) -> [[UInt8]] {
        try JSONValueText.elements(array).compactMap { JSONValueText.string($0) }
    }
}
