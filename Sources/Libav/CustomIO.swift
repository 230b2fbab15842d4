import CFFmpeg

/// The AVIOContexts of one input whose bytes come from a `ByteOpener`: the one it begins with, and those its demuxer opens.
/// libav's own network protocols have no part in it.
final class CustomIO {
    private let opener: any ByteOpener
    private var streams: [UnsafeMutablePointer<AVIOContext>: CustomStream] = [:]

    init(opener: any ByteOpener) {
        self.opener = opener
    }

    /// Makes `context` read from `first`, and open everything else through the opener.
    func attach(to context: UnsafeMutablePointer<AVFormatContext>, first: any ByteSource) throws(LibavError) {
        context.pointee.pb = try add(first)
        context.pointee.flags |= AVFMT_FLAG_CUSTOM_IO
        context.pointee.opaque = Unmanaged.passUnretained(self).toOpaque()
        context.pointee.io_open = { context, result, url, flags, options in
            guard let context, let result, let url, let opaque = context.pointee.opaque, flags & AVIO_FLAG_WRITE == 0 else {
                return cffmpeg_error_not_supported
            }
            let this = Unmanaged<CustomIO>.fromOpaque(opaque).takeUnretainedValue()
            do {
                result.pointee = try this.open(String(cString: url), options?.pointee)
                return 0
            } catch let error as LibavError {
                return error.code
            } catch {
                return cffmpeg_error_io
            }
        }
        context.pointee.io_close2 = { context, stream in
            guard let opaque = context?.pointee.opaque, let stream else { return 0 }
            Unmanaged<CustomIO>.fromOpaque(opaque).takeUnretainedValue().remove(stream)
            return 0
        }
    }

    /// Closes what the demuxer has left open, the stream the input began with among it.
    func close() {
        for stream in streams.values { stream.close() }
        streams = [:]
    }

    private func add(_ source: any ByteSource) throws(LibavError) -> UnsafeMutablePointer<AVIOContext> {
        let stream = CustomStream(source)
        let context = try stream.makeContext()
        streams[context] = stream
        return context
    }

    private func remove(_ context: UnsafeMutablePointer<AVIOContext>) {
        streams.removeValue(forKey: context)?.close()
    }

    private func open(_ url: String, _ options: OpaquePointer?) throws -> UnsafeMutablePointer<AVIOContext> {
        func option(_ name: String) -> String? {
            guard let entry = av_dict_get(options, name, nil, 0) else { return nil }
            return String(cString: entry.pointee.value)
        }
        var plainURL = url
        // What the HLS demuxer calls an encrypted segment (RFC 8216 section 4.3.2.4).
        let isEncrypted = url.hasPrefix("crypto+")
        if isEncrypted { plainURL.removeFirst(7) }
        let request = ByteRequest(url: plainURL, offset: option("offset").flatMap { Int64($0) } ?? 0, end: option("end_offset").flatMap { Int64($0) })
        let source = try opener.open(request)
        guard isEncrypted else { return try add(source) }
        guard let key = option("key"), let vector = option("iv"), let decrypted = DecryptedSource(source, key: key, vector: vector) else {
            source.close()
            throw LibavError(code: cffmpeg_error_invalid_input, operation: "decrypt a segment")
        }
        return try add(decrypted)
    }
}

/// One source behind one AVIOContext.
private final class CustomStream {
    private static let bufferBytes: Int32 = 32 << 10

    private let source: any ByteSource
    private var context: UnsafeMutablePointer<AVIOContext>?

    init(_ source: any ByteSource) {
        self.source = source
    }

