import FoundationEssentials
import GRDB
import NVRBase
package import NVRModel

/// A user with the hash of the password, for signing in.
package struct Credentials: Sendable {
    package var user: User
    /// PHC string of Argon2id.
    package var passwordHash: String
}

/// Users. Rules that must hold for all writers live here: one name once, and always one active administrator.
package struct UserStore: Sendable {
    let rows: Rows

    package func all() async throws -> [User] {
        try await rows.read("reading the users") { try $0.rows("SELECT * FROM users ORDER BY id", [], Self.user) }
    }

    package func count() async throws -> Int {
        try await rows.read("counting the users") { try Self.count($0) }
    }

    package func get(_ id: ID<User>) async throws -> User? {
        try await rows.read("reading a user") { try Self.fetch($0, id) }
    }

    /// By name, upper and lower case alike.
    package func credentials(username: String) async throws -> Credentials? {
        try await rows.read("reading a user") { db in
            try db.row("SELECT * FROM users WHERE username = ?", [username]) {
                Credentials(user: try Self.user($0), passwordHash: $0["password_hash"])
            }
        }
    }

    package func credentials(_ id: ID<User>) async throws -> Credentials? {
        try await rows.read("reading a user") { db in
            try db.row("SELECT * FROM users WHERE id = ?", [id.rawValue]) {
                Credentials(user: try Self.user($0), passwordHash: $0["password_hash"])
            }
        }
    }

    /// Stores a new user. Throws `conflict` when the name is taken; with `onlyWhenEmpty`, `forbidden` when any user exists, judged
    /// in the same transaction.
    package func insert(_ user: User, passwordHash: String, onlyWhenEmpty: Bool = false) async throws -> User {
        try await rows.write("storing a user") { db in
            if onlyWhenEmpty, try Self.count(db) > 0 { throw NVRError(.forbidden, "Setup already completed. Users exist.") }
            if try db.row("SELECT 1 FROM users WHERE username = ?", [user.username], { _ in true }) != nil {
                throw NVRError(.conflict, "Username already registered")
            }
            try db.run(
                """
                INSERT INTO users (username, password_hash, email, role, is_active, restrict_camera_access, language, avatar_path,
                    created_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    user.username, passwordHash, user.email, user.role.rawValue, user.isActive, user.restrictCameraAccess, user.language,
                    user.avatarPath, user.createdAt.microseconds,
                ])
            var stored = user
            stored.id = ID(db.lastInsertedRowID)
            return stored
        }
    }

    /// Changes a user in one transaction. Throws `notFound`, and `conflict` for a taken name or the last administrator.
    package func update(_ id: ID<User>, _ body: @escaping @Sendable (inout User) throws -> Void) async throws -> User {
        try await rows.write("changing a user") { db in
            guard let old = try Self.fetch(db, id) else { throw NVRError(.notFound, "User not found") }
            var user = old
            try body(&user)
            user.id = id
            user.createdAt = old.createdAt
            if try db.row("SELECT 1 FROM users WHERE username = ? AND id <> ?", [user.username, id.rawValue], { _ in true }) != nil {
                throw NVRError(.conflict, "Username already registered")
            }
            try db.run(
                """
                UPDATE users SET username = ?, email = ?, role = ?, is_active = ?, restrict_camera_access = ?, language = ?,
                    avatar_path = ? WHERE id = ?
                """,
                [
                    user.username, user.email, user.role.rawValue, user.isActive, user.restrictCameraAccess, user.language,
                    user.avatarPath, id.rawValue,
                ])
            if old.isActive, !user.isActive { try db.run("DELETE FROM sessions WHERE user_id = ?", [id.rawValue]) }
            try Self.demandAdministrator(db)
            return user
        }
    }

    /// Sets a password and ends all sessions of the user in the same transaction. Throws `notFound`.
    package func setPasswordHash(_ id: ID<User>, _ hash: String) async throws {
        try await rows.write("changing a password") { db in
            try db.run("UPDATE users SET password_hash = ? WHERE id = ?", [hash, id.rawValue])
            guard db.changesCount > 0 else { throw NVRError(.notFound, "User not found") }
            try db.run("DELETE FROM sessions WHERE user_id = ?", [id.rawValue])
        }
    }

    /// Replaces a hash by one of the same password with stronger parameters, unless it was changed meanwhile. Sessions go on.
    package func upgradePasswordHash(_ id: ID<User>, from old: String, to new: String) async throws {
        try await rows.write("strengthening a password hash") { db in
            try db.run("UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?", [new, id.rawValue, old])
        }
    }

    /// Deletes a user with sessions and API keys; false when there was none. Throws `conflict` for the last administrator.
    package func delete(_ id: ID<User>) async throws -> Bool {
        try await rows.write("deleting a user") { db in
            try db.run("DELETE FROM users WHERE id = ?", [id.rawValue])
            guard db.changesCount > 0 else { return false }
            try Self.demandAdministrator(db)
            return true
        }
    }

    private static func demandAdministrator(_ db: Database) throws {
        if try db.row("SELECT 1 FROM users WHERE role = 'admin' AND is_active LIMIT 1", [], { _ in true }) == nil {
            throw NVRError(.conflict, "The last administrator cannot be removed, demoted or deactivated")
        }
    }

    private static func count(_ db: Database) throws -> Int { try db.row("SELECT count(*) AS count FROM users") { $0["count"] } ?? 0 }

    static func fetch(_ db: Database, _ id: ID<User>) throws -> User? {
        try db.row("SELECT * FROM users WHERE id = ?", [id.rawValue], user)
    }

    static func user(_ row: Row) throws -> User {
        guard let role = User.Role(rawValue: row["role"]) else { throw NVRError(.dataLoss, "a user has an unknown role") }
        var user = User(
            id: ID(row["id"]), username: row["username"], email: row["email"], role: role,
            createdAt: WallTime(microseconds: row["created_us"]))
        user.isActive = row["is_active"]
        user.restrictCameraAccess = row["restrict_camera_access"]
        user.language = row["language"]
        user.avatarPath = row["avatar_path"]
        return user
    }
}

/// Sessions: a token is good only while its session is here.
package struct SessionStore: Sendable {
    let rows: Rows

    package func insert(_ session: Session) async throws {
        try await rows.write("storing a session") { db in
            try db.run(
                "INSERT INTO sessions (id, user_id, created_us, expires_us) VALUES (?, ?, ?, ?)",
                [session.id, session.userID.rawValue, session.createdAt.microseconds, session.expiresAt.microseconds])
        }
    }

    /// A session with its user, unless it ended, expired at `time`, or the user is inactive.
    package func active(_ id: String, at time: WallTime) async throws -> (session: Session, user: User)? {
        try await rows.read("reading a session") { db in
            let session = try db.row("SELECT * FROM sessions WHERE id = ? AND expires_us > ?", [id, time.microseconds], Self.session)
            guard let session, let user = try UserStore.fetch(db, session.userID), user.isActive else { return nil }
            return (session, user)
        }
    }

    /// Ends a session; one that is gone is passed over.
    package func end(_ id: String) async throws {
        try await rows.write("ending a session") { try $0.run("DELETE FROM sessions WHERE id = ?", [id]) }
    }

    /// Ends all sessions of a user, but for one that is named.
    package func endAll(of user: ID<User>, except id: String? = nil) async throws {
        try await rows.write("ending sessions") {
            try $0.run("DELETE FROM sessions WHERE user_id = ? AND id IS NOT ?", [user.rawValue, id])
        }
    }

    /// Deletes sessions that expired before `time`.
    package func prune(before time: WallTime) async throws {
        try await rows.write("pruning sessions") { try $0.run("DELETE FROM sessions WHERE expires_us <= ?", [time.microseconds]) }
    }

    private static func session(_ row: Row) throws -> Session {
        Session(
            id: row["id"], userID: ID(row["user_id"]), createdAt: WallTime(microseconds: row["created_us"]),
            expiresAt: WallTime(microseconds: row["expires_us"]))
    }
}

/// API keys by the SHA-256 of their text.
package struct TokenStore: Sendable {
    let rows: Rows

    /// Keys a user may have.
    package static let maxPerUser = 100

    /// Stores a new key; its `id` is given here. Throws `exhausted` when the user has too many.
    package func insert(_ token: APIToken, hash: [UInt8]) async throws -> APIToken {
        try await rows.write("storing an API key") { db in
            let count = try db.row("SELECT count(*) AS count FROM api_tokens WHERE user_id = ?", [token.userID.rawValue]) { $0["count"] as Int }
            guard count ?? 0 < Self.maxPerUser else { throw NVRError(.exhausted, "a user may have at most \(Self.maxPerUser) API keys") }
            try db.run(
                "INSERT INTO api_tokens (user_id, name, hash, created_us, expires_us, is_active) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    token.userID.rawValue, token.name, Data(hash), token.createdAt.microseconds, token.expiresAt?.microseconds,
                    token.isActive,
                ])
            var stored = token
            stored.id = ID(db.lastInsertedRowID)
            return stored
        }
    }

    /// The key of a hash with its user, unless it expired at `time` or either is inactive.
    package func active(hash: [UInt8], at time: WallTime) async throws -> (token: APIToken, user: User)? {
        try await rows.read("reading an API key") { db in
            let token = try db.row(
                "SELECT * FROM api_tokens WHERE hash = ? AND is_active AND (expires_us IS NULL OR expires_us > ?)",
                [Data(hash), time.microseconds], Self.token)
            guard let token, let user = try UserStore.fetch(db, token.userID), user.isActive else { return nil }
            return (token, user)
        }
    }

    /// Keys of a user by id.
    package func list(of user: ID<User>) async throws -> [APIToken] {
        try await rows.read("reading API keys") { db in
            try db.rows("SELECT * FROM api_tokens WHERE user_id = ? ORDER BY id", [user.rawValue], Self.token)
        }
    }

    /// Deletes a key of a user; false when he has none of this id.
    package func delete(_ id: ID<APIToken>, of user: ID<User>) async throws -> Bool {
        try await rows.write("deleting an API key") { db in
            try db.run("DELETE FROM api_tokens WHERE id = ? AND user_id = ?", [id.rawValue, user.rawValue])
            return db.changesCount > 0
        }
    }

    /// Notes that a key was used.
    package func touch(_ id: ID<APIToken>, at time: WallTime) async throws {
        try await rows.write("noting the use of an API key") {
            try $0.run("UPDATE api_tokens SET last_used_us = ? WHERE id = ?", [time.microseconds, id.rawValue])
        }
    }

    private static func token(_ row: Row) throws -> APIToken {
        APIToken(
            id: ID(row["id"]), userID: ID(row["user_id"]), name: row["name"], createdAt: WallTime(microseconds: row["created_us"]),
            expiresAt: (row["expires_us"] as Int64?).map(WallTime.init(microseconds:)),
            lastUsedAt: (row["last_used_us"] as Int64?).map(WallTime.init(microseconds:)), isActive: row["is_active"])
    }
}

/// Server-wide settings as text by key; only those that differ from their defaults are here.
package struct SettingsStore: Sendable {
    let rows: Rows

    package func get(_ key: String) async throws -> String? {
        try await rows.read("reading a setting") { try $0.row("SELECT value FROM settings WHERE key = ?", [key]) { $0["value"] as String } }
    }

    package func all() async throws -> [String: String] {
        try await rows.read("reading the settings") { db in
            let pairs = try db.rows("SELECT key, value FROM settings") { ($0["key"] as String, $0["value"] as String) }
            return Dictionary(pairs) { $1 }
        }
    }

    /// Stores values in one transaction; nil removes a key.
    package func set(_ values: [String: String?]) async throws {
        try await rows.write("storing settings") { db in
            for (key, value) in values {
                if let value {
                    try db.run("INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", [key, value])
                } else {
                    try db.run("DELETE FROM settings WHERE key = ?", [key])
                }
            }
        }
        for key in values.keys { rows.changes.send(.setting(key)) }
    }
}
