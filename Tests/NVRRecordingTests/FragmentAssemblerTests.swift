import NVRMedia
import NVRModel
import NVRRecording
import Testing

@Suite("Fragment assembler")
struct FragmentAssemblerTests {
    /// What the assembler was given and what it gave.
    private struct Trial {
        var assembler: FragmentAssembler
        var chunks: [Chunk] = []
        var given: [MediaPacket] = []

        init(segmentSeconds: Int, takesAudio: Bool = true) {
            assembler = FragmentAssembler(segmentSeconds: segmentSeconds, takesAudio: takesAudio)
        }

        mutating func begin(_ description: StreamDescription) { assembler.begin(description) { chunks.append($0) } }
        mutating func add(_ packets: [MediaPacket]) {
            given += packets
            for packet in packets { assembler.add(packet) { chunks.append($0) } }
        }
        mutating func end() { assembler.end { chunks.append($0) } }

        var video: [UInt64] { chunks.flatMap { $0.video.map(\.sequence) } }
        var audio: [UInt64] { chunks.flatMap { $0.audio.map(\.sequence) } }
        func given(_ kind: MediaPacket.Kind) -> [UInt64] { given.filter { $0.kind == kind }.map(\.sequence) }
        /// Chunks of each segment.
        var segments: [[Chunk]] {
            chunks.reduce(into: []) { segments, chunk in
                if chunk.startsSegment { segments.append([]) }
                if segments.isEmpty { segments.append([]) }
                segments[segments.count - 1].append(chunk)
            }
        }
    }

    private static func check(_ trial: Trial, segmentSeconds: Int, seed: Int) -> String? {
        if trial.video != trial.given(.video) { return "frames were lost, repeated or reordered" }
        if trial.chunks.contains(where: { $0.video.isEmpty }) { return "an empty chunk" }
        for (index, chunk) in trial.chunks.enumerated() {
            guard let first = chunk.video.first, let last = chunk.video.last else { continue }
            if last.dts - first.dts >= 90_000 { return "a chunk of \(last.dts - first.dts) ticks before its last frame" }
            if chunk.videoEnd <= last.dts { return "a chunk that ends before its last frame" }
            if chunk.startsSegment, !first.isKeyframe { return "a segment that begins without a keyframe" }
            if index + 1 < trial.chunks.count {
                let next = trial.chunks[index + 1]
                if next.description.run == chunk.description.run, next.video[0].dts != chunk.videoEnd {
                    return "a chunk that ends at \(chunk.videoEnd), before \(next.video[0].dts)"
                }
                if next.description.run != chunk.description.run, !chunk.endsSegment || !next.startsSegment {
                    return "a run that goes on in a segment of another"
                }
                if next.description.video != chunk.description.video, !next.startsSegment { return "new parameters within a segment" }
                if chunk.endsSegment, !next.startsSegment { return "a chunk after the end of its segment" }
            } else if !chunk.endsSegment {
                return "the last chunk does not end its segment"
            }
        }
        for segment in trial.segments {
            guard let first = segment.first?.video.first else { continue }
            // No keyframe that lies behind the segment's length is inside it.
            for packet in segment.flatMap(\.video) where packet.isKeyframe && packet.sequence != first.sequence {
                if packet.dts - first.dts >= Int64(segmentSeconds) * 90_000 { return "a keyframe \(packet.dts - first.dts) ticks into a segment" }
            }
        }
        return nil
    }

    @Test("random streams: every frame in exactly one chunk, chunks of a second, segments cut at the first keyframe after their length")
    func randomStreams() {
        var failures: [String] = []
        for seed in 0..<500 {
            var random = SeededGenerator(state: UInt64(seed))
            let segmentSeconds = Int.random(in: 1...20, using: &random)
            let hasAudio = random.chance(0.5)
            var stream = SyntheticStream(audio: hasAudio ? aac : nil)
            stream.fps = Int.random(in: 1...60, using: &random)
            stream.gop = [1, 2, 15, 30, 250, 5000].randomElement(using: &random) ?? 15
            let isWild = random.chance(0.5)
            let lag = random.chance(0.5) ? Double.random(in: 0...0.45, using: &random) : 0
            var trial = Trial(segmentSeconds: segmentSeconds)
            trial.begin(stream.description)
            var gap = false
            for _ in 0..<Int.random(in: 1...600, using: &random) {
                if random.chance(0.004) {
                    stream.changeParameters()
                    trial.begin(stream.description)
                }
                if random.chance(0.003) {
                    if Bool.random(using: &random) { trial.end() }
                    stream.newRun()
                    trial.begin(stream.description)
                    gap = true
                }
                let step = isWild ? Int64.random(in: 1...(random.chance(0.02) ? 900_000 : 12_000), using: &random) : nil
                trial.add([stream.video(step: step)] + stream.audio(lag: lag))
            }
            trial.end()
            trial.end()
            if let problem = Self.check(trial, segmentSeconds: segmentSeconds, seed: seed) { failures.append("seed \(seed): \(problem)") }
            if trial.assembler.skipped > 0 { failures.append("seed \(seed): \(trial.assembler.skipped) skipped") }
            if hasAudio, !gap, trial.audio.sorted() != trial.given(.audio) { failures.append("seed \(seed): sound was lost or repeated") }
        }
        #expect(failures.isEmpty, "\(failures.count): \(failures.prefix(5))")
    }

