import Libav
import NIOCore
import RTSP

/// Fetches over HTTP and HTTPS what a demuxer asks for: the camera's own URL, and what a playlist there refers to.
///
/// libav could do so by itself, but would connect wherever a name or a redirect leads. Here every address is checked before it is
/// connected to, names keep their meaning for TLS and the Host field, and passwords go to the camera's own origin alone. Used on the
/// one thread that reads the source.
final class WebReader: ByteOpener {
    static let userAgent = "VibeNVR"
    static let maximumRedirects = 5

    private let camera: SourceURL
    private let addresses: AddressGuard
    private let eventLoop: any EventLoop
    private let interrupt: Interrupt
    private var authenticator: Authenticator?
    /// Why the newest fetch failed; nil when it did not.
    private(set) var failure: RTSPError?

    init(camera: SourceURL, addresses: AddressGuard, eventLoop: any EventLoop, interrupt: Interrupt) {
        self.camera = camera
        self.addresses = addresses
        self.eventLoop = eventLoop
        self.interrupt = interrupt
        authenticator = camera.credentials.map { Authenticator($0) }
    }

    /// What the camera's own URL gives.
    func open() throws(RTSPError) -> WebStream { try fetch(camera, from: 0, to: nil) }

    func open(_ request: ByteRequest) throws -> any ByteSource {
        guard let url = SourceURL(request.url), ["http", "https"].contains(url.scheme) else {
            throw RTSPError.malformed("the playlist refers to something that is not on the web")
        }
        return try fetch(url, from: request.offset, to: request.end)
    }

    /// Gets a URL from a byte on, following redirects and meeting one challenge.
    func fetch(_ start: SourceURL, from first: Int64, to end: Int64?) throws(RTSPError) -> WebStream {
        do throws(RTSPError) {
            let exchange = try exchange(start, from: first, to: end)
            failure = nil
            return WebStream(exchange, reader: self)
        } catch {
            failure = error
            throw error
        }
    }

    fileprivate func failed(_ error: RTSPError) { failure = error }

    fileprivate func exchange(_ start: SourceURL, from first: Int64, to end: Int64?) throws(RTSPError) -> WebExchange {
        var url = start
        var redirects = 0
        var challenges = 0
        while true {
            let connection = try connect(url)
            let isTrusted = url.hasSameOrigin(as: camera)
            var given: String?
            if isTrusted { given = authenticator?.authorization(method: "GET", url: url.target) }
            let exchange = try WebExchange(url, over: connection, from: first, to: end, authorization: given)
            let head = exchange.head
            switch head.status {
            case 200, 206:
                try exchange.begin(at: first)
                return exchange
            case 301, 302, 303, 307, 308:
                guard redirects < Self.maximumRedirects else { throw .malformed("too many redirects") }
                guard let location = head["location"], let next = url.resolved(location), ["http", "https"].contains(next.scheme) else {
                    throw .malformed("a redirect that leads nowhere")
                }
                if url.scheme == "https", next.scheme != "https" { throw .malformed("the redirect gives up encryption") }
                redirects += 1
                url = next
            case 401:
                let offered = AuthenticationChallenge.parse(head.all("www-authenticate"))
                guard isTrusted, authenticator != nil, let best = offered.first else { throw .unauthorized }
                // Answered already: only a nonce that is too old is worth another try.
                guard given == nil || best.isStale, challenges < 3 else { throw .unauthorized }
                challenges += 1
                authenticator?.accept(best)
            case 403: throw .forbidden
            default: throw .status(head.status, head.reason)
            }
        }
    }

    private func connect(_ url: SourceURL) throws(RTSPError) -> BlockingConnection {
        let allowed = try addresses.addresses(of: url)
        var failure = RTSPError.unreachable(url.host)
        for address in allowed {
            do throws(RTSPError) {
                return try BlockingConnection(
                    to: address, serverName: url.hasNumericHost ? nil : url.host, isTLS: url.scheme == "https", eventLoop: eventLoop,
                    interrupt: interrupt)
            } catch {
                failure = error
                if interrupt.shouldStop { break }
            }
        }
        throw failure
    }
}

/// One request and its answer on a connection of its own.
final class WebExchange {
    let url: SourceURL
    let head: HTTPHead
    private let connection: BlockingConnection
    private var body: HTTPBody?
    /// Bytes of the body that came with the head.
    private var early: [UInt8]

