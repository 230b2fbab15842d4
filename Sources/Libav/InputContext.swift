import CFFmpeg

/// The protocols that an input may use, itself and for everything it refers to. Names are not resolved here and redirects of HTTP
/// are followed by libav as it likes: what comes from the network goes through a `ByteOpener`, or to an address that was checked.
package struct AllowedProtocols: Hashable, Sendable {
    package var names: [String]

    package init(names: [String]) {
        self.names = names
    }

    /// For inputs whose bytes come from a `ByteOpener`: the names of what it may be asked for.
    package static let web = AllowedProtocols(names: ["http", "https", "crypto"])
    package static let rtmp = AllowedProtocols(names: ["rtmp", "rtmps", "tcp", "tls"])
    package static let rtsp = AllowedProtocols(names: ["rtsp", "rtsps", "rtp", "srtp", "udp", "tcp", "tls"])
    /// Local files and nothing else.
    package static let file = AllowedProtocols(names: ["file"])
}

/// An opened input: a demuxer and the connection or file below it. Owns one AVFormatContext.
///
/// Not Sendable: one thread opens, reads and closes, and may block in each; `Interrupt` ends its waits from outside.
package final class InputContext {
    private var context: UnsafeMutablePointer<AVFormatContext>?
    /// Kept alive as long as libav may ask it.
    private let watch: Watch
    private let io: CustomIO?
    private var interrupt: Interrupt { watch.interrupt }

    /// Opens `url` and reads as much as is needed to know its streams.
    ///
    /// - Parameters:
    ///   - format: a demuxer's name when it is known ("mpjpeg", "hls", "flv"); nil finds out.
    ///   - options: libav's options of format and protocol, e.g. "rtsp_transport": "tcp".
    ///   - timeout: for the whole of opening.
    ///   - redirected: called with the URL before the error `.redirected` is thrown: an RTSP server sends us elsewhere, and
    ///     whether to go there is the caller's decision.
    /// - Throws: `LibavError`, with reason `.cancelled` or `.timedOut` when `interrupt` or `timeout` ended it.
    package convenience init(
        url: String, format: String? = nil, options: [String: String] = [:], protocols: AllowedProtocols, interrupt: Interrupt,
        timeout: Duration = .seconds(10), redirected: ((String) -> Void)? = nil
    ) throws(LibavError) {
        var options = options
        options["protocol_whitelist"] = protocols.names.joined(separator: ",")
        try self.init(
            url: url, format: format, options: options, first: nil, io: nil, interrupt: interrupt, timeout: timeout, redirected: redirected)
    }

    /// Opens what `first` gives; everything else its demuxer asks for comes from `opener`. `url` is where `first` is from: relative
    /// names of a playlist begin there. `first` is closed with the input, and when opening fails.
    package convenience init(
        url: String, first: any ByteSource, opener: any ByteOpener, format: String? = nil, options: [String: String] = [:],
        interrupt: Interrupt, timeout: Duration = .seconds(10)
    ) throws(LibavError) {
        var options = options
        options["protocol_whitelist"] = AllowedProtocols.web.names.joined(separator: ",")
        // Connections are the opener's business; the demuxer would look for libav's own below them.
        options["http_persistent"] = "0"
        options["http_multiple"] = "0"
        try self.init(
            url: url, format: format, options: options, first: first, io: CustomIO(opener: opener), interrupt: interrupt, timeout: timeout,
            redirected: nil)
    }

    private init(
        url: String, format: String?, options: [String: String], first: (any ByteSource)?, io: CustomIO?, interrupt: Interrupt,
        timeout: Duration, redirected: ((String) -> Void)?
    ) throws(LibavError) {
        _ = Libav.setUp
        watch = Watch(interrupt: interrupt, url: url)
        self.io = io
        var isOpen = false
        var isAttached = false
        defer {
            if !isOpen {
                if isAttached { io?.close() } else { first?.close() }
            }
        }
        guard !interrupt.isCancelled else { throw LibavError(code: cffmpeg_error_exit, operation: "open input") }
        interrupt.setDeadline(in: timeout)
        defer { interrupt.setDeadline(in: nil) }

        var inputFormat: UnsafePointer<AVInputFormat>?
        if let format {
            inputFormat = av_find_input_format(format)
            guard inputFormat != nil else { throw LibavError(code: cffmpeg_error_invalid_argument, operation: "find the demuxer") }
        }
        var dictionary: OpaquePointer?
        defer { av_dict_free(&dictionary) }
        for (key, value) in options { try check(av_dict_set(&dictionary, key, value, 0), "set an option") }

        let opened = try check(avformat_alloc_context(), "allocate an input")
        // Damaged packets are marked, not thrown away; whether they are worth keeping is the caller's decision.
        opened.pointee.interrupt_callback = watch.callback
        watch.context = opened
        var pointer: UnsafeMutablePointer<AVFormatContext>? = opened
        if let io, let first {
            do throws(LibavError) {
                try io.attach(to: opened, first: first)
                isAttached = true
            } catch {
                avformat_free_context(opened)
                throw error
            }
        }
        let code = avformat_open_input(&pointer, url, inputFormat, &dictionary)
        // avformat_open_input frees the context when it fails.
        guard code >= 0, let pointer else {
            watch.context = nil
            if let location = watch.location { redirected?(location) }
            throw watch.error(code, "open input")
        }
        context = pointer
        let found = avformat_find_stream_info(pointer, nil)
        guard found >= 0, !watch.shouldStop else {
            let error = watch.error(found, "find the streams")
            if let location = watch.location { redirected?(location) }
            close()
            throw error
        }
        isOpen = true
    }

    deinit {
        close()
    }

    /// Closes the connection or file; reading afterwards throws. Also done when the object goes.
    package func close() {
        guard context != nil else { return }
        // Closing may talk to the other side (RTSP TEARDOWN); a dead peer must not hold us.
        interrupt.setDeadline(in: .seconds(1))
        avformat_close_input(&context)
        watch.context = nil
        io?.close()
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
            if code == cffmpeg_error_eof, !watch.shouldStop { return nil }
            throw watch.error(code == cffmpeg_error_eof ? cffmpeg_error_exit : code, "read")
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
