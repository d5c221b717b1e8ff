import KafkaProtocol
import Synchronization

/// Lets a connection say who it is: SaslHandshake chooses the mechanism, its messages follow inside SaslAuthenticate
/// or, after version 0 of the handshake, as bare frames.
///
/// A connection has one attempt; after a wrong password it is told so, a little later, and closed.
struct SASLHandlers: Sendable {
    /// nil when no users are configured: then nobody has to say who they are.
    let credentials: Credentials?
    let timers: Timers

    /// How long a refusal waits, so that guessing takes time.
    private static let refusalDelayMs: Int64 = 500

    func register(in table: inout HandlerTable) {
        table.on(SASLHandshakeRequest.self, access: .anyone) { request, context, reply in
            reply(handshake(request, context))
        }
        table.on(SASLAuthenticateRequest.self, access: .anyone) { request, context, reply in
            authenticate(request, context, reply)
        }
    }

    private func handshake(_ request: SASLHandshakeRequest, _ context: RequestContext) -> SASLHandshakeResponse {
        var response = SASLHandshakeResponse()
        response.mechanisms = SASLMechanism.allCases.map(\.rawValue)
        guard let credentials, !context.session.isAuthenticated else {
            response.error = .illegalSASLState
            return response
        }
        guard let mechanism = SASLMechanism(rawValue: request.mechanism) else {
            response.error = .unsupportedSASLMechanism
            return response
        }
        context.session.sasl.withLock { state in
            if case .none = state {
                state = .exchange(SASLExchange(mechanism, credentials), isRaw: context.version == 0)
            } else {
                response.error = .illegalSASLState
            }
        }
        return response
    }

    private func authenticate(
        _ request: SASLAuthenticateRequest, _ context: RequestContext, _ reply: Reply<SASLAuthenticateRequest>
    ) {
        var response = SASLAuthenticateResponse()
        do throws(SASLFailure) {
            guard let step = try take(request.bytes[...], context.session) else {
                response.error = .illegalSASLState
                response.errorMessage = "SaslAuthenticate needs a SaslHandshake before"
                reply(response)
                return
            }
            response.bytes = step.answer
            reply(response)
        } catch {
            response.error = .saslAuthenticationFailed
            response.errorMessage = error.message
            let reason = Self.reason(error)
            timers.schedule(afterMs: Self.refusalDelayMs) { [response] in reply.last(response, reason) }
        }
    }

    /// Takes a bare frame after version 0 of the handshake.
    func takeRaw(_ frame: ArraySlice<UInt8>, _ session: Session, reply: @escaping @Sendable (Answer) -> Void) {
        do throws(SASLFailure) {
            guard let step = try take(frame, session) else {
                reply(.close("a SASL message that was not expected"))
                return
            }
            reply(.raw(step.answer))
        } catch {
            let reason = Self.reason(error)
            timers.schedule(afterMs: Self.refusalDelayMs) { reply(.close(reason)) }
        }
    }

    /// nil when no message of a mechanism is awaited.
    private func take(_ token: ArraySlice<UInt8>, _ session: Session) throws(SASLFailure) -> SASLExchange.Step? {
        let result = session.sasl.withLock { state -> Result<SASLExchange.Step?, SASLFailure> in
            guard case .exchange(var exchange, let isRaw) = state else { return .success(nil) }
            do throws(SASLFailure) {
                let step = try exchange.take(token)
                state = step.principal == nil ? .exchange(exchange, isRaw: isRaw) : .none
                return .success(step)
            } catch {
                state = .failed
                return .failure(error)
            }
        }
        let step = try result.get()
        if let principal = step?.principal { session.principal = principal }
        return step
    }

    private static func reason(_ failure: SASLFailure) -> String {
        guard let name = failure.claimedName else { return failure.message }
        return "\(failure.message) (user \(printable(name)))"
    }

    /// A name as it may stand in a log: no line breaks, no control characters, not for ever.
    private static func printable(_ name: String) -> String {
        let shown = name.unicodeScalars.prefix(64).map { $0.properties.generalCategory == .control ? "?" : String($0) }
        return "`" + shown.joined() + (name.unicodeScalars.count > 64 ? "…`" : "`")
    }
}

/// How far a connection is with saying who it is.
enum SASLState: Sendable {
    /// It has not begun, or it is done.
    case none
    /// A mechanism is chosen. `isRaw`: its messages come as bare frames.
    case exchange(SASLExchange, isRaw: Bool)
    /// It had its attempt; nothing more is taken.
    case failed
}
