import GRDB

/// Secrets for RTSP clients. Frozen.
enum M0006_StreamingSecrets {
    static func run(_ db: Database) throws { try db.execute(sql: table + accessChanges) }

    /// `secret` is sealed.
    private static let table = """
        CREATE TABLE streaming_secrets (
            user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
            secret TEXT NOT NULL,
            created_us INTEGER NOT NULL
        ) STRICT;

        """

    /// RTSP clients sign in with these secrets, and with passwords: a change of either ends what was opened with it.
    private static var accessChanges: String {
        [("streaming_secrets", "INSERT"), ("streaming_secrets", "UPDATE"), ("streaming_secrets", "DELETE"), ("users", "UPDATE OF password_hash")]
            .enumerated().map { number, entry in
                """
                CREATE TRIGGER access_change_stream_\(number) AFTER \(entry.1) ON \(entry.0) BEGIN
                    UPDATE access_changes SET count = count + 1 WHERE id = 1;
                END;

                """
            }.joined()
    }
}
