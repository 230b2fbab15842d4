/// A browser or app that signs in without a second factor for some time, without its token: only the hash of that is stored.
package struct TrustedDevice: Sendable, Hashable {
    package var id: ID<TrustedDevice>
    package var userID: ID<User>
    /// As its user calls it.
    package var name: String
    package var createdAt: WallTime
    package var lastUsedAt: WallTime
    package var expiresAt: WallTime

    package init(id: ID<TrustedDevice>, userID: ID<User>, name: String, createdAt: WallTime, lastUsedAt: WallTime, expiresAt: WallTime) {
        self.id = id
        self.userID = userID
        self.name = name
        self.createdAt = createdAt
        self.lastUsedAt = lastUsedAt
        self.expiresAt = expiresAt
    }

    /// The device as the API answers it.
    package var json: JSONValue {
        [
            "id": .integer(id.rawValue), "name": .string(name), "last_used": .string(lastUsedAt.iso8601),
            "created_at": .string(createdAt.iso8601),
        ]
    }
}
