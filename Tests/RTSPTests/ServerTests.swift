import Logging
import NIOCore
import NIOPosix
import RTSP
import Synchronization
import Testing

/// A content that plays pictures to whoever names the password "secret".
private final class Theatre: RTSPServerContent {
    final class Pass: RTSPPass {}
    final class Stage: Sendable {}

    final class Show: RTSPPlayback {
        let items = Mutex<[RTSPPlaybackItem]>([])
        let hasStopped = Mutex(false)
        let wake: @Sendable () -> Void

        init(_ wake: @escaping @Sendable () -> Void) { self.wake = wake }

        func next() -> RTSPPlaybackItem? { items.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
        func stop() { hasStopped.withLock { $0 = true } }
        func put(_ item: RTSPPlaybackItem) {
            items.withLock { $0.append(item) }
            wake()
        }
    }

    let shows = Mutex<[Show]>([])
    let stage = Stage()
    let admissions = Mutex(0)
    /// Pictures that wait when somebody begins to watch.
    let opening: [RTSPPlaybackItem]

    init(opening: [RTSPPlaybackItem] = []) { self.opening = opening }

    static let format: SDPFormat = {
        var format = SDPFormat(codec: .h264, payloadType: 96, clockRate: 90_000)
        format.parameterSets = ParameterSets(sps: [Packets.sps], pps: [Packets.pps])
        return format
    }()

    static let sound = SDPFormat(codec: .pcma, payloadType: 8, clockRate: 8000, channels: 1)

    static func picture(_ number: Int, length: Int = 3000) -> RTSPPlaybackItem {
        let wall = 1_700_000_000_000_000 + Int64(number) * 66_667
        let unit = Packets.sized([Packets.slice(idr: number % 10 == 0, length: length)])
        let packets = unit.withUnsafeBytes {
            Packetizer(format).packets(of: $0, parameterSets: [], timestamp: RTPClock.ticks(wall: wall, rate: 90_000))
        }
        return .frame(RTSPFrame(track: 0, wall: wall, packets: packets ?? ByteBuffer()))
    }

    func admit(_ visit: RTSPVisit) async throws(RTSPRefusal) -> RTSPProgram {
        admissions.withLock { $0 += 1 }
        switch visit.authorization {
        case .basic(_, "secret"): break
        case .digest(let answer) where answer.isRight(secret: "secret", method: visit.method): break
        case nil where visit.pass is Pass: break
        default: throw .unauthorized
        }
        guard visit.path == ["front door"] else { throw visit.path == ["forbidden"] ? .forbidden : .notFound }
        return RTSPProgram(title: "x", tracks: [Self.format, Self.sound], pass: Pass(), source: stage)
    }

    func play(_ program: RTSPProgram, to address: String, wake: @escaping @Sendable () -> Void) -> any RTSPPlayback {
        let show = Show(wake)
        show.items.withLock { $0 = opening }
        shows.withLock { $0.append(show) }
        return show
    }

    var show: Show? { shows.withLock { $0.last } }
}

/// A client that says what it is told, and hears everything.
private final class Line: Sendable {
    private final class Ear: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let line: Line

        init(_ line: Line) { self.line = line }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Array(unwrapInboundIn(data).readableBytesView)
            line.state.withLock { $0.bytes += bytes }
        }

        func channelInactive(context: ChannelHandlerContext) { line.state.withLock { $0.isClosed = true } }
    }

    private let state = Mutex((bytes: [UInt8](), isClosed: false))
    private let channel = Mutex<(any Channel)?>(nil)

    init(port: Int, loops: any EventLoopGroup) async throws {
        let channel = try await ClientBootstrap(group: loops).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Ear(self)) }
        }.connect(host: "127.0.0.1", port: port).get()
        self.channel.withLock { $0 = channel }
    }

    var bytes: [UInt8] { state.withLock { $0.bytes } }
    var text: String { String(decoding: bytes, as: UTF8.self) }
    var isClosed: Bool { state.withLock { $0.isClosed } }

    func send(_ text: String) { send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) { channel.withLock { $0 }?.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil) }

    /// Sends a request and gives the answer, taken off what was heard.
    func ask(_ method: String, _ url: String = "rtsp://x/front%20door", _ fields: [String] = []) async throws -> String {
        state.withLock { $0.bytes = [] }
        send(([method + " " + url + " RTSP/1.0", "CSeq: 7"] + fields).joined(separator: "\r\n") + "\r\n\r\n")
        try await until { self.text.contains("\r\n\r\n") || self.isClosed }
        return text
    }

    func close() { channel.withLock { $0 }?.close(promise: nil) }
}

