import Synchronization
package import WebSocketUpgrade

/// Where a route leaves the session of a WebSocket that it grants. A request has one only when it asks for a WebSocket.
package final class WebSocketSlot: Sendable {
    private let session = Mutex<(any WebSocketSession)?>(nil)

    package init() {}

    package func grant(_ session: any WebSocketSession) { self.session.withLock { $0 = session } }

    /// What was granted; it can be taken once.
    package func take() -> (any WebSocketSession)? {
        session.withLock { session in
            defer { session = nil }
            return session
        }
    }
}
