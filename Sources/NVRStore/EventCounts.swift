import GRDB
import NVRModel

/// Numbers of events by time, from the counts that triggers keep by quarter of an hour and by UTC day (table `event_counts`): whatever the
/// number of events, a range is the sum of a few rows and of two ends that are counted one by one.
struct EventCounts {
    let db: Database
    /// Cameras that count; nil = every one, also deleted ones.
    let cameras: [ID<Camera>]?
    var medium: Event.Medium?
    var kind: Event.Kind?
    /// Of whole quarters of an hour; other times of day are counted row by row.
    var dayTime: DayTime?

    /// Microseconds of a bucket of each unit.
    static let quarter: Int64 = 900_000_000
    static let quartersADay: Int64 = 96

    /// The cameras that a filter lets through. An empty list lets nothing through.
    init(_ db: Database, _ filter: EventFilter) {
        self.db = db
        switch (filter.camera, filter.allowed) {
        case (let camera?, let allowed?): cameras = allowed.contains(camera) ? [camera] : []
        case (let camera?, nil): cameras = [camera]
        case (nil, let allowed): cameras = allowed?.sorted()
        }
        medium = filter.medium
        kind = filter.kind
        dayTime = filter.dayTime
    }

    // MARK: Counting

    /// Events of all times, those that begin before 1970 too.
    func total() throws -> Int {
        // Ids are numbers, so they may stand in the text.
        let owners = cameras.map { " AND camera_id IN (\($0.map(\.description).joined(separator: ",")))" } ?? ""
        let sql = "SELECT coalesce(sum(count), 0) AS count FROM event_totals WHERE 1 = 1" + owners + condition
        return try db.row(sql, values) { $0["count"] as Int } ?? 0
    }

    /// Events that begin in a range.
    func count(_ range: TimeRange) throws -> Int {
        // Nothing is listed from before 1970, where the division of times would round the other way.
        let start = max(0, range.start.microseconds)
        let end = max(start, range.end.microseconds)
        let first = start / Self.quarter + (start % Self.quarter == 0 ? 0 : 1)
        let last = end / Self.quarter
        guard first < last else { return try countRows(start, end) }
        return try countRows(start, first * Self.quarter) + countQuarters(first, last) + countRows(last * Self.quarter, end)
    }

    private func countQuarters(_ first: Int64, _ last: Int64) throws -> Int {
        let firstDay = first / Self.quartersADay + (first % Self.quartersADay == 0 ? 0 : 1)
        let lastDay = last / Self.quartersADay
        guard firstDay < lastDay, dayTime == nil else { return try sum(0, first, last) }
        return try sum(0, first, firstDay * Self.quartersADay) + sum(1, firstDay, lastDay) + sum(0, lastDay * Self.quartersADay, last)
    }

    private func sum(_ unit: Int, _ first: Int64, _ last: Int64) throws -> Int {
        guard first < last else { return 0 }
        let part = dayTime.map { " AND " + $0.condition(on: "bucket * 900") } ?? ""
        let times = StatementArguments(dayTime.map { [$0.start, $0.length] } ?? [])
        return try (cameras?.map(\.rawValue) ?? [0]).reduce(0) { count, camera in
            let sql = "SELECT coalesce(sum(count), 0) AS count FROM event_counts WHERE camera_id = ? AND unit = ? AND bucket >= ? AND bucket < ?"
            return try count + (db.row(sql + part + condition, [camera, unit, first, last] + times + values) { $0["count"] as Int } ?? 0)
        }
    }

    /// Less than two quarters of an hour: counted in the index.
    private func countRows(_ start: Int64, _ end: Int64) throws -> Int {
        guard start < end else { return 0 }
        var filter = EventFilter(allowed: cameras.map(Set.init), medium: medium, kind: kind)
        filter.range = TimeRange(start: WallTime(microseconds: start), end: WallTime(microseconds: end))
        filter.dayTime = dayTime
        guard let query = EventQuery(filter) else { return 0 }
        return try db.row(query.count, query.countArguments) { $0["count"] as Int } ?? 0
    }

