package import ISOBMFF
import Libav

/// Keyframes of files as one JPEG of small tiles. Not Sendable: one thread makes a sheet. Blocks while it decodes.
package final class StillSheet {
    private let sheet: PictureSheet
    private var decoder: (entry: VideoSampleEntry, decoder: VideoDecoder)?

    /// Sizes of tiles in pixels.
    package init(columns: Int, rows: Int, tileWidth: Int, tileHeight: Int) throws {
        sheet = try PictureSheet(columns: columns, rows: rows, tileWidth: tileWidth, tileHeight: tileHeight)
    }

    /// Places a keyframe in the product's form. What does not decode leaves its tile black.
    package func place(_ bytes: [UInt8], entry: VideoSampleEntry, at index: Int) throws {
        if decoder?.entry != entry {
            let setup = entry.decoderSetup
            decoder = (entry, try VideoDecoder(codec: setup.codec, extradata: setup.extradata))
        }
        guard let decoder = decoder?.decoder else { return }
        var frames = decoder.decode(bytes, pts: 0, isKey: true)
        frames += decoder.flush()
        if let frame = frames.first { try sheet.place(frame, at: index) }
    }

    package func jpeg() throws -> [UInt8] { try sheet.encode().bytes }
}
