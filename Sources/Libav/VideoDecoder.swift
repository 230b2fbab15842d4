import CFFmpeg

/// What a decoder may leave out to be cheaper.
package struct VideoDecoderOptions: Hashable, Sendable {
    package enum Skip: Hashable, Sendable {
        case none
        /// Frames that no other frame refers to.
        case nonReference
        /// All but key frames.
        case nonKey
        /// Everything (for the loop filter).
        case all

        var discard: AVDiscard {
            switch self {
            case .none: AVDISCARD_DEFAULT
            case .nonReference: AVDISCARD_NONREF
            case .nonKey: AVDISCARD_NONKEY
            case .all: AVDISCARD_ALL
            }
        }
    }

    /// Frames that are not decoded at all.
    package var skipFrames: Skip
    /// Frames that are not deblocked: cheaper, but what refers to them drifts until the next key frame.
    package var skipLoopFilter: Skip
    /// Allow speed-ups that are not exact to the standard.
    package var fast: Bool
    /// Halvings of width and height while decoding, 0…3; only MJPEG and MPEG-4 can.
    package var lowResolution: Int
    /// Pixels of a picture: a hostile parameter set can claim 16384 × 16384, 400 MB a frame.
    package var maxPixels: Int

    package init(
        skipFrames: Skip = .none, skipLoopFilter: Skip = .none, fast: Bool = false, lowResolution: Int = 0, maxPixels: Int = 7680 * 4320
    ) {
        self.skipFrames = skipFrames
        self.skipLoopFilter = skipLoopFilter
        self.fast = fast
        self.lowResolution = lowResolution
        self.maxPixels = maxPixels
    }

    /// As cheap as possible while every frame comes and is right: good enough to see motion in. Only frames that no other
    /// refers to go without the loop filter: skipping it everywhere saves a fifth of the time, but errors add up until the
    /// next key frame, which then looks like motion in a noisy scene.
    package static let detection = VideoDecoderOptions(skipLoopFilter: .nonReference, fast: true)
    /// As the standard says: for pictures that people look at.
    package static let picture = VideoDecoderOptions()
}

