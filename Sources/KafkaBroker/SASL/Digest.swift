import CNettle

/// The hash functions that SCRAM is used with, and what it makes of them (RFC 5802, section 2.2).
enum Digest: Sendable, Hashable, CaseIterable {
    case sha256
    case sha512

    /// Bytes of a hash.
    var size: Int {
        switch self {
        case .sha256: 32
        case .sha512: 64
        }
    }

    /// H: the hash of `message`.
    func hash(_ message: [UInt8]) -> [UInt8] {
        output { bytes in
            switch self {
            case .sha256:
                var context = sha256_ctx()
                nettle_sha256_init(&context)
                nettle_sha256_update(&context, message.count, message)
                nettle_sha256_digest(&context, size, bytes)
            case .sha512:
                var context = sha512_ctx()
                nettle_sha512_init(&context)
                nettle_sha512_update(&context, message.count, message)
                nettle_sha512_digest(&context, size, bytes)
            }
        }
    }

    /// HMAC (RFC 2104) of `message`.
    func hmac(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        output { bytes in
            switch self {
            case .sha256:
                var context = hmac_sha256_ctx()
                nettle_hmac_sha256_set_key(&context, key.count, key)
                nettle_hmac_sha256_update(&context, message.count, message)
                nettle_hmac_sha256_digest(&context, size, bytes)
            case .sha512:
                var context = hmac_sha512_ctx()
                nettle_hmac_sha512_set_key(&context, key.count, key)
                nettle_hmac_sha512_update(&context, message.count, message)
                nettle_hmac_sha512_digest(&context, size, bytes)
            }
        }
    }

    /// Hi: PBKDF2 with HMAC (RFC 8018). Takes milliseconds by design.
    func derive(password: [UInt8], salt: [UInt8], iterations: UInt32) -> [UInt8] {
        output { bytes in
            switch self {
            case .sha256:
                nettle_pbkdf2_hmac_sha256(password.count, password, iterations, salt.count, salt, size, bytes)
            case .sha512:
                nettle_pbkdf2_hmac_sha512(password.count, password, iterations, salt.count, salt, size, bytes)
            }
        }
    }

    private func output(_ fill: (UnsafeMutablePointer<UInt8>) -> Void) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: size)
        bytes.withUnsafeMutableBufferPointer { buffer in
            if let base = buffer.baseAddress { fill(base) }
        }
        return bytes
    }

    /// Whether two byte strings are the same, in time that tells nothing of where they differ.
    static func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.count == b.count && nettle_memeql_sec(a, b, a.count) == 1
    }
}

/// Base64 (RFC 4648) with padding.
enum Base64 {
    /// The text of `bytes`.
    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var text = [CChar](repeating: 0, count: (bytes.count + 2) / 3 * 4)
        text.withUnsafeMutableBufferPointer { buffer in
            if let base = buffer.baseAddress, !bytes.isEmpty { nettle_base64_encode_raw(base, bytes.count, bytes) }
        }
        return text.map { UInt8(bitPattern: $0) }
    }

    /// The bytes that `text` stands for; nil when it is no Base64.
    static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var context = base64_decode_ctx()
        nettle_base64_decode_init(&context)
        var bytes = [UInt8](repeating: 0, count: text.count / 4 * 3 + 3)
        var count = bytes.count
        let isDecoded = bytes.withUnsafeMutableBufferPointer { output in
            text.withUnsafeBytes { input in
                guard let target = output.baseAddress, let source = input.baseAddress else { return true }
                return nettle_base64_decode_update(
                    &context, &count, target, input.count, source.assumingMemoryBound(to: CChar.self)) == 1
            }
        }
        guard isDecoded, nettle_base64_decode_final(&context) == 1 else { return nil }
        return text.isEmpty ? [] : Array(bytes.prefix(count))
    }
}
