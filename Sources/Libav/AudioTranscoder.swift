import CFFmpeg

/// One AAC access unit (raw, without ADTS) of 1024 samples.
package struct AACPacket: Hashable, Sendable {
    package let bytes: [UInt8]
    /// In samples of the transcoder's output rate, on the time line of the input's time stamps: what a decoder plays for
    /// this packet belongs to `pts ..< pts + duration`. The first packet lies up to 1024 samples before the first input, as
    /// an AAC encoder looks ahead by that much.
    package let pts: Int64
    /// Samples of the output rate.
    package let duration: Int64
}

/// Turns audio that MP4 or browsers do not take (G.711 first of all) into AAC-LC. Owns decoder, resampler and encoder.
/// Not Sendable: one thread or task uses it.
///
/// The output rate is at least 16 kHz: at 8 kHz an AAC frame lasts 128 ms, which is the least delay and the least granularity
/// of cuts, the native encoder's psychoacoustic model sounds worse there, and some hardware decoders start at 16 kHz.
/// At 16 kHz a frame lasts 64 ms.
package final class AudioTranscoder {
    /// Samples per second of the input and its time stamps.
    package let inputRate: Int
    /// Samples per second of the output and its time stamps.
    package let outputRate: Int
    package let channels: Int
    /// For the MP4 sample entry (ISO/IEC 14496-3); says that there is no SBR.
    package let audioSpecificConfig: [UInt8]
    /// Gaps filled with silence and overlaps cut away to keep the output on the input's time line.
    package private(set) var corrections = 0
    package private(set) var errorCount = 0

    private var decoder: UnsafeMutablePointer<AVCodecContext>?
    private var encoder: UnsafeMutablePointer<AVCodecContext>?
    private var resampler: OpaquePointer?
    private var packet: UnsafeMutablePointer<AVPacket>?
    private var decoded: UnsafeMutablePointer<AVFrame>?

    /// Planar float samples of the output rate waiting for a whole frame; one array per channel.
    private var pending: [[Float]]
    /// What the resampler writes into.
    private var scratch: [Float] = []
    /// Output sample number of the first pending sample; nil before the first input.
    private var pendingPTS: Int64?
    /// The time stamp that the next input has if nothing is missing.
    private var expectedInputPTS: Int64?

    private static let frameSize = 1024
    /// Differences to the time stamps up to here are jitter of the clock, beyond they are corrected. Seconds⁻¹: 1/50 = 20 ms.
    private static let toleranceDivisor: Int64 = 50

    /// - Parameters:
    ///   - codec: pcmMulaw, pcmAlaw, pcmS16BE, pcmS16LE or any other that libav decodes from raw packets.
    ///   - bitRate: bits per second of all channels.
    package init(codec: CodecID, sampleRate: Int = 8000, channels: Int = 1, bitRate: Int? = nil) throws(LibavError) {
        _ = Libav.setUp
        guard (4000...192_000).contains(sampleRate), (1...2).contains(channels) else {
            throw LibavError(code: cffmpeg_error_invalid_argument, operation: "set up audio of \(sampleRate) Hz, \(channels) channels")
        }
        inputRate = sampleRate
        outputRate = Self.outputRate(for: sampleRate)
        self.channels = channels
        pending = Array(repeating: [], count: channels)
        var configuration: [UInt8] = []
        var made = (decoder: decoder, encoder: encoder, resampler: resampler)
        do {
            made.decoder = try Self.makeDecoder(codec, sampleRate: sampleRate, channels: channels)
            made.encoder = try Self.makeEncoder(sampleRate: outputRate, channels: channels, bitRate: bitRate ?? 32_000 * channels)
            if let encoder = made.encoder?.pointee, let bytes = encoder.extradata {
                configuration = [UInt8](UnsafeBufferPointer(start: bytes, count: Int(max(0, encoder.extradata_size))))
            }
        } catch {
            avcodec_free_context(&made.decoder)
            avcodec_free_context(&made.encoder)
            throw error
        }
        (decoder, encoder) = (made.decoder, made.encoder)
        audioSpecificConfig = configuration
        packet = try check(av_packet_alloc(), "allocate a packet")
        decoded = try check(av_frame_alloc(), "allocate a frame")
        try startResampler()
    }

    deinit {
        avcodec_free_context(&decoder)
        avcodec_free_context(&encoder)
        swr_free(&resampler)
        av_packet_free(&packet)
        av_frame_free(&decoded)
    }

    /// The smallest AAC rate that loses nothing, from 16 kHz on; 48 kHz at most.
    private static func outputRate(for rate: Int) -> Int {
        [16_000, 22_050, 24_000, 32_000, 44_100].first { $0 >= rate } ?? 48_000
    }

    private static func makeDecoder(_ codec: CodecID, sampleRate: Int, channels: Int) throws(LibavError) -> UnsafeMutablePointer<AVCodecContext> {
        guard let found = avcodec_find_decoder(codec.id), found.pointee.type == AVMEDIA_TYPE_AUDIO else {
            throw LibavError(code: cffmpeg_error_decoder_not_found, operation: "find the \(codec) decoder")
        }
        var context = avcodec_alloc_context3(found)
        guard let opened = context else { throw LibavError(outOfMemoryIn: "allocate a decoder") }
        opened.pointee.thread_count = 1
        opened.pointee.sample_rate = Int32(sampleRate)
        av_channel_layout_default(&opened.pointee.ch_layout, Int32(channels))
        if codec == .g726 || codec == .g726LE { opened.pointee.bits_per_coded_sample = 4 }
        let code = avcodec_open2(opened, found, nil)
        if code < 0 { avcodec_free_context(&context) }
        try check(code, "open the \(codec) decoder")
        return opened
    }

    private static func makeEncoder(sampleRate: Int, channels: Int, bitRate: Int) throws(LibavError) -> UnsafeMutablePointer<AVCodecContext> {
        guard let found = avcodec_find_encoder(AV_CODEC_ID_AAC) else {
            throw LibavError(code: cffmpeg_error_encoder_not_found, operation: "find the AAC encoder")
        }
        var context = avcodec_alloc_context3(found)
        guard let opened = context else { throw LibavError(outOfMemoryIn: "allocate an AAC encoder") }
        opened.pointee.thread_count = 1
        opened.pointee.sample_fmt = AV_SAMPLE_FMT_FLTP
        opened.pointee.sample_rate = Int32(sampleRate)
        opened.pointee.time_base = AVRational(num: 1, den: Int32(sampleRate))
        // 6144 bits per channel and frame is the most that AAC allows.
        opened.pointee.bit_rate = Int64(min(max(8000, bitRate), 6144 * channels * sampleRate / 1024))
        av_channel_layout_default(&opened.pointee.ch_layout, Int32(channels))
        // The AudioSpecificConfig goes to extradata, packets are raw.
        opened.pointee.flags |= AV_CODEC_FLAG_GLOBAL_HEADER
        // The default two-loop search costs three times as much and cannot be told apart on telephone audio.
        var options: OpaquePointer?
        defer { av_dict_free(&options) }
        var code = av_dict_set(&options, "aac_coder", "fast", 0)
        if code >= 0 { code = avcodec_open2(opened, found, &options) }
        if code < 0 { avcodec_free_context(&context) }
        try check(code, "open the AAC encoder")
        return opened
    }

    private func startResampler() throws(LibavError) {
        swr_free(&resampler)
        guard let decoder, let encoder else { return }
        var pointer: OpaquePointer?
        // The decoder's sample format is known from its opening on for all PCM codecs.
        let code = swr_alloc_set_opts2(
            &pointer, &encoder.pointee.ch_layout, AV_SAMPLE_FMT_FLTP, Int32(outputRate), &decoder.pointee.ch_layout, decoder.pointee.sample_fmt,
            Int32(inputRate), 0, nil)
        resampler = pointer
        try check(code, "set up the resampler")
        try check(swr_init(pointer), "set up the resampler")
    }

    /// Takes one input packet. `pts` counts samples of the input rate; small differences from the running count are taken as
    /// jitter, a gap of up to 2 s is filled with silence, an overlap cut away, and after a longer jump the output jumps too.
    package func push(_ bytes: [UInt8], pts: Int64) throws(LibavError) -> [AACPacket] {
        var output: [AACPacket] = []
        guard !bytes.isEmpty, bytes.count <= 1 << 20, pts.magnitude < UInt64(Int64.max / 1_000_000), let decoder, let packet, let decoded else {
            errorCount += bytes.isEmpty ? 0 : 1
            return output
        }
        try align(to: pts, &output)
        let code = bytes.withUnsafeBytes { raw -> Int32 in
            // libav copies what has no reference counted buffer, and pads the copy.
            packet.pointee.data = raw.baseAddress.map { UnsafeMutablePointer(mutating: $0.assumingMemoryBound(to: UInt8.self)) }
            packet.pointee.size = Int32(raw.count)
            defer { av_packet_unref(packet) }
            return avcodec_send_packet(decoder, packet)
        }
        guard code >= 0 else {
            errorCount += 1
            return output
        }
        while avcodec_receive_frame(decoder, decoded) >= 0 {
            defer { av_frame_unref(decoded) }
            let count = Int(decoded.pointee.nb_samples)
            guard count > 0, decoded.pointee.ch_layout.nb_channels == Int32(channels) else { continue }
            try resample(decoded.pointee.extended_data, count: count)
            expectedInputPTS = (expectedInputPTS ?? pts) + Int64(count)
        }
        try encodePending(&output)
        return output
    }

    /// Ends the stream: everything that was still held back, padded with silence to a whole frame. The transcoder cannot be
    /// used afterwards.
    package func flush() throws(LibavError) -> [AACPacket] {
        var output: [AACPacket] = []
        try finishResampler()
        try padAndEncode(&output)
        if let encoder, avcodec_send_frame(encoder, nil) >= 0 { try drain(&output) }
        avcodec_free_context(&decoder)
        return output
    }

    // MARK: - Time

    /// Brings the running count to `pts` by silence, by cutting, or by a jump.
    private func align(to pts: Int64, _ output: inout [AACPacket]) throws(LibavError) {
        guard let expected = expectedInputPTS else {
            expectedInputPTS = pts
            pendingPTS = pts * Int64(outputRate) / Int64(inputRate)
            return
        }
        let difference = pts - expected
        guard abs(difference) > Int64(inputRate) / Self.toleranceDivisor else { return }
        corrections += 1
        expectedInputPTS = pts
        // What the resampler still holds belongs before the break.
        try finishResampler()
        try startResampler()
        let shift = difference * Int64(outputRate) / Int64(inputRate)
        if difference > 0, difference <= 2 * Int64(inputRate) {
            for channel in 0..<channels { pending[channel].append(contentsOf: repeatElement(0, count: Int(shift))) }
            try encodePending(&output)
        } else if difference < 0, -shift <= Int64(pending[0].count) {
            for channel in 0..<channels { pending[channel].removeLast(Int(-shift)) }
        } else {
            // What is pending ends here; the next samples begin elsewhere.
            try padAndEncode(&output)
            pendingPTS = pts * Int64(outputRate) / Int64(inputRate)
        }
    }

    // MARK: - Samples

    /// Appends the resampled input to `pending`; no input takes out what the resampler still holds.
    private func resample(_ input: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, count: Int) throws(LibavError) {
        guard let resampler else { return }
        let room = Int(swr_get_out_samples(resampler, Int32(count)))
        guard room > 0 else { return }
        if scratch.count < room * channels { scratch = [Float](repeating: 0, count: room * channels) }
        // Packed formats have one plane, planar ones a plane per channel.
        var sources = (0..<8).map { index in index < (isPlanar ? channels : 1) ? input?[index].map { UnsafePointer($0) } : nil }
        let produced = scratch.withUnsafeMutableBytes { raw in
            var planes = (0..<8).map { channel in
                channel < channels
                    ? raw.baseAddress.map { ($0 + channel * room * MemoryLayout<Float>.stride).assumingMemoryBound(to: UInt8.self) } : nil
            }
            return sources.withUnsafeMutableBufferPointer {
                swr_convert(resampler, &planes, Int32(room), input == nil ? nil : $0.baseAddress, Int32(count))
            }
        }
        let samples = min(room, Int(try check(produced, "resample")))
        for channel in 0..<channels { pending[channel].append(contentsOf: scratch[(channel * room)..<(channel * room + samples)]) }
    }

    private var isPlanar: Bool {
        decoder.map { av_sample_fmt_is_planar($0.pointee.sample_fmt) != 0 } ?? false
    }

    private func finishResampler() throws(LibavError) {
        guard pendingPTS != nil else { return }
        try resample(nil, count: 0)
    }

    private func padAndEncode(_ output: inout [AACPacket]) throws(LibavError) {
        let rest = pending[0].count % Self.frameSize
        if rest > 0 {
            for channel in 0..<channels { pending[channel].append(contentsOf: repeatElement(0, count: Self.frameSize - rest)) }
        }
        try encodePending(&output)
    }

    private func encodePending(_ output: inout [AACPacket]) throws(LibavError) {
        guard let encoder, var pts = pendingPTS else { return }
        var offset = 0
        while pending[0].count - offset >= Self.frameSize {
            var frame = av_frame_alloc()
            defer { av_frame_free(&frame) }
            let filled = try check(frame, "allocate a frame")
            filled.pointee.format = AV_SAMPLE_FMT_FLTP.rawValue
            filled.pointee.nb_samples = Int32(Self.frameSize)
            filled.pointee.sample_rate = Int32(outputRate)
            av_channel_layout_default(&filled.pointee.ch_layout, Int32(channels))
            try check(av_frame_get_buffer(filled, 0), "allocate a frame")
            for channel in 0..<channels {
                guard let plane = filled.pointee.extended_data[channel] else { continue }
                pending[channel].withUnsafeBytes { raw in
                    let bytes = Self.frameSize * MemoryLayout<Float>.stride
                    UnsafeMutableRawPointer(plane).copyMemory(
                        from: raw.baseAddress.map { $0 + offset * MemoryLayout<Float>.stride } ?? UnsafeRawPointer(plane), byteCount: bytes)
                }
            }
            filled.pointee.pts = pts
            try check(avcodec_send_frame(encoder, filled), "encode AAC")
            try drain(&output)
            offset += Self.frameSize
            pts += Int64(Self.frameSize)
        }
        if offset > 0 {
            for channel in 0..<channels { pending[channel].removeFirst(offset) }
        }
        pendingPTS = pts
    }

    private func drain(_ output: inout [AACPacket]) throws(LibavError) {
        guard let encoder, let packet else { return }
        while true {
            let code = avcodec_receive_packet(encoder, packet)
            if code == cffmpeg_error_again || code == cffmpeg_error_eof { return }
            try check(code, "encode AAC")
            defer { av_packet_unref(packet) }
            guard let data = packet.pointee.data, packet.pointee.size > 0 else { continue }
            // libav already took its look-ahead (initial_padding, 1024 samples) off the time.
            output.append(
                AACPacket(
                    bytes: [UInt8](UnsafeBufferPointer(start: data, count: Int(packet.pointee.size))), pts: packet.pointee.pts,
                    duration: Int64(Self.frameSize)))
        }
    }
}
