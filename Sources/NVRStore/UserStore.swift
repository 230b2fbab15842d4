import GRDB
import NVRBase
package import NVRModel

/// A user with the hash of the password, for signing in.
package struct Credentials: Sendable {
    package var user: User
    /// PHC string of Argon2id.
    package var passwordHash: String
}

/// Users and their rights. Rules that must hold for all writers live here: one name once, always one active administrator, and no
/// session that outlives its user's role or password.
package struct UserStore: Sendable {
    let rows: Rows

    package func all() async throws -> [User] {
        try await rows.read("reading the users") { db in
            try db.rows(Self.select + " ORDER BY id", [], Self.user).map { try Self.withGrants(db, $0) }
        }
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
            try db.row(Self.select + " WHERE username = ?", [username]) {
                Credentials(user: try Self.withGrants(db, Self.user($0)), passwordHash: $0["password_hash"])
            }
        }
    }

    package func credentials(_ id: ID<User>) async throws -> Credentials? {
        try await rows.read("reading a user") { db in
            try db.row(Self.select + " WHERE id = ?", [id.rawValue]) {
                Credentials(user: try Self.withGrants(db, Self.user($0)), passwordHash: $0["password_hash"])
            }
        }
    }

    /// Stores a new user with grants. Throws `conflict` when the name is taken, `invalid` for a grant to what does not exist; with
    /// `onlyWhenEmpty`, `forbidden` when any user exists, judged in the same transaction.
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
            try Self.writeGrants(db, stored)
            return try Self.fetch(db, stored.id) ?? stored
        }
    }

    /// Changes a user and the grants in one transaction; a new role, like deactivation and a new password, ends all sessions. Throws
    /// `notFound`, `conflict` for a taken name or the last administrator, and `invalid` for a grant to what does not exist.
    package func update(
        _ id: ID<User>, passwordHash: String? = nil, _ body: @escaping @Sendable (inout User) throws -> Void
    ) async throws -> User {
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
            if old.cameraGrants != user.cameraGrants || old.groupGrants != user.groupGrants { try Self.writeGrants(db, user) }
            if let passwordHash { try Self.setPasswordHash(db, id, passwordHash) }
            if old.role != user.role || (old.isActive && !user.isActive) { try Self.endSessions(db, id) }
            try Self.demandAdministrator(db)
            return try Self.fetch(db, id) ?? user
        }
    }

    /// Sets a password; sessions end and devices are trusted no longer, in the same transaction. Throws `notFound`.
    package func setPasswordHash(_ id: ID<User>, _ hash: String) async throws {
        try await rows.write("changing a password") { try Self.setPasswordHash($0, id, hash) }
    }

    private static func setPasswordHash(_ db: Database, _ id: ID<User>, _ hash: String) throws {
        try db.run("UPDATE users SET password_hash = ? WHERE id = ?", [hash, id.rawValue])
        guard db.changesCount > 0 else { throw NVRError(.notFound, "User not found") }
        try endSessions(db, id)
        try db.run("DELETE FROM trusted_devices WHERE user_id = ?", [id.rawValue])
    }

    /// Replaces a hash by one of the same password with stronger parameters, unless it was changed meanwhile. Sessions go on.
    package func upgradePasswordHash(_ id: ID<User>, from old: String, to new: String) async throws {
        try await rows.write("strengthening a password hash") { db in
            try db.run("UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?", [new, id.rawValue, old])
        }
    }

    /// Deletes a user with sessions, API keys and grants; false when there was none. Throws `conflict` for the last administrator.
    package func delete(_ id: ID<User>) async throws -> Bool {
        try await rows.write("deleting a user") { db in
            try db.run("DELETE FROM users WHERE id = ?", [id.rawValue])
            guard db.changesCount > 0 else { return false }
            try Self.demandAdministrator(db)
            return true
        }
    }

    private static func endSessions(_ db: Database, _ id: ID<User>) throws {
        try db.run("DELETE FROM sessions WHERE user_id = ?", [id.rawValue])
    }

    private static func demandAdministrator(_ db: Database) throws {
        if try db.row("SELECT 1 FROM users WHERE role = 'admin' AND is_active LIMIT 1", [], { _ in true }) == nil {
            throw NVRError(.conflict, "The last administrator cannot be removed, demoted or deactivated")
        }
    }

    private static func count(_ db: Database) throws -> Int { try db.row("SELECT count(*) AS count FROM users") { $0["count"] } ?? 0 }
}

