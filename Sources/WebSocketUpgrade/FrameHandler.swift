import NIOCore
import NIOWebSocket

/// The last handler of a WebSocket's pipeline: checks what the client sends, answers its control frames, asks whether it is still
/// there, and passes messages to the session.
final class FrameHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let session: any WebSocketSession
    private let socket: WebSocket
    private let limits: WebSocketLimits
    private var assembler: MessageAssembler
    private var allowance: FrameAllowance
    private var unansweredPings = 0
    private var pings: RepeatedTask?
    private var isEnded = false

    init(session: any WebSocketSession, channel: any Channel, limits: WebSocketLimits) {
        self.session = session
        self.limits = limits
        socket = WebSocket(channel: channel, limits: limits)
        assembler = MessageAssembler(limits: limits)
        allowance = FrameAllowance(limits: limits)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        pings = context.eventLoop.scheduleRepeatedTask(initialDelay: limits.pingInterval, delay: limits.pingInterval) { _ in
            let (handler, context) = bound.value
            handler.ping(context)
        }
        session.opened(socket)
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    private func end() {
        guard !isEnded else { return }
        isEnded = true
        pings?.cancel()
        pings = nil
        session.closed()
    }

    private func ping(_ context: ChannelHandlerContext) {
        guard socket.isOpen else { return }
        guard unansweredPings < limits.mostUnansweredPings else { return context.close(promise: nil) }
        unansweredPings += 1
        let frame = WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer())
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // After our own close frame only the answer to it matters; after the client's, nothing.
        let frame = unwrapInboundIn(data)
        guard socket.isOpen else {
            if frame.opcode == .connectionClose { context.close(promise: nil) }
            return
        }
        unansweredPings = 0
        guard allowance.take(at: .now()) else { return socket.close(.policyViolation, "too many frames") }
        do throws(MessageAssembler.Violation) {
            switch try assembler.take(frame) {
            case nil, .pong: break
            case .message(let message): session.received(message)
            case .ping(let bytes):
                context.writeAndFlush(wrapOutboundOut(WebSocketFrame(fin: true, opcode: .pong, data: bytes)), promise: nil)
            case .close(let code):
                // Section 5.5.1: the code is sent back, and then it is the server that ends the connection.
                let channel = context.channel
                let sent = context.eventLoop.makePromise(of: Void.self)
                sent.futureResult.whenComplete { _ in channel.close(promise: nil) }
                context.eventLoop.scheduleTask(in: limits.closeTimeout) { channel.close(promise: nil) }
                socket.sendClose(code ?? WebSocketClosure.normal.rawValue, promise: sent)
            }
        } catch {
            socket.close(error.closure, error.reason)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The rest of what was refused: closing before it is read would cost the client our last word. The time for that is bounded.
        guard socket.isOpen else { return }
        // What the decoder refuses cannot be skipped: it does not know where the next frame begins.
        switch error as? NIOWebSocketError {
        case .invalidFrameLength: socket.close(.tooLarge, "a message may have \(limits.largestMessage) bytes")
        case .fragmentedControlFrame, .multiByteControlFrameLength: socket.close(.protocolError, "control frames are short and whole")
        case nil: context.close(promise: nil)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if socket.isWritable { session.drained() }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent: socket.close(.goingAway, "the server shuts down")
        // A client that sends no more cannot answer a ping either.
        case ChannelEvent.inputClosed: context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }
}
