import NIOCore
import NIOPosix

/// A pair of UDP ports of one session, RTP's even and RTCP's the next one (RFC 3550 section 11), on the session's own event loop.
struct RTSPServerPorts {
    let rtp: any Channel
    let rtcp: any Channel

    private static let tries = 32

    /// Binds a free pair at `address`, that of the session's connection. What comes in is given to `heard` with its sender; `drained` is
    /// called when more can be sent.
    static func bind(
        at address: SocketAddress, on loop: any EventLoop, heard: @escaping @Sendable (SocketAddress) -> Void,
        drained: @escaping @Sendable () -> Void, tries: Int = Self.tries
    ) -> EventLoopFuture<RTSPServerPorts> {
        @Sendable func open(_ port: Int) -> EventLoopFuture<any Channel> {
            var local = address
            local.port = port
            return DatagramBootstrap(group: loop)
                .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
                .channelOption(.socketOption(.so_sndbuf), value: 1 << 20)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Listening(heard: heard, drained: drained))
                    }
                }
                .bind(to: local)
        }
        return open(0).flatMap { first in
            let port = first.localAddress?.port ?? 0
            guard port > 0, port < 65_535 else { return first.close().flatMapThrowing { throw ChannelError.inappropriateOperationForState } }
            // The other one of the pair that this port belongs to.
            return open(port ^ 1).map { second in
                port % 2 == 0 ? RTSPServerPorts(rtp: first, rtcp: second) : RTSPServerPorts(rtp: second, rtcp: first)
            }.flatMapError { error in
                first.close().flatMap {
                    tries > 1
                        ? bind(at: address, on: loop, heard: heard, drained: drained, tries: tries - 1) : loop.makeFailedFuture(error)
                }
            }
        }
    }

    func close() {
        rtp.close(promise: nil)
        rtcp.close(promise: nil)
    }

    private final class Listening: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>

        private let heard: @Sendable (SocketAddress) -> Void
        private let drained: @Sendable () -> Void

        init(heard: @escaping @Sendable (SocketAddress) -> Void, drained: @escaping @Sendable () -> Void) {
            self.heard = heard
            self.drained = drained
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { heard(unwrapInboundIn(data).remoteAddress) }

        func channelWritabilityChanged(context: ChannelHandlerContext) {
            if context.channel.isWritable { drained() }
            context.fireChannelWritabilityChanged()
        }

        /// A port of the client that nobody listens at any more: the session's own timeout sees to it.
        func errorCaught(context: ChannelHandlerContext, error: any Error) {}
    }
}
