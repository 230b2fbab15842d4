import FoundationEssentials
import GRDB
import NVRBase
package import NVRModel

/// Sessions: a token is good only while its session is here.
package struct SessionStore: Sendable {
    let rows: Rows

    /// Stores a session of a user who showed the password of `passwordHash`. False, and nothing is stored, when the user has another
    /// password by now, is inactive or gone: whoever was signing in meanwhile must not stay.
    package func insert(_ session: Session, passwordHash: String) async throws -> Bool {
        try await rows.write("storing a session") { db in
            try db.run(
                """
                INSERT INTO sessions (id, user_id, created_us, expires_us)
                    SELECT ?, id, ?, ? FROM users WHERE id = ? AND is_active AND password_hash = ?
                """,
                [
                    session.id, session.createdAt.microseconds, session.expiresAt.microseconds, session.userID.rawValue, passwordHash,
                ])
            return db.changesCount > 0
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

    /// Stores a new key; its `id` is given here. Throws `conflict` when the user has too many.
    package func insert(_ token: APIToken, hash: [UInt8]) async throws -> APIToken {
        try await rows.write("storing an API key") { db in
            let count = try db.row("SELECT count(*) AS count FROM api_tokens WHERE user_id = ?", [token.userID.rawValue]) { $0["count"] as Int }
            guard count ?? 0 < Self.maxPerUser else { throw NVRError(.conflict, "A user may have at most \(Self.maxPerUser) API keys") }
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

    /// The same by id, for what was opened with a key and asks again.
    package func active(_ id: ID<APIToken>, at time: WallTime) async throws -> (token: APIToken, user: User)? {
        try await rows.read("reading an API key") { db in
            let token = try db.row(
                "SELECT * FROM api_tokens WHERE id = ? AND is_active AND (expires_us IS NULL OR expires_us > ?)",
                [id.rawValue, time.microseconds], Self.token)
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

    /// Notes that a key was used, unless that was noted within `interval` microseconds before.
    package func touch(_ id: ID<APIToken>, at time: WallTime, interval: Int64) async throws {
        try await rows.write("noting the use of an API key") {
            try $0.run(
                "UPDATE api_tokens SET last_used_us = ? WHERE id = ? AND (last_used_us IS NULL OR last_used_us <= ?)",
                [time.microseconds, id.rawValue, time.advanced(byMicroseconds: -interval).microseconds])
        }
    }

    static func token(_ row: Row) throws -> APIToken {
        APIToken(
            id: ID(row["id"]), userID: ID(row["user_id"]), name: row["name"], createdAt: WallTime(microseconds: row["created_us"]),
            expiresAt: (row["expires_us"] as Int64?).map(WallTime.init(microseconds:)),
            lastUsedAt: (row["last_used_us"] as Int64?).map(WallTime.init(microseconds:)), isActive: row["is_active"])
    }
}
