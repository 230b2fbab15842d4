package import NIOCore
package import NIOWebSocket

/// Puts the frames of a client together and refuses what RFC 6455 forbids it to send. Pure.
package struct MessageAssembler {
    /// What a frame turned out to be.
    package enum Event: Equatable {
        case message(WebSocketMessage)
        /// To be answered with the same bytes.
        case ping(ByteBuffer)
        case pong
        /// The client ends the connection, with its code if it gave one.
        case close(UInt16?)
    }

    /// What ends a connection, with the code that tells why.
    package struct Violation: Error, Equatable {
        package let closure: WebSocketClosure
        package let reason: String

        package init(_ closure: WebSocketClosure, _ reason: String) {
            self.closure = closure
            self.reason = reason
        }
    }

    private let limits: WebSocketLimits
    private var isText = false
    private var fragments = 0
    private var partial: ByteBuffer?

    package init(limits: WebSocketLimits) { self.limits = limits }

    /// Nil while a message is not whole.
    package mutating func take(_ frame: WebSocketFrame) throws(Violation) -> Event? {
        // Section 5.1: a server ends the connection upon a frame that is not masked.
        guard frame.maskKey != nil else { throw Violation(.protocolError, "frames of clients are masked") }
        // Section 5.2: no extension was negotiated that could give these bits a meaning.
        guard !frame.rsv1, !frame.rsv2, !frame.rsv3 else { throw Violation(.protocolError, "reserved bits are set") }
        let bytes = frame.unmaskedData
        switch frame.opcode {
        case .ping: return .ping(bytes)
        case .pong: return .pong
        case .connectionClose: return .close(try Self.code(bytes))
        case .text, .binary:
            guard partial == nil else { throw Violation(.protocolError, "a message began inside another") }
            isText = frame.opcode == .text
            return try add(bytes, isLast: frame.fin)
        case .continuation:
            guard partial != nil else { throw Violation(.protocolError, "nothing to continue") }
            return try add(bytes, isLast: frame.fin)
        default: throw Violation(.protocolError, "unknown kind of frame")
        }
    }

    private mutating func add(_ bytes: ByteBuffer, isLast: Bool) throws(Violation) -> Event? {
        var bytes = bytes
        fragments += 1
        guard (partial?.readableBytes ?? 0) + bytes.readableBytes <= limits.largestMessage else {
            throw Violation(.tooLarge, "a message may have \(limits.largestMessage) bytes")
        }
        guard fragments <= limits.mostFragments else { throw Violation(.tooLarge, "a message may come in \(limits.mostFragments) frames") }
        if partial == nil {
            partial = bytes
        } else {
            partial?.writeBuffer(&bytes)
        }
        guard isLast, let whole = partial else { return nil }
        partial = nil
        fragments = 0
        guard isText else { return .message(.binary(whole)) }
        guard let text = String(validating: whole.readableBytesView, as: UTF8.self) else {
            throw Violation(.invalidText, "text is UTF-8")
        }
        return .message(.text(text))
    }

    /// Sections 5.5.1 and 7.4: nothing, or a code with a reason in UTF-8; some codes never travel.
    private static func code(_ bytes: ByteBuffer) throws(Violation) -> UInt16? {
        guard bytes.readableBytes > 0 else { return nil }
        var bytes = bytes
        guard let code = bytes.readInteger(as: UInt16.self) else { throw Violation(.protocolError, "half a close code") }
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: break
        default: throw Violation(.protocolError, "close code \(code) is not for sending")
        }
        guard String(validating: bytes.readableBytesView, as: UTF8.self) != nil else {
            throw Violation(.invalidText, "the reason is UTF-8")
        }
        return code
    }
}

/// How many frames a client may still send: a bucket that fills again at a steady rate. Pure; time is passed in.
package struct FrameAllowance {
    private let burst: Double
    private let perSecond: Double
    private var left: Double
    private var last: NIODeadline?

    package init(limits: WebSocketLimits) {
        burst = Double(limits.burst)
        perSecond = Double(limits.framesPerSecond)
        left = burst
    }

    /// False when it has sent too many.
    package mutating func take(at now: NIODeadline) -> Bool {
        if let last { left = min(burst, left + Double((now - last).nanoseconds) / 1e9 * perSecond) }
        last = now
        guard left >= 1 else { return false }
        left -= 1
        return true
    }
}
