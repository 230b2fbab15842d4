package import ISOBMFF
package import NVRModel

/// What a run of a stream consists of. A new one is published when the stream (re)starts, when parameter sets change and when the
/// wall clock steps; packets published after it belong to it.
package struct StreamDescription: Sendable, Equatable {
    /// Ticks a second of video times.
    package static let videoTimescale = 90_000

    /// Names the run: packets of different runs share no timeline.
    package var run: Int64
    /// Wall time of tick 0 of the run.
    package var origin: WallTime
    package var video: VideoSampleEntry
    package var audio: AudioTrack?

    package init(run: Int64, origin: WallTime, video: VideoSampleEntry, audio: AudioTrack?) {
        self.run = run
        self.origin = origin
        self.video = video
        self.audio = audio
    }

    /// A stream's audio as the camera sends it.
    package struct AudioTrack: Sendable, Equatable {
        package enum Codec: Sendable, Equatable {
            case aac(audioSpecificConfig: [UInt8])
            case opus
            case pcmu
            case pcma
        }

        package var codec: Codec
        /// Ticks a second of audio times: the RTP clock rate.
        package var timescale: Int
        package var channels: Int

        package init(codec: Codec, timescale: Int, channels: Int) {
            self.codec = codec
            self.timescale = timescale
            self.channels = channels
        }

        /// The codec's usual name.
        package var name: String {
            switch codec {
            case .aac: "aac"
            case .opus: "opus"
            case .pcmu: "pcm_mulaw"
            case .pcma: "pcm_alaw"
            }
        }

        /// The codec as WebCodecs registers it: "mp4a.40.2", "opus", "ulaw", "alaw".
        package var codecString: String {
            switch codec {
            case .aac(let configuration): AudioSampleEntry.aac(audioSpecificConfig: configuration).codecString
            case .opus: "opus"
            case .pcmu: "ulaw"
            case .pcma: "alaw"
            }
        }
    }

    /// The video codec as RFC 6381 spells it, for players: "avc1.640028".
    package var videoCodecString: String { video.codecString }

    /// Pictures a second as the parameter sets claim; cameras often claim what is not so.
    package var claimedFrameRate: Double? { video.frameRate }

    /// Pixels of the picture.
    package var width: Int { video.width }
    package var height: Int { video.height }

    /// The video codec's usual name.
    package var videoCodecName: String {
        switch video {
        case .avc: "h264"
        case .hevc: "hevc"
        case .mjpeg: "mjpeg"
        }
    }
}