    /// Sends the request and reads the head of the answer.
    init(_ url: SourceURL, over connection: BlockingConnection, from first: Int64, to end: Int64?, authorization: String?) throws(RTSPError) {
        self.url = url
        self.connection = connection
        var lines = [
            "GET \(url.target) HTTP/1.1", "Host: \(url.authority)", "User-Agent: \(WebReader.userAgent)", "Accept: */*", "Connection: close",
        ]
        if first > 0 || end != nil { lines.append("Range: bytes=\(first)-\(end.map { "\($0 - 1)" } ?? "")") }
        if let authorization { lines.append("Authorization: \(authorization)") }
        try connection.write(lines.joined(separator: "\r\n") + "\r\n\r\n")
        (head, early) = try Self.head(from: connection)
    }

    deinit {
        connection.close()
    }

    /// The head of the answer and what came behind it.
    static func head(from connection: BlockingConnection) throws(RTSPError) -> (HTTPHead, [UInt8]) {
        var bytes: [UInt8] = []
        while true {
            if let end = headEnd(bytes) {
                guard let head = HTTPHead(bytes[..<end]) else { throw .malformed("the answer is not HTTP") }
                bytes.removeFirst(end)
                // Interim answers (RFC 9110 section 15.2) are not what was asked for.
                if head.status >= 200 { return (head, bytes) }
                continue
            }
            guard bytes.count < HTTPHead.limit else { throw .malformed("the head of the answer does not end") }
            let more = try receive(8 << 10, from: connection, phase: "answer")
            if more.isEmpty { throw .closed("there was no answer") }
            bytes += more
        }
    }

    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        var at = 0
        while let newline = bytes[at...].firstIndex(of: 10) {
            let next = newline + 1
            if next < bytes.count, bytes[next] == 10 { return next + 1 }
            if next + 1 < bytes.count, bytes[next] == 13, bytes[next + 1] == 10 { return next + 2 }
            at = next
        }
        return nil
    }

    private static func receive(_ most: Int, from connection: BlockingConnection, phase: String) throws(RTSPError) -> [UInt8] {
        var failure: RTSPError?
        let bytes = [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
            do throws(RTSPError) {
                count = try connection.read(into: UnsafeMutableRawBufferPointer(buffer), phase: phase)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Makes the body readable; it begins at the byte that was asked for.
    func begin(at first: Int64) throws(RTSPError) {
        do {
            body = try HTTPBody(head)
        } catch {
            throw .malformed("the answer has a length that is none")
        }
        // A server that does not know ranges begins at the beginning.
        if first > 0, head.status != 206 { throw .malformed("the server does not give parts of a file") }
    }

    /// Bytes of the body in all; nil when only its end tells.
    var length: Int64? { body?.length }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(RTSPError) -> Int {
        while true {
            guard var decoding = body, !decoding.hasEnded else {
                connection.close()
                return 0
            }
            if early.isEmpty {
                early = try Self.receive(32 << 10, from: connection, phase: "media")
                if early.isEmpty {
                    guard decoding.mayEndHere else { throw .closed("the answer broke off") }
                    return 0
                }
            }
            do {
                let (read, written) = try early.withUnsafeBytes { try decoding.decode($0, into: buffer) }
                early.removeFirst(read)
                body = decoding
                if written > 0 { return written }
            } catch {
                throw .malformed("the chunks of the answer make no sense")
            }
        }
    }
}

/// The bytes of one URL, from where it was asked for.
final class WebStream: ByteSource {
    private var exchange: WebExchange
    private let reader: WebReader
    /// The length of the whole, when the stream was opened at its beginning.
    let size: Int64?
    let isSeekable: Bool

    init(_ exchange: WebExchange, reader: WebReader) {
        self.exchange = exchange
        self.reader = reader
        size = exchange.head.status == 200 ? exchange.length : nil
        isSeekable = size != nil && exchange.head["accept-ranges"]?.lowercased() == "bytes"
    }

    /// Where the bytes are from, after redirects; without credentials.
    var url: String { exchange.url.with(userInfo: nil).text }

    /// The demuxer for what the server says this is; nil when the bytes must tell.
    var demuxer: String? {
        let type = exchange.head["content-type"]?.prefix { $0 != ";" && $0 != " " }.lowercased()
        return switch type {
        case "multipart/x-mixed-replace", "multipart/mixed": "mpjpeg"
        case "application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl": "hls"
        default: nil
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        do throws(RTSPError) {
            return try exchange.read(into: buffer)
        } catch {
            reader.failed(error)
            throw error
        }
    }

    func seek(to offset: Int64) throws {
        exchange = try reader.exchange(exchange.url, from: offset, to: nil)
    }

    func close() {}
}