/// Waits for something that is on its way; the deadline is for a machine that hangs.
private func until(_ condition: @Sendable () -> Bool) async throws {
    for _ in 0..<3000 {
        if condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("it did not happen")
}

@Suite("The server", .serialized)
struct ServerTests {
    private static let basic = "Authorization: Basic " + Text.base64Encoded("u:secret".utf8)

    private static func configuration(_ change: (inout RTSPServerConfiguration) -> Void = { _ in }) -> RTSPServerConfiguration {
        var configuration = RTSPServerConfiguration(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) { 1_700_000_000_000_000 }
        change(&configuration)
        return configuration
    }

    private func serving(
        _ theatre: Theatre, _ change: (inout RTSPServerConfiguration) -> Void = { _ in }, _ body: (Int, any EventLoopGroup) async throws -> Void
    ) async throws {
        let loops = MultiThreadedEventLoopGroup.singleton
        let server = RTSPServer(theatre, Self.configuration(change), loops: loops)
        let port = try await server.listen(host: "127.0.0.1", port: 0)
        do { try await body(port, loops) } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    @Test("Our own client plays what the server sends, over both transports and both sign-ins", arguments: [RTSPTransport.tcp, .udp])
    func ownClient(_ transport: RTSPTransport) async throws {
        let theatre = Theatre(opening: (0..<20).map { Theatre.picture($0) })
        try await serving(theatre) { port, loops in
            for suffix in ["", "?auth=digest"] {
                let endpoint = try #require(RTSPEndpoint("rtsp://u:secret@127.0.0.1:\(port)/front%20door\(suffix)"))
                let configuration = RTSPClientConfiguration(endpoint: endpoint, transport: transport)
                let collector = Collector()
                let session = RTSPSession(
                    configuration: configuration, eventLoop: loops.next(), pace: ReadPace(),
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
                let task = Task { try await session.run(collector) }
                await collector.has(19)
                theatre.show?.put(Theatre.picture(20))
                await collector.has(20)
                theatre.show?.put(.end)
                _ = await task.result
                #expect(
                    collector.units.prefix(20).map(\.bytes.array) == (0..<20).map { Packets.sized([Packets.slice(idr: $0 % 10 == 0, length: 3000)]) })
                #expect(session.statistics.lost == 0 && session.statistics.malformed == 0)
                #expect(session.statistics.transport == transport)
                try await until { theatre.show?.hasStopped.withLock { $0 } == true }
            }
        }
    }

    @Test("Strangers are asked who they are: for the password, or for a digest where the URL says so")
    func challenges() async throws {
        try await serving(Theatre()) { port, loops in
            let line = try await Line(port: port, loops: loops)
            let plain = try await line.ask("DESCRIBE")
            #expect(plain.hasPrefix("RTSP/1.0 401 Unauthorized\r\nCSeq: 7\r\n"))
            #expect(plain.contains("WWW-Authenticate: Basic realm=\"RTSP\"") && !plain.contains("Digest"))
            let digest = try await line.ask("DESCRIBE", "rtsp://x/front%20door?auth=digest")
            #expect(digest.contains("WWW-Authenticate: Digest realm=\"RTSP\", nonce=\"") && !digest.contains("Basic"))
            #expect(digest.contains("algorithm=SHA-256") && digest.contains("algorithm=MD5"))
            // The strongest is met by our own client.
            let values = digest.split(separator: "\r\n").filter { $0.hasPrefix("WWW-Authenticate: ") }.map { String($0.dropFirst(18)) }
            let challenges = AuthenticationChallenge.parse(values)
            #expect(challenges.map(\.strength) == [2, 1])
            for challenge in challenges {
                var client = Authenticator(RTSPCredentials(username: "u", password: "secret"))
                client.accept(challenge)
                let url = "rtsp://x/front%20door"
                let made = client.authorization(method: "DESCRIBE", url: url)
                let field = try #require(made)
                #expect(try await line.ask("DESCRIBE", url, ["Authorization: \(field)"]).hasPrefix("RTSP/1.0 200"))
                // The same for another method is wrong, and so is an answer to somebody else's nonce.
                #expect(
                    try await line.ask("SETUP", url + "/trackID=0", ["Authorization: \(field)", "Transport: RTP/AVP/TCP"]).hasPrefix("RTSP/1.0 401"))
                var other = challenge
                other.nonce = "0000"
                client.accept(other)
                let wrong = client.authorization(method: "DESCRIBE", url: url)
                let stale = try #require(wrong)
                #expect(try await line.ask("DESCRIBE", url, ["Authorization: \(stale)"]).contains("stale=true"))
            }
            line.close()
        }
    }

    @Test("Too many wrong passwords end a connection")
    func guessing() async throws {
        try await serving(Theatre()) { port, loops in
            let line = try await Line(port: port, loops: loops)
            for _ in 0..<9 { _ = try await line.ask("DESCRIBE", "rtsp://x/front%20door", ["Authorization: Basic eDp5"]) }
            try await until { line.isClosed }
        }
    }

    @Test("Requests that cannot be met hear why")
    func refusals() async throws {
        let theatre = Theatre(opening: [Theatre.picture(0)])
        try await serving(theatre, { $0.mostSessions = 1 }) { port, loops in
            let line = try await Line(port: port, loops: loops)
            let url = "rtsp://x/front%20door"
            func status(_ method: String, _ url: String = url, _ fields: String...) async throws -> String {
                String(try await line.ask(method, url, [Self.basic] + fields).prefix(12).suffix(3))
            }
            #expect(try await status("OPTIONS", "*") == "200")
            #expect(try await status("DESCRIBE", "rtsp://x/unknown") == "404")
            #expect(try await status("DESCRIBE", "rtsp://x/forbidden") == "403")
            #expect(try await status("DESCRIBE", "http://x/") == "400")
            #expect(try await status("DESCRIBE", url, "Accept: text/plain") == "406")
            #expect(try await status("DESCRIBE", url, "Require: x.y") == "551")
            #expect(try await status("SETUP", url) == "461")
            #expect(try await status("SETUP", url, "Transport: RTP/AVP;multicast") == "461")
            #expect(try await status("SETUP", url, "Transport: RTP/SAVP;unicast;client_port=5000-5001") == "461")
            #expect(try await status("SETUP", url, "Transport: RTP/AVP/TCP;interleaved=0-1") == "459")
            #expect(try await status("SETUP", url + "/trackID=7", "Transport: RTP/AVP/TCP;interleaved=0-1") == "404")
            #expect(try await status("PLAY") == "454")
            #expect(try await status("TEARDOWN", url, "Session: 1") == "454")
            #expect(try await status("GET_PARAMETER", url, "Session: 1") == "454")
            #expect(try await status("GET_PARAMETER") == "200")
            #expect(try await status("PAUSE") == "405")
            #expect(try await status("NONSENSE") == "501")
            line.send("DESCRIBE \(url) RTSP/1.0\r\n\r\n")
            try await until { line.text.contains("400") }
            let answer = try await line.ask("SETUP", url + "/trackID=0", ["Transport: RTP/AVP/UDP;unicast;foo,RTP/AVP/TCP;unicast;interleaved=4-5"])
            #expect(answer.contains("interleaved=4-5;ssrc="))
            let session = try #require(answer.split(separator: "\r\n").first { $0.hasPrefix("Session: ") }?.dropFirst(9).prefix(32))
            #expect(try await status("SETUP", url + "/trackID=1", "Transport: RTP/AVP/TCP;interleaved=4-5") == "455")
            let second = try await line.ask("SETUP", url + "/trackID=1", ["Transport: RTP/AVP/TCP;interleaved=4-5", "Session: \(session)"])
            #expect(second.contains("interleaved=0-1;ssrc="))
            // There is room for one session.
            let other = try await Line(port: port, loops: loops)
            #expect(try await other.ask("SETUP", url + "/trackID=0", [Self.basic, "Transport: RTP/AVP/TCP"]).hasPrefix("RTSP/1.0 453"))
            other.close()
            let playing = try await line.ask("PLAY", url, ["Session: \(session)"])
            #expect(playing.hasPrefix("RTSP/1.0 200 OK") && playing.contains("Range: npt=now-") && playing.contains("/trackID=1;seq="))
            #expect(try await line.ask("TEARDOWN", url, ["Session: \(session)"]).contains("200 OK"))
            try await until { theatre.show?.hasStopped.withLock { $0 } == true }
            #expect(try await status("PLAY", url, "Session: \(session)") == "454")
            line.close()
        }
    }

    @Test("Requests may come byte by byte, or many at once; answers come in their order")
    func pieces() async throws {
        try await serving(Theatre()) { port, loops in
            let line = try await Line(port: port, loops: loops)
            let one = "DESCRIBE rtsp://x/front%20door RTSP/1.0\r\nCSeq: %\r\n\(Self.basic)\r\n\r\n"
            func numbered(_ number: Int) -> String { one.split(separator: "CSeq: %").joined(separator: "CSeq: \(number)") }
            for byte in numbered(1).utf8 { line.send([byte]) }
            try await until { line.text.contains("trackID=1") }
            line.send((2...9).map(numbered).joined() + "\r\n\r\n" + numbered(10))
            try await until { line.text.contains("CSeq: 10\r\n") }
            let order = line.text.split(separator: "\r\n").filter { $0.hasPrefix("CSeq: ") }.map { String($0.dropFirst(6)) }
            #expect(order == (1...10).map(String.init))
            line.close()
        }
    }

    @Test(
        "What is no RTSP ends the connection, and nothing else",
        arguments: [
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\u{16}\u{3}\u{1}", String(repeating: "A", count: 40_000),
            "DESCRIBE rtsp://x RTSP/2.0\r\nCSeq: 1\r\n\r\n",
            "DESCRIBE rtsp://x RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 99999999\r\n\r\n", "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n",
            "DESCRIBE rtsp://x RTSP/1.0\r\nCSeq: 1\r\nContent-Length: -5\r\n\r\n",
        ])
    func hostile(_ text: String) async throws {
        try await serving(Theatre()) { port, loops in
            let line = try await Line(port: port, loops: loops)
            line.send(text)
            try await until { line.isClosed }
            let good = try await Line(port: port, loops: loops)
            #expect(try await good.ask("DESCRIBE", "rtsp://x/front%20door", [Self.basic]).hasPrefix("RTSP/1.0 200"))
            good.close()
        }
    }

    @Test("Whoever says nothing is not waited for, and one address gets only so many connections")
    func limits() async throws {
        try await serving(Theatre(), { $0.patience = .milliseconds(200) }) { port, loops in
            let line = try await Line(port: port, loops: loops)
            try await until { line.isClosed }
        }
        try await serving(Theatre(), { $0.mostConnectionsPerAddress = 2 }) { port, loops in
            var lines: [Line] = []
            for _ in 0..<2 {
                let line = try await Line(port: port, loops: loops)
                #expect(try await line.ask("OPTIONS", "*").hasPrefix("RTSP/1.0 200"))
                lines.append(line)
            }
            let third = try await Line(port: port, loops: loops)
            try await until { third.isClosed }
            let first = lines[0]
            first.close()
            try await until { first.isClosed }
            lines[1].close()
        }
    }

    @Test("A client of datagrams that gives no sign of life is let go; reports of whoever lives are that sign")
    func silence() async throws {
        let theatre = Theatre(opening: [Theatre.picture(0)])
        try await serving(
            theatre,
            {
                $0.sessionTimeout = 1
                $0.reportInterval = .milliseconds(20)
            }
        ) { port, loops in
            let line = try await Line(port: port, loops: loops)
            let fields = [Self.basic, "Transport: RTP/AVP;unicast;client_port=9-10"]
            let answer = try await line.ask("SETUP", "rtsp://x/front%20door/trackID=0", fields)
            #expect(answer.contains(";server_port=") && answer.contains("client_port=9-10"))
            let session = try #require(answer.split(separator: "\r\n").first { $0.hasPrefix("Session: ") }?.dropFirst(9).prefix(32))
            _ = try await line.ask("PLAY", "rtsp://x/front%20door", ["Session: \(session)"])
            try await until { line.isClosed }
            try await until { theatre.show?.hasStopped.withLock { $0 } == true }
            // Over the connection itself what is taken is the sign.
            let living = try await Line(port: port, loops: loops)
            let over = try await living.ask("SETUP", "rtsp://x/front%20door/trackID=0", [Self.basic, "Transport: RTP/AVP/TCP"])
            let other = try #require(over.split(separator: "\r\n").first { $0.hasPrefix("Session: ") }?.dropFirst(9).prefix(32))
            _ = try await living.ask("PLAY", "rtsp://x/front%20door", ["Session: \(other)"])
            let begun = ContinuousClock.now
            try await until { living.bytes.count > 80 * 50 && ContinuousClock.now - begun > .milliseconds(1500) }
            #expect(!living.isClosed)
            living.close()
        }
    }

    @Test("A program that ends says so on the way of its media")
    func ending() async throws {
        let theatre = Theatre(opening: [Theatre.picture(0)])
        try await serving(theatre) { port, loops in
            let line = try await Line(port: port, loops: loops)
            let answer = try await line.ask("SETUP", "rtsp://x/front%20door/trackID=0", [Self.basic, "Transport: RTP/AVP/TCP;interleaved=0-1"])
            let session = try #require(answer.split(separator: "\r\n").first { $0.hasPrefix("Session: ") }?.dropFirst(9).prefix(32))
            _ = try await line.ask("PLAY", "rtsp://x/front%20door", ["Session: \(session)"])
            theatre.show?.put(.end)
            try await until { line.isClosed }
            // RTCP on channel 1: a report of nothing, the name, and the farewell.
            #expect(line.bytes.suffix(8).prefix(4) == [0x81, 203, 0, 1])
        }
    }

    @Test("Requests are cut however they come; what is too much or no request is refused")
    func framer() throws {
        var framer = RTSPRequestFramer()
        var bytes = ByteBuffer(
            bytes: Packets.interleaved(1, [1, 2, 3]) + Array("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 3\r\n\r\nabc$".utf8))
        try framer.append(&bytes)
        #expect(try framer.next() == .frame(channel: 1, ByteBuffer(bytes: [1, 2, 3])))
        guard case .request(let request)? = try framer.next() else { return #expect(Bool(false)) }
        #expect(request.method == "OPTIONS" && request.headers["cseq"] == "1")
        #expect(try framer.next() == nil)
        var flood = ByteBuffer(repeating: 0x41, count: 200_000)
        #expect(throws: RTSPRequestFramer.Failure.tooLarge) { try framer.append(&flood) }
    }

    @Test(
        "Wishes for a transport are read as they are meant",
        arguments: [
            ("RTP/AVP/TCP;unicast;interleaved=0-1", RTSPTransportWish.Way.interleaved(rtp: 0, rtcp: 1)),
            ("RTP/AVP/TCP;unicast", .interleavedAnywhere), ("RTP/AVP;unicast;client_port=5000-5001", .udp(rtp: 5000, rtcp: 5001)),
            ("RTP/AVP;multicast, rtp/avp/udp;unicast;client_port=6000", .udp(rtp: 6000, rtcp: 6001)), ("RTP/AVP;unicast;client_port=0-1", nil),
            ("RTP/AVP;unicast;client_port=70000-70001", nil), ("RTP/AVP/TCP;interleaved=255", nil), ("RTP/AVP/TCP;interleaved=3-3", nil), ("", nil),
            ("RTP/AVP;unicast;client_port=5000-5001;mode=record", nil),
            ("RTP/AVP;unicast;client_port=5000-5001;mode=\"PLAY\"", .udp(rtp: 5000, rtcp: 5001)),
        ] as [(String, RTSPTransportWish.Way?)])
    func wishes(_ text: String, _ way: RTSPTransportWish.Way?) {
        #expect(RTSPTransportWish(text, allowsUDP: true)?.way == way)
        if case .udp = way { #expect(RTSPTransportWish(text, allowsUDP: false) == nil) }
    }
}
