/// Slows down guessing: ten sign-ins a minute per address and account, and three times as many per address over all accounts.
/// Pure: time is passed in, monotonic microseconds. Bounded: under a flood of addresses the oldest are forgotten.
package struct LoginThrottle: Sendable {
    package static let window: Int64 = 60_000_000
    package static let perAccount = 10
    package static let perAddress = 30
    static let capacity = 4096

    private struct Key: Hashable {
        var address: String
        /// Nil counts all accounts of the address.
        var account: String?
    }

    private var attempts: [Key: [Int64]] = [:]

    package init() {}

    /// Pairs of address and account that are remembered.
    package var remembered: Int { attempts.count }

    /// Counts an attempt. Nil = go on; else seconds after which the next may come, for `Retry-After`.
    package mutating func attempt(address: String, account: String, at time: Int64) -> Int? {
        let address = Self.network(of: address)
        let keys = [
            (Key(address: address, account: String(account.lowercased().prefix(64))), Self.perAccount), (Key(address: address), Self.perAddress),
        ]
        var wait: Int64 = 0
        for (key, most) in keys {
            let recent = (attempts[key] ?? []).filter { time - $0 < Self.window }
            attempts[key] = recent.isEmpty ? nil : recent
            if recent.count >= most, let oldest = recent.first { wait = max(wait, oldest + Self.window - time) }
        }
        if wait > 0 { return Int((wait + 999_999) / 1_000_000) }
        if attempts.count > Self.capacity { forget(at: time) }
        for (key, _) in keys { attempts[key, default: []].append(time) }
        return nil
    }

    /// The sign-in was right: its account starts anew.
    package mutating func succeeded(address: String, account: String) {
        attempts[Key(address: Self.network(of: address), account: String(account.lowercased().prefix(64)))] = nil
    }

    private mutating func forget(at time: Int64) {
        attempts = attempts.filter { time - ($0.value.last ?? 0) < Self.window }
        guard attempts.count > Self.capacity else { return }
        let kept = attempts.sorted { ($0.value.last ?? 0) > ($1.value.last ?? 0) }.prefix(Self.capacity / 2)
        attempts = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    }

    /// A home has a whole /64 of IPv6 addresses: it counts as one.
    private static func network(of address: String) -> String {
        guard address.contains(":"), !address.contains(".") else { return String(address.prefix(64)) }
        var groups: [Substring] = []
        for group in address.split(separator: ":", omittingEmptySubsequences: false).prefix(4) {
            if group.isEmpty { break }
            groups.append(group)
        }
        return groups.joined(separator: ":") + "::/64"
    }
}
