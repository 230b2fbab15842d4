import RTSP
import Testing

@Suite("RTP and RTCP")
struct RTPTests {
    private func parse<R>(_ bytes: [UInt8], _ body: (RTPPacket?) -> R) -> R {
        bytes.withUnsafeBytes { body(RTPPacket(ByteView($0))) }
    }

    @Test("Sources, extensions and padding are stepped over")
    func header() {
        let bytes: [UInt8] =
            [0xb2, 0xe0, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 7] + [1, 1, 1, 1, 2, 2, 2, 2] + [0xbe, 0xde, 0, 1, 9, 9, 9, 9] + [5, 6] + [0, 0, 3]
        parse(bytes) { packet in
            #expect(packet?.payloadType == 96)
            #expect(packet?.marker == true)
            #expect(packet?.sequence == 0x1234)
            #expect(packet?.timestamp == 9)
            #expect(packet?.ssrc == 7)
            #expect(packet?.payload.array == [5, 6])
        }
    }

    @Test(
        "Packets that make no sense are refused",
        arguments: [
            [], [0x80], [UInt8](repeating: 0x40, count: 12), [0x8f, 0x60] + [UInt8](repeating: 0, count: 12),
            [0x90, 0x60] + [UInt8](repeating: 0xff, count: 20), [0xa0, 0x60] + [UInt8](repeating: 0, count: 11),
            [0xa0, 0x60] + [UInt8](repeating: 0xff, count: 11),
        ] as [[UInt8]])
    func refuses(_ bytes: [UInt8]) {
        parse(bytes) { #expect($0 == nil) }
    }

    @Test("Loss, duplicates and restarts are told apart, also across the wrap")
    func reception() {
        var one = RTPReception()
        let step1 = one.judge(65534, ordered: true)
        #expect(step1 == .take(lost: 0))
        let step2 = one.judge(65535, ordered: true)
        #expect(step2 == .take(lost: 0))
        let step3 = one.judge(0, ordered: true)
        #expect(step3 == .take(lost: 0))
        let step4 = one.judge(3, ordered: true)
        #expect(step4 == .take(lost: 2))
        let step5 = one.judge(3, ordered: true)
        #expect(step5 == .drop)
        let step6 = one.judge(65535, ordered: true)
        #expect(step6 == .drop)
        let report = one.report()
        #expect(report.highestSequence == 65536 + 3)
        #expect(report.cumulativeLost == 2)
        #expect(report.fractionLost == UInt8(2 * 256 / 6))
        let oneReport2131 = one.report()
        #expect(oneReport2131.fractionLost == 0)
        let step7 = one.judge(30000, ordered: true)
        #expect(step7 == .restart)
        var two = RTPReception()
        let step8 = two.judge(10, ordered: false)
        #expect(step8 == .take(lost: 0))
        let step9 = two.judge(30000, ordered: false)
        #expect(step9 == .drop)
        let step10 = two.judge(11, ordered: false)
        #expect(step10 == .take(lost: 0))
        let step11 = two.judge(30000, ordered: false)
        #expect(step11 == .drop)
        let step12 = two.judge(30001, ordered: false)
        #expect(step12 == .restart)
    }

    @Test("A wrap with loss right at it counts one cycle")
    func wrapWithLoss() {
        var one = RTPReception()
        _ = one.judge(65535, ordered: true)
        let step13 = one.judge(5, ordered: true)
        #expect(step13 == .take(lost: 5))
        let oneReport3005 = one.report()
        #expect(oneReport3005.highestSequence == 65541)
    }

    @Test("Waiting datagrams come out in order, once, and are not waited for too long")
    func reorder() {
        func held(_ sequence: UInt16, _ arrival: Int64 = 0) -> ReorderBuffer.Held {
            .init(sequence: sequence, arrival: arrival, bytes: [UInt8(sequence & 0xff)])
        }
        var buffer = ReorderBuffer()
        let inserted3376 = buffer.insert(held(2), next: 65535)
        #expect(inserted3376)
        let inserted3429 = buffer.insert(held(0), next: 65535)
        #expect(inserted3429)
        let inserted3482 = buffer.insert(held(2), next: 65535)
        #expect(!inserted3482)
        let step14 = buffer.pop(next: 65535, now: 1)
        #expect(step14 == nil)
        let step15 = buffer.pop(next: 0, now: 1)?.sequence
        #expect(step15 == 0)
        let step16 = buffer.pop(next: 1, now: 1)
        #expect(step16 == nil)
        let step17 = buffer.pop(next: 1, now: ReorderBuffer.maximumWait + 1)?.sequence
        #expect(step17 == 2)
        #expect(buffer.isEmpty)
        for index in 0...UInt16(ReorderBuffer.maximumHeld) { _ = buffer.insert(held(index &+ 10), next: 9) }
        let step18 = buffer.pop(next: 9, now: 0)?.sequence
        #expect(step18 == 10)
        let step19 = buffer.pop(next: 9, now: 0)
        #expect(step19 == nil)
        let step20 = buffer.popAny()?.sequence
        #expect(step20 == 11)
    }

    @Test("Sender reports and farewells are found in compound packets")
    func rtcp() throws {
        let ntp: [UInt8] = [0xe0, 0, 0, 1, 0x80, 0, 0, 0]
        let report: [UInt8] = [0x80, 200, 0, 6, 0, 0, 0, 5] + ntp + [0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 2]
        let bye: [UInt8] = [0x81, 203, 0, 1, 0, 0, 0, 5]
        let source: [UInt8] = [0x81, 202, 0, 2, 0, 0, 0, 5, 1, 1, 65, 0]
        let packets = (report + source + bye).withUnsafeBytes { RTCP.parse(ByteView($0)) }
        #expect(packets == [.senderReport(ssrc: 5, ntp: 0xe000_0001_8000_0000, rtpTimestamp: 256), .bye(ssrcs: [5])])
        #expect(RTCP.microseconds(ntp: 0xe000_0001_8000_0000) == 1_549_107_585_500_000)
        #expect(RTCP.microseconds(ntp: 0) == nil)
        // Beyond 2036 the seconds begin anew.
        #expect(RTCP.microseconds(ntp: 1 << 32) == 2_085_978_497_000_000)
        for broken in [[0x80], [0x80, 200, 0xff, 0xff, 0, 0, 0, 0], [0x00, 200, 0, 0], report + [1, 2]] as [[UInt8]] {
            #expect(broken.withUnsafeBytes { RTCP.parse(ByteView($0)) } == nil)
        }
        #expect(([0x9f, 203, 0, 0] as [UInt8]).withUnsafeBytes { RTCP.parse(ByteView($0)) } == [.bye(ssrcs: [])])
    }

    @Test("Receiver reports are laid out as RFC 3550 wants them")
    func receiverReport() {
        let report = RTPReception.Report(fractionLost: 3, cumulativeLost: -1, highestSequence: 0x10002, jitter: 77)
        let bytes = RTCP.receiverReport(from: 9, cname: "me", about: (5, report), last: .init(ntpMiddle: 0xaabb_ccdd, age: 500_000))
        #expect(bytes.count % 4 == 0)
        #expect(Array(bytes[0..<8]) == [0x81, 201, 0, 7, 0, 0, 0, 9])
        #expect(Array(bytes[8..<32]) == [0, 0, 0, 5, 3, 0xff, 0xff, 0xff, 0, 1, 0, 2, 0, 0, 0, 77, 0xaa, 0xbb, 0xcc, 0xdd, 0, 0, 0x80, 0])
        #expect(Array(bytes[32...]) == [0x81, 202, 0, 3, 0, 0, 0, 9, 1, 2, 0x6d, 0x65, 0, 0, 0, 0])
        #expect(bytes.withUnsafeBytes { RTCP.parse(ByteView($0)) } == [])
        #expect(RTCP.receiverReport(from: 9, cname: "", about: nil, last: nil).prefix(4) == [0x80, 201, 0, 1])
    }

    @Test("Steady arrival has no jitter, unsteady has")
    func jitter() {
        var steady = RTPReception()
        var unsteady = RTPReception()
        for index in 0..<200 {
            let number = UInt16(index)
            _ = steady.judge(number, ordered: true)
            _ = unsteady.judge(number, ordered: true)
            steady.measure(arrival: UInt32(5000 + index * 100), timestamp: UInt32(index * 100))
            unsteady.measure(arrival: UInt32(5000 + index * 100 + index % 2 * 50), timestamp: UInt32(index * 100))
        }
        let steadyReport7087 = steady.report()
        #expect(steadyReport7087.jitter == 0)
        let shaken = unsteady.report().jitter
        #expect((45...55).contains(shaken))
    }
}

@Suite("Shared bytes")
struct MediaBytesTests {
    @Test("Published slices keep their bytes while the chunk fills up behind them")
    func sharing() throws {
        var writer = ChunkWriter(preferredCapacity: 64, unitLimit: 1000)
        var published: [(MediaBytes, [UInt8])] = []
        for round in 0..<200 {
            let bytes = (0..<(round % 40 + 1)).map { UInt8(($0 + round) & 0xff) }
            let appended = bytes.withUnsafeBytes { writer.append(ByteView($0)) }
            #expect(appended)
            _ = writer.append(0xee)
            writer.truncate(to: bytes.count)
            let slice = writer.publish()
            published.append((try #require(slice), bytes))
        }
        for (slice, bytes) in published { #expect(slice.array == bytes) }
        let nothing = writer.publish()
        #expect(nothing == nil)
    }

    @Test("A unit that grows moves on whole, and stops at its limit")
    func growing() {
        var writer = ChunkWriter(preferredCapacity: 32, unitLimit: 300)
        var expected: [UInt8] = []
        for index in 0..<100 {
            let bytes = [UInt8(index), 1, 2]
            let fits = bytes.withUnsafeBytes { writer.append(ByteView($0)) }
            #expect(fits)
            expected += bytes
        }
        let fits = writer.append(1)
        #expect(!fits)
        writer.patch(bigEndian: 0x0102_0304, at: 4)
        writer.patch(bigEndian: 0xffff_ffff, at: 298)
        expected.replaceSubrange(4..<8, with: [1, 2, 3, 4])
        let unit = writer.publish()
        #expect(unit?.array == expected)
    }

    @Test("Copies are copies")
    func copies() {
        let bytes = MediaBytes([1, 2, 3])
        #expect(bytes.array == [1, 2, 3])
        #expect(MediaBytes([]).count == 0)
        #expect(MediaBytes([]).array.isEmpty)
    }
}
