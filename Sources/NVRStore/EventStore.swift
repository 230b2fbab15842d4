import GRDB
import NVRBase
package import NVRModel

/// What `GET /events` asks for.
package struct EventFilter: Sendable, Hashable {
    /// Cameras that may be seen at all; nil = every one, also deleted ones.
    package var allowed: Set<ID<Camera>>?
    package var camera: ID<Camera>?
    package var medium: Event.Medium?
    package var kind: Event.Kind?
    /// Events that begin in this range.
    package var range: TimeRange?
    /// Events that begin at this time of any day.
    package var dayTime: DayTime?
    /// Events with this label, and in this zone; case does not matter.
    package var label: String?
    package var zone: String?
    package var skip: Int
    package var limit: Int

    package init(
        allowed: Set<ID<Camera>>? = nil, camera: ID<Camera>? = nil, medium: Event.Medium? = nil, kind: Event.Kind? = nil,
        range: TimeRange? = nil, skip: Int = 0, limit: Int = 100
    ) {
        self.allowed = allowed
        self.camera = camera
        self.medium = medium
        self.kind = kind
        self.range = range
        self.skip = skip
        self.limit = limit
    }
}

/// What was deleted.
package struct EventDeletion: Sendable, Hashable {
    package var deleted: [Event] = []
    /// Ids that do not exist.
    package var missing: [ID<Event>] = []
    /// Ids of events that are held; they stay.
    package var held: [ID<Event>] = []
    /// Segments whose files are to be unlinked, since nothing else stands for them.
    package var garbage: [GarbageSegment] = []
}

/// Events of one camera, medium and kind in numbers.
package struct EventTotal: Sendable, Hashable {
    package var cameraID: ID<Camera>
    package var medium: Event.Medium
    package var kind: Event.Kind
    package var count: Int
    /// Known bytes.
    package var bytes: Int64
}

