/// An element of the small XML documents that S3 servers answer with. Text beside child elements is not kept; attributes, comments and
/// namespaces are passed over, document types refused: nothing is fetched or expanded.
struct XMLNode: Sendable {
    /// The bytes are not such a document.
    struct Malformed: Error {}

    /// Without a prefix.
    let name: String
    private(set) var text = ""
    private(set) var children: [XMLNode] = []

    /// Elements inside each other, and elements in all.
    private static let deepest = 16
    private static let mostElements = 50_000

    private init(name: String) { self.name = name }

    init(parsing bytes: [UInt8]) throws(Malformed) {
        var scanner = Scanner(bytes: bytes)
        guard try scanner.skipToElement() else { throw Malformed() }
        self = try scanner.element(depth: 0)
    }

    /// The text of the first child of a name.
    subscript(name: String) -> String? { children.first { $0.name == name }?.text }

    /// All children of a name.
    func all(_ name: String) -> [XMLNode] { children.filter { $0.name == name } }

    private struct Scanner {
        let bytes: [UInt8]
        var at = 0
        var elements = 0

        func starts(_ text: StaticString) -> Bool {
            let count = text.utf8CodeUnitCount
            guard at + count <= bytes.count else { return false }
            return text.withUTF8Buffer { wanted in wanted.elementsEqual(bytes[at..<at + count]) }
        }

        mutating func skip(past text: StaticString) throws(Malformed) {
            while at < bytes.count {
                if starts(text) {
                    at += text.utf8CodeUnitCount
                    return
                }
                at += 1
            }
            throw Malformed()
        }

        /// Moves to the `<` of an element; false at the end or at a closing tag. `at` then is at what was found.
        mutating func skipToElement() throws(Malformed) -> Bool {
            while at < bytes.count {
                if bytes[at] != UInt8(ascii: "<") {
                    at += 1
                } else if starts("<?") {
                    try skip(past: "?>")
                } else if starts("<!--") {
                    try skip(past: "-->")
                } else if starts("<!") {
                    throw Malformed()
                } else {
                    return !starts("</")
                }
            }
            return false
        }

        mutating func element(depth: Int) throws(Malformed) -> XMLNode {
            elements += 1
            guard depth < deepest, elements <= mostElements else { throw Malformed() }
            at += 1
            var node = XMLNode(name: try name())
            guard try !tagEnd() else { return node }
            let start = at
            var end = at
            while true {
                let isElement = try skipToElement()
                if node.children.isEmpty { end = at }
                guard isElement else { break }
                node.children.append(try element(depth: depth + 1))
            }
            guard starts("</") else { throw Malformed() }
            at += 2
            guard try name() == node.name else { throw Malformed() }
            _ = try tagEnd()
            if node.children.isEmpty { node.text = Self.unescaped(bytes[start..<end]) }
            return node
        }

        private mutating func name() throws(Malformed) -> String {
            let start = at
            while at < bytes.count, !" \t\r\n/>".utf8.contains(bytes[at]) { at += 1 }
            guard at > start, at < bytes.count else { throw Malformed() }
            let whole = bytes[start..<at]
            let local = whole.lastIndex(of: UInt8(ascii: ":")).map { whole[($0 + 1)...] } ?? whole
            return String(decoding: local, as: UTF8.self)
        }

        /// Passes over attributes and the end of a tag; true when it closes itself.
        private mutating func tagEnd() throws(Malformed) -> Bool {
            var quote: UInt8?
            while at < bytes.count {
                let byte = bytes[at]
                at += 1
                if let open = quote {
                    if byte == open { quote = nil }
                } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                    quote = byte
                } else if byte == UInt8(ascii: ">") {
                    return bytes[at - 2] == UInt8(ascii: "/")
                }
            }
            throw Malformed()
        }

        private static func unescaped(_ bytes: ArraySlice<UInt8>) -> String {
            guard bytes.contains(UInt8(ascii: "&")) else { return String(decoding: bytes, as: UTF8.self) }
            var out = ""
            var rest = Substring(String(decoding: bytes, as: UTF8.self))
            while let mark = rest.firstIndex(of: "&") {
                out += rest[..<mark]
                rest = rest[rest.index(after: mark)...]
                guard let end = rest.prefix(12).firstIndex(of: ";"), let character = entity(rest[..<end]) else {
                    out += "&"
                    continue
                }
                out.append(character)
                rest = rest[rest.index(after: end)...]
            }
            return out + rest
        }

        private static func entity(_ name: Substring) -> Character? {
            switch name {
            case "amp": return "&"
            case "lt": return "<"
            case "gt": return ">"
            case "quot": return "\""
            case "apos": return "'"
            default:
                guard name.hasPrefix("#") else { return nil }
                let digits = name.dropFirst()
                let number = digits.hasPrefix("x") ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
                return number.flatMap(Unicode.Scalar.init).map(Character.init)
            }
        }
    }
}
