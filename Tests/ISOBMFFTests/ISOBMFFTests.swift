// What the tests of ISOBMFF share: synthetic parameter sets, files and a reproducible random source. No media is stored here;
// the bytes below are parameter sets that x264 and x265 wrote for test pictures.
import ISOBMFF

enum ParameterSets {
    /// High, level 4.0, 1920×1080 (cropped from 1088), 25/s, B-frames.
    static let highSPS = bytes("67640028acd940780227e5c044000003000400000300c83c60c658")
    static let highPPS = bytes("68ebe3cb22c0")
    /// Constrained baseline, 640×360, 15/s.
    static let baselineSPS = bytes("6742c016d900a02ff970110000030001000003001e0f162e48")
    static let baselinePPS = bytes("68cb83cb20")
    /// High, interlaced, 720×576, pixels 16:11, 25/s.
    static let interlacedSPS = bytes("6764001eacd940b424d8208000000300800000190f8a14cb")
    /// High 4:2:2 10 bit with scaling lists, 1280×720, 30000/1001 per s, no B-frames.
    static let high422SPS = bytes("677a001fb6cb200a00b76022000007d20001d4c01e306490")
    /// Main, level 4.0, 1920×1080, 25/s, B-frames.
    static let mainVPS = bytes("40010c01ffff016000000300900000030000030078959809")
    static let mainSPS = bytes("420101016000000300900000030000030078a003c08010e596566924caf0168080000003008000000c84")
    static let mainPPS = bytes("4401c172b46240")
    /// Main 10, level 2.1, 642×362 (cropped), pixels 12:11, 12.5/s, scaling lists, no B-frames.
    static let main10VPS = bytes("40010c01ffff02200000030090000003000003003f928090")
    static let main10SPS = bytes("42010102200000030090000003000003003fa005120171c9236592a49395e04d010000030002000003001908")

    static let avc = VideoSampleEntry.avc(sps: [highSPS], pps: [highPPS])
    static let avcSmall = VideoSampleEntry.avc(sps: [baselineSPS], pps: [baselinePPS])
    static let hevc = VideoSampleEntry.hevc(vps: [mainVPS], sps: [mainSPS], pps: [mainPPS])
    static let aac = AudioSampleEntry.aac(audioSpecificConfig: [0x12, 0x08, 0x56, 0xE5, 0x00])

    static func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = Array(hexadecimal)
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16)! }
    }
}

/// SplitMix64.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A fragmented file in memory with video (90 kHz, 4 pictures a fragment) and sound (16 kHz), its payload being noise.
struct SyntheticFile {
    static let identification = Identification(type: Array(0..<16), payload: Array("{\"a file\": \"about itself\"}".utf8))
    static let tracks = [
        TrackDescription(id: 1, timescale: 90000, kind: .video(ParameterSets.avc)),
        TrackDescription(id: 2, timescale: 16000, kind: .audio(ParameterSets.aac)),
    ]
    static let firstWallClock: Int64 = 1_784_567_890_123_457

    var bytes: [UInt8] = []
    var initLength = 0
    var index = FragmentIndex()
    var wallClocks: [Int64?] = []
    var samples: [SampleLocation] = []

    init(fragments: Int = 3, random seed: UInt64 = 1, wallClock: Bool = true) {
        var random = SeededRandom(state: seed)
        bytes = InitSegment.bytes(tracks: Self.tracks, creationTime: 1_784_567_890, identification: Self.identification)
        initLength = bytes.count
        var decodeTimes: [Int64] = [0, 400]
        for fragment in 0..<fragments {
            let video = (0..<4).map {
                FragmentSample(
                    size: Int.random(in: 1...40, using: &random), duration: 6000 + UInt32($0), isKeyframe: $0 == 0,
                    compositionOffset: [6000, 12000, 0, 0][$0])
            }
            let audio = (0..<3).map { _ in FragmentSample(size: Int.random(in: 1...9, using: &random), duration: 1024, isKeyframe: true) }
            let clock: Int64? = wallClock ? Self.firstWallClock + Int64(fragment) * 266_733 : nil
            let tracks = [
                FragmentTrack(trackID: 1, baseDecodeTime: UInt64(decodeTimes[0]), samples: video),
                FragmentTrack(trackID: 2, baseDecodeTime: UInt64(decodeTimes[1]), samples: audio),
            ]
            let start = bytes.count
            bytes += Fragment.header(sequence: UInt32(fragment + 1), tracks: tracks, wallClock: clock)
            let begin = decodeTimes[0]
            for (number, track) in tracks.enumerated() {
                for sample in track.samples {
                    samples.append(
                        SampleLocation(
                            trackID: track.trackID, decodeTime: decodeTimes[number], duration: Int64(sample.duration),
                            compositionOffset: sample.compositionOffset, size: sample.size, isKeyframe: sample.isKeyframe,
                            offset: Int64(bytes.count)))
                    decodeTimes[number] += Int64(sample.duration)
                    for _ in 0..<sample.size { bytes.append(UInt8.random(in: 0...255, using: &random)) }
                }
            }
            index.entries.append(
                FragmentIndexEntry(
                    offset: Int64(start), size: Int64(bytes.count - start), start: begin, duration: decodeTimes[0] - begin,
                    startsWithKeyframe: true))
            wallClocks.append(clock)
        }
    }

    static func reader(_ bytes: [UInt8]) -> FragmentedFile.Read {
        { offset, count in
            let start = min(max(Int(offset), 0), bytes.count)
            return Array(bytes[start..<min(start + count, bytes.count)])
        }
    }

    static func open(_ bytes: [UInt8]) throws -> FragmentedFile {
        try FragmentedFile(length: Int64(bytes.count), read: reader(bytes))
    }
}
