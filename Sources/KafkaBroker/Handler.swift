import KafkaProtocol

/// Who may send a request at all; what of it is allowed its handler decides, whose answer can say what is not.
enum Access: Sendable, Hashable {
    /// Connections that did not say yet who they are, too.
    case anyone
    case authenticated
}

/// What a handler knows of a request beside its body.
struct RequestContext: Sendable {
    let header: RequestHeader
    let session: Session

    var version: Int16 { header.version }
    var clientID: String { header.clientID ?? "" }
}

/// The way to answer a request: once, from any thread.
struct Reply<Request: KafkaRequest>: Sendable {
    let header: RequestHeader
    let send: @Sendable (Answer) -> Void

    /// Answers.
    func callAsFunction(_ response: consuming Request.Response) { send(encoded(response)) }

    /// Answers, and closes the connection after that for `reason`.
    func last(_ response: consuming Request.Response, _ reason: String) {
        let answer = encoded(response)
        guard case .response(let output) = answer else {
            send(answer)
            return
        }
        send(.lastResponse(output, reason))
    }

    private func encoded(_ response: consuming Request.Response) -> Answer {
        do throws(WireError) {
            return .response(
                try Request.encode(response, version: header.version, correlationID: header.correlationID))
        } catch {
            return .close("a \(Request.api.name) response that cannot be written: \(error)")
        }
    }
}

/// One API with the code that answers it.
struct Handler: Sendable {
    let api: API
    let access: Access
    let run:
        @Sendable (RequestHeader, ArraySlice<UInt8>, Session, @escaping @Sendable (Answer) -> Void) throws(WireError) ->
            Void
}

/// Collects the handlers of all APIs.
struct HandlerTable {
    private var handlers: [Int16: Handler] = [:]

    /// Lets `body` answer requests of this kind. It must not block.
    mutating func on<Request: KafkaRequest>(
        _ request: Request.Type, access: Access = .authenticated,
        _ body: @escaping @Sendable (Request, RequestContext, Reply<Request>) -> Void
    ) {
        precondition(handlers[Request.api.key] == nil, "BUG: two handlers for \(Request.api.name)")
        handlers[Request.api.key] = Handler(api: Request.api, access: access) {
            (header, bytes, session, send) throws(WireError) in
            let request = try Request.read(bytes, version: header.version)
            body(request, RequestContext(header: header, session: session), Reply(header: header, send: send))
        }
    }

    /// All handlers by API, that of ApiVersions among them, which tells of all.
    consuming func complete() -> [Int16: Handler] {
        let apis = (handlers.values.map(\.api) + [APIVersionsRequest.api]).sorted { $0.key < $1.key }
        on(APIVersionsRequest.self, access: .anyone) { _, _, reply in
            var response = APIVersionsResponse()
            response.entries = apis.map { api in
                var entry = APIVersionsResponse.Entry()
                entry.key = api.key
                entry.minVersion = api.advertisedFrom
                entry.maxVersion = api.versions.upperBound
                return entry
            }
            reply(response)
        }
        return handlers
    }
}
