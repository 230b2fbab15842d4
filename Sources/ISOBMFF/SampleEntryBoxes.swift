/// Sample entries as boxes: `avc1`, `hvc1`, `mp4v`, `mp4a`, `Opus`, written and read back.
enum SampleEntryBoxes {
    static func write(_ kind: TrackDescription.Kind, into writer: inout BoxWriter) {
        switch kind {
        case .video(let entry): write(entry, into: &writer)
        case .audio(let entry): write(entry, into: &writer)
        }
    }

    // MARK: - Writing

    private static func write(_ entry: VideoSampleEntry, into writer: inout BoxWriter) {
        let type: FourCC =
            switch entry {
            case .avc: "avc1"
            case .hevc: "hvc1"
            case .mjpeg: "mp4v"
            }
        let picture = entry.picture
        writer.box(type) {
            $0.zeros(6)
            $0.u16(1)  // data reference
            $0.zeros(16)
            $0.u16(min(picture?.width ?? 0, 0xFFFF))
            $0.u16(min(picture?.height ?? 0, 0xFFFF))
            $0.u32(0x0048_0000)
            $0.u32(0x0048_0000)
            $0.u32(0)
            $0.u16(1)  // frames per sample
            $0.zeros(32)  // compressor name
            $0.u16(0x0018)
            $0.u16(0xFFFF)
            switch entry {
            case .avc(let sps, let pps):
                $0.box("avcC") { $0.append(AVCConfiguration.bytes(sps: sps, pps: pps)) }
            case .hevc(let vps, let sps, let pps):
                $0.box("hvcC") { $0.append(HEVCConfiguration.bytes(vps: vps, sps: sps, pps: pps)) }
            case .mjpeg:
                elementaryStream(objectType: 0x6C, streamType: 4, specific: [], into: &$0)
            }
            if let aspect = picture?.pixelAspect, !aspect.isSquare {
                $0.box("pasp") {
                    $0.u32(UInt32(clamping: aspect.horizontal))
                    $0.u32(UInt32(clamping: aspect.vertical))
                }
            }
        }
    }

    private static func write(_ entry: AudioSampleEntry, into writer: inout BoxWriter) {
        let isOpus = if case .opus = entry { true } else { false }
        writer.box(isOpus ? "Opus" : "mp4a") {
            $0.zeros(6)
            $0.u16(1)  // data reference
            $0.zeros(8)
            $0.u16(entry.channels)
            $0.u16(16)
            $0.u32(0)
            // 16.16 fixed point; higher rates do not fit and are told by the configuration alone.
            $0.u32(entry.sampleRate > 0xFFFF ? 0 : UInt32(clamping: entry.sampleRate) << 16)
            switch entry {
            case .aac(let configuration):
                elementaryStream(objectType: 0x40, streamType: 5, specific: configuration, into: &$0)
            case .opus(_, let preSkip, let sampleRate):
                $0.box("dOps") {
                    $0.u8(0)
                    $0.u8(UInt8(entry.channels))
                    $0.u16(min(max(preSkip, 0), 0xFFFF))
                    $0.u32(UInt32(clamping: sampleRate))
                    $0.u16(0)
                    $0.u8(0)
                }
            }
        }
    }

    /// `esds` (ISO/IEC 14496-1, 7.2.6.5, and 14496-14, 5.6).
    private static func elementaryStream(
        objectType: UInt8, streamType: UInt8, specific: [UInt8], into writer: inout BoxWriter
    ) {
        let specific = Array(specific.prefix(512))
        let specificSize = specific.isEmpty ? 0 : 5 + specific.count
        writer.fullBox("esds") {
            descriptor(3, size: 3 + 5 + 13 + specificSize + 6, into: &$0)
            $0.u16(0)
            $0.u8(0)
            descriptor(4, size: 13 + specificSize, into: &$0)
            $0.u8(objectType)
            $0.u8(streamType << 2 | 1)
            $0.zeros(11)  // buffer size and bit rates, unknown
            if !specific.isEmpty {
                descriptor(5, size: specific.count, into: &$0)
                $0.append(specific)
            }
            descriptor(6, size: 1, into: &$0)
            $0.u8(2)
        }
    }

    private static func descriptor(_ tag: UInt8, size: Int, into writer: inout BoxWriter) {
        writer.u8(tag)
        for shift in [21, 14, 7] { writer.u8(UInt8(truncatingIfNeeded: size >> shift) & 0x7F | 0x80) }
        writer.u8(UInt8(truncatingIfNeeded: size) & 0x7F)
    }

    // MARK: - Reading

