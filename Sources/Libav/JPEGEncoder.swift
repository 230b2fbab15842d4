import CFFmpeg

/// A finished JPEG file and its size in pixels.
package struct JPEGImage: Hashable, Sendable {
    package let bytes: [UInt8]
    package let width: Int
    package let height: Int
}

/// Makes JPEG files of decoded pictures. Holds nothing between two pictures, so it costs no memory while unused.
package struct JPEGEncoder: Hashable, Sendable {
    /// 1 (small) … 100 (best), on about the scale of the IJG library.
    package var quality: Int
    /// Pixels; nil keeps the picture's own. Pictures are never enlarged.
    package var targetWidth: Int?

    package init(quality: Int = 80, targetWidth: Int? = nil) {
        self.quality = quality
        self.targetWidth = targetWidth
    }

    /// Encodes `frame`: scaled if asked for, with square pixels, and in the full range that JPEG means.
    package func encode(_ frame: Frame) throws(LibavError) -> JPEGImage {
        _ = Libav.setUp
        guard frame.width > 0, frame.height > 0, frame.width <= 16_384, frame.height <= 16_384, sws_isSupportedInput(frame.format) > 0 else {
            throw LibavError(code: cffmpeg_error_invalid_argument, operation: "encode JPEG of \(frame.pixelFormat)")
        }
        let size = targetSize(of: frame)
        var picture: UnsafeMutablePointer<AVFrame>? = try Self.picture(width: size.width, height: size.height)
        defer { av_frame_free(&picture) }
        guard let picture else { throw LibavError(outOfMemoryIn: "allocate a picture") }
        try Self.convert(frame, into: picture)
        return try encode(picture)
    }

    /// Display width (pixels made square), bounded by the target; even, as chroma has half the resolution.
    private func targetSize(of frame: Frame) -> (width: Int32, height: Int32) {
        let displayWidth = Double(frame.width) * frame.pixelAspect
        let width = min(displayWidth, 16_384, Double(max(16, targetWidth ?? Int.max)))
        let height = Double(frame.height) * width / displayWidth
        func even(_ value: Double) -> Int32 { max(2, Int32((value / 2).rounded()) * 2) }
        return (even(width), even(min(height, 16_384)))
    }

    static func picture(width: Int32, height: Int32) throws(LibavError) -> UnsafeMutablePointer<AVFrame> {
        let picture = try check(av_frame_alloc(), "allocate a picture")
        picture.pointee.format = AV_PIX_FMT_YUVJ420P.rawValue
        picture.pointee.width = width
        picture.pointee.height = height
        picture.pointee.color_range = AVCOL_RANGE_JPEG
        let code = av_frame_get_buffer(picture, 0)
        if code < 0 {
            var unused: UnsafeMutablePointer<AVFrame>? = picture
            av_frame_free(&unused)
        }
        try check(code, "allocate a picture")
        return picture
    }

    static func convert(_ frame: Frame, into picture: UnsafeMutablePointer<AVFrame>) throws(LibavError) {
        let scaler = try check(sws_alloc_context(), "allocate a scaler")
        defer { sws_freeContext(scaler) }
        // The ranges have to be set before sws_init_context: afterwards equal formats would be copied unconverted.
        let object = UnsafeMutableRawPointer(scaler)
        let options: [(String, Int64)] = [
            ("srcw", Int64(frame.width)), ("srch", Int64(frame.height)), ("src_format", Int64(plainFormat(frame.format).rawValue)),
            ("src_range", frame.isFullRange ? 1 : 0),
            ("dstw", Int64(picture.pointee.width)), ("dsth", Int64(picture.pointee.height)), ("dst_format", Int64(AV_PIX_FMT_YUV420P.rawValue)),
            ("dst_range", 1),
            ("sws_flags", Int64(SWS_BICUBIC)),
        ]
        for (name, value) in options { try check(av_opt_set_int(object, name, value, 0), "set up a scaler") }
        try check(sws_init_context(scaler, nil, nil), "set up a scaler")
        let target = picture.pointee
        try swsScale(
            scaler, frame.handle, height: frame.height, planes: [target.data.0, target.data.1, target.data.2],
            strides: [target.linesize.0, target.linesize.1, target.linesize.2])
    }

    /// libav's quantiser scale 1…31 for the quality. The IJG library scales its table by `percent`; libav's own table is
    /// about 17 quantiser steps at the IJG's 100 %.
    private var quantiserScale: Int32 {
        let bounded = Double(min(max(quality, 1), 100))
        let percent = bounded < 50 ? 5000 / bounded : 200 - 2 * bounded
        return min(31, max(1, Int32((17 * percent / 100).rounded())))
    }

    func encode(_ picture: UnsafeMutablePointer<AVFrame>) throws(LibavError) -> JPEGImage {
        guard let codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG) else {
            throw LibavError(code: cffmpeg_error_encoder_not_found, operation: "find the JPEG encoder")
        }
        var owned = avcodec_alloc_context3(codec)
        defer { avcodec_free_context(&owned) }
        let context = try check(owned, "allocate a JPEG encoder")
        let scale = quantiserScale
        context.pointee.thread_count = 1
        context.pointee.width = picture.pointee.width
        context.pointee.height = picture.pointee.height
        context.pointee.pix_fmt = AV_PIX_FMT_YUVJ420P
        context.pointee.color_range = AVCOL_RANGE_JPEG
        context.pointee.time_base = AVRational(num: 1, den: 25)
        context.pointee.flags |= AV_CODEC_FLAG_QSCALE
        context.pointee.qmin = min(2, scale)
        context.pointee.global_quality = scale * FF_QP2LAMBDA
        try check(avcodec_open2(context, codec, nil), "open the JPEG encoder")
        picture.pointee.quality = context.pointee.global_quality
        picture.pointee.pts = 0
        try check(avcodec_send_frame(context, picture), "encode JPEG")
        var packet = av_packet_alloc()
        defer { av_packet_free(&packet) }
        let filled = try check(packet, "allocate a packet")
        try check(avcodec_send_frame(context, nil), "encode JPEG")
        try check(avcodec_receive_packet(context, filled), "encode JPEG")
        let bytes = [UInt8](UnsafeBufferPointer(start: filled.pointee.data, count: Int(max(0, filled.pointee.size))))
        return JPEGImage(bytes: bytes, width: Int(picture.pointee.width), height: Int(picture.pointee.height))
    }
}

/// The deprecated full range formats are the plain ones with the range said separately.
func plainFormat(_ format: AVPixelFormat) -> AVPixelFormat {
    switch format {
    case AV_PIX_FMT_YUVJ420P: AV_PIX_FMT_YUV420P
    case AV_PIX_FMT_YUVJ422P: AV_PIX_FMT_YUV422P
    case AV_PIX_FMT_YUVJ444P: AV_PIX_FMT_YUV444P
    case AV_PIX_FMT_YUVJ440P: AV_PIX_FMT_YUV440P
    case AV_PIX_FMT_YUVJ411P: AV_PIX_FMT_YUV411P
    default: format
    }
}
