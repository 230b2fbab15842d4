/// Where a bucket is: the server's address, the bucket's name, and how the one is told from the other.
package struct S3Location: Sendable, Hashable {
    /// How requests name the bucket.
    package enum Addressing: String, Sendable, Hashable, CaseIterable {
        /// `https://server/bucket/key`: what servers of one's own understand.
        case path
        /// `https://bucket.server/key`: what AWS wants of new buckets.
        case virtualHost = "virtual-host"
    }

    /// Why an address or a name is refused, for a person.
    package struct Refusal: Error, Sendable, Hashable, CustomStringConvertible {
        package let message: String
        package var description: String { message }
    }

    package let isTLS: Bool
    /// Of the server, without the bucket; IPv6 without brackets.
    package let host: String
    package let port: Int
    package let region: String
    package let bucket: String
    package let addressing: Addressing

    /// `endpoint`: `https://s3.eu-central-1.amazonaws.com` or `http://10.0.0.5:9000`: no path, no user, no query.
    package init(endpoint: String, region: String, bucket: String, addressing: Addressing) throws(Refusal) {
        let lower = endpoint.lowercased()
        guard lower.hasPrefix("http://") || lower.hasPrefix("https://") else {
            throw Refusal(message: "the endpoint must begin with http:// or https://")
        }
        isTLS = lower.hasPrefix("https://")
        var rest = endpoint.dropFirst(isTLS ? 8 : 7)
        if rest.hasSuffix("/") { rest.removeLast() }
        guard !rest.contains(where: { "/?#@\\ ".contains($0) }), rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw Refusal(message: "the endpoint must be a scheme, a host and perhaps a port, and nothing else")
        }
        let (host, digits) = try Self.split(rest)
        self.host = host
        if let digits {
            guard digits.utf8.count <= 5, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
                (1...65_535).contains(number)
            else { throw Refusal(message: "the port of the endpoint must be between 1 and 65535") }
            port = number
        } else {
            port = isTLS ? 443 : 80
        }
        guard Self.isBucketName(bucket) else {
            throw Refusal(
                message: "a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens, and begins and ends with a letter or digit")
        }
        guard !region.isEmpty, region.utf8.count <= 64, region.utf8.allSatisfy(Self.isNameByte) else {
            throw Refusal(message: "a region has lower-case letters, digits and hyphens")
        }
        if addressing == .virtualHost, host.utf8.contains(UInt8(ascii: ":")) || host.utf8.allSatisfy({ $0 == 0x2E || (0x30...0x39).contains($0) }) {
            throw Refusal(message: "virtual-host addressing needs a server that has a name")
        }
        self.bucket = bucket
        self.region = region
        self.addressing = addressing
    }

    private static func split(_ authority: Substring) throws(Refusal) -> (host: String, port: Substring?) {
        let refusal = Refusal(message: "the endpoint has no host")
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { throw refusal }
            let after = authority[authority.index(after: close)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw refusal }
            return (String(authority[authority.index(after: authority.startIndex)..<close]), after.isEmpty ? nil : after.dropFirst())
        }
        let colon = authority.firstIndex(of: ":")
        let host = authority[..<(colon ?? authority.endIndex)]
        guard !host.isEmpty, host.utf8.count <= 253 else { throw refusal }
        return (String(host), colon.map { authority[authority.index(after: $0)...] })
    }

    /// The rules of AWS, "Bucket naming rules".
    private static func isBucketName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard (3...63).contains(bytes.count), bytes.allSatisfy({ isNameByte($0) || $0 == UInt8(ascii: ".") }) else { return false }
        guard let first = bytes.first, let last = bytes.last else { return false }
        func isWordByte(_ byte: UInt8) -> Bool { isNameByte(byte) && byte != UInt8(ascii: "-") }
        return isWordByte(first) && isWordByte(last) && !name.contains("..")
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
    }

    /// The name to connect to and to verify.
    var requestHost: String { addressing == .path ? host : "\(bucket).\(host)" }

    /// What the Host field says, which is signed.
    var authority: String {
        let shown = requestHost.utf8.contains(UInt8(ascii: ":")) ? "[\(requestHost)]" : requestHost
        return port == (isTLS ? 443 : 80) ? shown : "\(shown):\(port)"
    }

    /// The percent-encoded path of an object, or of the bucket.
    func path(of key: String?) -> String {
        let encoded = key.map { URIEncoding.encode($0, keepsSlashes: true) } ?? ""
        return addressing == .path ? "/\(bucket)" + (key == nil ? "" : "/\(encoded)") : "/\(encoded)"
    }
}
