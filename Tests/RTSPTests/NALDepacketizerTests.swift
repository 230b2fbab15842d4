import RTSP
import Testing

@Suite("H.264 and H.265")
struct NALDepacketizerTests {
    private let idr = Packets.slice(idr: true)
    private let slice = Packets.slice()

    @Test("A marker that can be believed delivers at once; before that the next packet confirms it")
    func markers() {
        let fresh = Depacketizing()
        #expect(fresh.send(idr, 0, marker: true).isEmpty)
        #expect(fresh.send(slice, 6000, marker: true).map(\.rtpTimestamp) == [0])
        let trusted = Depacketizing(h264: ParameterSets(), trusted: true)
        let units = trusted.send(idr, 0, marker: true)
        #expect(units.map(\.rtpTimestamp) == [0])
        #expect(units.first?.bytes.array == Packets.sized([idr]))
        #expect(units.first?.isKeyframe == true)
        #expect(trusted.flush().isEmpty)
    }

    @Test("Without any marker a unit ends when the timestamp changes")
    func noMarker() {
        let one = Depacketizing()
        for index in 0..<5 {
            one.send(index == 0 ? idr : slice, UInt32(index) * 6000)
            one.send(Packets.slice(first: false), UInt32(index) * 6000)
        }
        one.flush()
        #expect(one.units.map(\.rtpTimestamp) == [0, 6000, 12000, 18000, 24000])
        #expect(one.units.allSatisfy { !$0.isDamaged && $0.bytes.count == 48 })
    }

    @Test("A marker on every slice cuts no picture in two")
    func markerOnEverySlice() {
        let one = Depacketizing()
        for index in 0..<30 {
            one.send(slice, UInt32(index) * 6000, marker: true)
            one.send(Packets.slice(first: false), UInt32(index) * 6000, marker: true)
            one.send(Packets.slice(first: false), UInt32(index) * 6000, marker: true)
        }
        one.flush()
        #expect(one.units.count == 30)
        #expect(one.units.allSatisfy { $0.bytes.count == 72 && !$0.isDamaged })
    }

    @Test("A camera that begins to set the marker on every slice is found out")
    func markerTurnsBad() {
        let one = Depacketizing(h264: ParameterSets(), trusted: true)
        for index in 0..<10 {
            one.send(slice, UInt32(index) * 6000, marker: true)
            one.send(Packets.slice(first: false), UInt32(index) * 6000, marker: true)
        }
        one.flush()
        // Only the first picture is cut, and its rest says so.
        #expect(one.units.count == 11)
        #expect(one.units.map(\.isDamaged) == [false, true] + [Bool](repeating: false, count: 9))
    }

    @Test("Two pictures of one timestamp stay two when the marker stands between them")
    func sameTimestamp() {
        let one = Depacketizing()
        for _ in 0..<3 { one.send(slice, 77, marker: true) }
        one.flush()
        #expect(one.units.count == 3)
    }

    @Test("A marker on parameter sets does not end a unit")
    func markerOnParameterSets() {
        let one = Depacketizing(h264: ParameterSets(), trusted: true)
        #expect(one.send(Packets.sps, 0, marker: true).isEmpty)
        #expect(one.send(Packets.pps, 0, marker: true).isEmpty)
        let units = one.send(idr, 0, marker: true)
        #expect(units.map(\.bytes.array) == [Packets.sized([idr])])
        #expect(units.first?.parameterSets == ParameterSets(sps: [Packets.sps], pps: [Packets.pps]))
    }

    @Test("Parameter sets in band are told once, and again when they change")
    func parameterSets() {
        let one = Depacketizing(h264: ParameterSets(sps: [Packets.sps], pps: [Packets.pps]), trusted: true)
        func picture(_ timestamp: UInt32, _ sps: [UInt8]) -> AccessUnit? {
            one.send(sps, timestamp)
            one.send(Packets.pps, timestamp)
            return one.send(idr, timestamp, marker: true).first
        }
        #expect(picture(0, Packets.sps)?.parameterSets == nil)
        var other = Packets.sps
        other[7] = 0x33
        #expect(picture(1, other)?.parameterSets == ParameterSets(sps: [other], pps: [Packets.pps]))
        #expect(picture(2, other + [0, 0])?.parameterSets == nil)
        #expect(picture(3, Packets.sps)?.parameterSets?.sps == [Packets.sps])
    }

