import GRDB

/// Short notes of long work, so that it goes on after a restart: one text by name.
package struct UpkeepStore: Sendable {
    let rows: Rows

    /// A note's name; raw values are stored.
    package enum Note: String, Sendable {
        /// Footage has to be listed again from its files: why.
        case reindexing = "reindexing"
        /// The last segment that the slow check of all footage has looked at.
        case checkedUpTo = "checked_up_to"
        /// When that check went round last, microseconds UTC.
        case checkedAt = "checked_at"
    }

    package func get(_ note: Note) async throws -> String? {
        try await rows.read("reading notes of upkeep") { db in
            try db.row("SELECT value FROM upkeep WHERE name = ?", [note.rawValue]) { $0["value"] as String }
        }
    }

    /// Nil takes the note away.
    package func set(_ note: Note, _ value: String?) async throws {
        try await rows.write("noting upkeep") { db in
            if let value {
                try db.run("INSERT INTO upkeep VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", [note.rawValue, value])
            } else {
                try db.run("DELETE FROM upkeep WHERE name = ?", [note.rawValue])
            }
        }
    }
}
