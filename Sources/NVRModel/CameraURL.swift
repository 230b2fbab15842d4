/// Checks the URLs of cameras and webhooks before anything connects to them: a server that fetches what users type must not be
/// led to itself or to the metadata service of a cloud.
package enum CameraURL {
    package static let maxLength = 2048

    /// Where a camera's streams may come from.
    package static let streamSchemes = ["rtsp", "rtsps", "http", "https", "rtmp", "rtmps"]

    /// What may be typed where.
    package struct Rules: Sendable, Hashable {
        /// Permits this machine as a target, for tests and demos; link-local addresses stay refused.
        package var allowLoopback: Bool

        package init(allowLoopback: Bool = false) { self.allowLoopback = allowLoopback }
    }

    /// Why a URL was refused, for a person.
    package struct Refusal: Error, Sendable, Hashable {
        package let message: String
    }

    /// Gives the URL as it is stored, which passes this check as it is: the scheme in lower case and odd characters of user name and
    /// password percent-encoded, so that every reader of it finds the same host.
    package static func check(_ text: String, schemes: [String] = streamSchemes, rules: Rules)
        -> Result<String, Refusal>
    {
        func refuse(_ message: String) -> Result<String, Refusal> { .failure(Refusal(message: message)) }
        let text = trimmed(text)
        guard text.utf8.count <= maxLength else { return refuse("URL must be at most \(maxLength) characters long") }
        let lower = text.lowercased()
        guard let scheme = schemes.first(where: { lower.hasPrefix($0 + "://") }) else {
            return refuse("URL must start with " + listing(schemes.map { $0 + "://" }))
        }
        guard text.unicodeScalars.allSatisfy({ !isSpaceOrControl($0) && $0 != "\\" }) else {
            return refuse("URL must not contain spaces, backslashes or control characters")
        }
        let rest = text.dropFirst(scheme.count + 3)
        guard let split = splitAuthority(rest) else { return refuse("URL must contain a valid host") }
        if let port = split.port {
            guard let number = Int(port), port.utf8.count <= 5, (1...65_535).contains(number) else {
                return refuse("URL port must be between 1 and 65535")
            }
        }
        switch reach(ofHost: split.host) {
        case nil: return refuse("URL must contain a valid host")
        case .loopback: if !rules.allowLoopback { return refuse("Localhost access is not allowed") }
        case .linkLocal: return refuse("Link-local addresses are not allowed")
        case .elsewhere: break
        }
        var normal = scheme + "://"
        if let user = split.userInfo { normal += encodedUserInfo(user) + "@" }
        normal += split.host
        if let port = split.port { normal += ":" + port }
        normal += split.tail
        guard normal.utf8.count <= maxLength else { return refuse("URL must be at most \(maxLength) characters long") }
        return .success(normal)
    }

    /// Where an address leads.
    package enum Reach: Sendable, Hashable {
        case loopback
        case linkLocal
        case elsewhere
    }

    /// Where a host leads, judged by its text alone: names that resolve to this machine are the business of whoever connects.
    /// Nil when it is no host at all. Understands the short, hexadecimal, octal and decimal forms of IPv4 that C libraries accept.
    package static func reach(ofHost host: Substring) -> Reach? {
        if host.hasPrefix("[") {
            guard host.hasSuffix("]"), let words = ipv6(host.dropFirst().dropLast()) else { return nil }
            return reach(words)
        }
        let name = host.lowercased()
        guard !name.isEmpty, name.utf8.count <= 253 else { return nil }
        let bare = name.hasSuffix(".") ? String(name.dropLast()) : name
        let labels = bare.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 63 }),
            bare.utf8.allSatisfy({ isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") })
        else { return nil }
        if ["localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"].contains(bare) || bare.hasSuffix(".localhost") {
            return .loopback
        }
        if let last = labels.last, looksNumeric(last) {
            guard let address = ipv4(labels) else { return nil }
            return reach(address)
        }
        return .elsewhere
    }

    // MARK: Parts

    private struct Authority {
        var userInfo: Substring?
        var host: Substring
        var port: Substring?
        var tail: Substring
    }

    /// The authority ends at the first `/`, `?` or `#` (RFC 3986 section 3.2). Where that gives no host, people typed one of these
    /// into a password: then the last `@` ends the user info.
    private static func splitAuthority(_ rest: Substring) -> Authority? {
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        let plain = rest[..<end]
        if let at = plain.lastIndex(of: "@") {
            return authority(userInfo: plain[..<at], hostAndPort: plain[plain.index(after: at)...], tail: rest[end...])
        }
        if let found = authority(userInfo: nil, hostAndPort: plain, tail: rest[end...]), found.port?.utf8.allSatisfy(isDigit) ?? true {
            return found
        }
        guard let at = rest.lastIndex(of: "@") else {
            return authority(userInfo: nil, hostAndPort: plain, tail: rest[end...])
        }
        let afterUser = rest[rest.index(after: at)...]
        let hostEnd = afterUser.firstIndex { "/?#".contains($0) } ?? afterUser.endIndex
        return authority(userInfo: rest[..<at], hostAndPort: afterUser[..<hostEnd], tail: afterUser[hostEnd...])
    }

    private static func authority(userInfo: Substring?, hostAndPort: Substring, tail: Substring) -> Authority? {
        if hostAndPort.hasPrefix("[") {
            guard let close = hostAndPort.firstIndex(of: "]") else { return nil }
            let after = hostAndPort[hostAndPort.index(after: close)...]
            guard after.isEmpty || after.hasPrefix(":") else { return nil }
            return Authority(
                userInfo: userInfo, host: hostAndPort[...close], port: after.isEmpty ? nil : after.dropFirst(), tail: tail)
        }
        guard let colon = hostAndPort.lastIndex(of: ":") else {
            return hostAndPort.isEmpty ? nil : Authority(userInfo: userInfo, host: hostAndPort, port: nil, tail: tail)
        }
        let host = hostAndPort[..<colon]
        return host.isEmpty
            ? nil : Authority(userInfo: userInfo, host: host, port: hostAndPort[hostAndPort.index(after: colon)...], tail: tail)
    }

    /// Percent-encodes what RFC 3986 does not allow in user info; what is encoded already stays as it is.
    private static func encodedUserInfo(_ text: Substring) -> String {
        let bytes = Array(text.utf8)
        var out = ""
        for (index, byte) in bytes.enumerated() {
            let isEscape =
                byte == UInt8(ascii: "%") && index + 2 < bytes.count && isHex(bytes[index + 1]) && isHex(bytes[index + 2])
            if isEscape || isLetter(byte) || isDigit(byte) || "-._~!$&'()*+,;=:".utf8.contains(byte) {
                out.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let hex = String(byte, radix: 16, uppercase: true)
                out += "%" + (hex.count < 2 ? "0" : "") + hex
            }
        }
        return out
    }

    private static func reach(_ address: UInt32) -> Reach {
        switch address >> 24 {
        case 127, 0: .loopback
        case 169 where address >> 16 == 0xA9FE: .linkLocal
        default: .elsewhere
        }
    }

    private static func reach(_ words: [UInt16]) -> Reach {
        if words[..<7].allSatisfy({ $0 == 0 }), words[7] <= 1 { return .loopback }
        if words[0] & 0xFFC0 == 0xFE80 { return .linkLocal }
        let last = UInt32(words[6]) << 16 | UInt32(words[7])
        // IPv4 inside IPv6: compatible and mapped (RFC 4291 section 2.5.5), translated (RFC 6052), 6to4 (RFC 3056).
        if words[..<5].allSatisfy({ $0 == 0 }), words[5] == 0 || words[5] == 0xFFFF { return reach(last) }
        if words[..<4].allSatisfy({ $0 == 0 }), words[4] == 0xFFFF, words[5] == 0 { return reach(last) }
        if words[0] == 0x64, words[1] == 0xFF9B, words[2..<6].allSatisfy({ $0 == 0 }) { return reach(last) }
        // What networks choose for the same (RFC 8215): a prefix of 96 bits, or of 48, with the address around the bits 64 to 71 and
        // nothing but zeros behind it.
        if words[0] == 0x64, words[1] == 0xFF9B, words[2] == 1 {
            let split = UInt32(words[3]) << 16 | UInt32(words[4] & 0xFF) << 8 | UInt32(words[5] >> 8)
            return reach(last == 0 ? split : last)
        }
        // Where machines of a cloud are told their keys by IPv6: among private addresses, and no camera.
        if words == [0xFD00, 0x0EC2, 0, 0, 0, 0, 0, 0x0254] { return .linkLocal }
        if words[0] == 0x2002 { return reach(UInt32(words[1]) << 16 | UInt32(words[2])) }
        return .elsewhere
    }

    private static func looksNumeric(_ label: Substring) -> Bool {
        label.utf8.allSatisfy(isDigit) || (label.hasPrefix("0x") && label.dropFirst(2).utf8.allSatisfy(isHex))
    }

    /// inet_aton: one to four parts, decimal, `0x` hexadecimal or `0` octal; the last part fills the remaining bytes.
    private static func ipv4(_ labels: [Substring]) -> UInt32? {
        guard (1...4).contains(labels.count) else { return nil }
        var parts: [UInt64] = []
        for label in labels {
            guard label.utf8.count <= 16 else { return nil }
            let part: UInt64? =
                if label.hasPrefix("0x") {
                    label.utf8.count == 2 ? 0 : UInt64(label.dropFirst(2), radix: 16)
                } else if label.utf8.count > 1, label.hasPrefix("0") {
                    UInt64(label, radix: 8)
                } else {
                    UInt64(label)
                }
            guard let part else { return nil }
            parts.append(part)
        }
        var address: UInt64 = 0
        for part in parts.dropLast() {
            guard part <= 255 else { return nil }
            address = address << 8 | part
        }
        let bits = UInt64(8 * (5 - parts.count))
        guard let last = parts.last, last < 1 << bits else { return nil }
        return UInt32(truncatingIfNeeded: address << bits | last)
    }

    /// RFC 4291 section 2.2, with an IPv4 tail. Zone ids are refused: only link-local addresses have them.
    private static func ipv6(_ text: Substring) -> [UInt16]? {
        guard text.utf8.count <= 45, text.utf8.allSatisfy({ isHex($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }) else {
            return nil
        }
        func words(_ part: Substring, allowsTail: Bool) -> [UInt16]? {
            if part.isEmpty { return [] }
            var out: [UInt16] = []
            let groups = part.split(separator: ":", omittingEmptySubsequences: false)
            for (index, group) in groups.enumerated() {
                if group.contains(".") {
                    let labels = group.split(separator: ".", omittingEmptySubsequences: false)
                    guard allowsTail, index == groups.count - 1, labels.count == 4,
                        labels.allSatisfy({ $0.utf8.allSatisfy(isDigit) && (UInt16($0) ?? 256) <= 255 }),
                        let address = ipv4(labels.map { $0.drop { $0 == "0" }.isEmpty ? "0" : $0.drop { $0 == "0" } })
                    else { return nil }
                    out.append(UInt16(truncatingIfNeeded: address >> 16))
                    out.append(UInt16(truncatingIfNeeded: address))
                } else {
                    guard (1...4).contains(group.utf8.count), let word = UInt16(group, radix: 16) else { return nil }
                    out.append(word)
                }
            }
            return out
        }
        var gap: Substring.Index?
        var at = text.startIndex
        while at < text.endIndex {
            if text[at...].hasPrefix("::") {
                guard gap == nil else { return nil }
                gap = at
                at = text.index(at, offsetBy: 2)
            } else {
                at = text.index(after: at)
            }
        }
        guard let gap else {
            guard let all = words(text, allowsTail: true), all.count == 8 else { return nil }
            return all
        }
        guard let head = words(text[..<gap], allowsTail: false), let tail = words(text[text.index(gap, offsetBy: 2)...], allowsTail: true),
            head.count + tail.count < 8
        else { return nil }
        return head + [UInt16](repeating: 0, count: 8 - head.count - tail.count) + tail
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    private static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7A }
    private static func isHex(_ byte: UInt8) -> Bool { isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66) }

    private static func listing(_ items: [String]) -> String {
        guard items.count > 1, let last = items.last else { return items.first ?? "" }
        return items.count == 2 ? items[0] + " or " + last : items.dropLast().joined(separator: ", ") + ", or " + last
    }
}

/// True for anything that is white space or does not print.
func isSpaceOrControl(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace || isControl(scalar) }

/// True for control, format (bidirectional overrides among them) and line separator characters.
func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned: true
    case .format: scalar != "\u{200D}" && scalar != "\u{200C}"
    default: false
    }
}

/// The text without white space at its ends.
package func trimmed(_ text: String) -> String {
    var scalars = Substring(text).unicodeScalars
    while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
    while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
    return String(scalars)
}
