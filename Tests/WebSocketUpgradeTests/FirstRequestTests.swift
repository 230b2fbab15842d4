import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOWebSocket
import Synchronization
import Testing
import WebSocketUpgrade

/// The first request of a connection, on a channel without a network.
@Suite("First request")
struct FirstRequestTests {
    /// A session that notes what it hears.
    private final class Session: WebSocketSession {
        enum Event: Equatable {
            case opened
            case message(WebSocketMessage)
            case closed
        }

        let events = Mutex<[Event]>([])
        let socket = Mutex<WebSocket?>(nil)

        func opened(_ socket: WebSocket) {
            self.socket.withLock { $0 = socket }
            events.withLock { $0.append(.opened) }
        }
        func received(_ message: WebSocketMessage) { events.withLock { $0.append(.message(message)) } }
        func drained() {}
        func closed() { events.withLock { $0.append(.closed) } }
        func accompany() async {}

        var heard: [Event] { events.withLock { $0 } }
    }

    private static let handshake =
        "GET /ws HTTP/1.1\r\nHost: nvr\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

    /// A connection whose WebSockets are decided by `verdict`; HTTP ends at the last handler, which notes the heads.
    private final class Connection {
        let channel = EmbeddedChannel()
        let heads = Heads()
        let result: EventLoopPromise<Negotiated<Int>>

        init(limits: WebSocketLimits = WebSocketLimits(), _ verdict: WebSocketDecision?) throws {
            let channel = channel
            let heads = heads
            result = channel.eventLoop.makePromise()
            let encoder = HTTPResponseEncoder()
            let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
            let first = FirstRequest<Int>(
                result: result, encoder: encoder, decoder: decoder, limits: limits,
                decide: { _ in
                    verdict.map { channel.eventLoop.makeSucceededFuture($0) }
                        ?? channel.eventLoop.makePromise(of: WebSocketDecision.self).futureResult
                },
                makePlain: {
                    try channel.pipeline.syncOperations.addHandler(heads)
                    return 7
                })
            try channel.pipeline.syncOperations.addHandlers([encoder, decoder, first])
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        }

        func send(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }
        func send(_ bytes: [UInt8]) throws { try channel.writeInbound(ByteBuffer(bytes: bytes)) }

        /// What went out so far.
        func sent() throws -> ByteBuffer {
            channel.embeddedEventLoop.run()
            var all = ByteBuffer()
            while var piece = try channel.readOutbound(as: ByteBuffer.self) { all.writeBuffer(&piece) }
            return all
        }

        func text() throws -> String { String(buffer: try sent()) }
        var isClosed: Bool { !channel.isActive }
    }

