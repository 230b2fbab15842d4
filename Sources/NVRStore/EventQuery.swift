import GRDB
import NVRModel

/// SQL of a filter on events. Each camera is one range of one index, already in order, and so is each combination of camera, medium and
/// kind where the filter chooses among these; SQLite merges the ranges and stops when the page is full, so a page costs `skip + limit`
/// index steps whatever the table's size.
struct EventQuery {
    /// Ids of a page, newest first.
    let page: String
    /// The page with all columns and the path of the segment behind them; takes the arguments of `page`.
    let rows: String
    /// Whether `rows` reads one range as it lies, without looking for ids first.
    let isInPlace: Bool
    /// Of one range: the time and id of the first event behind those that are passed over, from which on `rows` of a query without any to
    /// pass over reads the range as it lies. Nil for more ranges, and where nothing is passed over.
    let first: String?
    let firstArguments: StatementArguments
    let pageArguments: StatementArguments
    let count: String
    let countArguments: StatementArguments
    /// All `(id, start_us)` of the filter, unordered.
    let union: String
    let unionArguments: StatementArguments

    /// Ranges that are merged at most: all kinds of 80 cameras. SQLite allows 500, and merges them as a balanced tree: a first page of
    /// 480 ranges over a million rows takes 3 ms.
    private static let mostTerms = 480

    /// Events, as `e`, that lie one behind another in an index.
    private struct Range {
        let events: String
        /// Empty, or begins with WHERE.
        let condition: String
        let arguments: [(any DatabaseValueConvertible)?]

        /// `kind` and `camera` nil: of all. `only`: cameras to which the others are passed over; empty = none is.
        init(
            _ camera: ID<Camera>?, _ kind: (medium: Event.Medium, kind: Event.Kind)?, only: [ID<Camera>], _ filter: EventFilter,
            from first: (start: Int64, id: Int64)?
        ) {
            let index =
                switch (camera, kind) {
                case (nil, nil): "events_by_start"
                case (nil, _): "events_by_kind"
                case (_, nil): "events_by_camera_start"
                case (_, _): "events_by_camera"
                }
            var conditions: [String] = []
            var arguments: [(any DatabaseValueConvertible)?] = []
            if let camera {
                conditions.append("e.camera_id = ?")
                arguments.append(camera.rawValue)
            }
            if let kind {
                conditions.append("e.medium = ? AND e.kind = ?")
                arguments += [EventStore.code(kind.medium), EventStore.code(kind.kind)]
            }
            if let range = filter.range {
                conditions.append("e.start_us >= ?")
                arguments.append(range.start.microseconds)
            }
            // One upper bound alone: SQLite looks for one of two, and reads what lies between them.
            if let first {
                conditions.append("(e.start_us, e.id) <= (?, ?)")
                arguments += [first.start, first.id]
            } else if let range = filter.range {
                conditions.append("e.start_us < ?")
                arguments.append(range.end.microseconds)
            }
            if let dayTime = filter.dayTime {
                conditions.append(dayTime.condition(on: "e.start_us / 1000000"))
                arguments += [dayTime.start, dayTime.length]
            }
            // Ids are numbers, so they may stand in the text.
            if !only.isEmpty { conditions.append("e.camera_id IN (\(only.map(\.description).joined(separator: ",")))") }
            events = "events AS e INDEXED BY \(index)"
            condition = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
            self.arguments = arguments
        }
    }

