import Libav
import RTSP

/// Makes AAC of audio that MP4 players do not take (G.711), on the time line of its input. One thread uses it.
package final class AACTranscoder {
    /// One AAC frame; times in ticks of `timescale` since the origin of the run.
    package struct Output {
        package var bytes: [UInt8]
        package var time: Int64
        package var duration: Int64
    }

    private let transcoder: AudioTranscoder
    package var timescale: Int { transcoder.outputRate }
    package var audioSpecificConfig: [UInt8] { transcoder.audioSpecificConfig }

    /// Nil when the track needs no transcoding.
    package init?(_ track: StreamDescription.AudioTrack) throws {
        switch track.codec {
        case .pcmu: transcoder = try AudioTranscoder(codec: .pcmMulaw, sampleRate: track.timescale, channels: track.channels)
        case .pcma: transcoder = try AudioTranscoder(codec: .pcmAlaw, sampleRate: track.timescale, channels: track.channels)
        case .aac, .opus: return nil
        }
    }

    package func push(_ packet: MediaPacket) throws -> [Output] {
        let bytes = packet.bytes.withUnsafeBytes { [UInt8]($0) }
        return try transcoder.push(bytes, pts: packet.dts).map { Output(bytes: $0.bytes, time: $0.pts, duration: $0.duration) }
    }
}
