#if canImport(Glibc)
    import Glibc
#endif

/// An IP address as bytes: 4 or 16 of them. IPv4 in IPv6 (`::ffff:192.0.2.1`) is IPv4.
struct IPAddress: Hashable, Sendable {
    let bytes: [UInt8]

    /// Takes brackets and a port, as proxies write them (`[2001:db8::1]:443`, `192.0.2.1:80`). Nil for anything else.
    init?(_ text: some StringProtocol) {
        var name = Substring(text)
        if name.first == "[", let end = name.firstIndex(of: "]") {
            name = name[name.index(after: name.startIndex)..<end]
        } else if name.count(where: { $0 == ":" }) == 1, let colon = name.firstIndex(of: ":") {
            name = name[..<colon]
        }
        guard (2...45).contains(name.utf8.count) else { return nil }
        let plain = String(name)
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, plain, &four) == 1 {
            bytes = withUnsafeBytes(of: &four) { Array($0) }
        } else if inet_pton(AF_INET6, plain, &six) == 1 {
            let all = withUnsafeBytes(of: &six) { Array($0) }
            bytes = all.starts(with: Self.mappedPrefix) ? Array(all.suffix(4)) : all
        } else {
            return nil
        }
    }

    /// In the usual form.
    var text: String {
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        // Fails only for a family or a buffer that is not one of these.
        _ = inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &buffer, socklen_t(buffer.count))
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static let mappedPrefix: [UInt8] = Array(repeating: 0, count: 10) + [0xFF, 0xFF]
}

/// The proxies whose forwarding headers are believed: addresses and networks such as `10.0.0.0/8`. Pure.
package struct TrustedProxies: Sendable, Hashable {
    private struct Network: Sendable, Hashable {
        let address: [UInt8]
        let prefix: Int

        func contains(_ other: IPAddress) -> Bool {
            guard other.bytes.count == address.count else { return false }
            for (index, (left, right)) in zip(address, other.bytes).enumerated() {
                let bits = min(8, max(0, prefix - 8 * index))
                let mask = UInt8(truncatingIfNeeded: 0xFF00 >> bits)
                if (left ^ right) & mask != 0 { return false }
            }
            return true
        }
    }

    private let networks: [Network]

    /// Entries that are none are passed over: `refusal(of:)` tells of them at the start.
    package init(_ entries: some Sequence<String>) { networks = entries.compactMap(Self.network) }

    /// Why an entry is none; nil when it is fine.
    package static func refusal(of entry: String) -> String? {
        network(entry) == nil ? "'\(entry)' is neither an IP address nor a network such as 10.0.0.0/8" : nil
    }

    private static func network(_ entry: String) -> Network? {
        let parts = entry.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = IPAddress(parts[0]) else { return nil }
        let whole = address.bytes.count * 8
        guard parts.count == 2 else { return Network(address: address.bytes, prefix: whole) }
        guard var prefix = Int(parts[1]), prefix >= 0 else { return nil }
        // Written as IPv4 in IPv6, its prefix counts from the front of all 128 bits.
        if whole == 32, parts[0].contains(":") { prefix -= 96 }
        return (0...whole).contains(prefix) ? Network(address: address.bytes, prefix: prefix) : nil
    }

    func contains(_ address: IPAddress) -> Bool { networks.contains { $0.contains(address) } }
}
