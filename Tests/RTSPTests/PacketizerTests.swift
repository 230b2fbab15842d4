import NIOCore
import RTSP
import Testing

@Suite("Packetizers")
struct PacketizerTests {
    /// A fixed sequence of numbers: failures can be repeated.
    private struct Seeded: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    private static func noise(_ count: Int, _ random: inout Seeded) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 1...255, using: &random) } }

    /// Sizes around every border of a packet, and random ones.
    private static func size(_ number: Int, _ random: inout Seeded) -> Int {
        let borders = [1, 2, 1384, 1385, 1386, 1387, 1388, 1389, 2 * 1386, 2 * 1386 + 1, 3 * 1385 + 2, 200_000]
        return number < borders.count ? borders[number] : Int.random(in: 1...8000, using: &random)
    }

    /// Packets as a client gets them.
    private static func received(_ batches: [ByteBuffer], rate: Int) -> [[UInt8]] {
        var sender = RTPSender(rate: rate, ssrc: 0x1122_3344, sequence: 65_530, offset: 4_294_960_000)
        var packets: [[UInt8]] = []
        for batch in batches {
            RTPSender.forEachPacket(sender.stamp(batch, channel: 2)) { packets.append(Array($0.readableBytesView)) }
        }
        return packets
    }

    /// A big-endian number of a packet.
    private static func number(_ packet: [UInt8], _ at: Int, _ count: Int) -> UInt32 {
        packet[at..<at + count].reduce(0) { $0 << 8 | UInt32($1) }
    }

    private static func unpacked(_ packets: [[UInt8]], _ format: SDPFormat) -> [AccessUnit] {
        let depacketizer = Depacketizer(format, track: 0, unitLimit: 1 << 20)
        var units: [AccessUnit] = []
        for bytes in packets {
            bytes.withUnsafeBytes { buffer in
                if let packet = RTPPacket(ByteView(buffer)) { depacketizer.receive(packet, lost: 0, arrival: 0, into: &units) }
            }
        }
        depacketizer.flush(into: &units)
        #expect(depacketizer.malformed == 0)
        return units
    }

    @Test("Pictures of any size come out of the depacketizer as they went in", arguments: [RTSPCodec.h264, .h265])
    func pictures(_ codec: RTSPCodec) throws {
        var random = Seeded(state: 7)
        var format = SDPFormat(codec: codec, payloadType: 96, clockRate: 90_000)
        let sets =
            codec == .h264
            ? [Packets.sps, Packets.pps]
            : [[0x40, 1, 0x0c, 1], [0x42, 1, 1, 0x60, 0, 0, 3, 0, 0xb0, 0, 0, 3, 0, 0, 3, 0, 0x5d, 0xa0], [0x44, 1, 0xc1, 0x72]]
        if codec == .h264 { format.parameterSets = ParameterSets(sps: [Packets.sps], pps: [Packets.pps]) }
        let packetizer = Packetizer(format)
        var wanted: [[UInt8]] = []
        var batches: [ByteBuffer] = []
        for number in 0..<60 {
            let isKey = number % 10 == 0
            let head: [UInt8] = codec == .h264 ? [isKey ? 0x65 : 0x41, 0x88] : [isKey ? 0x26 : 0x02, 0x01, 0x80]
            let message: [UInt8] = codec == .h264 ? [0x06, 5] : [0x4e, 0x01, 5]
            var nals = [head + Self.noise(Self.size(number, &random), &random)]
            if number % 3 == 0 { nals.insert(message + Self.noise(20, &random), at: 0) }
            let unit = Packets.sized(nals)
            wanted.append(unit)
            let batch = unit.withUnsafeBytes {
                packetizer.packets(of: $0, parameterSets: isKey ? sets : [], timestamp: UInt32(number) &* 6000)
            }
            batches.append(try #require(batch))
        }
        let packets = Self.received(batches, rate: 90_000)
        #expect(packets.allSatisfy { $0.count <= RTPBatchWriter.largestPacket })
        let units = Self.unpacked(packets, format)
        #expect(units.map(\.bytes.array) == wanted)
        #expect(units.map(\.isKeyframe) == (0..<60).map { $0 % 10 == 0 })
        #expect(units.map(\.rtpTimestamp) == (0..<60).map { UInt32($0) &* 6000 &+ 4_294_960_000 })
        // Only the last packet of a picture has the marker, and numbers go on beyond their end.
        #expect(packets.count { $0[1] & 0x80 != 0 } == 60)
        let numbers = packets.map { Self.number($0, 2, 2) }
        #expect(numbers == packets.indices.map { UInt32(65_530 + $0) & 0xffff })
    }

    @Test("Parameter sets go in one packet in front of the picture")
    func aggregated() throws {
        let unit = Packets.sized([Packets.slice(idr: true)])
        let packetizer = Packetizer(SDPFormat(codec: .h264, payloadType: 96, clockRate: 90_000))
        let batch = try #require(unit.withUnsafeBytes { packetizer.packets(of: $0, parameterSets: [Packets.sps, Packets.pps], timestamp: 1) })
        let packets = Self.received([batch], rate: 90_000)
        #expect(packets.count == 2)
        #expect(Array(packets[0][12...]) == [0x78] + Packets.be16(Packets.sps.count) + Packets.sps + Packets.be16(Packets.pps.count) + Packets.pps)
        #expect(packets[0][1] & 0x80 == 0 && packets[1][1] & 0x80 != 0)
        let units = Self.unpacked(packets, SDPFormat(codec: .h264, payloadType: 96, clockRate: 90_000))
        #expect(units.first?.parameterSets == ParameterSets(sps: [Packets.sps], pps: [Packets.pps]))
    }

    @Test(
        "Sound of any size comes out as it went in",
        arguments: [(RTSPCodec.aac, 16_000, 1), (.aac, 48_000, 2), (.pcmu, 8000, 1), (.pcma, 8000, 1), (.opus, 48_000, 2)])
    func sound(_ codec: RTSPCodec, _ rate: Int, _ channels: Int) throws {
        var random = Seeded(state: 11)
        var format = SDPFormat(codec: codec, payloadType: 97, clockRate: rate, channels: channels)
        if codec == .aac { format.audioSpecificConfig = [0x14, 0x08] }
        var wanted: [[UInt8]] = []
        var batches: [ByteBuffer] = []
        for number in 0..<80 {
            let most = codec == .aac ? 8191 : 1388
            let unit = Self.noise(min(most, Self.size(number, &random)), &random)
            wanted.append(unit)
            batches.append(try #require(unit.withUnsafeBytes { Packetizer(format).packets(of: $0, timestamp: UInt32(number * 1024)) }))
        }
        let units = Self.unpacked(Self.received(batches, rate: rate), format)
        #expect(units.map(\.bytes.array) == wanted)
        #expect(units.map(\.rtpTimestamp) == (0..<80).map { UInt32($0 * 1024) &+ 4_294_960_000 })
    }

    @Test("A packet of telephone sound that is too long is cut between samples")
    func longSound() throws {
        let unit = [UInt8](repeating: 7, count: 4000)
        let packetizer = Packetizer(SDPFormat(codec: .pcma, payloadType: 8, clockRate: 8000, channels: 1))
        let packets = Self.received([try #require(unit.withUnsafeBytes { packetizer.packets(of: $0, timestamp: 100) })], rate: 8000)
        #expect(packets.map { $0.count - 12 } == [1388, 1388, 1224])
        let times = packets.map { Self.number($0, 4, 4) &- 4_294_960_000 }
        #expect(times == [100, 1488, 2876])
    }

    @Test("JPEG pictures with the usual tables come out as they went in; others are left out")
    func jpeg() throws {
        var random = Seeded(state: 3)
        let format = SDPFormat(codec: .mjpeg, payloadType: 26, clockRate: 90_000)
        var wanted: [[UInt8]] = []
        var batches: [ByteBuffer] = []
        for number in 0..<30 {
            let head = JPEGHeader.bytes(
                type: UInt8(number % 2), width: 640, height: 360, tables: JPEGHeader.tables(quality: 60 + number), restartInterval: number % 4)
            let picture = head + Self.noise(Self.size(number, &random) + 2, &random).map { $0 == 0xff ? 0xfe : $0 } + [0xff, 0xd9]
            wanted.append(picture)
            batches.append(try #require(picture.withUnsafeBytes { Packetizer(format).packets(of: $0, timestamp: UInt32(number)) }))
        }
        let packets = Self.received(batches, rate: 90_000)
        #expect(packets.allSatisfy { $0.count <= RTPBatchWriter.largestPacket })
        #expect(Self.unpacked(packets, format).map(\.bytes.array) == wanted)

        let good = wanted[0]
        for (what, bad) in [
            ("progressive", good.replacing([0xff, 0xc0], with: [0xff, 0xc2])), ("an odd width", good.replacing([2, 0x80], with: [2, 0x81])),
            ("other tables", good.replacing([0xff, 0xc4, 0, 31, 0, 0, 1, 5], with: [0xff, 0xc4, 0, 31, 0, 0, 2, 4])), ("no picture", [1, 2, 3]),
            ("nothing", []), ("a cut head", Array(good.prefix(200))),
        ] as [(String, [UInt8])] {
            #expect(bad.withUnsafeBytes { Packetizer(format).packets(of: $0, timestamp: 0) } == nil, "\(what)")
        }
    }

    @Test("Units that make no sense give nothing, and none is read beyond its end")
    func hostile() {
        var random = Seeded(state: 5)
        for codec in [RTSPCodec.h264, .h265, .mjpeg, .aac, .opus, .pcmu] {
            let packetizer = Packetizer(SDPFormat(codec: codec, payloadType: 96, clockRate: 90_000))
            for _ in 0..<500 {
                let unit = (0..<Int.random(in: 0...80, using: &random)).map { _ in
                    [UInt8(0), 1, 0xff, .random(in: 0...255, using: &random)].randomElement(using: &random) ?? 0
                }
                _ = unit.withUnsafeBytes { packetizer.packets(of: $0, parameterSets: [unit], timestamp: 0) }
            }
        }
        let h264 = Packetizer(SDPFormat(codec: .h264, payloadType: 96, clockRate: 90_000))
        for unit in [[], [0, 0], [255, 255, 255, 255, 1], [0, 0, 0, 9, 1], [0, 0, 0, 0]] as [[UInt8]] {
            #expect(unit.withUnsafeBytes { h264.packets(of: $0, timestamp: 0) } == nil)
        }
    }

    @Test("Moments are RTP and NTP times as the RFC has them, and a clock that is set back moves nothing back")
    func clock() {
        #expect(RTPClock.ticks(wall: 1_700_000_000_500_000, rate: 90_000) == UInt32(truncatingIfNeeded: 1_700_000_000 * 90_000 + 45_000))
        #expect(RTPClock.ntp(wall: 500_000) == (2_208_988_800 as UInt64) << 32 | (1 as UInt64) << 31)
        #expect(RTCP.microseconds(ntp: RTPClock.ntp(wall: 1_700_000_000_123_456)).map { abs($0 - 1_700_000_000_123_456) <= 1 } == true)
        var sender = RTPSender(rate: 90_000, ssrc: 1, sequence: 0, offset: 77)
        let before = sender.timestamp(wall: 1_700_000_000_000_000)
        sender.advance(byMicroseconds: 3_600_000_000)
        #expect(sender.timestamp(wall: 1_699_996_400_000_000) == before)
    }

    @Test("A sender report tells which moment a timestamp is, and a farewell names its source")
    func reports() throws {
        let sender = RTPSender(rate: 90_000, ssrc: 0xdead_beef, sequence: 9, offset: 1000)
        let wall: Int64 = 1_700_000_000_250_000
        let report = sender.report(wall: wall, cname: "camera")
        let parsed = report.withUnsafeBytes { RTCP.parse(ByteView($0)) }
        #expect(parsed == [.senderReport(ssrc: 0xdead_beef, ntp: RTPClock.ntp(wall: wall), rtpTimestamp: sender.timestamp(wall: wall))])
        let bye = RTCP.bye(from: 0xdead_beef, cname: "camera").withUnsafeBytes { RTCP.parse(ByteView($0)) }
        #expect(bye == [.bye(ssrcs: [0xdead_beef])])
    }

    @Test("What is said of tracks is read as the same tracks")
    func descriptions() throws {
        var h264 = SDPFormat(codec: .h264, payloadType: 96, clockRate: 90_000)
        h264.parameterSets = ParameterSets(sps: [Packets.sps], pps: [Packets.pps])
        h264.framerate = 15
        var h265 = SDPFormat(codec: .h265, payloadType: 98, clockRate: 90_000)
        h265.parameterSets = ParameterSets(vps: [[0x40, 1, 2, 3]], sps: [[0x42, 1, 2, 3, 4]], pps: [[0x44, 1, 7], [0x44, 1, 8]])
        var jpeg = SDPFormat(codec: .mjpeg, payloadType: 26, clockRate: 90_000)
        jpeg.pictureSize = (2592, 1944)
        var aac = SDPFormat(codec: .aac, payloadType: 97, clockRate: 48_000, channels: 2)
        aac.audioSpecificConfig = [0x11, 0x90]
        let others = [
            SDPFormat(codec: .pcmu, payloadType: 0, clockRate: 8000, channels: 1),
            SDPFormat(codec: .pcma, payloadType: 97, clockRate: 16_000, channels: 2),
            SDPFormat(codec: .opus, payloadType: 97, clockRate: 48_000, channels: 2),
        ]
        let tracks = [h264, h265, jpeg, aac] + others
        let text = SDPWriter.text(tracks, title: "Front\r\na=control:evil", id: 5)
        let description = try #require(SDPDescription(Array(text.utf8)))
        #expect(description.control == "*")
        #expect(description.media.map(\.control) == tracks.indices.map { "trackID=\($0)" })
        #expect(description.media.map(\.format) == tracks.map { $0 })
        #expect(text.contains("profile-level-id=42C01E") && text.hasSuffix("\r\n"))
    }
}

extension [UInt8] {
    /// The first occurrence of some bytes replaced by as many others.
    fileprivate func replacing(_ old: [UInt8], with new: [UInt8]) -> [UInt8] {
        var copy = self
        for at in indices where at + old.count <= count && Array(self[at..<at + old.count]) == old {
            copy.replaceSubrange(at..<at + old.count, with: new)
            return copy
        }
        return copy
    }
}
