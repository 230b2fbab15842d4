import GRDB
import NVRBase
package import NVRModel

/// The queue of events that are copied to buckets, and what lies there. It survives restarts: each step is a commit.
package struct OffsiteStore: Sendable {
    let rows: Rows

    /// Events of a profile that may wait.
    package static let mostWaiting = 2000
    /// Events that are looked at in one transaction.
    private static let batch = 1000

    // MARK: The queue

    /// Queues the events of a profile's cameras that came since it was asked last: motion and manual ones. Gives how many were queued.
    /// When more than `mostWaiting` wait, the oldest are given up and counted. `folder`: where the objects of a camera go.
    package func takeNewEvents(
        of profile: ID<S3Profile>, at now: WallTime, mostWaiting: Int = mostWaiting, folder: @escaping @Sendable (ID<Camera>) -> String
    ) async throws -> Int {
        var count = 0
        while true {
            // Reading first: most commits of events are of no interest here.
            let isBehind = try await rows.read("reading events") { db in
                try db.row(
                    "SELECT coalesce((SELECT max(id) FROM events), 0) > event_cursor AS behind FROM s3_profiles WHERE id = ?", [profile.rawValue]
                ) { $0["behind"] as Bool } ?? false
            }
            guard isBehind else { return count }
            count += try await rows.write("queueing events") { db in
                let queued = try Self.queue(db, profile.rawValue, folder)
                try Self.trim(db, profile.rawValue, mostWaiting, now)
                return queued
            }
        }
    }

    private static func queue(_ db: Database, _ profile: Int64, _ folder: (ID<Camera>) -> String) throws -> Int {
        guard let cursor = try db.row("SELECT event_cursor FROM s3_profiles WHERE id = ?", [profile], { $0["event_cursor"] as Int64 }) else {
            return 0
        }
        let ids = try db.rows("SELECT id FROM events WHERE id > ? ORDER BY id LIMIT ?", [cursor, batch]) { $0["id"] as Int64 }
        guard let last = ids.last else { return 0 }
        let events = try db.rows(
            """
            SELECT e.id, e.camera_id, e.start_us FROM events AS e JOIN s3_profiles AS p ON p.id = ?1
            WHERE e.id > ?2 AND e.id <= ?3 AND e.medium = 0 AND e.kind IN (0, 2) AND (p.copies_all
                OR EXISTS (SELECT 1 FROM s3_profile_cameras AS c WHERE c.profile_id = ?1 AND c.camera_id = e.camera_id))
            ORDER BY e.id
            """, [profile, cursor, last]
        ) { (id: $0["id"] as Int64, camera: $0["camera_id"] as Int64, start: $0["start_us"] as Int64) }
        for event in events {
            try db.run(
                "INSERT OR IGNORE INTO offsite_events (profile_id, event_id, camera_id, start_us, folder) VALUES (?, ?, ?, ?, ?)",
                [profile, event.id, event.camera, event.start, folder(ID(event.camera))])
        }
        try db.run("UPDATE s3_profiles SET event_cursor = ? WHERE id = ?", [last, profile])
        return events.count
    }

    private static func trim(_ db: Database, _ profile: Int64, _ most: Int, _ now: WallTime) throws {
        let waiting =
            try db.row("SELECT count(*) AS count FROM offsite_events WHERE profile_id = ? AND state = 0", [profile]) { $0["count"] as Int } ?? 0
        guard waiting > most else { return }
        let oldest = try db.rows(
            "SELECT id, camera_id FROM offsite_events WHERE profile_id = ? AND state = 0 ORDER BY start_us, id LIMIT ?", [profile, waiting - most]
        ) { (id: $0["id"] as Int64, camera: $0["camera_id"] as Int64) }
        for entry in oldest { try end(db, profile, entry.id, entry.camera, .queueFull, now) }
    }

    /// What waits, the newest event first: what happens now matters most, and would be lost first with the machine.
    package func waiting(_ profile: ID<S3Profile>, limit: Int = mostWaiting) async throws -> [OffsiteEvent] {
        try await rows.read("reading the queue of copies") { db in
            try db.rows(
                """
                SELECT id, event_id, camera_id, start_us, folder FROM offsite_events WHERE profile_id = ? AND state = 0
                ORDER BY start_us DESC, id DESC LIMIT ?
                """, [profile.rawValue, limit]
            ) {
                OffsiteEvent(
                    id: $0["id"], eventID: ID($0["event_id"]), cameraID: ID($0["camera_id"]), start: WallTime(microseconds: $0["start_us"]),
                    folder: $0["folder"])
            }
        }
    }

    /// Takes an event off the queue.
    package func end(_ event: OffsiteEvent, of profile: ID<S3Profile>, _ outcome: OffsiteEvent.Outcome, at now: WallTime) async throws {
        try await rows.write("ending a copy") { try Self.end($0, profile.rawValue, event.id, event.cameraID.rawValue, outcome, now) }
    }

    private static func end(
        _ db: Database, _ profile: Int64, _ entry: Int64, _ camera: Int64, _ outcome: OffsiteEvent.Outcome, _ now: WallTime
    ) throws {
        try db.run("UPDATE offsite_events SET state = 1 WHERE id = ? AND state = 0", [entry])
        // Its profile may be gone, and with it the entry.
        if db.changesCount > 0 { try count(db, profile, camera, outcome.rawValue, bytes: 0, now) }
    }

    private static func count(_ db: Database, _ profile: Int64, _ camera: Int64, _ what: String, bytes: Int64, _ now: WallTime) throws {
        try db.run(
            """
            INSERT INTO offsite_totals VALUES (?, ?, ?, 1, ?, ?) ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes,
                last_us = max(last_us, excluded.last_us)
            """, [profile, camera, what, bytes, now.microseconds])
    }

    // MARK: Pieces

    private static let stored = "piece"

    /// The pieces of a segment, in order.
    package func pieces(of segment: ID<Segment>, _ profile: ID<S3Profile>) async throws -> [OffsitePiece] {
        try await rows.read("reading copies") { db in
            try db.rows(
                "SELECT * FROM offsite_pieces WHERE profile_id = ? AND segment_id = ? ORDER BY offset", [profile.rawValue, segment.rawValue],
                Self.piece)
        }
    }

    /// The pieces of a camera that hold anything of a range, in order.
    package func pieces(of camera: ID<Camera>, _ range: TimeRange, _ profile: ID<S3Profile>) async throws -> [OffsitePiece] {
        try await rows.read("reading copies") { db in
            // A piece is never longer than its segment, and that an hour at most.
            try db.rows(
                """
                SELECT * FROM offsite_pieces WHERE profile_id = ? AND camera_id = ? AND start_us > ? AND start_us < ? AND end_us > ?
                ORDER BY start_us, segment_id, offset
                """,
                [
                    profile.rawValue, camera.rawValue, max(range.start.microseconds, Int64.min / 2) - 3_600_000_000, range.end.microseconds,
                    range.start.microseconds,
                ], Self.piece)
        }
    }

    /// Notes a piece: on its way, or there, and then it is counted.
    package func put(_ piece: OffsitePiece, of profile: ID<S3Profile>, at now: WallTime) async throws {
        try await rows.write("noting a copy") { db in
            // The profile may have been deleted meanwhile.
            guard try db.row("SELECT 1 FROM s3_profiles WHERE id = ?", [profile.rawValue], { _ in true }) != nil else { return }
            try db.run(
                "INSERT OR REPLACE INTO offsite_pieces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    profile.rawValue, piece.segmentID.rawValue, piece.offset, piece.endOffset, piece.cameraID.rawValue,
                    piece.range.start.microseconds, piece.range.end.microseconds, piece.key, piece.bytes, piece.uploadID,
                ])
            if piece.isThere { try Self.count(db, profile.rawValue, piece.cameraID.rawValue, Self.stored, bytes: piece.bytes, now) }
        }
    }

    /// Forgets a piece that was on its way.
    package func forget(_ piece: OffsitePiece, of profile: ID<S3Profile>) async throws {
        try await rows.write("forgetting a copy") { db in
            try db.run(
                "DELETE FROM offsite_pieces WHERE profile_id = ? AND segment_id = ? AND offset = ?",
                [profile.rawValue, piece.segmentID.rawValue, piece.offset])
        }
    }

    /// Uploads of a profile that are going on.
    package func unfinished(_ profile: ID<S3Profile>) async throws -> [OffsitePiece] {
        try await rows.read("reading copies") { db in
            try db.rows("SELECT * FROM offsite_pieces WHERE profile_id = ? AND upload_id IS NOT NULL", [profile.rawValue], Self.piece)
        }
    }

    /// Forgets what no event needs any more: entries that are over and pieces, both of before a time. Nothing in the bucket changes.
    package func prune(_ profile: ID<S3Profile>, before time: WallTime) async throws {
        try await rows.write("tidying the queue of copies") { db in
            let id = profile.rawValue
            let oldest = try db.row("SELECT min(start_us) AS oldest FROM offsite_events WHERE profile_id = ? AND state = 0", [id]) {
                $0["oldest"] as Int64?
            }
            let bound = min(time.microseconds, (oldest ?? nil) ?? .max)
            try db.run("DELETE FROM offsite_events WHERE profile_id = ? AND state = 1 AND start_us < ?", [id, bound])
            // An hour earlier: the pieces of what waits begin before it does.
            try db.run(
                "DELETE FROM offsite_pieces WHERE profile_id = ? AND end_us < ? AND upload_id IS NULL",
                [id, max(bound, Int64.min / 2) - 3_600_000_000])
        }
    }

    private static func piece(_ row: Row) -> OffsitePiece {
        OffsitePiece(
            segmentID: ID(row["segment_id"]), cameraID: ID(row["camera_id"]), offset: row["offset"], endOffset: row["end_offset"],
            range: TimeRange(start: WallTime(microseconds: row["start_us"]), end: WallTime(microseconds: row["end_us"])), key: row["key"],
            bytes: row["bytes"], uploadID: row["upload_id"])
    }

    // MARK: Numbers

    /// Bytes of footage of the main stream that waiting events cover, by camera; overlaps by their length.
    static let waitingSQL = """
        SELECT w.camera_id, count(*) AS events, sum(coalesce((
            SELECT sum(s.bytes * 1.0 * (min(s.end_us, coalesce(e.end_us, s.end_us)) - max(s.start_us, w.start_us))
                / max(1, s.end_us - s.start_us))
            FROM segments AS s INDEXED BY segments_by_time
            WHERE s.camera_id = w.camera_id AND s.role = 0 AND s.start_us > w.start_us - 3600000000
                AND s.start_us < coalesce(e.end_us, w.start_us + 3600000000) AND s.end_us > w.start_us AND s.state IN (1, 2)), 0)) AS bytes
        FROM offsite_events AS w LEFT JOIN events AS e ON e.id = w.event_id
        WHERE w.profile_id = ? AND w.state = 0 GROUP BY w.camera_id
        """

    /// What became of the events of a profile, by camera.
    package func summaries(_ profile: ID<S3Profile>) async throws -> [OffsiteSummary] {
        try await rows.read("summing up copies") { db in
            var found: [ID<Camera>: OffsiteSummary] = [:]
            let totals = try db.rows("SELECT camera_id, what, count, bytes, last_us FROM offsite_totals WHERE profile_id = ?", [profile.rawValue]) {
                (
                    camera: ID<Camera>($0["camera_id"]), what: $0["what"] as String, count: $0["count"] as Int, bytes: $0["bytes"] as Int64,
                    last: WallTime(microseconds: $0["last_us"])
                )
            }
            for total in totals {
                var summary = found[total.camera] ?? OffsiteSummary(cameraID: total.camera)
                if total.what == Self.stored {
                    summary.pieces = total.count
                    summary.bytes = total.bytes
                    summary.lastSuccess = total.last
                } else if let outcome = OffsiteEvent.Outcome(rawValue: total.what) {
                    summary.outcomes[outcome] = total.count
                }
                found[total.camera] = summary
            }
            let waiting = try db.rows(Self.waitingSQL, [profile.rawValue]) {
                (camera: ID<Camera>($0["camera_id"]), count: $0["events"] as Int, bytes: $0["bytes"] as Double)
            }
            for entry in waiting {
                var summary = found[entry.camera] ?? OffsiteSummary(cameraID: entry.camera)
                summary.waiting = entry.count
                let there =
                    try db.row(
                        """
                        SELECT coalesce(sum(bytes), 0) AS bytes FROM offsite_pieces WHERE profile_id = ?1 AND camera_id = ?2 AND upload_id IS NULL
                            AND start_us >= (SELECT min(start_us) FROM offsite_events WHERE profile_id = ?1 AND camera_id = ?2 AND state = 0)
                        """, [profile.rawValue, entry.camera.rawValue]
                    ) { $0["bytes"] as Int64 } ?? 0
                summary.waitingBytes = max(0, Int64(entry.bytes.isFinite ? min(entry.bytes, 9e18) : 0) - there)
                found[entry.camera] = summary
            }
            return found.values.sorted { $0.cameraID < $1.cameraID }
        }
    }
}
