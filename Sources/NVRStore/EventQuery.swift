import GRDB
import NVRModel

/// SQL of a filter on events. Each combination of medium, kind and camera is one range of one index, already in order; SQLite
/// merges the ranges and stops when the page is full, so a page costs `skip + limit` index steps whatever the table's size.
struct EventQuery {
    /// Ids of a page, newest first.
    let page: String
    /// The page with all columns and the path of the segment behind them; takes the arguments of `page`.
    let rows: String
    let pageArguments: StatementArguments
    let count: String
    let countArguments: StatementArguments
    /// All `(id, start_us)` of the filter, unordered.
    let union: String
    let unionArguments: StatementArguments

    /// Ranges that are merged at most: all kinds of 80 cameras. SQLite allows 500, and merges them as a balanced tree: a first page of
    /// 480 ranges over a million rows takes 3 ms.
    private static let mostTerms = 480

    /// Nil when the filter can let nothing through.
    init?(_ filter: EventFilter) {
        var cameras = filter.camera.map { [$0] } ?? filter.allowed.map { $0.sorted() }
        if let camera = filter.camera, let allowed = filter.allowed, !allowed.contains(camera) { return nil }
        if let cameras, cameras.isEmpty { return nil }
        if filter.label != nil || filter.zone != nil {
            self.init(tagged: filter, cameras)
            return
        }
        let media = filter.medium.map { [$0] } ?? Event.Medium.allCases
        let kinds = filter.kind.map { [$0] } ?? Event.Kind.allCases
        // Too many cameras to merge: walk the events of all and pass over those of others.
        var only: [ID<Camera>] = []
        if let list = cameras, list.count * media.count * kinds.count > Self.mostTerms {
            only = list
            cameras = nil
        }
        var terms: [String] = []
        var arguments: [(any DatabaseValueConvertible)?] = []
        func add(_ camera: ID<Camera>?) {
            for medium in media {
                for kind in kinds {
                    var sql = "SELECT id, start_us FROM events INDEXED BY \(camera == nil ? "events_by_kind" : "events_by_camera") WHERE "
                    if let camera {
                        sql += "camera_id = ? AND "
                        arguments.append(camera.rawValue)
                    }
                    sql += "medium = ? AND kind = ?"
                    arguments.append(EventStore.code(medium))
                    arguments.append(EventStore.code(kind))
                    if let range = filter.range {
                        sql += " AND start_us >= ? AND start_us < ?"
                        arguments.append(range.start.microseconds)
                        arguments.append(range.end.microseconds)
                    }
                    if let dayTime = filter.dayTime {
                        sql += " AND " + dayTime.condition(on: "start_us / 1000000")
                        arguments += [dayTime.start, dayTime.length]
                    }
                    if !only.isEmpty { sql += " AND camera_id IN (\(only.map(\.description).joined(separator: ",")))" }
                    terms.append(sql)
                }
            }
        }
        if let cameras { cameras.forEach { add($0) } } else { add(nil) }
        self.init(union: terms.joined(separator: " UNION ALL "), arguments, filter)
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
        self.init(union: sql, arguments, filter)
    }

    private init(union: String, _ arguments: [(any DatabaseValueConvertible)?], _ filter: EventFilter) {
        self.union = union
        unionArguments = StatementArguments(arguments)
        page = union + " ORDER BY start_us DESC, id DESC LIMIT ? OFFSET ?"
        pageArguments = StatementArguments(arguments + [min(max(filter.limit, 0), 10_000), max(filter.skip, 0)])
        rows = """
            SELECT \(EventStore.columns), s.path FROM (\(page)) AS p CROSS JOIN events AS e ON e.id = p.id
            LEFT JOIN segments AS s ON s.id = e.segment_id ORDER BY p.start_us DESC, p.id DESC
            """
        count = "SELECT count(*) AS count FROM (\(union))"
        countArguments = unionArguments
    }
}
