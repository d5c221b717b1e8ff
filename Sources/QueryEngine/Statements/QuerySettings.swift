/// A query's settings: those that came with the request, and over them those of its SETTINGS clause.
struct QuerySettings {
    /// A setting that means something here.
    struct Definition: Sendable {
        enum Kind: String, Sendable {
            case bool = "Bool"
            case unsigned = "UInt64"
            case seconds = "Seconds"
            case string = "String"
        }

        var name: String
        var kind: Kind
        var standard: String
        var description: String
    }

    private(set) var values: [String: String] = [:]
    /// The names that were set at all.
    var names: Set<String> { Set(values.keys) }

    init() {}

    /// Settings of the request are taken as they are, unknown ones let pass; a value in the clause must make sense.
    init(_ request: [String: String], clause: [Setting]) throws(QueryError) {
        values = request
        for setting in clause {
            if let definition = Self.known.first(where: { $0.name == setting.name }) {
                try Self.check(setting, definition)
            }
            values[setting.name] = setting.value
        }
        for definition in Self.known
        where request[definition.name] != nil && values[definition.name] == request[definition.name] {
            let value = request[definition.name] ?? ""
            try Self.check(Setting(name: definition.name, value: value, position: 0), definition)
        }
    }

    private static func check(_ setting: Setting, _ definition: Definition) throws(QueryError) {
        let isFine: Bool
        switch definition.kind {
        case .bool: isFine = ["0", "1", "true", "false", "2"].contains(setting.value.lowercased())
        case .unsigned: isFine = number(setting.value) != nil
        case .seconds: isFine = Double(setting.value).map { $0 >= 0 && $0 < 1e9 } ?? false
        case .string: isFine = true
        }
        guard isFine else {
            throw QueryError(
                .cannotParseInput,
                "Cannot parse '\(setting.value)' as \(definition.kind.rawValue) for setting \(setting.name)",
                at: setting.position)
        }
    }

    /// A number, possibly with a suffix such as `10G`.
    private static func number(_ text: String) -> UInt64? {
        if let value = UInt64(text) { return value }
        if let value = Double(text), value >= 0, value < 1e18 { return UInt64(value) }
        guard let suffix = text.last, let base = UInt64(text.dropLast()) else { return nil }
        let factors: [Character: UInt64] = [
            "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "k": 1000, "m": 1_000_000, "g": 1_000_000_000,
        ]
        guard let factor = factors[suffix] else { return nil }
        let (value, overflow) = base.multipliedReportingOverflow(by: factor)
        return overflow ? nil : value
    }

    private func number(_ name: String) -> UInt64 { values[name].flatMap { Self.number($0) } ?? 0 }

    var isReadonly: Bool { number("readonly") > 0 }
    var maxResultRows: UInt64 { number("max_result_rows") }
    var stopsAtMaxResultRows: Bool { values["result_overflow_mode"] == "break" }

    /// The limits for a query; a query may take less than the engine allows, not more.
    func limits(_ engine: EngineSettings) -> QueryLimits {
        var limits = QueryLimits()
        func smaller(_ asked: UInt64, _ allowed: Int) -> Int {
            if asked == 0 { return allowed }
            let asked = Int(min(asked, UInt64(Int.max)))
            return allowed == 0 ? asked : min(asked, allowed)
        }
        limits.maxMemoryBytes = smaller(number("max_memory_usage"), engine.maxMemoryBytes)
        limits.maxRowsToRead = number("max_rows_to_read")
        limits.maxResultRows = stopsAtMaxResultRows ? 0 : maxResultRows
        let seconds = values["max_execution_time"].flatMap { Double($0) } ?? 0
        limits.timeoutMs = Int64(smaller(UInt64(max(0, min(seconds, 1e9)) * 1000), Int(engine.timeoutMs)))
        limits.threads = max(1, smaller(number("max_threads"), max(1, engine.threads)))
        return limits
    }

    /// The settings that mean something; all others of ClickHouse are let pass.
    static let known: [Definition] = [
        Definition(
            name: "max_memory_usage", kind: .unsigned, standard: "0", description: "Bytes of memory a query may hold."),
        Definition(name: "max_execution_time", kind: .seconds, standard: "0", description: "Seconds a query may take."),
        Definition(name: "max_rows_to_read", kind: .unsigned, standard: "0", description: "Rows a query may read."),
        Definition(name: "max_result_rows", kind: .unsigned, standard: "0", description: "Rows a result may have."),
        Definition(
            name: "result_overflow_mode", kind: .string, standard: "throw",
            description: "What happens past max_result_rows: throw, or break with what there is."),
        Definition(
            name: "readonly", kind: .unsigned, standard: "0", description: "Refuse statements that change anything."),
        Definition(
            name: "max_threads", kind: .unsigned, standard: "0",
            description: "Threads for one query; 0 is the server's."),
        Definition(
            name: "max_block_size", kind: .unsigned, standard: "8192",
            description: "Rows of a block; always a granule here."),
        Definition(
            name: "output_format_json_quote_64bit_integers", kind: .bool, standard: "0",
            description: "64-bit integers as strings in JSON."),
        Definition(
            name: "output_format_json_quote_denormals", kind: .bool, standard: "0",
            description: "nan and inf as strings in JSON, not as null."),
        Definition(
            name: "output_format_json_escape_forward_slashes", kind: .bool, standard: "1",
            description: "Write / as \\/ in JSON."),
        Definition(
            name: "date_time_output_format", kind: .string, standard: "simple",
            description: "How times are written: simple, iso or unix_timestamp."),
        Definition(
            name: "format_csv_delimiter", kind: .string, standard: ",", description: "What stands between CSV fields."),
        Definition(
            name: "output_format_pretty_max_rows", kind: .unsigned, standard: "1000",
            description: "Rows a Pretty table shows."),
        Definition(
            name: "output_format_pretty_row_numbers", kind: .bool, standard: "1",
            description: "Number the rows of Pretty tables."),
        Definition(
            name: "output_format_write_statistics", kind: .bool, standard: "1",
            description: "Statistics at the end of JSON."),
        Definition(
            name: "input_format_skip_unknown_fields", kind: .bool, standard: "1",
            description: "Pass over JSON fields that no column has."),
    ]
}
