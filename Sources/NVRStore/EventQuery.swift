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
                    if !only.isEmpty { sql += " AND camera_id IN (\(only.map(\.description).joined(separator: ",")))" }
                    terms.append(sql)
                }
            }
        }
        if let cameras { cameras.forEach { add($0) } } else { add(nil) }
        union = terms.joined(separator: " UNION ALL ")
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
