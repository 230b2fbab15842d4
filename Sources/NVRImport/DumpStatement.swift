/// One SQL statement while its lines come in: knows where it ends, which is at a semicolon outside of texts, quoted names, dollar quotes
/// and comments.
struct DumpStatement {
    private enum State: Equatable {
        case plain
        /// `escapes`: a backslash takes the next byte along.
        case text(escapes: Bool)
        case name
        case dollar([UInt8])
        /// How deep comments are nested.
        case comment(Int)
    }

    /// Without comments, and without the bodies of dollar quotes: nobody needs them, and functions are long.
    private(set) var bytes: [UInt8] = []
    private var state = State.plain

    var count: Int { bytes.count }

    /// Whether nothing but white space was seen.
    var isBlank: Bool { state == .plain && bytes.allSatisfy { $0 == 0x20 || $0 == 0x0A || $0 == 0x09 } }

    /// Takes a line or the rest of one; true when the statement has ended, and `rest` is what follows. `backslashes`: plain texts have
    /// escapes, as they had before PostgreSQL 9.1.
    mutating func take(_ rest: inout ArraySlice<UInt8>, backslashes: Bool) -> Bool {
        var at = rest.startIndex
        func peek(_ distance: Int) -> UInt8? { at + distance < rest.endIndex ? rest[at + distance] : nil }
        while at < rest.endIndex {
            let byte = rest[at]
            switch state {
            case .plain:
                switch byte {
                case 0x3B:
                    rest = rest[(at + 1)...]
                    return true
                case 0x27: state = .text(escapes: backslashes || endsWithE)
                case 0x22: state = .name
                case 0x2D where peek(1) == 0x2D:
                    at = rest.endIndex
                    continue
                case 0x2F where peek(1) == 0x2A:
                    state = .comment(1)
                    at += 2
                    continue
                case 0x24:
                    if let tag = Self.dollarTag(rest[at...]), !endsInWord {
                        state = .dollar(tag)
                        bytes += [0x27, 0x27]
                        at += tag.count
                        continue
                    }
                default: break
                }
                bytes.append(byte)
            case .text(let escapes):
                bytes.append(byte)
                if byte == 0x5C, escapes, let next = peek(1) {
                    bytes.append(next)
                    at += 1
                } else if byte == 0x27 {
                    // Doubled ones begin the text again.
                    state = .plain
                    if peek(1) == 0x27 {
                        bytes.append(0x27)
                        at += 1
                        state = .text(escapes: escapes)
                    }
                }
            case .name:
                bytes.append(byte)
                if byte == 0x22 { state = .plain }
            case .dollar(let tag):
                if byte == 0x24, rest[at...].starts(with: tag) {
                    state = .plain
                    at += tag.count
                    continue
                }
            case .comment(let depth):
                if byte == 0x2A, peek(1) == 0x2F {
                    state = depth == 1 ? .plain : .comment(depth - 1)
                    at += 2
                    continue
                }
                if byte == 0x2F, peek(1) == 0x2A {
                    state = .comment(depth + 1)
                    at += 2
                    continue
                }
            }
            at += 1
        }
        rest = rest[rest.endIndex...]
        switch state {
        case .plain, .text, .name: bytes.append(0x0A)
        case .dollar, .comment: break
        }
        return false
    }

    /// Whether a text that begins now is one with escapes: `E'…'`.
    private var endsWithE: Bool {
        guard let last = bytes.last, last | 0x20 == 0x65 else { return false }
        return bytes.count == 1 || !Self.isWord(bytes[bytes.count - 2])
    }

    private var endsInWord: Bool { bytes.last.map(Self.isWord) ?? false }

    static func isWord(_ byte: UInt8) -> Bool {
        (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (byte >= 0x30 && byte <= 0x39) || byte == 0x5F || byte >= 0x80 || byte == 0x24
    }

    /// `$$` or `$tag$` at the beginning.
    private static func dollarTag(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var tag: [UInt8] = [0x24]
        for byte in bytes.dropFirst().prefix(64) {
            tag.append(byte)
            if byte == 0x24 { return tag }
            guard isWord(byte), tag.count > 2 || !(byte >= 0x30 && byte <= 0x39) else { return nil }
        }
        return nil
    }
}
