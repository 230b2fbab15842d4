/// Takes one SQL statement apart, as far as rows need it.
struct DumpTokens {
    private let bytes: [UInt8]
    private let encoding: DumpText.Encoding
    private let backslashes: Bool
    private var at = 0

    init(_ bytes: [UInt8], encoding: DumpText.Encoding, backslashes: Bool) {
        self.bytes = bytes
        self.encoding = encoding
        self.backslashes = backslashes
    }

    private mutating func skipSpace() {
        while at < bytes.count, bytes[at] <= 0x20 { at += 1 }
    }

    var isAtEnd: Bool {
        var copy = self
        copy.skipSpace()
        return copy.at == bytes.count
    }

    /// The next bare word, in lower case.
    mutating func word() -> String? {
        skipSpace()
        let start = at
        while at < bytes.count, DumpStatement.isWord(bytes[at]) { at += 1 }
        return at > start ? DumpText.decode(bytes[start..<at], encoding).lowercased() : nil
    }

    /// Takes a byte if it is the next.
    mutating func symbol(_ byte: UInt8) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    var isAtQuotedName: Bool {
        var copy = self
        copy.skipSpace()
        return copy.at < bytes.count && bytes[copy.at] == 0x22
    }

    /// A name, quoted or bare; in lower case, since no two names of ours differ in it.
    mutating func name() -> String? {
        skipSpace()
        guard at < bytes.count, bytes[at] == 0x22 else { return word() }
        at += 1
        var name: [UInt8] = []
        while at < bytes.count {
            if bytes[at] == 0x22 {
                at += 1
                guard at < bytes.count, bytes[at] == 0x22 else { return DumpText.decode(name, encoding).lowercased() }
            }
            name.append(bytes[at])
            at += 1
        }
        return nil
    }

    /// The last part of `schema.table`, behind an `ONLY` or `IF NOT EXISTS`.
    mutating func qualifiedName() -> String? {
        var isQuoted = isAtQuotedName
        var found = name()
        while !isQuoted, let text = found, ["only", "if", "not", "exists"].contains(text) {
            isQuoted = isAtQuotedName
            found = name()
        }
        while found != nil, symbol(0x2E) { found = name() }
        return found
    }

    /// Names in parentheses; nil when there are none.
    mutating func nameList() -> [String]? {
        let start = at
        guard symbol(0x28) else { return nil }
        var names: [String] = []
        repeat {
            guard let name = name() else {
                at = start
                return nil
            }
            names.append(name)
        } while symbol(0x2C)
        return symbol(0x29) ? names : nil
    }

    /// Passes over what is up to the next comma of this level; false at its end.
    mutating func skipToComma() -> Bool {
        var depth = 0
        while at < bytes.count {
            switch bytes[at] {
            case 0x27:
                guard string() != nil else { return false }
                continue
            case 0x22:
                guard name() != nil else { return false }
                continue
            case 0x28, 0x5B: depth += 1
            case 0x29, 0x5D:
                if depth == 0 { return false }
                depth -= 1
            case 0x2C where depth == 0:
                at += 1
                return true
            default: break
            }
            at += 1
        }
        return false
    }

    /// `'…'`, or `E'…'` with escapes.
    mutating func string() -> String? {
        skipSpace()
        let start = at
        var escapes = backslashes
        if at + 1 < bytes.count, bytes[at] | 0x20 == 0x65, bytes[at + 1] == 0x27 {
            escapes = true
            at += 1
        }
        guard at < bytes.count, bytes[at] == 0x27 else {
            at = start
            return nil
        }
        at += 1
        var text: [UInt8] = []
        while at < bytes.count {
            let byte = bytes[at]
            if byte == 0x5C, escapes, at + 1 < bytes.count {
                text += [byte, bytes[at + 1]]
                at += 2
                continue
            }
            if byte == 0x27 {
                at += 1
                guard at < bytes.count, bytes[at] == 0x27 else {
                    return DumpText.decode(escapes ? DumpText.unescaped(text[...]) : text, encoding)
                }
            }
            text.append(byte)
            at += 1
        }
        at = start
        return nil
    }

    /// One parenthesized list of values; nil when any of them is no plain value.
    mutating func values(atMost most: Int) -> [String?]? {
        guard symbol(0x28) else { return nil }
        var values: [String?] = []
        repeat {
            guard values.count < most, case .some(let value) = value() else { return nil }
            values.append(value)
        } while symbol(0x2C)
        return symbol(0x29) ? values : nil
    }

    /// A value with its casts: nil when it is none, and null within.
    private mutating func value() -> String?? {
        skipSpace()
        var found: String??
        if let text = string() {
            found = .some(text)
        } else if at < bytes.count, bytes[at] == 0x2D || bytes[at] == 0x2B || bytes[at] == 0x2E || (bytes[at] >= 0x30 && bytes[at] <= 0x39) {
            found = number().map { .some($0) }
        } else {
            switch word() {
            case "null", "default": found = .some(nil)
            case "true": found = .some("t")
            case "false": found = .some("f")
            case "array": found = array().map { .some($0) }
            default: found = nil
            }
        }
        guard found != nil else { return nil }
        // 'x'::character varying(20)[]
        while at + 1 < bytes.count, bytes[at] == 0x3A, bytes[at + 1] == 0x3A {
            at += 2
            guard qualifiedName() != nil else { return nil }
            while word() != nil {}
            if symbol(0x28) {
                while skipToComma() {}
                guard symbol(0x29) else { return nil }
                while word() != nil {}
            }
            while symbol(0x5B) { guard symbol(0x5D) else { return nil } }
        }
        return found
    }

    private mutating func number() -> String? {
        let start = at
        while at < bytes.count, DumpStatement.isWord(bytes[at]) || bytes[at] == 0x2D || bytes[at] == 0x2B || bytes[at] == 0x2E { at += 1 }
        return at > start ? String(decoding: bytes[start..<at], as: UTF8.self) : nil
    }

    /// `ARRAY['a', 'b']` as the text that COPY has of it: `{"a","b"}`.
    private mutating func array() -> String? {
        guard symbol(0x5B) else { return nil }
        var parts: [String] = []
        if symbol(0x5D) { return "{}" }
        repeat {
            guard parts.count < 10_000, !isAtWord("array"), case .some(let element) = value() else { return nil }
            parts.append(element.map { "\"" + $0.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] } + "\"" } ?? "NULL")
        } while symbol(0x2C)
        return symbol(0x5D) ? "{" + parts.joined(separator: ",") + "}" : nil
    }

    /// Arrays of arrays are nobody's here, and would nest as deep as somebody likes.
    private func isAtWord(_ wanted: String) -> Bool {
        var copy = self
        return copy.word() == wanted
    }
}
