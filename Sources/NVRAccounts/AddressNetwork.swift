/// What limits count as one place on the network. Pure.
package enum AddressNetwork {
    /// The name of the network of an address: a home has a whole /64 of IPv6 addresses, which counts as one; an IPv4 address stands for
    /// itself, also inside of IPv6 (`::ffff:192.0.2.1`). Texts that are no address stand for themselves.
    package static func name(of address: String) -> String {
        guard address.contains(":") else { return String(address.prefix(64)) }
        if address.contains(".") {
            let isMapped = address.lowercased().hasPrefix("::ffff:")
            return String((isMapped ? address.dropFirst(7) : address[...]).prefix(64))
        }
        // "::" stands for as many groups of zero as are missing (RFC 4291 section 2.2), which may be among the first four.
        var groups: [Substring]
        if let gap = address.firstRange(of: "::") {
            let (head, tail) = (Self.groups(address[..<gap.lowerBound]), Self.groups(address[gap.upperBound...]))
            groups = head + Array(repeating: "0", count: max(0, 8 - head.count - tail.count)) + tail
        } else {
            groups = Self.groups(address[...])
        }
        groups = groups.prefix(4).map { group in
            let digits = group.drop { $0 == "0" }
            return digits.isEmpty ? "0" : digits
        }
        return groups.joined(separator: ":").lowercased() + "::/64"
    }

    private static func groups(_ text: Substring) -> [Substring] { text.prefix(64).split(separator: ":") }
}
