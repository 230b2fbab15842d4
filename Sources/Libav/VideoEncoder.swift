import CFFmpeg

/// One H.264 access unit, Annex B, without parameter sets.
package struct EncodedPicture: Hashable, Sendable {
    package let bytes: [UInt8]
    /// As given with the picture that was encoded.
    package let pts: Int64
    package let isKey: Bool
}

/// How pictures are encoded for people who watch live.
package struct VideoEncoderOptions: Hashable, Sendable {
    /// Pixels; even.
    package var width: Int
    package var height: Int
    /// Bits per second that are not passed for longer than a second.
    package var maxBitRate: Int
    /// Pictures from one key frame to the next at most.
    package var longestGOP: Int

    package init(width: Int, height: Int, maxBitRate: Int = 3_000_000, longestGOP: Int = 120) {
        self.width = width
        self.height = height
        self.maxBitRate = maxBitRate
        self.longestGOP = longestGOP
    }

    /// The size for a picture of `width` × `height` pixels: never larger, `most` pixels wide at most, even.
    package static func size(of width: Int, _ height: Int, most: Int) -> (width: Int, height: Int) {
        let target = max(16, min(width, most))
        func even(_ value: Double) -> Int { max(16, Int((value / 2).rounded()) * 2) }
        return (even(Double(target)), even(Double(height) * Double(target) / Double(max(1, width))))
    }
}

