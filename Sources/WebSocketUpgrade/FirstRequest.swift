import HTTPTypes
package import NIOCore
package import NIOHTTP1
import NIOHTTPTypesHTTP1
import NIOWebSocket

/// What a connection turned out to be by its first request.
package enum Negotiated<Plain: Sendable>: Sendable {
    case http(Plain)
    case webSocket(any WebSocketSession)
    /// A WebSocket was refused; the answer is on its way and the connection ends with it.
    case refused
}

/// Looks at the first request of a connection, which alone may become a WebSocket, and builds the rest of the pipeline. Browsers
/// open a connection of its own for every WebSocket; proxies that reuse connections have to be told not to.
///
/// NIO's own upgrade handler loses a request that it does not upgrade; this one leaves it to HTTP, or answers the refusal.
package final class FirstRequest<Plain: Sendable>: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = HTTPServerRequestPart
    package typealias InboundOut = HTTPServerRequestPart
    package typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        case waiting
        /// A WebSocket was asked for. `hasEnd`: the request is whole; `verdict`: whoever decides has decided.
        case deciding(HTTPRequestHead, hasEnd: Bool, verdict: WebSocketDecision?)
        /// HTTP is being taken out of the pipeline; what the client sends meanwhile is kept.
        case upgrading([NIOAny])
        case plain
        case ended
    }

    package let result: EventLoopPromise<Negotiated<Plain>>
    private let encoder: HTTPResponseEncoder
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    private let limits: WebSocketLimits
    private let decide: (HTTPRequestHead) -> EventLoopFuture<WebSocketDecision>
    private let makePlain: () throws -> Plain
    private var state = State.waiting
    private var deadline: Scheduled<Void>?

    package init(
        result: EventLoopPromise<Negotiated<Plain>>, encoder: HTTPResponseEncoder, decoder: ByteToMessageHandler<HTTPRequestDecoder>,
        limits: WebSocketLimits, decide: @escaping (HTTPRequestHead) -> EventLoopFuture<WebSocketDecision>,
        makePlain: @escaping () throws -> Plain
    ) {
        self.result = result
        self.encoder = encoder
        self.decoder = decoder
        self.limits = limits
        self.decide = decide
        self.makePlain = makePlain
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: limits.handshakeTimeout) { channel.close(promise: nil) }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        // The first outcome counts: without one the connection ended before its first request.
        result.fail(ChannelError.inputClosed)
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .waiting:
            guard case .head(let head) = unwrapInboundIn(data) else { return end(context) }
            guard Handshake.isAskedFor(head) else {
                guard becomePlain(context) else { return }
                return context.fireChannelRead(wrapInboundOut(.head(Handshake.declineUpgrade(head))))
            }
            state = .deciding(head, hasEnd: false, verdict: nil)
            decide(head).hop(to: context.eventLoop).assumeIsolated().whenComplete { outcome in
                switch outcome {
                case .success(let decision): self.decided(context, decision)
                case .failure: self.end(context)
                }
            }
        case .deciding(let head, false, let verdict):
            guard case .end = unwrapInboundIn(data) else { return end(context) }
            state = .deciding(head, hasEnd: true, verdict: verdict)
            if let verdict { act(context, head, verdict) }
        case .deciding, .ended: break
        case .upgrading(var kept):
            kept.append(data)
            state = .upgrading(kept)
        case .plain:
            guard case .head(let head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
            context.fireChannelRead(wrapInboundOut(.head(Handshake.declineUpgrade(head))))
        }
    }

    private func decided(_ context: ChannelHandlerContext, _ verdict: WebSocketDecision) {
        guard case .deciding(let head, let hasEnd, _) = state else { return verdict.abandon() }
        state = .deciding(head, hasEnd: hasEnd, verdict: verdict)
        if hasEnd { act(context, head, verdict) }
    }

    private func act(_ context: ChannelHandlerContext, _ head: HTTPRequestHead, _ verdict: WebSocketDecision) {
        switch verdict {
        case .accept(let fields, let session): upgrade(context, head, HTTPHeaders(fields), session)
        case .refuse(let response, let body): refuse(context, response, body)
        }
    }

    /// False when the connection had to be ended.
    private func becomePlain(_ context: ChannelHandlerContext) -> Bool {
        deadline?.cancel()
        do {
            let plain = try makePlain()
            state = .plain
            result.succeed(.http(plain))
            return true
        } catch {
            result.fail(error)
            end(context)
            return false
        }
    }

    private func upgrade(
        _ context: ChannelHandlerContext, _ head: HTTPRequestHead, _ fields: HTTPHeaders, _ session: any WebSocketSession
    ) {
        state = .upgrading([])
        let limits = limits
        let upgrader = NIOTypedWebSocketServerUpgrader<Void>(
            maxFrameSize: limits.largestMessage, enableAutomaticErrorHandling: false,
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(fields) },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FrameHandler(session: session, channel: channel, limits: limits))
                }
            })
        let pipeline = context.pipeline.syncOperations
        upgrader.buildUpgradeResponse(channel: context.channel, upgradeRequest: head, initialResponseHeaders: [:])
            .assumeIsolated()
            .flatMap { headers in
                pipeline.removeHandler(self.decoder).map { headers }
            }.flatMap { headers in
                let answer = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
                return context.writeAndFlush(self.wrapOutboundOut(.head(answer)))
            }.flatMap {
                pipeline.removeHandler(self.encoder)
            }.flatMap {
                upgrader.upgrade(channel: context.channel, upgradeRequest: head)
            }.whenComplete { outcome in
                if case .failure = outcome { session.closed() }
                guard case .success = outcome, case .upgrading(let kept) = self.state else { return self.end(context) }
                self.deadline?.cancel()
                self.result.succeed(.webSocket(session))
                for data in kept { context.fireChannelRead(data) }
                context.fireChannelReadComplete()
                self.state = .ended
                pipeline.removeHandler(self, promise: nil)
            }
    }

    private func refuse(_ context: ChannelHandlerContext, _ response: HTTPResponse, _ body: ByteBuffer) {
        state = .ended
        var head = HTTPResponseHead(response)
        head.headers.replaceOrAdd(name: "connection", value: "close")
        head.headers.replaceOrAdd(name: "content-length", value: String(body.readableBytes))
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if body.readableBytes > 0 { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        result.succeed(.refused)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }

    private func end(_ context: ChannelHandlerContext) {
        if case .deciding(_, _, let verdict?) = state { verdict.abandon() }
        state = .ended
        context.close(promise: nil)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        if case .deciding = state { end(context) }
        context.fireChannelInactive()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch state {
        case .waiting:
            // Bytes that are no HTTP are refused where all such bytes are.
            guard becomePlain(context) else { return }
            context.fireErrorCaught(error)
        case .plain: context.fireErrorCaught(error)
        default: end(context)
        }
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch (state, event) {
        case (.plain, _): context.fireUserInboundEventTriggered(event)
        case (.upgrading, _): if event is ChannelShouldQuiesceEvent { end(context) }
        case (.ended, _): context.fireUserInboundEventTriggered(event)
        case (_, is ChannelShouldQuiesceEvent), (_, ChannelEvent.inputClosed): end(context)
        default: context.fireUserInboundEventTriggered(event)
        }
    }
}
