/// What a user may do with one camera, or with every camera of one group, also those that join it later.
package struct Grant<Subject>: Sendable, Hashable {
    package var id: ID<Subject>
    /// Of the camera or group, for display; filled in when it is read.
    package var name: String
    package var canView: Bool
    package var canReplay: Bool
    package var canControl: Bool

    package init(id: ID<Subject>, name: String = "", canView: Bool = true, canReplay: Bool = true, canControl: Bool = false) {
        self.id = id
        self.name = name
        self.canView = canView
        self.canReplay = canReplay
        self.canControl = canControl
    }

    /// The grant as the API answers it.
    package var json: JSONValue {
        [
            "id": .integer(id.rawValue), "name": .string(name), "can_view": .bool(canView), "can_replay": .bool(canReplay),
            "can_control": .bool(canControl),
        ]
    }
}

/// Rights to single cameras: the sum of all grants of a user, those through groups with them.
package struct CameraRights: Sendable, Hashable {
    /// Live pictures and settings without secrets.
    package var view: Set<ID<Camera>>
    /// Recordings and events.
    package var replay: Set<ID<Camera>>
    package var control: Set<ID<Camera>>

    package init(view: Set<ID<Camera>> = [], replay: Set<ID<Camera>> = [], control: Set<ID<Camera>> = []) {
        self.view = view
        self.replay = replay
        self.control = control
    }
}

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
    /// URL path of the picture.
    package var avatarPath: String?
    package var createdAt: WallTime
    /// True when signing in takes a second factor; changed only by setting it up.
    package var isTwoFactorEnabled = false
    package var cameraGrants: [Grant<Camera>] = []
    package var groupGrants: [Grant<CameraGroup>] = []
    /// What the grants come to; made by the database when a user is read.
    package var cameraRights = CameraRights()

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

    /// What is said of a name that another user has, in the words clients know.
    package static let nameTaken = "Username already registered"

    /// Characters of a `language` at most.
    package static let longestLanguage = 16

    /// Why an e-mail address is refused; nil when it looks like one.
    package static func refusal(ofEmail email: String) -> String? {
        let parts = email.split(separator: "@", omittingEmptySubsequences: false)
        let isFine =
            email.utf8.count <= 320 && parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
            && email.unicodeScalars.allSatisfy { !$0.properties.isWhitespace && !isControl($0) }
        return isFine ? nil : "Email address is not valid"
    }

    /// The user as the API answers it; never a hash.
    package var json: JSONValue {
        [
            "username": .string(username), "email": JSONValue(email), "role": .string(role.rawValue), "is_2fa_enabled": .bool(isTwoFactorEnabled),
            "restrict_camera_access": .bool(restrictCameraAccess), "language": .string(language), "auth_source": "local",
            "oauth_subject_id": nil, "oauth_enabled": true, "id": .integer(id.rawValue), "is_active": .bool(isActive),
            "avatar_path": JSONValue(avatarPath), "created_at": .string(createdAt.iso8601), "camera_accesses": .array(cameraGrants.map(\.json)),
            "group_accesses": .array(groupGrants.map(\.json)),
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
