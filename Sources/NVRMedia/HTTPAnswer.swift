/// The head of an HTTP answer, read as forgivingly as cameras need it (RFC 9112 section 4 and 5).
package struct HTTPHead: Sendable, Equatable {
    /// Bytes after which a head is none.
    package static let limit = 64 << 10

    package var status: Int
    package var reason: String
    /// Names in lower case.
    private var fields: [(name: String, value: String)]

    /// `bytes`: up to the empty line. Nil when they begin with anything but a status line.
    package init?(_ bytes: some Collection<UInt8>) {
        var lines = bytes.split(separator: 10, omittingEmptySubsequences: false).map { line in
            String(decoding: line.last == 13 ? line.dropLast() : line[...], as: UTF8.self)
        }
        while lines.first?.isEmpty == true { lines.removeFirst() }
        guard let first = lines.first else { return nil }
        let words = first.split(separator: " ", maxSplits: 2)
        // "ICY" is what old streaming servers say for HTTP.
        guard words.count >= 2, words[0].uppercased().hasPrefix("HTTP/") || words[0] == "ICY", words[1].utf8.count == 3, let status = Int(words[1]),
            status >= 100
        else { return nil }
        self.status = status
        reason = words.count > 2 ? String(words[2].prefix(200)) : ""
        fields = []
        for line in lines.dropFirst().prefix(200) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields.append((Self.trimmed(line[..<colon]).lowercased(), Self.trimmed(line[line.index(after: colon)...])))
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }

    /// All values of a field, in order; `name` in lower case.
    package func all(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

    package subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    package static func == (left: HTTPHead, right: HTTPHead) -> Bool {
        left.status == right.status && left.reason == right.reason && left.fields.elementsEqual(right.fields) { $0 == $1 }
    }
}

/// The content of an answer taken out of the bytes of its connection (RFC 9112 section 6 and 7).
package struct HTTPBody: Sendable {
    /// The bytes are not what the head announced.
    package struct Malformed: Error {}

    private enum Part: Sendable {
        /// Content, so many bytes of it; nil: until the connection ends.
        case content(Int64?)
        case chunkSize(UInt64, digits: Int)
        case chunkExtension(UInt64)
        case chunkContent(UInt64)
        /// The line end after a chunk.
        case chunkEnd
        /// Fields after the last chunk; `isEmpty`: the line that has begun is empty so far.
        case trailer(isEmpty: Bool)
        case end
    }

    private var part: Part
    /// Bytes of content; nil when only the end tells.
    package let length: Int64?

    package init(_ head: HTTPHead) throws(Malformed) {
        if head["transfer-encoding"]?.lowercased().contains("chunked") == true {
            part = .chunkSize(0, digits: 0)
            length = nil
        } else if let text = head["content-length"] {
            guard let count = Int64(text), count >= 0 else { throw Malformed() }
            part = count == 0 ? .end : .content(count)
            length = count
        } else {
            part = .content(nil)
            length = nil
        }
    }

    package var hasEnded: Bool { if case .end = part { true } else { false } }

    /// Whether nothing is missing when the connection ends now.
    package var mayEndHere: Bool {
        switch part {
        case .content(nil), .end: true
        default: false
        }
    }

    /// Moves content from `input` to `output` until one of them is used up or the content ends.
    package mutating func decode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws(Malformed) -> (
        read: Int, written: Int
    ) {
        var read = 0
        var written = 0
        func copy(_ most: UInt64) -> Int {
            let count = Int(min(UInt64(min(input.count - read, output.count - written)), most))
            if count > 0 {
                UnsafeMutableRawBufferPointer(rebasing: output[written..<(written + count)])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: input[read..<(read + count)]))
            }
            read += count
            written += count
            return count
        }
        while read < input.count {
            switch part {
            case .end: return (read, written)
            case .content(let left):
                guard written < output.count else { return (read, written) }
                let count = copy(left.map { UInt64($0) } ?? .max)
                if let left { part = left == Int64(count) ? .end : .content(left - Int64(count)) }
            case .chunkContent(let left):
                guard written < output.count else { return (read, written) }
                let count = UInt64(copy(left))
                part = left == count ? .chunkEnd : .chunkContent(left - count)
            default:
                try step(input[read])
                read += 1
            }
        }
        return (read, written)
    }

    /// Takes one byte of what stands around the chunks.
    private mutating func step(_ byte: UInt8) throws(Malformed) {
        let isLineEnd = byte == 10
        switch part {
        case .chunkSize(let size, let digits):
            if let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 {
                guard digits < 15 else { throw Malformed() }
                part = .chunkSize(size << 4 | UInt64(digit), digits: digits + 1)
            } else if digits == 0 {
                guard byte == 13 || byte == 32 else { throw Malformed() }
            } else if isLineEnd {
                part = size == 0 ? .trailer(isEmpty: true) : .chunkContent(size)
            } else {
                part = .chunkExtension(size)
            }
        case .chunkExtension(let size):
            if isLineEnd { part = size == 0 ? .trailer(isEmpty: true) : .chunkContent(size) }
        case .chunkEnd:
            guard isLineEnd || byte == 13 else { throw Malformed() }
            if isLineEnd { part = .chunkSize(0, digits: 0) }
        case .trailer(let isEmpty):
            if isLineEnd {
                part = isEmpty ? .end : .trailer(isEmpty: true)
            } else if byte != 13 {
                part = .trailer(isEmpty: false)
            }
        case .content, .chunkContent, .end: break
        }
    }
}
