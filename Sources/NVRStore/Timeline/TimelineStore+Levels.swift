import FoundationEssentials
import GRDB

// The divisions of time that are kept, and filling them from rows.

extension TimelineStore {
    /// Keeps exactly the levels that clocks with these distances from UTC (seconds east) need: what is new is summed up from five
    /// minutes, what is needed no longer goes. Costs nothing when nothing differs; else some seconds for years of footage.
    package func setOffsets(_ offsets: Set<Int64>) async throws {
        let needed = TimelineLevel.needed(offsets: offsets)
        let known = try await levels()
        guard Set(known.map { [$0.unit, $0.phase] }) != needed else { return }
        try await rows.write("summing up the timeline") { db in
            let old = try Self.levels(db)
            for level in old where !needed.contains([level.unit, level.phase]) {
                try db.run("DELETE FROM timeline_chunks WHERE level = ?", [level.id])
                try db.run("DELETE FROM timeline_levels WHERE level = ?", [level.id])
            }
            let kept = Set(old.map { [$0.unit, $0.phase] })
            var added: [TimelineLevel] = []
            for pair in needed.subtracting(kept).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
                try db.run("INSERT INTO timeline_levels (unit, phase) VALUES (?, ?)", [pair[0], pair[1]])
                added.append(TimelineLevel(id: db.lastInsertedRowID, unit: pair[0], phase: pair[1]))
            }
            guard let fine = try Self.levels(db).first(where: { $0.unit == TimelineLevel.fiveMinutes }) else { return }
            try Self.sumUp(db, from: fine, into: added)
        }
    }

    package func levels() async throws -> [TimelineLevel] {
        try await rows.read("reading the timeline") { try Self.levels($0) }
    }

    static func levels(_ db: Database) throws -> [TimelineLevel] {
        try db.rows("SELECT level, unit, phase FROM timeline_levels ORDER BY level") { TimelineLevel(id: $0[0], unit: $0[1], phase: $0[2]) }
    }

    private static func sumUp(_ db: Database, from fine: TimelineLevel, into levels: [TimelineLevel]) throws {
        guard !levels.isEmpty else { return }
        for camera in try db.rows("SELECT DISTINCT camera_id FROM timeline_chunks", [], { $0[0] as Int64 }) {
            var sums = TimelineSums()
            let sql = "SELECT chunk, series, cells FROM timeline_chunks WHERE camera_id = ? AND level = ?"
            let found = try Row.fetchCursor(try db.cachedStatement(sql: sql), arguments: [camera, fine.id])
            while let row = try found.next() {
                guard let series = TimelineSeries(rawValue: row[1]) else { continue }
                let first = (row[0] as Int64) * TimelineLevel.chunk
                try Self.eachCell(of: row, at: 2, 0..<Int(TimelineLevel.chunk)) { place, value in
                    let time = (first + Int64(place)) * fine.unit - fine.phase
                    for level in levels { sums.add(series, level, bucket: level.bucket(of: time), value) }
                }
            }
            try store(db, sums, camera)
        }
    }

    /// Fills empty tables from segments and events.
    static func fill(_ db: Database, _ levels: [TimelineLevel]) throws {
        let segments =
            "SELECT role, start_us, end_us FROM segments INDEXED BY segments_by_time WHERE camera_id = ? AND role IN (0, 1) AND state IN (1, 2)"
        let events = """
            SELECT medium, kind, start_us, end_us FROM events INDEXED BY events_by_camera
            WHERE camera_id = ? AND medium IN (0, 1) AND kind IN (0, 1, 2) AND NOT (medium = 0 AND kind = 1)
            """
        let cameras = try db.rows("SELECT camera_id FROM segment_totals UNION SELECT camera_id FROM event_totals") { $0[0] as Int64 }
        for camera in cameras {
            var sums = TimelineSums()
            let found = try Row.fetchCursor(try db.cachedStatement(sql: segments), arguments: [camera])
            while let row = try found.next() {
                let series: TimelineSeries = row[0] as Int == 0 ? .footage : .subFootage
                let span = TimelineLevel.clip(row[1], row[2])
                for level in levels { sums.add(series, level, span) }
            }
            let happened = try Row.fetchCursor(try db.cachedStatement(sql: events), arguments: [camera])
            while let row = try happened.next() {
                let (medium, kind, start, end) = (row[0] as Int, row[1] as Int, row[2] as Int64, row[3] as Int64?)
                let span = TimelineLevel.clip(start, end ?? start)
                for level in levels {
                    sums.add(medium == 1 ? .snapshots : .events, level, bucket: level.bucket(of: span.lowerBound), 1)
                    if medium == 0, kind == 0 { sums.add(.motion, level, span) }
                }
            }
            try store(db, sums, camera)
        }
    }

    private static func store(_ db: Database, _ sums: TimelineSums, _ camera: Int64) throws {
        for row in sums.rows {
            try db.run(
                "INSERT INTO timeline_chunks (camera_id, level, chunk, series, total, cells) VALUES (?, ?, ?, ?, ?, ?)",
                [camera, row.level, row.chunk, row.series, row.total, row.cells])
        }
    }

    /// Calls `body` for the cells of a row that are not zero, of some places.
    static func eachCell(of row: Row, at column: Int, _ places: Range<Int>, _ body: (_ place: Int, _ value: Int64) -> Void) throws {
        try row.withUnsafeData(atIndex: column) { data in
            guard let data, data.count == Int(TimelineLevel.chunk) * TimelineLevel.digits else { return }
            data.withUnsafeBytes { bytes in
                for place in places {
                    let start = place * TimelineLevel.digits
                    var value: Int64 = 0
                    for byte in bytes[start..<start + TimelineLevel.digits] { value = value &* 10 &+ Int64(byte &- UInt8(ascii: "0")) }
                    if value != 0 { body(place, value) }
                }
            }
        }
    }
}
