import ISOBMFF
import NIOCore
import NVRMedia
import NVRModel
import RTSP
import Testing

@Suite("Live streams as RTP")
struct LiveRTPTests {
    private static let entry = VideoSampleEntry.avc(
        sps: [[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x47, 0xfe, 0xc8]], pps: [[0x68, 0xce, 0x3c, 0x80]])

    private static func frame(_ description: StreamDescription, _ packet: MediaPacket) -> LiveFrame? {
        LiveEncoder(format: .rtp, description: description, epoch: description.origin).frame(packet, videoStep: 6000)
    }

    private static func packets(_ frame: LiveFrame) -> [[UInt8]] {
        var found: [[UInt8]] = []
        RTPSender.forEachPacket(frame.bytes) { found.append(Array($0.readableBytesView)) }
        return found
    }

    private static func timestamp(_ packet: [UInt8]) -> UInt32 { packet[4..<8].reduce(0) { $0 << 8 | UInt32($1) } }

    @Test("Timestamps are those of the wall clock, in every run and track, and keyframes bring their parameter sets")
    func timeline() throws {
        let audio = StreamDescription.AudioTrack(codec: .pcma, timescale: 8000, channels: 1)
        for (run, seconds) in [(Int64(1), 1_700_000_000), (2, 1_700_000_100)] as [(Int64, Int64)] {
            let origin = WallTime(microseconds: seconds * 1_000_000)
            let description = StreamDescription(run: run, origin: origin, video: Self.entry, audio: audio)
            let video = MediaPacket(
                kind: .video, bytes: MediaBytes([0, 0, 0, 3, 0x65, 0x88, 1]), dts: 45_000, pts: 90_000, isKeyframe: true, isDamaged: false,
                wall: origin, arrival: 0)
            let frame = try #require(Self.frame(description, video))
            #expect(frame.isKeyframe && frame.wall == origin.advanced(byMicroseconds: 1_000_000))
            let packets = Self.packets(frame)
            #expect(packets.count == 2 && packets[0][12] & 0x1f == 24 && packets[1][12] == 0x65)
            for packet in packets { #expect(Self.timestamp(packet) == UInt32(truncatingIfNeeded: (seconds + 1) * 90_000)) }
            let sound = MediaPacket(
                kind: .audio, bytes: MediaBytes([1, 2, 3]), dts: 4000, pts: 4000, isKeyframe: true, isDamaged: false, wall: origin, arrival: 0)
            let heard = try #require(Self.frame(description, sound))
            #expect(heard.kind == .audio && !heard.isKeyframe && heard.wall == origin.advanced(byMicroseconds: 500_000))
            #expect(Self.timestamp(Self.packets(heard)[0]) == UInt32(truncatingIfNeeded: seconds * 8000 + 4000))
        }
        let silent = StreamDescription(run: 1, origin: WallTime(microseconds: 0), video: Self.entry, audio: nil)
        let sound = MediaPacket(
            kind: .audio, bytes: MediaBytes([1]), dts: 0, pts: 0, isKeyframe: true, isDamaged: false, wall: WallTime(microseconds: 0), arrival: 0)
        #expect(Self.frame(silent, sound) == nil)
    }

    @Test("Every codec is described as our own reader of descriptions understands it")
    func described() throws {
        let hevc = VideoSampleEntry.hevc(vps: [[0x40, 1, 2, 3]], sps: [[0x42, 1, 2, 3]], pps: [[0x44, 1, 2]])
        for video in [Self.entry, hevc, .mjpeg(width: 640, height: 360)] {
            for codec in [.aac(audioSpecificConfig: [0x14, 0x08]), .opus, .pcmu, .pcma] as [StreamDescription.AudioTrack.Codec] {
                let rate = codec == .opus ? 48_000 : codec == .aac(audioSpecificConfig: [0x14, 0x08]) ? 16_000 : 8000
                let description = StreamDescription(
                    run: 1, origin: WallTime(microseconds: 0), video: video,
                    audio: .init(codec: codec, timescale: rate, channels: codec == .opus ? 2 : 1))
                let tracks = LiveRTP.tracks(of: description)
                #expect(tracks.count == 2)
                let read = try #require(SDPDescription(Array(SDPWriter.text(tracks, title: "x", id: 1).utf8)))
                #expect(read.media.map(\.format) == tracks.map { $0 })
            }
        }
    }
}
