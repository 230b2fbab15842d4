import GRDB
package import NVRModel

extension EventStore {
    /// The event that owns the picture at `path` below the folder of a volume, as its snapshot or its thumbnail; nil when none does.
    package func owningPicture(_ path: String) async throws -> Event? {
        try await rows.read("finding a picture") { db in
            let id = try db.row(
                """
                SELECT id FROM events WHERE picture_path = ?1
                UNION ALL SELECT id FROM events WHERE thumbnail_path = ?1 AND thumbnail_path IS NOT NULL LIMIT 1
                """, [path]
            ) { ID<Event>($0["id"]) }
            guard let id else { return nil }
            return try Self.fetch(db, id)
        }
    }
}
