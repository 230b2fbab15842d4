import CFFmpeg

/// The protocols that an input may use, itself and for everything it refers to: a playlist fetched over HTTP must not make
/// us read local files.
package struct AllowedProtocols: Hashable, Sendable {
    package var names: [String]

    package init(names: [String]) {
        self.names = names
    }

    /// HTTP and HTTPS with what they stand on, and AES-128 of HLS.
    package static let web = AllowedProtocols(names: ["http", "https", "httpproxy", "tcp", "tls", "crypto"])
    package static let rtmp = AllowedProtocols(names: [
        "rtmp", "rtmps", "rtmpt", "rtmpts", "rtmpe", "rtmpte", "http", "https", "tcp", "tls", "ffrtmphttp", "ffrtmpcrypt",
    ])
    package static let rtsp = AllowedProtocols(names: ["rtsp", "rtsps", "rtp", "srtp", "udp", "tcp", "tls", "http", "https"])
    /// Local files and nothing else.
    package static let file = AllowedProtocols(names: ["file"])
}

/// An opened input: a demuxer and the connection or file below it. Owns one AVFormatContext.
///
/// Not Sendable: one thread opens, reads and closes, and may block in each; `Interrupt` ends its waits from outside.
package final class InputContext {
    private var context: UnsafeMutablePointer<AVFormatContext>?
    /// Kept alive as long as libav may ask it.
    private let interrupt: Interrupt

    /// Opens `url` and reads as much as is needed to know its streams.
    ///
    /// - Parameters:
    ///   - format: a demuxer's name when it is known ("mpjpeg", "hls", "flv"); nil finds out.
    ///   - options: libav's options of format and protocol, e.g. "rtsp_transport": "tcp".
    ///   - timeout: for the whole of opening.
    /// - Throws: `LibavError`, with reason `.cancelled` or `.timedOut` when `interrupt` or `timeout` ended it.
    package init(
        url: String, format: String? = nil, options: [String: String] = [:], protocols: AllowedProtocols, interrupt: Interrupt,
        timeout: Duration = .seconds(10)
    ) throws(LibavError) {
        _ = Libav.setUp
        self.interrupt = interrupt
        guard !interrupt.isCancelled else { throw LibavError(code: cffmpeg_error_exit, operation: "open input") }
        interrupt.setDeadline(in: timeout)
        defer { interrupt.setDeadline(in: nil) }

        var inputFormat: UnsafePointer<AVInputFormat>?
        if let format {
            inputFormat = av_find_input_format(format)
            guard inputFormat != nil else { throw LibavError(code: cffmpeg_error_invalid_argument, operation: "find the demuxer") }
        }
        let opened = try check(avformat_alloc_context(), "allocate an input")
        opened.pointee.interrupt_callback = interrupt.callback
        // Damaged packets are marked, not thrown away; whether they are worth keeping is the caller's decision.
        var dictionary: OpaquePointer?
        defer { av_dict_free(&dictionary) }
        for (key, value) in options { try check(av_dict_set(&dictionary, key, value, 0), "set an option") }
        try check(av_dict_set(&dictionary, "protocol_whitelist", protocols.names.joined(separator: ","), 0), "set an option")

        var pointer: UnsafeMutablePointer<AVFormatContext>? = opened
        let code = avformat_open_input(&pointer, url, inputFormat, &dictionary)
        // avformat_open_input frees the context when it fails.
        guard code >= 0, let pointer else { throw interrupt.error(code, "open input") }
        context = pointer
        let found = avformat_find_stream_info(pointer, nil)
        guard found >= 0, !interrupt.shouldStop else {
            let error = interrupt.error(found, "find the streams")
            close()
            throw error
        }
    }

    deinit {
        close()
    }

    /// Closes the connection or file; reading afterwards throws. Also done when the object goes.
    package func close() {
        // Closing may talk to the other side (RTSP TEARDOWN); a dead peer must not hold us.
        interrupt.setDeadline(in: .seconds(1))
        avformat_close_input(&context)
        interrupt.setDeadline(in: nil)
    }

    /// The demuxer's name(s), e.g. "mov,mp4,m4a,3gp,3g2,mj2"; empty after `close()`.
    package var formatName: String {
        guard let name = context?.pointee.iformat?.pointee.name else { return "" }
        return String(cString: name)
    }

    /// The streams known by now. Some formats (MPEG-TS, FLV) may find more while reading: ask again when a packet has an
    /// index that is not here.
    package var streams: [StreamDescription] {
        guard let context, let list = context.pointee.streams else { return [] }
        return (0..<Int(context.pointee.nb_streams)).compactMap { list[$0].map { StreamDescription($0) } }
    }

    /// Total duration in microseconds; nil for a live source or when unknown.
    package var duration: Int64? {
        guard let context, let value = timestamp(context.pointee.duration), value > 0 else { return nil }
        return value
    }

    /// Tells the demuxer to throw the packets of all other streams away.
    package func select(streams indices: Set<Int>) {
        guard let context, let list = context.pointee.streams else { return }
        for index in 0..<Int(context.pointee.nb_streams) {
            list[index]?.pointee.discard = indices.contains(index) ? AVDISCARD_DEFAULT : AVDISCARD_ALL
        }
    }

    /// The next packet of any stream; nil at the end of a file or a playlist that ended.
    ///
    /// - Throws: `LibavError`; reason `.timedOut` when nothing came within `timeout`.
    package func readPacket(timeout: Duration = .seconds(10)) throws(LibavError) -> Packet? {
        guard let context else { throw LibavError(code: cffmpeg_error_invalid_argument, operation: "read from a closed input") }
        let packet = try check(av_packet_alloc(), "allocate a packet")
        interrupt.setDeadline(in: timeout)
        defer { interrupt.setDeadline(in: nil) }
        let code = interrupt.isCancelled ? cffmpeg_error_exit : av_read_frame(context, packet)
        guard code >= 0 else {
            var unused: UnsafeMutablePointer<AVPacket>? = packet
            av_packet_free(&unused)
            // A demuxer that was interrupted may report the end of the stream.
            if code == cffmpeg_error_eof, !interrupt.shouldStop { return nil }
            throw interrupt.error(code == cffmpeg_error_eof ? cffmpeg_error_exit : code, "read")
        }
        return Packet(packet)
    }

    /// Goes back to the beginning of a file, to play it in a loop.
    package func rewind() throws(LibavError) {
        guard let context else { throw LibavError(code: cffmpeg_error_invalid_argument, operation: "rewind a closed input") }
        let start = timestamp(context.pointee.start_time) ?? 0
        try check(avformat_seek_file(context, -1, Int64.min, start, start, 0), "rewind")
    }
}
