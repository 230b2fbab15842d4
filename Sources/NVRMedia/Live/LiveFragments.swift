import ISOBMFF
package import NIOCore
package import NVRModel
import RTSP

/// Fragmented MP4 of a live stream for Media Source Extensions (W3C "ISO BMFF Byte Stream Format"). All runs of a stream lie on one
/// timeline, the wall clock's since `epoch`, so that a player goes on when the camera comes back. Pure.
package struct LiveFragments: Sendable {
    static let videoTrack: UInt32 = 1
    static let audioTrack: UInt32 = 2

    private let description: StreamDescription
    /// Microseconds from the epoch to tick 0 of the run.
    private let offset: Int64

    package init(description: StreamDescription, epoch: WallTime) {
        self.description = description
        offset = max(0, description.origin.microseconds(since: epoch))
    }

    // MARK: Beginning

    /// The tracks that a browser can play: no G.711, no motion JPEG.
    private static func tracks(of description: StreamDescription) -> [TrackDescription] {
        if case .mjpeg = description.video { return [] }
        var tracks = [
            TrackDescription(
                id: videoTrack, timescale: UInt32(clamping: StreamDescription.videoTimescale), kind: .video(description.video))
        ]
        if let audio = description.audio, let entry = entry(of: audio) {
            tracks.append(TrackDescription(id: audioTrack, timescale: UInt32(clamping: audio.timescale), kind: .audio(entry)))
        }
        return tracks
    }

    private static func entry(of audio: StreamDescription.AudioTrack) -> AudioSampleEntry? {
        switch audio.codec {
        case .aac(let configuration): .aac(audioSpecificConfig: configuration)
        case .opus: .opus(channels: audio.channels, preSkip: 0, sampleRate: audio.timescale)
        case .pcmu, .pcma: nil
        }
    }

    /// The MIME type for `addSourceBuffer`; nil when no browser plays the stream's video.
    package static func mimeType(of description: StreamDescription, withAudio: Bool) -> String? {
        let tracks = tracks(of: description).filter { withAudio || $0.isVideo }
        return tracks.isEmpty ? nil : "video/mp4; codecs=\"" + tracks.map(\.codecString).joined(separator: ",") + "\""
    }

    /// What goes in front of the first fragment.
    package static func initSegment(of description: StreamDescription, withAudio: Bool) -> ByteBuffer {
        let tracks = tracks(of: description).filter { withAudio || $0.isVideo }
        return ByteBuffer(bytes: InitSegment.bytes(tracks: tracks, creationTime: description.origin.microseconds / 1_000_000))
    }

    // MARK: Going on

    /// A player takes a step of more than twice the last duration for a gap, and then waits for a keyframe. So frames claim to last
    /// at least this long, ticks: late frames do not blank the picture, and claims that overlap are allowed.
    private static let shortestClaim = Int64(StreamDescription.videoTimescale) / 4

    func fragment(_ packet: MediaPacket, videoStep: Int64) -> ByteBuffer? {
        let timescale: Int64
        let track: UInt32
        let duration: Int64
        switch packet.kind {
        case .video:
            if case .mjpeg = description.video { return nil }
            timescale = Int64(StreamDescription.videoTimescale)
            track = Self.videoTrack
            duration = max(Self.shortestClaim, 2 * videoStep)
        case .audio:
            guard let audio = description.audio, Self.entry(of: audio) != nil else { return nil }
            timescale = Int64(audio.timescale)
            track = Self.audioTrack
            duration = audioDuration(audio)
        }
        let base = offset.multipliedReportingOverflow(by: timescale).partialValue / 1_000_000 + packet.dts
        let sample = FragmentSample(
            size: packet.byteCount, duration: UInt32(clamping: duration), isKeyframe: packet.isKeyframe || packet.kind == .audio,
            compositionOffset: Int32(clamping: packet.pts - packet.dts))
        let header = Fragment.header(
            sequence: UInt32(truncatingIfNeeded: packet.sequence),
            tracks: [FragmentTrack(trackID: track, baseDecodeTime: UInt64(max(0, base)), samples: [sample])])
        var buffer = ByteBufferAllocator().buffer(capacity: header.count + packet.byteCount)
        buffer.writeBytes(header)
        packet.withUnsafeBytes { _ = buffer.writeBytes($0) }
        return buffer
    }

    /// Ticks of one frame: 1024 samples of AAC (ISO/IEC 14496-3), 20 ms of Opus, whose packets mostly have that.
    private func audioDuration(_ audio: StreamDescription.AudioTrack) -> Int64 {
        switch audio.codec {
        case .aac: 1024
        default: Int64(audio.timescale) / 50
        }
    }
}
