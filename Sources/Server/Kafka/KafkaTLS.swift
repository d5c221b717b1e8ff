import NIOSSL

/// What Kafka's listener needs for TLS, from files in PEM.
enum KafkaTLS {
    /// Reads the certificate with the chain up to its issuer, and the key. With `clientCA` a client must show a
    /// certificate of one of those issuers.
    static func context(certificate: String, key: String, clientCA: String) throws(ConfigurationError) -> NIOSSLContext
    {
        let chain = try read("kafka_tls_certificate", certificate) { try NIOSSLCertificate.fromPEMFile($0) }
        guard !chain.isEmpty else { throw complaint("kafka_tls_certificate", certificate, "it holds no certificate") }
        let privateKey = try read("kafka_tls_key", key) { try NIOSSLPrivateKey(file: $0, format: .pem) }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        if !clientCA.isEmpty {
            let issuers = try read("kafka_tls_client_ca", clientCA) { try NIOSSLCertificate.fromPEMFile($0) }
            guard !issuers.isEmpty else { throw complaint("kafka_tls_client_ca", clientCA, "it holds no certificate") }
            configuration.trustRoots = .certificates(issuers)
            // A client has no host name that it could be checked against.
            configuration.certificateVerification = .noHostnameVerification
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw ConfigurationError(
                "kafka_tls_key = `\(key)` does not belong to the certificate in `\(certificate)`: \(error)")
        }
    }

    private static func read<Value>(
        _ setting: String, _ path: String, _ body: (String) throws -> Value
    ) throws(ConfigurationError) -> Value {
        do { return try body(path) } catch { throw complaint(setting, path, "\(error)") }
    }

    private static func complaint(_ setting: String, _ path: String, _ reason: String) -> ConfigurationError {
        ConfigurationError("\(setting) = `\(path)`: wants a file in PEM that this process may read: \(reason)")
    }
}
