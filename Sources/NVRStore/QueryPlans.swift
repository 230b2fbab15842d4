import GRDB
import NVRModel

// How SQLite would answer the queries that must stay fast on millions of rows: each step in its words (sqlite.org/eqp.html).

extension EventStore {
    /// The plan of a list.
    package func plan(of filter: EventFilter) async throws -> [String] {
        guard let query = EventQuery(filter) else { return [] }
        return try await rows.read("explaining a query") { try $0.plan(query.page, query.pageArguments) }
    }
}

extension SegmentStore {
    /// The plans of finding footage, of recovery and of retention.
    package func plans() async throws -> [String] {
        try await rows.read("explaining a query") { db in
            try db.plan(Self.coveringSQL, [1, 0, 2, 1]) + db.plan(Self.unfinishedSQL, []) + db.plan(Self.garbageSQL, [1])
                + db.plan(Self.newestSQL, [1, 0]) + db.plan(Self.oldestSQL, [1, 1]) + db.plan(Self.oldestOfCameraSQL, [1, 0, 1, 1])
                + db.plan(Self.bytesSinceSQL, [1])
        }
    }
}

extension Database {
    fileprivate func plan(_ sql: String, _ arguments: StatementArguments) throws -> [String] {
        try Row.fetchAll(self, sql: "EXPLAIN QUERY PLAN " + sql, arguments: arguments).map { $0["detail"] }
    }
}
