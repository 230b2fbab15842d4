import Foundation
import ISOBMFF
import Testing

@Suite("Hostile bytes")
struct FuzzTests {
    /// How long each fuzzing test runs; environment VIBENVR_FUZZ_SECONDS.
    static let seconds = ProcessInfo.processInfo.environment["VIBENVR_FUZZ_SECONDS"].flatMap(Double.init) ?? 5

    /// Runs the body with numbered seeds until the time is up; the seed is in the failure, a trap names none but is reproducible.
    /// Gives its thread away between rounds: the tests beside it have the same few.
    private func fuzz(_ body: (inout SeededRandom) -> Void) async {
        let end = ContinuousClock.now.advanced(by: .seconds(Self.seconds))
        var seed: UInt64 = 1
        while ContinuousClock.now < end {
            for _ in 0..<50 {
                var random = SeededRandom(state: seed)
                body(&random)
                seed += 1
            }
            await Task.yield()
        }
    }

    private func mutated(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...6, using: &random) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0...6, using: &random) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[at] ^= 1 << UInt8.random(in: 0...7, using: &random)
            case 2: bytes.removeSubrange(at...)
            case 3: bytes.insert(contentsOf: [0, 0, 0, UInt8.random(in: 0...3, using: &random)], at: at)
            case 4: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...8, using: &random)))
            case 5: for index in at..<min(bytes.count, at + 4) { bytes[index] = 0xFF }
            default: for index in at..<min(bytes.count, at + 8) { bytes[index] = [0, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0 }
            }
        }
        return bytes
    }

    @Test("Mutated parameter sets and configurations never trap, and what they give is bounded")
    func parameterSets() async {
        let seeds = [
            ParameterSets.highSPS, ParameterSets.baselineSPS, ParameterSets.interlacedSPS, ParameterSets.high422SPS, ParameterSets.mainSPS,
            ParameterSets.main10SPS, ParameterSets.mainVPS, ParameterSets.main10VPS, [0x12, 0x08, 0x56, 0xE5, 0x00], [0x2B, 0x11, 0x88, 0x00],
            AVCConfiguration.bytes(sps: [ParameterSets.highSPS], pps: [ParameterSets.highPPS]),
            HEVCConfiguration.bytes(vps: [ParameterSets.mainVPS], sps: [ParameterSets.mainSPS], pps: [ParameterSets.mainPPS]),
        ]
        await fuzz { random in
            let unit = mutated(seeds.randomElement(using: &random) ?? [], &random)
            for entry in [VideoSampleEntry.avc(sps: [unit], pps: [unit]), .hevc(vps: [unit], sps: [unit], pps: [unit])] {
                #expect((0...16384).contains(entry.width) && (0...16384).contains(entry.height))
                #expect(entry.codecString.count < 60)
                if let rate = entry.frameRate { #expect((0.1...480).contains(rate)) }
                let track = TrackDescription(id: 1, timescale: 90000, kind: .video(entry))
                let bytes = InitSegment.bytes(tracks: [track], creationTime: 0)
                #expect(throws: Never.self) { try #expect(SyntheticFile.open(bytes).tracks == [track]) }
            }
            let sound = AudioSampleEntry.aac(audioSpecificConfig: unit)
            #expect((0...1 << 24).contains(sound.sampleRate) && (0...255).contains(sound.channels))
            // Only that they end matters here.
            _ = try? AVCConfiguration.parameterSets(unit)
            _ = try? HEVCConfiguration.parameterSets(unit)
            _ = try? H265VPS(nalUnit: unit)
            _ = try? FragmentIndex(packed: unit)
        }
    }

    @Test("Mutated files never trap, what they give lies in the file, and their samples are read or refused")
    func files() async {
        let seeds = [SyntheticFile(fragments: 2).bytes, SyntheticFile(fragments: 3, random: 7, wallClock: false).bytes]
        await fuzz { random in
            let bytes = mutated(seeds.randomElement(using: &random) ?? [], &random)
            // Refusing is as good as reading.
            guard let file = try? SyntheticFile.open(bytes) else { return }
            #expect(file.completeLength <= Int64(bytes.count))
            #expect(file.wallClocks.count == file.index.entries.count)
            var end = file.initRange.upperBound
            for entry in file.index.entries {
                #expect(entry.offset >= end && entry.size >= 0 && entry.end <= file.completeLength && entry.duration >= 0)
                end = entry.end
                // As above.
                guard let samples = try? SampleLocation.samples(of: entry, defaults: file.defaults, read: SyntheticFile.reader(bytes))
                else { continue }
                for sample in samples {
                    #expect(sample.offset >= entry.offset && sample.size >= 0 && sample.offset + Int64(sample.size) <= entry.end)
                }
                let movie = samples.filter { $0.trackID == 1 }.map {
                    MovieSample(
                        file: 0, offset: $0.offset, size: $0.size, decodeTime: $0.decodeTime, duration: $0.duration,
                        compositionOffset: $0.compositionOffset, isKeyframe: $0.isKeyframe)
                }
                // As above.
                _ = try? Movie(
                    tracks: [MovieTrack(timescale: 90000, descriptions: [.video(ParameterSets.avc)], samples: movie)], creationTime: 0,
                    presentationStart: entry.start)
            }
            let packed = file.index.packed()
            #expect(throws: Never.self) { try #expect(FragmentIndex(packed: packed) == file.index) }
        }
    }

    @Test("A run of samples without a byte each is refused when it is beyond all reason")
    func manySamples() throws {
        var bytes = InitSegment.bytes(tracks: SyntheticFile.tracks, creationTime: 0)
        let initLength = bytes.count
        let samples = [FragmentSample](repeating: FragmentSample(size: 0, duration: 1, isKeyframe: true), count: 2)
        var header = Fragment.header(sequence: 1, tracks: [FragmentTrack(trackID: 1, baseDecodeTime: 0, samples: samples)])
        // moof 8, mfhd 16, traf 8, tfhd 28, tfdt 20, then trun: header 12, count.
        header.replaceSubrange(92..<96, with: [0xFF, 0xFF, 0xFF, 0xFF])
        bytes += header
        let file = try SyntheticFile.open(bytes)
        #expect(file.ending == .damaged && file.completeLength == Int64(initLength))
        #expect(throws: ISOBMFFError.tooLarge("movie fragment")) { try SampleLocation.samples(fragment: header, at: 0) }
    }
}
