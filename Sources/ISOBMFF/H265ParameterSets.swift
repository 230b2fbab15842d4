/// Profile, tier and level of an H.265 stream: the 12 bytes that `hvcC` and the codec string repeat (ITU-T H.265, 7.3.3).
package struct H265Profile: Sendable, Equatable {
    /// general_profile_space, 0 to 3.
    package let space: Int
    package let highTier: Bool
    package let profile: Int
    /// general_profile_compatibility_flag[0] in the highest bit.
    package let compatibility: UInt32
    /// 6 bytes from general_progressive_source_flag on.
    package let constraints: [UInt8]
    /// general_level_idc: 30 times the level.
    package let level: Int

    init(_ bits: inout BitReader, subLayers: Int) throws(ISOBMFFError) {
        space = try bits.bits(2)
        highTier = try bits.bit()
        profile = try bits.bits(5)
        compatibility = UInt32(truncatingIfNeeded: try bits.bits(32))
        var constraints: [UInt8] = []
        for _ in 0..<6 { constraints.append(UInt8(truncatingIfNeeded: try bits.bits(8))) }
        self.constraints = constraints
        level = try bits.bits(8)
        guard subLayers > 1 else { return }
        var present: [(profile: Bool, level: Bool)] = []
        for _ in 1..<subLayers { present.append((try bits.bit(), try bits.bit())) }
        try bits.skip(2 * (9 - subLayers))
        for layer in present {
            if layer.profile { try bits.skip(88) }
            if layer.level { try bits.skip(8) }
        }
    }

    /// What follows "hvc1." in a codec string (ISO/IEC 14496-15, E.3).
    package var codecSuffix: String {
        var suffix = space == 0 ? "" : ["A", "B", "C"][min(space, 3) - 1]
        suffix += String(profile)
        var reversed: UInt32 = 0
        for bit in 0..<32 where compatibility >> UInt32(bit) & 1 != 0 { reversed |= 1 << UInt32(31 - bit) }
        suffix += "." + String(reversed, radix: 16, uppercase: true)
        suffix += "." + (highTier ? "H" : "L") + String(level)
        let used = (constraints.lastIndex { $0 != 0 } ?? -1) + 1
        for byte in constraints.prefix(used) { suffix += "." + String(byte, radix: 16, uppercase: true) }
        return suffix
    }
}

