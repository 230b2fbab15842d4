import NVRBase
package import NVRModel
import NVRStore

/// API keys: 256 random bits as 43 URL-safe characters, shown once and stored as their SHA-256. So many bits need no slow hash.
package struct APIKeys: Sendable {
    let store: Store
    let clock: any NVRClock

    /// Longest life that can be asked for, days.
    package static let maxDays = 3650

    /// Makes a key. `days` nil = it never expires. Throws `invalid` for a bad name or number, `exhausted` for too many keys.
    package func make(for user: ID<User>, name: String, expiresInDays days: Int?) async throws -> (token: APIToken, plain: String) {
        guard !name.isEmpty, name.count <= 100, name.utf8.count <= 400 else {
            throw NVRError(.invalid, "The name of an API key must have 1 to 100 characters")
        }
        if let days, !(1...Self.maxDays).contains(days) {
            throw NVRError(.invalid, "An API key can live for 1 to \(Self.maxDays) days")
        }
        let now = WallTime(microseconds: clock.wall())
        let plain = randomText(bytes: 32)
        let token = APIToken(
            id: ID(0), userID: user, name: name, createdAt: now,
            expiresAt: days.map { now.advanced(byMicroseconds: Int64($0) * 86_400_000_000) })
        return (try await store.tokens.insert(token, hash: IdentityCache.key(plain)), plain)
    }

    package func list(of user: ID<User>) async throws -> [APIToken] { try await store.tokens.list(of: user) }

    /// Deletes a key at once; false when the user has none of this id.
    package func delete(_ id: ID<APIToken>, of user: ID<User>) async throws -> Bool {
        try await store.tokens.delete(id, of: user)
    }
}