    /// The coding that a sample entry box describes; throws `unsupported` for one that this target does not write.
    static func read(_ box: Box, of bytes: [UInt8]) throws(ISOBMFFError) -> TrackDescription.Kind {
        var reader = ByteReader(bytes, in: box.content)
        switch box.type {
        case "avc1", "avc3", "hvc1", "hev1", "mp4v":
            try reader.skip(24)
            let width = try reader.u16()
            let height = try reader.u16()
            try reader.skip(50)
            while let child = try reader.box() {
                switch (box.type, child.type) {
                case ("avc1", "avcC"), ("avc3", "avcC"):
                    let sets = try AVCConfiguration.parameterSets(Array(bytes[child.content]))
                    return .video(.avc(sps: sets.sps, pps: sets.pps))
                case ("hvc1", "hvcC"), ("hev1", "hvcC"):
                    let sets = try HEVCConfiguration.parameterSets(Array(bytes[child.content]))
                    return .video(.hevc(vps: sets.vps, sps: sets.sps, pps: sets.pps))
                case ("mp4v", "esds"):
                    guard try elementaryStream(child, of: bytes).objectType == 0x6C else { throw .unsupported("mp4v object type") }
                    return .video(.mjpeg(width: width, height: height))
                default:
                    continue
                }
            }
            throw .malformed("video sample entry")
        case "mp4a":
            try reader.skip(8)
            // Version 1 and 2 are QuickTime's longer entries.
            let version = try reader.u16()
            try reader.skip(18 + (version == 1 ? 16 : version == 2 ? 36 : 0))
            while let child = try reader.box() {
                guard child.type == "esds" else { continue }
                let stream = try elementaryStream(child, of: bytes)
                guard stream.objectType == 0x40 else { throw .unsupported("mp4a object type") }
                return .audio(.aac(audioSpecificConfig: stream.specific))
            }
            throw .malformed("audio sample entry")
        case "Opus":
            try reader.skip(28)
            while let child = try reader.box() {
                guard child.type == "dOps" else { continue }
                var configuration = ByteReader(bytes, in: child.content)
                try configuration.skip(1)
                let channels = Int(try configuration.u8())
                let preSkip = try configuration.u16()
                let sampleRate = Int(try configuration.u32())
                return .audio(.opus(channels: channels, preSkip: preSkip, sampleRate: sampleRate))
            }
            throw .malformed("audio sample entry")
        default:
            throw .unsupported("sample entry")
        }
    }

    private static func elementaryStream(_ box: Box, of bytes: [UInt8]) throws(ISOBMFFError) -> (objectType: UInt8, specific: [UInt8]) {
        var reader = ByteReader(bytes, in: box.content)
        try reader.skip(4)
        guard try descriptor(&reader).tag == 3 else { throw .malformed("esds") }
        try reader.skip(2)
        let flags = try reader.u8()
        if flags & 0x80 != 0 { try reader.skip(2) }
        if flags & 0x40 != 0 { try reader.skip(Int(try reader.u8())) }
        if flags & 0x20 != 0 { try reader.skip(2) }
        guard try descriptor(&reader).tag == 4 else { throw .malformed("esds") }
        let objectType = try reader.u8()
        try reader.skip(12)
        // Without a decoder specific part (JPEG) the next descriptor is another one, or none.
        guard reader.remaining > 0 else { return (objectType, []) }
        let next = try descriptor(&reader)
        return (objectType, next.tag == 5 ? try reader.array(next.size) : [])
    }

    private static func descriptor(_ reader: inout ByteReader) throws(ISOBMFFError) -> (tag: UInt8, size: Int) {
        let tag = try reader.u8()
        var size = 0
        for _ in 0..<4 {
            let byte = try reader.u8()
            size = size << 7 | Int(byte & 0x7F)
            if byte & 0x80 == 0 { break }
        }
        return (tag, size)
    }
}

/// AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1): the content of `avcC`, and the extradata of many demuxers.
package enum AVCConfiguration {
    /// With 4-byte NAL unit lengths. At most 31 SPS and 255 PPS are kept.
    package static func bytes(sps: [[UInt8]], pps: [[UInt8]]) -> [UInt8] {
        var writer = BoxWriter(capacity: 64 + sps.reduce(0) { $0 + $1.count + 2 } + pps.reduce(0) { $0 + $1.count + 2 })
        let first = sps.first ?? []
        writer.u8(1)
        for index in 1...3 { writer.u8(index < first.count ? first[index] : 0) }
        writer.u8(0xFF)
        writer.u8(0xE0 | UInt8(min(sps.count, 31)))
        for unit in sps.prefix(31) { ParameterSetBytes.append(unit, to: &writer) }
        writer.u8(UInt8(min(pps.count, 255)))
        for unit in pps.prefix(255) { ParameterSetBytes.append(unit, to: &writer) }
        // Without a readable SPS the record ends here, as it does for profiles without these fields.
        if let parsed = try? H264SPS(nalUnit: first), ![66, 77, 88].contains(parsed.profile) {
            writer.u8(0xFC | UInt8(truncatingIfNeeded: parsed.chromaFormat))
            writer.u8(0xF8 | UInt8(truncatingIfNeeded: parsed.lumaBitDepth - 8))
            writer.u8(0xF8 | UInt8(truncatingIfNeeded: parsed.chromaBitDepth - 8))
            writer.u8(0)
        }
        return writer.bytes
    }

    /// The parameter sets of a record; `unsupported` when its NAL unit lengths are not of 4 bytes.
    package static func parameterSets(_ bytes: [UInt8]) throws(ISOBMFFError) -> (sps: [[UInt8]], pps: [[UInt8]]) {
        var reader = ByteReader(bytes)
        guard try reader.u8() == 1 else { throw .unsupported("avcC version") }
        try reader.skip(3)
        guard try reader.u8() & 3 == 3 else { throw .unsupported("NAL unit length size") }
        let sps = try ParameterSetBytes.read(Int(try reader.u8() & 0x1F), from: &reader)
        let pps = try ParameterSetBytes.read(Int(try reader.u8()), from: &reader)
        return (sps, pps)
    }
}

/// HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1): the content of `hvcC`, and the extradata of many demuxers.
package enum HEVCConfiguration {
    /// With 4-byte NAL unit lengths and complete arrays.
    package static func bytes(vps: [[UInt8]], sps: [[UInt8]], pps: [[UInt8]]) -> [UInt8] {
        let arrays: [(type: UInt8, units: [[UInt8]])] = [(32, vps), (33, sps), (34, pps)].filter { !$0.units.isEmpty }
        var writer = BoxWriter(capacity: 64 + arrays.reduce(0) { $0 + $1.units.reduce(3) { $0 + $1.count + 2 } })
        // An SPS nobody can read leaves zeros; the units themselves still follow.
        let parsed = sps.first.flatMap { try? H265SPS(nalUnit: $0) }
        writer.u8(1)
        let profile = parsed?.profile
        writer.u8(
            UInt8(truncatingIfNeeded: (profile?.space ?? 0) << 6 | (profile?.highTier == true ? 0x20 : 0) | (profile?.profile ?? 0)))
        writer.u32(profile?.compatibility ?? 0)
        writer.append(profile?.constraints ?? [0, 0, 0, 0, 0, 0])
        writer.u8(UInt8(truncatingIfNeeded: profile?.level ?? 0))
        writer.u16(0xF000)  // spatial segmentation unknown
        writer.u8(0xFC)  // parallelism unknown
        writer.u8(0xFC | UInt8(truncatingIfNeeded: parsed?.chromaFormat ?? 1))
        writer.u8(0xF8 | UInt8(truncatingIfNeeded: (parsed?.lumaBitDepth ?? 8) - 8) & 7)
        writer.u8(0xF8 | UInt8(truncatingIfNeeded: (parsed?.chromaBitDepth ?? 8) - 8) & 7)
        writer.u16(0)
        writer.u8(UInt8(truncatingIfNeeded: parsed?.temporalLayers ?? 1) << 3 | (parsed?.temporalNesting == true ? 4 : 0) | 3)
        writer.u8(UInt8(arrays.count))
        for array in arrays {
            writer.u8(0x80 | array.type)
            writer.u16(min(array.units.count, 0xFFFF))
            for unit in array.units.prefix(0xFFFF) { ParameterSetBytes.append(unit, to: &writer) }
        }
        return writer.bytes
    }

    /// The parameter sets of a record; `unsupported` when its NAL unit lengths are not of 4 bytes.
    package static func parameterSets(
        _ bytes: [UInt8]
    ) throws(ISOBMFFError) -> (vps: [[UInt8]], sps: [[UInt8]], pps: [[UInt8]]) {
        var reader = ByteReader(bytes)
        guard try reader.u8() == 1 else { throw .unsupported("hvcC version") }
        try reader.skip(20)
        guard try reader.u8() & 3 == 3 else { throw .unsupported("NAL unit length size") }
        var sets: (vps: [[UInt8]], sps: [[UInt8]], pps: [[UInt8]]) = ([], [], [])
        for _ in 0..<(try reader.u8()) {
            let type = try reader.u8() & 0x3F
            let units = try ParameterSetBytes.read(try reader.u16(), from: &reader)
            switch type {
            case 32: sets.vps += units
            case 33: sets.sps += units
            case 34: sets.pps += units
            default: continue
            }
        }
        return sets
    }
}

/// Parameter sets behind their 16-bit lengths, as both records have them.
private enum ParameterSetBytes {
    static func append(_ unit: [UInt8], to writer: inout BoxWriter) {
        let unit = unit.prefix(0xFFFF)
        writer.u16(unit.count)
        writer.append(Array(unit))
    }

    static func read(_ count: Int, from reader: inout ByteReader) throws(ISOBMFFError) -> [[UInt8]] {
        guard count * 2 <= reader.remaining else { throw .truncated("parameter sets") }
        var units: [[UInt8]] = []
        for _ in 0..<count { units.append(try reader.array(try reader.u16())) }
        return units
    }
}
