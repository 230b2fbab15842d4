import GRDB
package import NVRModel

/// Remembers which keys footage was encrypted with, by name: a key that is missing is noticed at the start and not when somebody needs the
/// footage.
package struct FootageKeyStore: Sendable {
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

    /// Keys that footage which is still listed was encrypted with, by the times of its segments, oldest first.
    package func inUse() async throws -> [String] {
        try await rows.read("reading the keys of footage") { db in
            try db.rows(
                """
                SELECT key, min(id) AS first FROM footage_keys AS k
                WHERE EXISTS (
                    SELECT 1 FROM segments AS s
                    WHERE s.state IN (1, 2) AND s.start_us >= k.since_us AND s.start_us < ifnull(k.until_us, 9223372036854775807))
                GROUP BY key ORDER BY first
                """, []
            ) { $0["key"] as String }
        }
    }
}
