/// How the pictures of a video track are coded; becomes its sample entry (ISO/IEC 14496-15 for AVC and HEVC).
/// Parameter sets are whole NAL units (header byte included, emulation prevention bytes kept, no start code, no length).
/// Samples of AVC and HEVC tracks hold NAL units each behind a 4-byte big-endian length.
package enum VideoSampleEntry: Sendable, Equatable {
    /// H.264 with its parameter sets out of band (`avc1`).
    case avc(sps: [[UInt8]], pps: [[UInt8]])
    /// H.265 with its parameter sets out of band (`hvc1`, the tag that Apple's players ask for).
    case hevc(vps: [[UInt8]], sps: [[UInt8]], pps: [[UInt8]])
    /// One JPEG picture per sample (`mp4v`, object type indication 0x6C). Width and height in pixels.
    case mjpeg(width: Int, height: Int)
}

/// How the sound of an audio track is coded; becomes its sample entry.
package enum AudioSampleEntry: Sendable, Equatable {
    /// AAC (`mp4a`) with its AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1); samples are raw access units without ADTS.
    case aac(audioSpecificConfig: [UInt8])
    /// Opus ("Encapsulation of Opus in ISO Base Media File Format"); 1 or 2 channels, pre-skip in samples at 48 kHz,
    /// sampleRate that of the original input (only told to the player; Opus itself always runs at 48 kHz).
    case opus(channels: Int, preSkip: Int, sampleRate: Int)
}

extension VideoSampleEntry {
    /// Width and height in pixels after cropping, and what else the parameter sets promise; nil when they cannot be understood.
    package var picture: PictureFormat? {
        switch self {
        case .avc(let sps, _):
            for unit in sps {
                // A broken set among several is what the loop is for: the next may be readable.
                if let parsed = try? H264SPS(nalUnit: unit) { return parsed.picture }
            }
            return nil
        case .hevc(let vps, let sps, _):
            for unit in sps {
                // As above.
                guard let parsed = try? H265SPS(nalUnit: unit) else { continue }
                var picture = parsed.picture
                if picture.frameRate == nil {
                    for unit in vps where picture.frameRate == nil {
                        // The VPS only adds a frame rate hint; without it there is none.
                        picture.frameRate = (try? H265VPS(nalUnit: unit))?.frameRate
                    }
                }
                return picture
            }
            return nil
        case .mjpeg(let width, let height):
            return PictureFormat(width: width, height: height, pixelAspect: PixelAspect(), frameRate: nil, mayReorder: false)
        }
    }

    /// Width in pixels after cropping; 0 when the parameter sets cannot be understood.
    package var width: Int { picture?.width ?? 0 }
    /// Height in pixels after cropping; 0 when the parameter sets cannot be understood.
    package var height: Int { picture?.height ?? 0 }
    /// Frames per second as the parameter sets claim. A hint: cameras often claim what is not so.
    package var frameRate: Double? { picture?.frameRate }
    /// False only when decoding order is certainly presentation order (no B-frames).
    package var mayReorder: Bool { picture?.mayReorder ?? true }

    /// The codec as RFC 6381 and ISO/IEC 14496-15 annex E spell it: "avc1.640028", "hvc1.1.6.L93.B0", "mp4v.6C".
    package var codecString: String {
        switch self {
        case .avc(let sps, _):
            guard let unit = sps.first, unit.count >= 4 else { return "avc1" }
            return "avc1." + hexadecimal(unit[1]) + hexadecimal(unit[2]) + hexadecimal(unit[3])
        case .hevc(_, let sps, _):
            for unit in sps {
                // A broken set among several is what the loop is for: the next may be readable.
                if let parsed = try? H265SPS(nalUnit: unit) { return "hvc1." + parsed.profile.codecSuffix }
            }
            return "hvc1"
        case .mjpeg:
            return "mp4v.6C"
        }
    }
}

extension AudioSampleEntry {
    /// Samples per second of the decoded sound; 0 when the configuration cannot be understood.
    package var sampleRate: Int {
        switch self {
        case .aac(let bytes):
            // A configuration nobody can read has no rate to tell; the doc comment says 0.
            guard let configuration = try? AudioSpecificConfig(bytes: bytes) else { return 0 }
            return configuration.outputSampleRate
        case .opus:
            return 48000
        }
    }

    /// Channels of the decoded sound; 0 when the configuration cannot be understood.
    package var channels: Int {
        switch self {
        case .aac(let bytes):
            // As for the rate.
            return (try? AudioSpecificConfig(bytes: bytes))?.channels ?? 0
        case .opus(let channels, _, _):
            return min(max(channels, 1), 2)
        }
    }

    /// The codec as RFC 6381 spells it: "mp4a.40.2", "opus".
    package var codecString: String {
        switch self {
        case .aac(let bytes):
            // An unreadable configuration is played as plain AAC LC or not at all.
            return "mp4a.40.\((try? AudioSpecificConfig(bytes: bytes))?.objectType ?? 2)"
        case .opus:
            return "opus"
        }
    }
}

/// What a sequence parameter set tells about the pictures.
package struct PictureFormat: Sendable, Equatable {
    /// Pixels after cropping.
    package var width: Int
    /// Pixels after cropping.
    package var height: Int
    /// Shape of one pixel.
    package var pixelAspect: PixelAspect
    /// Frames per second as claimed, nil when nothing sensible is claimed.
    package var frameRate: Double?
    /// False only when decoding order is certainly presentation order.
    package var mayReorder: Bool

    package init(width: Int, height: Int, pixelAspect: PixelAspect, frameRate: Double?, mayReorder: Bool) {
        self.width = width
        self.height = height
        self.pixelAspect = pixelAspect
        self.frameRate = frameRate
        self.mayReorder = mayReorder
    }
}

/// Width to height of one pixel; 1:1 unless a stream says otherwise.
package struct PixelAspect: Sendable, Equatable {
    /// Never 0.
    package let horizontal: Int
    /// Never 0.
    package let vertical: Int

    /// Square pixels, also in place of a ratio with a 0 in it.
    package init(horizontal: Int = 1, vertical: Int = 1) {
        let valid = (1...0xFFFF).contains(horizontal) && (1...0xFFFF).contains(vertical)
        self.horizontal = valid ? horizontal : 1
        self.vertical = valid ? vertical : 1
    }

    package var isSquare: Bool { horizontal == vertical }
}

/// A track of a file: its number, clock and coding.
package struct TrackDescription: Sendable, Equatable {
    /// What a track holds.
    package enum Kind: Sendable, Equatable {
        case video(VideoSampleEntry)
        case audio(AudioSampleEntry)
    }

    /// Not 0, unique in the file.
    package var id: UInt32
    /// Ticks per second of the track's times.
    package var timescale: UInt32
    package var kind: Kind

    package init(id: UInt32, timescale: UInt32, kind: Kind) {
        self.id = id
        self.timescale = timescale
        self.kind = kind
    }

    package var isVideo: Bool {
        if case .video = kind { return true }
        return false
    }

    /// The codec as RFC 6381 spells it.
    package var codecString: String { kind.codecString }
}

extension TrackDescription.Kind {
    /// The codec as RFC 6381 spells it.
    package var codecString: String {
        switch self {
        case .video(let entry): entry.codecString
        case .audio(let entry): entry.codecString
        }
    }
}

/// Two capital hexadecimal digits.
func hexadecimal(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return byte < 16 ? "0" + digits : digits
}
