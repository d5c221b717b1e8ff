/// All settings with their values, and where each value came from: flag before environment before file before default.
public struct ServerConfiguration: Sendable {
    /// Where a value came from.
    public enum Origin: String, Sendable {
        case flag, environment, file, standard = "default"
    }

    /// A setting's text and its origin.
    public struct Value: Sendable, Hashable {
        /// The value as it was written.
        public var text: String
        /// Who said it.
        public var origin: Origin
    }

    /// The values, by setting name; every setting is there.
    public private(set) var values: [String: Value]
    /// Who may come in; empty: everyone is admin.
    public let users: [User]
    /// Host part of `http`, without brackets.
    public let host: String
    /// Port part of `http`; 0 takes any free one.
    public let port: Int
    /// Where Kafka clients are listened to; nil: nowhere.
    public let kafka: (host: String, port: Int)?
    /// Whom Kafka clients are told to connect to; nil: the address they came to.
    public let kafkaAdvertised: (host: String, port: Int)?

    /// Environment variables beginning with LOGSTORE_ that are no settings of the server.
    static let otherEnvironmentNames: Set<String> = [
        "LOGSTORE_CONFIG", "LOGSTORE_URL", "LOGSTORE_USER", "LOGSTORE_PASSWORD",
    ]

    /// Joins what flags, environment and file say. `flags` is keyed by setting name; `environment` may hold other
    /// variables too; `file` is the configuration file's path and text.
    public init(
        flags: [String: String] = [:], environment: [String: String] = [:], file: (path: String, text: String)? = nil
    ) throws(ConfigurationError) {
        var values: [String: Value] = [:]
        for definition in SettingDefinition.all {
            values[definition.name] = Value(text: definition.defaultText, origin: .standard)
        }
        if let file {
            for entry in try ConfigurationFile.parse(file.text, path: file.path) {
                try Self.set(
                    &values, entry.name, entry.value, .file, said: "\(file.path), line \(entry.line): \(entry.name)")
            }
        }
        for (variable, value) in environment.sorted(by: { $0.key < $1.key }) where variable.hasPrefix("LOGSTORE_") {
            if Self.otherEnvironmentNames.contains(variable) { continue }
            let name = variable.dropFirst("LOGSTORE_".count).lowercased()
            // A variable that is near to no setting belongs to some other program of the same prefix.
            let names = SettingDefinition.all.map(\.name)
            if !names.contains(name), nearest(to: name, in: names) == nil { continue }
            try Self.set(&values, name, value, .environment, said: "environment variable \(variable)")
        }
        for (name, value) in flags.sorted(by: { $0.key < $1.key }) {
            try Self.set(&values, name, value, .flag, said: "--" + String(name.map { $0 == "_" ? "-" : $0 }))
        }
        self.values = values
        users = try User.parseList(values["users"]?.text ?? "")
        (host, port) = try Self.parseAddress(values["http"]?.text ?? "", setting: "http")
        let kafkaText = values["kafka"]?.text ?? ""
        kafka = kafkaText == "off" ? nil : try Self.parseAddress(kafkaText, setting: "kafka")
        let advertised = values["kafka_advertised"]?.text ?? ""
        kafkaAdvertised = advertised.isEmpty ? nil : try Self.parseAddress(advertised, setting: "kafka_advertised")
        try checkTLS()
        try checkReach("http", host)
        if let kafka { try checkReach("kafka", kafka.host) }
    }

    private static func set(
        _ values: inout [String: Value], _ name: String, _ text: String, _ origin: Origin, said: String
    ) throws(ConfigurationError) {
        guard let definition = SettingDefinition.all.first(where: { $0.name == name }) else {
            let near = nearest(to: name, in: SettingDefinition.all.map(\.name))
            throw ConfigurationError(
                "\(said): there is no setting `\(name)`" + (near.map { "; did you mean `\($0)`?" } ?? ""))
        }
        if let complaint = definition.complaint(about: text) {
            throw ConfigurationError("\(said) = `\(text)`: \(complaint)")
        }
        values[name] = Value(text: text, origin: origin)
    }

    /// Splits `host:port`, `[v6]:port` or `:port` (all addresses).
    static func parseAddress(
        _ text: String, setting: String
    ) throws(ConfigurationError) -> (host: String, port: Int) {
        let complaint = ConfigurationError(
            "\(setting) = `\(text)`: wants ADDRESS:PORT such as 127.0.0.1:8123 or [::1]:8123")
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { throw complaint }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            throw complaint
        }
        return (host.isEmpty ? "0.0.0.0" : host, port)
    }

    /// Whether only this machine can reach the addresses.
    public var isLoopback: Bool { Self.isLoopback(host) && (kafka.map { Self.isLoopback($0.host) } ?? true) }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    private func checkTLS() throws(ConfigurationError) {
        let hasCertificate = !text("kafka_tls_certificate").isEmpty
        guard hasCertificate == !text("kafka_tls_key").isEmpty else {
            throw ConfigurationError("kafka_tls_certificate and kafka_tls_key go together; only one of them is set")
        }
        guard hasCertificate || text("kafka_tls_client_ca").isEmpty else {
            throw ConfigurationError("kafka_tls_client_ca needs kafka_tls_certificate and kafka_tls_key")
        }
    }

    private func checkReach(_ setting: String, _ host: String) throws(ConfigurationError) {
        guard !Self.isLoopback(host), users.isEmpty, !flag("allow_insecure") else { return }
        throw ConfigurationError(
            "\(setting) = `\(values[setting]?.text ?? "")` can be reached from other machines, and no users are set: anyone who "
                + "reaches it could read, write and delete everything. Set users (users = name:password:role), listen on "
                + "127.0.0.1, or say --allow-insecure if that is what you want.")
    }

    /// The text of a setting.
    public func text(_ name: String) -> String {
        guard let value = values[name] else { preconditionFailure("BUG: there is no setting \(name)") }
        return value.text
    }

    /// The value of a flag.
    public func flag(_ name: String) -> Bool { SettingDefinition.parseFlag(text(name)) ?? false }

    /// The value of a number.
    public func number(_ name: String) -> Int { Int(text(name)) ?? 0 }

    /// The value of a byte count.
    public func bytes(_ name: String) -> Int64 { SettingDefinition.parseBytes(text(name)) ?? 0 }

    /// The value of a span, in milliseconds.
    public func milliseconds(_ name: String) -> Int64 { SettingDefinition.parseDuration(text(name)) ?? 0 }
}

/// The candidate nearest to `name` by edit distance; nil when none is near enough to be meant.
func nearest(to name: String, in candidates: [String]) -> String? {
    let wanted = Array(name.lowercased().utf8)
    guard wanted.count <= 128 else { return nil }
    var best: (name: String, distance: Int)?
    for candidate in candidates {
        let distance = editDistance(wanted, Array(candidate.lowercased().utf8))
        if distance < best?.distance ?? Int.max { best = (candidate, distance) }
    }
    guard let best, best.distance <= max(2, wanted.count / 3) else { return nil }
    return best.name
}

private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var row = Array(0...b.count)
    for i in 0..<a.count {
        var diagonal = row[0]
        row[0] = i + 1
        for j in 0..<b.count {
            let above = row[j + 1]
            row[j + 1] = min(above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1))
            diagonal = above
        }
    }
    return row[b.count]
}
