import Foundation
import Libav
import Testing

@Suite struct AudioTranscoderTests {
    /// G.711 µ-law of one linear sample (ITU-T G.711).
    private func mulaw(_ value: Double) -> UInt8 {
        let clipped = max(-32_635, min(32_635, Int(value * 32_767)))
        let sign: Int = clipped < 0 ? 0x80 : 0
        let magnitude = abs(clipped) + 132
        var exponent = 7
        while exponent > 0, magnitude & (1 << (exponent + 7)) == 0 { exponent -= 1 }
        let mantissa = (magnitude >> (exponent + 3)) & 0x0f
        return UInt8(~(sign | (exponent << 4) | mantissa) & 0xff)
    }

    /// ADTS, so that ffmpeg can read the raw AAC (ISO/IEC 13818-7, 6.2).
    private func adts(_ packets: [AACPacket], configuration: [UInt8]) -> [UInt8] {
        let rateIndex = (configuration[0] & 7) << 1 | configuration[1] >> 7
        let channels = (configuration[1] >> 3) & 0x0f
        return packets.flatMap { packet -> [UInt8] in
            let length = packet.bytes.count + 7
            return [
                0xff, 0xf1, 0x40 | rateIndex << 2 | channels >> 2, (channels & 3) << 6 | UInt8(length >> 11), UInt8(length >> 3 & 0xff),
                UInt8(length & 7) << 5 | 0x1f, 0xfc,
            ] + packet.bytes
        }
    }

