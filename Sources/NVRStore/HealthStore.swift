import GRDB
package import NVRModel

/// What people must hear of, and how much of each day was recorded.
package struct HealthStore: Sendable {
    let rows: Rows

    /// Events that are kept; older ones that have ended go.
    package static let mostEvents = 10_000
    /// Days of a camera whose sums are kept.
    package static let keptDays = 5 * 366

    /// Makes the rows equal to these events, told apart by kind, camera and start; in one transaction. Doing it twice does no harm.
    package func put(_ events: [HealthEvent]) async throws {
        guard !events.isEmpty else { return }
        try await rows.write("noting the server's health") { db in
            for event in events {
                try db.run(
                    """
                    INSERT INTO health_events (kind, camera_id, start_us, end_us, cause, detail) VALUES (?, ?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET end_us = excluded.end_us, cause = excluded.cause, detail = excluded.detail
                    """,
                    [
                        event.kind.rawValue, event.cameraID?.rawValue ?? 0, event.start.microseconds, event.end?.microseconds, event.cause,
                        event.detail,
                    ])
            }
            try db.run(
                "DELETE FROM health_events WHERE id <= (SELECT max(id) FROM health_events) - ? AND end_us IS NOT NULL", [Self.mostEvents])
        }
    }

    private static let columns = "id, kind, camera_id, start_us, end_us, cause, detail"

    static let openSQL = "SELECT \(columns) FROM health_events INDEXED BY health_events_open WHERE end_us IS NULL ORDER BY id"

    /// Those that last, oldest first.
    package func open() async throws -> [HealthEvent] {
        try await rows.read("reading the server's health") { db in try db.rows(Self.openSQL, [], Self.event) }
    }

    /// Newest first. `before`: older than that of this id.
    package func list(before: ID<HealthEvent>?, onlyOpen: Bool, camera: ID<Camera>?, limit: Int) async throws -> [HealthEvent] {
        try await rows.read("reading the server's health") { db in
            try db.rows(
                """
                SELECT \(Self.columns) FROM health_events
                WHERE id < ?1 AND (NOT ?2 OR end_us IS NULL) AND (?3 IS NULL OR camera_id = ?3) ORDER BY id DESC LIMIT ?4
                """, [before?.rawValue ?? .max, onlyOpen, camera?.rawValue, limit], Self.event)
        }
    }

    private static func event(_ row: Row) -> HealthEvent {
        let camera = row["camera_id"] as Int64
        return HealthEvent(
            id: ID(row["id"]), kind: HealthEvent.Kind(rawValue: row["kind"]), cameraID: camera == 0 ? nil : ID(camera),
            start: WallTime(microseconds: row["start_us"]), end: (row["end_us"] as Int64?).map(WallTime.init(microseconds:)),
            cause: row["cause"], detail: row["detail"])
    }

    // MARK: Days

    /// Notes how much of a day was recorded, once and for all.
    package func put(_ days: [RecordedDay]) async throws {
        guard !days.isEmpty else { return }
        try await rows.write("noting what was recorded") { db in
            for day in days {
                try db.run(
                    "INSERT INTO recorded_days VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    [day.cameraID.rawValue, day.day, day.recorded, day.missed])
                // By number and not by age: a clock may be wrong.
                try db.run(
                    """
                    DELETE FROM recorded_days WHERE camera_id = ?1 AND day <
                        (SELECT day FROM recorded_days WHERE camera_id = ?1 ORDER BY day DESC LIMIT 1 OFFSET ?2)
                    """, [day.cameraID.rawValue, Self.keptDays])
            }
        }
    }

    /// What is known of days, by camera.
    package func days(_ days: ClosedRange<Int>, of cameras: [ID<Camera>]) async throws -> [RecordedDay] {
        try await rows.read("reading what was recorded") { db in
            try cameras.flatMap { camera in
                try db.rows(
                    "SELECT day, recorded_us, missed_us FROM recorded_days WHERE camera_id = ? AND day BETWEEN ? AND ?",
                    [camera.rawValue, days.lowerBound, days.upperBound]
                ) { RecordedDay(cameraID: camera, day: $0["day"], recorded: $0["recorded_us"], missed: $0["missed_us"]) }
            }
        }
    }

    static let spansSQL = """
        SELECT id, start_us, end_us, state FROM segments INDEXED BY segments_by_time
        WHERE camera_id = ?1 AND role = 0 AND start_us > ?2 - 86400000000 AND start_us < ?3 AND end_us > ?2 AND state IN (1, 2)
        ORDER BY start_us
        """
    static let firstSQL = """
        SELECT start_us FROM segments INDEXED BY segments_by_time WHERE camera_id = ? AND role = 0 AND state IN (1, 2) ORDER BY start_us LIMIT 1
        """
    static let outagesSQL = """
        SELECT camera_id, start_us, end_us, cause, reason FROM outages WHERE camera_id = ?1 AND start_us < ?3 AND (end_us IS NULL OR end_us > ?2)
        ORDER BY start_us
        """

    /// What tells how much of a range was recorded of a camera's main stream.
    package func facts(of camera: ID<Camera>, in range: TimeRange) async throws -> RecordedFacts {
        try await rows.read("reading what was recorded") { db in
            let arguments: StatementArguments = [camera.rawValue, range.start.microseconds, range.end.microseconds]
            let spans = try db.rows(Self.spansSQL, arguments) { row in
                RecordedFacts.Span(
                    id: ID(row["id"]), start: WallTime(microseconds: row["start_us"]), end: WallTime(microseconds: row["end_us"]),
                    isGrowing: row["state"] == 1)
            }
            let first = try db.row(Self.firstSQL, [camera.rawValue]) { WallTime(microseconds: $0["start_us"]) }
            return RecordedFacts(spans: spans, first: first, outages: try db.rows(Self.outagesSQL, arguments, OutageStore.outage))
        }
    }
}

/// How much of a day of the calendar was recorded of a camera.
package struct RecordedDay: Sendable, Hashable {
    package var cameraID: ID<Camera>
    /// Days of the server's calendar since 1970.
    package var day: Int
    /// Microseconds that were recorded, or in which there was nothing to record but the camera was watched.
    package var recorded: Int64
    /// Microseconds that are missing.
    package var missed: Int64

    package init(cameraID: ID<Camera>, day: Int, recorded: Int64, missed: Int64) {
        self.cameraID = cameraID
        self.day = day
        self.recorded = recorded
        self.missed = missed
    }
}

/// Footage and outages of one camera in a range of time.
package struct RecordedFacts: Sendable {
    package struct Span: Sendable, Hashable {
        package var id: ID<Segment>
        package var start: WallTime
        package var end: WallTime
        package var isGrowing: Bool

        package init(id: ID<Segment>, start: WallTime, end: WallTime, isGrowing: Bool) {
            self.id = id
            self.start = start
            self.end = end
            self.isGrowing = isGrowing
        }
    }

    /// By their begin.
    package var spans: [Span]
    /// Begin of the oldest footage of the camera there is.
    package var first: WallTime?
    package var outages: [Outage]

    package init(spans: [Span], first: WallTime?, outages: [Outage]) {
        self.spans = spans
        self.first = first
        self.outages = outages
    }
}
