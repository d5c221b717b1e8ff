import Disk
import KafkaBroker
import KafkaProtocol
import Logging
import NIOCore

/// One Kafka client's connection: hands whole requests to the broker as they come and writes the answers in the order
/// of the requests, whichever are ready first. Lives on its channel's event loop.
///
/// Nothing more is read while the client has too much unanswered, does not read what it is sent, or the memory for
/// requests is used up by all clients together.
final class KafkaConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = IOData

    /// A request that was handed to the broker.
    private struct Slot {
        let frameBytes: Int
        var answer: Answer?
    }

    private let broker: Broker
    private let limits: KafkaLimits
    private let memory: RequestMemory
    private let metrics: KafkaMetrics
    private let logger: Logger
    private let isEncrypted: Bool
    private let makeSession: (any Channel) -> Session

    private var session: Session?
    private var assembler: FrameAssembler
    private var unread: ByteBuffer?
    /// Requests not answered yet, in order; `firstSlot` is the number of the first.
    private var slots: CircularBuffer<Slot> = []
    private var firstSlot = 0
    private var waitingBytes = 0
    private var heldMemory = 0
    /// Bytes of answers that are ready but wait for one before them.
    private var readyBytes = 0
    /// What is to be written once the channel takes it.
    private var outgoing: CircularBuffer<RecordData.Piece> = []
    private var isWaitingForMemory = false
    private var hasOverdraft = false
    /// Whether frames are being handed over: answers that are given at once must not begin that anew.
    private var isTaking = false
    private var needsFlush = false
    private var isLoggedIn = false
    private var hasHeard = false
    private var loginDeadline: Scheduled<Void>?
    private var frameDeadline: Scheduled<Void>?
    private var isClosing = false
    /// Set when the server stops: what was taken is answered, and nothing more is taken.
    private var isDraining = false

    init(
        broker: Broker, limits: KafkaLimits, memory: RequestMemory, metrics: KafkaMetrics, logger: Logger,
        isEncrypted: Bool, makeSession: @escaping (any Channel) -> Session
    ) {
        self.broker = broker
        self.limits = limits
        self.memory = memory
        self.metrics = metrics
        self.logger = logger
        self.isEncrypted = isEncrypted
        self.makeSession = makeSession
        assembler = FrameAssembler(maxFrameBytes: limits.maxFrameBytes)
    }

    // MARK: Coming in

    func channelActive(context: ChannelHandlerContext) {
        metrics.connectionOpened()
        let session = makeSession(context.channel)
        self.session = session
        isLoggedIn = session.isAuthenticated
        if !isLoggedIn || isEncrypted {
            loginDeadline = after(limits.loginTimeoutMs, context) { connection, context in
                let isLoggedIn = connection.session?.isAuthenticated ?? false
                if isLoggedIn, connection.hasHeard { return }
                connection.close(context, "nobody logged in for \(connection.limits.loginTimeoutMs) ms")
            }
        }
        context.fireChannelActive()
        context.read()
    }

    private func after(
        _ ms: Int64, _ context: ChannelHandlerContext,
        _ body: @escaping (KafkaConnection, ChannelHandlerContext) -> Void
    ) -> Scheduled<Void> {
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(ms)) { [weak self] in
            if let self, !self.isClosing { body(self, context) }
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        metrics.received(bytes.readableBytes)
        hasHeard = true
        if unread == nil { unread = bytes } else { unread?.writeBuffer(&bytes) }
        takeFrames(context)
    }

    private func takeFrames(_ context: ChannelHandlerContext) {
        guard !isTaking else { return }
        isTaking = true
        takeWholeFrames(context)
        isTaking = false
        hold()
        watchFrame(context)
        if needsFlush {
            needsFlush = false
            context.flush()
        }
    }

    private func takeWholeFrames(_ context: ChannelHandlerContext) {
        while !isClosing, mayTakeMore, var input = unread {
            let frame: [UInt8]?
            if !isLoggedIn { isLoggedIn = session?.isAuthenticated ?? false }
            assembler.maxFrameBytes = isLoggedIn ? limits.maxFrameBytes : limits.maxFrameBytesBeforeLogin
            do throws(FrameAssembler.BadLength) {
                frame = try assembler.next(&input)
            } catch {
                close(context, "a request of \(error.length) bytes; at most \(error.max) are taken")
                return
            }
            unread = input.readableBytes > 0 ? input : nil
            guard let frame else { return }
            frameDeadline?.cancel()
            frameDeadline = nil
            if hasOverdraft {
                hasOverdraft = false
                memory.releaseOverdraft()
            }
            handle(frame, context)
        }
    }

    /// A request that has begun must be whole in time; the time in which we do not read does not count.
    private func watchFrame(_ context: ChannelHandlerContext) {
        guard assembler.isInFrame, frameDeadline == nil, !isClosing else { return }
        frameDeadline = after(limits.frameTimeoutMs, context) { connection, context in
            connection.frameDeadline = nil
            guard connection.assembler.isInFrame else { return }
            if connection.mayTakeMore {
                connection.close(context, "a request that was not whole after \(connection.limits.frameTimeoutMs) ms")
            } else {
                connection.watchFrame(context)
            }
        }
    }

    private func handle(_ frame: [UInt8], _ context: ChannelHandlerContext) {
        guard let session else { return }
        metrics.requested()
        let number = firstSlot + slots.count
        slots.append(Slot(frameBytes: frame.count))
        waitingBytes += frame.count
        hold()
        let loop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        broker.handle(frame[...], from: session) { answer in
            if loop.inEventLoop {
                let (connection, context) = bound.value
                connection.answered(number, answer, context)
            } else {
                loop.execute {
                    let (connection, context) = bound.value
                    connection.answered(number, answer, context)
                }
            }
        }
    }

    // MARK: Backpressure

    private var mayTakeMore: Bool {
        slots.count < limits.maxRequestsInFlight && waitingBytes < limits.maxBytesInFlight
            && readyBytes < limits.maxReadyBytes && outgoing.isEmpty && !isWaitingForMemory && !isDraining
    }

    /// Notes how much memory the connection's requests take, and waits when that is too much for all together.
    private func hold() {
        let bytes = isClosing ? 0 : assembler.heldBytes + waitingBytes + (unread?.readableBytes ?? 0)
        memory.change(by: bytes - heldMemory)
        heldMemory = bytes
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        readMore(context)
        context.fireChannelReadComplete()
    }

    /// Goes on reading when nothing speaks against it.
    private func readMore(_ context: ChannelHandlerContext) {
        guard !isTaking, !isClosing, context.channel.isActive, mayTakeMore else { return }
        if unread != nil {
            takeFrames(context)
            guard mayTakeMore, !isClosing else { return }
        }
        if memory.isFull, !slots.isEmpty || heldMemory > limits.smallBytes, !hasOverdraft, !getsMemory(context) {
            isWaitingForMemory = true
            return
        }
        context.read()
    }

    /// Whether to read on although memory is short; if not, reading goes on once there is some.
    private func getsMemory(_ context: ChannelHandlerContext) -> Bool {
        let loop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        // Were all to wait in the middle of a request, none would ever be answered: one at a time may go on.
        let grant = memory.request(mayOverdraw: slots.isEmpty && assembler.isInFrame) {
            loop.execute {
                let (connection, context) = bound.value
                connection.isWaitingForMemory = false
                connection.readMore(context)
            }
        }
        hasOverdraft = grant == .overdraft
        return grant != .later
    }

    // MARK: Going out

    private func answered(_ number: Int, _ answer: Answer, _ context: ChannelHandlerContext) {
        let index = number - firstSlot
        guard !isClosing, index >= 0, index < slots.count else { return }
        slots[offset: index].answer = answer
        readyBytes += Self.size(answer)
        guard index == 0 else { return }
        while let slot = slots.first, let answer = slot.answer {
            slots.removeFirst()
            firstSlot += 1
            waitingBytes -= slot.frameBytes
            readyBytes -= Self.size(answer)
            switch answer {
            case .response(let output): outgoing.append(contentsOf: output.frame())
            case .raw(let bytes): outgoing.append(contentsOf: Self.frame(bytes))
            case .silence: break
            case .lastResponse(let output, let reason):
                outgoing.append(contentsOf: output.frame())
                pump(context)
                close(context, reason)
                return
            case .close(let reason):
                pump(context)
                close(context, reason)
                return
            }
        }
        hold()
        pump(context)
        closeWhenDrained(context)
        readMore(context)
    }

    /// What an answer takes of memory while it waits; stretches of files take none.
    private static func size(_ answer: Answer) -> Int {
        switch answer {
        case .response(let output), .lastResponse(let output, _): output.memoryBytes
        case .raw(let bytes): bytes.count
        case .silence, .close: 0
        }
    }

    private static func frame(_ bytes: [UInt8]) -> [RecordData.Piece] {
        var whole: [UInt8] = []
        withUnsafeBytes(of: Int32(clamping: bytes.count).bigEndian) { whole.append(contentsOf: $0) }
        return [.bytes((whole + bytes)[...])]
    }

    /// Writes as much as the channel wants to hold; the rest follows when it asks.
    private func pump(_ context: ChannelHandlerContext) {
        var didWrite = false
        while context.channel.isWritable, let piece = outgoing.first {
            outgoing.removeFirst()
            guard let written = write(piece, context) else { return }
            metrics.sent(written)
            didWrite = true
        }
        guard didWrite else { return }
        if isTaking { needsFlush = true } else { context.flush() }
    }

    /// Writes a piece, or the beginning of it; how many bytes that was. nil when the connection is closed for it.
    private func write(_ piece: RecordData.Piece, _ context: ChannelHandlerContext) -> Int? {
        switch piece {
        case .bytes(let bytes):
            var buffer = context.channel.allocator.buffer(capacity: bytes.count)
            buffer.writeBytes(bytes)
            context.write(wrapOutboundOut(.byteBuffer(buffer)), promise: nil)
            return bytes.count
        case .file(let file, let position, let count):
            if !isEncrypted, count >= limits.minRegionBytes,
                let region = KafkaFileRegion.make(file, position: position, count: count)
            {
                context.write(wrapOutboundOut(.fileRegion(region.region)), promise: region.promise(context.eventLoop))
                return count
            }
            // Through TLS, or from a disk that is none: in portions, as the client takes them.
            let portion = min(count, limits.filePortionBytes)
            do throws(DiskError) {
                let bytes = try file.readExactly(at: position, count: portion)
                if portion < count {
                    outgoing.prepend(.file(file, position: position + UInt64(portion), count: count - portion))
                }
                return write(.bytes(bytes[...]), context)
            } catch {
                close(context, "records could not be read: \(error)")
                return nil
            }
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, !isClosing {
            pump(context)
            closeWhenDrained(context)
            readMore(context)
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Ending

    private func closeWhenDrained(_ context: ChannelHandlerContext) {
        guard isDraining, !isClosing, slots.isEmpty, outgoing.isEmpty else { return }
        isClosing = true
        // Closing at once would drop what the socket has not taken yet.
        let end = context.writeAndFlush(wrapOutboundOut(.byteBuffer(ByteBuffer())))
        let channel = context.channel
        end.whenComplete { _ in channel.close(promise: nil) }
    }

    private func close(_ context: ChannelHandlerContext, _ reason: String) {
        guard !isClosing else { return }
        isClosing = true
        logger.info("kafka: closing the connection of \(session?.remoteHost ?? "a client"): \(reason)")
        metrics.connectionRefused()
        context.flush()
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        metrics.connectionClosed()
        outgoing.removeAll()
        slots.removeAll()
        unread = nil
        assembler = FrameAssembler(maxFrameBytes: 0)
        hold()
        if hasOverdraft { memory.releaseOverdraft() }
        hasOverdraft = false
        loginDeadline?.cancel()
        frameDeadline?.cancel()
        session?.close()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is KafkaDrain {
            isDraining = true
            closeWhenDrained(context)
        } else if event is IdleStateHandler.IdleStateEvent {
            // A client that waits for an answer is not idle; one that stopped in the middle of a request is.
            if slots.isEmpty || assembler.isInFrame { context.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !isClosing { logger.debug("kafka: connection of \(session?.remoteHost ?? "a client"): \(error)") }
        isClosing = true
        context.close(promise: nil)
    }
}
