import HTTPTypes
package import NIOCore
import NVRModel

/// The parts of a `multipart/form-data` body (RFC 7578, RFC 2046 section 5.1): what browsers send for a form with files. Pure.
package struct MultipartForm: Sendable {
    package struct Part: Sendable {
        package let name: String
        /// As the client calls the file; never a path of ours.
        package let fileName: String?
        package let contentType: String?
        package let body: ByteBuffer
    }

    package let parts: [Part]

    /// Parts of one body, and bytes of the headers of one part.
    static let mostParts = 32
    static let largestHeader = 4096

    /// The body as the call's `Content-Type` describes it. Throws a 422 as for an absent field when it is no form, and a 400 when it
    /// is a broken one.
    init(_ call: Call) throws {
        guard let boundary = Self.boundary(call.head.headerFields[.contentType] ?? "") else { throw Self.missing("file") }
        guard let parsed = Self.parse(call.body, boundary: boundary) else {
            throw HTTPFailure(.badRequest, "There was an error parsing the body")
        }
        parts = parsed
    }

    /// The one file of a form. Throws a 422 when there is none.
    func file(_ name: String) throws -> Part {
        guard let part = parts.first(where: { $0.name == name }) else { throw Self.missing(name) }
        return part
    }

    /// The text of a field that is no file; nil when it is absent or no UTF-8.
    func text(_ name: String) -> String? {
        parts.first { $0.name == name && $0.fileName == nil }.flatMap { String(validating: $0.body.readableBytesView, as: UTF8.self) }
    }

    private static func missing(_ name: String) -> FieldProblems {
        FieldProblems([FieldProblem(type: "missing", loc: [.key("body"), .key(name)], msg: "Field required", input: .null)])
    }

    /// The boundary of a `Content-Type`; nil when it is none of a form.
    package static func boundary(_ contentType: String) -> String? {
        let (kind, parameters) = parameters(of: contentType)
        guard kind.lowercased() == "multipart/form-data", let boundary = parameters["boundary"], (1...70).contains(boundary.utf8.count) else {
            return nil
        }
        return boundary
    }

    /// The parts of a body; nil when it does not hold to the format.
    package static func parse(_ body: ByteBuffer, boundary: String) -> [Part]? {
        let bytes = body.readableBytesView
        let delimiter = Array("\r\n--\(boundary)".utf8)
        // The first delimiter may stand at the very beginning, without its line end.
        var place = bytes.startIndex
        if bytes.starts(with: delimiter.dropFirst(2)) {
            place += delimiter.count - 2
        } else if let first = range(of: delimiter, in: bytes, from: place) {
            place = first + delimiter.count
        } else {
            return nil
        }
        var parts: [Part] = []
        while true {
            if bytes[place...].starts(with: Array("--".utf8)) { return parts }
            while place < bytes.endIndex, bytes[place] == UInt8(ascii: " ") || bytes[place] == UInt8(ascii: "\t") { place += 1 }
            guard parts.count < mostParts, bytes[place...].starts(with: [13, 10]),
                let end = range(of: delimiter, in: bytes, from: place),
                // The blank line after the headers, which may be its first when there is no header at all.
                let blank = range(of: [13, 10, 13, 10], in: bytes[..<min(end, place + largestHeader)], from: place),
                let part = part(header: bytes[place..<blank], body: body, from: blank + 4, to: end)
            else { return nil }
            parts.append(part)
            place = end + delimiter.count
        }
    }

    private static func part(header: ByteBufferView, body: ByteBuffer, from start: Int, to end: Int) -> Part? {
        guard start <= end, let text = String(validating: header, as: UTF8.self), let slice = body.getSlice(at: start, length: end - start) else {
            return nil
        }
        var name: String?
        var fileName: String?
        var contentType: String?
        for line in text.split(separator: "\r\n") {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = String(line[line.index(after: colon)...].drop { $0 == " " })
            switch line[..<colon].lowercased() {
            case "content-disposition":
                let (kind, found) = parameters(of: value)
                guard kind.lowercased() == "form-data" else { return nil }
                name = found["name"]
                fileName = found["filename"]
            case "content-type": contentType = value
            default: continue
            }
        }
        guard let name else { return nil }
        return Part(name: name, fileName: fileName, contentType: contentType, body: slice)
    }

    /// A header value and its parameters: `a; b=c; d="e;\"f"`.
    private static func parameters(of value: String) -> (String, [String: String]) {
        var pieces: [String] = []
        var piece = ""
        var isQuoted = false
        var isEscaped = false
        for character in value {
            if isEscaped {
                piece.append(character)
                isEscaped = false
            } else if isQuoted, character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if character == ";", !isQuoted {
                pieces.append(piece)
                piece = ""
            } else {
                piece.append(character)
            }
        }
        pieces.append(piece)
        var parameters: [String: String] = [:]
        for piece in pieces.dropFirst() {
            guard let equals = piece.firstIndex(of: "=") else { continue }
            parameters[trimmed(String(piece[..<equals])).lowercased()] = trimmed(String(piece[piece.index(after: equals)...]))
        }
        return (trimmed(pieces[0]), parameters)
    }

    private static func range(of needle: [UInt8], in bytes: ByteBufferView, from start: Int) -> Int? {
        guard let first = needle.first else { return start }
        var place = start
        while place < bytes.endIndex, let found = bytes[place...].firstIndex(of: first) {
            if bytes[found...].starts(with: needle) { return found }
            place = found + 1
        }
        return nil
    }
}
