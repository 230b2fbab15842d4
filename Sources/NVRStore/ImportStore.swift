import GRDB
import NVRBase
package import NVRModel

/// What was brought from other installations: asked before anything is brought, so that nothing comes twice.
package struct ImportStore: Sendable {
    let rows: Rows

    /// What a note is about; raw values are stored.
    package enum Kind: String, Sendable, CaseIterable {
        /// By the id there; the target is the camera here.
        case camera
        /// By the path there.
        case file
        /// By the id there; the target is the event here.
        case event
    }

    /// Targets of everything of a kind that was brought, by its key.
    package func targets(_ kind: Kind, of source: String) async throws -> [String: Int64] {
        try await rows.read("reading what was imported") { db in
            let pairs = try db.rows("SELECT key, target FROM imports WHERE source = ? AND kind = ? AND target IS NOT NULL", [source, kind.rawValue]) {
                ($0["key"] as String, $0["target"] as Int64)
            }
            return Dictionary(pairs) { first, _ in first }
        }
    }

    /// Which of some keys were brought.
    package func known(_ keys: [String], _ kind: Kind, of source: String) async throws -> Set<String> {
        try await rows.read("reading what was imported") { db in
            try Set(
                keys.filter { key in
                    try db.row("SELECT 1 FROM imports WHERE source = ? AND kind = ? AND key = ?", [source, kind.rawValue, key], { _ in true }) != nil
                })
        }
    }

    /// Notes what was brought.
    package func note(_ targets: [String: Int64?], _ kind: Kind, of source: String) async throws {
        guard !targets.isEmpty else { return }
        try await rows.write("noting what was imported") { db in
            for (key, target) in targets { try Self.note(db, source, kind, key, target) }
        }
    }

    /// Stores events with the notes that they were brought, in one transaction; they are not announced. Those brought already are passed
    /// over. Gives the number of new ones.
    package func insert(_ events: [(key: String, event: Event)], of source: String) async throws -> Int {
        guard !events.isEmpty else { return 0 }
        return try await rows.write("storing events") { db in
            var count = 0
            for (key, event) in events {
                let found = try db.row(
                    "SELECT 1 FROM imports WHERE source = ? AND kind = ? AND key = ?", [source, Kind.event.rawValue, key], { _ in true })
                guard found == nil else { continue }
                let stored = try EventStore.insert(db, event)
                try Self.note(db, source, .event, key, stored.id.rawValue)
                count += 1
            }
            return count
        }
    }

    private static func note(_ db: Database, _ source: String, _ kind: Kind, _ key: String, _ target: Int64?) throws {
        try db.run(
            "INSERT INTO imports VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET target = coalesce(excluded.target, target)",
            [source, kind.rawValue, key, target])
    }

    /// Times of which a camera's main stream is listed, oldest first, within an hour around a range.
    package func covered(_ camera: ID<Camera>, _ range: TimeRange) async throws -> [TimeRange] {
        try await rows.read("finding footage") { db in
            try db.rows(
                """
                SELECT start_us, end_us FROM segments INDEXED BY segments_by_time WHERE camera_id = ?1 AND role = 0 AND state IN (1, 2)
                    AND start_us > ?2 - 3600000000 AND start_us < ?3 AND end_us > ?2
                UNION ALL SELECT start_us, end_us FROM segments INDEXED BY segments_long WHERE camera_id = ?1 AND role = 0 AND state IN (1, 2)
                    AND end_us - start_us > 3600000000 AND start_us <= ?2 - 3600000000 AND end_us > ?2
                ORDER BY 1
                """, [camera.rawValue, max(range.start.microseconds, Int64.min / 2), range.end.microseconds]
            ) { TimeRange(start: WallTime(microseconds: $0[0]), end: WallTime(microseconds: $0[1])) }
        }
    }
}