/// A one-threaded H.264 encoder without delay: every picture gives its access unit at once, and there are no B-frames, so order of
/// decoding is order of display. Owns one AVCodecContext and a scaler. Not Sendable: one thread uses it.
package final class VideoEncoder {
    private var context: UnsafeMutablePointer<AVCodecContext>?
    private var picture: UnsafeMutablePointer<AVFrame>?
    private let packet: UnsafeMutablePointer<AVPacket>
    private var scaler: Scaler?
    private var lastPTS: Int64?
    private let options: VideoEncoderOptions

    /// SPS and PPS, Annex B.
    package let parameterSets: [UInt8]

    private struct Scaler {
        var pointer: OpaquePointer
        var width: Int
        var height: Int
        var format: AVPixelFormat
        var isFullRange: Bool
    }

    /// Throws `LibavError` when libav was built without an H.264 encoder, or for a size that none takes.
    package init(_ options: VideoEncoderOptions) throws(LibavError) {
        _ = Libav.setUp
        self.options = options
        guard (16...8192).contains(options.width), (16...8192).contains(options.height), options.width % 2 == 0, options.height % 2 == 0 else {
            throw LibavError(code: cffmpeg_error_invalid_argument, operation: "encode \(options.width)×\(options.height)")
        }
        guard let codec = avcodec_find_encoder_by_name("libx264") ?? avcodec_find_encoder(AV_CODEC_ID_H264) else {
            throw LibavError(code: cffmpeg_error_encoder_not_found, operation: "find an H.264 encoder")
        }
        var sets: [UInt8] = []
        var made = try check(avcodec_alloc_context3(codec), "allocate an encoder") as UnsafeMutablePointer<AVCodecContext>?
        do throws(LibavError) {
            if let context = made { sets = try Self.open(context, codec, options) }
        } catch {
            avcodec_free_context(&made)
            throw error
        }
        parameterSets = sets
        do throws(LibavError) { packet = try check(av_packet_alloc(), "allocate a packet") } catch {
            avcodec_free_context(&made)
            throw error
        }
        context = made
    }

    deinit {
        var unused: UnsafeMutablePointer<AVPacket>? = packet
        av_packet_free(&unused)
        av_frame_free(&picture)
        avcodec_free_context(&context)
        sws_freeContext(scaler?.pointer)
    }

    private static func open(
        _ context: UnsafeMutablePointer<AVCodecContext>, _ codec: UnsafePointer<AVCodec>, _ options: VideoEncoderOptions
    ) throws(LibavError) -> [UInt8] {
        context.pointee.width = Int32(options.width)
        context.pointee.height = Int32(options.height)
        context.pointee.pix_fmt = AV_PIX_FMT_YUV420P
        context.pointee.color_range = AVCOL_RANGE_MPEG
        context.pointee.time_base = AVRational(num: 1, den: 90_000)
        context.pointee.framerate = AVRational(num: 25, den: 1)
        context.pointee.thread_count = 1
        context.pointee.max_b_frames = 0
        context.pointee.gop_size = Int32(clamping: options.longestGOP)
        // The rate is bounded over a second; below that, quality decides (crf).
        context.pointee.rc_max_rate = Int64(options.maxBitRate)
        context.pointee.rc_buffer_size = Int32(clamping: options.maxBitRate)
        context.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER
        let object = UnsafeMutableRawPointer(context)
        // Names of libx264; another encoder ignores what it does not know.
        for (name, value) in [
            ("preset", "superfast"), ("tune", "zerolatency"), ("profile", "main"), ("crf", "24"), ("forced-idr", "1"), ("sc_threshold", "0"),
            ("x264-params", "sliced-threads=0:rc-lookahead=0:sync-lookahead=0"),
        ] { av_opt_set(object, name, value, AV_OPT_SEARCH_CHILDREN) }
        try check(avcodec_open2(context, codec, nil), "open the H.264 encoder")
        guard let bytes = context.pointee.extradata, context.pointee.extradata_size > 0 else { return [] }
        return [UInt8](UnsafeBufferPointer(start: bytes, count: Int(context.pointee.extradata_size)))
    }

    /// Encodes one picture, scaled to the encoder's size. `pts` in ticks of 90 kHz; one that does not increase gives nothing.
    package func encode(_ frame: Frame, pts: Int64, isKey: Bool) throws(LibavError) -> [EncodedPicture] {
        if let lastPTS, pts <= lastPTS { return [] }
        let picture = try preparedPicture()
        try check(av_frame_make_writable(picture), "write a picture")
        try convert(frame, into: picture)
        picture.pointee.pts = pts
        picture.pointee.pict_type = isKey ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE
        lastPTS = pts
        try check(avcodec_send_frame(context, picture), "encode H.264")
        var result: [EncodedPicture] = []
        while true {
            let code = avcodec_receive_packet(context, packet)
            if code == cffmpeg_error_again || code == cffmpeg_error_eof { return result }
            try check(code, "encode H.264")
            defer { av_packet_unref(packet) }
            guard let data = packet.pointee.data, packet.pointee.size > 0 else { continue }
            result.append(
                EncodedPicture(
                    bytes: [UInt8](UnsafeBufferPointer(start: data, count: Int(packet.pointee.size))), pts: packet.pointee.pts,
                    isKey: packet.pointee.flags & AV_PKT_FLAG_KEY != 0))
        }
    }

    private func preparedPicture() throws(LibavError) -> UnsafeMutablePointer<AVFrame> {
        if let picture { return picture }
        let made = try check(av_frame_alloc(), "allocate a picture")
        made.pointee.format = AV_PIX_FMT_YUV420P.rawValue
        made.pointee.width = Int32(options.width)
        made.pointee.height = Int32(options.height)
        made.pointee.color_range = AVCOL_RANGE_MPEG
        let code = av_frame_get_buffer(made, 0)
        if code < 0 {
            var unused: UnsafeMutablePointer<AVFrame>? = made
            av_frame_free(&unused)
        }
        try check(code, "allocate a picture")
        picture = made
        return made
    }

    private func convert(_ frame: Frame, into picture: UnsafeMutablePointer<AVFrame>) throws(LibavError) {
        guard frame.width > 0, frame.height > 0, frame.width <= 16_384, frame.height <= 16_384, sws_isSupportedInput(frame.format) > 0 else {
            throw LibavError(code: cffmpeg_error_invalid_argument, operation: "encode \(frame.pixelFormat)")
        }
        let isSame =
            scaler.map {
                $0.width == frame.width && $0.height == frame.height && $0.format == frame.format && $0.isFullRange == frame.isFullRange
            } ?? false
        if !isSame {
            sws_freeContext(scaler?.pointer)
            scaler = nil
            scaler = try makeScaler(frame)
        }
        guard let scaler else { return }
        let target = picture.pointee
        try swsScale(
            scaler.pointer, frame.handle, height: frame.height, planes: [target.data.0, target.data.1, target.data.2],
            strides: [target.linesize.0, target.linesize.1, target.linesize.2])
    }

    private func makeScaler(_ frame: Frame) throws(LibavError) -> Scaler {
        let pointer = try check(sws_alloc_context(), "allocate a scaler")
        let values: [(String, Int64)] = [
            ("srcw", Int64(frame.width)), ("srch", Int64(frame.height)), ("src_format", Int64(plainFormat(frame.format).rawValue)),
            ("src_range", frame.isFullRange ? 1 : 0),
            ("dstw", Int64(options.width)), ("dsth", Int64(options.height)), ("dst_format", Int64(AV_PIX_FMT_YUV420P.rawValue)), ("dst_range", 0),
            ("sws_flags", Int64(SWS_FAST_BILINEAR)),
        ]
        do throws(LibavError) {
            for (name, value) in values { try check(av_opt_set_int(UnsafeMutableRawPointer(pointer), name, value, 0), "set up a scaler") }
            try check(sws_init_context(pointer, nil, nil), "set up a scaler")
        } catch {
            sws_freeContext(pointer)
            throw error
        }
        return Scaler(pointer: pointer, width: frame.width, height: frame.height, format: frame.format, isFullRange: frame.isFullRange)
    }
}
