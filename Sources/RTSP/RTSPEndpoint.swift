/// Where a stream is: an `rtsp://` or `rtsps://` URL taken apart, its credentials kept aside.
package struct RTSPEndpoint: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible {
    /// Plain or over TLS.
    package enum Scheme: String, Sendable {
        case rtsp
        case rtsps

        /// The port when the URL names none.
        var defaultPort: Int { self == .rtsp ? 554 : 322 }
    }

    package var scheme: Scheme
    /// A name or an address; IPv6 addresses without brackets.
    package var host: String
    package var port: Int
    /// Empty, or begins with "/" or "?".
    package var pathAndQuery: String
    package var credentials: RTSPCredentials?

    /// From parts that are known to be good; the port defaults to that of the scheme.
    package init(scheme: Scheme, host: String, port: Int? = nil, pathAndQuery: String = "", credentials: RTSPCredentials? = nil) {
        self.scheme = scheme
        self.host = host
        self.port = port ?? scheme.defaultPort
        self.pathAndQuery = pathAndQuery
        self.credentials = credentials
    }

    /// Takes a URL apart; nil when it is not one of ours or holds control characters.
    ///
    /// User names and passwords may hold any character raw or percent-encoded. The user info ends at the last "@" before
    /// the first "/"; when what stands before the first "/" cannot be an authority (because the password holds a "/"), it
    /// ends at the last "@" that an authority follows.
    package init?(_ url: String) {
        let bytes = Array(url.utf8)
        guard bytes.count <= 8192, !bytes.contains(where: { $0 < 0x20 || $0 == 0x7f }) else { return nil }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), bytes[colon...].starts(with: "://".utf8),
            let scheme = Scheme(rawValue: String(decoding: bytes[..<colon], as: UTF8.self).lowercased())
        else { return nil }
        let rest = bytes[(colon + 3)...]
        let slash = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
        let head = rest[..<slash]
        var userInfo: ArraySlice<UInt8>?
        var found: (host: String, port: Int?, end: Int)?
        if let at = head.lastIndex(of: UInt8(ascii: "@")) {
            found = Self.authority(rest[(at + 1)...])
            userInfo = rest[..<at]
        } else {
            found = Self.authority(rest)
        }
        if found == nil, slash != rest.endIndex {
            // A raw "/" inside the password: look for the last "@" that a host follows.
            var end = rest.endIndex
            while let at = rest[..<end].lastIndex(of: UInt8(ascii: "@")) {
                if let candidate = Self.authority(rest[(at + 1)...]) {
                    found = candidate
                    userInfo = rest[..<at]
                    break
                }
                end = at
            }
        }
        guard let found else { return nil }
        self.scheme = scheme
        host = found.host
        port = found.port ?? scheme.defaultPort
        pathAndQuery = Self.escaped(rest[found.end...])
        if let userInfo {
            credentials = RTSPCredentials(userInfo: userInfo)
        }
    }

    /// The URL as it is sent and may be shown: without credentials.
    package var url: String {
        // Bytes, since a combining mark behind a colon makes another character of it.
        let shownHost = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        let shownPort = port == scheme.defaultPort ? "" : ":\(port)"
        return "\(scheme.rawValue)://\(shownHost)\(shownPort)\(pathAndQuery)"
    }

    package var description: String { url }
    package var debugDescription: String { url }

    /// host[:port] up to "/", "?" or the end.
    private static func authority(_ bytes: ArraySlice<UInt8>) -> (host: String, port: Int?, end: Int)? {
        let end = bytes.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? bytes.endIndex
        let text = bytes[..<end]
        let host: ArraySlice<UInt8>
        let after: ArraySlice<UInt8>
        if text.first == UInt8(ascii: "[") {
            guard let close = text.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            host = text[(text.startIndex + 1)..<close]
            after = text[(close + 1)...]
            guard host.contains(UInt8(ascii: ":")),
                host.allSatisfy({ $0 < 0x80 && isHostByte($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "%") })
            else { return nil }
        } else {
            let colon = text.firstIndex(of: UInt8(ascii: ":")) ?? text.endIndex
            host = text[..<colon]
            after = text[colon...]
            guard host.allSatisfy(isHostByte) else { return nil }
        }
        guard !host.isEmpty, host.count <= 255 else { return nil }
        var port: Int?
        if !after.isEmpty {
            guard after.first == UInt8(ascii: ":") else { return nil }
            let digits = after.dropFirst()
            if !digits.isEmpty {
                guard digits.count <= 5, digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
                    let number = Int(String(decoding: digits, as: UTF8.self)), (1...65535).contains(number)
                else { return nil }
                port = number
            }
        }
        return (String(decoding: host, as: UTF8.self), port, end)
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: byte >= 0x80
        }
    }

    /// Spaces and bytes beyond ASCII may not stand in a request line, and without a path an "@" would look like the end of
    /// user info.
    private static func escaped(_ bytes: ArraySlice<UInt8>) -> String {
        let hasPath = bytes.first == UInt8(ascii: "/")
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in bytes {
            if byte <= 0x20 || byte >= 0x7f || (!hasPath && byte == UInt8(ascii: "@")) {
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// The value of one hexadecimal digit, nil for anything else.
package func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