    @Test("the first chunk of a run is a quarter of a second, so that its footage is on the disk soon; those after it are not")
    func firstChunk() {
        var stream = SyntheticStream()
        var trial = Trial(segmentSeconds: 2)
        trial.begin(stream.description)
        trial.add(stream.packets(76))
        stream.newRun()
        trial.begin(stream.description)
        trial.add(stream.packets(31))
        trial.end()
        #expect(trial.chunks.map(\.video.count) == [4, 11, 15, 15, 15, 15, 1, 4, 11, 15, 1])
        #expect(trial.video == trial.given(.video))
    }

    @Test("sound lies in the segment in which its time lies, also when it comes up to 0.4 s late", arguments: [0, 0.1, 0.25, 0.4])
    func audioBorders(lag: Double) throws {
        var stream = SyntheticStream(audio: aac)
        stream.gop = 10
        var trial = Trial(segmentSeconds: 3)
        trial.begin(stream.description)
        trial.add(stream.packets(600, audioLag: lag))
        trial.end()
        let segments = trial.segments
        #expect(segments.count == 12)
        #expect(trial.audio == trial.given(.audio))
        for (segment, next) in zip(segments, segments.dropFirst()) {
            let border = try #require(next.first?.video.first).dts * 16_000 / 90_000
            #expect(segment.flatMap(\.audio).allSatisfy { $0.dts < border })
            #expect(next.flatMap(\.audio).allSatisfy { $0.dts >= border })
            #expect(!next.flatMap(\.audio).isEmpty)
        }
    }

    @Test("sound that comes too late for its segment is kept, in the next one")
    func veryLateAudio() {
        var stream = SyntheticStream(audio: aac)
        var trial = Trial(segmentSeconds: 2)
        trial.begin(stream.description)
        trial.add(stream.packets(300, audioLag: 1.5))
        trial.end()
        #expect(trial.audio == trial.given(.audio) && trial.video == trial.given(.video))
    }

    @Test("sound that is not to be recorded is in no chunk and no description")
    func withoutAudio() {
        var stream = SyntheticStream(audio: aac)
        var trial = Trial(segmentSeconds: 2, takesAudio: false)
        trial.begin(stream.description)
        trial.add(stream.packets(100))
        trial.end()
        #expect(trial.audio.isEmpty && trial.video == trial.given(.video))
        #expect(trial.chunks.allSatisfy { $0.description.audio == nil })
    }

    @Test("a GOP of a minute is cut into chunks of a second, the first of all sooner, and its segment ends where it ends")
    func longGOP() {
        var stream = SyntheticStream()
        stream.gop = 900
        var trial = Trial(segmentSeconds: 10)
        trial.begin(stream.description)
        trial.add(stream.packets(1800))
        trial.end()
        #expect(trial.segments.count == 2)
        #expect(trial.segments.map { $0.flatMap(\.video).count } == [900, 900])
        let counts = trial.segments.map { $0.map(\.video.count) }
        #expect(counts[0] == [4] + [Int](repeating: 15, count: 59) + [11])
        #expect(counts[1] == [Int](repeating: 15, count: 60))
        #expect(trial.chunks.filter(\.startsWithKeyframe).count == 2)
    }

    @Test("a stream of keyframes alone has chunks of half a second, not one a frame")
    func allKeyframes() {
        var stream = SyntheticStream()
        stream.gop = 1
        stream.fps = 30
        var trial = Trial(segmentSeconds: 5)
        trial.begin(stream.description)
        trial.add(stream.packets(600))
        trial.end()
        #expect(trial.chunks.allSatisfy { $0.startsWithKeyframe })
        // The first of all is shorter.
        #expect(trial.segments.first.map { $0.map(\.video.count) } == [8] + [Int](repeating: 15, count: 9) + [7])
        #expect(trial.segments.dropFirst().joined().allSatisfy { $0.video.count == 15 })
        #expect(trial.segments.count == 4 && trial.segments.allSatisfy { $0.flatMap(\.video).count == 150 })
    }

    @Test("frames before the first keyframe are left out and counted; sound waits for pictures")
    func beforeKeyframe() {
        var stream = SyntheticStream(audio: aac)
        var trial = Trial(segmentSeconds: 5)
        let early = stream.video()
        trial.add([early])
        #expect(trial.assembler.skipped == 1)
        trial.begin(stream.description)
        trial.add(stream.packets(14))
        #expect(trial.assembler.skipped == 15 && trial.chunks.isEmpty)
        trial.add(stream.packets(20))
        trial.end()
        #expect(trial.assembler.skipped == 15)
        #expect(trial.chunks.flatMap(\.video).count == 20 && trial.chunks.first?.startsSegment == true)
        #expect(trial.chunks.flatMap(\.audio).allSatisfy { $0.dts >= 15 * 6000 * 16_000 / 90_000 })
    }

    @Test("after the end nothing is taken until the next beginning")
    func afterEnd() {
        var stream = SyntheticStream()
        var trial = Trial(segmentSeconds: 5)
        trial.begin(stream.description)
        trial.add(stream.packets(20))
        trial.end()
        let count = trial.chunks.count
        trial.add(stream.packets(20))
        trial.end()
        #expect(trial.chunks.count == count && trial.assembler.skipped == 20)
        stream.newRun()
        trial.begin(stream.description)
        trial.add(stream.packets(20))
        trial.end()
        #expect(trial.chunks.flatMap(\.video).count == 40)
    }

    @Test("a chunk knows its bytes")
    func bytes() {
        var stream = SyntheticStream(audio: aac)
        var trial = Trial(segmentSeconds: 5)
        trial.begin(stream.description)
        trial.add(stream.packets(40))
        trial.end()
        #expect(trial.chunks.reduce(0) { $0 + $1.bytes } == trial.given.reduce(0) { $0 + $1.byteCount })
    }
}
