package import NIOCore

/// Cuts what a client sends into requests and `$` frames (RFC 2326 section 10.12), however it comes in pieces. Stricter than what
/// reads cameras: nothing is stepped over, and little is kept. A value confined to one connection.
package struct RTSPRequestFramer {
    /// What stands next on the connection.
    package enum Element: Equatable {
        case request(RTSPRequest)
        /// RTP or RTCP of the client.
        case frame(channel: UInt8, ByteBuffer)
    }

    /// Why a connection makes no sense any more.
    package enum Failure: Error, Equatable {
        case malformed
        case tooLarge
        case unsupportedVersion
    }

    package static let largestHead = 16 << 10
    package static let largestBody = 16 << 10
    /// Bytes that may wait while a request is answered.
    package static let largestBacklog = 64 << 10

    private var buffer = ByteBuffer()
    private var searched = 0

    /// At the beginning of a connection.
    package init() {}

    /// Takes what was read. Throws when more waits than anybody sends in good faith.
    package mutating func append(_ bytes: inout ByteBuffer) throws(Failure) {
        guard buffer.readableBytes + bytes.readableBytes <= Self.largestBacklog + Self.largestBody else { throw .tooLarge }
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.discardReadBytes()
            buffer.writeBuffer(&bytes)
        }
    }

    /// The next element; nil until more has come.
    package mutating func next() throws(Failure) -> Element? {
        while let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self), first == 13 || first == 10 {
            buffer.moveReaderIndex(forwardBy: 1)
            searched = 0
        }
        guard let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) else { return nil }
        if first == UInt8(ascii: "$") { return frame() }
        return try request().map { .request($0) }
    }

    private mutating func frame() -> Element? {
        let at = buffer.readerIndex
        guard let channel = buffer.getInteger(at: at + 1, as: UInt8.self), let length = buffer.getInteger(at: at + 2, as: UInt16.self),
            let bytes = buffer.getSlice(at: at + 4, length: Int(length))
        else { return nil }
        buffer.moveReaderIndex(forwardBy: 4 + Int(length))
        return .frame(channel: channel, bytes)
    }

    private mutating func request() throws(Failure) -> RTSPRequest? {
        let from = searched
        let count = buffer.readableBytes
        let (head, message) = buffer.withUnsafeReadableBytes { bytes -> (Int?, RTSPMessage?) in
            let view = ByteView(bytes)
            guard let length = RTSPMessageParser.headLength(view, searchedTo: from) else { return (nil, nil) }
            return (length, length <= Self.largestHead ? RTSPMessageParser.parse(head: view.prefix(length)) : nil)
        }
        guard let head else {
            guard count <= Self.largestHead, startsAsText else { throw count > Self.largestHead ? .tooLarge : .malformed }
            searched = count
            return nil
        }
        searched = 0
        guard head <= Self.largestHead else { throw .tooLarge }
        guard let message else { throw .malformed }
        // An answer to a question that was never asked.
        guard case .request(let request) = message else { throw .malformed }
        guard hasVersion1(head) else { throw .unsupportedVersion }
        var body = 0
        if let text = request.headers["Content-Length"] {
            guard let length = Int(Text.trimmed(text)), length >= 0 else { throw .malformed }
            body = length
        }
        guard body <= Self.largestBody else { throw .tooLarge }
        guard count - head >= body else { return nil }
        buffer.moveReaderIndex(forwardBy: head + body)
        return request
    }

    /// A method is letters; whatever begins otherwise is another protocol, and is not waited for.
    private var startsAsText: Bool {
        buffer.readableBytesView.prefix(16).allSatisfy { byte in
            byte == 0x20 || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "*")
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
        }
    }

    private func hasVersion1(_ head: Int) -> Bool {
        let line = buffer.readableBytesView.prefix(head).prefix { $0 != 10 && $0 != 13 }
        return line.suffix(9).elementsEqual(" RTSP/1.0".utf8) || line.suffix(9).elementsEqual(" RTSP/1.1".utf8)
    }
}
