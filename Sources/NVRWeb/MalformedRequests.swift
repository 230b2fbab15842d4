import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NVRModel

/// Refuses bytes that are no HTTP request like everything else is refused: with `{"detail": …}` and the security headers.
///
/// The server below answers them with a bare 400, in its turn after the answers to earlier requests of the connection. That answer
/// is replaced on its way out, so that neither the order nor the end of the connection is touched.
final class MalformedRequests: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var failure: HTTPFailure?

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // RFC 6585 section 5 for what is too large; RFC 9112 section 2.2 for the rest.
        if let error = error as? HTTPParserError {
            failure =
                error == .headerOverflow
                ? HTTPFailure(.requestHeaderFieldsTooLarge, "Request line or header fields too large")
                : HTTPFailure(.badRequest, "Malformed HTTP request")
        }
        context.fireErrorCaught(error)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // Answers of routes always have a body.
        guard let failure, case .head(let bare) = unwrapOutboundIn(data), bare.status == .badRequest, bare.headerFields[.contentLength] == "0"
        else { return context.write(data, promise: promise) }
        self.failure = nil
        let body = ByteBuffer(string: (["detail": failure.detail] as JSONValue).serialized())
        var answer = failure.response
        answer.headers[.connection] = "close"
        answer.headers[.contentLength] = String(body.readableBytes)
        SecurityHeaders.add(to: &answer, isSecure: false)
        context.write(wrapOutboundOut(.head(answer.head)), promise: nil)
        context.write(wrapOutboundOut(.body(body)), promise: promise)
    }
}
