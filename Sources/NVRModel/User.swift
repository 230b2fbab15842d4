/// A person who may sign in.
package struct User: Sendable, Hashable {
    package enum Role: String, Sendable, Hashable, Codable, CaseIterable {
        case admin
        case viewer
    }

    package var id: ID<User>
    package var username: String
    package var email: String?
    package var role: Role
    package var isActive = true
    /// True when the user sees only cameras that were given to him.
    package var restrictCameraAccess = false
    package var language = "en"
    /// Path of the picture below the data directory.
    package var avatarPath: String?
    package var createdAt: WallTime

    package init(id: ID<User>, username: String, email: String? = nil, role: Role, createdAt: WallTime) {
        self.id = id
        self.username = username
        self.email = email
        self.role = role
        self.createdAt = createdAt
    }

    /// Why a user name is refused; nil when it is fine: 1…64 characters without spaces at the ends and without control characters.
    package static func refusal(ofName name: String) -> String? {
        if name.isEmpty || name.utf8.count > 256 || name.count > 64 { return "Username must have 1 to 64 characters" }
        if name != trimmed(name) || name.unicodeScalars.contains(where: isControl) {
            return "Username must not contain control characters or begin or end with a space"
        }
        return nil
    }

    /// The user as the API answers it; never a hash.
    package var json: JSONValue {
        [
            "username": .string(username), "email": JSONValue(email), "role": .string(role.rawValue), "is_2fa_enabled": false,
            "restrict_camera_access": .bool(restrictCameraAccess), "language": .string(language), "auth_source": "local",
            "oauth_subject_id": nil, "oauth_enabled": true, "id": .integer(id.rawValue), "is_active": .bool(isActive),
            "avatar_path": JSONValue(avatarPath), "created_at": .string(createdAt.iso8601), "camera_accesses": [], "group_accesses": [],
        ]
    }
}

/// One sign-in of a user: what a token refers to and what signing out ends.
package struct Session: Sendable, Hashable {
    /// Random, URL-safe.
    package var id: String
    package var userID: ID<User>
    package var createdAt: WallTime
    package var expiresAt: WallTime

    package init(id: String, userID: ID<User>, createdAt: WallTime, expiresAt: WallTime) {
        self.id = id
        self.userID = userID
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }
}

/// An API key, without the key: only its hash is stored.
package struct APIToken: Sendable, Hashable {
    package var id: ID<APIToken>
    package var userID: ID<User>
    package var name: String
    package var createdAt: WallTime
    /// Nil = never.
    package var expiresAt: WallTime?
    package var lastUsedAt: WallTime?
    package var isActive: Bool

    package init(
        id: ID<APIToken>, userID: ID<User>, name: String, createdAt: WallTime, expiresAt: WallTime? = nil, lastUsedAt: WallTime? = nil,
        isActive: Bool = true
    ) {
        self.id = id
        self.userID = userID
        self.name = name
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.lastUsedAt = lastUsedAt
        self.isActive = isActive
    }

    /// The key as the API answers it; `plain` is the text that is shown once, when it is made.
    package func json(plain: String? = nil) -> JSONValue {
        [
            "id": .integer(id.rawValue), "name": .string(name), "token": JSONValue(plain), "created_at": .string(createdAt.iso8601),
            "expires_at": JSONValue(expiresAt?.iso8601), "last_used_at": JSONValue(lastUsedAt?.iso8601), "is_active": .bool(isActive),
        ]
    }
}