// MARK: - Rows

extension UserStore {
    private static let select = """
        SELECT *, EXISTS (SELECT 1 FROM second_factors WHERE user_id = users.id AND is_enabled) AS is_2fa_enabled FROM users
        """

    static func fetch(_ db: Database, _ id: ID<User>) throws -> User? {
        try db.row(select + " WHERE id = ?", [id.rawValue], user).map { try withGrants(db, $0) }
    }

    private static func user(_ row: Row) throws -> User {
        guard let role = User.Role(rawValue: row["role"]) else { throw NVRError(.dataLoss, "a user has an unknown role") }
        var user = User(
            id: ID(row["id"]), username: row["username"], email: row["email"], role: role,
            createdAt: WallTime(microseconds: row["created_us"]))
        user.isActive = row["is_active"]
        user.restrictCameraAccess = row["restrict_camera_access"]
        user.language = row["language"]
        user.avatarPath = row["avatar_path"]
        user.isTwoFactorEnabled = row["is_2fa_enabled"]
        return user
    }

    private static func grant<Subject>(_ row: Row) -> Grant<Subject> {
        Grant(
            id: ID(row["id"]), name: row["name"], canView: row["can_view"], canReplay: row["can_replay"], canControl: row["can_control"])
    }

    private static func withGrants(_ db: Database, _ user: User) throws -> User {
        var user = user
        user.cameraGrants = try db.rows(
            """
            SELECT camera_id AS id, cameras.name AS name, can_view, can_replay, can_control
            FROM user_cameras JOIN cameras ON cameras.id = camera_id WHERE user_id = ? ORDER BY camera_id
            """, [user.id.rawValue], grant)
        user.groupGrants = try db.rows(
            """
            SELECT group_id AS id, groups.name AS name, can_view, can_replay, can_control
            FROM user_groups JOIN groups ON groups.id = group_id WHERE user_id = ? ORDER BY group_id
            """, [user.id.rawValue], grant)
        user.cameraRights = CameraRights()
        let through =
            try db.rows(
                """
                SELECT group_cameras.camera_id AS id, '' AS name, can_view, can_replay, can_control
                FROM user_groups JOIN group_cameras USING (group_id) WHERE user_id = ?
                """, [user.id.rawValue], grant) as [Grant<Camera>]
        for grant in user.cameraGrants + through {
            if grant.canView { user.cameraRights.view.insert(grant.id) }
            if grant.canReplay { user.cameraRights.replay.insert(grant.id) }
            if grant.canControl { user.cameraRights.control.insert(grant.id) }
        }
        return user
    }

    /// Makes the rows of grants equal to the user's. Of two grants to one subject the later counts.
    private static func writeGrants(_ db: Database, _ user: User) throws {
        for table in ["user_cameras", "user_groups"] { try db.run("DELETE FROM \(table) WHERE user_id = ?", [user.id.rawValue]) }
        for grant in user.cameraGrants { try write(db, grant, of: user.id, "user_cameras", "cameras", "Camera") }
        for grant in user.groupGrants { try write(db, grant, of: user.id, "user_groups", "groups", "Group") }
    }

    private static func write<Subject>(
        _ db: Database, _ grant: Grant<Subject>, of user: ID<User>, _ table: String, _ subjects: String, _ word: String
    ) throws {
        if try db.row("SELECT 1 FROM \(subjects) WHERE id = ?", [grant.id.rawValue], { _ in true }) == nil {
            throw NVRError(.invalid, "\(word) \(grant.id) does not exist")
        }
        try db.run(
            "INSERT OR REPLACE INTO \(table) VALUES (?, ?, ?, ?, ?)",
            [user.rawValue, grant.id.rawValue, grant.canView, grant.canReplay, grant.canControl])
    }
}
