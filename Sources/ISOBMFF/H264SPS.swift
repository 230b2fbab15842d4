/// A sequence parameter set of H.264 (ITU-T H.264, 7.3.2.1.1 and E.1.1).
package struct H264SPS: Sendable, Equatable {
    package let profile: UInt8
    /// constraint_set0_flag in the highest bit, as in `avcC`.
    package let constraints: UInt8
    package let level: UInt8
    /// seq_parameter_set_id, 0 to 31.
    package let id: Int
    /// chroma_format_idc: 1 is 4:2:0.
    package let chromaFormat: Int
    package let lumaBitDepth: Int
    package let chromaBitDepth: Int
    package let pictureOrderCountType: Int
    package let referenceFrames: Int
    /// False when pictures may come as two fields.
    package let framesOnly: Bool
    /// max_num_reorder_frames, nil when not told.
    package let reorderFrames: Int?
    package let picture: PictureFormat

    /// - Parameter nalUnit: the whole NAL unit (type 7). Damaged usability information at the end is forgiven: there are
    ///   cameras that cut it off, and players show them.
    package init(nalUnit: [UInt8]) throws(ISOBMFFError) {
        guard let first = nalUnit.first, first & 0x1F == 7 else { throw .malformed("H.264 SPS") }
        var bits = BitReader(nalUnit: nalUnit, header: 1)
        profile = UInt8(truncatingIfNeeded: try bits.bits(8))
        constraints = UInt8(truncatingIfNeeded: try bits.bits(8))
        level = UInt8(truncatingIfNeeded: try bits.bits(8))
        id = try bits.ue(atMost: 31)
        var chromaFormat = 1
        var separatePlanes = false
        var lumaBitDepth = 8
        var chromaBitDepth = 8
        if Self.profilesWithChromaFormat.contains(profile) {
            chromaFormat = try bits.ue(atMost: 3)
            if chromaFormat == 3 { separatePlanes = try bits.bit() }
            lumaBitDepth = 8 + (try bits.ue(atMost: 6))
            chromaBitDepth = 8 + (try bits.ue(atMost: 6))
            try bits.skip(1)  // lossless transform bypass
            if try bits.bit() {
                for list in 0..<(chromaFormat == 3 ? 12 : 8) where try bits.bit() {
                    try Self.skipScalingList(of: list < 6 ? 16 : 64, &bits)
                }
            }
        }
        self.chromaFormat = chromaFormat
        self.lumaBitDepth = lumaBitDepth
        self.chromaBitDepth = chromaBitDepth
        _ = try bits.ue(atMost: 12)  // log2_max_frame_num_minus4
        pictureOrderCountType = try bits.ue(atMost: 2)
        if pictureOrderCountType == 0 {
            _ = try bits.ue(atMost: 12)
        } else if pictureOrderCountType == 1 {
            try bits.skip(1)
            _ = try bits.se()
            _ = try bits.se()
            for _ in 0..<(try bits.ue(atMost: 255)) { _ = try bits.se() }
        }
        referenceFrames = try bits.ue(atMost: 64)
        try bits.skip(1)  // gaps_in_frame_num_value_allowed_flag
        let columns = try bits.ue(atMost: largestPictureSide / 16 - 1) + 1
        let rows = try bits.ue(atMost: largestPictureSide / 16 - 1) + 1
        framesOnly = try bits.bit()
        if !framesOnly { try bits.skip(1) }  // mb_adaptive_frame_field_flag
        try bits.skip(1)  // direct_8x8_inference_flag
        let frameFactor = framesOnly ? 1 : 2
        var width = columns * 16
        var height = rows * 16 * frameFactor
        if try bits.bit() {
            let chromaArray = separatePlanes ? 0 : chromaFormat
            let unitX = chromaArray == 1 || chromaArray == 2 ? 2 : 1
            let unitY = (chromaArray == 1 ? 2 : 1) * frameFactor
            let left = try bits.ue(atMost: largestPictureSide)
            let right = try bits.ue(atMost: largestPictureSide)
            let top = try bits.ue(atMost: largestPictureSide)
            let bottom = try bits.ue(atMost: largestPictureSide)
            width -= (left + right) * unitX
            height -= (top + bottom) * unitY
        }
        guard width > 0, height > 0, height <= largestPictureSide else { throw .malformed("H.264 picture size") }

        var usability: Usability?
        if try bits.bit() {
            // Forgiven, see above; what was read before is sound.
            usability = try? Usability(&bits)
        }
        reorderFrames = usability?.reorderFrames
        let mayReorder: Bool
        if pictureOrderCountType == 2 || profile == 66 || referenceFrames == 0 {
            mayReorder = false
        } else {
            mayReorder = reorderFrames.map { $0 > 0 } ?? true
        }
        picture = PictureFormat(
            width: width, height: height, pixelAspect: usability?.pixelAspect ?? PixelAspect(), frameRate: usability?.frameRate,
            mayReorder: mayReorder)
    }

    private static let profilesWithChromaFormat: Set<UInt8> = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]

    private static func skipScalingList(of size: Int, _ bits: inout BitReader) throws(ISOBMFFError) {
        var last = 8
        var next = 8
        for _ in 0..<size {
            if next != 0 {
                let delta = try bits.se()
                next = ((last + delta) % 256 + 256) % 256
            }
            if next != 0 { last = next }
        }
    }

    private struct Usability {
        let pixelAspect: PixelAspect
        var frameRate: Double?
        var reorderFrames: Int?

        init(_ bits: inout BitReader) throws(ISOBMFFError) {
            pixelAspect = try VideoUsabilityStart(&bits).pixelAspect
            if try bits.bit() {
                let ticks = try bits.bits(32)
                let timescale = try bits.bits(32)
                // A tick is a field: two of them are a frame.
                frameRate = sensibleFrameRate(ticks: ticks * 2, per: timescale)
                try bits.skip(1)
            }
            // What follows is often cut off; the rate just read stays good, so damage here is not passed on.
            reorderFrames = try? Self.reorderFrames(&bits)
        }

        private static func reorderFrames(_ bits: inout BitReader) throws(ISOBMFFError) -> Int? {
            let networkReference = try bits.bit()
            if networkReference { try skipReferenceDecoder(&bits) }
            let videoReference = try bits.bit()
            if videoReference { try skipReferenceDecoder(&bits) }
            if networkReference || videoReference { try bits.skip(1) }
            try bits.skip(1)  // pic_struct_present_flag
            guard try bits.bit() else { return nil }
            try bits.skip(1)
            for _ in 0..<4 { _ = try bits.ue() }
            return try bits.ue(atMost: 64)
        }

        private static func skipReferenceDecoder(_ bits: inout BitReader) throws(ISOBMFFError) {
            let count = try bits.ue(atMost: 31) + 1
            try bits.skip(8)
            for _ in 0..<count {
                _ = try bits.ue()
                _ = try bits.ue()
                try bits.skip(1)
            }
            try bits.skip(20)
        }
    }
}
