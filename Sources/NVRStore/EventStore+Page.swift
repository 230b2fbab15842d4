import GRDB
import NVRBase
package import NVRModel

/// One page of a list of events.
package struct EventPage: Sendable, Hashable {
    /// Newest first.
    package var events: [Event] = []
    /// Paths below the recording root of the segments that continuous events stand for.
    package var segments: [ID<Segment>: String] = [:]
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
        let known = rows.eventTotals.value(for: version)
        let kept = rows.eventTotals
        return try await rows.read("reading events") { db in
            var page = EventPage()
            page.count = try Self.count(db, filter) {
                let totals = try known ?? Self.totals(db)
                if known == nil { kept.keep(totals, for: version) }
                return totals
            }
            guard page.count > 0, let query = try EventQuery(Self.near(db, filter)) else { return page }
            page.events.reserveCapacity(min(filter.limit, 1000))
            let rows = try Row.fetchCursor(try db.cachedStatement(sql: query.rows), arguments: query.pageArguments)
            while let row = try rows.next() {
                let event = Self.positional(row)
                if let segment = event.segmentID { page.segments[segment] = row[15] as String? }
                page.events.append(event)
            }
            return page
        }
    }

    /// The number of the events that a filter lets through. `totals`: asked for when the filter names no time.
    static func count(_ db: Database, _ filter: EventFilter, _ totals: () throws -> [EventTotal]) throws -> Int {
        if let range = filter.range { return try EventCounts(db, filter).count(range) }
        return try totals().reduce(0) { count, total in
            let isMeant =
                filter.camera.map { $0 == total.cameraID } ?? true && filter.allowed?.contains(total.cameraID) ?? true
                && filter.medium.map { $0 == total.medium } ?? true && filter.kind.map { $0 == total.kind } ?? true
            return isMeant ? count + total.count : count
        }
    }

    /// The same page by another filter, which begins close to it. What lies behind the end of the list stays there.
    static func near(_ db: Database, _ filter: EventFilter) throws -> EventFilter {
        guard filter.skip >= farAway else { return filter }
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
}