/// A one-threaded video decoder. Owns one AVCodecContext. Not Sendable: one thread or actor uses it.
///
/// Tolerant: bytes that do not decode are counted and give no frame; only a failed set-up throws.
package final class VideoDecoder {
    private var context: UnsafeMutablePointer<AVCodecContext>?
    private let packet: UnsafeMutablePointer<AVPacket>
    private var spare: UnsafeMutablePointer<AVFrame>?
    private var hasSeenKey = false

    package let codec: CodecID
    /// Packets the decoder refused or could not make sense of.
    package private(set) var errorCount = 0
    package private(set) var frameCount = 0
    /// Packets not given to the decoder as no key frame had come before them.
    package private(set) var skippedCount = 0

    /// - Parameter extradata: avcC or hvcC, then `decode` takes length-prefixed NAL units; empty or Annex B parameter sets,
    ///   then it takes NAL units with start codes.
    package init(codec: CodecID, extradata: [UInt8] = [], options: VideoDecoderOptions = .picture) throws(LibavError) {
        _ = Libav.setUp
        self.codec = codec
        guard let decoder = avcodec_find_decoder(codec.id), decoder.pointee.type == AVMEDIA_TYPE_VIDEO else {
            throw LibavError(code: cffmpeg_error_decoder_not_found, operation: "find the \(codec) decoder")
        }
        packet = try check(av_packet_alloc(), "allocate a packet")
        context = avcodec_alloc_context3(decoder)
        // From here on deinit frees what was allocated.
        let context = try check(context, "allocate a decoder")
        context.pointee.thread_count = 1
        context.pointee.skip_frame = options.skipFrames.discard
        context.pointee.skip_loop_filter = options.skipLoopFilter.discard
        if options.fast { context.pointee.flags2 |= AV_CODEC_FLAG2_FAST }
        context.pointee.lowres = min(max(0, Int32(clamping: options.lowResolution)), Int32(decoder.pointee.max_lowres))
        context.pointee.max_pixels = Int64(options.maxPixels)
        // The decoder never looks at times; any base serves.
        context.pointee.pkt_timebase = AVRational(num: 1, den: 1_000_000)
        try Self.setExtradata(extradata, of: context)
        try check(avcodec_open2(context, decoder, nil), "open the \(codec) decoder")
    }

    deinit {
        var unused: UnsafeMutablePointer<AVPacket>? = packet
        av_packet_free(&unused)
        av_frame_free(&spare)
        avcodec_free_context(&context)
    }

    static func setExtradata(_ bytes: [UInt8], of context: UnsafeMutablePointer<AVCodecContext>) throws(LibavError) {
        guard !bytes.isEmpty else { return }
        guard bytes.count <= 1 << 20 else { throw LibavError(code: cffmpeg_error_invalid_input, operation: "set extradata") }
        let memory = try check(av_mallocz(bytes.count + Int(AV_INPUT_BUFFER_PADDING_SIZE)), "allocate extradata")
        bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: memory, count: bytes.count).copyMemory(from: $0) }
        context.pointee.extradata = memory.assumingMemoryBound(to: UInt8.self)
        context.pointee.extradata_size = Int32(bytes.count)
    }

    /// Decodes one access unit and calls `body` for every picture that is ready, oldest first.
    ///
    /// Units before the first key frame are skipped: they would only give grey pictures.
    package func decode(_ bytes: UnsafeRawBufferPointer, pts: Int64?, isKey: Bool, _ body: (Frame) throws -> Void) rethrows {
        hasSeenKey = hasSeenKey || isKey
        guard hasSeenKey else {
            skippedCount += 1
            return
        }
        guard let base = bytes.baseAddress, !bytes.isEmpty, bytes.count < Int(Int32.max) else {
            errorCount += 1
            return
        }
        // libav copies bytes that have no reference counted buffer, and pads the copy: the caller's memory may go.
        packet.pointee.data = UnsafeMutablePointer(mutating: base.assumingMemoryBound(to: UInt8.self))
        packet.pointee.size = Int32(bytes.count)
        packet.pointee.pts = pts ?? noTimestamp
        packet.pointee.dts = noTimestamp
        packet.pointee.flags = isKey ? AV_PKT_FLAG_KEY : 0
        defer { av_packet_unref(packet) }
        var code = avcodec_send_packet(context, packet)
        if code == cffmpeg_error_again {
            try receive(body)
            code = avcodec_send_packet(context, packet)
        }
        if code < 0 { errorCount += 1 }
        try receive(body)
    }

    /// The same with the pictures as an array.
    package func decode(_ bytes: [UInt8], pts: Int64?, isKey: Bool) -> [Frame] {
        var frames: [Frame] = []
        bytes.withUnsafeBytes { decode($0, pts: pts, isKey: isKey) { frames.append($0) } }
        return frames
    }

    package func decode(_ packet: Packet) -> [Frame] {
        var frames: [Frame] = []
        packet.withBytes { decode($0, pts: packet.pts, isKey: packet.isKey) { frames.append($0) } }
        return frames
    }

    /// Ends the stream: the pictures that were still held back. Decoding may then start anew at a key frame.
    package func flush() -> [Frame] {
        var frames: [Frame] = []
        if avcodec_send_packet(context, nil) >= 0 { receive { frames.append($0) } }
        reset()
        return frames
    }

    /// Forgets all pictures, after a gap: decoding goes on at the next key frame.
    package func reset() {
        if let context { avcodec_flush_buffers(context) }
        hasSeenKey = false
    }

    private func receive(_ body: (Frame) throws -> Void) rethrows {
        while true {
            if spare == nil { spare = av_frame_alloc() }
            guard let frame = spare else {
                errorCount += 1
                return
            }
            let code = avcodec_receive_frame(context, frame)
            if code == cffmpeg_error_again || code == cffmpeg_error_eof { return }
            guard code >= 0 else {
                errorCount += 1
                return
            }
            spare = nil
            frameCount += 1
            try body(Frame(frame))
        }
    }
}
