import CFFmpeg

/// A codec by libav's number. Any number may be held; the well-known ones have names.
package struct CodecID: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package var rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    init(_ id: AVCodecID) {
        rawValue = UInt32(id.rawValue)
    }

    var id: AVCodecID { AVCodecID(rawValue) }

    package static let h264 = CodecID(AV_CODEC_ID_H264)
    package static let h265 = CodecID(AV_CODEC_ID_HEVC)
    package static let mjpeg = CodecID(AV_CODEC_ID_MJPEG)
    package static let mpeg4 = CodecID(AV_CODEC_ID_MPEG4)
    package static let vp8 = CodecID(AV_CODEC_ID_VP8)
    package static let vp9 = CodecID(AV_CODEC_ID_VP9)
    package static let av1 = CodecID(AV_CODEC_ID_AV1)
    package static let png = CodecID(AV_CODEC_ID_PNG)
    package static let webp = CodecID(AV_CODEC_ID_WEBP)
    package static let aac = CodecID(AV_CODEC_ID_AAC)
    package static let opus = CodecID(AV_CODEC_ID_OPUS)
    package static let mp3 = CodecID(AV_CODEC_ID_MP3)
    package static let pcmMulaw = CodecID(AV_CODEC_ID_PCM_MULAW)
    package static let pcmAlaw = CodecID(AV_CODEC_ID_PCM_ALAW)
    package static let pcmS16BE = CodecID(AV_CODEC_ID_PCM_S16BE)
    package static let pcmS16LE = CodecID(AV_CODEC_ID_PCM_S16LE)
    package static let g722 = CodecID(AV_CODEC_ID_ADPCM_G722)
    package static let g726 = CodecID(AV_CODEC_ID_ADPCM_G726)
    package static let g726LE = CodecID(AV_CODEC_ID_ADPCM_G726LE)

    /// libav's short name ("h264", "hevc", "pcm_mulaw"; "unknown_codec" when it has none).
    package var description: String {
        avcodec_get_name(id).map { String(cString: $0) } ?? "unknown_codec"
    }
}
