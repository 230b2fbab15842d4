import GRDB
import NVRBase
package import NVRModel

/// One page of a list of events.
package struct EventPage: Sendable, Hashable {
    /// Newest first.
    package var events: [Event] = []
    /// Of each of them, the path below the folder of its volume of the segment that it stands for.
    package var segmentPaths: [String?] = []
    /// How many events the filter lets through, `skip` and `limit` aside.
    package var count = 0
}

extension EventStore {
    /// Events from which a page on is looked for by counts instead of by passing over them one by one.
    static let farAway = 256

    /// Events that a filter lets through, newest first, with their number, as of one moment.
    package func page(_ filter: EventFilter) async throws -> EventPage {
        // Asked before reading: what is committed meanwhile makes what is kept old at once.
        let version = rows.versions.footage
        var subject = filter
        (subject.skip, subject.limit) = (0, 0)
        let known = rows.eventCounts.value(of: subject, for: version)
        let page = try await rows.read("reading events") { db in
            var page = EventPage()
            page.count = try known ?? Self.count(db, filter)
            guard page.count > 0, let query = try Self.query(db, filter) else { return page }
            page.events.reserveCapacity(min(filter.limit, 1000))
            page.segmentPaths.reserveCapacity(min(filter.limit, 1000))
            let rows = try Row.fetchCursor(try db.cachedStatement(sql: query.rows), arguments: query.pageArguments)
            while let row = try rows.next() {
                let event = Self.positional(row)
                page.events.append(event)
                page.segmentPaths.append(event.segmentID == nil ? nil : row[15])
            }
            return page
        }
        if known == nil { rows.eventCounts.keep(page.count, of: subject, for: version) }
        return page
    }

    /// The query of a page that begins where the page does, as far as that can be found. Nil when there is nothing on it.
    private static func query(_ db: Database, _ filter: EventFilter) throws -> EventQuery? {
        var near = try near(db, filter)
        guard let query = EventQuery(near) else { return nil }
        guard let first = query.first else { return query }
        guard let found = try db.row(first, query.firstArguments, { (start: $0[0] as Int64, id: $0[1] as Int64) }) else { return nil }
        near.skip = 0
        return EventQuery(near, from: found)
    }

    /// The number of the events that a filter lets through.
    static func count(_ db: Database, _ filter: EventFilter) throws -> Int {
        if filter.label != nil || filter.zone != nil || !(filter.dayTime?.isOfQuarters ?? true) {
            guard let query = EventQuery(filter) else { return 0 }
            return try db.row(query.count, query.countArguments) { $0["count"] as Int } ?? 0
        }
        let counts = EventCounts(db, filter)
        if let range = filter.range { return try counts.count(range) }
        guard filter.dayTime != nil else { return try counts.total() }
        return try counts.count(TimeRange(start: WallTime(microseconds: 0), end: WallTime(microseconds: .max)))
    }

    /// The same page by another filter, which begins close to it. What lies behind the end of the list stays there.
    static func near(_ db: Database, _ filter: EventFilter) throws -> EventFilter {
        // Counts tell nothing of tags, and of times of day only how many there are.
        guard filter.skip >= farAway, filter.label == nil, filter.zone == nil, filter.dayTime == nil else { return filter }
        var near = filter
        guard let (end, rest) = try EventCounts(db, filter).position(skipping: filter.skip, in: filter.range) else {
            near.limit = 0
            return near
        }
        near.skip = rest
        if let end {
            let start = filter.range?.start ?? WallTime(microseconds: .min)
            near.range = TimeRange(start: start, end: WallTime(microseconds: max(end, start.microseconds)))
        }
        return near
    }

    /// Events by the quarter of an hour since 1970 in which they begin, for those from `first` up to before `last`.
    package func byQuarter(
        _ first: Int64, _ last: Int64, allowed: Set<ID<Camera>>?
    ) async throws -> [Int64: (events: Int, videos: Int)] {
        try await rows.read("counting events") { try EventCounts($0, EventFilter(allowed: allowed)).byQuarter(first, last) }
    }

    /// The number of the events that begin in each of some ranges.
    package func counts(of ranges: [TimeRange], allowed: Set<ID<Camera>>?) async throws -> [Int] {
        try await rows.read("counting events") { db in
            let counts = EventCounts(db, EventFilter(allowed: allowed))
            return try ranges.map { try counts.count($0) }
        }
    }

    /// What events of the visible cameras are labelled with, and the zones they were in, by name, the first 500 of each.
    package func tags(allowed: Set<ID<Camera>>?) async throws -> (labels: [String], zones: [String]) {
        try await rows.read("reading labels") { db in (try Self.tags(db, 0, allowed), try Self.tags(db, 1, allowed)) }
    }

    private static func tags(_ db: Database, _ isZone: Int, _ allowed: Set<ID<Camera>>?) throws -> [String] {
        let only = allowed.map { " AND camera_id IN (\($0.sorted().map(\.description).joined(separator: ",")))" } ?? ""
        // From one tag to the next by the index, however many events have it.
        return try db.rows(
            """
            WITH RECURSIVE tags (tag) AS (
                SELECT min(tag) FROM event_tags WHERE is_zone = ?1
                UNION ALL SELECT (SELECT min(tag) FROM event_tags WHERE is_zone = ?1 AND tag > tags.tag) FROM tags WHERE tags.tag IS NOT NULL
            )
            SELECT tag FROM tags WHERE tag IS NOT NULL
                AND EXISTS (SELECT 1 FROM event_tags AS t WHERE t.is_zone = ?1 AND t.tag = tags.tag\(only)) LIMIT 500
            """, [isZone]
        ) { $0["tag"] as String }
    }
}
