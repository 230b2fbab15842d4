import GRDB
import NVRBase
package import NVRModel

/// Buckets of one level that make up cells of equal length, one after another.
package struct TimelineRun: Sendable, Hashable {
    package var level: Int64
    package var firstBucket: Int64
    /// Buckets in a cell.
    package var bucketsPerCell: Int64
    package var firstCell: Int
    package var cells: Int

    package init(level: Int64, firstBucket: Int64, bucketsPerCell: Int64, firstCell: Int, cells: Int) {
        self.level = level
        self.firstBucket = firstBucket
        self.bucketsPerCell = bucketsPerCell
        self.firstCell = firstCell
        self.cells = cells
    }
}

/// Sums by cell: milliseconds of footage and of motion, numbers of events and of snapshots.
package struct TimelineCells: Sendable, Hashable {
    package var footage: [Int64]
    package var motion: [Int64]
    package var events: [Int64]
    package var snapshots: [Int64]

    package init(count: Int) {
        footage = Array(repeating: 0, count: count)
        motion = footage
        events = footage
        snapshots = footage
    }
}

/// What is asked of a timeline's rows.
package struct TimelineQuery: Sendable {
    package enum Detail: Sendable {
        /// Segments and events one by one; a camera with more rows than that has none.
        case rows(most: Int)
        /// Sums. The closure says which buckets make up the cells, given the levels there are.
        case cells(count: Int, runs: @Sendable ([TimelineLevel]) -> [TimelineRun])
    }

    /// Outages that last too short to be seen are not looked for.
    package enum ShortestOutage: Sendable {
        case any
        case minutes
        case hours
    }

    package var cameras: [ID<Camera>]
    package var range: TimeRange
    package var detail: Detail
    package var outages: ShortestOutage

    package init(cameras: [ID<Camera>], range: TimeRange, detail: Detail, outages: ShortestOutage) {
        self.cameras = cameras
        self.range = range
        self.detail = detail
        self.outages = outages
    }
}

/// What the rows say of one camera's main stream.
package struct TimelineRows: Sendable {
    package struct Span: Sendable, Hashable {
        package var start: WallTime
        package var end: WallTime
    }

    package struct Growing: Sendable, Hashable {
        package var id: ID<Segment>
        package var start: WallTime
        /// As far as its row, and with it the sums, know.
        package var end: WallTime
    }

    package struct Happening: Sendable, Hashable {
        package var id: ID<Event>
        package var medium: Event.Medium
        package var kind: Event.Kind
        package var start: WallTime
        package var end: WallTime?
        package var score: Double?
    }

    package var cameraID: ID<Camera>
    /// Begin of the oldest and end of the newest footage.
    package var first: WallTime?
    package var last: WallTime?
    /// Set for `rows`: segments that hold anything of the range, oldest first.
    package var segments: [Span] = []
    /// Set for `rows`: events but for continuous ones, oldest first.
    package var events: [Happening] = []
    /// Set for `cells`.
    package var cells = TimelineCells(count: 0)
    package var outages: [Outage] = []
    package var areOutagesCut = false
    package var growing: [Growing] = []
    /// Motion that goes on.
    package var openMotion: [WallTime] = []
}

