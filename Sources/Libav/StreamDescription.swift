import CFFmpeg

/// What an input says about one of its streams. A copy: stays valid when the input is gone.
package struct StreamDescription: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case video
        case audio
        case other
    }

    package var index: Int
    package var kind: Kind
    package var codec: CodecID
    /// Out-of-band parameters as the container has them: avcC/hvcC from MP4, FLV, Matroska (the packets are then
    /// length-prefixed), Annex B from MPEG-TS and RTSP (the packets then have start codes); an AudioSpecificConfig for AAC.
    package var extradata: [UInt8]
    /// Seconds per tick of the packets' times.
    package var timeBase: Rational
    /// Pixels; 0 when unknown or no video.
    package var width: Int
    package var height: Int
    /// Frames per second; nil when unknown.
    package var frameRate: Rational?
    /// Samples per second; 0 when unknown or no audio.
    package var sampleRate: Int
    package var channels: Int
    /// Bits per second; 0 when unknown.
    package var bitRate: Int64

    /// A still picture that belongs to the file (a cover), not footage.
    package var isAttachedPicture: Bool

    init(_ stream: UnsafeMutablePointer<AVStream>) {
        index = Int(stream.pointee.index)
        timeBase = Rational(stream.pointee.time_base)
        isAttachedPicture = stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC != 0
        let average = Rational(stream.pointee.avg_frame_rate)
        let real = Rational(stream.pointee.r_frame_rate)
        frameRate = average.positiveValue != nil ? average : real.positiveValue != nil ? real : nil
        guard let parameters = stream.pointee.codecpar else {
            (kind, codec, extradata) = (.other, CodecID(AV_CODEC_ID_NONE), [])
            (width, height, sampleRate, channels, bitRate) = (0, 0, 0, 0, 0)
            return
        }
        switch parameters.pointee.codec_type {
        case AVMEDIA_TYPE_VIDEO: kind = .video
        case AVMEDIA_TYPE_AUDIO: kind = .audio
        default: kind = .other
        }
        codec = CodecID(parameters.pointee.codec_id)
        if let bytes = parameters.pointee.extradata, parameters.pointee.extradata_size > 0 {
            extradata = [UInt8](UnsafeBufferPointer(start: bytes, count: Int(parameters.pointee.extradata_size)))
        } else {
            extradata = []
        }
        width = max(0, Int(parameters.pointee.width))
        height = max(0, Int(parameters.pointee.height))
        sampleRate = max(0, Int(parameters.pointee.sample_rate))
        channels = max(0, Int(parameters.pointee.ch_layout.nb_channels))
        bitRate = max(0, parameters.pointee.bit_rate)
    }
}

/// The same where another module has descriptions of its own.
package typealias InputStream = StreamDescription
