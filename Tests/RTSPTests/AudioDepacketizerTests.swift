import RTSP
import Testing

@Suite("Audio and JPEG")
struct OtherDepacketizerTests {
    private func aac(_ fields: AUHeaderFields = AUHeaderFields()) -> Depacketizing {
        var format = SDPFormat(codec: .aac, payloadType: 97, clockRate: 48000, channels: 2)
        format.aacPacking = .generic(fields)
        return Depacketizing(format)
    }

    /// One packet of RFC 3640 with 13+3 bit headers.
    private func generic(_ units: [[UInt8]], sizes: [Int]? = nil) -> [UInt8] {
        let sizes = sizes ?? units.map(\.count)
        return Packets.be16(sizes.count * 16) + sizes.flatMap { Packets.be16($0 << 3) } + units.flatMap { $0 }
    }

    @Test("Several AAC units in one packet get their own timestamps")
    func severalUnits() {
        let one = aac()
        let units = one.send(generic([[1, 2, 3], [4], [5, 6]]), 1000, marker: true, lost: 2)
        #expect(units.map(\.bytes.array) == [[1, 2, 3], [4], [5, 6]])
        #expect(units.map(\.rtpTimestamp) == [1000, 2024, 3048])
        #expect(units.map(\.lostPackets) == [2, 0, 0])
        #expect(units.map(\.isKeyframe) == [true, true, true])
    }

    @Test("A fragmented AAC unit is put together, and dropped when a part is missing")
    func fragments() {
        let one = aac()
        let whole = (0..<100).map { UInt8($0) }
        func part(_ range: Range<Int>) -> [UInt8] { generic([Array(whole[range])], sizes: [100]) }
        #expect(one.send(part(0..<40), 5).isEmpty)
        #expect(one.send(part(40..<80), 5).isEmpty)
        #expect(one.send(part(80..<100), 5, marker: true).map(\.bytes.array) == [whole])
        one.send(part(0..<40), 6)
        #expect(one.send(part(80..<100), 6, marker: true, lost: 1).isEmpty)
        #expect(one.send(generic([[9]]), 7, marker: true).map(\.lostPackets) == [1])
    }

    @Test("AAC packets that make no sense are counted")
    func malformed() {
        let one = aac()
        for payload in [[], [0], [0xff, 0xff, 1], [0, 16], [0, 0, 1, 2], [0, 16, 0, 0, 5], [0, 8, 1, 1]] as [[UInt8]] {
            one.send(payload, 0, marker: true)
        }
        #expect(one.units.isEmpty)
        #expect(one.depacketizer.malformed > 0)
        #expect(one.send(generic([[1]]), 9, marker: true).count == 1)
    }

    @Test("Headers of other lengths and constant sizes")
    func otherFields() {
        var low = AUHeaderFields()
        (low.size, low.index, low.indexDelta) = (6, 2, 2)
        let units = aac(low).send([0, 16, 3 << 2, 2 << 2, 1, 2, 3, 4, 5], 0, marker: true)
        #expect(units.map(\.bytes.array) == [[1, 2, 3], [4, 5]])
        var constant = AUHeaderFields()
        (constant.size, constant.index, constant.indexDelta, constant.constantSize) = (0, 0, 0, 2)
        #expect(aac(constant).send([1, 2, 3, 4], 0, marker: true).map(\.bytes.array) == [[1, 2], [3, 4]])
    }

    @Test("LATM elements with long lengths, several frames and fragments")
    func latm() {
        var format = SDPFormat(codec: .aac, payloadType: 97, clockRate: 48000)
        format.aacPacking = .latm(subframes: 2)
        let one = Depacketizing(format)
        let long = [UInt8](repeating: 7, count: 300)
        let element: [UInt8] = [255, 45] + long + [2, 8, 9]
        let units = one.send(element, 10, marker: true)
        #expect(units.map(\.bytes.array) == [long, [8, 9]])
        #expect(units.map(\.rtpTimestamp) == [10, 1034])
        #expect(one.send(Array(element.prefix(100)), 20).isEmpty)
        #expect(one.send(Array(element.dropFirst(100)), 20, marker: true).count == 2)
        one.send([255, 255, 255], 30, marker: true)
        one.send([9, 1], 31, marker: true)
        #expect(one.depacketizer.malformed == 2)
    }

    @Test("G.711 and Opus: a packet is a unit")
    func whole() {
        for codec in [RTSPCodec.pcmu, .pcma, .opus] {
            let one = Depacketizing(SDPFormat(codec: codec, payloadType: 0, clockRate: 8000))
            #expect(one.send([1, 2, 3], 9).map(\.bytes.array) == [[1, 2, 3]])
            #expect(one.send([], 10).isEmpty)
            #expect(one.send([4], 11, lost: 3).map(\.lostPackets) == [3])
        }
    }