/// Reads what happened when, at any zoom for the same price. Sums are kept by triggers (migration M0007).
package struct TimelineStore: Sendable {
    let rows: Rows

    /// Outages of a camera in one answer.
    package static let mostOutages = 500

    /// The rows of each camera as of one moment; nil when there are too many to be read one by one.
    package func read(_ query: TimelineQuery) async throws -> [TimelineRows]? {
        try await rows.read("reading the timeline") { db in
            var runs: [TimelineRun] = []
            if case .cells(_, let make) = query.detail { runs = make(try Self.levels(db)) }
            let growing = try Self.growing(db)
            var all: [TimelineRows] = []
            all.reserveCapacity(query.cameras.count)
            for camera in query.cameras {
                var rows = TimelineRows(cameraID: camera)
                rows.first = try db.row(Self.firstSQL, [camera.rawValue]) { WallTime(microseconds: $0[0]) }
                rows.last = try db.row(Self.lastSQL, [camera.rawValue]) { WallTime(microseconds: $0[0]) }
                rows.growing = growing[camera] ?? []
                rows.openMotion = try db.rows(Self.openMotionSQL, [camera.rawValue]) { WallTime(microseconds: $0[0]) }
                try Self.readOutages(db, query, &rows)
                switch query.detail {
                case .rows(let most): guard try Self.readRows(db, query.range, most: most, &rows) else { return nil }
                case .cells(let count, _):
                    rows.cells = TimelineCells(count: count)
                    for run in runs { try Self.read(db, run, &rows) }
                }
                all.append(rows)
            }
            return all
        }
    }

    static let firstSQL = """
        SELECT start_us FROM segments INDEXED BY segments_by_time WHERE camera_id = ? AND role = 0 AND state IN (1, 2) ORDER BY start_us LIMIT 1
        """
    static let lastSQL = """
        SELECT end_us FROM segments INDEXED BY segments_by_time WHERE camera_id = ? AND role = 0 AND state IN (1, 2)
        ORDER BY start_us DESC LIMIT 1
        """
    static let growingSQL = """
        SELECT id, camera_id, start_us, end_us FROM segments INDEXED BY segments_not_finished WHERE state <> 2 AND state = 1 AND role = 0
        """
    static let openMotionSQL = """
        SELECT start_us FROM events INDEXED BY events_open WHERE camera_id = ? AND end_us IS NULL AND medium = 0 AND kind = 0 LIMIT 100
        """

    private static func growing(_ db: Database) throws -> [ID<Camera>: [TimelineRows.Growing]] {
        let found = try db.rows(growingSQL) { row in
            (
                ID<Camera>(row[1]),
                TimelineRows.Growing(id: ID(row[0]), start: WallTime(microseconds: row[2]), end: WallTime(microseconds: row[3]))
            )
        }
        return Dictionary(grouping: found, by: \.0).mapValues { $0.map(\.1) }
    }

    // MARK: Sums

    static let chunksSQL = "SELECT chunk, series, cells FROM timeline_chunks WHERE camera_id = ? AND level = ? AND chunk >= ? AND chunk <= ?"

    private static func read(_ db: Database, _ run: TimelineRun, _ rows: inout TimelineRows) throws {
        let last = run.firstBucket + run.bucketsPerCell * Int64(run.cells) - 1
        let statement = try db.cachedStatement(sql: chunksSQL)
        let found = try Row.fetchCursor(
            statement, arguments: [rows.cameraID.rawValue, run.level, run.firstBucket / TimelineLevel.chunk, last / TimelineLevel.chunk])
        while let row = try found.next() {
            let base = (row[0] as Int64) * TimelineLevel.chunk
            let places = Int(max(0, run.firstBucket - base))..<Int(min(TimelineLevel.chunk, last - base + 1))
            let keyPath: WritableKeyPath<TimelineCells, [Int64]>
            switch TimelineSeries(rawValue: row[1]) {
            case .footage: keyPath = \.footage
            case .motion: keyPath = \.motion
            case .events: keyPath = \.events
            case .snapshots: keyPath = \.snapshots
            case .subFootage, nil: continue
            }
            // Taken out, so that writing to it copies nothing.
            var sums: [Int64] = []
            swap(&sums, &rows.cells[keyPath: keyPath])
            try eachCell(of: row, at: 2, places) { place, value in
                sums[run.firstCell + Int((base + Int64(place) - run.firstBucket) / run.bucketsPerCell)] += value
            }
            swap(&sums, &rows.cells[keyPath: keyPath])
        }
    }

    // MARK: One by one

    /// From the index alone.
    static let segmentsSQL = """
        SELECT start_us, end_us FROM segments INDEXED BY segments_by_time
        WHERE camera_id = ?1 AND role = 0 AND start_us > ?2 - 3600000000 AND start_us < ?3 AND end_us > ?2
            AND end_us - start_us <= 3600000000 AND state IN (1, 2) LIMIT ?4
        """
    static let longSegmentsSQL = """
        SELECT start_us, end_us FROM segments INDEXED BY segments_long
        WHERE camera_id = ?1 AND role = 0 AND end_us - start_us > 3600000000 AND start_us < ?3 AND end_us > ?2 AND state IN (1, 2) LIMIT ?4
        """

    static let eventsSQL: String = {
        let columns = "SELECT id, medium, kind, start_us, end_us, score FROM events INDEXED BY"
        let videos = [0, 2].map { kind in
            """
            \(columns) events_by_camera WHERE camera_id = ?1 AND medium = 0 AND kind = \(kind) AND start_us > ?2 - 3600000000
                AND start_us < ?3 AND (end_us IS NULL OR (end_us > ?2 OR start_us >= ?2) AND end_us - start_us <= 3600000000)
            UNION ALL \(columns) events_long WHERE camera_id = ?1 AND kind = \(kind) AND medium = 0 AND end_us - start_us > 3600000000
                AND start_us < ?3 AND end_us > ?2
            """
        }
        let snapshots = [0, 2].map { kind in
            "\(columns) events_by_camera WHERE camera_id = ?1 AND medium = 1 AND kind = \(kind) AND start_us >= ?2 AND start_us < ?3"
        }
        let open = """
            \(columns) events_open WHERE camera_id = ?1 AND end_us IS NULL AND medium = 0 AND kind <> 1 AND start_us <= ?2 - 3600000000
            """
        return (videos + snapshots + [open]).joined(separator: " UNION ALL ") + " LIMIT ?4"
    }()

    private static func readRows(_ db: Database, _ range: TimeRange, most: Int, _ rows: inout TimelineRows) throws -> Bool {
        // The lower bound subtracts an hour, which must not pass the smallest time.
        let (start, end) = (max(range.start.microseconds, Int64.min / 2), range.end.microseconds)
        let arguments: StatementArguments = [rows.cameraID.rawValue, start, end, most + 1]
        for sql in [longSegmentsSQL, segmentsSQL] {
            let found = try Row.fetchCursor(try db.cachedStatement(sql: sql), arguments: arguments)
            while let row = try found.next() {
                rows.segments.append(TimelineRows.Span(start: WallTime(microseconds: row[0]), end: WallTime(microseconds: row[1])))
            }
        }
        guard rows.segments.count <= most else { return false }
        rows.events = try db.rows(eventsSQL, arguments) { row in
            TimelineRows.Happening(
                id: ID(row[0]), medium: EventStore.medium(row[1]), kind: EventStore.kind(row[2]), start: WallTime(microseconds: row[3]),
                end: (row[4] as Int64?).map(WallTime.init(microseconds:)), score: row[5])
        }
        guard rows.events.count <= most else { return false }
        // Long ones came first.
        if rows.segments.indices.dropFirst().contains(where: { rows.segments[$0].start < rows.segments[$0 - 1].start }) {
            rows.segments.sort { $0.start < $1.start }
        }
        rows.events.sort { ($0.start, $0.id) < ($1.start, $1.id) }
        return true
    }

    // MARK: Outages

    /// Those that begin in the range, newest first, of a length.
    static func outagesSQL(_ shortest: TimelineQuery.ShortestOutage) -> String {
        let (index, condition) =
            switch shortest {
            case .any: ("", "")
            case .minutes: ("INDEXED BY outages_of_minutes", " AND (end_us IS NULL OR end_us - start_us > 600000000)")
            case .hours: ("INDEXED BY outages_of_hours", " AND (end_us IS NULL OR end_us - start_us > 21600000000)")
            }
        return """
            SELECT camera_id, start_us, end_us, cause, reason FROM outages \(index)
            WHERE camera_id = ? AND start_us > ? AND start_us < ?\(condition) ORDER BY start_us DESC LIMIT ?
            """
    }

    /// Outages follow each other, so that only the last ones before a time can reach into what comes after.
    static let outagesBeforeSQL = """
        SELECT camera_id, start_us, end_us, cause, reason FROM outages WHERE camera_id = ? AND start_us <= ? ORDER BY start_us DESC LIMIT 4
        """

    private static func readOutages(_ db: Database, _ query: TimelineQuery, _ rows: inout TimelineRows) throws {
        let (start, end, camera) = (query.range.start, query.range.end, rows.cameraID.rawValue)
        var found = try db.rows(
            outagesSQL(query.outages), [camera, start.microseconds, end.microseconds, mostOutages + 1], OutageStore.outage)
        rows.areOutagesCut = found.count > mostOutages
        if rows.areOutagesCut { found.removeLast() }
        found += try db.rows(outagesBeforeSQL, [camera, start.microseconds], OutageStore.outage).filter { $0.end.map { $0 > start } ?? true }
        rows.outages = found.reversed()
    }
}
