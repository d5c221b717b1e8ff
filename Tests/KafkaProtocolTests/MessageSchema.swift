import Disk
import KafkaProtocol
import TestSupport

/// Where the fixtures of the Kafka messages are; `Tools/kafka-fixtures.py` wrote them.
private let folder =
    Array(#filePath.split(separator: "/").dropLast(3)).reduce("") { $0 + "/" + $1 } + "/Fixtures/kafka-protocol"

/// A file of the fixtures, without its comments and empty lines.
func fixtureLines(_ name: String) throws -> [Substring] {
    let bytes = try POSIXFileSystem().readFile(folder + "/" + name, maxBytes: 4 << 20)
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }
}

/// A field of a message, as Kafka's own schema has it.
struct SchemaField: Sendable {
    var name: String
    /// "int32", "string", "[]struct"…
    var kind: String
    var versions: Versions
    var nullable: Versions
    var tag: UInt64?
    var fields: [SchemaField] = []

    /// A line of the file: name, type, versions, and what else there is to say.
    init(_ line: Substring) throws {
        let words = line.split(separator: " ").map(String.init)
        name = words[0]
        kind = words[1]
        versions = Self.span(words[2])
        nullable = .none
        for word in words.dropFirst(3) {
            if word.hasPrefix("null=") { nullable = Self.span(String(word.dropFirst(5))) }
            if word.hasPrefix("tag=") { tag = UInt64(word.dropFirst(4)) }
        }
    }

    /// "3+", "2-4" or "0".
    private static func span(_ text: String) -> Versions {
        if text.hasSuffix("+") { return .from(Int16(text.dropLast()) ?? .max) }
        let ends = text.split(separator: "-").compactMap { Int16($0) }
        return .range(ends[0]...ends[ends.count - 1])
    }
}

/// A message, as Kafka's own schema has it.
struct Schema: Sendable {
    var name: String
    var key: Int16
    var versions: ClosedRange<Int16>
    var flexibleFrom: Int16?
    var fields: [SchemaField] = []

    func isFlexible(_ version: Int16) -> Bool { flexibleFrom.map { version >= $0 } ?? false }

    /// All schemas of the fixtures, by name.
    static let all: [String: Schema] = {
        var all: [String: Schema] = [:]
        var lines = ((try? fixtureLines("schemas.txt")) ?? [])[...]
        while let line = lines.popFirst() {
            let words = line.split(separator: " ").map(String.init)
            guard let key = Int16(words[1]), let first = Int16(words[2]), let last = Int16(words[3]) else { continue }
            var schema = Schema(name: words[0], key: key, versions: first...last, flexibleFrom: Int16(words[4]))
            schema.fields = fields(&lines, depth: 1)
            all[schema.name] = schema
        }
        return all
    }()

    private static func fields(_ lines: inout ArraySlice<Substring>, depth: Int) -> [SchemaField] {
        var fields: [SchemaField] = []
        while let line = lines.first, line.prefix(while: { $0 == " " }).count == depth {
            lines.removeFirst()
            guard var field = try? SchemaField(line.dropFirst(depth)) else { return fields }
            field.fields = Self.fields(&lines, depth: depth + 1)
            fields.append(field)
        }
        return fields
    }
}

/// The value of a field.
indirect enum FieldValue: Equatable, Sendable {
    case null
    case number(Int64)
    case text(String)
    case bytes([UInt8])
    case list([FieldValue])
    /// The fields of one version, by Kafka's names.
    case structure([String: FieldValue])
}

extension Schema {
    /// A message of `version` with arbitrary values.
    func random(_ version: Int16, _ random: inout SeededRandom) -> FieldValue {
        Schema.random(fields, version, &random)
    }

    private static func random(
        _ fields: [SchemaField], _ version: Int16, _ random: inout SeededRandom
    ) -> FieldValue {
        var values: [String: FieldValue] = [:]
        for field in fields where field.versions.contains(version) {
            // A tagged field that has its default is not written.
            if field.tag != nil, Bool.random(using: &random) { continue }
            values[field.name] = value(field, field.kind, version, &random)
        }
        return .structure(values)
    }

