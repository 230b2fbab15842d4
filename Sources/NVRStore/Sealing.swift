import GRDB
import NVRBase
import NVRModel

/// A text column whose values are sealed, or NULL.
struct SealedColumn: Sendable {
    var table: String
    var key: String
    var column: String
    /// What a value was sealed for, by the key of its row.
    var context: @Sendable (Int64) -> String

    /// Every such column: a change of the key goes through them. Cameras and settings are sealed value by value instead.
    static let all = [
        SealedColumn(table: "second_factors", key: "user_id", column: "secret") { SecondFactorStore.context($0) },
        SealedColumn(table: "streaming_secrets", key: "user_id", column: "secret") { StreamingSecretStore.context($0) },
        SealedColumn(table: "s3_profiles", key: "id", column: "secret_key") { S3ProfileStore.context($0) },
    ]
}

/// The key of the database: chosen before anything is read, changed in one transaction.
enum Sealing {
    /// The text that tells the database's key; nil when it has none yet.
    static func check(_ db: Database) throws -> String? {
        guard try db.tableExists("installation") else { return nil }
        return try String.fetchOne(db, sql: "SELECT key_check FROM installation")
    }

    /// Encrypts everything that is sealed anew. Runs in a transaction: the database has the one key or the other.
    static func changeKey(_ db: Database, from old: SecretBox, to new: SecretBox) throws {
        for (id, text) in try db.rows("SELECT id, settings FROM cameras", [], { ($0["id"] as Int64, $0["settings"] as String) }) {
            let changed = try Camera.resealed(settingsText: text) { field, sealed in
                let context = CameraStore.context(ID(id), field)
                return try new.seal(try old.open(sealed, for: context), for: context)
            }
            try db.run("UPDATE cameras SET settings = ? WHERE id = ?", [changed, id])
        }
        for key in Settings.all where key.isSecret {
            let context = SettingsStore.context(key.name)
            guard let sealed = try db.row("SELECT value FROM settings WHERE key = ?", [key.name], { $0["value"] as String }) else { continue }
            try db.run("UPDATE settings SET value = ? WHERE key = ?", [try new.seal(try old.open(sealed, for: context), for: context), key.name])
        }
        for column in SealedColumn.all {
            let values = try Row.fetchAll(
                db, sql: "SELECT \(column.key) AS id, \(column.column) AS value FROM \(column.table) WHERE \(column.column) IS NOT NULL")
            for row in values {
                let context = column.context(row["id"])
                try db.execute(
                    sql: "UPDATE \(column.table) SET \(column.column) = ? WHERE \(column.key) = ?",
                    arguments: [try new.seal(try old.open(row["value"], for: context), for: context), row["id"] as Int64])
            }
        }
        try db.run("UPDATE installation SET key_check = ?, is_scrubbed = 0", [try new.check()])
    }

    /// Removes what earlier rows left in the file and its log, once: plain text from before there was a key, or texts of an old key.
    static func scrub(_ writer: any DatabaseWriter) throws {
        let isDue = try writer.read { try Bool.fetchOne($0, sql: "SELECT NOT is_scrubbed FROM installation") ?? false }
        guard isDue else { return }
        try writer.vacuum()
        try writer.writeWithoutTransaction { db in
            try db.checkpoint(.truncate)
            try db.execute(sql: "UPDATE installation SET is_scrubbed = 1")
        }
    }
}
