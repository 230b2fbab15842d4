/// The configuration of an AAC stream (ISO/IEC 14496-3, 1.6.2.1 and 4.4.1), read or built.
package struct AudioSpecificConfig: Sendable, Equatable {
    /// 2 is AAC LC; 5 and 29 (SBR, PS) name the extension, as the codec string does.
    package let objectType: Int
    /// Samples per second of the core coder.
    package let sampleRate: Int
    /// Samples per second after spectral band replication, when that is signalled.
    package let extensionSampleRate: Int?
    /// 1 to 8; of the core coder.
    package let channels: Int
    /// 1024 or 960, 512 or 480 for the low-delay types; of the core coder.
    package let samplesPerFrame: Int

    /// Samples per second of the sound that comes out.
    package var outputSampleRate: Int { extensionSampleRate ?? sampleRate }

    private static let rates = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350]
    private static let channelsOfConfiguration = [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 0, 8, 0]

    package init(bytes: [UInt8]) throws(ISOBMFFError) {
        var bits = BitReader(Array(bytes.prefix(512)))
        let named = try Self.objectType(&bits)
        sampleRate = try Self.sampleRate(&bits)
        let configuration = try bits.bits(4)
        var core = named
        var extensionRate: Int?
        if named == 5 || named == 29 {
            extensionRate = try Self.sampleRate(&bits)
            core = try Self.objectType(&bits)
        }
        var channels = Self.channelsOfConfiguration[configuration]
        var samplesPerFrame = 1024
        switch core {
        case 1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23:
            let short = try bits.bit()
            samplesPerFrame = core == 23 ? (short ? 480 : 512) : (short ? 960 : 1024)
            if try bits.bit() { try bits.skip(14) }
            try bits.skip(1)
            if configuration == 0 { channels = try Self.channelsOfProgram(&bits) }
        case 39:
            samplesPerFrame = try bits.bit() ? 480 : 512
        default:
            break
        }
        // Backward compatible signalling of SBR at the end; honest streams may end before it.
        if extensionRate == nil, core == 2 {
            extensionRate = try? Self.trailingExtensionRate(&bits)
        }
        guard sampleRate > 0, channels > 0 else { throw .malformed("AudioSpecificConfig") }
        objectType = named
        self.channels = channels
        self.samplesPerFrame = samplesPerFrame
        extensionSampleRate = extensionRate == 0 ? nil : extensionRate
    }

    /// The configuration of plain AAC with frames of 1024 samples, as bytes. Rates outside the standard table take the
    /// escape; channels must be 1 to 8 (7 is not codable and becomes 8).
    package static func bytes(objectType: Int = 2, sampleRate: Int, channels: Int) -> [UInt8] {
        var bits = BitWriter()
        if objectType >= 31 {
            bits.append(31, count: 5)
            bits.append(objectType - 32, count: 6)
        } else {
            bits.append(objectType, count: 5)
        }
        if let index = rates.firstIndex(of: sampleRate) {
            bits.append(index, count: 4)
        } else {
            bits.append(15, count: 4)
            bits.append(sampleRate, count: 24)
        }
        bits.append(channels >= 7 ? 7 : max(1, channels), count: 4)
        bits.append(0, count: 3)
        return bits.bytes
    }

    private static func objectType(_ bits: inout BitReader) throws(ISOBMFFError) -> Int {
        let type = try bits.bits(5)
        return type == 31 ? 32 + (try bits.bits(6)) : type
    }

    private static func sampleRate(_ bits: inout BitReader) throws(ISOBMFFError) -> Int {
        let index = try bits.bits(4)
        if index == 15 { return try bits.bits(24) }
        guard index < rates.count else { throw .malformed("AAC sampling frequency index") }
        return rates[index]
    }

    /// program_config_element (4.4.1.1) as far as its channels.
    private static func channelsOfProgram(_ bits: inout BitReader) throws(ISOBMFFError) -> Int {
        try bits.skip(10)
        let front = try bits.bits(4)
        let side = try bits.bits(4)
        let back = try bits.bits(4)
        let effects = try bits.bits(2)
        try bits.skip(7)
        if try bits.bit() { try bits.skip(4) }
        if try bits.bit() { try bits.skip(4) }
        if try bits.bit() { try bits.skip(3) }
        var channels = effects
        for _ in 0..<(front + side + back) {
            channels += try bits.bit() ? 2 : 1
            try bits.skip(4)
        }
        return channels
    }

    private static func trailingExtensionRate(_ bits: inout BitReader) throws(ISOBMFFError) -> Int? {
        guard bits.remaining >= 16, try bits.bits(11) == 0x2B7, try objectType(&bits) == 5, try bits.bit() else { return nil }
        return try sampleRate(&bits)
    }
}

/// Collects bits into bytes, most significant first.
private struct BitWriter {
    private(set) var bytes: [UInt8] = []
    private var used = 0

    mutating func append(_ value: Int, count: Int) {
        for shift in stride(from: count - 1, through: 0, by: -1) {
            if used & 7 == 0 { bytes.append(0) }
            if value >> shift & 1 != 0 { bytes[bytes.count - 1] |= 0x80 >> UInt8(used & 7) }
            used += 1
        }
    }
}
