import ISOBMFF
import Testing

@Suite("Fragments and their index")
struct FragmentTests {
    /// Types of the boxes in a range, in order, with those of known containers behind a slash.
    private func boxes(_ bytes: [UInt8], _ range: Range<Int>, _ path: String = "") -> [String] {
        var names: [String] = []
        var position = range.lowerBound
        while position + 8 <= range.upperBound {
            let size = bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
            let name = path + String(decoding: bytes[position + 4..<position + 8], as: UTF8.self)
            names.append(name)
            if ["moof", "moof/traf"].contains(name) { names += boxes(bytes, position + 8..<position + size, name + "/") }
            position += max(8, size)
        }
        return names
    }

    @Test("A fragment header holds only what its samples need")
    func minimalHeader() {
        let same = (0..<30).map { FragmentSample(size: 1000, duration: 6000, isKeyframe: $0 == 0) }
        let header = Fragment.header(sequence: 7, tracks: [FragmentTrack(trackID: 1, baseDecodeTime: 90000, samples: same)])
        #expect(boxes(header, 0..<header.count) == ["moof", "moof/mfhd", "moof/traf", "moof/traf/tfhd", "moof/traf/tfdt", "moof/traf/trun", "mdat"])
        // moof 8, mfhd 16, traf 8, tfhd 16 + 12, tfdt 20, trun 20 + 4 for the first sample's flags, mdat 8.
        #expect(header.count == 112)
        #expect(Array(header.suffix(8)) == [0, 0, 0x75, 0x38] + Array("mdat".utf8))
        // The data offset leads behind the header.
        #expect(Array(header[96..<100]) == [0, 0, 0, 112])
        let varied = same.enumerated().map {
            FragmentSample(size: 1000 + $0.offset, duration: 6000, isKeyframe: $0.offset == 0, compositionOffset: -3)
        }
        let longer = Fragment.header(sequence: 7, tracks: [FragmentTrack(trackID: 1, baseDecodeTime: 90000, samples: varied)])
        #expect(longer.count == 112 - 4 + 30 * 8)
    }

    @Test("Samples are read back as they were written, whatever fields were left out")
    func samplesRoundTrip() throws {
        var random = SeededRandom(state: 99)
        for round in 0..<400 {
            var tracks: [FragmentTrack] = []
            for id in 1...UInt32.random(in: 1...3, using: &random) {
                let (sameSize, sameDuration, offsets, keys) = (
                    Bool.random(using: &random), Bool.random(using: &random), Bool.random(using: &random), Int.random(in: 0...3, using: &random)
                )
                let samples = (0..<Int.random(in: 0...20, using: &random)).map { index in
                    FragmentSample(
                        size: sameSize ? 5 : Int.random(in: 0...300, using: &random),
                        duration: sameDuration ? 512 : UInt32.random(in: 0...UInt32.max, using: &random),
                        isKeyframe: [index == 0, true, false, Bool.random(using: &random)][keys],
                        compositionOffset: offsets ? Int32.random(in: Int32.min...Int32.max, using: &random) : 0)
                }
                tracks.append(FragmentTrack(trackID: id, baseDecodeTime: UInt64.random(in: 0...1 << 50, using: &random), samples: samples))
            }
            let header = Fragment.header(sequence: 1, tracks: tracks, wallClock: round % 2 == 0 ? 1_700_000_000_000_000 : nil)
            let read = try SampleLocation.samples(fragment: header, at: 5000)
            var expected: [SampleLocation] = []
            var offset = Int64(5000 + header.count)
            for track in tracks {
                var time = Int64(track.baseDecodeTime)
                for sample in track.samples {
                    expected.append(
                        SampleLocation(
                            trackID: track.trackID, decodeTime: time, duration: Int64(sample.duration),
                            compositionOffset: sample.compositionOffset, size: sample.size, isKeyframe: sample.isKeyframe, offset: offset))
                    time += Int64(sample.duration)
                    offset += Int64(sample.size)
                }
            }
            #expect(read == expected)
        }
    }

    @Test("Wall clock times survive to the microsecond, also past the NTP era of 2036")
    func wallClocks() throws {
        var random = SeededRandom(state: 3)
        let initBytes = InitSegment.bytes(tracks: SyntheticFile.tracks, creationTime: 0)
        for _ in 0..<200 {
            let time = Int64.random(in: 0...4_200_000_000_000_000, using: &random)
            let track = FragmentTrack(trackID: 1, baseDecodeTime: 0, samples: [FragmentSample(size: 0, duration: 1, isKeyframe: true)])
            let bytes = initBytes + Fragment.header(sequence: 1, tracks: [track], wallClock: time)
            #expect(try SyntheticFile.open(bytes).wallClock == time)
        }
    }

    @Test("The packed index gives the same entries back and takes few bytes")
    func packedIndex() throws {
        var random = SeededRandom(state: 4)
        #expect(try FragmentIndex(packed: FragmentIndex().packed()) == FragmentIndex())
        for _ in 0..<200 {
            var index = FragmentIndex()
            for _ in 0..<Int.random(in: 0...20, using: &random) {
                let bits = Int64.random(in: 1...61, using: &random)
                func number() -> Int64 { Int64.random(in: 0...(1 << bits), using: &random) }
                index.entries.append(
                    FragmentIndexEntry(
                        offset: number(), size: number(), start: number() - number(), duration: number(),
                        startsWithKeyframe: Bool.random(using: &random)))
            }
            #expect(try FragmentIndex(packed: index.packed()) == index)
        }
        var usual = FragmentIndex()
        for number in 0..<150 {
            usual.entries.append(
                FragmentIndexEntry(
                    offset: 1000 + Int64(number) * 500_000, size: 500_000, start: Int64(number) * 180_000, duration: 180_000,
                    startsWithKeyframe: true))
        }
        #expect(usual.packed().count < 150 * 9)
    }

    @Test("A packed index that is cut, mutated or of another version throws or decodes, and nothing else")
    func hostileIndex() throws {
        let packed = SyntheticFile(fragments: 5).index.packed()
        for length in 0..<packed.count { #expect(throws: ISOBMFFError.self) { try FragmentIndex(packed: Array(packed.prefix(length))) } }
        #expect(throws: ISOBMFFError.unsupported("fragment index version")) { try FragmentIndex(packed: [9] + packed.dropFirst()) }
        #expect(throws: ISOBMFFError.self) { try FragmentIndex(packed: packed + [0]) }
        #expect(throws: ISOBMFFError.self) { try FragmentIndex(packed: [1] + [UInt8](repeating: 0xFF, count: 12)) }
        #expect(throws: ISOBMFFError.self) { try FragmentIndex(packed: [1, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0, 0, 0, 0]) }
    }

    @Test("Entries are found by time and by keyframe")
    func search() {
        var index = FragmentIndex()
        for number in 0..<10 {
            index.entries.append(
                FragmentIndexEntry(offset: Int64(number), size: 1, start: Int64(number) * 100, duration: 100, startsWithKeyframe: number % 3 == 0))
        }
        #expect(index.entries(overlapping: 250..<450).map(\.start) == [200, 300, 400])
        #expect(index.entries(overlapping: 300..<400).map(\.start) == [300])
        #expect(index.entries(overlapping: -50..<1).map(\.start) == [0])
        #expect(index.entries(overlapping: 1000..<2000).isEmpty)
        #expect(index.entries(overlapping: -9 ..< -1).isEmpty)
        #expect(index.keyframeEntry(atOrBefore: 599) == 3)
        #expect(index.keyframeEntry(atOrBefore: 600) == 6)
        #expect(index.keyframeEntry(atOrBefore: -1) == nil)
    }
}
