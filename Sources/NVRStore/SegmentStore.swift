import FoundationEssentials
import GRDB
import NVRBase
package import NVRModel

/// Segments and the order in which their rows follow their files: row `intended` → file → folder → row `growing` → … → row
/// `finished`; deletion: row `garbage` → unlink → row gone. A crash at any point leaves a row or a file that start-up can judge.
package struct SegmentStore: Sendable {
    let rows: Rows

    // MARK: Recording

    /// Announces a file that is about to be made. `id`, `state` and `index` of the segment are ignored. With `isContinuous`, a
    /// `continuous` event stands for the segment as soon as it is listed. Throws `conflict` when the path is taken.
    package func intend(_ segment: Segment, isContinuous: Bool) async throws -> ID<Segment> {
        try await rows.write("announcing a segment") { try Self.insert($0, segment, isContinuous: isContinuous) }
    }

    static func insert(_ db: Database, _ segment: Segment, isContinuous: Bool) throws -> ID<Segment> {
        let key = try segment.key.map { try FootageKeyStore.number(db, of: $0) }
        try db.run(
            """
            INSERT INTO segments (camera_id, role, run, volume, path, start_us, end_us, bytes, state, is_continuous, width, height, codecs,
                init_length, timescale, sealed_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                segment.cameraID.rawValue, Self.code(segment.role), segment.run, segment.volume.rawValue, segment.path, segment.start.microseconds,
                max(segment.start, segment.end).microseconds, segment.bytes, isContinuous, segment.width, segment.height,
                segment.codecs, segment.initLength, segment.timescale, key,
            ])
        return ID(db.lastInsertedRowID)
    }

    /// Commits the steps of many segments in one transaction: one sync of the disk for all. Outcomes are in the order of the steps.
    package func commit(_ changes: [SegmentChange]) async throws -> [SegmentOutcome] {
        guard !changes.isEmpty else { return [] }
        let (outcomes, touched) = try await rows.write("storing segments") { db in
            var touched: [ID<Event>] = []
            let outcomes = try changes.map { change in
                let (outcome, event) = try Self.apply(db, change)
                if let event { touched.append(event) }
                return outcome
            }
            return (outcomes, touched)
        }
        for id in touched { rows.changes.send(.event(id)) }
        return outcomes
    }

    /// `commit` of one `begin`; gives the `continuous` event.
    package func begin(_ id: ID<Segment>, end: WallTime, bytes: Int64, initLength: Int64) async throws -> ID<Event>? {
        try await commit([.begin(id, end: end, bytes: bytes, initLength: initLength)]).first?.eventID
    }

    /// `commit` of one `progress`.
    package func progress(_ id: ID<Segment>, end: WallTime, bytes: Int64) async throws {
        _ = try await commit([.progress(id, end: end, bytes: bytes)])
    }

    /// `commit` of one `finish`.
    package func finish(_ id: ID<Segment>, _ closing: SegmentClosing) async throws {
        _ = try await commit([.finish(id, closing)])
    }

    static func apply(_ db: Database, _ change: SegmentChange) throws -> (SegmentOutcome, changedEvent: ID<Event>?) {
        let id = change.id.rawValue
        let state = try db.row("SELECT state FROM segments WHERE id = ? AND state <> 3", [id]) { $0["state"] as Int }
        guard let state else { return (SegmentOutcome(isKept: false, eventID: nil), nil) }
        switch change {
        case .begin(_, let end, let bytes, let initLength):
            guard state == 0 else { return (SegmentOutcome(isKept: true, eventID: try event(db, of: id)), nil) }
            try db.run(
                "UPDATE segments SET state = 1, end_us = max(start_us, ?), bytes = ?, init_length = ? WHERE id = ?",
                [end.microseconds, bytes, initLength, id])
            let event = try insertEvent(db, for: id)
            return (SegmentOutcome(isKept: true, eventID: event), event)
        case .progress(_, let end, let bytes):
            try db.run(
                "UPDATE segments SET end_us = max(start_us, ?), bytes = ? WHERE id = ? AND state = 1", [end.microseconds, bytes, id])
            return (SegmentOutcome(isKept: true, eventID: nil), nil)
        case .finish(_, let closing):
            try finish(db, id, closing)
            var event = try event(db, of: id)
            if event == nil { event = try insertEvent(db, for: id) }
            if let event {
                try db.run(
                    """
                    UPDATE events SET (start_us, end_us, bytes, width, height)
                        = (SELECT start_us, end_us, bytes, width, height FROM segments WHERE id = ?1) WHERE id = ?2
                    """, [id, event.rawValue])
            }
            return (SegmentOutcome(isKept: true, eventID: event), event)
        case .discard:
            // Without a file there is nothing that could be held.
            try db.run("UPDATE segments SET state = 0 WHERE id = ?", [id])
            try db.run("DELETE FROM events WHERE segment_id = ?", [id])
            try db.run("DELETE FROM segments WHERE id = ?", [id])
            return (SegmentOutcome(isKept: false, eventID: nil), nil)
        }
    }

    private static func finish(_ db: Database, _ id: Int64, _ closing: SegmentClosing) throws {
        try db.run(
            """
            UPDATE segments SET state = 2, start_us = coalesce(?, start_us), end_us = max(coalesce(?, start_us), ?), bytes = ?,
                init_length = coalesce(?, init_length), timescale = coalesce(?, timescale), width = coalesce(?, width),
                height = coalesce(?, height), codecs = coalesce(?, codecs), crc32 = ? WHERE id = ?
            """,
            [
                closing.start?.microseconds, closing.start?.microseconds, closing.end.microseconds, closing.bytes, closing.initLength,
                closing.timescale, closing.width, closing.height, closing.codecs, closing.checksum.map { Int64($0) }, id,
            ])
        try db.run(
            "INSERT INTO segment_indexes VALUES (?, ?) ON CONFLICT DO UPDATE SET packed = excluded.packed",
            [id, Data(closing.index)])
    }

    private static func event(_ db: Database, of segment: Int64) throws -> ID<Event>? {
        try db.row("SELECT id FROM events WHERE segment_id = ?", [segment]) { ID($0["id"]) }
    }

    /// The `continuous` event of a segment that wants one.
    private static func insertEvent(_ db: Database, for segment: Int64) throws -> ID<Event>? {
        try db.run(
            """
            INSERT INTO events (camera_id, medium, kind, start_us, segment_id, width, height)
            SELECT camera_id, 0, 1, start_us, id, width, height FROM segments WHERE id = ? AND is_continuous
            """, [segment])
        return db.changesCount > 0 ? ID(db.lastInsertedRowID) : nil
    }

    // MARK: Finding

    private static let columns =
        "s.id, s.camera_id, s.role, s.run, s.path, s.start_us, s.end_us, s.bytes, s.state, s.width, s.height, s.codecs, s.init_length, s.timescale, i.packed, s.volume, "
        + "(SELECT key FROM footage_key_names AS n WHERE n.id = s.sealed_by) AS key"
    private static let source = "segments AS s LEFT JOIN segment_indexes AS i ON i.segment_id = s.id"

    static let coveringSQL = """
        SELECT \(columns) FROM \(source)
        WHERE s.camera_id = ?1 AND s.role = ?2 AND s.start_us > ?4 - 3600000000 AND s.start_us < ?3 AND s.end_us > ?4
            AND s.state IN (1, 2) AND s.end_us - s.start_us <= 3600000000
        UNION ALL
        SELECT \(columns) FROM \(source)
        WHERE s.camera_id = ?1 AND s.role = ?2 AND s.start_us < ?3 AND s.end_us > ?4
            AND s.state IN (1, 2) AND s.end_us - s.start_us > 3600000000
        ORDER BY 6, 1
        """

    // The indexes are named where the planner, which has no statistics, would rather walk the whole table in order.
    static let unfinishedSQL = """
        SELECT \(columns) FROM segments AS s INDEXED BY segments_not_finished LEFT JOIN segment_indexes AS i ON i.segment_id = s.id
        WHERE s.state <> 2 AND s.state < 2 ORDER BY s.id
        """
    static let garbageSQL = """
        SELECT id, volume, path FROM segments INDEXED BY segments_not_finished WHERE state <> 2 AND state = 3
        """
    static let newestSQL = """
        SELECT \(columns) FROM \(source) WHERE s.camera_id = ? AND s.role = ? AND s.state IN (1, 2) ORDER BY s.start_us DESC LIMIT 1
        """
    static let oldestSQL = """
        SELECT id, camera_id, volume, path, start_us, bytes, state FROM segments AS s INDEXED BY segments_by_start
        WHERE state IN (1, 2) AND start_us < ? AND NOT \(HoldStore.segment("s")) ORDER BY start_us LIMIT ?
        """
    static let oldestOfCameraSQL = """
        SELECT id, camera_id, volume, path, start_us, bytes, state FROM segments AS s INDEXED BY segments_by_time
        WHERE camera_id = ? AND role = ? AND state IN (1, 2) AND start_us < ? AND NOT \(HoldStore.segment("s")) ORDER BY start_us LIMIT ?
        """
    static let bytesSinceSQL = """
        SELECT camera_id, sum(bytes) AS bytes FROM segments INDEXED BY segments_by_start
        WHERE state IN (1, 2) AND start_us >= ? GROUP BY camera_id
        """

    /// Listed segments of a stream that hold anything of the range, oldest first, with their indexes.
    package func covering(_ camera: ID<Camera>, _ role: StreamRole, _ range: TimeRange) async throws -> [Segment] {
        try await rows.read("finding footage") { db in
            // The lower bound subtracts an hour, which must not pass the smallest time.
            let start = max(range.start.microseconds, Int64.min / 2)
            return try db.rows(Self.coveringSQL, [camera.rawValue, Self.code(role), range.end.microseconds, start], Self.segment)
        }
    }

    /// A segment in any state; nil when there is no such row.
    package func get(_ id: ID<Segment>) async throws -> Segment? {
        try await rows.read("reading a segment") { db in
            try db.row("SELECT \(Self.columns) FROM \(Self.source) WHERE s.id = ?", [id.rawValue], Self.segment)
        }
    }

    /// A segment by its path, whatever volume it lies on, in any state.
    package func byPath(_ path: String) async throws -> Segment? {
        try await rows.read("reading a segment") { db in
            try db.row("SELECT \(Self.columns) FROM \(Self.source) WHERE s.path = ?", [path], Self.segment)
        }
    }

    /// The newest listed segment of a stream.
    package func newest(_ camera: ID<Camera>, _ role: StreamRole) async throws -> Segment? {
        try await rows.read("reading a segment") { db in
            try db.row(
                Self.newestSQL, [camera.rawValue, Self.code(role)], Self.segment)
        }
    }

    /// Paths of segments below the folder of their volume; missing ids are left out.
    package func paths(of ids: [ID<Segment>]) async throws -> [ID<Segment>: String] {
        guard !ids.isEmpty else { return [:] }
        return try await rows.read("reading segments") { db in
            var paths: [ID<Segment>: String] = [:]
            for id in ids {
                paths[id] = try db.row("SELECT path FROM segments WHERE id = ?", [id.rawValue]) { $0["path"] as String }
            }
            return paths
        }
    }

    /// Segments that were not finished when the program ended: `intended` and `growing`.
    package func unfinished() async throws -> [Segment] {
        try await rows.read("reading unfinished segments") { db in
            try db.rows(Self.unfinishedSQL, [], Self.segment)
        }
    }

    /// All segments in any state by id, a page at a time, for the comparison with the disk.
    package func entries(after id: ID<Segment>?, limit: Int = 1000) async throws -> [SegmentEntry] {
        try await rows.read("reading segments") { db in
            try db.rows(
                "SELECT id, camera_id, volume, path, start_us, bytes, state FROM segments WHERE id > ? ORDER BY id LIMIT ?",
                [id?.rawValue ?? 0, limit], Self.entry)
        }
    }

    /// Listed segments that are not held, oldest first, of one camera or of all: what retention deletes first.
    package func oldest(_ camera: ID<Camera>?, before time: WallTime = WallTime(microseconds: .max), limit: Int) async throws -> [SegmentEntry] {
        try await rows.read("reading segments") { db in
            guard let camera else {
                return try db.rows(Self.oldestSQL, [time.microseconds, limit], Self.entry)
            }
            var entries: [SegmentEntry] = []
            for role in StreamRole.allCases {
                entries += try db.rows(
                    Self.oldestOfCameraSQL, [camera.rawValue, Self.code(role), time.microseconds, limit], Self.entry)
            }
            return Array(entries.sorted { ($0.start, $0.id) < ($1.start, $1.id) }.prefix(limit))
        }
    }

    // MARK: Rows

    static func code(_ role: StreamRole) -> Int { role == .main ? 0 : 1 }
    static func role(_ code: Int) -> StreamRole { code == 0 ? .main : .sub }

    private static func segment(_ row: Row) throws -> Segment {
        Segment(
            id: ID(row["id"]), cameraID: ID(row["camera_id"]), role: role(row["role"]), run: row["run"], volume: VolumeID(rawValue: row["volume"]),
            path: row["path"],
            start: WallTime(microseconds: row["start_us"]), end: WallTime(microseconds: row["end_us"]), bytes: row["bytes"],
            state: try state(row["state"]), width: row["width"], height: row["height"], codecs: row["codecs"],
            initLength: row["init_length"], timescale: row["timescale"], index: [UInt8](row["packed"] as Data? ?? Data()), key: row["key"])
    }

    static func entry(_ row: Row) throws -> SegmentEntry {
        SegmentEntry(
            id: ID(row["id"]), cameraID: ID(row["camera_id"]), volume: VolumeID(rawValue: row["volume"]), path: row["path"],
            start: WallTime(microseconds: row["start_us"]),
            bytes: row["bytes"], state: try state(row["state"]))
    }

    private static func state(_ code: Int) throws -> Segment.State {
        guard let state = Segment.State(rawValue: code) else { throw NVRError(.dataLoss, "a segment has the unknown state \(code)") }
        return state
    }
}