    @Test("Aggregates, fragments and single units make the same picture")
    func structures() {
        let long = Packets.slice(idr: true, length: 5000)
        let rest = Packets.slice(first: false, length: 40)
        let expected = Packets.sized([[0x06, 5, 1, 0, 0x80], long, rest])
        let sei: [UInt8] = [0x06, 5, 1, 0, 0x80]
        func stap(_ nals: [[UInt8]], b: Bool = false) -> [UInt8] {
            [b ? 25 : 24] + (b ? [0, 1] : []) + nals.flatMap { Packets.be16($0.count) + $0 }
        }
        var fuB = Packets.fuA(long, pieces: 2)
        fuB[0] = [fuB[0][0] & 0xe0 | 29, fuB[0][1], 0, 9] + fuB[0].dropFirst(2)
        let ways: [[[UInt8]]] = [
            [[9, 0xf0], Packets.sps, sei, long, rest], [stap([[9, 0xf0], Packets.sps, Packets.pps, sei]), long, rest],
            [stap([sei, [12, 1, 1], []])] + Packets.fuA(long, pieces: 7) + [rest], [stap([sei, long, rest], b: true)],
            [sei] + fuB + [rest], [[], [0, 0, 0, 1] + sei, [0, 0, 1] + long, rest],
            // A whole picture in Annex B form as one NAL unit.
            Packets.fuA(Packets.sps + [0, 0, 0, 1] + Packets.pps + [0, 0, 0, 1] + sei + [0, 0, 1] + long + [0, 0, 1] + rest, pieces: 4),
        ]
        for (index, way) in ways.enumerated() {
            let one = Depacketizing(h264: ParameterSets(), trusted: true)
            for (number, payload) in way.enumerated() { one.send(payload, 5, marker: number == way.count - 1) }
            #expect(one.units.map(\.bytes.array) == [expected], "way \(index)")
            #expect(one.units.first?.isKeyframe == true, "way \(index)")
            #expect(one.units.first?.isDamaged == false, "way \(index)")
            #expect(one.depacketizer.malformed == 0, "way \(index)")
        }
    }

    @Test("A fragment whose end bit is missing ends with the marker, the next start, or the next unit")
    func missingEndBit() {
        let one = Depacketizing(h264: ParameterSets(), trusted: true)
        var pieces = Packets.fuA(slice, pieces: 2)
        pieces[1][1] &= 0xbf
        one.send(pieces[0], 0)
        #expect(one.send(pieces[1], 0, marker: true).first?.bytes.array == Packets.sized([slice]))
        one.send(pieces[0], 1)
        one.send(pieces[1], 1)
        #expect(one.send(slice, 2).first?.bytes.array == Packets.sized([slice]))
    }

    @Test("After a loss only whole NAL units are delivered, and the unit says that it is damaged")
    func loss() {
        let one = Depacketizing(h264: ParameterSets(), trusted: true)
        let pieces = Packets.fuA(Packets.slice(first: false, length: 300), pieces: 3)
        one.send(idr, 0)
        one.send(pieces[0], 0)
        let units = one.send(pieces[2], 0, marker: true, lost: 1)
        #expect(units.map(\.bytes.array) == [Packets.sized([idr])])
        #expect(units.first?.isDamaged == true)
        #expect(units.first?.lostPackets == 1)
        // A loss between whole pictures damages neither.
        let next = one.send(slice, 1, marker: true, lost: 4)
        #expect(next.first?.isDamaged == false)
        #expect(next.first?.lostPackets == 4)
        // The beginning of a picture is lost.
        #expect(one.send(Packets.slice(first: false), 2, marker: true, lost: 1).first?.isDamaged == true)
        // The end of a picture is lost.
        one.send(slice, 3)
        #expect(one.send(slice, 4, marker: true, lost: 1).map(\.isDamaged) == [true, false])
        // Nothing whole is left: the count goes to the next unit.
        #expect(one.send(pieces[1], 5, marker: true, lost: 2).isEmpty)
        #expect(one.send(slice, 6, marker: true).first?.lostPackets == 2)
    }

    @Test("B slices are noticed")
    func bSlices() {
        let one = Depacketizing(h264: ParameterSets(), trusted: true)
        #expect(one.send(Packets.slice(isB: true), 0, marker: true).first?.isReordered == true)
        #expect(one.send(slice, 1, marker: true).first?.isReordered == false)
    }

