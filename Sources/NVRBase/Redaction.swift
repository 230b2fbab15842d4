/// Takes out of a text what looks like a credential: user info of URLs, values behind names such as `password=` and `token:`, what
/// follows `Bearer` and `Basic`, and JSON Web Tokens. The last line of defence of logs: what is known to be secret is a `Secret` and
/// never gets this far. Text without any of them is returned as it is.
package func redactedText(_ text: String) -> String {
    var bytes = Array(text.utf8)
    guard
        bytes.contains(where: { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "=") }) || bytes.firstRange(of: "eyJ") != nil
            || bytes.firstRange(of: "earer ") != nil || bytes.firstRange(of: "asic ") != nil
    else { return text }
    let before = bytes
    hideUserInfo(&bytes)
    hideNamedValues(&bytes)
    hideTokens(&bytes)
    return bytes == before ? text : String(decoding: bytes, as: UTF8.self)
}

private let dots = Array("•••".utf8)

/// `scheme://user:password@host` becomes `scheme://•••@host`. Passwords may hold anything but white space and quotes, so the last `@`
/// of the word counts.
private func hideUserInfo(_ bytes: inout [UInt8]) {
    var from = 0
    while let mark = bytes.firstRange(of: "://", from: from) {
        var end = mark.upperBound
        while end < bytes.count, !endsWord(bytes[end]) { end += 1 }
        if let at = bytes[mark.upperBound..<end].lastIndex(of: UInt8(ascii: "@")), at > mark.upperBound {
            bytes.replaceSubrange(mark.upperBound..<at, with: dots)
            end -= at - mark.upperBound - dots.count
        }
        from = end
    }
}

private let names = ["password", "passwd", "passphrase", "pwd", "psw", "pass", "secret", "token", "api_key", "apikey", "api-key", "authorization"]

/// `name=value`, `name: value`, `"name": "value"` lose the value.
private func hideNamedValues(_ bytes: inout [UInt8]) {
    var at = 0
    while at < bytes.count {
        guard bytes[at] == UInt8(ascii: "=") || bytes[at] == UInt8(ascii: ":") else {
            at += 1
            continue
        }
        var nameEnd = at
        if nameEnd > 0, bytes[nameEnd - 1] == UInt8(ascii: "\"") || bytes[nameEnd - 1] == UInt8(ascii: "'") { nameEnd -= 1 }
        // A backslash before the quote: JSON within a quoted text.
        if nameEnd > 0, bytes[nameEnd - 1] == UInt8(ascii: "\\") { nameEnd -= 1 }
        at += 1
        guard names.contains(where: { bytes[..<nameEnd].ends(withAnyCase: $0) }) else { continue }
        var start = at
        while start < bytes.count, [UInt8(ascii: " "), UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "\\")].contains(bytes[start]) {
            start += 1
        }
        var end = start
        while end < bytes.count, !endsWord(bytes[end]),
            ![UInt8(ascii: "&"), UInt8(ascii: ";"), UInt8(ascii: ","), UInt8(ascii: "\\")].contains(bytes[end])
        {
            end += 1
        }
        // `Bearer x` and `Basic x` are two words.
        if end < bytes.count, bytes[end] == UInt8(ascii: " "),
            bytes[start..<end].ends(withAnyCase: "bearer") || bytes[start..<end].ends(withAnyCase: "basic")
        {
            end += 1
            while end < bytes.count, !endsWord(bytes[end]) { end += 1 }
        }
        guard end > start, Array(bytes[start..<end]) != dots else { continue }
        bytes.replaceSubrange(start..<end, with: dots)
        at = start + dots.count
    }
}

/// Words behind `Bearer`, and JSON Web Tokens wherever they stand.
private func hideTokens(_ bytes: inout [UInt8]) {
    for lead in ["Bearer ", "bearer ", "Basic ", "basic "] {
        var from = 0
        while let mark = bytes.firstRange(of: lead, from: from) {
            var end = mark.upperBound
            while end < bytes.count, !endsWord(bytes[end]) { end += 1 }
            // Short words, and those of small letters alone, are prose.
            let isProse = bytes[mark.upperBound..<end].allSatisfy { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: ",") }
            if end - mark.upperBound >= 8, !isProse, Array(bytes[mark.upperBound..<end]) != dots {
                bytes.replaceSubrange(mark.upperBound..<end, with: dots)
                end = mark.upperBound + dots.count
            }
            from = end
        }
    }
    var from = 0
    while let mark = bytes.firstRange(of: "eyJ", from: from) {
        var end = mark.lowerBound
        while end < bytes.count, isTokenByte(bytes[end]) { end += 1 }
        if bytes[mark.lowerBound..<end].count(where: { $0 == UInt8(ascii: ".") }) == 2, end - mark.lowerBound > 30 {
            bytes.replaceSubrange(mark.lowerBound..<end, with: dots)
            end = mark.lowerBound + dots.count
        }
        from = end
    }
}

private func endsWord(_ byte: UInt8) -> Bool {
    byte <= 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "<") || byte == UInt8(ascii: ">")
        || byte == UInt8(ascii: ")") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]")
}

private func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
        true
    default: false
    }
}

extension [UInt8] {
    fileprivate func firstRange(of needle: String, from start: Int = 0) -> Range<Int>? {
        let needle = Array(needle.utf8)
        guard let first = needle.first, count >= needle.count else { return nil }
        var at = start
        while at <= count - needle.count {
            if self[at] == first, self[at..<at + needle.count].elementsEqual(needle) { return at..<at + needle.count }
            at += 1
        }
        return nil
    }
}

extension ArraySlice<UInt8> {
    fileprivate func ends(withAnyCase name: String) -> Bool {
        count >= name.utf8.count && suffix(name.utf8.count).elementsEqual(name.utf8) { $0 | 0x20 == $1 | 0x20 }
    }
}
