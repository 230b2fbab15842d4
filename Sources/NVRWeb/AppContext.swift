package import Hummingbird
package import Logging
package import NIOCore

/// What a request comes with besides itself: the connection and a logger.
package struct AppContext: InitializableFromSource, Sendable {
    /// Nil in tests that have no connection.
    package let channel: (any Channel)?
    /// The other end's address without a port.
    package let peer: String?
    package let logger: Logger
    /// Where a WebSocket is granted; nil when none is asked for.
    package let webSocket: WebSocketSlot?

    package init(source: ApplicationRequestContextSource) {
        channel = source.channel
        peer = source.channel.remoteAddress?.ipAddress
        logger = source.logger
        webSocket = nil
    }

    /// A request for a WebSocket.
    package init(channel: any Channel, logger: Logger, webSocket: WebSocketSlot) {
        self.channel = channel
        peer = channel.remoteAddress?.ipAddress
        self.logger = logger
        self.webSocket = webSocket
    }

    /// A request without a connection.
    package init(peer: String?, logger: Logger, webSocket: WebSocketSlot? = nil) {
        channel = nil
        self.peer = peer
        self.logger = logger
        self.webSocket = webSocket
    }

    /// Ends the connection `seconds` from now, whatever happens on it: the guard against clients that feed or read drop by drop.
    /// Cancel it when the work is done.
    func closeConnection(in seconds: Int64) -> Scheduled<Void>? {
        guard let channel else { return nil }
        return channel.eventLoop.scheduleTask(in: .seconds(seconds)) { channel.close(promise: nil) }
    }
}
