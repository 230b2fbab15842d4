// What belongs here: streams made of numbers, for the tests of this target: real parameter sets, numbered frames, no pictures.
import ISOBMFF
import NVRMedia
import NVRModel
import RTSP

/// A fixed sequence of numbers: failures can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }
}

let wallZero = WallTime(microseconds: 1_700_000_000_000_000)
let pcmu = StreamDescription.AudioTrack(codec: .pcmu, timescale: 8_000, channels: 1)
let aac = StreamDescription.AudioTrack(codec: .aac(audioSpecificConfig: [0x14, 0x08]), timescale: 16_000, channels: 1)

/// 640×360, H.264 baseline.
let sps: [UInt8] = [
    0x67, 0x42, 0xC0, 0x16, 0xD9, 0x00, 0xA0, 0x2F, 0xF9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x03, 0x00, 0x1E, 0x0F, 0x16, 0x2E,
    0x48,
]
let pps: [UInt8] = [0x68, 0xCB, 0x83, 0xCB, 0x20]

/// Makes the packets of one stream, numbered from 1.
struct SyntheticStream {
    var description: StreamDescription
    /// Frames a second.
    var fps = 15
    /// Frames from one keyframe to the next.
    var gop = 15
    /// Bytes of a frame, at least 16.
    var frameBytes = 200
    private(set) var number: UInt64 = 0
    private(set) var dts: Int64 = 0
    private var frame = 0
    private var audioTime: Int64 = 0
    /// When each sound frame was heard, ticks since the origin of its run, by its number.
    private(set) var soundTimes: [UInt64: Int64] = [:]

    init(run: Int64 = 1, origin: WallTime = wallZero, audio: StreamDescription.AudioTrack? = nil) {
        description = StreamDescription(run: run, origin: origin, video: .avc(sps: [sps], pps: [pps]), audio: audio)
    }

    /// A payload that tells its number: one NAL unit of the right kind with its length.
    static func payload(_ number: UInt64, key: Bool, count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number | 1), count: max(16, count))
        let length = UInt32(bytes.count - 4)
        withUnsafeBytes(of: length.bigEndian) { bytes.replaceSubrange(0..<4, with: $0) }
        bytes[4] = key ? 0x65 : 0x41
        withUnsafeBytes(of: number.bigEndian) { bytes.replaceSubrange(8..<16, with: $0) }
        return bytes
    }

    static func number(in payload: [UInt8]) -> UInt64 { payload[8..<16].reduce(0) { $0 << 8 | UInt64($1) } }

    func wall(_ ticks: Int64, _ scale: Int = 90_000) -> WallTime { description.origin.advanced(byMicroseconds: ticks * 1_000_000 / Int64(scale)) }

    /// The next frame, `step` ticks after the one before (the frame rate's own when nil).
    mutating func video(key: Bool? = nil, step: Int64? = nil) -> MediaPacket {
        if frame > 0 { dts += step ?? Int64(90_000 / fps) }
        let isKey = key ?? (frame % gop == 0)
        frame += 1
        number += 1
        return MediaPacket(
            kind: .video, bytes: MediaBytes(Self.payload(number, key: isKey, count: frameBytes)), dts: dts, pts: dts, isKeyframe: isKey,
            isDamaged: false, wall: wall(dts), arrival: dts * 1_000_000 / 90_000, sequence: number)
    }

    /// Sound frames that are due up to the newest frame less `lag` seconds.
    mutating func audio(lag: Double = 0) -> [MediaPacket] {
        guard let track = description.audio else { return [] }
        var packets: [MediaPacket] = []
        let isCoded = track.codec != .pcmu
        let due = (dts - Int64(lag * 90_000)) * Int64(track.timescale) / 90_000
        while audioTime <= due {
            number += 1
            soundTimes[number] = audioTime
            packets.append(
                MediaPacket(
                    kind: .audio, bytes: MediaBytes(Self.payload(number, key: true, count: isCoded ? 32 : 160)), dts: audioTime, pts: audioTime,
                    isKeyframe: true,
                    isDamaged: false, wall: wall(audioTime, track.timescale), arrival: dts * 1_000_000 / 90_000, sequence: number))
            audioTime += isCoded ? 1024 : 160
        }
        return packets
    }

    /// `count` frames with the sound that goes with them, in the order of arrival.
    mutating func packets(_ count: Int, audioLag: Double = 0) -> [MediaPacket] {
        (0..<count).flatMap { _ in [video()] + audio(lag: audioLag) }
    }

    /// The camera's parameters changed within the run: the next frame is a keyframe.
    mutating func changeParameters() {
        frame = frame == 0 ? 0 : gop * 1_000_000
        let known = description.video
        description.video = .avc(sps: [sps], pps: known == .avc(sps: [sps], pps: [pps]) ? [pps, pps] : [pps])
    }

    /// The camera connected anew.
    mutating func newRun(after seconds: Double = 1) {
        let origin = wall(dts).advanced(byMicroseconds: Int64(seconds * 1e6))
        let (count, old) = (number, self)
        self = SyntheticStream(run: old.description.run + 1, origin: origin, audio: old.description.audio)
        (fps, gop, frameBytes, number) = (old.fps, old.gop, old.frameBytes, count)
        description.video = old.description.video
    }
}