    func makeContext() throws(LibavError) -> UnsafeMutablePointer<AVIOContext> {
        let buffer = try check(av_malloc(Int(Self.bufferBytes)), "allocate a buffer")
        let made = avio_alloc_context(
            buffer.assumingMemoryBound(to: UInt8.self), Self.bufferBytes, 0, Unmanaged.passUnretained(self).toOpaque(),
            { opaque, buffer, count in
                guard let opaque, let buffer, count > 0 else { return cffmpeg_error_invalid_argument }
                let this = Unmanaged<CustomStream>.fromOpaque(opaque).takeUnretainedValue()
                return this.read(UnsafeMutableRawBufferPointer(start: buffer, count: Int(count)))
            }, nil,
            { opaque, offset, whence in
                guard let opaque else { return Int64(cffmpeg_error_invalid_argument) }
                return Unmanaged<CustomStream>.fromOpaque(opaque).takeUnretainedValue().seek(offset, whence)
            })
        guard let made else {
            av_free(buffer)
            throw LibavError(outOfMemoryIn: "allocate an input")
        }
        made.pointee.seekable = source.isSeekable ? AVIO_SEEKABLE_NORMAL : 0
        context = made
        return made
    }

    func close() {
        // libav may have put another buffer in place of ours.
        if let context { av_freep(&context.pointee.buffer) }
        avio_context_free(&context)
        source.close()
    }

    private func read(_ buffer: UnsafeMutableRawBufferPointer) -> Int32 {
        do {
            let count = try source.read(into: buffer)
            return count > 0 ? Int32(count) : cffmpeg_error_eof
        } catch let error as LibavError {
            return error.code
        } catch {
            return cffmpeg_error_io
        }
    }

    private func seek(_ offset: Int64, _ whence: Int32) -> Int64 {
        if whence & AVSEEK_SIZE != 0 { return source.size ?? Int64(cffmpeg_error_not_supported) }
        guard source.isSeekable, whence & ~AVSEEK_FORCE == SEEK_SET, offset >= 0 else { return Int64(cffmpeg_error_not_supported) }
        do {
            try source.seek(to: offset)
            return offset
        } catch {
            return Int64(cffmpeg_error_io)
        }
    }
}

/// AES-128 in CBC mode with PKCS #7 padding, as HLS encrypts whole segments (RFC 8216 section 4.3.2.4).
final class DecryptedSource: ByteSource {
    private let source: any ByteSource
    private let cipher: OpaquePointer
    private var vector: [UInt8]
    /// Encrypted bytes that are not a whole block yet.
    private var pending: [UInt8] = []
    /// Decrypted bytes; the last block waits until it is known not to be the padding.
    private var ready: [UInt8] = []
    private var hasEnded = false

    let isSeekable = false
    let size: Int64? = nil

    /// `key`, `vector`: 32 hexadecimal digits each; nil when they are something else.
    init?(_ source: any ByteSource, key: String, vector: String) {
        guard let key = Self.bytes(key), let vector = Self.bytes(vector), let cipher = av_aes_alloc() else { return nil }
        guard av_aes_init(cipher, key, 128, 1) >= 0 else {
            av_free(UnsafeMutableRawPointer(cipher))
            return nil
        }
        self.source = source
        self.cipher = cipher
        self.vector = vector
    }

    deinit {
        av_free(UnsafeMutableRawPointer(cipher))
    }

    private static func bytes(_ text: String) -> [UInt8]? {
        let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count == 32 else { return nil }
        var bytes: [UInt8] = []
        for at in stride(from: 0, to: 32, by: 2) {
            guard let high = digits[at], let low = digits[at + 1] else { return nil }
            bytes.append(UInt8(high << 4 | low))
        }
        return bytes
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let free = hasEnded ? ready.count : max(0, ready.count - 16)
            if free > 0 {
                let count = min(free, buffer.count)
                ready.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
                ready.removeFirst(count)
                return count
            }
            if hasEnded { return 0 }
            let count = try source.read(into: buffer)
            if count == 0 {
                hasEnded = true
                if let padding = ready.last, padding <= 16 { ready.removeLast(min(Int(padding), ready.count)) }
                continue
            }
            pending += UnsafeRawBufferPointer(rebasing: buffer[..<count])
            let blocks = pending.count / 16
            guard blocks > 0 else { continue }
            var plain = [UInt8](repeating: 0, count: blocks * 16)
            av_aes_crypt(cipher, &plain, pending, Int32(blocks), &vector, 1)
            pending.removeFirst(blocks * 16)
            ready += plain
        }
    }

    func seek(to offset: Int64) throws {
        throw LibavError(code: cffmpeg_error_not_supported, operation: "seek in an encrypted segment")
    }

    func close() { source.close() }
}
