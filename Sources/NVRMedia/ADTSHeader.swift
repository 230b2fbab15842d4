import ISOBMFF

/// The header in front of each AAC frame of a transport stream (ISO/IEC 13818-7 section 6.2), which files do without.
package struct ADTSHeader: Sendable, Equatable {
    /// 2 is AAC LC.
    package var objectType: Int
    package var sampleRate: Int
    package var channels: Int
    /// Bytes of the header itself.
    package var length: Int
    /// Bytes of header and frame.
    package var frameLength: Int

    private static let rates = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350]

    /// Nil when the bytes do not begin with a header, or with one that names no rate or no channels.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 7, bytes[0] == 0xFF, bytes[1] & 0xF6 == 0xF0 else { return nil }
        let rate = Int(bytes[2] >> 2 & 15)
        let configuration = Int(bytes[2] & 1) << 2 | Int(bytes[3] >> 6)
        guard rate < Self.rates.count, configuration > 0 else { return nil }
        objectType = Int(bytes[2] >> 6) + 1
        sampleRate = Self.rates[rate]
        channels = configuration == 7 ? 8 : configuration
        length = bytes[1] & 1 == 1 ? 7 : 9
        frameLength = Int(bytes[3] & 3) << 11 | Int(bytes[4]) << 3 | Int(bytes[5] >> 5)
        guard frameLength > length else { return nil }
    }

    /// What a file says about the stream instead.
    package var audioSpecificConfig: [UInt8] {
        AudioSpecificConfig.bytes(objectType: objectType, sampleRate: sampleRate, channels: channels)
    }

    /// The frames in `bytes` without their headers; bytes without any header are one frame.
    package static func frames(in bytes: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
        var frames: [UnsafeRawBufferPointer] = []
        var rest = bytes
        while let header = ADTSHeader(rest), header.frameLength <= rest.count {
            frames.append(UnsafeRawBufferPointer(rebasing: rest[header.length..<header.frameLength]))
            rest = UnsafeRawBufferPointer(rebasing: rest[header.frameLength...])
        }
        return frames.isEmpty && ADTSHeader(bytes) == nil && !bytes.isEmpty ? [bytes] : frames
    }
}
