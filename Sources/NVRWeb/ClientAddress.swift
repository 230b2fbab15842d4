package import HTTPTypes

/// Where a request comes from and how: what the sign-in throttle counts, what first set-up asks for, what cookies are marked with.
package struct ClientAddress: Sendable, Equatable {
    /// The address without a port; `unknown` when the transport has none.
    package let address: String
    /// True when the request was made on this machine, by no proxy, for a name of this machine. The name matters: a foreign page
    /// can make a browser here connect to loopback under a name of its own.
    package let isLocal: Bool
    /// True when the client spoke HTTPS, to us or to a trusted proxy.
    package let isSecure: Bool

    /// `peer`: the address of the other end of the connection. Forwarding headers count only when it is a trusted proxy.
    package init(peer: String?, head: HTTPRequest, trustedProxies: TrustedProxies) {
        let peer = peer ?? "unknown"
        let fields = head.headerFields
        let isForwarded = fields.contains { Self.tellsOfProxy($0.name) }
        if let proxy = IPAddress(peer), trustedProxies.contains(proxy) {
            let hops = fields[values: .xForwardedFor].flatMap { $0.split(separator: ",") }.map { Self.trimmed($0) }
            address = Self.client(behind: hops, trustedProxies) ?? peer
            isSecure = fields[.xForwardedProto].map(Self.beginsWithHTTPS) ?? (head.scheme == "https")
        } else {
            address = peer
            isSecure = head.scheme == "https"
        }
        isLocal = Self.isLoopback(peer) && !isForwarded && Self.namesThisMachine(head.authority)
    }

    /// The nearest hop is last: the first from the right that is no proxy of ours is the client; what stands left of it, it may have
    /// written itself. When all are ours, the farthest is. What is no address ends the walk at the hop that vouches for it.
    private static func client(behind hops: [String], _ trustedProxies: TrustedProxies) -> String? {
        var found: String?
        for hop in hops.reversed() {
            guard let address = IPAddress(hop) else { break }
            found = address.text
            if !trustedProxies.contains(address) { break }
        }
        return found
    }

    package static func isLoopback(_ address: String) -> Bool {
        // Digits and dots only: `127.evil.example` is a name somebody else may own.
        let plain = address.hasPrefix("::ffff:") ? address.dropFirst(7) : address[...]
        let isNumeric = plain.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return address == "::1" || (isNumeric && plain.hasPrefix("127."))
    }

    /// Whether a `Host` names loopback, with or without a port.
    package static func namesThisMachine(_ authority: String?) -> Bool {
        guard let authority, !authority.isEmpty else { return true }
        let name: Substring
        if authority.first == "[" {
            name = authority.dropFirst().prefix { $0 != "]" }
        } else {
            name = authority.prefix { $0 != ":" }
        }
        return name.lowercased() == "localhost" || isLoopback(String(name))
    }

    /// Proxies in a row each add what they saw: the first word is how the client spoke.
    private static func beginsWithHTTPS(_ list: String) -> Bool {
        trimmed(list.prefix { $0 != "," }).lowercased() == "https"
    }

    private static func trimmed(_ text: Substring) -> String {
        func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }
        return String(text.drop(while: isBlank).prefix { !isBlank($0) })
    }

    /// Whether a field is one that proxies add. Not all add the same, and one is enough to know.
    private static func tellsOfProxy(_ name: HTTPField.Name) -> Bool {
        name.canonicalName.hasPrefix("x-forwarded") || proxyNames.contains(name.canonicalName)
    }

    private static let proxyNames: Set<String> = [
        "forwarded", "x-real-ip", "x-client-ip", "via", "true-client-ip", "cf-connecting-ip", "x-original-host", "x-original-url",
    ]
}
