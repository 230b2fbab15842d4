import GRDB
import NVRModel

// How SQLite would answer the queries that must stay fast on millions of rows: each step in its words (sqlite.org/eqp.html).

extension EventStore {
    /// The plan of a list.
    package func plan(of filter: EventFilter) async throws -> [String] {
        var near = filter
        near.skip = 0
        guard let query = EventQuery(filter), let goingOn = EventQuery(near, from: (0, 0)) else { return [] }
        return try await rows.read("explaining a query") { db in
            try db.plan(query.page, query.pageArguments) + (query.isInPlace ? db.plan(query.rows, query.pageArguments) : [])
                + (query.first.map { try db.plan($0, query.firstArguments) + db.plan(goingOn.rows, goingOn.pageArguments) } ?? [])
        }
    }
}

extension SegmentStore {
    /// The plans of finding footage, of recovery and of retention.
    package func plans() async throws -> [String] {
        try await rows.read("explaining a query") { db in
            try db.plan(Self.coveringSQL, [1, 0, 2, 1]) + db.plan(Self.unfinishedSQL, []) + db.plan(Self.garbageSQL + " ORDER BY id LIMIT ?", [1])
                + db.plan(Self.newestSQL, [1, 0]) + db.plan(Self.oldestSQL, [1, 1]) + db.plan(Self.oldestOfCameraSQL, [1, 0, 1, 1])
                + db.plan(Self.bytesSinceSQL, [1]) + db.plan(Self.movableSQL, [1, 0, 1, 2, 3, 4])
        }
    }
}

extension RetentionStore {
    /// The plan of reading a stream of a camera.
    package func itemsPlan() async throws -> [String] {
        try await rows.read("explaining a query") { try $0.plan(Self.itemsSQL, [1, 0]) }
    }
}

extension FootageKeyStore {
    /// The plan of counting what has which key.
    package func plans() async throws -> [String] {
        try await rows.read("explaining a query") { try $0.plan(Self.amountsSQL, []) }
    }
}

extension TimelineStore {
    /// The plans of everything that `read` may ask.
    package func plans() async throws -> [String] {
        try await rows.read("explaining a query") { db in
            var plans = try db.plan(Self.firstSQL, [1]) + db.plan(Self.lastSQL, [1]) + db.plan(Self.growingSQL, [])
            plans += try db.plan(Self.openMotionSQL, [1]) + db.plan(Self.chunksSQL, [1, 0, 1, 2])
            for sql in [Self.segmentsSQL, Self.longSegmentsSQL, Self.eventsSQL] { plans += try db.plan(sql, [1, 2, 3, 4]) }
            for shortest in [TimelineQuery.ShortestOutage.any, .minutes, .hours] {
                plans += try db.plan(Self.outagesSQL(shortest), [1, 2, 3, 4])
            }
            return try plans + db.plan(Self.outagesBeforeSQL, [1, 2]) + db.plan(OutageStore.newestSQL, [1, 2])
        }
    }
}

extension Database {
    fileprivate func plan(_ sql: String, _ arguments: StatementArguments) throws -> [String] {
        try Row.fetchAll(self, sql: "EXPLAIN QUERY PLAN " + sql, arguments: arguments).map { $0["detail"] }
    }
}
