package import HTTPTypes
package import HummingbirdCore
package import Logging
package import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// The answer to a request for a WebSocket.
package enum WebSocketDecision: Sendable {
    /// With header fields for the answer beside those of the handshake.
    case accept(HTTPFields, any WebSocketSession)
    /// An ordinary answer instead: 401, 403, 404, 503.
    case refuse(HTTPResponse, ByteBuffer)

    /// The connection ended before the answer could be given.
    func abandon() {
        if case .accept(_, let session) = self { session.closed() }
    }
}

/// HTTP/1.1 connections whose first request may become a WebSocket.
package struct WebSocketUpgradeChannel: HTTPChannelHandler {
    package typealias Decide = @Sendable (HTTPRequest, any Channel, Logger) async -> WebSocketDecision
    typealias Plain = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    package struct Value: ServerChildChannelValue {
        let negotiated: EventLoopFuture<Negotiated<Plain>>
        package let channel: any Channel
    }

    package let responder: HTTPChannelHandler.Responder
    private let http1: HTTP1Channel.Configuration
    private let limits: WebSocketLimits
    private let isSecure: Bool
    private let decide: Decide

    /// - Parameters:
    ///   - isSecure: requests come over TLS, and say so by their scheme.
    ///   - decide: who may have a WebSocket. Called for well-formed requests only.
    package init(
        responder: @escaping HTTPChannelHandler.Responder, http1: HTTP1Channel.Configuration, limits: WebSocketLimits, isSecure: Bool,
        decide: @escaping Decide
    ) {
        self.responder = responder
        self.http1 = http1
        self.limits = limits
        self.isSecure = isSecure
        self.decide = decide
    }

    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let loop = channel.eventLoop
            let pipeline = channel.pipeline.syncOperations
            var header = NIOHTTPDecoderLimitConfiguration()
            header.maxHeaderFieldSize = http1.httpDecoder.maxHeaderFieldSize
            header.maxHeaderListSize = http1.httpDecoder.maxHeaderListSize
            header.maxHeaderFieldCount = http1.httpDecoder.maxHeaderFieldCount
            let encoder = HTTPResponseEncoder()
            let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: header))
            let result = loop.makePromise(of: Negotiated<Plain>.self)
            let (isSecure, decide) = (isSecure, decide)
            let first = FirstRequest<Plain>(
                result: result, encoder: encoder, decoder: decoder, limits: limits,
                decide: { head in
                    loop.makeFutureWithTask {
                        let request = try HTTPRequest(head, secure: isSecure, splitCookie: false)
                        return await decide(request, channel, logger)
                    }
                },
                makePlain: { try addPlainHandlers(to: channel, logger) })
            try pipeline.addHandlers([encoder, decoder, first])
            return Value(negotiated: result.futureResult, channel: channel)
        }
    }

    private func addPlainHandlers(to channel: any Channel, _ logger: Logger) throws -> Plain {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: isSecure))
        try pipeline.addHandlers(http1.additionalChannelHandlers())
        try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: http1.idleTimeout.map { .init($0) }, logger: logger))
        return try NIOAsyncChannel(wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }

    package func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.negotiated.get() {
            case .http(let channel): await handleHTTP(asyncChannel: channel, logger: logger)
            case .refused: try await value.channel.closeFuture.get()
            case .webSocket(let session):
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await session.accompany() }
                    try await value.channel.closeFuture.get()
                    group.cancelAll()
                }
            }
        } catch {
            // Whatever broke, the connection is of no more use; where it is closed already, nothing happens.
            value.channel.close(promise: nil)
            logger.debug("a connection ended", metadata: ["reason": "\(error)"])
        }
    }
}
