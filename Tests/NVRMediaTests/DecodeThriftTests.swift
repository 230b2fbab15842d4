import NVRMedia
import Testing

@Suite("Decode thrift")
struct DecodeThriftTests {
    /// The steps for frames at 15 a second in GOPs of `gop` frames, after enough GOPs to know their length.
    private static func steps(gop: Int, _ attention: DecodeThrift.Attention, gops: Int = 3, learning: DecodeThrift.Attention = .full) -> [DecodeThrift
        .Step]
    {
        var thrift = DecodeThrift()
        var result: [DecodeThrift.Step] = []
        for frame in 0..<((4 + gops) * gop) {
            let isLearning = frame < 3 * gop + 1
            let step = thrift.step(isKeyframe: frame % gop == 0, bytes: 4000, at: Int64(frame) * 66_667, isLearning ? learning : attention)
            if !isLearning { result.append(step) }
        }
        return result
    }

    @Test("with full attention everything is decoded")
    func full() {
        #expect(Self.steps(gop: 30, .full).allSatisfy { $0 == .decode })
    }

    @Test("of a calm scene the end of each GOP is held, for no longer than an event takes to be one", arguments: [15, 30, 60])
    func calm(gop: Int) {
        let steps = Self.steps(gop: gop, .calm)
        #expect(steps.count { $0 == .peek } == 3)
        for part in steps.split(separator: .peek) {
            let held = part.count { $0 == .hold }
            #expect(held >= 8 && Double(held) / 15 <= 0.61)
            // Decoding first, then holding, in every GOP.
            #expect(part.drop { $0 == .decode }.allSatisfy { $0 == .hold })
        }
    }

    @Test("within an event the beginning of each GOP is decoded", arguments: [(30, 10), (45, 10)])
    func steady(gop: Int, looks: Int) {
        for part in Self.steps(gop: gop, .steady).split(separator: .peek).dropFirst() {
            #expect(part.count { $0 == .decode } <= looks)
            #expect(part.count { $0 == .hold } >= gop - looks - 1)
        }
    }

    @Test("short and endless GOPs, and those of changing length, are decoded whole")
    func others() {
        #expect(Self.steps(gop: 5, .calm).allSatisfy { $0 == .decode })
        #expect(Self.steps(gop: 1, .calm).allSatisfy { $0 == .decode })
        #expect(Self.steps(gop: 150, .steady).allSatisfy { $0 == .decode })
        var thrift = DecodeThrift()
        var time: Int64 = 0
        for length in [15, 60, 20, 90, 30, 45, 15, 75] {
            for frame in 0..<length {
                time += 66_667
                #expect(thrift.step(isKeyframe: frame == 0, bytes: 4000, at: time, .calm) == .decode)
            }
        }
    }

    @Test("a key frame that does not come, too many bytes and sudden attention have what is held decoded, once")
    func catchingUp() {
        func held() -> (DecodeThrift, Int64) {
            var thrift = DecodeThrift()
            var time: Int64 = 0
            for frame in 0..<(3 * 30 + 28) {
                time = Int64(frame) * 66_667
                _ = thrift.step(isKeyframe: frame % 30 == 0, bytes: 4000, at: time, .calm)
            }
            return (thrift, time)
        }
        var (late, time) = held()
        var steps: [DecodeThrift.Step] = []
        for _ in 0..<20 {
            time += 66_667
            steps.append(late.step(isKeyframe: false, bytes: 4000, at: time, .calm))
        }
        #expect(steps.count { $0 == .catchUp } == 1)
        #expect(steps.drop { $0 == .hold }.dropFirst().allSatisfy { $0 == .decode })
        #expect(steps.prefix { $0 == .hold }.count <= 6)

        var (large, then) = held()
        #expect(large.step(isKeyframe: false, bytes: 5 << 20, at: then + 66_667, .calm) == .catchUp)
        var (alert, now) = held()
        #expect(alert.step(isKeyframe: false, bytes: 4000, at: now + 66_667, .full) == .catchUp)
        #expect(alert.step(isKeyframe: true, bytes: 4000, at: now + 133_334, .full) == .decode)
        // A clock that runs backwards holds nothing for ever.
        var (back, later) = held()
        later = 0
        #expect(back.step(isKeyframe: false, bytes: 4000, at: later, .calm) == .catchUp)
    }
}
