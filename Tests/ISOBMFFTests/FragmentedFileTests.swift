import ISOBMFF
import Testing

@Suite("Reading fragmented files")
struct FragmentedFileTests {
    @Test("A file tells its tracks, its identification, its fragments and their wall clock")
    func whole() throws {
        let synthetic = SyntheticFile()
        let file = try SyntheticFile.open(synthetic.bytes)
        #expect(file.tracks == SyntheticFile.tracks)
        #expect(file.identification == SyntheticFile.identification)
        #expect(file.initRange == 0..<Int64(synthetic.initLength))
        #expect(file.index == synthetic.index)
        #expect(file.wallClocks == synthetic.wallClocks)
        #expect(file.wallClock == SyntheticFile.firstWallClock)
        #expect(file.completeLength == Int64(synthetic.bytes.count))
        #expect(file.ending == .whole)
        #expect(file.indexedTrack?.id == 1)
        let samples = try file.index.entries.flatMap { try SampleLocation.samples(of: $0, read: SyntheticFile.reader(synthetic.bytes)) }
        #expect(samples == synthetic.samples)
    }

    @Test("Every coding is read back from the sample entry that was written for it")
    func sampleEntries() throws {
        let kinds: [TrackDescription.Kind] = [
            .video(ParameterSets.avc), .video(ParameterSets.hevc), .video(.mjpeg(width: 1234, height: 567)), .audio(ParameterSets.aac),
            .video(.avc(sps: [ParameterSets.interlacedSPS], pps: [])),
            .audio(.aac(audioSpecificConfig: AudioSpecificConfig.bytes(sampleRate: 8000, channels: 1))),
            .audio(.aac(audioSpecificConfig: AudioSpecificConfig.bytes(sampleRate: 96000, channels: 2))),
            .audio(.opus(channels: 2, preSkip: 312, sampleRate: 16000)),
        ]
        let tracks = kinds.enumerated().map { TrackDescription(id: UInt32($0.offset + 1), timescale: 600, kind: $0.element) }
        let file = try SyntheticFile.open(InitSegment.bytes(tracks: tracks, creationTime: 5_000_000_000))
        #expect(file.tracks == tracks)
        #expect(file.identification == nil)
        #expect(file.index.entries.isEmpty)
    }

    @Test("A file cut at any byte opens to the whole fragments before the cut")
    func cutAnywhere() throws {
        let synthetic = SyntheticFile()
        for length in 0...synthetic.bytes.count {
            let cut = Array(synthetic.bytes.prefix(length))
            guard length >= synthetic.initLength else {
                #expect(throws: ISOBMFFError.self) { try SyntheticFile.open(cut) }
                continue
            }
            let file = try SyntheticFile.open(cut)
            let whole = synthetic.index.entries.filter { $0.end <= Int64(length) }
            let end = whole.last?.end ?? Int64(synthetic.initLength)
            #expect(file.index.entries == whole)
            #expect(file.wallClocks == Array(synthetic.wallClocks.prefix(whole.count)))
            #expect(file.completeLength == end)
            #expect(file.ending == (end == Int64(length) ? .whole : .incomplete))
        }
    }

    @Test("A file that grows byte by byte is read on without beginning again")
    func growing() throws {
        let synthetic = SyntheticFile()
        let reader = SyntheticFile.reader(synthetic.bytes)
        var file = try FragmentedFile(length: Int64(synthetic.initLength), read: reader)
        for length in synthetic.initLength...synthetic.bytes.count {
            let before = file.completeLength
            try file.extend(length: Int64(length)) { offset, count in
                #expect(offset >= before)
                return try reader(offset, count)
            }
            #expect(file.index.entries == synthetic.index.entries.filter { $0.end <= Int64(length) })
        }
        #expect(file.wallClocks == synthetic.wallClocks)
        #expect(file.ending == .whole)
    }

    @Test("Payload is not read beyond the window behind a fragment's header")
    func payloadIsNotRead() throws {
        var bytes = InitSegment.bytes(tracks: SyntheticFile.tracks, creationTime: 0)
        for sequence in 0..<5 {
            let sample = FragmentSample(size: 1_000_000, duration: 90000, isKeyframe: true)
            bytes += Fragment.header(
                sequence: UInt32(sequence + 1), tracks: [FragmentTrack(trackID: 1, baseDecodeTime: UInt64(sequence) * 90000, samples: [sample])])
            bytes += [UInt8](repeating: 0xAA, count: 1_000_000)
        }
        var read = 0
        let reader = SyntheticFile.reader(bytes)
        let file = try FragmentedFile(length: Int64(bytes.count)) { offset, count in
            read += count
            return try reader(offset, count)
        }
        #expect(file.index.entries.count == 5)
        #expect(read <= 6 * 4096)
    }

    @Test("Zeros or garbage after the last fragment are told from a cut-off box")
    func damagedTail() throws {
        let synthetic = SyntheticFile()
        for tail in [[UInt8](repeating: 0, count: 512), Array("garbage garbage garbage".utf8), [0, 0, 0, 4, 0x6D, 0x6F, 0x6F, 0x66]] {
            let file = try SyntheticFile.open(synthetic.bytes + tail)
            #expect(file.index == synthetic.index)
            #expect(file.completeLength == Int64(synthetic.bytes.count))
            #expect(file.ending == .damaged)
        }
        // A fragment whose samples lie outside of its payload is not whole, whatever its boxes say.
        var short = synthetic.bytes
        let last = synthetic.index.entries[2]
        let header = Fragment.header(
            sequence: 9,
            tracks: [FragmentTrack(trackID: 1, baseDecodeTime: 0, samples: [FragmentSample(size: 100, duration: 1, isKeyframe: true)])])
        short.replaceSubrange(Int(last.offset)..., with: header)
        short[short.count - 5 - 3] = 0
        short.replaceSubrange(short.count - 8..<short.count - 4, with: [0, 0, 0, 58])
        let file = try SyntheticFile.open(short + [UInt8](repeating: 1, count: 50))
        #expect(file.index.entries == Array(synthetic.index.entries.prefix(2)))
        #expect(file.ending == .damaged)
    }

    @Test("Boxes between fragments are stepped over, and fragments without wall clock have none")
    func otherBoxes() throws {
        let synthetic = SyntheticFile(wallClock: false)
        let free: [UInt8] = [0, 0, 0, 12] + Array("free".utf8) + [1, 2, 3, 4]
        var bytes = synthetic.bytes
        for entry in synthetic.index.entries.reversed() { bytes.insert(contentsOf: free, at: Int(entry.offset)) }
        let file = try SyntheticFile.open(bytes + free)
        #expect(file.index.entries.map(\.start) == synthetic.index.entries.map(\.start))
        #expect(file.index.entries.map(\.offset) == synthetic.index.entries.enumerated().map { $0.element.offset + Int64($0.offset + 1) * 12 })
        #expect(file.completeLength == Int64(bytes.count + 12))
        #expect(file.wallClocks == [nil, nil, nil])
        #expect(file.ending == .whole)
    }

    @Test("An error of the read closure is passed on as text")
    func readError() {
        struct Broken: Error {}
        #expect(throws: ISOBMFFError.unreadable("Broken()")) { try FragmentedFile(length: 1000) { _, _ in throw Broken() } }
    }
}
