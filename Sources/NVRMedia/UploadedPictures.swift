import Libav
import NVRBase

/// Makes pictures that people upload ours: decoded, scaled down and encoded anew, so that no byte of theirs is ever served. Owns one
/// thread: one picture is in memory at a time. Any task may use it.
package final class UploadedPictures: Sendable {
    /// Pixels of a picture; one of a phone has 12 million.
    static let mostPixels = 16 << 20
    /// Scans of a progressive JPEG: each costs a pass over the whole picture, and they can be made of a few bytes.
    static let mostScans = 64

    private let thread = BlockingThread(name: "uploads")

    package init() {}

    deinit { thread.stop() }

    /// A PNG, JPEG or WebP as a JPEG whose longer side has at most `largestSide` pixels. Throws `invalid` for anything else.
    package func jpeg(of bytes: [UInt8], largestSide: Int) async throws -> [UInt8] {
        try await thread.run { try Self.jpeg(of: bytes, largestSide: largestSide) }
    }

    private static func jpeg(of bytes: [UInt8], largestSide: Int) throws -> [UInt8] {
        guard let (codec, picture) = recognised(bytes) else { throw NVRError(.invalid, "The picture must be a PNG, JPEG or WebP file") }
        do {
            let decoder = try VideoDecoder(codec: codec, options: VideoDecoderOptions(maxPixels: mostPixels))
            var frames = decoder.decode(picture, pts: nil, isKey: true)
            if frames.isEmpty { frames = decoder.flush() }
            guard let frame = frames.first, frame.width > 0, frame.height > 0 else { throw damaged }
            let isWide = frame.width >= frame.height
            let width = isWide ? largestSide : max(1, largestSide * frame.width / frame.height)
            return try JPEGEncoder(quality: 85, targetWidth: min(width, frame.width)).encode(frame).bytes
        } catch let error as LibavError {
            throw NVRError(.invalid, damaged.message, underlying: error)
        }
    }

    private static let damaged = NVRError(.invalid, "The picture is damaged, too large or of a kind that cannot be read")

    /// What the first bytes say a file is, and what of it the decoder needs to see; nil when it is no picture of a known kind.
    private static func recognised(_ bytes: [UInt8]) -> (CodecID, [UInt8])? {
        if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
            // Inside a scan 0xFF is followed by 0 or a restart marker, so this counts no byte of the picture.
            let scans = zip(bytes, bytes.dropFirst()).count { $0 == (0xFF, 0xDA) }
            return scans <= mostScans ? (.mjpeg, bytes) : nil
        }
        if bytes.starts(with: pngSignature) { return essentialPNG(bytes).map { (.png, $0) } }
        if bytes.starts(with: Array("RIFF".utf8)), bytes.count > 12, bytes[8..<12].elementsEqual("WEBP".utf8) { return (.webp, bytes) }
        return nil
    }

    private static let pngSignature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    private static let pngChunks = ["IHDR", "PLTE", "tRNS", "IDAT", "IEND"].map { Array($0.utf8) }

    /// A PNG with the chunks alone that make the picture (PNG section 5.3). Compressed texts and profiles, which a decoder would
    /// inflate to any size, are left out. Nil when the chunks do not lie one after another.
    private static func essentialPNG(_ bytes: [UInt8]) -> [UInt8]? {
        var out = pngSignature
        var place = pngSignature.count
        while place + 12 <= bytes.count {
            let length = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
            guard length <= bytes.count - place - 12 else { return nil }
            let chunk = bytes[place..<place + 12 + length]
            let name = Array(chunk.dropFirst(4).prefix(4))
            if pngChunks.contains(name) { out += chunk }
            if name == pngChunks[4] { return out }
            place += 12 + length
        }
        return nil
    }
}