    @Test("AudioSpecificConfig: rates, channels, replication and nonsense")
    func config() {
        #expect(AudioSpecificConfig([0x11, 0x90])?.sampleRate == 48000)
        #expect(AudioSpecificConfig([0x11, 0x90])?.channels == 2)
        #expect(AudioSpecificConfig([0x14, 0x08])?.sampleRate == 16000)
        // HE-AAC, explicit: object type 5, 24 kHz core, 48 kHz out.
        let replicated = AudioSpecificConfig([0x2b, 0x11, 0x88, 0x00])
        #expect(replicated?.extensionRate == 48000)
        #expect(replicated?.ticksPerFrame(clockRate: 48000) == 2048)
        #expect(replicated?.ticksPerFrame(clockRate: 24000) == 1024)
        #expect(AudioSpecificConfig([]) == nil)
        #expect(AudioSpecificConfig([0xff, 0xff, 0xff]) == nil)
        #expect(AudioSpecificConfig.encode(objectType: 2, sampleRate: 48000, channels: 2) == [0x11, 0x90])
        #expect(AudioSpecificConfig.encode(objectType: 2, sampleRate: 1234, channels: 2) == nil)
    }

    // MARK: JPEG

    private func jpeg(_ offset: Int, type: UInt8 = 1, quality: UInt8, width: Int = 64, height: Int = 48, extra: [UInt8] = [], _ scan: [UInt8])
        -> [UInt8]
    {
        [0, UInt8(offset >> 16 & 0xff), UInt8(offset >> 8 & 0xff), UInt8(offset & 0xff), type, quality, UInt8(width / 8), UInt8(height / 8)] + extra
            + scan
    }

    private func mjpeg() -> Depacketizing { Depacketizing(SDPFormat(codec: .mjpeg, payloadType: 26, clockRate: 90000)) }

    @Test("Fragments become a JPEG with all its headers")
    func picture() throws {
        let one = mjpeg()
        #expect(one.send(jpeg(0, quality: 50, [1, 2, 3]), 0).isEmpty)
        let bytes = try #require(one.send(jpeg(3, quality: 50, [4, 5]), 0, marker: true).first).bytes.array
        #expect(Array(bytes.prefix(4)) == [0xff, 0xd8, 0xff, 0xe0])
        #expect(Array(bytes.suffix(7)) == [1, 2, 3, 4, 5, 0xff, 0xd9])
        // Q 50 means the tables of the standard as they are.
        let table = try #require(bytes.indices.first { bytes[$0...].starts(with: [0xff, 0xdb, 0, 67, 0]) })
        #expect(Array(bytes[(table + 5)..<(table + 8)]) == [16, 11, 12])
        let frame = try #require(bytes.indices.first { bytes[$0...].starts(with: [0xff, 0xc0]) })
        #expect(Array(bytes[(frame + 5)..<(frame + 9)]) == [0, 48, 0, 64])
        #expect(Array(bytes[(frame + 10)..<(frame + 12)]) == [1, 0x22])
    }

    @Test("Tables sent along are used and remembered, restart intervals are written")
    func tables() throws {
        let one = mjpeg()
        let tables = (0..<128).map { UInt8($0 + 1) }
        let first = one.send(jpeg(0, type: 64, quality: 200, extra: [0, 4, 0xff, 0xff, 0, 0, 0, 128] + tables, [1]), 0, marker: true)
        let again = one.send(jpeg(0, type: 64, quality: 200, extra: [0, 4, 0xff, 0xff, 0, 0, 0, 0], [1, 0xff, 0xd9]), 1, marker: true)
        let bytes = try #require(first.first).bytes.array
        #expect(bytes == again.first?.bytes.array)
        #expect(bytes.indices.contains { bytes[$0...].starts(with: [0xff, 0xdd, 0, 4, 0, 4]) })
        #expect(bytes.indices.contains { bytes[$0...].starts(with: [0xff, 0xdb, 0, 67, 1, 65, 66]) })
        #expect(one.send(jpeg(0, quality: 201, extra: [0, 0, 0, 0], [1]), 2, marker: true).isEmpty)
    }

    @Test("A picture with a hole is dropped, and the next one is whole")
    func holes() {
        let one = mjpeg()
        one.send(jpeg(0, quality: 50, [1, 2, 3]), 0)
        #expect(one.send(jpeg(9, quality: 50, [4]), 0, marker: true, lost: 1).isEmpty)
        one.send(jpeg(0, quality: 50, [1, 2, 3]), 1)
        #expect(one.send(jpeg(7, quality: 50, [4]), 1, marker: true).isEmpty)
        #expect(one.send(jpeg(0, quality: 50, [1]), 2, marker: true).map(\.lostPackets) == [1])
        #expect(one.send([1, 2, 3], 3, marker: true).isEmpty)
    }
}
