import Crypto
import NVRModel
import Synchronization

/// Identities of the last tokens seen, so that a request does not read the disk. What is revoked in this process is forgotten at
/// once; what another process revokes (`vibenvr user`), within `lifetime`.
final class IdentityCache: Sendable {
    struct Entry: Sendable {
        var identity: Identity
        /// Wall time at which the token ends.
        var expiresAt: WallTime?
        /// Monotonic microseconds.
        var storedAt: Int64
    }

    private struct State {
        var entries: [[UInt8]: Entry] = [:]
        /// Grows with every revocation, so that an answer read before one is not kept after it.
        var generation = 0
    }

    /// Monotonic microseconds.
    static let lifetime: Int64 = 10_000_000
    private static let capacity = 512
    private let state = Mutex(State())

    static func key(_ token: String) -> [UInt8] { Array(SHA256.hash(data: Array(token.utf8))) }

    func find(_ key: [UInt8], monotonic: Int64, wall: WallTime) -> (identity: Identity?, generation: Int) {
        state.withLock { state in
            guard let entry = state.entries[key], monotonic - entry.storedAt < Self.lifetime, entry.expiresAt.map({ $0 > wall }) ?? true else {
                return (nil, state.generation)
            }
            return (entry.identity, state.generation)
        }
    }

    func keep(_ key: [UInt8], _ entry: Entry, generation: Int) {
        state.withLock { state in
            guard state.generation == generation else { return }
            if state.entries.count >= Self.capacity {
                state.entries = state.entries.filter { entry.storedAt - $0.value.storedAt < Self.lifetime }
                if state.entries.count >= Self.capacity { state.entries.removeAll() }
            }
            state.entries[key] = entry
        }
    }

    func forget(session: String) { forget { $0.sessionID == session } }
    func forget(user: ID<User>) { forget { $0.user.id == user } }
    func forget(token: ID<APIToken>) { forget { $0.tokenID == token } }

    private func forget(_ matches: (Identity) -> Bool) {
        state.withLock { state in
            state.generation += 1
            state.entries = state.entries.filter { !matches($0.value.identity) }
        }
    }
}
