package import NIOCore
package import RTSP

/// A source's URL taken apart, so that what connects can be given an address that was checked in place of the name (RFC 3986).
package struct SourceURL: Sendable, Equatable {
    /// In lower case.
    package private(set) var scheme: String
    /// As it was written, percent-encoded.
    package private(set) var userInfo: String?
    /// A name or an address; IPv6 without brackets.
    package private(set) var host: String
    package private(set) var port: Int
    /// Path, query and fragment as they were written.
    private var tail: String

    /// Nil for what has no host, or holds control characters.
    package init?(_ text: String) {
        guard text.utf8.count <= 8192, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }), let mark = text.firstRange(of: "://") else {
            return nil
        }
        scheme = text[..<mark.lowerBound].lowercased()
        guard !scheme.isEmpty, scheme.utf8.allSatisfy({ (0x61...0x7A).contains($0) }) else { return nil }
        let rest = text[mark.upperBound...]
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        tail = String(rest[end...])
        var authority = rest[..<end]
        if let at = authority.lastIndex(of: "@") {
            userInfo = String(authority[..<at])
            authority = authority[authority.index(after: at)...]
        }
        var digits: Substring?
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { return nil }
            host = String(authority[authority.index(after: authority.startIndex)..<close])
            let after = authority[authority.index(after: close)...]
            guard after.isEmpty || after.hasPrefix(":") else { return nil }
            digits = after.isEmpty ? nil : after.dropFirst()
        } else {
            let colon = authority.firstIndex(of: ":")
            host = String(authority[..<(colon ?? authority.endIndex)])
            digits = colon.map { authority[authority.index(after: $0)...] }
        }
        guard !host.isEmpty else { return nil }
        if let digits, !digits.isEmpty {
            guard digits.utf8.count <= 5, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
                (1...65_535).contains(number)
            else { return nil }
            port = number
        } else {
            port = Self.defaultPort(scheme)
        }
    }

    private static func defaultPort(_ scheme: String) -> Int {
        switch scheme {
        case "https", "rtmps": 443
        case "rtsp": 554
        case "rtsps": 322
        case "rtmp": 1935
        default: 80
        }
    }

    /// Where a reference found there leads (RFC 3986 section 5.2); nil when it leads to nothing we can name.
    package func resolved(_ reference: String) -> SourceURL? {
        if let colon = reference.firstIndex(of: ":"), reference[colon...].hasPrefix("://"),
            !reference[..<colon].contains(where: { "/?#".contains($0) })
        {
            return SourceURL(reference)
        }
        if reference.hasPrefix("//") { return SourceURL(scheme + ":" + reference) }
        guard !reference.isEmpty, reference.utf8.count <= 4096, reference.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        var next = self
        let path = tail.prefix { $0 != "?" && $0 != "#" }
        if reference.hasPrefix("/") {
            next.tail = reference
        } else if reference.hasPrefix("?") {
            next.tail = path + reference
        } else {
            next.tail = (path.lastIndex(of: "/").map { String(path[...$0]) } ?? "/") + reference
        }
        let query = next.tail.firstIndex { $0 == "?" || $0 == "#" } ?? next.tail.endIndex
        var segments: [Substring] = []
        let parts = next.tail[..<query].split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        for (index, part) in parts.enumerated() {
            let isLast = index == parts.count - 1
            switch part {
            case ".": if isLast { segments.append("") }
            case "..":
                if !segments.isEmpty { segments.removeLast() }
                if isLast { segments.append("") }
            default: segments.append(part)
            }
        }
        next.tail = "/" + segments.joined(separator: "/") + next.tail[query...]
        return next
    }

    /// Path and query as a request line may hold them: never empty, without a fragment, and with nothing that ends a line or a word.
    package var target: String {
        var bytes: [UInt8] = []
        for byte in tail.prefix(while: { $0 != "#" }).utf8 {
            if byte <= 0x20 || byte >= 0x7F {
                let digits = Array("0123456789ABCDEF".utf8)
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            } else {
                bytes.append(byte)
            }
        }
        if bytes.first != UInt8(ascii: "/") { bytes.insert(UInt8(ascii: "/"), at: 0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Host and port as the Host field of HTTP has them: the port only when it is not the usual one.
    package var authority: String {
        let shown = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return port == Self.defaultPort(scheme) ? shown : "\(shown):\(port)"
    }

    /// Without credentials, as it may be shown.
    package var text: String { "\(scheme)://\(authority)\(tail)" }

    /// What the user info says.
    var credentials: RTSPCredentials? { userInfo.map { RTSPCredentials(userInfo: $0.utf8) } }

    /// Whether both lead to the same place of the same machine: what was trusted with a password once may have it again.
    package func hasSameOrigin(as other: SourceURL) -> Bool {
        Text.same(host, other.host) && port == other.port && scheme == other.scheme
    }

    /// The same with the user info of another.
    package func with(userInfo: String?) -> SourceURL {
        var copy = self
        copy.userInfo = userInfo
        return copy
    }

    /// The whole URL, credentials among it, with an address in place of the name.
    package func pinned(to address: SocketAddress) -> String {
        let numeric = address.ipAddress ?? host
        let shown = numeric.contains(":") ? "[\(numeric)]" : numeric
        return "\(scheme)://\(userInfo.map { $0 + "@" } ?? "")\(shown):\(port)\(tail)"
    }

    /// What RTMP calls the URL of the application: without the name of the stream, the last part of the path.
    package var applicationURL: String {
        let parts = tail.prefix { $0 != "?" && $0 != "#" }.split(separator: "/")
        return "\(scheme)://\(authority)/" + parts.dropLast(parts.count > 1 ? 1 : 0).prefix(2).joined(separator: "/")
    }

    /// Whether the host is an address, not a name.
    package var hasNumericHost: Bool { (try? SocketAddress(ipAddress: host, port: port)) != nil }  // throwing is how it says no
}

/// Looks up where a source's host leads, and leaves out where nothing may be fetched from.
package struct AddressGuard: Sendable {
    private let check: (@Sendable (SocketAddress) throws -> Void)?

    /// `check` throws for an address that is refused; nil refuses none.
    package init(_ check: (@Sendable (SocketAddress) throws -> Void)?) {
        self.check = check
    }

    /// The addresses that may be connected to, in the order the system prefers; never none. Blocks while a name is looked up.
    package func addresses(of url: SourceURL) throws(RTSPError) -> [SocketAddress] {
        var allowed: [SocketAddress] = []
        var refused: SocketAddress?
        for address in try Resolver.addresses(host: url.host, port: url.port) {
            do {
                try check?(address)
                allowed.append(address)
            } catch {
                refused = address
            }
        }
        if allowed.isEmpty { throw .addressRefused(refused?.ipAddress ?? url.host) }
        return allowed
    }
}
