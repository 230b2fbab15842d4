import CFFmpeg

/// A luma plane in memory: 8 bits per pixel, `stride` bytes from row to row. Valid only where it was handed out.
package struct LumaPlane {
    package let base: UnsafePointer<UInt8>
    package let stride: Int
    package let width: Int
    package let height: Int

    package init(base: UnsafePointer<UInt8>, stride: Int, width: Int, height: Int) {
        self.base = base
        self.stride = stride
        self.width = width
        self.height = height
    }
}

/// One decoded picture. Owns one AVFrame, whose pixels may come from the decoder's pool: let go of it soon.
///
/// @unchecked Sendable is safe: the frame is never changed after its creation, and libav counts references to its
/// buffers atomically.
package final class Frame: @unchecked Sendable {
    let handle: UnsafeMutablePointer<AVFrame>

    /// Pixels.
    package let width: Int
    package let height: Int
    /// As given with the packet that the picture came from.
    package let pts: Int64?
    package let isKey: Bool
    /// The decoder concealed something or a reference was missing.
    package let isDamaged: Bool

    /// Takes ownership of `handle`.
    init(_ handle: UnsafeMutablePointer<AVFrame>) {
        self.handle = handle
        width = max(0, Int(handle.pointee.width))
        height = max(0, Int(handle.pointee.height))
        pts = timestamp(handle.pointee.pts)
        isKey = handle.pointee.key_frame != 0
        isDamaged = handle.pointee.flags & AV_FRAME_FLAG_CORRUPT != 0 || handle.pointee.decode_error_flags != 0
    }

    deinit {
        var pointer: UnsafeMutablePointer<AVFrame>? = handle
        av_frame_free(&pointer)
    }

    var format: AVPixelFormat { AVPixelFormat(handle.pointee.format) }

    /// libav's name of the pixel format ("yuv420p", "yuvj420p", "nv12").
    package var pixelFormat: String {
        av_get_pix_fmt_name(format).map { String(cString: $0) } ?? "unknown"
    }

    /// Luma goes from 0 to 255 (JPEG) rather than from 16 to 235 (television).
    package var isFullRange: Bool {
        if handle.pointee.color_range == AVCOL_RANGE_JPEG { return true }
        return [AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUVJ411P].contains(format)
    }

    /// Width ÷ height of one pixel as far as it is sane; 1 when unknown.
    package var pixelAspect: Double {
        guard let value = Rational(handle.pointee.sample_aspect_ratio).positiveValue, value > 0.25, value < 4 else { return 1 }
        return value
    }

    /// The luma plane in place, valid only inside `body`; nil when the format has no plain 8 bit luma plane.
    package func withLuma<Result>(_ body: (LumaPlane) throws -> Result) rethrows -> Result? {
        guard Self.hasPlainLuma(format), width > 0, height > 0, let base = handle.pointee.data.0 else { return nil }
        let stride = Int(handle.pointee.linesize.0)
        guard stride >= width else { return nil }
        return try body(LumaPlane(base: base, stride: stride, width: width, height: height))
    }

    private static func hasPlainLuma(_ format: AVPixelFormat) -> Bool {
        switch format {
        case AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUV444P,
            AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_YUV440P, AV_PIX_FMT_YUVJ440P, AV_PIX_FMT_YUV411P, AV_PIX_FMT_YUVJ411P,
            AV_PIX_FMT_YUV410P, AV_PIX_FMT_NV12, AV_PIX_FMT_NV21, AV_PIX_FMT_NV16, AV_PIX_FMT_NV24, AV_PIX_FMT_GRAY8:
            true
        default: false
        }
    }
}
