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
    /// What is to be written once the channel takes it.
    private var outgoing: CircularBuffer<RecordData.Piece> = []
    private var isReadWanted = false
    private var isWaitingForMemory = false
    private var isClosing = false

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
        session = makeSession(context.channel)
        context.fireChannelActive()
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        metrics.received(bytes.readableBytes)
        if unread == nil { unread = bytes } else { unread?.writeBuffer(&bytes) }
        takeFrames(context)
    }

    private func takeFrames(_ context: ChannelHandlerContext) {
        while !isClosing, mayTakeMore, var input = unread {
            let frame: [UInt8]?
            do throws(FrameAssembler.BadLength) {
                frame = try assembler.next(&input)
            } catch {
                close(context, "a request of \(error.length) bytes; at most \(error.max) are taken")
                return
            }
            unread = input.readableBytes > 0 ? input : nil
            hold(assembler.heldBytes + waitingBytes)
            guard let frame else { return }
            handle(frame, context)
        }
    }

    private func handle(_ frame: [UInt8], _ context: ChannelHandlerContext) {
        guard let session else { return }
        metrics.requested()
        let number = firstSlot + slots.count
        slots.append(Slot(frameBytes: frame.count))
        waitingBytes += frame.count
        hold(assembler.heldBytes + waitingBytes)
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
        slots.count < limits.maxRequestsInFlight && waitingBytes < limits.maxBytesInFlight && outgoing.isEmpty
            && !isWaitingForMemory
    }

    /// Notes how much memory the connection's requests take, and waits when that is too much for all together.
    private func hold(_ bytes: Int) {
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
        guard !isClosing, context.channel.isActive, mayTakeMore else { return }
        if unread != nil {
            takeFrames(context)
            guard mayTakeMore, !isClosing else { return }
        }
        if memory.isFull, !slots.isEmpty || heldMemory > limits.smallBytes {
            waitForMemory(context)
            return
        }
        context.read()
    }

    private func waitForMemory(_ context: ChannelHandlerContext) {
        guard !isWaitingForMemory else { return }
        isWaitingForMemory = true
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let loop = context.eventLoop
        memory.whenFree {
            loop.execute {
                let (connection, context) = bound.value
                connection.isWaitingForMemory = false
                connection.readMore(context)
            }
        }
    }

    // MARK: Going out

    private func answered(_ number: Int, _ answer: Answer, _ context: ChannelHandlerContext) {
        let index = number - firstSlot
        guard !isClosing, index >= 0, index < slots.count else { return }
        slots[offset: index].answer = answer
        guard index == 0 else { return }
        while let slot = slots.first, let answer = slot.answer {
            slots.removeFirst()
            firstSlot += 1
            waitingBytes -= slot.frameBytes
            switch answer {
            case .response(let output): outgoing.append(contentsOf: output.frame())
            case .raw(let bytes): outgoing.append(contentsOf: Self.frame(bytes))
            case .silence: break
            case .close(let reason):
                pump(context)
                close(context, reason)
                return
            }
        }
        hold(assembler.heldBytes + waitingBytes)
        pump(context)
        readMore(context)
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
        if didWrite { context.flush() }
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
            if !isEncrypted, let region = KafkaFileRegion.make(file, position: position, count: count) {
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
            readMore(context)
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Ending

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
        unread = nil
        hold(0)
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            // A client that waits for an answer is not idle; one that stopped in the middle of a request is.
            if slots.isEmpty || assembler.isInFrame { context.close(promise: nil) }
        } else if let event = event as? ChannelEvent, event == .inputClosed, slots.isEmpty, outgoing.isEmpty {
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !isClosing { logger.debug("kafka: connection of \(session?.remoteHost ?? "a client"): \(error)") }
        isClosing = true
        context.close(promise: nil)
    }
}
