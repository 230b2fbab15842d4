import NVRMedia
import NVRModel
import Testing

@Suite("Pre-roll")
struct PreRollTests {
    /// Numbered frames at 10 a second with a keyframe every `gop`.
    private static func fill(_ preRoll: inout PreRoll, _ range: Range<Int>, gop: Int, bytes: Int = 100) {
        for number in range {
            var next = packet(Double(number) / 10, key: number % gop == 0, bytes: bytes)
            next.sequence = UInt64(number + 1)
            preRoll.append(next)
        }
    }

    @Test("keeps the newest whole GOP when nothing more is asked for")
    func lastGOP() {
        var preRoll = PreRoll(span: 0, maxBytes: 1 << 20)
        Self.fill(&preRoll, 0..<47, gop: 10)
        #expect(preRoll.count == 7 && preRoll.bytes == 700)
        #expect(preRoll.lastGOP().map(\.sequence) == Array(41...47))
        #expect(preRoll.newest?.sequence == 47)
    }

    @Test("keeps whole GOPs that reach back at least as far as asked for, and no more")
    func span() {
        for span in [1, 5, 10, 33, 100] {
            var preRoll = PreRoll(span: Int64(span) * 100_000, maxBytes: 1 << 20)
            for number in 0..<500 {
                Self.fill(&preRoll, number..<number + 1, gop: 10)
                guard number > span + 10 else { continue }
                let all = preRoll.packets(from: WallTime(microseconds: .min))
                #expect(all.first?.isKeyframe == true && all.count == preRoll.count)
                #expect(all.count > span && all.count <= span + 20, "\(all.count) frames kept for \(span)")
            }
        }
    }

    @Test("gives the packets from the last keyframe at or before a time on")
    func fromTime() {
        var preRoll = PreRoll(span: 10_000_000, maxBytes: 1 << 20)
        Self.fill(&preRoll, 0..<47, gop: 10)
        func first(_ seconds: Double) -> UInt64? { preRoll.packets(from: wallZero.advanced(byMicroseconds: Int64(seconds * 1e6))).first?.sequence }
        #expect(first(2.55) == 21)
        #expect(first(2.0) == 21)
        #expect(first(1.999) == 11)
        #expect(first(-5) == 1)
        #expect(first(99) == 41)
        #expect(preRoll.packets(from: wallZero).count == 47)
    }

    @Test("goes on after a packet when every packet since is still there")
    func afterSequence() {
        var preRoll = PreRoll(span: 0, maxBytes: 1 << 20)
        Self.fill(&preRoll, 0..<47, gop: 10)
        #expect(preRoll.packets(after: 44)?.map(\.sequence) == [45, 46, 47])
        #expect(preRoll.packets(after: 40)?.map(\.sequence) == Array(41...47))
        #expect(preRoll.packets(after: 39) == nil)
        #expect(preRoll.packets(after: 47)?.isEmpty == true)
        #expect(preRoll.packets(after: 99)?.isEmpty == true)
        _ = preRoll.packets(after: .max)
        preRoll.removeAll()
        #expect(preRoll.packets(after: 47) == nil)
    }

    @Test("drops the oldest GOPs past its bytes, but never the newest one")
    func bytesBound() {
        var preRoll = PreRoll(span: 1_000_000_000, maxBytes: 2_500)
        for number in 0..<95 {
            Self.fill(&preRoll, number..<number + 1, gop: 10)
            #expect(preRoll.bytes <= 2_500)
            #expect(preRoll.packets(from: WallTime(microseconds: .min)).first?.isKeyframe == true)
        }
        #expect(preRoll.count >= 15)
        var large = PreRoll(span: 1_000_000_000, maxBytes: 50)
        Self.fill(&large, 0..<19, gop: 10)
        #expect(large.lastGOP().count == 9 && large.count == 9)
    }

    @Test("never holds more than the hard limit, and under it drops the oldest GOPs rather than everything")
    func hardLimit() {
        var preRoll = PreRoll(span: 3_600_000_000, maxBytes: 1 << 30)
        for number in 0..<120 {
            Self.fill(&preRoll, number..<number + 1, gop: 10, bytes: 1 << 20)
            #expect(preRoll.bytes <= PreRoll.hardLimit)
            #expect(!preRoll.lastGOP().isEmpty)
        }
        #expect(preRoll.bytes > PreRoll.hardLimit / 2)
        // A stream that never sends another keyframe is given up at the limit and taken again at its next keyframe.
        var endless = PreRoll(span: 0, maxBytes: 1 << 30)
        Self.fill(&endless, 0..<60, gop: 1_000_000, bytes: 1 << 20)
        #expect(endless.bytes <= PreRoll.hardLimit && endless.count == 0)
        Self.fill(&endless, 1_000_000..<1_000_003, gop: 1_000_000, bytes: 100)
        #expect(endless.count == 3)
    }

    @Test("takes nothing before the first keyframe, and sound only with pictures")
    func beforeKeyframe() {
        var preRoll = PreRoll(span: 0, maxBytes: 1 << 20)
        Self.fill(&preRoll, 1..<9, gop: 10)
        preRoll.append(packet(0.9, kind: .audio))
        #expect(preRoll.count == 0 && preRoll.bytes == 0 && preRoll.newest == nil && preRoll.lastGOP().isEmpty)
        #expect(preRoll.packets(from: wallZero).isEmpty)
        Self.fill(&preRoll, 10..<12, gop: 10)
        preRoll.append(packet(1.15, kind: .audio))
        #expect(preRoll.count == 3 && preRoll.lastGOP().count == 3)
    }

    @Test("random streams: what is kept is always whole GOPs without gaps, and bytes are counted right")
    func randomStreams() {
        for seed in 0..<100 {
            var random = SeededGenerator(state: UInt64(seed))
            let span = Int64.random(in: 0...5_000_000, using: &random)
            let maxBytes = Int.random(in: 1_000...50_000, using: &random)
            var preRoll = PreRoll(span: span, maxBytes: maxBytes)
            var time = 0.0
            for number in 0..<400 {
                if random.chance(0.005) { preRoll.removeAll() }
                time += Double.random(in: 0.01...0.3, using: &random)
                let isAudio = random.chance(0.3)
                var next = packet(time, key: random.chance(0.1), kind: isAudio ? .audio : .video, bytes: Int.random(in: 0...900, using: &random))
                next.sequence = UInt64(number + 1)
                preRoll.append(next)
                let all = preRoll.packets(from: WallTime(microseconds: .min))
                #expect(all.count == preRoll.count && all.reduce(0) { $0 + $1.byteCount } == preRoll.bytes)
                guard let first = all.first else { continue }
                #expect(first.kind == .video && first.isKeyframe)
                #expect(zip(all, all.dropFirst()).allSatisfy { $1.sequence == $0.sequence + 1 })
                let keyframes = all.filter { $0.kind == .video && $0.isKeyframe }.count
                #expect(preRoll.bytes <= maxBytes || keyframes == 1)
            }
        }
    }
}
