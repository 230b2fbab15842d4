import RTSP
import Testing

@Suite("Messages")
struct MessageTests {
    private func parse(_ text: String) -> RTSPMessage? {
        Array(text.utf8).withUnsafeBytes { RTSPMessageParser.parse(head: ByteView($0)) }
    }

    @Test("Answers parse with CRLF, LF, odd case, folded lines and without a reason")
    func sloppyAnswers() throws {
        for end in ["\r\n", "\n"] {
            let text = ["RTSP/1.0 200 OK", "cseq:  7 ", "SESSION: abc;timeout=30", "X-Long: a", "  b", "nonsense", "", ""].joined(separator: end)
            guard case .response(let response)? = parse(text) else {
                Issue.record("no response")
                return
            }
            #expect(response.status == 200)
            #expect(response.cseq == 7)
            #expect(response.headers["Session"] == "abc;timeout=30")
            #expect(response.headers["x-long"] == "a b")
        }
        guard case .response(let bare)? = parse("rtsp/1.0 454\r\n\r\n") else {
            Issue.record("no response")
            return
        }
        #expect(bare.status == 454)
        #expect(bare.reason.isEmpty)
        #expect(bare.cseq == nil)
    }

    @Test(
        "Requests of the server are recognised, everything else is not",
        arguments: ["HTTP/1.1 200 OK\r\n\r\n", "RTSP/1.0 abc\r\n\r\n", "\r\n", "hello\r\n\r\n", "RTSP/1.0 99 x\r\n\r\n"])
    func notMessages(_ text: String) {
        #expect(parse(text) == nil)
        guard case .request(let request)? = parse("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n") else {
            Issue.record("no request")
            return
        }
        #expect(request.method == "OPTIONS")
    }

    @Test("Line breaks cannot be smuggled into a request")
    func encodes() {
        var headers = RTSPHeaders()
        headers.add("CSeq", "1")
        headers.add("Session", "a\r\nEvil: yes")
        let text = String(decoding: RTSPRequest(method: "PLAY", url: "rtsp://h/\r\nX", headers: headers).encoded(), as: UTF8.self)
        #expect(text == "PLAY rtsp://h/X RTSP/1.0\r\nCSeq: 1\r\nSession: aEvil: yes\r\n\r\n")
    }

    @Test("Session fields give id and time-out")
    func sessions() {
        #expect(RTSPSessionHeader("12ab;timeout=30")?.timeout == 30)
        #expect(RTSPSessionHeader(" 12ab ; Timeout = 30 ")?.id == "12ab")
        #expect(RTSPSessionHeader("12ab")?.timeout == 60)
        #expect(RTSPSessionHeader("12ab;timeout=0")?.timeout == 60)
        #expect(RTSPSessionHeader("12ab;timeout=99999999999999999999")?.timeout == 60)
        #expect(RTSPSessionHeader("12ab;timeout=1")?.timeout == 4)
        #expect(RTSPSessionHeader("") == nil)
        #expect(RTSPSessionHeader(nil) == nil)
    }

    @Test("Transport fields give channels, ports and source")
    func transports() throws {
        let tcp = try #require(RTSPTransportHeader("RTP/AVP/TCP;unicast;interleaved=4-5;ssrc=1234"))
        #expect(tcp.isTCP)
        #expect(tcp.channels?.rtp == 4 && tcp.channels?.rtcp == 5)
        #expect(RTSPTransportHeader("RTP/AVP/TCP;interleaved=6")?.channels?.rtcp == 7)
        #expect(RTSPTransportHeader("RTP/AVP/TCP;interleaved=300-301")?.channels == nil)
        #expect(RTSPTransportHeader("RTP/AVP/TCP;interleaved=255")?.channels?.rtcp == 0)
        let udp = try #require(RTSPTransportHeader("RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;source=10.0.0.1"))
        #expect(!udp.isTCP)
        #expect(udp.serverPorts?.rtp == 6000 && udp.serverPorts?.rtcp == 6001)
        #expect(udp.source == "10.0.0.1")
        #expect(RTSPTransportHeader("RTP/AVP;server_port=0-0")?.serverPorts == nil)
        #expect(RTSPTransportHeader(nil) == nil)
    }

