import RTSP
import Testing

/// Numbers that are the same in every run.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// Feeds every parser with inputs that are nearly right. Deterministic: only how far it gets depends on the time given by
/// VIBENVR_FUZZ_SECONDS (default 5, shared by the cases). What would fail is a trap or an endless loop.
@Suite("Nearly right input", .serialized)
struct FuzzTests {
    private static var budget: Duration {
        .milliseconds(Int64((Double(Environment.value("VIBENVR_FUZZ_SECONDS") ?? "") ?? 5) * 1000 / 6))
    }

    private static func mutate(_ bytes: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            let index = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<9, using: &random) {
            case 0 where !bytes.isEmpty: bytes[index] = UInt8.random(in: 0...255, using: &random)
            case 1 where !bytes.isEmpty: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
            case 3 where !bytes.isEmpty: bytes.remove(at: index)
            case 4: bytes = Array(bytes.prefix(index))
            case 5 where !bytes.isEmpty:
                let piece = bytes[index..<min(bytes.count, index + Int.random(in: 1...20, using: &random))]
                bytes.insert(contentsOf: piece, at: Int.random(in: 0...bytes.count, using: &random))
            case 6 where !bytes.isEmpty: bytes[index] = [0, 0xff, 0x7f, 0x80, 0x24, 0x0a][Int.random(in: 0..<6, using: &random)]
            case 7: bytes.insert(contentsOf: Array("99999999999999999999".utf8), at: index)
            case 8 where bytes.count >= 2: bytes.swapAt(index, Int.random(in: 0..<bytes.count, using: &random))
            default: break
            }
        }
        return bytes
    }

    /// Gives its thread away between rounds: the tests beside it have the same few.
    private func run(_ seed: UInt64, _ body: (inout SplitMix64) -> Void) async {
        var random = SplitMix64(state: seed)
        let clock = ContinuousClock()
        let end = clock.now + Self.budget
        var rounds = 0
        repeat {
            for _ in 0..<50 { body(&random) }
            rounds += 50
            await Task.yield()
        } while clock.now < end && rounds < 100_000_000
        #expect(rounds > 0)
    }

    private static let descriptions: [[UInt8]] = [
        ScriptedServer.video + ScriptedServer.audio,
        "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000\r\na=fmtp:96 sprop-vps=QAEMAf//AWAAAAMAkAAAAwAAAwB4mZgJ;sprop-sps=QgEBAWAAAAMAkAAAAwAAAwB4oAPAgBDlmZ;sprop-pps=RAHBcrRiQA==;sprop-max-don-diff=1\r\na=x-dimensions:1920,1080\r\na=framerate:25.5\r\n",
        "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/48000/2\r\na=fmtp:97 mode=AAC-hbr;config=1190;SizeLength=13;IndexLength=3;IndexDeltaLength=3;constantsize=4;auxiliarydatasizelength=8\r\n",
        "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MP4A-LATM/48000/1\r\na=fmtp:97 cpresent=0;config=400023103fc0\r\n",
        "m=video 0 RTP/AVP 26\r\na=framesize:26 3000-2000\r\n",
    ].map { Array($0.utf8) }

    @Test("Descriptions, and depacketizers made from them")
    func descriptions() async {
        await run(1) { random in
            let input = Self.mutate(Self.descriptions.randomElement(using: &random) ?? [], &random)
            guard let sdp = SDPDescription(input) else { return }
            for media in sdp.media {
                _ = ControlURL.resolve(media.control, base: "rtsp://h/a?b/")
                guard let format = media.format else { continue }
                let one = Depacketizing(format, unitLimit: 5000)
                for number in 0..<4 {
                    one.send(
                        (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }, UInt32(number),
                        marker: number % 2 == 0)
                }
                one.flush()
            }
        }
    }

    @Test("Connections: messages, frames and what lies between")
    func connections() async {
        let good: [UInt8] =
            Array(
                "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 4\r\nSession: 12;timeout=60\r\nTransport: RTP/AVP/TCP;interleaved=0-1;server_port=1-2\r\n\r\nv=0\n"
                    .utf8)
            + Packets.interleaved(0, Packets.rtp(Packets.slice(), sequence: 1, timestamp: 1)) + Array("OPTIONS * RTSP/1.0\r\nCSeq: 4\r\n\r\n".utf8)
            + Packets.interleaved(1, [0x81, 203, 0, 1, 0, 0, 0, 1])
        await run(2) { random in
            let sink = FramerTests.Sink()
            let framer = InterleavedFramer()
            framer.toleratesGarbage = Bool.random(using: &random)
            var rest = Self.mutate(good + good, &random)[...]
            do {
                while !rest.isEmpty {
                    let part = Array(rest.prefix(Int.random(in: 1...200, using: &random)))
                    rest = rest.dropFirst(part.count)
                    try part.withUnsafeBytes { try framer.consume(ByteView($0), sink) }
                }
            } catch {}
            for case .response(let response) in sink.messages {
                _ = response.cseq
                _ = RTSPSessionHeader(response.headers["Session"])
                _ = RTSPTransportHeader(response.headers["Transport"])
            }
        }
    }

    @Test("Challenges and URLs")
    func text() async {
        let challenges = [
            #"Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b", opaque="5ccc0", stale=true, algorithm=SHA-256, Basic realm="x""#,
            #"Basic realm="a\"b""#,
        ].map { Array($0.utf8) }
        let urls = ["rtsp://u:p%40@[::1]:554/a?b=1#c", "rtsps://user:pa/ss@host.example:8322/x/y"].map { Array($0.utf8) }
        await run(3) { random in
            let challenge = String(decoding: Self.mutate(challenges.randomElement(using: &random) ?? [], &random), as: UTF8.self)
            for one in AuthenticationChallenge.parse([challenge]) {
                var authenticator = Authenticator(RTSPCredentials(username: "u", password: "p"))
                authenticator.accept(one)
                _ = authenticator.authorization(method: "PLAY", url: "rtsp://h/")
            }
            let url = String(decoding: Self.mutate(urls.randomElement(using: &random) ?? [], &random), as: UTF8.self)
            if let endpoint = RTSPEndpoint(url) { #expect(RTSPEndpoint(endpoint.url) != nil, "\(url)") }
        }
    }

    @Test("RTP, RTCP and the order of datagrams")
    func packets() async {
        let rtp = Packets.rtp(Packets.slice(), sequence: 65530, timestamp: 1, marker: true)
        let rtcp: [UInt8] =
            [0x80, 200, 0, 6, 0, 0, 0, 5, 0xe0, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 2] + [
                0x81, 202, 0, 2, 0, 0, 0, 5, 1, 1, 65, 0,
            ]
            + [0x81, 203, 0, 1, 0, 0, 0, 5]
        await run(4) { random in
            Self.mutate(rtp, &random).withUnsafeBytes { buffer in
                if let packet = RTPPacket(ByteView(buffer)) { _ = packet.payload.array }
            }
            for case .senderReport(_, let ntp, _) in Self.mutate(rtcp, &random).withUnsafeBytes({ RTCP.parse(ByteView($0)) }) ?? [] {
                _ = RTCP.microseconds(ntp: ntp)
            }
            var reception = RTPReception()
            var buffer = ReorderBuffer()
            var sequence = UInt16.random(in: 0...UInt16.max, using: &random)
            for now in 0..<40 {
                sequence =
                    Bool.random(using: &random)
                    ? sequence &+ UInt16.random(in: 0...5, using: &random) : UInt16.random(in: 0...UInt16.max, using: &random)
                if sequence &- reception.nextSequence < 3000 {
                    _ = buffer.insert(.init(sequence: sequence, arrival: Int64(now), bytes: []), next: reception.nextSequence)
                } else {
                    _ = reception.judge(sequence, ordered: Bool.random(using: &random))
                }
                while let held = buffer.pop(next: reception.nextSequence, now: Int64(now) * 20_000) {
                    _ = reception.judge(held.sequence, ordered: false)
                }
                reception.measure(
                    arrival: UInt32.random(in: 0...UInt32.max, using: &random), timestamp: UInt32.random(in: 0...UInt32.max, using: &random))
            }
            _ = RTCP.receiverReport(
                from: 1, cname: "x", about: (2, reception.report()),
                last: .init(ntpMiddle: 1, age: Int64.random(in: Int64.min...Int64.max, using: &random)))
        }
    }

    @Test("Payloads of H.264 and H.265 with losses and jumping timestamps")
    func pictures() async {
        let long = Packets.slice(idr: true, length: 60)
        let sps265: [UInt8] = [0x42, 1, 1, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x78, 0xa0, 3, 0xc0, 0x80, 0x10, 0xe5, 0x96, 0x66]
        let h264: [[UInt8]] =
            Packets.fuA(long, pieces: 4) + [
                Packets.sps, Packets.pps, long, [6, 6, 1, 0xc4, 0x80], [24, 0, 10] + Packets.sps + [0, 4] + Packets.pps,
            ]
            + [Packets.sps + [0, 0, 1] + Packets.pps + [0, 0, 1] + long]
        let h265: [[UInt8]] =
            [sps265, [0x40, 1, 0x0c, 1], [0x44, 1, 0xc1, 0x72], [0x60, 1, 0, 4, 0x40, 1, 2, 3, 0, 3, 0x26, 1, 0x80], [0x62, 1, 0x93, 0x80, 1, 2]]
            + [[0x62, 1, 0x13, 3, 4], [0x62, 1, 0x53, 5], [2, 1, 0xd0, 1, 2, 3], [0x26, 1, 0xaf, 1, 2], [0x50, 1, 5, 0x80]]
        await run(5) { random in
            let is265 = Bool.random(using: &random)
            var format = SDPFormat(codec: is265 ? .h265 : .h264, payloadType: 96, clockRate: 90000)
            format.hasDecodingOrder = Int.random(in: 0..<4, using: &random) == 0
            let one = Depacketizing(format, unitLimit: 400)
            var timestamp: UInt32 = 0
            for _ in 0..<30 {
                if Int.random(in: 0..<3, using: &random) == 0 { timestamp &+= 6000 }
                let payload = Self.mutate((is265 ? h265 : h264).randomElement(using: &random) ?? [], &random)
                one.send(payload, timestamp, marker: Bool.random(using: &random), lost: Int.random(in: 0..<8, using: &random) == 0 ? 1 : 0)
            }
            one.flush()
            for unit in one.units {
                // Whatever came in, what goes out is a chain of lengths that fits.
                let bytes = unit.bytes.array
                var index = 0
                while index + 4 <= bytes.count { index += 4 + Int(bytes[index...].prefix(4).reduce(0) { $0 << 8 | Int($1) }) }
                #expect(index == bytes.count)
                #expect(bytes.count <= 400)
            }
        }
    }

    @Test("Payloads of AAC, LATM and JPEG with losses")
    func others() async {
        let aac: [UInt8] = [0, 32, 0, 24, 0, 16, 1, 2, 3, 4, 5]
        let jpeg: [UInt8] = [0, 0, 0, 0, 65, 200, 8, 6, 0, 4, 0xff, 0xff, 0, 0, 0, 128] + (0..<128).map { UInt8($0) } + [1, 2, 3]
        await run(6) { random in
            var format: SDPFormat
            let input: [UInt8]
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                format = SDPFormat(codec: .aac, payloadType: 97, clockRate: 48000)
                var fields = AUHeaderFields()
                fields.compositionDelta = Int.random(in: 0...32, using: &random)
                fields.streamState = Int.random(in: 0...3, using: &random)
                fields.auxiliarySize = Int.random(in: 0...2, using: &random) * 8
                format.aacPacking = .generic(Bool.random(using: &random) ? fields : AUHeaderFields())
                input = aac
            case 1:
                format = SDPFormat(codec: .aac, payloadType: 97, clockRate: 48000)
                format.aacPacking = .latm(subframes: Int.random(in: 1...64, using: &random))
                input = [3, 1, 2, 3, 255, 0] + [UInt8](repeating: 4, count: 255)
            default:
                format = SDPFormat(codec: .mjpeg, payloadType: 26, clockRate: 90000)
                input = jpeg
            }
            let one = Depacketizing(format, unitLimit: 3000)
            for number in 0..<10 {
                one.send(
                    Self.mutate(input, &random), UInt32(number / 3), marker: Bool.random(using: &random),
                    lost: Int.random(in: 0..<8, using: &random) == 0 ? 1 : 0)
            }
            one.flush()
            let config = (0..<Int.random(in: 0..<12, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            _ = AudioSpecificConfig(config)
            _ = StreamMuxConfig(config)
            _ = config.withUnsafeBytes { RecoveryPoint.isImmediate(ByteView($0)) }
        }
    }
}
