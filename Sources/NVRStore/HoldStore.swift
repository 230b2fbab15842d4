import GRDB
import NVRBase
package import NVRModel

/// Holds, and what they protect. Every deletion of the other stores asks here, in its own transaction; triggers undo one that does not
/// (docs/STORAGE.md).
package struct HoldStore: Sendable {
    let rows: Rows

    // MARK: Holds

    /// The holds of a camera by their start, expired ones too.
    package func all(of camera: ID<Camera>) async throws -> [Hold] {
        try await rows.read("reading holds") { db in
            try db.rows("SELECT * FROM holds WHERE camera_id = ? ORDER BY start_us, id", [camera.rawValue], Self.hold)
        }
    }

    /// Stores a hold. One of the same camera and range, or of the same id unless that is 0, is changed: reason and expiry, and with an
    /// id the range; who made it and when stays. `now`: expired holds that ended long before it make room. Throws `notFound` for an id
    /// that this camera does not have, and `conflict` when the camera has too many or another hold has the range.
    package func put(_ hold: Hold, now: WallTime) async throws -> Hold {
        try await rows.write("holding footage") { db in
            let camera = hold.cameraID.rawValue
            let same = try db.row(
                "SELECT * FROM holds WHERE camera_id = ? AND start_us = ? AND end_us = ?",
                [camera, hold.range.start.microseconds, hold.range.end.microseconds], Self.hold)
            var known = same
            if hold.id.rawValue != 0 {
                known = try db.row("SELECT * FROM holds WHERE id = ? AND camera_id = ?", [hold.id.rawValue, camera], Self.hold)
                guard known != nil else { throw NVRError(.notFound, "Hold not found") }
                guard same == nil || same?.id == hold.id else { throw NVRError(.conflict, "Another hold has this range") }
            }
            if let known {
                try db.run(
                    "UPDATE holds SET start_us = ?, end_us = ?, reason = ?, expires_us = ? WHERE id = ?",
                    [
                        hold.range.start.microseconds, hold.range.end.microseconds, hold.reason, hold.expiresAt?.microseconds,
                        known.id.rawValue,
                    ])
                return try Self.fetch(db, known.id) ?? hold
            }
            try db.run(
                "DELETE FROM holds WHERE camera_id = ? AND expires_us < ?",
                [camera, now.advanced(byMicroseconds: -Self.kept).microseconds])
            let count = try db.row("SELECT count(*) AS count FROM holds WHERE camera_id = ?", [camera]) { $0["count"] as Int } ?? 0
            guard count < Hold.mostOfCamera else {
                throw NVRError(.conflict, "A camera may have \(Hold.mostOfCamera) holds at most; release some, or make one of a longer range")
            }
            try db.run(
                """
                INSERT INTO holds (camera_id, start_us, end_us, reason, created_us, user_id, user_name, expires_us)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    camera, hold.range.start.microseconds, hold.range.end.microseconds, hold.reason, hold.createdAt.microseconds,
                    hold.userID?.rawValue, hold.userName, hold.expiresAt?.microseconds,
                ])
            return try Self.fetch(db, ID(db.lastInsertedRowID)) ?? hold
        }
    }

    /// Releases a hold and gives what it was; nil when the camera has none of the id.
    package func release(_ id: ID<Hold>, of camera: ID<Camera>) async throws -> Hold? {
        try await rows.write("releasing footage") { db in
            guard let hold = try Self.fetch(db, id), hold.cameraID == camera else { return Hold?.none }
            try db.run("DELETE FROM holds WHERE id = ?", [id.rawValue])
            return hold
        }
    }

    /// Releases the hold of exactly a range; nil when there is none.
    package func release(_ range: TimeRange, of camera: ID<Camera>) async throws -> Hold? {
        try await rows.write("releasing footage") { db in
            let found = try db.row(
                "SELECT * FROM holds WHERE camera_id = ? AND start_us = ? AND end_us = ?",
                [camera.rawValue, range.start.microseconds, range.end.microseconds], Self.hold)
            if let found { try db.run("DELETE FROM holds WHERE id = ?", [found.id.rawValue]) }
            return found
        }
    }

    /// Microseconds for which expired holds are shown.
    private static let kept: Int64 = 90 * 86_400_000_000

    // MARK: What is held

    /// Whether footage or an event of a camera is held now.
    package func holdsAnything(of camera: ID<Camera>) async throws -> Bool {
        try await rows.read("looking for held footage") { db in
            guard try db.row("SELECT 1 FROM active_holds WHERE camera_id = ? LIMIT 1", [camera.rawValue], { _ in true }) != nil else {
                return false
            }
            let segment = try StreamRole.allCases.contains { role in
                try db.row(
                    """
                    SELECT 1 FROM active_holds AS h JOIN segments AS s INDEXED BY segments_by_time ON s.camera_id = h.camera_id AND s.role = ?2
                        AND s.start_us > h.start_us - 3600000000 AND s.start_us < h.end_us
                    WHERE h.camera_id = ?1 AND s.state IN (1, 2) AND \(Self.segment("s")) LIMIT 1
                    """, [camera.rawValue, SegmentStore.code(role)], { _ in true }) != nil
            }
            if segment { return true }
            for medium in Event.Medium.allCases {
                for kind in Event.Kind.allCases {
                    let event = try db.row(
                        """
                        SELECT 1 FROM active_holds AS h JOIN events AS e INDEXED BY events_by_camera ON e.camera_id = h.camera_id
                            AND e.medium = ?2 AND e.kind = ?3 AND e.start_us > h.start_us - 3600000000 AND e.start_us < h.end_us
                        WHERE h.camera_id = ?1 AND \(Self.event("e")) LIMIT 1
                        """, [camera.rawValue, EventStore.code(medium), EventStore.code(kind)], { _ in true })
                    if event != nil { return true }
                }
            }
            return false
        }
    }

    /// Which of some events are held now.
    package func held(_ ids: [ID<Event>]) async throws -> Set<ID<Event>> {
        guard !ids.isEmpty else { return [] }
        return try await rows.read("looking for held footage") { db in Set(try ids.filter { try Self.isHeld(db, event: $0.rawValue) }) }
    }

    /// How many events are held now that a deletion of a medium and kind would meet.
    package func heldCount(medium: Event.Medium?, kind: Event.Kind?) async throws -> Int {
        try await rows.read("counting held footage") { db in
            guard try db.row("SELECT 1 FROM active_holds LIMIT 1", [], { _ in true }) != nil else { return 0 }
            var ids: Set<Int64> = []
            for medium in medium.map({ [$0] }) ?? Event.Medium.allCases {
                for kind in kind.map({ [$0] }) ?? Event.Kind.allCases {
                    ids.formUnion(
                        try db.rows(
                            """
                            SELECT e.id FROM active_holds AS h JOIN events AS e INDEXED BY events_by_camera ON e.camera_id = h.camera_id
                                AND e.medium = ?1 AND e.kind = ?2 AND e.start_us > h.start_us - 3600000000 AND e.start_us < h.end_us
                            WHERE \(Self.event("e"))
                            """, [EventStore.code(medium), EventStore.code(kind)]
                        ) { $0["id"] as Int64 })
                }
            }
            return ids.count
        }
    }

    /// Bytes of the segments of a camera that are held now: limits of size do not count them, or a long hold would cost a camera
    /// everything else.
    package func heldBytes(of camera: ID<Camera>) async throws -> Int64 {
        try await rows.read("measuring held footage") { try Self.heldBytes($0, of: camera) }
    }

    static func heldBytes(_ db: Database, of camera: ID<Camera>) throws -> Int64 {
        try StreamRole.allCases.reduce(0) { sum, role in
            sum
                + (try db.row(
                    """
                    SELECT coalesce(sum(bytes), 0) AS bytes FROM segments WHERE id IN (
                        SELECT s.id FROM active_holds AS h JOIN segments AS s INDEXED BY segments_by_time ON s.camera_id = h.camera_id
                            AND s.role = ?2 AND s.start_us > h.start_us - 3600000000 AND s.start_us < h.end_us
                        WHERE h.camera_id = ?1 AND s.state IN (1, 2) AND \(Self.segment("s")))
                    """, [camera.rawValue, SegmentStore.code(role)]
                ) { $0["bytes"] as Int64 } ?? 0)
        }
    }

    // MARK: For deletions

    /// A condition: the segment of an alias is held. The same as in the triggers.
    static func segment(_ row: String) -> String {
        """
        EXISTS (SELECT 1 FROM active_holds AS hh WHERE hh.camera_id = \(row).camera_id AND hh.end_us > \(row).start_us AND hh.start_us <
            CASE WHEN \(row).state < 2 THEN max(\(row).end_us, \(row).start_us + 300000000) ELSE max(\(row).end_us, \(row).start_us + 1) END)
        """
    }

    /// A condition: the event of an alias is held. The same as in the triggers.
    static func event(_ row: String) -> String {
        """
        CASE WHEN \(row).segment_id IS NOT NULL
            THEN EXISTS (SELECT 1 FROM segments AS hs WHERE hs.id = \(row).segment_id AND hs.state IN (1, 2) AND \(segment("hs")))
            ELSE EXISTS (SELECT 1 FROM active_holds AS hh WHERE hh.camera_id = \(row).camera_id AND hh.end_us > \(row).start_us AND hh.start_us <
                CASE WHEN \(row).medium = 1 OR \(row).end_us <= \(row).start_us THEN \(row).start_us + 1
                    ELSE coalesce(\(row).end_us, 9223372036854775807) END)
        END
        """
    }

    private static let eventSQL = "SELECT 1 FROM events AS e WHERE e.id = ? AND \(event("e"))"
    private static let segmentSQL = "SELECT 1 FROM segments AS s WHERE s.id = ? AND \(segment("s"))"

    static func isHeld(_ db: Database, event id: Int64) throws -> Bool { try db.row(eventSQL, [id], { _ in true }) != nil }
    static func isHeld(_ db: Database, segment id: Int64) throws -> Bool { try db.row(segmentSQL, [id], { _ in true }) != nil }

    // MARK: Rows

    private static func fetch(_ db: Database, _ id: ID<Hold>) throws -> Hold? {
        try db.row("SELECT * FROM holds WHERE id = ?", [id.rawValue], hold)
    }

    static func hold(_ row: Row) -> Hold {
        Hold(
            id: ID(row["id"]), cameraID: ID(row["camera_id"]),
            range: TimeRange(start: WallTime(microseconds: row["start_us"]), end: WallTime(microseconds: row["end_us"])), reason: row["reason"],
            createdAt: WallTime(microseconds: row["created_us"]), userID: (row["user_id"] as Int64?).map(ID.init), userName: row["user_name"],
            expiresAt: (row["expires_us"] as Int64?).map(WallTime.init(microseconds:)))
    }
}