    @Test(
        "Control URLs resolve as cameras mean them",
        arguments: [
            (nil, "rtsp://h/a", "rtsp://h/a"), ("*", "rtsp://h/a/", "rtsp://h/a/"), ("", "rtsp://h/a", "rtsp://h/a"),
            ("trackID=1", "rtsp://h/a/", "rtsp://h/a/trackID=1"), ("trackID=1", "rtsp://h/a", "rtsp://h/a/trackID=1"),
            ("trackID=1", "rtsp://h/a?b=1", "rtsp://h/a?b=1/trackID=1"), ("?ctype=video", "rtsp://h/a", "rtsp://h/a?ctype=video"),
            ("/trackID=1", "rtsp://h/a/", "rtsp://h/a/trackID=1"), ("/a/trackID=1", "rtsp://h/a", "rtsp://h/a/trackID=1"),
            ("rtsp://other:99/x", "rtsp://h/a", "rtsp://other:99/x"), ("RTSP://u:p@other/x", "rtsp://h/a", "RTSP://other/x"),
            ("track1", "rtsp://h", "rtsp://h/track1"),
        ] as [(String?, String, String)])
    func controls(_ control: String?, _ base: String, _ expected: String) {
        #expect(ControlURL.resolve(control, base: base) == expected)
    }
}

@Suite("Interleaved connection")
struct FramerTests {
    final class Sink: InterleavedSink {
        var frames: [(UInt8, [UInt8])] = []
        var messages: [RTSPMessage] = []
        var garbageRuns = 0
        func frame(channel: UInt8, _ bytes: ByteView) { frames.append((channel, bytes.array)) }
        func message(_ message: RTSPMessage) { messages.append(message) }
        func knows(channel: UInt8) -> Bool { channel < 4 }
        func garbage() { garbageRuns += 1 }
    }

    private func feed(_ framer: InterleavedFramer, _ bytes: [UInt8], _ sink: Sink, piece: Int = .max) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(piece))
            rest = rest.dropFirst(part.count)
            try part.withUnsafeBytes { try framer.consume(ByteView($0), sink) }
        }
    }

    private let packet = Packets.rtp([1, 2, 3], sequence: 1, timestamp: 2)

    @Test("Frames and messages in any mixture come out whole, however the reads cut them", arguments: [1, 2, 3, 5, 7, 13, 64, .max])
    func mixture(_ piece: Int) throws {
        let sink = Sink()
        let answer = Array("RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 5\r\n\r\nabcde".utf8)
        let empty = Array("\r\nRTSP/1.0 200 OK\nCSeq: 4\n\n".utf8)
        let request = Array("ANNOUNCE rtsp://h/ RTSP/1.0\r\nCSeq: 9\r\n\r\n".utf8)
        let bytes =
            Packets.interleaved(0, packet) + answer + Packets.interleaved(1, packet) + empty + Packets.interleaved(9, [7]) + request
            + Packets.interleaved(2, packet + [UInt8](repeating: 0x24, count: 3000))
        try feed(InterleavedFramer(), bytes, sink, piece: piece)
        #expect(sink.frames.map(\.0) == [0, 1, 9, 2])
        #expect(sink.frames[0].1 == packet)
        #expect(sink.frames[3].1.count == packet.count + 3000)
        #expect(sink.messages.count == 3)
        guard case .response(let first) = sink.messages[0] else {
            Issue.record("no response")
            return
        }
        #expect(first.body == Array("abcde".utf8))
    }

    @Test("Garbage ends a connection before media flow and is stepped over afterwards")
    func garbage() throws {
        let sink = Sink()
        let framer = InterleavedFramer()
        #expect(throws: InterleavedFramer.Failure.garbage) { try feed(framer, Array("HTTP/1.1 400 Bad\r\n\r\n".utf8), sink) }
        framer.reset()
        framer.toleratesGarbage = true
        let rubbish: [UInt8] = [0, 1, 2, 0x24, 77, 0, 9, 5, 6, 0xff]
        try feed(framer, Packets.interleaved(0, packet) + rubbish + Packets.interleaved(0, packet), sink)
        #expect(sink.frames.count == 2)
        #expect(sink.garbageRuns >= 1)
        #expect(throws: InterleavedFramer.Failure.garbage) {
            try feed(framer, [UInt8](repeating: 1, count: InterleavedFramer.maximumGarbage + 10), sink)
        }
    }

    @Test("Endless heads and huge bodies are refused")
    func bounds() {
        let sink = Sink()
        #expect(throws: InterleavedFramer.Failure.tooLarge) {
            try feed(InterleavedFramer(), Array("RTSP/1.0 200 OK\r\nX: ".utf8) + [UInt8](repeating: 65, count: 200_000), sink, piece: 1000)
        }
        #expect(throws: InterleavedFramer.Failure.tooLarge) {
            try feed(InterleavedFramer(), Array("RTSP/1.0 200 OK\r\nContent-Length: 999999999\r\n\r\n".utf8), sink)
        }
    }
}