    private static func value(
        _ field: SchemaField, _ kind: String, _ version: Int16, _ random: inout SeededRandom
    ) -> FieldValue {
        if field.nullable.contains(version), kind == field.kind, field.tag == nil,
            Int.random(in: 0..<4, using: &random) == 0
        {
            return .null
        }
        if kind.hasPrefix("[]") {
            let count = Int.random(in: 0...3, using: &random)
            return .list((0..<count).map { _ in value(field, String(kind.dropFirst(2)), version, &random) })
        }
        switch kind {
        case "struct": return Self.random(field.fields, version, &random)
        case "bool": return .number(Int64.random(in: 0...1, using: &random))
        case "int8": return .number(Int64(Int8.random(in: 1 ... .max, using: &random)))
        case "int16": return .number(Int64(Int16.random(in: .min ... -1, using: &random)))
        case "int32": return .number(Int64(Int32.random(in: .min ... .max, using: &random)))
        case "int64": return .number(Int64.random(in: .min ... .max, using: &random))
        case "uuid": return .bytes(random.bytes(16))
        case "string":
            let letters = (0..<Int.random(in: 0...9, using: &random)).map { _ in
                "aZ_-.é€😀".randomElement(using: &random)
            }
            return .text(String(letters.compactMap { $0 }))
        default: return .bytes(random.bytes(Int.random(in: 0...200, using: &random)))
        }
    }
}

extension Schema {
    /// What `version` has of a message of the newest one; nil when it has fields that the newest has not. What must not
    /// be null there is empty.
    func older(_ value: FieldValue, _ version: Int16) -> FieldValue? { Schema.older(fields, value, version) }

    private static func older(_ fields: [SchemaField], _ value: FieldValue, _ version: Int16) -> FieldValue? {
        guard case .structure(let values) = value else { return nil }
        var result: [String: FieldValue] = [:]
        for field in fields where field.versions.contains(version) {
            switch values[field.name] {
            case nil:
                if field.tag == nil { return nil }
            case .null? where !field.nullable.contains(version):
                result[field.name] = field.kind == "string" ? .text("") : .list([])
            case .list(let elements)? where !field.fields.isEmpty:
                let inner = elements.compactMap { older(field.fields, $0, version) }
                guard inner.count == elements.count else { return nil }
                result[field.name] = .list(inner)
            case let other?: result[field.name] = other
            }
        }
        return .structure(result)
    }
}

/// Kafka's encoding, written down a second time and the long way: what the library's is compared with.
struct SchemaWriter {
    var version: Int16
    var isFlexible: Bool
    /// Which tagged fields of the schema to write; others are written only by `addsUnknownTags`.
    var knownTags: Set<String> = ["TopicConfigErrorCode"]
    /// Adds tagged fields that a reader must skip.
    var addsUnknownTags = false
    var bytes: [UInt8] = []

    mutating func number(_ value: Int64, _ size: Int) {
        for shift in (0..<size).reversed() { bytes.append(UInt8(truncatingIfNeeded: value >> Int64(shift * 8))) }
    }

    mutating func varint(_ value: Int) {
        var rest = value
        while rest > 127 {
            bytes.append(UInt8(rest % 128 + 128))
            rest /= 128
        }
        bytes.append(UInt8(rest))
    }

    mutating func length(_ count: Int?, _ size: Int) {
        if isFlexible { varint(count.map { $0 + 1 } ?? 0) } else { number(Int64(count ?? -1), size) }
    }

    mutating func structure(_ fields: [SchemaField], _ values: [String: FieldValue]) {
        var tagged: [(UInt64, [UInt8])] = addsUnknownTags ? [(90, [1, 2, 3]), (1000, [])] : []
        for field in fields where field.versions.contains(version) {
            guard let value = values[field.name] else { continue }
            guard let tag = field.tag else {
                write(field, field.kind, value)
                continue
            }
            guard knownTags.contains(field.name) || addsUnknownTags else { continue }
            var inner = self
            inner.bytes = []
            inner.write(field, field.kind, value)
            tagged.append((tag, inner.bytes))
        }
        guard isFlexible else { return }
        tagged.sort { $0.0 < $1.0 }
        varint(tagged.count)
        for (tag, content) in tagged {
            varint(Int(tag))
            varint(content.count)
            bytes += content
        }
    }

    private mutating func write(_ field: SchemaField, _ kind: String, _ value: FieldValue) {
        let sizes = ["bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8]
        switch value {
        case .null: length(nil, kind == "string" ? 2 : 4)
        case .number(let value): number(value, sizes[kind] ?? 0)
        case .text(let text):
            length(text.utf8.count, 2)
            bytes += Array(text.utf8)
        case .bytes(let content):
            if kind != "uuid" { length(content.count, 4) }
            bytes += content
        case .list(let elements):
            length(elements.count, 4)
            for element in elements { write(field, String(kind.dropFirst(2)), element) }
        case .structure(let values): structure(field.fields, values)
        }
    }
}
