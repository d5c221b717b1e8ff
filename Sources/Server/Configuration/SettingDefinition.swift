/// One setting: the single place that says its name, kind, default and meaning. The command line's flags
/// (`--max-body`), the environment (`LOGSTORE_MAX_BODY`) and the configuration file (`max_body = 1GB`) all name it.
public struct SettingDefinition: Sendable {
    /// How a setting's text is read.
    public enum Kind: Sendable, Hashable {
        case text
        /// true or false (also yes/no, on/off, 1/0).
        case flag
        /// A whole number within the range.
        case number(ClosedRange<Int64>)
        /// Bytes: a whole number, with k, M, G, T (powers of 1024) or KB, MB … (powers of 1000) when wanted.
        case bytes
        /// Milliseconds: a number with ms, s, m, h or d; a bare number is seconds.
        case duration
        /// One of the words.
        case choice([String])
    }

    /// The name as the configuration file writes it: lower case, words joined by underscores.
    public let name: String
    /// How its text is read.
    public let kind: Kind
    /// The text that stands when nobody sets it.
    public let defaultText: String
    /// A sentence for `--help` and `system.settings`.
    public let help: String

    /// The environment variable that sets it.
    public var environmentName: String { "LOGSTORE_" + name.uppercased() }
    /// The command line's flag that sets it.
    public var flagName: String { "--" + String(name.map { $0 == "_" ? "-" : $0 }) }

    /// Creates a definition.
    init(_ name: String, _ kind: Kind, _ defaultText: String, _ help: String) {
        self.name = name
        self.kind = kind
        self.defaultText = defaultText
        self.help = help
    }
}

/// What is wrong with the configuration, and where it was said.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    /// A sentence for the operator.
    public let message: String

    /// Creates an error.
    public init(_ message: String) {
        self.message = message
    }

    /// The sentence.
    public var description: String { message }
}

extension SettingDefinition {
    /// Every setting there is, in the order `--help` lists them.
    public static let all: [SettingDefinition] = [
        SettingDefinition("data", .text, "/var/lib/logstore", "The data folder; created when absent."),
        SettingDefinition("http", .text, "127.0.0.1:8123", "Address and port for HTTP."),
        SettingDefinition("kafka", .text, "127.0.0.1:9092", "Address and port for Kafka clients; off for none."),
        SettingDefinition(
            "kafka_advertised", .text, "",
            "ADDRESS:PORT that Kafka clients are told to connect to; empty for the address they came to."),
        SettingDefinition(
            "kafka_auto_create_topics", .flag, "true",
            "Create a topic when a Kafka client asks for one that is not there."
        ),
        SettingDefinition(
            "kafka_partitions", .number(1...1024), "1", "Partitions of a topic created without a number of them."),
        SettingDefinition("kafka_max_request", .bytes, "32M", "The longest request of a Kafka client."),
        SettingDefinition(
            "kafka_max_connections", .number(1...100_000), "4096", "Kafka connections held at once; more are closed."),
        SettingDefinition("kafka_idle_timeout", .duration, "10m", "How long a silent Kafka connection is kept open."),
        SettingDefinition(
            "kafka_tls_certificate", .text, "",
            "PEM file with the certificate (and its chain) for Kafka clients; empty for no TLS."),
        SettingDefinition("kafka_tls_key", .text, "", "PEM file with the key of that certificate."),
        SettingDefinition(
            "kafka_tls_client_ca", .text, "",
            "PEM file with issuers; Kafka clients must then show a certificate from one of them."),
        SettingDefinition(
            "users", .text, "",
            "Who may come in: name:password:role, separated by commas; a role is admin, readonly or ingest. "
                + "The password is also accepted as a bearer token. Empty: everyone is admin."),
        SettingDefinition(
            "allow_insecure", .flag, "false",
            "Allow a public address without users: anyone who reaches it may do anything."),
        SettingDefinition(
            "cors_origin", .text, "", "Web origins whose pages may call this server, separated by commas; * for all."),
        SettingDefinition(
            "log_level", .choice(["trace", "debug", "info", "warning", "error"]), "info",
            "The least level of messages on stderr."),

        SettingDefinition(
            "durability", .choice(["fsync", "interval", "os"]), "fsync",
            "When an append is acknowledged: once synced (fsync), at once and synced soon (interval), or left to the system (os)."
        ),
        SettingDefinition(
            "log_retention", .duration, "7d", "How long the log of a topic keeps records, unless the topic says."),
        SettingDefinition(
            "log_retention_bytes", .bytes, "0",
            "The most bytes a partition's log keeps, unless the topic says; 0 for no limit."),
        SettingDefinition(
            "log_segment_bytes", .bytes, "128M", "The length at which a log segment is closed and a new one begun."),

        SettingDefinition("flush_interval", .duration, "5m", "How long rows stay in memory before they become a part."),
        SettingDefinition(
            "memory_for_rows", .bytes, "64M",
            "How many bytes of rows all tables hold in memory before they become parts."),

        SettingDefinition("max_body", .bytes, "1G", "The longest request body taken, before and after decompression."),
        SettingDefinition(
            "max_query_size", .bytes, "1M", "The longest SQL text taken (data of an INSERT not counted)."),
        SettingDefinition(
            "max_concurrent_queries", .number(1...1024), "4", "Queries that run at once; more wait their turn."),
        SettingDefinition(
            "max_waiting_queries", .number(0...100_000), "128", "Queries that may wait; more are refused."),
        SettingDefinition(
            "max_concurrent_ingests", .number(1...1024), "8",
            "Large ingest bodies read at once; the senders of more are held back."),
        SettingDefinition("max_memory_usage", .bytes, "256M", "Memory one query may use."),
        SettingDefinition("max_execution_time", .duration, "60s", "How long one query may run; 0 for no limit."),
        SettingDefinition("max_threads", .number(0...256), "0", "Threads of one query; 0 for one per core."),
        SettingDefinition(
            "visible_timeout", .duration, "5s", "How long an INSERT waits until its rows are visible to queries."),
        SettingDefinition(
            "http_threads", .number(1...64), "1", "Threads that move bytes between sockets and the rest."),
        SettingDefinition(
            "max_connections", .number(1...100_000), "1024", "Connections held at once; more wait to be accepted."),
        SettingDefinition("header_timeout", .duration, "15s", "How long a client may take to send its request's head."),
        SettingDefinition("idle_timeout", .duration, "120s", "How long a silent connection is kept open."),
        SettingDefinition(
            "shutdown_timeout", .duration, "20s", "How long a stop waits for requests that are under way."),
        SettingDefinition("min_free_space", .bytes, "64M", "Free disk space below which /health reports failure."),
    ]

