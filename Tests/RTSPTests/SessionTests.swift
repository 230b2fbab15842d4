import NIOCore
import NIOPosix
import RTSP
import Synchronization
import Testing

@Suite("Sessions against a scripted camera")
struct SessionTests {
    /// `count` pictures of one packet each.
    private static func pictures(_ count: Int, channel: UInt8 = 0, from first: Int = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        for index in first..<(first + count) {
            let slice = Packets.slice(idr: index == 0)
            bytes += Packets.interleaved(channel, Packets.rtp(slice, sequence: UInt16(index + 100), timestamp: UInt32(index * 6000), marker: true))
        }
        return bytes
    }

    private static let bye: [UInt8] = Packets.interleaved(1, [0x81, 203, 0, 1, 0x11, 0x22, 0x33, 0x44])

    /// Answers PLAY, sends the bytes and hangs up.
    private static func playing(_ bytes: [UInt8], before: [UInt8] = []) -> ScriptedServer.Script {
        { request, connection in
            guard request.method == "PLAY" else { return false }
            if !before.isEmpty { connection.send(before) }
            connection.answer(request)
            connection.send(bytes)
            connection.close()
            return true
        }
    }

    @Test("A session goes through all its requests and delivers every picture, the last one included")
    func plain() async throws {
        let server = try await ScriptedServer(Self.playing(Self.pictures(20)))
        let collector = Collector()
        let (error, session) = await runSession(server.url(), collector)
        #expect(error as? RTSPError == .closed("the server closed the connection"))
        #expect(server.methods == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
        #expect(server.requests.map(\.url) == [server.url(), server.url(), server.url("/live/track1"), server.url("/live/")])
        #expect(server.requests[2].headers["transport"] == "RTP/AVP/TCP;unicast;interleaved=0-1")
        #expect(server.requests[3].headers["session"] == "4711")
        #expect(collector.tracks.map(\.codec) == [.h264])
        #expect(collector.tracks.first?.parameterSets == ParameterSets(sps: [Packets.sps], pps: [Packets.pps]))
        #expect(collector.units.map(\.rtpTimestamp) == (0..<20).map { UInt32($0 * 6000) })
        #expect(collector.units.map(\.isKeyframe) == [true] + [Bool](repeating: false, count: 19))
        #expect(session.statistics.packets == 20)
        #expect(session.statistics.accessUnits == 20)
        #expect(session.statistics.transport == .tcp)
        await server.idle()
        await server.stop()
    }

    @Test("A live session delivers the same", arguments: [true, false])
    func live(_ isLive: Bool) async throws {
        let server = try await ScriptedServer { request, connection in
            guard request.method == "PLAY" else { return false }
            connection.answer(request)
            connection.send(Self.pictures(30))
            return true
        }
        let pace = ReadPace()
        pace.isLive = isLive
        let collector = Collector()
        let session = makeSession(server.url(), pace: pace)
        let task = Task { try await session.run(collector) }
        await collector.has(20)
        pace.isLive.toggle()
        await collector.has(29)
        task.cancel()
        _ = await task.result
        #expect(collector.units.count >= 29)
        await server.idle()
        await server.stop()
    }

    // MARK: sign-in

    /// Lets in who answers the challenge at the named method with the digest of "u", "p".
    private static func guarded(_ method: String, challenge: String, check: @escaping @Sendable (String, ScriptedServer.Request) -> Bool)
        -> ScriptedServer.Script
    {
        { request, connection in
            guard request.method == method else { return playing(pictures(3))(request, connection) }
            if let value = request.headers["authorization"], check(value, request) { return playing(pictures(3))(request, connection) }
            connection.answer(request, "401 Unauthorized", ["WWW-Authenticate: \(challenge)"])
            return true
        }
    }

    private static func isDigest(_ value: String, _ request: ScriptedServer.Request, nonce: String = "n") -> Bool {
        let md5 = AuthenticationChallenge.Algorithm.md5
        let response = md5.hash("\(md5.hash("u:r:p")):\(nonce):\(md5.hash("\(request.method):\(request.url)"))")
        return value.contains("response=\"\(response)\"")
    }

