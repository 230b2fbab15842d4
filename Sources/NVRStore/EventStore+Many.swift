import GRDB
package import NVRModel

// Deletions of any size, in transactions that keep the recorder from waiting.

extension EventStore {
    /// Deletes every event that has ended and all finished footage that is left without one, in transactions that keep the
    /// recorder from waiting. Gives the number of events.
    package func deleteAll() async throws -> Int {
        var count = 0
        var cursor: Int64? = 0
        while let last = cursor {
            let (deleted, next) = try await rows.write("deleting all events") { db in
                let ids = try db.rows(
                    "SELECT id FROM events WHERE id > ? AND (end_us IS NOT NULL OR medium = 1) ORDER BY id LIMIT ?",
                    [last, CameraStore.step]
                ) { $0["id"] as Int64 }
                return (try Self.delete(db, ids), ids.count == CameraStore.step ? ids.last : nil)
            }
            count += deleted
            cursor = next
        }
        try await deleteLeftFootage()
        return count
    }

    /// Marks the finished footage that no open event needs.
    private func deleteLeftFootage() async throws {
        var cursor: Int64? = 0
        while let last = cursor {
            cursor = try await rows.write("deleting all footage") { db in
                let ids = try db.rows("SELECT id FROM segments WHERE id > ? AND state = 2 ORDER BY id LIMIT ?", [last, CameraStore.step]) {
                    $0["id"] as Int64
                }
                for id in ids {
                    try db.run(
                        """
                        UPDATE segments SET state = 3 WHERE id = ? AND NOT EXISTS (
                            SELECT 1 FROM events WHERE events.medium = 0 AND events.end_us IS NULL
                                AND events.camera_id = segments.camera_id AND events.start_us < segments.end_us)
                            AND NOT \(HoldStore.segment("segments"))
                        """, [id])
                }
                return ids.count == CameraStore.step ? ids.last : nil
            }
        }
    }

    /// Deletes the events of a medium and kind that have ended, with the footage that only they stood for; nil means any. Gives their
    /// number.
    package func deleteAll(medium: Event.Medium?, kind: Event.Kind?) async throws -> Int {
        if medium == nil, kind == nil { return try await deleteAll() }
        var count = 0
        for medium in medium.map({ [$0] }) ?? Event.Medium.allCases {
            for kind in kind.map({ [$0] }) ?? Event.Kind.allCases { count += try await deleteAll(of: medium, kind) }
        }
        if medium == .video, kind == nil { try await deleteLeftFootage() }
        return count
    }

    /// Events per transaction when the footage of each has to be looked for.
    private static let searchingStep = 300

    private func deleteAll(of medium: Event.Medium, _ kind: Event.Kind) async throws -> Int {
        var count = 0
        var cursor: (start: Int64, id: Int64)? = (.min, 0)
        while let last = cursor {
            let (deleted, next) = try await rows.write("deleting all events") { db in
                let found = try db.rows(
                    """
                    SELECT id, start_us, end_us FROM events INDEXED BY events_by_kind
                    WHERE medium = ?1 AND kind = ?2 AND start_us >= ?3 AND (start_us > ?3 OR id > ?4) ORDER BY start_us, id LIMIT ?5
                    """, [Self.code(medium), Self.code(kind), last.start, last.id, Self.searchingStep]
                ) { (id: $0["id"] as Int64, start: $0["start_us"] as Int64, end: $0["end_us"] as Int64?) }
                let ended = found.filter { medium == .snapshot || $0.end != nil }.map { ID<Event>($0.id) }
                let deletion = try Self.delete(db, ended, .deleteUnreferenced).0
                let next = found.last.map { (start: $0.start, id: $0.id) }
                return (deletion.deleted.count, found.count == Self.searchingStep ? next : nil)
            }
            count += deleted
            cursor = next
        }
        return count
    }

    // MARK: Retention

    /// Deletes ended events of a camera that begin before `time`: snapshots, or motion and manual events. Of the latter, those whose
    /// footage is still there stay, unless they ended before `limit`. Gives their number.
    package func deleteOld(_ camera: ID<Camera>, medium: Event.Medium, before time: WallTime, limit: WallTime) async throws -> Int {
        var count = 0
        for kind in Event.Kind.allCases where medium == .snapshot || kind != .continuous {
            var cursor: (start: Int64, id: Int64)? = (.min, 0)
            while let last = cursor {
                let (deleted, next) = try await rows.write("deleting old events") { db in
                    let found = try db.rows(
                        """
                        SELECT id, start_us, end_us FROM events INDEXED BY events_by_camera
                        WHERE camera_id = ?1 AND medium = ?2 AND kind = ?3 AND start_us >= ?4 AND (start_us > ?4 OR id > ?5)
                            AND start_us < ?6 ORDER BY start_us, id LIMIT ?7
                        """,
                        [camera.rawValue, Self.code(medium), Self.code(kind), last.start, last.id, time.microseconds, CameraStore.step]
                    ) { (id: $0["id"] as Int64, start: $0["start_us"] as Int64, end: $0["end_us"] as Int64?) }
                    let old = try found.filter { event in
                        guard medium == .video else { return true }
                        guard let end = event.end else { return false }
                        return try end < limit.microseconds || !Self.hasFootage(db, camera, event.start, end)
                    }
                    let count = try Self.delete(db, old.map(\.id))
                    let next = found.last.map { (start: $0.start, id: $0.id) }
                    return (count, found.count == CameraStore.step ? next : nil)
                }
                count += deleted
                cursor = next
            }
        }
        return count
    }

    /// Bytes of the snapshots of a camera that are held.
    static func heldSnapshotBytes(_ db: Database, _ camera: ID<Camera>) throws -> Int64 {
        try Event.Kind.allCases.reduce(0) { sum, kind in
            sum
                + (try db.row(
                    """
                    SELECT coalesce(sum(bytes), 0) AS bytes FROM events WHERE id IN (
                        SELECT e.id FROM active_holds AS h JOIN events AS e INDEXED BY events_by_camera ON e.camera_id = h.camera_id
                            AND e.medium = 1 AND e.kind = ?2 AND e.start_us >= h.start_us AND e.start_us < h.end_us
                        WHERE h.camera_id = ?1)
                    """, [camera.rawValue, code(kind)]
                ) { $0["bytes"] as Int64 } ?? 0)
        }
    }

    private static func hasFootage(_ db: Database, _ camera: ID<Camera>, _ start: Int64, _ end: Int64) throws -> Bool {
        for role in StreamRole.allCases {
            let found = try db.row(
                """
                SELECT 1 FROM segments INDEXED BY segments_by_time WHERE camera_id = ?1 AND role = ?2 AND start_us > ?3 - 3600000000
                    AND start_us <= ?4 AND end_us > ?3 AND state IN (1, 2) LIMIT 1
                """, [camera.rawValue, SegmentStore.code(role), max(start, Int64.min / 2), end], { _ in true })
            if found != nil { return true }
        }
        return false
    }
}