    /// Nil when the filter can let nothing through. `from`: where to begin, as `first` of the same filter found it.
    init?(_ filter: EventFilter, from first: (start: Int64, id: Int64)? = nil) {
        var cameras = filter.camera.map { [$0] } ?? filter.allowed.map { $0.sorted() }
        if let camera = filter.camera, let allowed = filter.allowed, !allowed.contains(camera) { return nil }
        if let cameras, cameras.isEmpty { return nil }
        if filter.label != nil || filter.zone != nil {
            self.init(tagged: filter, cameras)
            return
        }
        let kinds: [(medium: Event.Medium, kind: Event.Kind)?] =
            filter.medium == nil && filter.kind == nil
            ? [nil]
            : (filter.medium.map { [$0] } ?? Event.Medium.allCases).flatMap { medium in
                (filter.kind.map { [$0] } ?? Event.Kind.allCases).map { (medium, $0) }
            }
        // Too many cameras to merge: walk the events of all and pass over those of others.
        var only: [ID<Camera>] = []
        if let list = cameras, list.count * kinds.count > Self.mostTerms {
            only = list
            cameras = nil
        }
        let owners: [ID<Camera>?] = cameras ?? [nil]
        let ranges = owners.flatMap { owner in kinds.map { Range(owner, $0, only: only, filter, from: first) } }
        self.init(
            union: ranges.map { "SELECT e.id AS id, e.start_us AS start_us FROM \($0.events)\($0.condition)" }.joined(separator: " UNION ALL "),
            ranges.flatMap(\.arguments), filter, single: ranges.count == 1 ? ranges[0] : nil)
    }

    /// Tags lie in the order of time, so that a page of a label costs what passing over the events of other cameras and kinds does.
    private init(tagged filter: EventFilter, _ cameras: [ID<Camera>]?) {
        var sql = "SELECT event_id AS id, start_us FROM event_tags AS t WHERE is_zone = ? AND tag = ?"
        var arguments: [(any DatabaseValueConvertible)?] = filter.label.map { [0, $0.lowercased()] } ?? [1, filter.zone?.lowercased()]
        if let range = filter.range {
            sql += " AND start_us >= ? AND start_us < ?"
            arguments += [range.start.microseconds, range.end.microseconds]
        }
        // Ids are numbers, so they may stand in the text.
        if let cameras { sql += " AND camera_id IN (\(cameras.map(\.description).joined(separator: ",")))" }
        if let medium = filter.medium {
            sql += " AND medium = ?"
            arguments.append(EventStore.code(medium))
        }
        if let kind = filter.kind {
            sql += " AND kind = ?"
            arguments.append(EventStore.code(kind))
        }
        if let dayTime = filter.dayTime {
            sql += " AND " + dayTime.condition(on: "start_us / 1000000")
            arguments += [dayTime.start, dayTime.length]
        }
        if filter.label != nil, let zone = filter.zone {
            sql += """
                 AND EXISTS (SELECT 1 FROM event_tags AS z WHERE z.is_zone = 1 AND z.tag = ? AND z.start_us = t.start_us
                    AND z.event_id = t.event_id)
                """
            arguments.append(zone.lowercased())
        }
        self.init(union: sql, arguments, filter, single: nil)
    }

    /// `single`: the range that the union consists of, if it is one.
    private init(union: String, _ arguments: [(any DatabaseValueConvertible)?], _ filter: EventFilter, single: Range?) {
        self.union = union
        unionArguments = StatementArguments(arguments)
        let part = " LIMIT ? OFFSET ?"
        page = union + " ORDER BY start_us DESC, id DESC" + part
        pageArguments = StatementArguments(arguments + [min(max(filter.limit, 0), 10_000), max(filter.skip, 0)])
        let paths = "LEFT JOIN segments AS s ON s.id = e.segment_id"
        // Nothing is to be passed over in one range: it is read as it lies. Else ids alone are merged and passed over.
        isInPlace = single != nil && filter.skip <= 0
        let order = " ORDER BY e.start_us DESC, e.id DESC"
        first = isInPlace ? nil : single.map { "SELECT e.start_us, e.id FROM \($0.events)\($0.condition)\(order) LIMIT 1 OFFSET ?" }
        firstArguments = StatementArguments(arguments + [max(filter.skip, 0)])
        if let single, isInPlace {
            rows = "SELECT \(EventStore.columns), s.path FROM \(single.events) \(paths)\(single.condition)\(order)" + part
        } else {
            rows =
                "SELECT \(EventStore.columns), s.path FROM (\(page)) AS p CROSS JOIN events AS e ON e.id = p.id \(paths)"
                + " ORDER BY p.start_us DESC, p.id DESC"
        }
        count = "SELECT count(*) AS count FROM (\(union))"
        countArguments = unionArguments
    }
}
