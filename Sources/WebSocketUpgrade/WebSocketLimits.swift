package import NIOCore

/// What a client may do before its connection is ended, and how long anything may take.
package struct WebSocketLimits: Sendable {
    /// Bytes of a message, however many frames it comes in. No frame may be larger.
    package var largestMessage = 16 << 10
    /// Frames a message may come in.
    package var mostFragments = 64
    /// Frames a client may send at once, and how many a second after that. Everything a client sends costs an answer or a look.
    package var burst = 100
    package var framesPerSecond = 20
    /// How often a client is asked whether it is still there; proxies end connections on which nothing moves.
    package var pingInterval = TimeAmount.seconds(20)
    /// Pings without an answer after which a client counts as gone.
    package var mostUnansweredPings = 2
    /// How long the other side may take to answer a close frame, and what was written before it to go out.
    package var closeTimeout = TimeAmount.seconds(1)
    /// From the connection to the end of its first request, TLS included.
    package var handshakeTimeout = TimeAmount.seconds(30)

    package init() {}
}

/// Why a connection ends (RFC 6455 section 7.4).
package enum WebSocketClosure: UInt16, Sendable, CaseIterable {
    case normal = 1000
    /// The server shuts down, or what was watched is gone.
    case goingAway = 1001
    case protocolError = 1002
    case unsupported = 1003
    case invalidText = 1007
    case policyViolation = 1008
    case tooLarge = 1009
    case internalError = 1011
    case tryAgainLater = 1013
}

/// One message of a client.
package enum WebSocketMessage: Sendable, Equatable {
    case text(String)
    case binary(ByteBuffer)
}