    /// Events of each quarter of an hour of a range that begins and ends at one: all of them, and videos.
    func byQuarter(_ first: Int64, _ last: Int64) throws -> [Int64: (events: Int, videos: Int)] {
        var found: [Int64: (events: Int, videos: Int)] = [:]
        for camera in cameras?.map(\.rawValue) ?? [0] {
            let sql = "SELECT bucket, medium, count FROM event_counts WHERE camera_id = ? AND unit = 0 AND bucket >= ? AND bucket < ?"
            let rows = try db.rows(sql, [camera, first, last]) { ($0[0] as Int64, $0[1] as Int, $0[2] as Int) }
            for (bucket, medium, count) in rows {
                found[bucket, default: (0, 0)].events += count
                if medium == EventStore.code(.video) { found[bucket, default: (0, 0)].videos += count }
            }
        }
        return found
    }

    // MARK: Passing over

    /// Where a list goes on that passes over its newest `skip` events: those that begin before `end`, of which `rest` are still to be
    /// passed over. Nil when nothing is left.
    func position(skipping skip: Int, in range: TimeRange?) throws -> (end: Int64?, rest: Int)? {
        let start = max(0, range?.start.microseconds ?? 0)
        var rest = skip
        var day = Int64.max / (Self.quarter * Self.quartersADay)
        if let range {
            let last = max(0, range.end.microseconds) / Self.quarter
            let tail = try countRows(max(start, last * Self.quarter), range.end.microseconds)
            if rest < tail { return (range.end.microseconds, rest) }
            rest -= tail
            day = last / Self.quartersADay
            if let found = try walk(0, from: day * Self.quartersADay, before: last, &rest) { return (end(found.bucket), rest) }
        }
        guard let found = try walk(1, from: start / Self.quarter / Self.quartersADay, before: day, &rest) else { return nil }
        // From that end of the day which is nearer.
        let quarters = found.bucket * Self.quartersADay
        let isLate = rest > found.count / 2
        if isLate { rest = found.count - 1 - rest }
        guard let quarter = try walk(0, from: quarters, before: quarters + Self.quartersADay, isForward: isLate, &rest) else { return nil }
        return (end(quarter.bucket), isLate ? quarter.count - 1 - rest : rest)
    }

    private func end(_ quarter: Int64) -> Int64 { (quarter + 1) * Self.quarter }

    /// Walks buckets, backwards or forward, as long as `rest` passes over all of one; gives the one it ends in, with its count.
    private func walk(
        _ unit: Int, from first: Int64, before last: Int64, isForward: Bool = false, _ rest: inout Int
    ) throws -> (bucket: Int64, count: Int)? {
        guard first < last, cameras?.isEmpty != true else { return nil }
        // Ids are numbers, so they may stand in the text.
        let owner = cameras.map { $0.count == 1 ? "= \($0[0])" : "IN (\($0.map(\.description).joined(separator: ",")))" } ?? "= 0"
        let sql = "SELECT bucket, sum(count) FROM event_counts WHERE camera_id \(owner) AND unit = ? AND bucket >= ? AND bucket < ?"
        let statement = try db.cachedStatement(sql: sql + condition + " GROUP BY bucket ORDER BY bucket" + (isForward ? "" : " DESC"))
        let rows = try Row.fetchCursor(statement, arguments: [unit, first, last] + values)
        while let row = try rows.next() {
            let count: Int = row[1]
            if rest < count { return (row[0], count) }
            rest -= count
        }
        return nil
    }

    // MARK: Filter

    private var condition: String { (medium == nil ? "" : " AND medium = ?") + (kind == nil ? "" : " AND kind = ?") }

    private var values: StatementArguments {
        StatementArguments([medium.map { EventStore.code($0) }, kind.map { EventStore.code($0) }].compactMap { $0 })
    }
}