    /// Reads a byte count such as `64M` or `1GB`; nil when it is none.
    static func parseBytes(_ text: String) -> Int64? {
        let lower = text.lowercased()
        let digits = lower.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits) else { return nil }
        var unit = String(lower.dropFirst(digits.count)).trimmedSpaces
        var factor: Int64 = 1
        let decimal = unit.count == 2 && unit.hasSuffix("b")
        if unit.hasSuffix("ib") { unit.removeLast(2) } else if unit.hasSuffix("b") { unit.removeLast() }
        switch unit {
        case "": factor = 1
        case "k": factor = decimal ? 1000 : 1 << 10
        case "m": factor = decimal ? 1_000_000 : 1 << 20
        case "g": factor = decimal ? 1_000_000_000 : 1 << 30
        case "t": factor = decimal ? 1_000_000_000_000 : 1 << 40
        default: return nil
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }

    /// Reads a span such as `7d` or `100ms` as milliseconds; nil when it is none.
    static func parseDuration(_ text: String) -> Int64? {
        let lower = text.lowercased()
        let digits = lower.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits) else { return nil }
        let factor: Int64
        switch String(lower.dropFirst(digits.count)).trimmedSpaces {
        case "ms": factor = 1
        case "", "s": factor = 1000
        case "m", "min": factor = 60_000
        case "h": factor = 3_600_000
        case "d": factor = 86_400_000
        default: return nil
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }

    /// Reads a flag; nil when the text is neither yes nor no.
    static func parseFlag(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on", "1": true
        case "false", "no", "off", "0": false
        default: nil
        }
    }

    /// Says what is wrong with `text` as a value of this setting; nil when nothing is.
    func complaint(about text: String) -> String? {
        switch kind {
        case .text: nil
        case .flag: Self.parseFlag(text) == nil ? "wants true or false" : nil
        case .number(let range):
            if let number = Int64(text), range.contains(number) {
                nil
            } else {
                "wants a whole number from \(range.lowerBound) to \(range.upperBound)"
            }
        case .bytes: Self.parseBytes(text) == nil ? "wants a number of bytes such as 67108864, 64M or 1G" : nil
        case .duration: Self.parseDuration(text) == nil ? "wants a span such as 500ms, 30s, 15m, 12h or 7d" : nil
        case .choice(let words): words.contains(text) ? nil : "wants one of " + words.joined(separator: ", ")
        }
    }
}

extension StringProtocol {
    /// The text without spaces and tabs at both ends.
    var trimmedSpaces: String {
        var view = self[...]
        while let first = view.first, first == " " || first == "\t" || first == "\r" { view.removeFirst() }
        while let last = view.last, last == " " || last == "\t" || last == "\r" { view.removeLast() }
        return String(view)
    }
}