    @Test("A recovery point before an I slice is a place to begin")
    func recoveryPoint() {
        let one = Depacketizing(h264: ParameterSets(), trusted: true)
        var intra = Packets.slice(idr: true)
        intra[0] = 0x41
        one.send([0x06, 6, 1, 0xc4, 0x80], 0)
        #expect(one.send(intra, 0, marker: true).first?.isKeyframe == true)
        #expect(one.send(intra, 1, marker: true).first?.isKeyframe == false)
    }

    @Test("A unit beyond the limit is dropped, counted, and the next one is whole")
    func oversize() {
        let one = Depacketizing(h264: ParameterSets(), trusted: true, unitLimit: 10_000)
        for index in 0..<20 { one.send(Packets.slice(first: index == 0, length: 1000), 0, marker: index == 19) }
        #expect(one.send(slice, 1, marker: true).map(\.rtpTimestamp) == [1])
        #expect(one.depacketizer.malformed == 1)
    }

    @Test("Structures that make no sense are counted and end nothing")
    func malformed() {
        let one = Depacketizing(h264: ParameterSets(), trusted: true)
        for payload in [[28], [24, 0xff, 0xff, 1], [24, 0], [26, 1, 2, 3], [30], [31], [28, 0x05, 1], [25], [24]] as [[UInt8]] {
            one.send(payload, 0)
        }
        one.send(slice, 1, marker: true)
        #expect(one.units.map(\.rtpTimestamp) == [1])
        #expect(one.depacketizer.malformed >= 5)
    }

    // MARK: H.265

    /// A slice of H.265: header, first flag, and what follows.
    private func slice265(_ type: UInt8, first: Bool = true, length: Int = 30) -> [UInt8] {
        [type << 1, 1, first ? 0x80 : 0x10] + (3..<length).map { UInt8(truncatingIfNeeded: $0 | 0x40) }
    }

    private func h265(donl: Bool = false) -> Depacketizing {
        var format = SDPFormat(codec: .h265, payloadType: 96, clockRate: 90000)
        format.hasDecodingOrder = donl
        let one = Depacketizing(format)
        for index in 0...NALDepacketizer.trustAfter {
            one.send((donl ? [2, 1, 0, 0] : [2, 1]) + [0x80, 1, 2], 900_000 + UInt32(index), marker: true)
        }
        return one
    }

    @Test("H.265 aggregates and fragments, with and without decoding order numbers", arguments: [false, true])
    func hevc(_ donl: Bool) {
        let vps: [UInt8] = [0x40, 1, 0x0c, 1, 0xff]
        let idr = slice265(19, length: 1000)
        let trail = slice265(1, first: false)
        let one = h265(donl: donl)
        let order: [UInt8] = donl ? [0, 1] : []
        let before = one.units.count
        one.send(
            [0x60, 1] + order + Packets.be16(vps.count) + vps + (donl ? [0] : []) + Packets.be16(trail.count - 10) + slice265(19, length: 20), 5)
        let body = Array(slice265(19, first: false, length: 1000).dropFirst(2))
        one.send([0x62, 1, 0x80 | 19] + order + body.prefix(400), 5)
        one.send([0x62, 1, 19] + body.dropFirst(400).prefix(300), 5)
        one.send([0x62, 1, 0x40 | 19] + body.dropFirst(700), 5, marker: true)
        let unit = one.units.dropFirst(before).first
        #expect(unit?.bytes.array == Packets.sized([slice265(19, length: 20), slice265(19, first: false, length: 1000)]))
        #expect(unit?.isKeyframe == true)
        #expect(unit?.parameterSets?.vps == [vps])
        #expect(idr.count == 1000)
    }

    @Test("H.265 suffix messages belong to the picture before, prefix ones to the next")
    func hevcMessages() {
        var format = SDPFormat(codec: .h265, payloadType: 96, clockRate: 90000)
        format.framerate = 15
        let one = Depacketizing(format)
        let suffix: [UInt8] = [40 << 1, 1, 5, 0x80]
        let prefix: [UInt8] = [39 << 1, 1, 5, 0x80]
        one.send(slice265(1), 0, marker: true)
        one.send(suffix, 0, marker: true)
        one.send(prefix, 0)
        one.send(slice265(1), 0, marker: true)
        one.flush()
        #expect(one.units.map(\.bytes.array) == [Packets.sized([slice265(1), suffix]), Packets.sized([prefix, slice265(1)])])
    }
}
