package import NIOCore
import NIOWebSocket

/// What goes on over an open WebSocket. All calls but `accompany` come on the connection's event loop and must not block it.
package protocol WebSocketSession: AnyObject, Sendable {
    /// The connection is open and may be written to.
    func opened(_ socket: WebSocket)
    /// The client sent a whole message.
    func received(_ message: WebSocketMessage)
    /// What was written has gone out far enough that more may follow.
    func drained()
    /// The connection ended. Nothing is called afterwards.
    func closed()
    /// Runs beside the open connection and is cancelled when it ends. Its own end means nothing.
    func accompany() async
}

/// An open WebSocket, seen from the server. Owned by its channel; confined to its event loop.
///
/// `@unchecked Sendable`: everything that changes is touched on `eventLoop` only, which every method checks in debug builds.
package final class WebSocket: @unchecked Sendable {
    package let eventLoop: any EventLoop
    package let channel: any Channel
    private let limits: WebSocketLimits
    /// False from the first close frame on, whoever sent it.
    package private(set) var isOpen = true

    init(channel: any Channel, limits: WebSocketLimits) {
        self.channel = channel
        self.limits = limits
        eventLoop = channel.eventLoop
    }

    /// False while what was written waits for the client. Writing goes on to be possible, but the bytes are kept in memory.
    package var isWritable: Bool { isOpen && channel.isWritable }

    /// Sends a message as one frame; `flush` makes it leave. The bytes are shared, not copied.
    package func write(_ bytes: ByteBuffer, isText: Bool = false) {
        eventLoop.assertInEventLoop()
        guard isOpen else { return }
        channel.write(WebSocketFrame(fin: true, opcode: isText ? .text : .binary, data: bytes), promise: nil)
    }

    package func flush() { channel.flush() }

    /// Says good-bye and ends the connection when the client has answered, or when the time for that is over.
    package func close(_ closure: WebSocketClosure, _ reason: String = "") {
        eventLoop.assertInEventLoop()
        sendClose(closure.rawValue, reason)
        let channel = channel
        // Kept short: a client that does not read is rid of its connection just the same.
        eventLoop.scheduleTask(in: limits.closeTimeout) { channel.close(promise: nil) }
    }

    /// Sends a close frame, once. `promise` is fulfilled when it has gone out.
    func sendClose(_ code: UInt16, _ reason: String = "", promise: EventLoopPromise<Void>? = nil) {
        guard isOpen else {
            promise?.succeed()
            return
        }
        isOpen = false
        var bytes = channel.allocator.buffer(capacity: 2 + reason.utf8.count)
        bytes.writeInteger(code)
        // A control frame has at most 125 bytes; reasons are our own ASCII.
        bytes.writeBytes(reason.utf8.prefix(120))
        channel.writeAndFlush(WebSocketFrame(fin: true, opcode: .connectionClose, data: bytes), promise: promise)
    }
}
