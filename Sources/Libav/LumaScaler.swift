import CFFmpeg

/// Scales the luma of decoded pictures to one small size (the picture is stretched to it): each output pixel is the mean of
/// its source rectangle, which also averages noise away. Not Sendable: keeps scratch memory.
package final class LumaScaler {
    package let width: Int
    package let height: Int

    /// Sums of the columns of one band of source rows.
    private var columns: [UInt16] = []
    /// Left edges of the source columns of each output pixel, and one more at the end.
    private var edges: [Int32] = []
    private var sourceWidth = 0
    /// For formats without a plain 8 bit luma plane (10 bit, RGB), made when the first such frame comes. Its output has the
    /// full range, also where the source has not.
    private var converter: SwsContext?

    /// - Parameters: the output size in pixels, 1…4096.
    package init(width: Int = 320, height: Int = 180) {
        self.width = min(max(1, width), 4096)
        self.height = min(max(1, height), 4096)
    }

    deinit {
        sws_freeContext(converter?.pointer)
    }

    /// What the converter was made for.
    private struct SwsContext {
        var pointer: OpaquePointer
        var width: Int
        var height: Int
        var format: AVPixelFormat
    }

    /// Writes the scaled luma of `frame` to `output`, row after row without padding.
    ///
    /// - Throws: `LibavError` when the output is not exactly `width × height` bytes or libav cannot read the pixel format.
    package func scale(_ frame: Frame, into output: UnsafeMutableBufferPointer<UInt8>) throws(LibavError) {
        guard output.count == width * height, let target = output.baseAddress else {
            throw LibavError(code: cffmpeg_error_invalid_argument, operation: "scale luma")
        }
        let done: Void? = frame.withLuma { scale($0, into: target) }
        if done == nil { try convert(frame, into: target) }
    }

    /// The same as a new array.
    package func scale(_ frame: Frame) throws(LibavError) -> [UInt8] {
        var failure: LibavError?
        let pixels = [UInt8](unsafeUninitializedCapacity: width * height) { buffer, count in
            let whole = UnsafeMutableBufferPointer(rebasing: buffer[..<(width * height)])
            do throws(LibavError) {
                try scale(frame, into: whole)
                count = whole.count
            } catch {
                failure = error
                count = 0
            }
        }
        if let failure { throw failure }
        return pixels
    }

    /// Scales a plane that the caller vouches for: `stride × (height − 1) + width` readable bytes; `target` takes
    /// `width × height` bytes.
    package func scale(_ plane: LumaPlane, into target: UnsafeMutablePointer<UInt8>) {
        guard plane.width > 0, plane.height > 0, plane.width <= 65_535, plane.height <= 65_535, plane.stride >= plane.width else { return }
        if sourceWidth != plane.width {
            sourceWidth = plane.width
            columns = [UInt16](repeating: 0, count: plane.width)
            edges = (0...width).map { Int32($0 * plane.width / width) }
        }
        if plane.width == 2 * width, plane.height == 2 * height { return halve(plane, into: target) }
        columns.withUnsafeMutableBufferPointer { columns in
            edges.withUnsafeBufferPointer { edges in
                guard let sums = columns.baseAddress, let edge = edges.baseAddress else { return }
                for row in 0..<height {
                    let top = row * plane.height / height
                    let bottom = max(top + 1, (row + 1) * plane.height / height)
                    // A column sum fits 16 bits for 257 rows; pictures are smaller than 257 × the output, or lose rows here.
                    let last = min(bottom, top + 257)
                    Self.sumRows(plane, from: top, to: last, into: sums)
                    Self.averageColumns(sums, edges: edge, count: width, limit: plane.width, rows: UInt32(last - top), into: target + row * width)
                }
            }
        }
    }

    @inline(__always)
    private static func sumRows(_ plane: LumaPlane, from top: Int, to bottom: Int, into sums: UnsafeMutablePointer<UInt16>) {
        let width = plane.width
        let first = plane.base + top * plane.stride
        if bottom - top == 1 {
            for x in 0..<width { sums[x] = UInt16(truncatingIfNeeded: first[x]) }
            return
        }
        let second = first + plane.stride
        for x in 0..<width { sums[x] = UInt16(truncatingIfNeeded: first[x]) &+ UInt16(truncatingIfNeeded: second[x]) }
        var y = top + 2
        while y < bottom {
            let source = plane.base + y * plane.stride
            for x in 0..<width { sums[x] = sums[x] &+ UInt16(truncatingIfNeeded: source[x]) }
            y += 1
        }
    }

    @inline(__always)
    private static func averageColumns(
        _ sums: UnsafePointer<UInt16>, edges: UnsafePointer<Int32>, count: Int, limit: Int, rows: UInt32, into target: UnsafeMutablePointer<UInt8>
    ) {
        // Two box widths occur at most, n and n + 1 columns: one reciprocal each instead of a division per pixel.
        let narrow = max(1, limit / count)
        let narrowReciprocal = reciprocal(UInt32(narrow) &* rows)
        let wideReciprocal = reciprocal(UInt32(narrow + 1) &* rows)
        for x in 0..<count {
            let left = Int(edges[x])
            let right = max(left + 1, Int(edges[x + 1]))
            var sum: UInt32 = 0
            var i = left
            while i < right {
                sum &+= UInt32(truncatingIfNeeded: sums[i])
                i += 1
            }
            let factor = right - left == narrow ? narrowReciprocal : wideReciprocal
            target[x] = UInt8(truncatingIfNeeded: min(255, (UInt64(sum) &* factor &+ (1 << 31)) >> 32))
        }
    }

    /// 2³² ÷ n: exact enough to round a mean of bytes.
    @inline(__always)
    private static func reciprocal(_ n: UInt32) -> UInt64 {
        (1 << 32) / UInt64(max(1, n))
    }

    /// The usual sub-stream, 640 × 360 to 320 × 180: four pixels each, in a form that the compiler vectorises.
    private func halve(_ plane: LumaPlane, into target: UnsafeMutablePointer<UInt8>) {
        let vectors = width / 16
        for row in 0..<height {
            let upper = UnsafeRawPointer(plane.base + 2 * row * plane.stride)
            let lower = upper + plane.stride
            let output = UnsafeMutableRawPointer(target + row * width)
            for v in 0..<vectors {
                let a = upper.loadUnaligned(fromByteOffset: v * 32, as: SIMD16<UInt16>.self)
                let b = lower.loadUnaligned(fromByteOffset: v * 32, as: SIMD16<UInt16>.self)
                // Little endian: the left pixel is the low byte.
                let sum = (a & 0xff) &+ (a &>> 8) &+ (b & 0xff) &+ (b &>> 8) &+ 2
                output.storeBytes(of: SIMD16<UInt8>(truncatingIfNeeded: sum &>> 2), toByteOffset: v * 16, as: SIMD16<UInt8>.self)
            }
            for x in (vectors * 16)..<width {
                let a = upper.load(fromByteOffset: 2 * x, as: UInt8.self)
                let b = upper.load(fromByteOffset: 2 * x + 1, as: UInt8.self)
                let c = lower.load(fromByteOffset: 2 * x, as: UInt8.self)
                let d = lower.load(fromByteOffset: 2 * x + 1, as: UInt8.self)
                target[row * width + x] = UInt8(truncatingIfNeeded: (UInt32(a) + UInt32(b) + UInt32(c) + UInt32(d) + 2) >> 2)
            }
        }
    }

    private func convert(_ frame: Frame, into target: UnsafeMutablePointer<UInt8>) throws(LibavError) {
        guard frame.width > 0, frame.height > 0, frame.width <= 65_535, frame.height <= 65_535, sws_isSupportedInput(frame.format) > 0 else {
            throw LibavError(code: cffmpeg_error_invalid_argument, operation: "scale \(frame.pixelFormat)")
        }
        if converter?.width != frame.width || converter?.height != frame.height || converter?.format != frame.format {
            sws_freeContext(converter?.pointer)
            converter = nil
            let pointer = try check(
                sws_getContext(
                    Int32(frame.width), Int32(frame.height), frame.format, Int32(width), Int32(height), AV_PIX_FMT_GRAY8, SWS_AREA, nil, nil, nil),
                "make a scaler")
            converter = SwsContext(pointer: pointer, width: frame.width, height: frame.height, format: frame.format)
        }
        guard let converter else { return }
        try swsScale(converter.pointer, frame.handle, height: frame.height, planes: [target], strides: [Int32(width)])
    }
}

/// sws_scale with the frame's planes as source.
func swsScale(
    _ scaler: OpaquePointer, _ frame: UnsafeMutablePointer<AVFrame>, height: Int, planes: [UnsafeMutablePointer<UInt8>?], strides: [Int32]
) throws(LibavError) {
    let source = frame.pointee
    let data: [UnsafePointer<UInt8>?] = [source.data.0, source.data.1, source.data.2, source.data.3].map { $0.map { UnsafePointer($0) } }
    let linesize = [source.linesize.0, source.linesize.1, source.linesize.2, source.linesize.3]
    let padded = planes + Array(repeating: nil, count: max(0, 4 - planes.count))
    let paddedStrides = strides + Array(repeating: 0, count: max(0, 4 - strides.count))
    try check(sws_scale(scaler, data, linesize, 0, Int32(height), padded, paddedStrides), "scale")
}
