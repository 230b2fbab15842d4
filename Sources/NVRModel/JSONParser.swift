/// Why a text is not JSON, in the words of the API's 422 answers.
package struct JSONSyntaxError: Error, Sendable, Hashable {
    /// Byte offset of the failure.
    package var offset: Int
    /// "Expecting value", "Extra data", …
    package var message: String
}

extension JSONValue {
    /// Deepest nesting that is read: real bodies have 4 levels, and the parser recurses.
    package static let deepestNesting = 48

    /// Parses a whole document (RFC 8259). Never traps; time and memory are linear in the input, whose size the caller bounds.
    package init(parsing bytes: some Sequence<UInt8>) throws(JSONSyntaxError) {
        var parser = JSONParser(bytes: Array(bytes))
        self = try parser.document()
    }

    /// Parses a whole document.
    package init(parsing text: String) throws(JSONSyntaxError) {
        try self.init(parsing: text.utf8)
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    var at = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(JSONSyntaxError) -> JSONValue {
        skipSpace()
        let value = try value(depth: 0)
        skipSpace()
        if at < bytes.count { throw failure("Extra data") }
        return value
    }

    private func failure(_ message: String, at offset: Int? = nil) -> JSONSyntaxError {
        JSONSyntaxError(offset: offset ?? at, message: message)
    }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
    }

    private mutating func take(_ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard bytes.count - at >= count else { return false }
        let isSame = literal.withUTF8Buffer { $0.elementsEqual(bytes[at..<at + count]) }
        if isSame { at += count }
        return isSame
    }

    private mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        guard depth <= JSONValue.deepestNesting else { throw failure("Too deeply nested") }
        switch next ?? 0 {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): if take("true") { return .bool(true) }
        case UInt8(ascii: "f"): if take("false") { return .bool(false) }
        case UInt8(ascii: "n"): if take("null") { return .null }
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: break
        }
        throw failure("Expecting value")
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        at += 1
        var elements: [JSONValue] = []
        skipSpace()
        if next == UInt8(ascii: "]") {
            at += 1
            return .array(elements)
        }
        while true {
            skipSpace()
            elements.append(try value(depth: depth + 1))
            skipSpace()
            switch next {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "]"):
                at += 1
                return .array(elements)
            default: throw failure("Expecting ',' delimiter")
            }
        }
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) -> JSONValue {
        at += 1
        var members = JSONObject()
        skipSpace()
        if next == UInt8(ascii: "}") {
            at += 1
            return .object(members)
        }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw failure("Expecting property name enclosed in double quotes") }
            let key = try string()
            skipSpace()
            guard next == UInt8(ascii: ":") else { throw failure("Expecting ':' delimiter") }
            at += 1
            skipSpace()
            members[key] = try value(depth: depth + 1)
            skipSpace()
            switch next {
            case UInt8(ascii: ","): at += 1
            case UInt8(ascii: "}"):
                at += 1
                return .object(members)
            default: throw failure("Expecting ',' delimiter")
            }
        }
    }

    private mutating func digits() -> Int {
        let start = at
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { at += 1 }
        return at - start
    }

    private mutating func number() throws(JSONSyntaxError) -> JSONValue {
        let start = at
        var isInteger = true
        if next == UInt8(ascii: "-") { at += 1 }
        let first = next
        let count = digits()
        guard count > 0 else { throw failure("Expecting value", at: start) }
        // A number ends after a leading zero, so that "01" is refused as extra data as RFC 8259 wants.
        if first == UInt8(ascii: "0"), count > 1 { throw failure("Expecting ',' delimiter", at: start + 1) }
        if next == UInt8(ascii: ".") {
            isInteger = false
            at += 1
            guard digits() > 0 else { throw failure("Expecting value", at: start) }
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            isInteger = false
            at += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { at += 1 }
            guard digits() > 0 else { throw failure("Expecting value", at: start) }
        }
        guard at - start <= 400 else { throw failure("Number too long", at: start) }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw failure("Number out of range", at: start) }
        return .number(value)
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        let start = at
        at += 1
        var text: [UInt8] = []
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                guard let string = String(validating: text, as: UTF8.self) else { throw failure("Invalid UTF-8", at: start) }
                return string
            case UInt8(ascii: "\\"):
                at += 1
                try escape(into: &text)
            case 0..<0x20: throw failure("Invalid control character at")
            default:
                text.append(byte)
                at += 1
            }
        }
        throw failure("Unterminated string starting at", at: start)
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONSyntaxError) {
        guard let byte = next else { throw failure("Invalid \\escape") }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexQuad()
            if code >= 0xD800, code < 0xDC00, next == UInt8(ascii: "\\"), at + 1 < bytes.count, bytes[at + 1] == UInt8(ascii: "u") {
                let mark = at
                at += 2
                let low = try hexQuad()
                if low >= 0xDC00, low < 0xE000 {
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
                } else {
                    at = mark
                }
            }
            // A surrogate without its other half is no character: it becomes U+FFFD.
            let scalar = Unicode.Scalar(code) ?? "\u{FFFD}"
            text.append(contentsOf: String(Character(scalar)).utf8)
        default: throw failure("Invalid \\escape", at: at - 2)
        }
    }

    private mutating func hexQuad() throws(JSONSyntaxError) -> UInt32 {
        guard bytes.count - at >= 4 else { throw failure("Invalid \\uXXXX escape") }
        var code: UInt32 = 0
        for byte in bytes[at..<at + 4] {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw failure("Invalid \\uXXXX escape")
            }
            code = code << 4 | UInt32(digit)
        }
        at += 4
        return code
    }
}
