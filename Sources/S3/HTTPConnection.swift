import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A whole answer.
struct HTTPAnswer: Sendable {
    var status: Int
    var headers: HTTPHeaders
    var body: ByteBuffer
}

/// One connection to a server, for one exchange at a time (RFC 9112). Nothing waits longer than `stall` for a byte to move.
final class HTTPConnection: Sendable {
    /// Bytes of a body that are written at a time.
    private static let sliceBytes = 64 << 10

    private let channel: any Channel
    private let exchanges: NIOLoopBound<ExchangeHandler>
    /// Whether another exchange may follow the last one.
    private let canGoOn = Mutex(true)

    private init(channel: any Channel, exchanges: NIOLoopBound<ExchangeHandler>) {
        self.channel = channel
        self.exchanges = exchanges
    }

    /// `serverName`: for TLS; nil when the server has no name.
    static func open(
        to address: SocketAddress, serverName: String?, tls: NIOSSLContext?, on group: any EventLoopGroup, stall: TimeAmount
    ) async throws -> HTTPConnection {
        let loop = group.next()
        do {
            return try await ClientBootstrap(group: loop)
                .connectTimeout(stall)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connect(to: address)
                .flatMapThrowing { channel in
                    let handler = ExchangeHandler(stall: stall)
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: tls, serverHostname: serverName))
                    }
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(handler)
                    return HTTPConnection(channel: channel, exchanges: NIOLoopBound(handler, eventLoop: loop))
                }.get()
        } catch {
            throw ExchangeHandler.translated(error)
        }
    }

    var isUsable: Bool { channel.isActive && canGoOn.withLock { $0 } }

    func close() { channel.close(promise: nil) }

    /// Sends a request and gives the answer, of `most` bytes at most. `pace` is asked before every slice of the body.
    func exchange(
        _ head: HTTPRequestHead, body: ByteBuffer, most: Int, pace: (@Sendable (Int) async throws -> Void)?
    ) async throws -> HTTPAnswer {
        canGoOn.withLock { $0 = false }
        let promise = channel.eventLoop.makePromise(of: HTTPAnswer.self)
        let exchanges = exchanges
        return try await withTaskCancellationHandler {
            try await channel.eventLoop.submit { exchanges.value.begin(promise, most: most) }.get()
            let isWhole = await send(head, body: body, pace: pace)
            if Task.isCancelled { close() }
            channel.eventLoop.execute { exchanges.value.awaitAnswer() }
            let answer = try await promise.futureResult.get()
            let keeps = isWhole && answer.headers[canonicalForm: "connection"].allSatisfy { $0.lowercased() != "close" }
            if keeps { canGoOn.withLock { $0 = true } } else { close() }
            return answer
        } onCancel: {
            close()
        }
    }

    /// Writes a request; false when the connection did not take all of it: then the answer, or its failure, tells why.
    private func send(_ head: HTTPRequestHead, body: ByteBuffer, pace: (@Sendable (Int) async throws -> Void)?) async -> Bool {
        do {
            try await write(.head(head))
            var rest = body
            while let slice = rest.readSlice(length: min(rest.readableBytes, Self.sliceBytes)), slice.readableBytes > 0 {
                try await pace?(slice.readableBytes)
                try await write(.body(.byteBuffer(slice)))
            }
            try await write(.end(nil))
            return true
        } catch {
            // Only a pace that is cancelled gets here with a connection that is still good.
            if error is CancellationError { close() }
            return false
        }
    }

    private func write(_ part: HTTPClientRequestPart) async throws {
        let exchanges = exchanges
        let alarm = channel.eventLoop.scheduleTask(in: ExchangeHandler.writeStall) {
            exchanges.value.fail(.timeout("sending"))
        }
        defer { alarm.cancel() }
        try await channel.writeAndFlush(part)
    }
}

/// Gathers the answer to one request after another. Confined to its event loop.
private final class ExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    /// How long the kernel may take no byte of a slice.
    static let writeStall = TimeAmount.seconds(30)

    private let stall: TimeAmount
    private var context: ChannelHandlerContext?
    private var promise: EventLoopPromise<HTTPAnswer>?
    private var answer: HTTPAnswer?
    /// What went wrong while nothing was asked: TLS fails before or after the first question, as it comes.
    private var failure: S3Error?
    private var most = 0
    private var alarm: Scheduled<Void>?

    init(stall: TimeAmount) { self.stall = stall }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        end(.unreachable("the connection is closed"))
    }

    func begin(_ promise: EventLoopPromise<HTTPAnswer>, most: Int) {
        guard context != nil, failure == nil, self.promise == nil else {
            return promise.fail(failure ?? S3Error.unreachable("the connection is closed"))
        }
        self.promise = promise
        self.most = most
        answer = nil
    }

    /// The request is sent: from now on silence is counted.
    func awaitAnswer() {
        alarm?.cancel()
        guard promise != nil, let context else { return }
        alarm = context.eventLoop.assumeIsolated().scheduleTask(in: stall) { [weak self] in self?.fail(.timeout("waiting for the answer")) }
    }

    func fail(_ error: S3Error) {
        end(error)
        context?.close(promise: nil)
    }

    private func end(_ error: S3Error) {
        alarm?.cancel()
        let promise = promise
        self.promise = nil
        promise?.fail(error)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if alarm != nil { awaitAnswer() }
        switch unwrapInboundIn(data) {
        case .head(let head): answer = HTTPAnswer(status: Int(head.status.code), headers: head.headers, body: ByteBuffer())
        case .body(var bytes):
            guard (answer?.body.readableBytes ?? 0) + bytes.readableBytes <= most else { return fail(.malformed("it is too long")) }
            answer?.body.writeBuffer(&bytes)
        case .end:
            alarm?.cancel()
            alarm = nil
            guard let answer else { return }
            let promise = promise
            self.promise = nil
            self.answer = nil
            promise?.succeed(answer)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let failure = Self.translated(error)
        if promise == nil { self.failure = self.failure ?? failure }
        end(failure)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.unreachable("the connection was closed before the answer"))
    }

    static func translated(_ error: any Error) -> S3Error {
        switch error {
        case let error as S3Error: error
        case let error as ChannelError:
            if case .connectTimeout = error { .timeout("connecting") } else { .unreachable("the connection is closed") }
        case let error as IOError: .unreachable(S3Error.clean(error.reasonText, most: 120))
        case let error as NIOConnectionError: .unreachable(S3Error.clean("\(error)", most: 120))
        case is HTTPParserError: .malformed("it is not HTTP")
        case let error as NIOSSLError: .unreachable(S3Error.clean("TLS: \(error)", most: 200))
        case let error as BoringSSLError: .unreachable(S3Error.clean("TLS: \(error)", most: 200))
        default: .unreachable(S3Error.clean("\(error)", most: 200))
        }
    }
}

extension IOError {
    /// The system's words for the number.
    fileprivate var reasonText: String { description.contains("refused") ? "the connection was refused" : description }
}
