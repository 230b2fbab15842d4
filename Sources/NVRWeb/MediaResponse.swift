package import HTTPTypes
package import Hummingbird
import NIOCore
package import NVRAccounts
import NVRBase
package import NVRModel
import ServiceLifecycle

/// Bytes of footage or a picture that a request may ask for in parts. The handle behind `read` is open before the answer begins and
/// closes with the last reference, so a file that is deleted meanwhile is still delivered whole.
package struct MediaContent: Sendable {
    package let contentType: String
    /// Bytes.
    package let length: Int64
    /// Quoted strong entity tag.
    package let etag: String
    package let lastModified: HTTPDate
    package let fileName: String
    /// On which volumes it lies; none for what is in memory or no footage.
    package var volumes: Set<VolumeID> = []
    /// Blocks. At most `count` bytes from `offset`; fewer only at the end of what is left of the file.
    package let read: @Sendable (_ offset: Int64, _ count: Int) throws -> [UInt8]

    package init(
        contentType: String, length: Int64, etag: String, lastModified: HTTPDate, fileName: String,
        read: @escaping @Sendable (_ offset: Int64, _ count: Int) throws -> [UInt8]
    ) {
        self.contentType = contentType
        self.length = length
        self.etag = etag
        self.lastModified = lastModified
        self.fileName = fileName
        self.read = read
    }
}