    /// What ffmpeg decodes, mono, as floats. The first sample belongs to the first packet's pts.
    private func decode(_ packets: [AACPacket], _ transcoder: AudioTranscoder) throws -> [Float] {
        let folder = try TemporaryFolder()
        try Data(adts(packets, configuration: transcoder.audioSpecificConfig)).write(to: folder.url.appendingPathComponent("a.aac"))
        try ffmpeg(["-i", folder.path("a.aac"), "-f", "f32le", "-ac", "1", folder.path("a.raw")])
        let raw = try Data(contentsOf: folder.url.appendingPathComponent("a.raw"))
        return raw.withUnsafeBytes { bytes in (0..<(bytes.count / 4)).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) } }
    }

    /// Goertzel: power of one frequency as a share of all.
    private func share(of frequency: Double, in samples: ArraySlice<Float>, rate: Int) -> Double {
        var (re, im, total) = (0.0, 0.0, 0.0)
        for (n, x) in samples.enumerated() {
            let phase = 2 * Double.pi * frequency * Double(n) / Double(rate)
            re += Double(x) * cos(phase)
            im += Double(x) * sin(phase)
            total += Double(x) * Double(x)
        }
        return 2 * (re * re + im * im) / (Double(samples.count) * max(total, 1e-9))
    }

    private func tone(_ seconds: Double, from start: Double = 0, frequency: Double = 1000, rate: Int = 8000) -> [UInt8] {
        (0..<Int(seconds * Double(rate))).map { mulaw(0.5 * sin(2 * .pi * frequency * (start + Double($0) / Double(rate)))) }
    }

    private func push(_ bytes: [UInt8], into transcoder: AudioTranscoder, from pts: Int64 = 0, chunk: Int = 160) throws -> [AACPacket] {
        var packets: [AACPacket] = []
        for offset in stride(from: 0, to: bytes.count, by: chunk) {
            packets += try transcoder.push(Array(bytes[offset..<min(bytes.count, offset + chunk)]), pts: pts + Int64(offset))
        }
        return packets
    }

    @Test("a 1 kHz tone in µ-law is a 1 kHz tone in AAC, at the same loudness")
    func toneSurvives() throws {
        let transcoder = try AudioTranscoder(codec: .pcmMulaw)
        #expect(transcoder.outputRate == 16_000)
        #expect(transcoder.audioSpecificConfig.count >= 2)
        // AAC-LC (2), 16 kHz (8), mono (1).
        #expect(Array(transcoder.audioSpecificConfig.prefix(2)) == [0x14, 0x08])
        var packets = try push(tone(3), into: transcoder)
        packets += try transcoder.flush()
        #expect(zip(packets, packets.dropFirst()).allSatisfy { $1.pts - $0.pts == 1024 && $0.duration == 1024 })
        let samples = try decode(packets, transcoder)
        let middle = samples[8000..<40_000]
        #expect(share(of: 1000, in: middle, rate: 16_000) > 0.95)
        let power = middle.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(middle.count)
        #expect(abs(power.squareRoot() - 0.5 / 2.0.squareRoot()) < 0.03)
    }

    @Test("sound starts at its time stamp within 5 ms, the encoder's look-ahead included")
    func synchrony() throws {
        let transcoder = try AudioTranscoder(codec: .pcmMulaw)
        let silence = [UInt8](repeating: 0xff, count: 4000)
        var packets = try push(silence + tone(1), into: transcoder, from: 80_000)
        packets += try transcoder.flush()
        let samples = try decode(packets, transcoder)
        let onset = try #require(samples.firstIndex { abs($0) > 0.1 })
        let pts = try #require(packets.first).pts + Int64(onset)
        #expect(abs(pts - 2 * 84_000) < 80)
    }

    @Test("a gap becomes silence, an overlap is cut, and what follows is in time")
    func gaps() throws {
        let transcoder = try AudioTranscoder(codec: .pcmMulaw)
        var packets = try push(tone(1), into: transcoder, from: 0)
        // 0.5 s are missing; then comes the tone again, 0.1 s of it twice.
        packets += try push([UInt8](repeating: 0xff, count: 4000), into: transcoder, from: 12_000)
        packets += try push(tone(1), into: transcoder, from: 16_000 - 8)
        packets += try transcoder.flush()
        #expect(transcoder.corrections == 1)
        #expect(zip(packets, packets.dropFirst()).allSatisfy { $1.pts - $0.pts == 1024 })
        let samples = try decode(packets, transcoder)
        let origin = Int(try #require(packets.first).pts)
        let onset = try #require(samples[(20_000 - origin)...].firstIndex { abs($0) > 0.1 })
        #expect(abs(onset + origin - 32_000) < 400)
        #expect(samples[(18_000 - origin)..<(23_000 - origin)].allSatisfy { abs($0) < 0.05 })
    }

    @Test("a long jump jumps the output, forwards and backwards")
    func jumps() throws {
        let transcoder = try AudioTranscoder(codec: .pcmMulaw)
        var packets = try push(tone(1), into: transcoder, from: 0)
        packets += try push(tone(1), into: transcoder, from: 8_000_000)
        packets += try push(tone(1), into: transcoder, from: 1_000_000)
        packets += try transcoder.flush()
        #expect(packets.contains { abs($0.pts - 16_000_000) <= 1024 })
        #expect(packets.contains { abs($0.pts - 2_000_000) <= 1024 })
        #expect(packets.count < 60)
        #expect(try push(tone(0.1), into: transcoder).isEmpty)
    }

    struct Input: Sendable {
        var codec: CodecID
        var rate = 8000
        var channels = 1
        var output = 16_000
        var samplesPerByte = 1
    }

    @Test(
        "other codecs, rates and channels too",
        arguments: [
            Input(codec: .pcmAlaw), Input(codec: .pcmS16BE, rate: 44_100, channels: 2, output: 44_100), Input(codec: .pcmMulaw, rate: 16_000),
            Input(codec: .pcmAlaw, rate: 48_000, channels: 2, output: 48_000), Input(codec: .g722, rate: 16_000, samplesPerByte: 2),
            Input(codec: .g726, samplesPerByte: 2),
        ])
    func others(input: Input) throws {
        let (codec, rate, channels, output) = (input.codec, input.rate, input.channels, input.output)
        let transcoder = try AudioTranscoder(codec: codec, sampleRate: rate, channels: channels)
        #expect(transcoder.outputRate == output)
        var random = SeededGenerator(state: 3)
        var packets: [AACPacket] = []
        let samples = codec == .pcmS16BE ? 160 : 640 * input.samplesPerByte / channels
        for index in 0..<50 {
            packets += try transcoder.push((0..<640).map { _ in .random(in: 0...255, using: &random) }, pts: Int64(index * samples))
        }
        #expect(transcoder.corrections == 0)
        packets += try transcoder.flush()
        #expect(!packets.isEmpty)
        #expect(try !decode(packets, transcoder).isEmpty)
    }

    @Test("what cannot be is refused or ignored")
    func hostile() throws {
        #expect(throws: LibavError.self) { try AudioTranscoder(codec: .h264) }
        #expect(throws: LibavError.self) { try AudioTranscoder(codec: .pcmMulaw, sampleRate: 0) }
        #expect(throws: LibavError.self) { try AudioTranscoder(codec: .pcmMulaw, channels: 9) }
        let transcoder = try AudioTranscoder(codec: .pcmMulaw)
        #expect(try transcoder.push([], pts: 0).isEmpty)
        for pts in [Int64.max, .min, 0, -1, 1 << 40, -(1 << 40)] { _ = try transcoder.push([0, 1, 2], pts: pts) }
        #expect(transcoder.errorCount == 2)
        _ = try transcoder.flush()
    }
}
