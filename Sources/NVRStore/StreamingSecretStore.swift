import GRDB
package import NVRBase
package import NVRModel

/// The secret with which a user's RTSP clients sign in.
package struct StreamingSecret: Sendable {
    package var secret: Secret
    package var createdAt: WallTime
}

/// Streaming secrets, one a user: sealed rather than hashed, since digest authentication needs the text itself.
package struct StreamingSecretStore: Sendable {
    let rows: Rows

    /// What the secret of a user is sealed for.
    static func context(_ user: Int64) -> String { "user:\(user):streaming_secret" }

    package func get(_ user: ID<User>) async throws -> StreamingSecret? {
        let found = try await rows.read("reading a streaming secret") { db in
            try db.row("SELECT secret, created_us FROM streaming_secrets WHERE user_id = ?", [user.rawValue]) {
                (sealed: $0["secret"] as String, createdAt: WallTime(microseconds: $0["created_us"]))
            }
        }
        guard let found else { return nil }
        let secret = Secret(try rows.secrets.open(found.sealed, for: Self.context(user.rawValue)))
        return StreamingSecret(secret: secret, createdAt: found.createdAt)
    }

    /// Stores a secret in place of the one before. Throws `notFound` when the user is gone.
    package func put(_ user: ID<User>, _ secret: Secret, at time: WallTime) async throws {
        let sealed = try rows.secrets.seal(secret.reveal(), for: Self.context(user.rawValue))
        try await rows.write("storing a streaming secret") { db in
            guard try UserStore.fetch(db, user) != nil else { throw NVRError(.notFound, "User not found") }
            try db.run(
                """
                INSERT INTO streaming_secrets (user_id, secret, created_us) VALUES (?, ?, ?)
                ON CONFLICT DO UPDATE SET secret = excluded.secret, created_us = excluded.created_us
                """, [user.rawValue, sealed, time.microseconds])
        }
    }

    /// False when there was none.
    package func remove(_ user: ID<User>) async throws -> Bool {
        try await rows.write("deleting a streaming secret") { db in
            try db.run("DELETE FROM streaming_secrets WHERE user_id = ?", [user.rawValue])
            return db.changesCount > 0
        }
    }
}
