/// What is needed of an AudioSpecificConfig (ISO 14496-3 section 1.6.2.1).
package struct AudioSpecificConfig: Equatable {
    package var objectType: Int
    package var sampleRate: Int
    /// The rate of the output with spectral band replication; nil without.
    package var extensionRate: Int?
    /// 0 when the channels are described by a program config element.
    package var channels: Int
    /// Samples per frame at `sampleRate`.
    package var frameLength: Int

    private static let rates = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350]

    /// Parses from where `reader` stands, which is left behind the configuration; nil when it cannot be one of ours.
    package init?(_ reader: inout BitReader) {
        guard let type = Self.type(&reader), let rate = Self.rate(&reader), let channelConfiguration = reader.bits(4) else { return nil }
        objectType = type
        sampleRate = rate
        channels = channelConfiguration == 7 ? 8 : Int(channelConfiguration)
        if type == 5 || type == 29 {
            guard let outer = Self.rate(&reader), let inner = Self.type(&reader) else { return nil }
            extensionRate = outer
            objectType = inner
        }
        // GASpecificConfig; other object types are not AAC.
        guard [1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23].contains(objectType), let short = reader.bit(), let depends = reader.bit() else {
            return nil
        }
        frameLength = short == 1 ? 960 : 1024
        if depends == 1, !reader.skip(14) { return nil }
        guard reader.bit() != nil else { return nil }
    }

    /// Parses from the first byte; nil when it is not one that can be used.
    package init?(_ bytes: [UInt8]) {
        let parsed = bytes.withUnsafeBytes { buffer -> AudioSpecificConfig? in
            var reader = BitReader(ByteView(buffer))
            return AudioSpecificConfig(&reader)
        }
        guard let parsed else { return nil }
        self = parsed
    }

    /// RTP ticks one frame lasts.
    package func ticksPerFrame(clockRate: Int) -> Int {
        guard let extensionRate, clockRate == extensionRate, sampleRate > 0, extensionRate == sampleRate * 2 else { return frameLength }
        return frameLength * 2
    }

    /// The configuration in its shortest form for plain AAC-LC-like streams.
    package static func encode(objectType: Int, sampleRate: Int, channels: Int) -> [UInt8]? {
        guard let index = rates.firstIndex(of: sampleRate), (1...31).contains(objectType), (1...8).contains(channels) else { return nil }
        let configuration = channels == 8 ? 7 : channels
        let value = objectType << 11 | index << 7 | configuration << 3
        return [UInt8(value >> 8 & 0xff), UInt8(value & 0xff)]
    }

    private static func type(_ reader: inout BitReader) -> Int? {
        guard let type = reader.bits(5) else { return nil }
        guard type == 31 else { return Int(type) }
        return reader.bits(6).map { 32 + Int($0) }
    }

    private static func rate(_ reader: inout BitReader) -> Int? {
        guard let index = reader.bits(4) else { return nil }
        if index == 15 { return reader.bits(24).map { Int($0) } }
        return Int(index) < rates.count ? rates[Int(index)] : nil
    }
}

/// What is needed of a StreamMuxConfig (ISO 14496-3 section 1.7.3.2), one program and one layer only.
package struct StreamMuxConfig: Equatable {
    /// Units in one audioMuxElement.
    package var subframes: Int
    package var audio: AudioSpecificConfig
    /// The AudioSpecificConfig as bytes, cut out of the bits around it.
    package var audioBytes: [UInt8]

    /// Parses from the first byte; nil when it is not one that can be used.
    package init?(_ bytes: [UInt8]) {
        let parsed = bytes.withUnsafeBytes { Self.parse(ByteView($0)) }
        guard let parsed else { return nil }
        self = parsed
    }

    private init(subframes: Int, audio: AudioSpecificConfig, audioBytes: [UInt8]) {
        self.subframes = subframes
        self.audio = audio
        self.audioBytes = audioBytes
    }

    private static func parse(_ view: ByteView) -> StreamMuxConfig? {
        var reader = BitReader(view)
        guard let version = reader.bit() else { return nil }
        if version == 1 {
            guard reader.bit() == 0, value(&reader) != nil else { return nil }
        }
        guard reader.bit() == 1, let subframes = reader.bits(6), reader.bits(4) == 0, reader.bits(3) == 0 else { return nil }
        if version == 1, value(&reader) == nil { return nil }
        let start = reader
        guard let audio = AudioSpecificConfig(&reader) else { return nil }
        // Copy the bits between `start` and here into bytes of their own.
        var copy = start
        var bits = start.bitsLeft - reader.bitsLeft
        var audioBytes: [UInt8] = []
        while bits > 0 {
            let count = min(8, bits)
            guard let value = copy.bits(count) else { return nil }
            audioBytes.append(UInt8(truncatingIfNeeded: value << UInt32(8 - count)))
            bits -= count
        }
        return StreamMuxConfig(subframes: Int(subframes) + 1, audio: audio, audioBytes: audioBytes)
    }

    /// LatmGetValue.
    private static func value(_ reader: inout BitReader) -> UInt32? {
        guard let bytes = reader.bits(2) else { return nil }
        return reader.bits((Int(bytes) + 1) * 8)
    }
}
