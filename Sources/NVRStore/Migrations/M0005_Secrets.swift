import GRDB
import NVRModel

/// Secrets are sealed, and the database knows its key. Frozen.
enum M0005_Secrets {
    static func run(_ db: Database, _ secrets: SecretBox) throws {
        try db.execute(sql: installation)
        let cameras = try Row.fetchAll(db, sql: "SELECT id, settings FROM cameras")
        for row in cameras {
            let id: Int64 = row["id"]
            let settings = try Camera.sealed(settingsText: row["settings"]) { try secrets.seal($1, for: CameraStore.context(ID(id), $0)) }
            try db.execute(sql: "UPDATE cameras SET settings = ? WHERE id = ?", arguments: [settings, id])
        }
        let settings = try Row.fetchAll(db, sql: "SELECT key, value FROM settings")
        for row in settings where Settings.named(row["key"])?.isSecret == true {
            let key: String = row["key"]
            try db.execute(
                sql: "UPDATE settings SET value = ? WHERE key = ?",
                arguments: [try secrets.seal(row["value"], for: SettingsStore.context(key)), key])
        }
        // A new database has nothing to be scrubbed of.
        try db.execute(
            sql: "INSERT INTO installation VALUES (1, ?, lower(hex(randomblob(16))), ?)",
            arguments: [try secrets.check(), cameras.isEmpty && settings.isEmpty])
    }

    /// The one row about the database itself: a text that only its key opens, a random name that tells it from others, and whether
    /// plain secrets of former rows are out of the file.
    private static let installation = """
        CREATE TABLE installation (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            key_check TEXT NOT NULL,
            instance TEXT NOT NULL,
            is_scrubbed INTEGER NOT NULL
        ) STRICT;
        """
}