    @Test("A challenge is met wherever it comes", arguments: ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
    func digest(_ method: String) async throws {
        let server = try await ScriptedServer(Self.guarded(method, challenge: #"Digest realm="r", nonce="n""#) { Self.isDigest($0, $1) })
        let collector = Collector()
        let (error, _) = await runSession(server.url(userInfo: "u:p@"), collector)
        #expect(error as? RTSPError == .closed("the server closed the connection"))
        #expect(collector.units.count == 3)
        #expect(server.methods.count { $0 == method } == 2)
        #expect(!server.requests.contains { $0.url.contains("@") })
        await server.stop()
    }

    @Test("Basic works too")
    func basic() async throws {
        let server = try await ScriptedServer(Self.guarded("DESCRIBE", challenge: "Basic realm=\"r\"") { value, _ in value == "Basic dTpw" })
        let collector = Collector()
        await runSession(server.url(userInfo: "u:p@"), collector)
        #expect(collector.units.count == 3)
        await server.stop()
    }

    @Test("Wrong credentials are tried exactly once")
    func wrong() async throws {
        let server = try await ScriptedServer(Self.guarded("DESCRIBE", challenge: #"Digest realm="r", nonce="n""#) { _, _ in false })
        let (error, _) = await runSession(server.url(userInfo: "u:p@"))
        #expect(error as? RTSPError == .unauthorized)
        #expect(server.requests.count { $0.headers["authorization"] != nil } == 1)
        let (none, _) = await runSession(server.url())
        #expect(none as? RTSPError == .unauthorized)
        #expect(server.requests.count { $0.headers["authorization"] != nil } == 1)
        await server.stop()
    }

    @Test("A fresh nonce is taken without counting as another attempt, but not for ever")
    func stale() async throws {
        let server = try await ScriptedServer { request, connection in
            switch request.method {
            case "DESCRIBE" where request.headers["authorization"] == nil:
                connection.answer(request, "401 Unauthorized", [#"WWW-Authenticate: Digest realm="r", nonce="n""#])
            case "PLAY" where !Self.isDigest(request.headers["authorization"] ?? "", request, nonce: "fresh"):
                connection.answer(request, "401 Unauthorized", [#"WWW-Authenticate: Digest realm="r", nonce="fresh", stale=true"#])
            default: return Self.playing(Self.pictures(3))(request, connection)
            }
            return true
        }
        let collector = Collector()
        await runSession(server.url(userInfo: "u:p@"), collector)
        #expect(collector.units.count == 3)
        await server.stop()
        let liar = try await ScriptedServer { request, connection in
            guard request.method == "DESCRIBE" else { return false }
            connection.answer(request, "401 Unauthorized", [#"WWW-Authenticate: Digest realm="r", nonce="\#(request.earlier)", stale=true"#])
            return true
        }
        let (error, _) = await runSession(liar.url(userInfo: "u:p@"))
        #expect(error as? RTSPError == .unauthorized)
        #expect(liar.methods.count { $0 == "DESCRIBE" } <= 3)
        await liar.stop()
    }

    // MARK: refusals

    @Test(
        "Refusals keep their status",
        arguments: [
            ("DESCRIBE", "404 Not Found", RTSPError.status(404, "Not Found")), ("PLAY", "454 Session Not Found", .status(454, "Session Not Found")),
            ("SETUP", "503 Service Unavailable", .status(503, "Service Unavailable")), ("DESCRIBE", "403 Forbidden", .forbidden),
            ("SETUP", "461 Unsupported transport", .status(461, "Unsupported transport")),
        ])
    func statuses(_ method: String, _ status: String, _ expected: RTSPError) async throws {
        let server = try await ScriptedServer { request, connection in
            guard request.method == method else { return false }
            connection.answer(request, status)
            return true
        }
        let (error, _) = await runSession(server.url())
        #expect(error as? RTSPError == expected)
        await server.idle()
        await server.stop()
    }

    @Test("OPTIONS that fails is no reason to leave", arguments: ["404 Not Found", "501 Not Implemented", "403 Forbidden", "454 Session Not Found"])
    func optionsFails(_ status: String) async throws {
        let server = try await ScriptedServer { request, connection in
            guard request.method == "OPTIONS" else { return Self.playing(Self.pictures(2))(request, connection) }
            connection.answer(request, status)
            return true
        }
        let collector = Collector()
        await runSession(server.url(), collector)
        #expect(collector.units.count == 2)
        await server.stop()
    }

    @Test("A camera without video that we can play says what it has")
    func audioOnly() async throws {
        let server = try await ScriptedServer(sdp: "v=0\r\n" + ScriptedServer.audio + "m=video 0 RTP/AVP 97\r\na=rtpmap:97 VP8/90000\r\n")
        let (error, _) = await runSession(server.url())
        #expect(error as? RTSPError == .noVideo("audio, video VP8/90000"))
        #expect(server.methods == ["OPTIONS", "DESCRIBE"])
        await server.stop()
    }

    @Test("Garbage instead of RTSP ends the session", arguments: ["HTTP/1.1 400 Bad Request\r\n\r\n", "\u{0}\u{1}\u{2}", "220 ftp ready\r\n"])
    func garbage(_ text: String) async throws {
        let server = try await ScriptedServer { _, connection in
            connection.send(text)
            return true
        }
        let (error, _) = await runSession(server.url())
        #expect(error as? RTSPError == .malformed("the server does not speak RTSP"))
        await server.idle()
        await server.stop()
    }

    @Test("A description that is none is malformed")
    func badDescription() async throws {
        let server = try await ScriptedServer(sdp: "<html>")
        let (error, _) = await runSession(server.url())
        #expect(error as? RTSPError == .malformed("the description has no media"))
        await server.stop()
    }

    // MARK: silence

    @Test("Silence ends a session in every phase", arguments: ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
    func silent(_ method: String) async throws {
        let server = try await ScriptedServer { request, _ in request.method == method }
        let (error, _) = await runSession(server.url()) {
            $0.responseTimeout = .milliseconds(100)
            $0.closeTimeout = .milliseconds(100)
        }
        #expect(error as? RTSPError == .timeout(method))
        await server.idle()
        await server.stop()
    }

    @Test("No picture, or no picture any more, ends a session even while audio comes")
    func stalled() async throws {
        let mute = try await ScriptedServer()
        let (first, _) = await runSession(mute.url()) { $0.firstPacketTimeout = .milliseconds(100) }
        #expect(first as? RTSPError == .timeout("first packet"))
        #expect(mute.methods.last == "TEARDOWN")
        await mute.stop()
        let stuck = try await ScriptedServer(sdp: ScriptedServer.video + ScriptedServer.audio) { request, connection in
            guard request.method == "PLAY" else { return false }
            connection.answer(request)
            connection.send(Self.pictures(3))
            @Sendable func sound(_ number: UInt16) {
                connection.send(Packets.interleaved(2, Packets.rtp([1, 2], sequence: number, timestamp: UInt32(number) * 160, type: 0, ssrc: 9)))
                if connection.channel.isActive { connection.channel.eventLoop.scheduleTask(in: .milliseconds(20)) { sound(number &+ 1) } }
            }
            sound(0)
            return true
        }
        let collector = Collector()
        let (second, _) = await runSession(stuck.url(), collector) { $0.idleTimeout = .milliseconds(200) }
        #expect(second as? RTSPError == .timeout("media"))
        #expect(collector.units.contains { $0.track == 1 })
        await stuck.idle()
        await stuck.stop()
    }

    // MARK: the way there

    @Test("Redirects are followed, with credentials to the same host only, and not for ever")
    func redirects() async throws {
        let target = try await ScriptedServer(Self.guarded("DESCRIBE", challenge: #"Digest realm="r", nonce="n""#) { Self.isDigest($0, $1) })
        let location = target.url("/there")
        let first = try await ScriptedServer { request, connection in
            guard request.method == "DESCRIBE" else { return false }
            connection.answer(request, "302 Moved Temporarily", ["Location: \(location)"])
            return true
        }
        let collector = Collector()
        await runSession(first.url(userInfo: "u:p@"), collector)
        #expect(collector.units.count == 3)
        #expect(target.requests.last { $0.method == "DESCRIBE" }?.url == location)
        await first.idle()
        await first.stop()
        await target.stop()
        let circle = try await ScriptedServer { request, connection in
            guard request.method == "DESCRIBE" else { return false }
            connection.answer(request, "301 Moved", ["Location: \(request.url)x"])
            return true
        }
        let (error, _) = await runSession(circle.url())
        #expect(error as? RTSPError == .malformed("too many redirects"))
        #expect(circle.connections == 4)
        await circle.idle()
        await circle.stop()
    }

    @Test("Refused ports, names that do not resolve and forbidden addresses are told apart")
    func unreachable() async throws {
        let server = try await ScriptedServer()
        let port = server.port
        let (refusedAddress, _) = await runSession(server.url()) {
            $0.addressCheck = { address in
                #expect(address.port == port)
                throw RTSPError.forbidden
            }
        }
        #expect(refusedAddress as? RTSPError == .addressRefused("127.0.0.1"))
        #expect(server.connections == 0)
        await server.stop()
        let (refused, _) = await runSession("rtsp://127.0.0.1:\(port)/")
        #expect(refused as? RTSPError == .refused)
        let (unknown, _) = await runSession("rtsp://no-such-host.invalid/")
        guard case .unreachable? = unknown as? RTSPError else {
            Issue.record("\(unknown)")
            return
        }
    }

    @Test("Encryption with a server that has none is a TLS error")
    func tls() async throws {
        let server = try await ScriptedServer()
        let plain = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.writeAndFlush(ByteBuffer(string: "RTSP/1.0 200 OK\r\n\r\n"), promise: nil)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let (error, _) = await runSession("rtsps://127.0.0.1:\(plain.localAddress?.port ?? 0)/")
        guard case .tls? = error as? RTSPError else {
            Issue.record("\(error)")
            return
        }
        try await plain.close()
        await server.stop()
    }

    // MARK: cancellation

    @Test("Cancelling tears the session down and closes the connection")
    func cancel() async throws {
        let server = try await ScriptedServer { request, connection in
            guard request.method == "PLAY" else { return false }
            connection.answer(request)
            connection.send(Self.pictures(12))
            return true
        }
        let collector = Collector()
        let session = makeSession(server.url())
        let task = Task { try await session.run(collector) }
        await collector.has(2)
        task.cancel()
        let result = await task.result
        #expect(throws: CancellationError.self) { try result.get() }
        #expect(server.methods.last == "TEARDOWN")
        await server.idle()
        await server.stop()
    }

    @Test("Cancelling works in every phase, and when TEARDOWN is not answered", arguments: ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"])
    func cancelEarly(_ method: String) async throws {
        let server = try await ScriptedServer { request, _ in request.method == method }
        let session = makeSession(server.url()) { $0.closeTimeout = .milliseconds(100) }
        let task = Task { try await session.run(Collector()) }
        await server.received(method == "TEARDOWN" ? "PLAY" : method)
        task.cancel()
        let result = await task.result
        #expect(throws: CancellationError.self) { try result.get() }
        await server.idle()
        await server.stop()
    }

    // MARK: sloppy cameras

    @Test("Media before the answer to PLAY, foreign channel numbers and requests of the server are all taken")
    func mixture() async throws {
        let asked = Array("OPTIONS rtsp://client RTSP/1.0\r\nCSeq: 77\r\n\r\nANNOUNCE rtsp://client RTSP/1.0\r\nCSeq: 78\r\n\r\n".utf8)
        let server = try await ScriptedServer { request, connection in
            switch request.method {
            case "SETUP": connection.answer(request, "200 OK", ["Transport: RTP/AVP/TCP;unicast;interleaved=10-11", "Session: x"])
            case "PLAY":
                connection.send(Self.pictures(3, channel: 10))
                connection.answer(request)
                connection.send(Self.pictures(1, channel: 10, from: 3) + asked + [0xff, 0xfe] + Packets.interleaved(99, [1, 2]))
                connection.send(Self.pictures(2, channel: 10, from: 4) + Packets.interleaved(11, Array(Self.bye.dropFirst(4))))
            default: return false
            }
            return true
        }
        let collector = Collector()
        let (_, session) = await runSession(server.url(), collector)
        #expect(collector.units.map(\.rtpTimestamp) == (0..<6).map { UInt32($0 * 6000) })
        #expect(session.statistics.malformed == 1)
        await server.stop()
    }

    @Test("Answers without CSeq, with LF only and without a session are good enough")
    func sloppyAnswers() async throws {
        let server = try await ScriptedServer { request, connection in
            switch request.method {
            case "OPTIONS": connection.send("RTSP/1.0 200\n\n")
            case "DESCRIBE":
                let body = "m=video 0 RTP/AVP 35\na=rtpmap:96 H264\n"
                connection.send("RTSP/1.0 100 Trying\n\nRTSP/1.0 200 OK\ncontent-length: \(body.utf8.count)\n\n\(body)")
            case "SETUP": connection.send("RTSP/1.0 200 OK\nCSeq: 999\n\n")
            default:
                connection.send("RTSP/1.0 200 OK\n\n")
                connection.send(Self.pictures(2))
                connection.close()
            }
            return true
        }
        let collector = Collector()
        await runSession(server.url(), collector)
        #expect(collector.units.count == 2)
        #expect(server.requests.map(\.url) == [String](repeating: server.url(), count: 4))
        await server.stop()
    }

    @Test(
        "Control URLs are resolved against what the server says",
        arguments: [
            (["Content-Base: rtsp://192.168.0.9/base"], "trackID=1", "rtsp://192.168.0.9/base/trackID=1"),
            (["Content-Location: rtsp://cam/loc/"], "trackID=1", "rtsp://cam/loc/trackID=1"),
            (["Content-Base: nonsense"], "trackID=1", "/live/trackID=1"),
            ([], "rtsp://u:p@10.9.9.9/abs", "rtsp://10.9.9.9/abs"), ([], "*", "/live"),
        ] as [([String], String, String)])
    func controls(_ headers: [String], _ control: String, _ expected: String) async throws {
        let server = try await ScriptedServer { request, connection in
            guard request.method == "DESCRIBE" else { return Self.playing(Self.pictures(2))(request, connection) }
            connection.answer(request, "200 OK", headers, body: "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:\(control)\r\n")
            return true
        }
        let collector = Collector()
        await runSession(server.url(), collector)
        #expect(collector.units.count == 2)
        #expect(server.requests[2].url == (expected.hasPrefix("/") ? server.url(expected) : expected))
        await server.stop()
    }

    @Test("Audio is set up when wanted, and a refusal of it is no reason to leave")
    func audio() async throws {
        let sdp = ScriptedServer.video + ScriptedServer.audio + "m=application 0 RTP/AVP 98\r\na=control:track3\r\n"
        let sound = Packets.interleaved(2, Packets.rtp([1, 2, 3], sequence: 1, timestamp: 5, type: 0, ssrc: 9))
        let server = try await ScriptedServer(sdp: sdp, Self.playing(sound + Self.pictures(2)))
        let collector = Collector()
        await runSession(server.url(), collector)
        #expect(collector.tracks.map(\.codec) == [.h264, .pcmu])
        #expect(collector.units.filter { $0.track == 1 }.map(\.bytes.array) == [[1, 2, 3]])
        #expect(server.methods.count { $0 == "SETUP" } == 2)
        let deaf = Collector()
        await runSession(server.url(), deaf) { $0.wantAudio = false }
        #expect(deaf.tracks.map(\.codec) == [.h264])
        #expect(server.methods.count { $0 == "SETUP" } == 3)
        await server.stop()
        let refusing = try await ScriptedServer(sdp: sdp) { request, connection in
            guard request.url.hasSuffix("track2") else { return Self.playing(Self.pictures(2))(request, connection) }
            connection.answer(request, "400 Bad Request")
            return true
        }
        let muted = Collector()
        await runSession(refusing.url(), muted)
        #expect(muted.tracks.map(\.codec) == [.h264])
        #expect(muted.units.count == 2)
        await refusing.stop()
    }

    @Test("Tracks that were given the same channel are told apart by payload type")
    func sharedChannel() async throws {
        let sound = Packets.interleaved(0, Packets.rtp([1, 2, 3], sequence: 1, timestamp: 5, type: 0, ssrc: 9))
        let server = try await ScriptedServer(sdp: ScriptedServer.video + ScriptedServer.audio) { request, connection in
            guard request.method == "SETUP" else { return Self.playing(sound + Self.pictures(2) + sound)(request, connection) }
            connection.answer(request, "200 OK", ["Transport: RTP/AVP/TCP;interleaved=0-1", "Session: 1"])
            return true
        }
        let collector = Collector()
        await runSession(server.url(), collector)
        #expect(collector.units.count { $0.track == 0 } == 2)
        #expect(collector.units.contains { $0.track == 1 })
        await server.stop()
    }

    @Test("Another source on a channel begins anew, one of another kind is left alone")
    func otherSource() async throws {
        func picture(_ number: Int, _ ssrc: UInt32, type: UInt8 = 96) -> [UInt8] {
            Packets.interleaved(
                0, Packets.rtp(Packets.slice(), sequence: UInt16(number), timestamp: UInt32(number), marker: true, type: type, ssrc: ssrc))
        }
        let server = try await ScriptedServer(
            Self.playing(picture(1, 5) + picture(9000, 77, type: 110) + picture(2, 5) + picture(500, 6) + picture(501, 6)))
        let collector = Collector()
        let (_, session) = await runSession(server.url(), collector)
        #expect(collector.units.map(\.rtpTimestamp).contains(501))
        #expect(collector.units.map(\.rtpTimestamp).contains(1))
        #expect(session.statistics.lost == 0)
        #expect(session.statistics.malformed == 1)
        await server.stop()
    }

    @Test("Sender reports are passed on, and a farewell ends the session")
    func reports() async throws {
        let report: [UInt8] = [0x80, 200, 0, 6, 0x11, 0x22, 0x33, 0x44, 0xe0, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 2]
        let server = try await ScriptedServer { request, connection in
            guard request.method == "PLAY" else { return false }
            connection.answer(request)
            connection.send(Self.pictures(2) + Packets.interleaved(1, report) + Self.bye)
            return true
        }
        let collector = Collector()
        let (error, session) = await runSession(server.url(), collector)
        #expect(error as? RTSPError == .closed("the server ended the stream"))
        #expect(collector.reports.map(\.ntpMicroseconds) == [1_549_107_585_500_000])
        #expect(collector.reports.map(\.rtpTimestamp) == [256])
        #expect(collector.units.count == 2)
        #expect(session.statistics.reports == 2)
        #expect(server.methods.last == "TEARDOWN")
        await server.idle()
        await server.stop()
    }

    @Test("The session is kept alive the way the camera offers, and reports are sent", arguments: [true, false])
    func keepAlive(_ offersParameters: Bool) async throws {
        let server = try await ScriptedServer { request, connection in
            switch request.method {
            case "OPTIONS" where request.earlier == 0 && !offersParameters: connection.answer(request, "200 OK", ["Public: OPTIONS, PLAY"])
            case "OPTIONS" where request.earlier == 1, "GET_PARAMETER":
                connection.answer(request)
                connection.close()
            case "SETUP":
                connection.answer(request, "200 OK", ["Transport: \(request.headers["transport"] ?? "")", "Session: 1;timeout=1"])
            case "PLAY":
                connection.answer(request)
                connection.send(Self.pictures(1))
            default: return false
            }
            return true
        }
        await runSession(server.url())
        #expect(server.methods.last == (offersParameters ? "GET_PARAMETER" : "OPTIONS"))
        #expect(server.requests.last?.headers["session"] == "1")
        #expect(server.clientFrames >= 1)
        await server.stop()
    }

    // MARK: datagrams

    /// A camera that sends datagrams to the ports asked for, in the order given, until the session ends.
    private static func datagrams(_ packets: [[UInt8]], names: Bool = true) -> ScriptedServer.Script {
        let target = Mutex<Int>(0)
        return { request, connection in
            switch request.method {
            case "SETUP":
                let transport = request.headers["transport"] ?? ""
                let port = transport.split(separator: "=").last.flatMap { $0.split(separator: "-").first }.flatMap { Int($0) } ?? 0
                target.withLock { $0 = port }
                let ports = names ? ";server_port=9-10" : ""
                connection.answer(request, "200 OK", ["Transport: \(transport)\(ports)", "Session: 1"])
            case "PLAY":
                connection.answer(request)
                let port = target.withLock { $0 }
                DatagramBootstrap(group: connection.channel.eventLoop).bind(host: "127.0.0.1", port: 0).whenSuccess { socket in
                    guard let address = try? SocketAddress(ipAddress: "127.0.0.1", port: port) else { return }
                    for packet in packets {
                        socket.write(AddressedEnvelope(remoteAddress: address, data: ByteBuffer(bytes: packet)), promise: nil)
                    }
                    socket.flush()
                    connection.channel.closeFuture.whenComplete { _ in socket.close(promise: nil) }
                }
            default: return false
            }
            return true
        }
    }

    private static func packet(_ index: Int) -> [UInt8] {
        Packets.rtp(
            Packets.slice(idr: index == 0), sequence: UInt16(truncatingIfNeeded: 65530 + index), timestamp: UInt32(index * 6000), marker: true)
    }

    @Test("Datagrams are put in order, doubles dropped, losses counted", arguments: [true, false])
    func udp(_ isLive: Bool) async throws {
        let order = [0, 1, 3, 2, 4, 4, 6, 7, 8, 5, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20]
        let server = try await ScriptedServer(Self.datagrams(order.map(Self.packet), names: isLive))
        let collector = Collector()
        let pace = ReadPace()
        pace.isLive = isLive
        let session = makeSession(server.url(), transport: .udp, pace: pace)
        let task = Task { try await session.run(collector) }
        await collector.has(19)
        task.cancel()
        _ = await task.result
        let expected = (0..<20).filter { $0 != 11 }.map { UInt32($0 * 6000) }
        let stamps = Array(collector.units.map(\.rtpTimestamp).prefix(19))
        #expect(stamps == expected)
        #expect(session.statistics.lost == 1)
        #expect(session.statistics.late == 1)
        #expect(session.statistics.reordered >= 4)
        #expect(session.statistics.transport == .udp)
        #expect(server.requests[2].headers["transport"]?.hasPrefix("RTP/AVP;unicast;client_port=") == true)
        await server.idle()
        await server.stop()
    }

    @Test("A server that refuses datagrams is asked for the connection instead, once")
    func fallBack() async throws {
        let server = try await ScriptedServer { request, connection in
            guard request.method == "SETUP", request.headers["transport"]?.contains("client_port") == true else {
                return Self.playing(Self.pictures(3))(request, connection)
            }
            connection.answer(request, "461 Unsupported Transport")
            return true
        }
        let collector = Collector()
        let (_, session) = await runSession(server.url(), collector, transport: .udp)
        #expect(collector.units.count == 3)
        #expect(session.statistics.fellBackToTCP)
        #expect(session.statistics.transport == .tcp)
        #expect(server.connections == 1)
        await server.stop()
    }

    @Test("Hundred sessions one after the other leave no descriptor open", arguments: [RTSPTransport.tcp, .udp])
    func descriptors(_ transport: RTSPTransport) async throws {
        let server = try await ScriptedServer { request, connection in
            switch request.earlier % 3 {
            case 0 where request.method == "PLAY":
                connection.answer(request, "454 Session Not Found")
            case 1 where request.method == "SETUP":
                connection.close()
            default: return request.method == "SETUP" ? Self.datagrams([])(request, connection) : Self.playing([])(request, connection)
            }
            return true
        }
        await runSession(server.url(), transport: transport)
        await server.idle()
        let before = Descriptors.open()
        for _ in 0..<100 { await runSession(server.url(), transport: transport) }
        await server.idle()
        // Other tests run beside this one and have a few of their own.
        #expect(Descriptors.open() - before < 60)
        await server.stop()
    }
}
