import GRDB
package import NVRModel

/// Remembers which keys footage was encrypted with, by name: a key that is missing is noticed at the start and not when somebody needs the
/// footage.
package struct FootageKeyStore: Sendable {
    /// Footage that is encrypted with one key, or lies in the clear.
    package struct Amount: Sendable, Hashable {
        /// Name of the key; nil: in the clear.
        package var key: String?
        /// Listed segments.
        package var count: Int
        /// Of their files.
        package var bytes: Int64

        package init(key: String?, count: Int, bytes: Int64) {
            self.key = key
            self.count = count
            self.bytes = bytes
        }
    }

    let rows: Rows

    /// From `time` on new footage is encrypted with a key; nil: it lies in the clear.
    package func note(writing key: String?, at time: WallTime) async throws {
        try await rows.write("noting the key of footage") { db in
            let current = try db.row("SELECT key FROM footage_keys WHERE until_us IS NULL", []) { $0["key"] as String }
            guard current != key else { return }
            try db.run("UPDATE footage_keys SET until_us = max(since_us, ?) WHERE until_us IS NULL", [time.microseconds])
            if let key { try db.run("INSERT INTO footage_keys (key, since_us) VALUES (?, ?)", [key, time.microseconds]) }
        }
    }

    /// Since when new footage is encrypted with the key that it is encrypted with now; nil while it lies in the clear.
    package func writingSince() async throws -> WallTime? {
        try await rows.read("reading the keys of footage") { db in
            try db.row("SELECT since_us FROM footage_keys WHERE until_us IS NULL", []) { WallTime(microseconds: $0["since_us"]) }
        }
    }

    static let amountsSQL = """
        SELECT (SELECT key FROM footage_key_names AS n WHERE n.id = t.sealed_by) AS key, count, bytes FROM sealed_totals AS t
        WHERE count > 0 ORDER BY sealed_by
        """

    /// Keys that footage which is still listed is encrypted with, those that were used first in front.
    package func inUse() async throws -> [String] {
        try await rows.read("reading the keys of footage") { db in try db.rows(Self.amountsSQL, []) { $0["key"] as String } }
    }

    /// How much listed footage each key has, and how much lies in the clear, which comes last.
    package func amounts() async throws -> [Amount] {
        try await rows.read("counting encrypted footage") { db in
            let sealed = try db.rows(Self.amountsSQL, []) { Amount(key: $0["key"], count: $0["count"], bytes: $0["bytes"]) }
            let all = try db.row("SELECT ifnull(sum(count), 0) AS count, ifnull(sum(bytes), 0) AS bytes FROM segment_totals", []) {
                (count: $0["count"] as Int, bytes: $0["bytes"] as Int64)
            }
            let clear = (all?.count ?? 0) - sealed.reduce(0) { $0 + $1.count }
            return sealed + [Amount(key: nil, count: max(0, clear), bytes: max(0, (all?.bytes ?? 0) - sealed.reduce(0) { $0 + $1.bytes }))]
        }
    }

    /// The number that a key has in rows; it gets one.
    static func number(_ db: Database, of key: String) throws -> Int64 {
        let known = try db.row("SELECT id FROM footage_key_names WHERE key = ?", [key]) { $0["id"] as Int64 }
        if let known { return known }
        try db.run("INSERT INTO footage_key_names (key) VALUES (?)", [key])
        return db.lastInsertedRowID
    }
}
