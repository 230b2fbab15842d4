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
        // SQLite is given C strings: behind a zero byte anything could follow the name of somebody else.
        guard !username.utf8.contains(0) else { return nil }
        return try await rows.read("reading a user") { db in
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
                throw NVRError(.conflict, User.nameTaken)
            }
            let id = try Self.insert(db, user, passwordHash: passwordHash)
            return try Self.fetch(db, id) ?? user
        }
    }

    /// In the transaction of the caller.
    static func insert(_ db: Database, _ user: User, passwordHash: String) throws -> ID<User> {
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
        try writeGrants(db, stored)
        return stored.id
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
                throw NVRError(.conflict, User.nameTaken)
            }
            try Self.write(db, old: old, new: user)
            if let passwordHash { try Self.setPasswordHash(db, id, passwordHash) }
            try Self.demandAdministrator(db)
            return try Self.fetch(db, id) ?? user
        }
    }

    /// In the transaction of the caller, who sees to it that an administrator is left.
    static func write(_ db: Database, old: User, new user: User) throws {
        try db.run(
            """
            UPDATE users SET username = ?, email = ?, role = ?, is_active = ?, restrict_camera_access = ?, language = ?,
                avatar_path = ? WHERE id = ?
            """,
            [
                user.username, user.email, user.role.rawValue, user.isActive, user.restrictCameraAccess, user.language,
                user.avatarPath, old.id.rawValue,
            ])
        if old.cameraGrants != user.cameraGrants || old.groupGrants != user.groupGrants { try writeGrants(db, user) }
        if old.role != user.role || (old.isActive && !user.isActive) { try endSessions(db, old.id) }
    }

    /// Sets a password; sessions end and devices are trusted no longer, in the same transaction. Throws `notFound`.
    package func setPasswordHash(_ id: ID<User>, _ hash: String) async throws {
        try await rows.write("changing a password") { try Self.setPasswordHash($0, id, hash) }
    }

    /// The same in the place of a certain hash; false, and nothing is changed, when it is another one by now.
    package func replacePasswordHash(_ id: ID<User>, _ old: String, by hash: String) async throws -> Bool {
        try await rows.write("changing a password") { db in
            if try db.row("SELECT 1 FROM users WHERE id = ? AND password_hash = ?", [id.rawValue, old], { _ in true }) == nil { return false }
            try Self.setPasswordHash(db, id, hash)
            return true
        }
    }

    private static func setPasswordHash(_ db: Database, _ id: ID<User>, _ hash: String) throws {
        try db.run("UPDATE users SET password_hash = ? WHERE id = ?", [hash, id.rawValue])
        guard db.changesCount > 0 else { throw NVRError(.notFound, "User not found") }
        try endSessions(db, id)
        try db.run("DELETE FROM trusted_devices WHERE user_id = ?", [id.rawValue])
    }

    /// Replaces a hash by one of the same password with stronger parameters; false when it was changed meanwhile. Sessions go on.
    package func upgradePasswordHash(_ id: ID<User>, from old: String, to new: String) async throws -> Bool {
        try await rows.write("strengthening a password hash") { db in
            try db.run("UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?", [new, id.rawValue, old])
            return db.changesCount > 0
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

    static func demandAdministrator(_ db: Database) throws {
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