    private final class Heads: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        var heads: [HTTPRequestHead] = []
        var errors = 0

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if case .head(let head) = unwrapInboundIn(data) { heads.append(head) }
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { errors += 1 }
    }

    private static func masked(_ opcode: UInt8, _ payload: [UInt8], first: UInt8 = 0x80) -> [UInt8] {
        let mask: [UInt8] = [7, 7, 7, 7]
        let length: [UInt8] = payload.count < 126 ? [UInt8(payload.count) | 0x80] : [254, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        return [first | opcode] + length + mask + payload.map { $0 ^ 7 }
    }

    @Test("a granted WebSocket answers with the key of RFC 6455, and frames that came along with the request are read")
    func accepted() throws {
        let session = Session()
        let connection = try Connection(.accept([.server: "x"], session))
        // The first frame arrives in the same packet as the request.
        try connection.channel.writeInbound(ByteBuffer(bytes: Array(Self.handshake.utf8) + Self.masked(1, Array("hi".utf8))))
        let answer = try connection.text()
        #expect(answer.hasPrefix("HTTP/1.1 101 "))
        #expect(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        #expect(answer.lowercased().contains("server: x") && !answer.lowercased().contains("transfer-encoding"))
        #expect(session.heard == [.opened, .message(.text("hi"))])
        guard case .webSocket = try connection.result.futureResult.wait() else { Issue.record("no WebSocket"); return }
        session.socket.withLock { $0 }?.write(ByteBuffer(string: "yo"), isText: true)
        session.socket.withLock { $0 }?.flush()
        #expect(try connection.sent() == ByteBuffer(bytes: [0x81, 2] + Array("yo".utf8)))
        _ = try connection.channel.finish()
        #expect(session.heard.last == .closed)
    }

    @Test("a refused WebSocket gets the whole answer, and then the connection ends")
    func refused() throws {
        let connection = try Connection(
            .refuse(HTTPResponse(status: .forbidden, headerFields: [.contentType: "application/json"]), ByteBuffer(string: "{}")))
        try connection.send(Self.handshake)
        let answer = try connection.text().lowercased()
        #expect(answer.hasPrefix("http/1.1 403 ") && answer.contains("connection: close") && answer.hasSuffix("content-length: 2\r\n\r\n{}"))
        #expect(connection.isClosed)
    }

    @Test(
        "what is no handshake is served as HTTP, without the wish for another protocol",
        arguments: [
            ("Upgrade: h2c\r\nConnection: Upgrade\r\n", true), ("Upgrade: websocket\r\nConnection: Upgrade\r\n", true), ("", false),
            (
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n", true
            ),
            ("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n", true),
        ])
    func plain(fields: String, ends: Bool) throws {
        let connection = try Connection(nil)
        try connection.send("GET /x HTTP/1.1\r\nHost: nvr\r\n\(fields)\r\n")
        #expect(connection.heads.heads.map(\.uri) == ["/x"])
        #expect(connection.heads.heads.first?.headers["upgrade"] == [])
        #expect(connection.heads.heads.first?.headers["connection"] == (ends ? ["close"] : []))
        guard case .http(7) = try connection.result.futureResult.wait() else { Issue.record("no HTTP"); return }
    }

    @Test("a later request of a connection stays HTTP")
    func late() throws {
        let connection = try Connection(nil)
        try connection.send("GET /a HTTP/1.1\r\nHost: nvr\r\n\r\n")
        try connection.send(Self.handshake)
        #expect(connection.heads.heads.map(\.uri) == ["/a", "/ws"])
        #expect(connection.heads.heads.last?.headers["connection"] == ["close"])
    }

    @Test("bytes that are no HTTP go where they are answered")
    func malformed() throws {
        let connection = try Connection(nil)
        // The decoder's own errors come through as well.
        _ = try? connection.send("\u{16}\u{3}\u{1} this is no HTTP\r\n\r\n")
        #expect(connection.heads.errors == 1)
    }

    @Test("nobody keeps a connection without asking, and a shutdown ends those who have not")
    func silence() throws {
        var limits = WebSocketLimits()
        limits.handshakeTimeout = .seconds(5)
        let silent = try Connection(limits: limits, nil)
        try silent.send("GET /x HTTP")
        silent.channel.embeddedEventLoop.advanceTime(by: .seconds(4))
        #expect(!silent.isClosed)
        silent.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(silent.isClosed)
        let undecided = try Connection(limits: limits, nil)
        try undecided.send(Self.handshake)
        undecided.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        undecided.channel.embeddedEventLoop.run()
        #expect(undecided.isClosed)
    }

    // MARK: Open connections

    private static func open(_ change: (inout WebSocketLimits) -> Void = { _ in }) throws -> (Connection, Session) {
        var limits = WebSocketLimits()
        change(&limits)
        let session = Session()
        let connection = try Connection(limits: limits, .accept([:], session))
        try connection.send(Self.handshake)
        _ = try connection.sent()
        return (connection, session)
    }

    /// The code of the close frame that went out.
    private static func code(_ buffer: ByteBuffer) -> UInt16? {
        var buffer = buffer
        while let first = buffer.readInteger(as: UInt8.self), let length = buffer.readInteger(as: UInt8.self) {
            guard var payload = buffer.readSlice(length: Int(length)) else { return nil }
            if first == 0x88 { return payload.readInteger(as: UInt16.self) }
        }
        return nil
    }

    @Test("hostile frames end the connection with the code that says why, and it is closed soon after")
    func hostile() throws {
        let cases: [([UInt8], UInt16)] = [
            ([0x81, 2, 65, 66], 1002),  // Not masked.
            (Self.masked(1, [65], first: 0xC0), 1002),  // A reserved bit.
            (Self.masked(3, [65]), 1002),  // An unknown kind.
            (Self.masked(9, [65], first: 0), 1002),  // A control frame in pieces.
            (Self.masked(9, [UInt8](repeating: 1, count: 126)), 1002),  // A long control frame.
            (Self.masked(0, [65]), 1002),  // Nothing to continue.
            (Self.masked(1, [0xFF]), 1007),
            (Self.masked(8, [0x03, 0xED]), 1002),  // 1005 never travels.
            ([0x82, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4], 1009),  // 4 GiB announced.
            ([0x82, 0xFF, 0xFF, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4], 1009),  // A length that no number holds.
        ]
        for (bytes, code) in cases {
            let (connection, session) = try Self.open()
            try connection.send(bytes)
            #expect(Self.code(try connection.sent()) == code, "\(bytes.prefix(6))")
            // Nothing that follows counts.
            _ = try? connection.send(Self.masked(1, [65]))
            let hasMessage = session.heard.contains { if case .message = $0 { true } else { false } }
            #expect(session.heard.first == .opened && !hasMessage, "\(bytes.prefix(6))")
            connection.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
            #expect(connection.isClosed)
            #expect(session.heard == [.opened, .closed])
        }
    }

    @Test("pings are answered, and a flood of them is not")
    func pings() throws {
        let (connection, _) = try Self.open { $0.burst = 5 }
        try connection.send(Self.masked(9, [1, 2]))
        #expect(try connection.sent() == ByteBuffer(bytes: [0x8A, 2, 1, 2]))
        for _ in 0..<20 { _ = try? connection.send(Self.masked(9, [])) }
        #expect(Self.code(try connection.sent()) == 1008)
    }

    @Test("a client that answers no ping is gone after the third; one that answers stays")
    func halfOpen() throws {
        let (gone, session) = try Self.open()
        gone.channel.embeddedEventLoop.advanceTime(by: .seconds(41))
        #expect(try gone.sent() == ByteBuffer(bytes: [0x89, 0, 0x89, 0]))
        #expect(!gone.isClosed)
        gone.channel.embeddedEventLoop.advanceTime(by: .seconds(20))
        #expect(gone.isClosed && session.heard.last == .closed)
        let (there, _) = try Self.open()
        for _ in 0..<10 {
            there.channel.embeddedEventLoop.advanceTime(by: .seconds(20))
            try there.send(Self.masked(10, []))
        }
        #expect(!there.isClosed)
    }

    @Test("a client's close is answered with its code and ends the connection; ours waits for the answer, but not for long")
    func closing() throws {
        let (theirs, session) = try Self.open()
        try theirs.send(Self.masked(8, [0x03, 0xE9]))
        #expect(Self.code(try theirs.sent()) == 1001)
        #expect(theirs.isClosed && session.heard == [.opened, .closed])

        let (ours, other) = try Self.open()
        ours.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        #expect(Self.code(try ours.sent()) == 1001)
        #expect(!ours.isClosed)
        try ours.send(Self.masked(8, [0x03, 0xE9]))
        #expect(ours.isClosed && other.heard == [.opened, .closed])

        let (stubborn, _) = try Self.open()
        stubborn.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        stubborn.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(stubborn.isClosed)
    }
}
