#if canImport(Glibc)
    import Glibc
#endif
package import Logging
package import NIOCore
import NIOPosix
import Synchronization

/// What the owner of a server decides.
package struct RTSPServerConfiguration: Sendable {
    /// In answers: `Server`.
    package var software = "RTSP"
    package var realm = "RTSP"
    /// Connections at a time, in all and of one address.
    package var mostConnections = 256
    package var mostConnectionsPerAddress = 64
    /// Sessions at a time, in all and of one address.
    package var mostSessions = 128
    package var mostSessionsPerAddress = 48
    /// How long a connection may take until its first request is granted, and be quiet afterwards without a session.
    package var patience = TimeAmount.seconds(30)
    /// Seconds that a session lives without a sign of life.
    package var sessionTimeout = 60
    /// Between two sender reports, and two looks at whether the client lives.
    package var reportInterval = TimeAmount.seconds(5)
    /// Wall clock, microseconds UTC.
    package var wall: @Sendable () -> Int64
    package var logger: Logger

    /// With the usual limits.
    package init(logger: Logger, wall: @escaping @Sendable () -> Int64) {
        self.logger = logger
        self.wall = wall
    }
}

/// An RTSP server (RFC 2326) that plays live programs to many clients, over its own connections or UDP. Owns its listeners and
/// connections; any thread may start and stop it.
package final class RTSPServer: Sendable {
    /// Connections and sessions that exist, so that nobody takes all of them.
    final class Room: Sendable {
        private struct State {
            var channels: [ObjectIdentifier: any Channel] = [:]
            var connections: [String: Int] = [:]
            var sessions: [String: Int] = [:]
            var sessionCount = 0
            var isClosed = false
        }

        private let configuration: RTSPServerConfiguration
        private let state = Mutex(State())

        init(_ configuration: RTSPServerConfiguration) { self.configuration = configuration }

        /// False when there is no room; else `leave` has to follow.
        func enter(_ channel: any Channel, _ address: String) -> Bool {
            state.withLock { state in
                guard !state.isClosed, state.channels.count < configuration.mostConnections,
                    state.connections[address, default: 0] < configuration.mostConnectionsPerAddress
                else { return false }
                state.channels[ObjectIdentifier(channel)] = channel
                state.connections[address, default: 0] += 1
                return true
            }
        }

        func leave(_ channel: any Channel, _ address: String) {
            state.withLock { state in
                state.channels[ObjectIdentifier(channel)] = nil
                state.connections[address] = (state.connections[address] ?? 1) > 1 ? state.connections[address].map { $0 - 1 } : nil
            }
        }

        func enterSession(_ address: String) -> Bool {
            state.withLock { state in
                guard state.sessionCount < configuration.mostSessions,
                    state.sessions[address, default: 0] < configuration.mostSessionsPerAddress
                else { return false }
                state.sessionCount += 1
                state.sessions[address, default: 0] += 1
                return true
            }
        }

        func leaveSession(_ address: String) {
            state.withLock { state in
                state.sessionCount -= 1
                state.sessions[address] = (state.sessions[address] ?? 1) > 1 ? state.sessions[address].map { $0 - 1 } : nil
            }
        }

        /// Everything that is connected; nobody enters any more.
        func closeDoor() -> [any Channel] {
            state.withLock { state in
                state.isClosed = true
                return Array(state.channels.values)
            }
        }
    }

    private let content: any RTSPServerContent
    private let configuration: RTSPServerConfiguration
    private let loops: any EventLoopGroup
    private let room: Room
    private let listeners = Mutex<[any Channel]>([])

    /// Nothing listens yet.
    package init(_ content: any RTSPServerContent, _ configuration: RTSPServerConfiguration, loops: any EventLoopGroup) {
        self.content = content
        self.configuration = configuration
        self.loops = loops
        room = Room(configuration)
    }

    private static let unsent = ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: CInt(TCP_NOTSENT_LOWAT)))

    /// Listens on a port, 0 for a free one, and gives the port. `encrypt` puts what encrypts it into a
    /// connection; nil for plain RTSP.
    package func listen(
        host: String, port: Int, encrypt: (@Sendable (any Channel) throws -> Void)? = nil
    ) async throws -> Int {
        let (room, content, configuration) = (room, content, configuration)
        let listener = try await ServerBootstrap(group: loops)
            .serverChannelOption(.backlog, value: 128)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            // What waits in the kernel unsent is delay that nobody sees.
            .childChannelOption(Self.unsent, value: 128 << 10)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
            .childChannelInitializer { channel in
                let address = channel.remoteAddress?.ipAddress ?? ""
                guard room.enter(channel, address) else { return channel.close() }
                channel.closeFuture.whenComplete { _ in room.leave(channel, address) }
                return channel.eventLoop.makeCompletedFuture {
                    try encrypt?(channel)
                    try channel.pipeline.syncOperations.addHandler(
                        RTSPServerConnection(
                            content: content, configuration: configuration, room: room, channel: channel, address: address,
                            isEncrypted: encrypt != nil))
                }
            }
            .bind(host: host, port: port).get()
        listeners.withLock { $0.append(listener) }
        return listener.localAddress?.port ?? port
    }

    /// Stops listening and ends every connection.
    package func stop() async {
        let listening = listeners.withLock { listeners in
            defer { listeners = [] }
            return listeners
        }
        for listener in listening {
            // What is closed already needs no closing.
            try? await listener.close()
        }
        for channel in room.closeDoor() { channel.pipeline.fireUserInboundEventTriggered(RTSPServerEnd()) }
    }
}

/// Told to connections when the server ends.
struct RTSPServerEnd: Sendable {}
