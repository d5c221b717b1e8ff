import Compression
import HTTPTypes
import Hummingbird
import NIOCore
import QueryEngine

/// Reads a request's body piece by piece, decompressed by its Content-Encoding and bounded before and after.
struct BodyReader {
    private let body: RequestBody
    private let format: StreamFormat?
    private let maxBytes: Int

    /// Looks at the head: throws 413 when the announced length is past `maxBytes` already, 415 when the encoding is
    /// none we know.
    init(_ request: Request, maxBytes: Int) throws(HTTPFailure) {
        body = request.body
        self.maxBytes = maxBytes
        format = try Self.format(request.headers[.contentEncoding])
        if let text = request.headers[.contentLength], let length = Int64(text), length > Int64(maxBytes) {
            throw Self.tooLarge(maxBytes)
        }
    }

    private static func format(_ encoding: String?) throws(HTTPFailure) -> StreamFormat? {
        switch encoding?.lowercased().trimmedSpaces {
        case nil, "", "identity": return nil
        case "gzip", "x-gzip": return .gzip
        case "deflate": return .deflate
        case "zstd": return .zstd
        case "lz4": return .lz4
        default:
            throw HTTPFailure(
                415, "Content-Encoding `\(encoding ?? "")` is not known here; use gzip, zstd, lz4, deflate or none",
                code: .init(48, "NOT_IMPLEMENTED"))
        }
    }

    static func tooLarge(_ maxBytes: Int) -> HTTPFailure {
        HTTPFailure(
            413, "The request body is longer than \(maxBytes) bytes (setting max_body); send it in smaller pieces",
            code: .init(12, "PARAMETER_OUT_OF_BOUND"))
    }

    /// Calls `take` with each piece until the body ends or `take` returns false.
    func forEachPiece(_ take: ([UInt8]) async throws(HTTPFailure) -> Bool) async throws(HTTPFailure) {
        guard let format else {
            try await forEachRawPiece(take)
            return
        }
        let decompressor: StreamDecompressor
        do throws(CompressionError) {
            decompressor = try StreamDecompressor(format, maxBytes: maxBytes)
        } catch {
            throw decompressionFailure(error)
        }
        var isDone = false
        try await forEachRawPiece { (piece) throws(HTTPFailure) in
            decompressor.push(piece)
            while let part = try nextPart(decompressor) {
                guard try await take(part) else {
                    isDone = true
                    return false
                }
            }
            return true
        }
        if isDone { return }
        do throws(CompressionError) {
            try decompressor.finish()
        } catch {
            throw decompressionFailure(error)
        }
    }

    private func nextPart(_ decompressor: StreamDecompressor) throws(HTTPFailure) -> [UInt8]? {
        do throws(CompressionError) { return try decompressor.next() } catch { throw decompressionFailure(error) }
    }

    private func forEachRawPiece(_ take: ([UInt8]) async throws(HTTPFailure) -> Bool) async throws(HTTPFailure) {
        var total = 0
        var iterator = body.makeAsyncIterator()
        while true {
            let next: ByteBuffer?
            do {
                next = try await iterator.next()
            } catch {
                throw HTTPFailure(
                    400, "The request body broke off: the client closed the connection or sent no valid HTTP")
            }
            guard let buffer = next else { return }
            total += buffer.readableBytes
            guard total <= maxBytes else { throw Self.tooLarge(maxBytes) }
            if buffer.readableBytes == 0 { continue }
            guard try await take(Array(buffer.readableBytesView)) else { return }
        }
    }

    /// The whole body, at most `limit` bytes; throws 413 past it.
    func collect(limit: Int) async throws(HTTPFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        try await forEachPiece { (piece) throws(HTTPFailure) in
            guard bytes.count + piece.count <= limit else {
                throw HTTPFailure(413, "The request body is longer than \(limit) bytes")
            }
            bytes.append(contentsOf: piece)
            return true
        }
        return bytes
    }

    private func decompressionFailure(_ error: CompressionError) -> HTTPFailure {
        if error.code == .tooLarge { return Self.tooLarge(maxBytes) }
        return HTTPFailure(
            400, "The request body cannot be decompressed: \(error.message)", code: .init(117, "INCORRECT_DATA"))
    }
}
