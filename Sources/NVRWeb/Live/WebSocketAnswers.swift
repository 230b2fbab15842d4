import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import WebSocketUpgrade

extension APIResponder {
    /// Decides about a request for a WebSocket as about any other: by the route that its path names and by the caller's rights.
    func decide(_ head: HTTPRequest, _ channel: any Channel, _ logger: Logger) async -> WebSocketDecision {
        let slot = WebSocketSlot()
        do {
            let response = try await respond(
                to: Request(head: head, body: .init(buffer: ByteBuffer())), context: AppContext(channel: channel, logger: logger, webSocket: slot))
            if let session = slot.take() {
                guard response.status == .switchingProtocols else {
                    session.closed()
                    return .refuse(HTTPResponse(status: .internalServerError), ByteBuffer())
                }
                var fields = response.headers
                fields[.contentLength] = nil
                return .accept(fields, session)
            }
            let collector = BodyCollector()
            try await response.body.write(collector)
            return .refuse(response.head, collector.bytes)
        } catch {
            // Only a body that breaks off throws, and a handshake has none.
            return .refuse(HTTPResponse(status: .badRequest), ByteBuffer())
        }
    }
}

/// Keeps a refusal's body, which is some words of JSON.
///
/// `@unchecked Sendable`: used by the one task that awaits the writing.
private final class BodyCollector: ResponseBodyWriter, @unchecked Sendable {
    private(set) var bytes = ByteBuffer()

    func write(_ buffer: ByteBuffer) async throws { bytes.writeImmutableBuffer(buffer) }
    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
