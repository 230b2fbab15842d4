// What belongs here: the pace of sources that deliver ahead of time, and the headers of AAC.
import NVRMedia
import Testing

@Suite("The pace of files and playlists")
struct MediaPacerTests {
    /// Plays packets 40 ms apart that are there at the times `ready` gives; the times they go on at.
    private func play(_ count: Int, step: Int64 = 40_000, ready: (Int) -> Int64) -> [Int64] {
        var pacer = MediaPacer()
        var now: Int64 = 0
        return (0..<count).map { index in
            now = max(now, ready(index))
            now += pacer.wait(for: Int64(index) * step, now: now)
            return now
        }
    }

    @Test("a file is read at the pace of its own clock")
    func file() {
        let times = play(1000) { _ in 0 }
        #expect(zip(times, times.dropFirst()).allSatisfy { (39_900...40_000).contains($1 - $0) })
    }

    @Test("a stall shifts the pace, and what comes at once afterwards is not rushed")
    func stall() {
        let times = play(500) { $0 < 100 ? 0 : 10_000_000 }
        #expect(times[100] == 10_000_000)
        #expect(zip(times[100...], times[101...]).allSatisfy { $1 - $0 >= 39_900 })
    }

    @Test("segments of two seconds are evened out, whichever clock is faster", arguments: [-500, 0, 500])
    func segments(ppm: Int) {
        // Each segment is there when its last packet was made, by a clock that is off.
        let times = play(20_000) { Int64(Double(($0 / 50 + 1) * 2_000_000) * (1 + Double(ppm) / 1e6)) }
        let steps = zip(times, times.dropFirst()).map { $1 - $0 }
        #expect(steps.filter { $0 > 100_000 }.count <= 1)
        // Nothing piles up: the last packet waits no longer than a segment and a bit.
        #expect(times[19_999] - Int64(Double(400 * 2_000_000) * (1 + Double(ppm) / 1e6)) < 2_500_000)
    }

    @Test("a jump of the sender's clock is no reason to wait", arguments: [Int64.min, -5_000_000, 20_000_000, Int64.max])
    func jumps(to time: Int64) {
        var pacer = MediaPacer()
        _ = pacer.wait(for: 0, now: 1_000_000)
        #expect(pacer.wait(for: time, now: 1_000_000) == 0)
    }

    @Test("waits are never longer than the longest")
    func random() {
        for seed in 0..<2_000 {
            var random = SeededGenerator(state: UInt64(seed))
            var pacer = MediaPacer()
            var now: Int64 = 0
            for _ in 0..<50 {
                now += Int64.random(in: 0...3_000_000, using: &random)
                let wait = pacer.wait(for: Int64.random(in: -20_000_000...20_000_000, using: &random), now: now)
                #expect(wait >= 0 && wait <= MediaPacer.longestWait)
            }
        }
    }
}

@Suite("AAC with headers")
struct ADTSHeaderTests {
    private static let frame: [UInt8] = [0xFF, 0xF1, 0x60, 0x40, 0x01, 0x7F, 0xFC, 1, 2, 3, 4]

    @Test("rate, channels and length are read, and frames are taken out of their headers")
    func frames() throws {
        let header = try #require(Self.frame.withUnsafeBytes { ADTSHeader($0) })
        #expect(header.objectType == 2 && header.sampleRate == 16_000 && header.channels == 1 && header.length == 7 && header.frameLength == 11)
        #expect(header.audioSpecificConfig.prefix(2) == [0x14, 0x08])
        let found = (Self.frame + Self.frame).withUnsafeBytes { ADTSHeader.frames(in: $0).map { [UInt8]($0) } }
        #expect(found == [[1, 2, 3, 4], [1, 2, 3, 4]])
        let raw: [UInt8] = [0x21, 0x10]
        #expect(raw.withUnsafeBytes { ADTSHeader.frames(in: $0).map { [UInt8]($0) } } == [raw])
        #expect(Self.frame.dropLast().withUnsafeBytes { ADTSHeader.frames(in: $0).count } == 0)
    }

    @Test("random bytes never trap")
    func random() {
        for seed in 0..<5_000 {
            var random = SeededGenerator(state: UInt64(seed))
            var bytes = (0..<Int.random(in: 0...64, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            if bytes.count > 1 { bytes.replaceSubrange(0..<2, with: [0xFF, 0xF1]) }
            _ = bytes.withUnsafeBytes { ADTSHeader.frames(in: $0).count }
        }
    }
}
