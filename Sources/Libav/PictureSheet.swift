import CFFmpeg
#if canImport(Glibc)
    import Glibc
#endif

/// A JPEG of many small pictures in rows of equal tiles; tiles that nothing was placed in are black. Owns one picture in memory. Not
/// Sendable: one thread or actor uses it.
package final class PictureSheet {
    private var canvas: UnsafeMutablePointer<AVFrame>?
    package let columns: Int
    package let rows: Int
    /// Pixels, even.
    package let tileWidth: Int
    package let tileHeight: Int

    /// A sheet is at most 8192 pixels wide and high. Throws for a larger one, and when memory is short.
    package init(columns: Int, rows: Int, tileWidth: Int, tileHeight: Int) throws(LibavError) {
        self.columns = columns
        self.rows = rows
        self.tileWidth = max(2, tileWidth / 2 * 2)
        self.tileHeight = max(2, tileHeight / 2 * 2)
        guard (1...4096).contains(columns), (1...4096).contains(rows), self.tileWidth <= 8192 / columns, self.tileHeight <= 8192 / rows else {
            throw LibavError(code: cffmpeg_error_invalid_argument, operation: "make a sheet of pictures")
        }
        let picture = try JPEGEncoder.picture(width: Int32(columns * self.tileWidth), height: Int32(rows * self.tileHeight))
        canvas = picture
        let (frame, height) = (picture.pointee, rows * self.tileHeight)
        for (plane, stride, lines, value) in [
            (frame.data.0, frame.linesize.0, height, Int32(0)), (frame.data.1, frame.linesize.1, height / 2, 128),
            (frame.data.2, frame.linesize.2, height / 2, 128),
        ] {
            if let plane { memset(plane, value, Int(stride) * lines) }
        }
    }

    deinit { av_frame_free(&canvas) }

    /// Scales a picture into a tile, as large as its shape allows. An index beyond the sheet is passed over.
    package func place(_ frame: Frame, at index: Int) throws(LibavError) {
        guard let canvas, (0..<columns * rows).contains(index), frame.width > 0, frame.height > 0 else { return }
        let display = Double(frame.width) * frame.pixelAspect
        let scale = min(Double(tileWidth) / display, Double(tileHeight) / Double(frame.height))
        func even(_ value: Double, _ most: Int) -> Int { min(max(2, Int((value / 2).rounded()) * 2), most) }
        let (width, height) = (even(display * scale, tileWidth), even(Double(frame.height) * scale, tileHeight))
        // Scalers may write a few pixels beyond a row: each tile is made in memory of its own.
        var tile: UnsafeMutablePointer<AVFrame>? = try JPEGEncoder.picture(width: Int32(width), height: Int32(height))
        defer { av_frame_free(&tile) }
        guard let tile else { return }
        try JPEGEncoder.convert(frame, into: tile)
        let x = index % columns * tileWidth + (tileWidth - width) / 4 * 2
        let y = index / columns * tileHeight + (tileHeight - height) / 4 * 2
        let (from, to) = (tile.pointee, canvas.pointee)
        for (source, sourceStride, target, targetStride, share) in [
            (from.data.0, from.linesize.0, to.data.0, to.linesize.0, 1), (from.data.1, from.linesize.1, to.data.1, to.linesize.1, 2),
            (from.data.2, from.linesize.2, to.data.2, to.linesize.2, 2),
        ] {
            guard let source, let target else { continue }
            for row in 0..<height / share {
                memcpy(target + (y / share + row) * Int(targetStride) + x / share, source + row * Int(sourceStride), width / share)
            }
        }
    }

    /// The sheet as it is now.
    package func encode(quality: Int = 75) throws(LibavError) -> JPEGImage {
        guard let canvas else { throw LibavError(outOfMemoryIn: "encode a sheet of pictures") }
        return try JPEGEncoder(quality: quality).encode(canvas)
    }
}