/// Events: time ranges on cameras and snapshots, newest first at any number of rows.
package struct EventStore: Sendable {
    let rows: Rows

    // MARK: Writing

    /// Stores a new event; its `id` is given here.
    package func insert(_ event: Event) async throws -> Event {
        let stored = try await rows.write("storing an event") { try Self.insert($0, event) }
        rows.changes.send(.event(stored.id))
        return stored
    }

    /// Stores many new events in one transaction, for imports: they are not announced one by one.
    package func insertMany(_ events: [Event]) async throws {
        try await rows.write("storing events") { db in
            for event in events { _ = try Self.insert(db, event) }
        }
    }

    static func insert(_ db: Database, _ event: Event) throws -> Event {
        try db.run(
            """
            INSERT INTO events (camera_id, medium, kind, start_us, end_us, segment_id, picture_path, thumbnail_path, bytes, width,
                height, score, metadata, volume) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [event.cameraID.rawValue, code(event.medium), code(event.kind), event.start.microseconds] + variable(event))
        var stored = event
        stored.id = ID(db.lastInsertedRowID)
        if event.metadata != nil { try EventTags.store(db, stored, isNew: true) }
        return stored
    }

    /// Changes an event in one transaction; camera, medium and kind stay. Gives the new event, nil when there is none of the id.
    package func update(_ id: ID<Event>, _ body: @escaping @Sendable (inout Event) throws -> Void) async throws -> Event? {
        let event = try await rows.write("changing an event") { db in
            guard let old = try Self.fetch(db, id) else { return Event?.none }
            var event = old
            try body(&event)
            event.id = id
            event.cameraID = old.cameraID
            event.medium = old.medium
            event.kind = old.kind
            try db.run(
                """
                UPDATE events SET start_us = ?, end_us = ?, segment_id = ?, picture_path = ?, thumbnail_path = ?, bytes = ?, width = ?,
                    height = ?, score = ?, metadata = ?, volume = ? WHERE id = ?
                """, [event.start.microseconds] + Self.variable(event) + [id.rawValue])
            let isTaggedAnew = event.metadata != old.metadata || event.metadata != nil && event.start != old.start
            if isTaggedAnew { try EventTags.store(db, event, isNew: false) }
            return event
        }
        if event != nil { rows.changes.send(.event(id)) }
        return event
    }

    /// Ends an event. One that is gone is passed over.
    package func end(_ id: ID<Event>, at end: WallTime, bytes: Int64? = nil) async throws {
        _ = try await update(id) { event in
            event.end = max(event.start, end)
            if let bytes { event.bytes = bytes }
        }
    }

    /// Ends the events that were open when the program died; to be called after recovery of the segments. A continuous event ends
    /// with its segment, any other with the last footage of its camera, at the latest `time`. Gives their number.
    package func closeStale(at time: WallTime) async throws -> Int {
        let ids = try await rows.write("closing events") { db in
            let open = try db.rows(
                "SELECT id, camera_id, start_us, segment_id FROM events WHERE end_us IS NULL AND medium = 0"
            ) { (id: $0["id"] as Int64, camera: $0["camera_id"] as Int64, start: $0["start_us"] as Int64, segment: $0["segment_id"] as Int64?) }
            for event in open {
                let end: Int64? =
                    if let segment = event.segment {
                        try db.row("SELECT end_us FROM segments WHERE id = ?", [segment]) { $0["end_us"] }
                    } else {
                        try db.row(
                            """
                            SELECT end_us FROM segments WHERE camera_id = ? AND role = 0 AND state IN (1, 2) AND start_us <= ?
                            ORDER BY start_us DESC LIMIT 1
                            """, [event.camera, time.microseconds]
                        ) { $0["end_us"] }
                    }
                try db.run(
                    "UPDATE events SET end_us = ?, bytes = coalesce(bytes, (SELECT bytes FROM segments WHERE id = ?)) WHERE id = ?",
                    [max(event.start, min(end ?? event.start, time.microseconds)), event.segment, event.id])
            }
            return open.map { ID<Event>($0.id) }
        }
        for id in ids { rows.changes.send(.event(id)) }
        return ids.count
    }

    // MARK: Reading

    package func get(_ id: ID<Event>) async throws -> Event? {
        try await rows.read("reading an event") { try Self.fetch($0, id) }
    }

    /// Video events that have not ended, oldest first.
    package func open() async throws -> [Event] {
        try await rows.read("reading events") { db in
            try db.rows("SELECT * FROM events WHERE end_us IS NULL AND medium = 0 ORDER BY id", [], Self.event)
        }
    }

    /// Events that a filter lets through, newest first.
    package func list(_ filter: EventFilter) async throws -> [Event] { try await page(filter).events }

    /// How many events a filter lets through, `skip` and `limit` aside.
    package func count(_ filter: EventFilter) async throws -> Int {
        try await rows.read("counting events") { db in try Self.count(db, filter) }
    }

    /// Numbers of all events; kept as running totals, so this is cheap at any size.
    package func totals() async throws -> [EventTotal] {
        try await rows.read("counting events") { try Self.totals($0) }
    }

    /// Starts of the events in a range, counted in `buckets` equal parts of it.
    package func histogram(_ range: TimeRange, buckets: Int, allowed: Set<ID<Camera>>? = nil, kind: Event.Kind? = nil) async throws -> [Int] {
        let width = max(1, range.end.microseconds(since: range.start) / Int64(max(1, buckets)))
        var filter = EventFilter(allowed: allowed, kind: kind, range: range)
        filter.limit = 0
        guard buckets > 0, let query = EventQuery(filter) else { return [] }
        return try await rows.read("counting events") { db in
            var counts = [Int](repeating: 0, count: buckets)
            let sql = "SELECT (start_us - ?) / ? AS bucket, count(*) AS count FROM (\(query.union)) GROUP BY bucket"
            let pairs = try db.rows(sql, [range.start.microseconds, width] + query.unionArguments) { ($0["bucket"] as Int, $0["count"] as Int) }
            for (bucket, count) in pairs where bucket >= 0 { counts[min(bucket, buckets - 1)] += count }
            return counts
        }
    }

    // MARK: Deleting

    /// What becomes of the footage of deleted events.
    package enum Footage: Sendable, Hashable {
        case keep
        /// Segments that no other event stands for are marked as garbage in the same transaction.
        case deleteUnreferenced
    }

    /// Deletes events; their pictures go to `SegmentStore.garbageFiles`.
    package func delete(_ ids: [ID<Event>], footage: Footage = .deleteUnreferenced) async throws -> EventDeletion {
        let (deletion, gone) = try await rows.write("deleting events") { try Self.delete($0, ids, footage) }
        for id in gone { rows.changes.send(.eventDeleted(id)) }
        return deletion
    }

    static func delete(_ db: Database, _ ids: [ID<Event>], _ footage: Footage) throws -> (EventDeletion, gone: [ID<Event>]) {
        var deletion = EventDeletion()
        var gone: [ID<Event>] = []
        for id in ids {
            guard let event = try fetch(db, id) else {
                if !gone.contains(id) { deletion.missing.append(id) }
                continue
            }
            guard try !HoldStore.isHeld(db, event: id.rawValue) else {
                deletion.held.append(id)
                continue
            }
            deletion.deleted.append(event)
            gone.append(id)
            try forgetPictures(db, where: "id = ?", [id.rawValue])
            try db.run("DELETE FROM events WHERE id = ?", [id.rawValue])
            guard footage == .deleteUnreferenced else { continue }
            for segment in try unreferenced(db, by: event) {
                let (garbage, events) = try SegmentStore.markGarbage(db, segment)
                if let garbage { deletion.garbage.append(garbage) }
                gone += events
            }
        }
        return (deletion, gone)
    }

    /// Deletes rows but those that are held; their pictures go on the list of files to unlink. Gives their number.
    @discardableResult
    static func delete(_ db: Database, _ ids: [Int64]) throws -> Int {
        var count = 0
        for id in ids where try !HoldStore.isHeld(db, event: id) {
            try forgetPictures(db, where: "id = ?", [id])
            try db.run("DELETE FROM events WHERE id = ?", [id])
            count += 1
        }
        return count
    }

    /// Puts the pictures of events on the list of files to unlink.
    static func forgetPictures(_ db: Database, where condition: String, _ arguments: StatementArguments) throws {
        for column in ["picture_path", "thumbnail_path"] {
            try db.run(
                "INSERT OR IGNORE INTO garbage_files SELECT volume, \(column) FROM events WHERE (\(condition)) AND \(column) IS NOT NULL", arguments)
        }
    }

    /// Segments of a deleted event that no remaining event stands for or overlaps.
    private static func unreferenced(_ db: Database, by event: Event) throws -> [ID<Segment>] {
        guard event.medium == .video else { return [] }
        var candidates: [(id: Int64, start: Int64, end: Int64)] = []
        if let segment = event.segmentID {
            candidates = try db.rows("SELECT id, start_us, end_us FROM segments WHERE id = ? AND state IN (1, 2)", [segment.rawValue]) {
                ($0["id"], $0["start_us"], $0["end_us"])
            }
        } else {
            for role in StreamRole.allCases {
                candidates += try db.rows(
                    """
                    SELECT id, start_us, end_us FROM segments WHERE camera_id = ?1 AND role = ?2 AND start_us > ?4 - 3600000000
                        AND start_us < ?3 AND end_us > ?4 AND state IN (1, 2)
                    """,
                    [
                        event.cameraID.rawValue, SegmentStore.code(role), event.end?.microseconds ?? Int64.max,
                        max(event.start.microseconds, Int64.min / 2),
                    ]
                ) { ($0["id"], $0["start_us"], $0["end_us"]) }
            }
        }
        return try candidates.filter { segment in
            if try db.row("SELECT 1 FROM events WHERE segment_id = ?", [segment.id], { _ in true }) != nil { return false }
            return try db.row(
                """
                SELECT 1 FROM events WHERE camera_id = ?1 AND medium = 0 AND kind IN (0, 2) AND start_us < ?2
                    AND start_us > ?3 - 3600000000 AND (end_us IS NULL OR end_us > ?3)
                UNION ALL SELECT 1 FROM events WHERE camera_id = ?1 AND medium = 0 AND end_us IS NULL AND segment_id IS NULL
                    AND start_us < ?2
                UNION ALL SELECT 1 FROM events WHERE camera_id = ?1 AND kind IN (0, 2) AND medium = 0 AND end_us - start_us > 3600000000
                    AND start_us < ?2 AND end_us > ?3
                LIMIT 1
                """, [event.cameraID.rawValue, segment.end, max(segment.start, Int64.min / 2)], { _ in true }) == nil
        }.map { ID($0.id) }
    }

    // MARK: Rows

    static func code(_ medium: Event.Medium) -> Int { medium == .video ? 0 : 1 }

    static func code(_ kind: Event.Kind) -> Int {
        switch kind {
        case .motion: 0
        case .continuous: 1
        case .manual: 2
        }
    }

    static func medium(_ code: Int) -> Event.Medium { code == 0 ? .video : .snapshot }

    static func kind(_ code: Int) -> Event.Kind {
        switch code {
        case 0: .motion
        case 1: .continuous
        default: .manual
        }
    }

    private static func variable(_ event: Event) -> StatementArguments {
        [
            event.end?.microseconds, event.segmentID?.rawValue, event.picturePath, event.thumbnailPath, event.bytes, event.width,
            event.height, event.score, event.metadata, event.volume.rawValue,
        ]
    }

    static func totals(_ db: Database) throws -> [EventTotal] {
        try db.rows("SELECT camera_id, medium, kind, count, bytes FROM event_totals WHERE count > 0 ORDER BY camera_id, medium, kind") {
            EventTotal(cameraID: ID($0[0]), medium: medium($0[1]), kind: kind($0[2]), count: $0[3], bytes: $0[4])
        }
    }

    static func fetch(_ db: Database, _ id: ID<Event>) throws -> Event? {
        try db.row("SELECT * FROM events WHERE id = ?", [id.rawValue], event)
    }

    /// The columns that `positional` reads.
    static let columns = """
        e.id, e.camera_id, e.medium, e.kind, e.start_us, e.end_us, e.segment_id, e.picture_path, e.thumbnail_path, e.bytes, e.width,
        e.height, e.score, e.metadata, e.volume
        """

    /// A row of `columns`, read by place: finding columns by name takes most of the time of a page.
    static func positional(_ row: Row) -> Event {
        Event(
            id: ID(row[0]), cameraID: ID(row[1]), medium: medium(row[2]), kind: kind(row[3]), start: WallTime(microseconds: row[4]),
            end: (row[5] as Int64?).map(WallTime.init(microseconds:)), segmentID: (row[6] as Int64?).map(ID.init), picturePath: row[7],
            thumbnailPath: row[8], bytes: row[9], width: row[10], height: row[11], score: row[12], metadata: row[13],
            volume: VolumeID(rawValue: row[14]))
    }

    private static func event(_ row: Row) throws -> Event {
        Event(
            id: ID(row["id"]), cameraID: ID(row["camera_id"]), medium: medium(row["medium"]), kind: kind(row["kind"]),
            start: WallTime(microseconds: row["start_us"]), end: (row["end_us"] as Int64?).map(WallTime.init(microseconds:)),
            segmentID: (row["segment_id"] as Int64?).map(ID.init), picturePath: row["picture_path"], thumbnailPath: row["thumbnail_path"],
            bytes: row["bytes"], width: row["width"], height: row["height"], score: row["score"], metadata: row["metadata"],
            volume: VolumeID(rawValue: row["volume"]))
    }
}
