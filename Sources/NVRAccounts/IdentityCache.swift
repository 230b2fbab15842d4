import Crypto
import NVRModel
import Synchronization

/// Identities of the last tokens seen, so that a request does not read the disk. What this process changes about anybody's rights
/// counts at once, since entries of an older generation of the store are no answer; what another process changes (`vibenvr user`),
/// within `lifetime`.
final class IdentityCache: Sendable {
    struct Entry: Sendable {
        var identity: Identity
        /// Wall time at which the token ends.
        var expiresAt: WallTime?
        /// Monotonic microseconds.
        var storedAt: Int64
        /// Of the store, read before the identity was.
        var generation: Int
    }

    /// Monotonic microseconds.
    static let lifetime: Int64 = 10_000_000
    private static let capacity = 512
    private let entries = Mutex<[[UInt8]: Entry]>([:])

    static func key(_ token: String) -> [UInt8] { Array(SHA256.hash(data: Array(token.utf8))) }

    func find(_ key: [UInt8], monotonic: Int64, wall: WallTime, generation: Int) -> Identity? {
        entries.withLock { entries in
            guard let entry = entries[key], entry.generation == generation, monotonic - entry.storedAt < Self.lifetime,
                entry.expiresAt.map({ $0 > wall }) ?? true
            else { return nil }
            return entry.identity
        }
    }

    func keep(_ key: [UInt8], _ entry: Entry) {
        entries.withLock { entries in
            if entries.count >= Self.capacity {
                entries = entries.filter { entry.storedAt - $0.value.storedAt < Self.lifetime && $0.value.generation == entry.generation }
                if entries.count >= Self.capacity { entries.removeAll() }
            }
            entries[key] = entry
        }
    }
}