/// Answers requests for `MediaContent` (RFC 9110 sections 13 and 14). Files are read on threads of their own: neither an event loop
/// nor the cooperative pool ever waits for a disk.
package struct MediaResponder: Sendable {
    /// Bytes read and sent at a time.
    static let chunk = 512 * 1024
    let threads: MediaThreads
    /// Who is asked whether a transfer may go on; nil in tests that have no accounts.
    private let authenticator: Authenticator?

    package init(threads: MediaThreads, authenticator: Authenticator? = nil) {
        self.threads = threads
        self.authenticator = authenticator
    }

    /// What a call was let in for: the files of some cameras, or what is of none and for administrators alone.
    func access(_ call: Call, _ cameras: Set<ID<Camera>>) -> TransferAccess? {
        guard let authenticator, let caller = call.caller else { return nil }
        return TransferAccess(authenticator, caller, cameras.isEmpty ? .administer : .replay, cameras: cameras)
    }

    /// How the answer names the file to a browser.
    package enum Disposition: Sendable {
        /// No header: what an `<img>` or `<video>` asks for.
        case none
        case inline
        case attachment
    }

    /// The answer to a call of a route. `cameras`: whose footage it is; none for what only administrators may have.
    func response(
        to call: Call, with content: MediaContent, of cameras: Set<ID<Camera>>, disposition: Disposition, clock: any NVRClock
    ) -> Response {
        let now = HTTPDate(seconds: clock.wall().flooredDivision(by: 1_000_000).quotient)
        return response(
            to: call.head, with: content, disposition: disposition, now: now, context: call.context, access: access(call, cameras))
    }

    /// `context`: the connection whose stalls end the transfer; nil in tests. `access`: asked before every chunk but the first.
    package func response(
        to head: HTTPRequest, with content: MediaContent, disposition: Disposition, now: HTTPDate, context: AppContext? = nil,
        access: TransferAccess? = nil
    ) -> Response {
        var fields: HTTPFields = [
            .acceptRanges: "bytes", .eTag: content.etag, .lastModified: content.lastModified.text,
            // Private: it is for those who may see it. Asking again is cheap, and a growing file is never stale.
            .cacheControl: "private, no-cache",
        ]
        let preconditions = Preconditions(etag: content.etag, lastModified: content.lastModified)
        switch preconditions.verdict(for: head.headerFields) {
        case .notModified: return Response(status: .notModified, headers: fields)
        case .failed: return HTTPFailure(.preconditionFailed, "Precondition failed").response
        case .proceed: break
        }
        fields[.contentType] = content.contentType
        fields[.contentDisposition] = Self.dispositionText(disposition, content.fileName)
        // Ranges are defined for GET alone (RFC 9110 section 14.2).
        let isRanged = head.method == .get && preconditions.rangeApplies(to: head.headerFields, now: now)
        switch ByteRange(header: isRanged ? head.headerFields[.range] : nil, length: content.length) {
        case .whole:
            return Response(status: .ok, headers: fields, body: body(of: content, [.bytes(0..<content.length)], context, access))
        case .single(let range):
            fields[.contentRange] = ByteRange.contentRange(range, length: content.length)
            return Response(status: .partialContent, headers: fields, body: body(of: content, [.bytes(range)], context, access))
        case .several(let ranges):
            let boundary = Self.boundary()
            fields[.contentType] = "multipart/byteranges; boundary=\(boundary)"
            let pieces = Self.multipart(ranges, of: content.contentType, length: content.length, boundary: boundary)
            return Response(status: .partialContent, headers: fields, body: body(of: content, pieces, context, access))
        case .unsatisfiable:
            return Response(
                status: .rangeNotSatisfiable, json: ["detail": "Requested range not satisfiable"],
                fields: [.contentRange: "bytes */\(content.length)", .acceptRanges: "bytes"])
        }
    }

    // MARK: Body

    /// What a body is made of: text between parts, and stretches of the file.
    package enum Piece: Sendable, Equatable {
        case text(String)
        case bytes(Range<Int64>)

        var length: Int64 {
            switch self {
            case .text(let text): Int64(text.utf8.count)
            case .bytes(let range): range.upperBound - range.lowerBound
            }
        }
    }

    /// The pieces of a `multipart/byteranges` body (RFC 9110 section 14.6).
    package static func multipart(_ ranges: [Range<Int64>], of contentType: String, length: Int64, boundary: String) -> [Piece] {
        var pieces: [Piece] = []
        for range in ranges {
            let lead = pieces.isEmpty ? "" : "\r\n"
            let contentRange = ByteRange.contentRange(range, length: length)
            pieces.append(.text("\(lead)--\(boundary)\r\nContent-Type: \(contentType)\r\nContent-Range: \(contentRange)\r\n\r\n"))
            pieces.append(.bytes(range))
        }
        pieces.append(.text("\r\n--\(boundary)--\r\n"))
        return pieces
    }

    /// Text that does not occur in footage by chance: 128 random bits.
    private static func boundary() -> String {
        String(UInt64.random(in: .min ... .max), radix: 16) + String(UInt64.random(in: .min ... .max), radix: 16)
    }

    /// Seconds in which a client has to take one chunk. A browser that pauses a movie stops reading; it asks again later.
    static let longestStall: Int64 = 120

    private func body(
        of content: MediaContent, _ pieces: [Piece], _ context: AppContext?, _ access: TransferAccess?
    ) -> ResponseBody {
        let length = pieces.reduce(0) { $0 + $1.length }
        let threads = threads
        return ResponseBody(contentLength: Int(length)) { writer in
            // A server that is told to end does not wait for the end of a movie: the client asks for the rest later.
            try await withGracefulShutdownHandler {
                for piece in pieces {
                    switch piece {
                    case .text(let text): try await writer.write(ByteBuffer(string: text))
                    case .bytes(let range): try await Self.send(range, of: content, to: &writer, threads, context, access)
                    }
                }
                try await writer.finish(nil)
            } onGracefulShutdown: {
                context?.channel?.close(promise: nil)
            }
        }
    }

    private static func send(
        _ range: Range<Int64>, of content: MediaContent, to writer: inout any ResponseBodyWriter, _ threads: MediaThreads,
        _ context: AppContext?, _ access: TransferAccess?
    ) async throws {
        @Sendable func read(_ offset: Int64) async throws -> [UInt8] {
            let count = Int(min(Int64(chunk), range.upperBound - offset))
            guard count > 0 else { return [] }
            let bytes = try await threads.run(on: content.volumes) { try content.read(offset, count) }
            // The length is promised; a file cut short behind our back can only end the connection.
            guard !bytes.isEmpty, bytes.count <= count else { throw NVRError(.dataLoss, "the file became shorter while it was sent") }
            return bytes
        }
        var offset = range.lowerBound
        var bytes = try await read(offset)
        while offset < range.upperBound {
            if offset > range.lowerBound { try await access?.demand() }
            offset += Int64(bytes.count)
            // The disk reads on while the network sends.
            let place = offset
            async let following = read(place)
            let deadline = context?.closeConnection(in: longestStall)
            defer { deadline?.cancel() }
            try await writer.write(ByteBuffer(bytes: bytes))
            bytes = try await following
        }
    }

    /// `attachment; filename="name.mp4"`; names outside ASCII also in the form of RFC 8187.
    package static func dispositionText(_ disposition: Disposition, _ fileName: String) -> String? {
        let kind: String
        switch disposition {
        case .none: return nil
        case .inline: kind = "inline"
        case .attachment: kind = "attachment"
        }
        let plain = String(
            decoding: fileName.utf8.map { byte in
                let isPlain =
                    byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") && byte != UInt8(ascii: "/")
                return isPlain ? byte : UInt8(ascii: "_")
            }, as: UTF8.self)
        var text = "\(kind); filename=\"\(plain)\""
        if plain != fileName { text += "; filename*=UTF-8''" + percentEncoded(fileName) }
        return text
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
func percentEncoded(_ text: String) -> String {
    var out = ""
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
            out.unicodeScalars.append(Unicode.Scalar(byte))
        default:
            let hex = String(byte, radix: 16, uppercase: true)
            out += byte < 16 ? "%0" + hex : "%" + hex
        }
    }
    return out
}
