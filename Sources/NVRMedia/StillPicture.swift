package import ISOBMFF
import Libav
import NVRBase
package import NVRModel

/// One keyframe of a file as JPEG. Blocks while it decodes.
package enum StillPicture {
    /// `bytes`: a keyframe in the product's form. `width`: pixels at most; nil keeps the size. Throws `unavailable` when it does
    /// not decode.
    package static func decode(_ bytes: [UInt8], entry: VideoSampleEntry, time: WallTime, width: Int?) throws -> Picture {
        let setup = entry.decoderSetup
        let decoder = try VideoDecoder(codec: setup.codec, extradata: setup.extradata)
        var frames = decoder.decode(bytes, pts: 0, isKey: true)
        if frames.isEmpty { frames = decoder.flush() }
        guard let frame = frames.first else { throw NVRError(.unavailable, "the picture cannot be decoded") }
        let target = width.map { min($0, frame.width) }
        let image = try JPEGEncoder(quality: 80, targetWidth: target).encode(frame)
        return Picture(jpeg: image.bytes, width: image.width, height: image.height, time: time)
    }
}
