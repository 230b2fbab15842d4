import Dispatch
import Libav
import NIOCore
import NIOPosix
import NIOSSL
import RTSP
import Synchronization

/// A TCP connection, encrypted or not, for a thread that may block: the event loop carries its bytes, the thread waits for them.
final class BlockingConnection: Sendable {
    /// Bytes that may wait for the thread before the other side is made to wait.
    private static let bufferLimit = 512 << 10
    /// How soon a wait hears of an interrupt.
    private static let patience = DispatchTimeInterval.milliseconds(100)

    private struct State {
        var channel: (any Channel)?
        var bytes = ByteBuffer()
        var isPaused = false
        var hasEnded = false
        var failure: RTSPError?
        var isClosed = false
    }

    private let state = Mutex(State())
    private let changed = DispatchSemaphore(value: 0)
    private let interrupt: Interrupt

    /// Connects to one address; TLS on top when `isTLS`, with `serverName` for machines that serve many names. With `isTrusted` the other
    /// side has to show a certificate that this machine believes; cameras mostly have none. Waits until the connection stands.
    init(
        to address: SocketAddress, serverName: String?, isTLS: Bool, isTrusted: Bool = false, eventLoop: any EventLoop, interrupt: Interrupt
    ) throws(RTSPError) {
        self.interrupt = interrupt
        connect(to: address, serverName: serverName, isTLS: isTLS, isTrusted: isTrusted, eventLoop: eventLoop)
        while true {
            let (isConnected, failure) = state.withLock { ($0.channel != nil, $0.failure) }
            if let failure { throw failure }
            if isConnected { return }
            do throws(RTSPError) {
                try wait("connect")
            } catch {
                close()
                throw error
            }
        }
    }

    deinit {
        close()
    }

    private func connect(to address: SocketAddress, serverName: String?, isTLS: Bool, isTrusted: Bool, eventLoop: any EventLoop) {
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(5))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 64 << 10))
            .channelInitializer { [weak self] channel in
                channel.eventLoop.makeCompletedFuture {
                    if isTLS {
                        let context = try isTrusted ? NIOSSLContext(configuration: .makeClientConfiguration()) : LenientTLS.context()
                        try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: context, serverHostname: serverName))
                    }
                    try channel.pipeline.syncOperations.addHandler(Inlet(self))
                }
            }
            .connect(to: address)
            .whenComplete { [weak self] result in
                guard let self else {
                    if case .success(let channel) = result { channel.close(promise: nil) }
                    return
                }
                switch result {
                case .success(let channel): connected(channel)
                case .failure(let error): ended(error)
                }
            }
    }

    private func connected(_ channel: any Channel) {
        let isClosed = state.withLock { state in
            state.channel = channel
            return state.isClosed
        }
        if isClosed { channel.close(promise: nil) }
        changed.signal()
    }

    fileprivate func received(_ bytes: ByteBuffer, on channel: any Channel) {
        let mustPause = state.withLock { state in
            var bytes = bytes
            state.bytes.writeBuffer(&bytes)
            guard state.bytes.readableBytes > Self.bufferLimit, !state.isPaused else { return false }
            state.isPaused = true
            return true
        }
        // Changing the option of an open channel cannot fail on its own loop.
        if mustPause { channel.setOption(.autoRead, value: false).whenFailure { _ in } }
        changed.signal()
    }

    fileprivate func ended(_ error: (any Error)?) {
        state.withLock { state in
            state.hasEnded = true
            if let error, state.failure == nil { state.failure = RTSPError(network: error) }
        }
        changed.signal()
    }

    private func wait(_ phase: String) throws(RTSPError) {
        if interrupt.isCancelled { throw .closed("reading was stopped") }
        if interrupt.shouldStop { throw .timeout(phase) }
        _ = changed.wait(timeout: .now() + Self.patience)
    }

    func write(_ text: String) throws(RTSPError) {
        guard let channel = state.withLock({ $0.channel }) else { throw .closed("the connection is closed") }
        // A failure shows in the next read.
        channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
    }

    /// Fills the beginning of `buffer` with what has come, waiting for at least one byte; 0 when the other side has ended.
    /// `phase` says what is waited for, for the error of a time-out.
    func read(into buffer: UnsafeMutableRawBufferPointer, phase: String) throws(RTSPError) -> Int {
        while true {
            var resumed: (any Channel)?
            var count = 0
            var hasEnded = false
            var failure: RTSPError?
            state.withLock { state in
                count = min(buffer.count, state.bytes.readableBytes)
                if count > 0 {
                    state.bytes.readWithUnsafeReadableBytes { bytes in
                        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                        return count
                    }
                    if state.bytes.readableBytes == 0 { state.bytes.clear() }
                    state.bytes.discardReadBytes()
                }
                if state.isPaused, state.bytes.readableBytes < Self.bufferLimit / 2 {
                    state.isPaused = false
                    resumed = state.channel
                }
                hasEnded = state.hasEnded
                failure = state.failure
            }
            // A channel that is closed meanwhile has nothing more to read.
            resumed?.setOption(.autoRead, value: true).whenFailure { _ in }
            if count > 0 { return count }
            if let failure { throw failure }
            if hasEnded { return 0 }
            try wait(phase)
        }
    }

    func close() {
        let channel = state.withLock { state in
            state.isClosed = true
            return state.channel
        }
        channel?.close(promise: nil)
    }
}

/// The end of a connection's pipeline. Confined to the event loop.
private final class Inlet: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private weak var connection: BlockingConnection?

    init(_ connection: BlockingConnection?) {
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connection?.received(unwrapInboundIn(data), on: context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Peers that close without TLS's own farewell are common, and what came is whole by the rules of HTTP or not.
        connection?.ended((error as? NIOSSLError) == .uncleanShutdown ? nil : error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection?.ended(nil)
    }
}