/// A sequence parameter set of H.265 (ITU-T H.265, 7.3.2.2 and E.2.1).
package struct H265SPS: Sendable, Equatable {
    /// sps_max_sub_layers_minus1 + 1, 1 to 7.
    package let temporalLayers: Int
    package let temporalNesting: Bool
    package let profile: H265Profile
    /// sps_seq_parameter_set_id, 0 to 15.
    package let id: Int
    /// chroma_format_idc: 1 is 4:2:0.
    package let chromaFormat: Int
    package let lumaBitDepth: Int
    package let chromaBitDepth: Int
    /// sps_max_num_reorder_pics of the highest temporal layer.
    package let reorderFrames: Int
    package let picture: PictureFormat

    /// - Parameter nalUnit: the whole NAL unit (type 33). Damage after the reordering depth is forgiven and costs only the
    ///   frame rate and pixel shape.
    package init(nalUnit: [UInt8]) throws(ISOBMFFError) {
        guard nalUnit.count > 2, nalUnit[0] >> 1 & 0x3F == 33 else { throw .malformed("H.265 SPS") }
        var bits = BitReader(nalUnit: nalUnit, header: 2)
        try bits.skip(4)
        temporalLayers = try bits.bits(3) + 1
        guard temporalLayers <= 7 else { throw .malformed("H.265 SPS") }
        temporalNesting = try bits.bit()
        profile = try H265Profile(&bits, subLayers: temporalLayers)
        id = try bits.ue(atMost: 15)
        chromaFormat = try bits.ue(atMost: 3)
        var separatePlanes = false
        if chromaFormat == 3 { separatePlanes = try bits.bit() }
        var width = try bits.ue(atMost: largestPictureSide)
        var height = try bits.ue(atMost: largestPictureSide)
        if try bits.bit() {
            let unitX = !separatePlanes && (chromaFormat == 1 || chromaFormat == 2) ? 2 : 1
            let unitY = !separatePlanes && chromaFormat == 1 ? 2 : 1
            let left = try bits.ue(atMost: largestPictureSide)
            let right = try bits.ue(atMost: largestPictureSide)
            let top = try bits.ue(atMost: largestPictureSide)
            let bottom = try bits.ue(atMost: largestPictureSide)
            width -= (left + right) * unitX
            height -= (top + bottom) * unitY
        }
        guard width > 0, height > 0 else { throw .malformed("H.265 picture size") }
        lumaBitDepth = 8 + (try bits.ue(atMost: 8))
        chromaBitDepth = 8 + (try bits.ue(atMost: 8))
        let orderCountBits = try bits.ue(atMost: 12) + 4
        var reorderFrames = 0
        for _ in (try bits.bit() ? 0 : temporalLayers - 1)..<temporalLayers {
            _ = try bits.ue()
            reorderFrames = try bits.ue(atMost: 16)
            _ = try bits.ue()
        }
        self.reorderFrames = reorderFrames
        // Forgiven, see above; what was read before is sound.
        let usability = try? Usability(&bits, chromaFormat: chromaFormat, orderCountBits: orderCountBits)
        picture = PictureFormat(
            width: width, height: height, pixelAspect: usability?.pixelAspect ?? PixelAspect(), frameRate: usability?.frameRate,
            mayReorder: reorderFrames > 0)
    }

    private struct Usability {
        var pixelAspect = PixelAspect()
        var frameRate: Double?

        /// Reads from log2_min_luma_coding_block_size_minus3 on: there is no other way to find the timing.
        init(_ bits: inout BitReader, chromaFormat: Int, orderCountBits: Int) throws(ISOBMFFError) {
            for _ in 0..<6 { _ = try bits.ue() }
            if try bits.bit(), try bits.bit() { try H265SPS.skipScalingLists(&bits) }
            try bits.skip(2)
            if try bits.bit() {  // pcm_enabled_flag
                try bits.skip(8)
                _ = try bits.ue()
                _ = try bits.ue()
                try bits.skip(1)
            }
            try H265SPS.skipShortTermSets(&bits)
            if try bits.bit() {
                for _ in 0..<(try bits.ue(atMost: 32)) { try bits.skip(orderCountBits + 1) }
            }
            try bits.skip(2)
            guard try bits.bit() else { return }
            pixelAspect = try VideoUsabilityStart(&bits).pixelAspect
            try bits.skip(3)
            if try bits.bit() {  // default display window
                for _ in 0..<4 { _ = try bits.ue() }
            }
            guard try bits.bit() else { return }
            let ticks = try bits.bits(32)
            let timescale = try bits.bits(32)
            frameRate = sensibleFrameRate(ticks: ticks, per: timescale)
        }
    }

    /// scaling_list_data (7.3.4)
    private static func skipScalingLists(_ bits: inout BitReader) throws(ISOBMFFError) {
        for sizeID in 0..<4 {
            for _ in stride(from: 0, to: 6, by: sizeID == 3 ? 3 : 1) {
                if try !bits.bit() {
                    _ = try bits.ue()
                } else {
                    if sizeID > 1 { _ = try bits.se() }
                    for _ in 0..<min(64, 1 << (4 + sizeID << 1)) { _ = try bits.se() }
                }
            }
        }
    }

    /// num_short_term_ref_pic_sets and st_ref_pic_set (7.3.7, 7.4.8); only the sizes of the sets matter for reading on.
    private static func skipShortTermSets(_ bits: inout BitReader) throws(ISOBMFFError) {
        let count = try bits.ue(atMost: 64)
        var deltas = 0
        for index in 0..<count {
            if index > 0, try bits.bit() {
                try bits.skip(1)
                _ = try bits.ue()
                var kept = 0
                for _ in 0...deltas {
                    if try bits.bit() {
                        kept += 1
                    } else if try bits.bit() {
                        kept += 1
                    }
                }
                guard kept <= 16 else { throw .malformed("H.265 reference picture set") }
                deltas = kept
            } else {
                let negative = try bits.ue(atMost: 16)
                let positive = try bits.ue(atMost: 16)
                deltas = negative + positive
                for _ in 0..<deltas {
                    _ = try bits.ue()
                    try bits.skip(1)
                }
            }
        }
    }
}

/// A video parameter set of H.265 (ITU-T H.265, 7.3.2.1), as far as its timing.
package struct H265VPS: Sendable, Equatable {
    /// vps_video_parameter_set_id, 0 to 15.
    package let id: Int
    package let temporalLayers: Int
    package let profile: H265Profile
    /// Frames per second as claimed, nil when nothing sensible is claimed.
    package let frameRate: Double?

    /// - Parameter nalUnit: the whole NAL unit (type 32).
    package init(nalUnit: [UInt8]) throws(ISOBMFFError) {
        guard nalUnit.count > 2, nalUnit[0] >> 1 & 0x3F == 32 else { throw .malformed("H.265 VPS") }
        var bits = BitReader(nalUnit: nalUnit, header: 2)
        id = try bits.bits(4)
        try bits.skip(8)
        temporalLayers = try bits.bits(3) + 1
        guard temporalLayers <= 7 else { throw .malformed("H.265 VPS") }
        try bits.skip(17)
        profile = try H265Profile(&bits, subLayers: temporalLayers)
        for _ in (try bits.bit() ? 0 : temporalLayers - 1)..<temporalLayers {
            for _ in 0..<3 { _ = try bits.ue() }
        }
        let largestLayer = try bits.bits(6)
        for _ in 0..<(try bits.ue(atMost: 1023)) { try bits.skip(largestLayer + 1) }
        guard try bits.bit() else {
            frameRate = nil
            return
        }
        let ticks = try bits.bits(32)
        let timescale = try bits.bits(32)
        frameRate = sensibleFrameRate(ticks: ticks, per: timescale)
    }
}
