/// Slows down guessing: so many attempts a minute per address and account, and more per address over all accounts. Who signed in
/// from an address before is not kept out by others who guess there. Pure: time is passed in, monotonic microseconds. Bounded:
/// under a flood of addresses the oldest are forgotten.
package struct LoginThrottle: Sendable {
    /// How many attempts pass.
    package struct Limits: Sendable {
        /// A minute, per address and account.
        package var perAccount: Int
        /// A minute, per address over all accounts that never succeeded there.
        package var perAddress: Int
        /// An hour, per account over all addresses; nil = no bound.
        package var everywhere: Int?

        package static let signIn = Limits(perAccount: 10, perAddress: 30)
        /// A million codes, three of them good: somebody with the password and many addresses may not try a share that counts.
        package static let secondFactor = Limits(perAccount: 5, perAddress: 30, everywhere: 30)
        package static let setUp = Limits(perAccount: 5, perAddress: 5)
    }

    package static let window: Int64 = 60_000_000
    static let longWindow: Int64 = 3_600_000_000
    static let capacity = 4096

    private struct Key: Hashable {
        /// Nil counts all addresses.
        var address: String?
        /// Bytes of the name; nil counts all accounts of the address.
        var account: [UInt8]?

        var window: Int64 { address == nil ? LoginThrottle.longWindow : LoginThrottle.window }
    }

    package let limits: Limits
    private var attempts: [Key: [Int64]] = [:]
    /// Pairs of address and account that succeeded, and when.
    private var known: [Key: Int64] = [:]

    package init(_ limits: Limits = .signIn) { self.limits = limits }

    /// Keys that are remembered.
    package var remembered: Int { attempts.count + known.count }

    /// Counts an attempt. Nil = go on; else seconds after which the next may come, for `Retry-After`.
    package mutating func attempt(address: String, account: String, at time: Int64) -> Int? {
        let pair = Self.pair(address, account)
        var rules = [(pair, limits.perAccount)]
        if known[pair] == nil { rules.append((Key(address: pair.address), limits.perAddress)) }
        if let most = limits.everywhere { rules.append((Key(account: pair.account), most)) }
        var wait: Int64 = 0
        for (key, most) in rules {
            let recent = (attempts[key] ?? []).filter { time - $0 < key.window }
            attempts[key] = recent.isEmpty ? nil : recent
            if recent.count >= most, let oldest = recent.first { wait = max(wait, oldest + key.window - time) }
        }
        if wait > 0 { return Int((wait + 999_999) / 1_000_000) }
        if attempts.count > Self.capacity { forget(at: time) }
        for (key, _) in rules { attempts[key, default: []].append(time) }
        return nil
    }

    /// The attempt was right: its account starts anew, and is known at its address.
    package mutating func succeeded(address: String, account: String, at time: Int64) {
        let pair = Self.pair(address, account)
        attempts[pair] = nil
        attempts[Key(account: pair.account)] = nil
        // It was no guess.
        if known[pair] == nil { _ = attempts[Key(address: pair.address)]?.popLast() }
        known[pair] = time
        if known.count > Self.capacity { known = Self.newest(known) { $0 } }
    }

    private mutating func forget(at time: Int64) {
        attempts = attempts.filter { key, times in time - (times.last ?? 0) < key.window }
        if attempts.count > Self.capacity { attempts = Self.newest(attempts) { $0.last ?? 0 } }
    }

    private static func newest<Value>(_ all: [Key: Value], by time: (Value) -> Int64) -> [Key: Value] {
        let kept = all.sorted { time($0.value) > time($1.value) }.prefix(capacity / 2)
        return Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    }

    /// Names count as one where the database takes them for one: the letters of ASCII in any case, and nothing else. Longer ones than
    /// any user has are nobody's.
    private static func pair(_ address: String, _ account: String) -> Key {
        let name = account.utf8.prefix(longestName).map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        return Key(address: AddressNetwork.name(of: address), account: name)
    }

    /// Bytes.
    private static let longestName = 257
}
