import GRDB
import NVRBase
package import NVRModel

/// Rows as retention sees them, and what it remembers between runs.
package struct RetentionStore: Sendable {
    let rows: Rows

    // MARK: Items

    /// Finished segments of a stream, oldest first: what is being written is in no plan. The index has all of it.
    static let itemsSQL = """
        SELECT id, volume, start_us, end_us, bytes, is_continuous FROM segments INDEXED BY segments_by_time
        WHERE camera_id = ?1 AND role = ?2 AND state = 2 ORDER BY start_us
        """

    /// Snapshots of a kind, oldest first.
    static let picturesSQL = """
        SELECT id, volume, start_us, start_us, coalesce(bytes, 0), 1 FROM events INDEXED BY events_by_camera
        WHERE camera_id = ?1 AND medium = 1 AND kind = ?2 ORDER BY start_us
        """

    /// Where motion, or a recording somebody asked for, lies in time; one that goes on has no end.
    static let eventsSQL = """
        SELECT start_us, end_us, coalesce(metadata LIKE '%"label%', 0) FROM events INDEXED BY events_by_camera
        WHERE camera_id = ?1 AND medium = 0 AND kind = ?2
        """

    /// What a reader thinks of the next item.
    package enum Verdict: Sendable {
        case take
        case pass
        /// Neither it nor what follows of its stream or kind is needed.
        case end
    }

    /// A camera's finished recordings, or its pictures, oldest first within each stream or kind, as `judge` says of one after another; it
    /// begins anew for each stream and kind. `tellsApart`: whether it matters which recordings show events.
    package func items<Reader: Sendable>(
        of camera: ID<Camera>, pictures: Bool, tellsApart: Bool, reader: Reader,
        judge: @escaping @Sendable (inout Reader, RetentionItem) -> Verdict
    ) async throws -> [RetentionItem] {
        try await rows.read("reading what is stored") { db in
            let shown = tellsApart && !pictures ? try Shown(db, camera) : nil
            let statement = try db.cachedStatement(sql: pictures ? Self.picturesSQL : Self.itemsSQL)
            var items: [RetentionItem] = []
            for code in pictures ? [0, 1, 2] : [0, 1] {
                var reader = reader
                let cursor = try Row.fetchCursor(statement, arguments: [camera.rawValue, code])
                reading: while let row = try cursor.next() {
                    var item = RetentionItem(
                        id: row[0], camera: camera, volume: VolumeID(rawValue: row[1]), start: WallTime(microseconds: row[2]),
                        end: WallTime(microseconds: row[3]), bytes: row[4], footage: pictures ? .snapshot : .continuous)
                    if !pictures {
                        let isContinuous = row[5] as Int64 == 1
                        item.footage =
                            shown.map { $0.footage(from: item.start, to: item.end, isContinuous: isContinuous) }
                            ?? (isContinuous ? .continuous : .event)
                    }
                    switch judge(&reader, item) {
                    case .take: items.append(item)
                    case .pass: continue
                    case .end: break reading
                    }
                }
            }
            return items
        }
    }

    /// When the oldest footage of all cameras that makes up so many bytes has begun, microseconds later; nil when there is not so much.
    package func oldest(_ bytes: Int64) async throws -> WallTime? {
        try await rows.read("measuring what is stored") { db in
            let sql = "SELECT start_us, bytes FROM segments INDEXED BY segments_by_start WHERE state IN (1, 2) ORDER BY start_us"
            let cursor = try Row.fetchCursor(try db.cachedStatement(sql: sql))
            var sum: Int64 = 0
            while let row = try cursor.next() {
                sum += row[1] as Int64
                if sum >= bytes { return WallTime(microseconds: row[0]).advanced(byMicroseconds: 1) }
            }
            return nil
        }
    }

    /// What a camera's recordings show.
    private struct Shown {
        var events = RangeSet()
        var labelled = RangeSet()

        init() {}

        init(_ db: Database, _ camera: ID<Camera>) throws {
            var all: [TimeRange] = []
            var named: [TimeRange] = []
            for kind in [Event.Kind.motion, .manual] {
                for (range, isNamed) in try db.rows(RetentionStore.eventsSQL, [camera.rawValue, EventStore.code(kind)], Self.range) {
                    all.append(range)
                    if isNamed { named.append(range) }
                }
            }
            events = RangeSet(all)
            labelled = RangeSet(named)
        }

        private static func range(_ row: Row) -> (TimeRange, Bool) {
            let range = TimeRange(start: WallTime(microseconds: row[0]), end: WallTime(microseconds: row[1] as Int64? ?? .max))
            return (range, row[2] as Int64 == 1)
        }

        func footage(from start: WallTime, to end: WallTime, isContinuous: Bool) -> RetentionItem.Footage {
            if labelled.meets(from: start, to: end) { return .labelled }
            return !isContinuous || events.meets(from: start, to: end) ? .event : .continuous
        }
    }

    /// Bytes of everything that is listed on some volumes: all, and without what holds protect now. Kept as running totals.
    package func totals(on volumes: Set<VolumeID>) async throws -> (all: Int64, deletable: [RetentionShelf: Int64]) {
        try await rows.read("measuring what is stored") { db in
            func shelf(_ row: Row) -> (RetentionShelf, Int64) {
                (RetentionShelf(camera: ID(row[0]), volume: VolumeID(rawValue: row[1]), isPictures: row[2] as Int64 == 1), row[3])
            }
            var totals: [RetentionShelf: Int64] = [:]
            for (shelf, bytes) in try db.rows("SELECT camera_id, volume, medium, bytes FROM shelf_totals WHERE count > 0", [], shelf)
            where volumes.contains(shelf.volume) { totals[shelf] = bytes }
            let all = totals.values.reduce(0, +)
            for (shelf, bytes) in try db.rows(Self.heldSQL, [], shelf) where totals[shelf] != nil { totals[shelf, default: 0] -= bytes }
            return (all, totals.filter { $0.value > 0 })
        }
    }

    /// How much is listed of each camera and kind on each volume. Kept as running totals.
    package func shelves() async throws -> [(shelf: RetentionShelf, count: Int, bytes: Int64)] {
        try await rows.read("measuring what is stored") { db in
            try db.rows("SELECT camera_id, volume, medium, count, bytes FROM shelf_totals WHERE count > 0", []) { row in
                let shelf = RetentionShelf(camera: ID(row[0]), volume: VolumeID(rawValue: row[1]), isPictures: row[2] as Int64 == 1)
                return (shelf, row[3] as Int, row[4] as Int64)
            }
        }
    }

    /// Volumes on which anything is listed.
    package func volumes() async throws -> Set<VolumeID> {
        try await rows.read("measuring what is stored") { db in
            Set(try db.rows("SELECT DISTINCT volume FROM shelf_totals WHERE count > 0", []) { VolumeID(rawValue: $0[0]) })
        }
    }

    /// Bytes that are held, by camera, volume and medium.
    static let heldSQL = """
        SELECT camera_id, volume, 0, sum(bytes) FROM segments WHERE id IN (
            SELECT s.id FROM active_holds AS h JOIN (SELECT 0 AS role UNION ALL SELECT 1) AS r
                CROSS JOIN segments AS s INDEXED BY segments_by_time ON s.camera_id = h.camera_id AND s.role = r.role
                AND s.start_us > h.start_us - 3600000000 AND s.start_us < h.end_us
            WHERE s.state IN (1, 2) AND \(HoldStore.segment("s"))) GROUP BY camera_id, volume
        UNION ALL SELECT camera_id, volume, 1, coalesce(sum(bytes), 0) FROM events WHERE id IN (
            SELECT e.id FROM active_holds AS h JOIN (SELECT 0 AS kind UNION ALL SELECT 1 UNION ALL SELECT 2) AS k
                CROSS JOIN events AS e INDEXED BY events_by_camera ON e.camera_id = h.camera_id AND e.medium = 1 AND e.kind = k.kind
                AND e.start_us >= h.start_us AND e.start_us < h.end_us) GROUP BY camera_id, volume
        """

    /// Every hold that is active now.
    package func holds() async throws -> [Hold] {
        try await rows.read("reading holds") { db in
            try db.rows("SELECT h.* FROM holds AS h JOIN active_holds AS a ON a.id = h.id", [], HoldStore.hold)
        }
    }

    /// Paths of some of the newest finished segments of a volume, below its folder, without those that are named.
    package func newestPaths(of volume: VolumeID, without ids: Set<ID<Segment>>, limit: Int) async throws -> [String] {
        try await rows.read("reading segments") { db in
            let found = try db.rows(
                """
                SELECT id, path FROM segments AS s INDEXED BY segments_by_start
                WHERE state IN (1, 2) AND state = 2 AND volume = ? ORDER BY start_us DESC LIMIT ?
                """, [volume.rawValue, limit + ids.count]
            ) { (ID<Segment>($0[0]), $0[1] as String) }
            return Array(found.filter { !ids.contains($0.0) }.map(\.1).prefix(limit))
        }
    }

    /// Paths of some of the newest finished segments and snapshots of a volume, below its folder.
    package func newestFiles(of volume: VolumeID, limit: Int) async throws -> [String] {
        let segments = try await newestPaths(of: volume, without: [], limit: limit)
        let pictures = try await rows.read("reading snapshots") { db in
            try [Event.Kind.motion, .manual, .continuous].flatMap { kind in
                try db.rows(
                    """
                    SELECT picture_path FROM events INDEXED BY events_by_kind
                    WHERE medium = 1 AND kind = ? AND volume = ? AND picture_path IS NOT NULL ORDER BY start_us DESC LIMIT ?
                    """, [EventStore.code(kind), volume.rawValue, limit]
                ) { $0[0] as String }
            }
        }
        return segments + pictures
    }

    /// Paths of snapshots; missing ones are left out.
    package func picturePaths(of ids: [ID<Event>]) async throws -> [ID<Event>: String] {
        guard !ids.isEmpty else { return [:] }
        return try await rows.read("reading snapshots") { db in
            var paths: [ID<Event>: String] = [:]
            for id in ids { paths[id] = try db.row("SELECT picture_path FROM events WHERE id = ?", [id.rawValue]) { $0[0] as String? } ?? nil }
            return paths
        }
    }

    // MARK: Memory

    /// What is remembered between runs.
    package struct Memory: Sendable, Hashable {
        /// When the clock was looked at last.
        package var seen: WallTime?
        package var jumps: [(from: WallTime, to: WallTime)] {
            get { pairs.map { (WallTime(microseconds: $0.0), WallTime(microseconds: $0.1)) } }
            set { flat = newValue.flatMap { [$0.from.microseconds, $0.to.microseconds] } }
        }
        /// Bytes deleted beyond what was recorded, at a time.
        package var spent: Int64 = 0
        package var spentAt: WallTime?
        /// When the rules were applied last.
        package var runAt: WallTime?

        private var flat: [Int64] = []
        private var pairs: [(Int64, Int64)] { stride(from: 0, to: flat.count - 1, by: 2).map { (flat[$0], flat[$0 + 1]) } }

        package init() {}

        fileprivate init(_ row: Row) throws {
            func time(_ column: String) -> WallTime? { (row[column] as Int64?).map(WallTime.init(microseconds:)) }
            seen = time("seen_us")
            spent = row["spent"]
            spentAt = time("spent_us")
            runAt = time("run_us")
            let list = try? JSONValue(parsing: (row["jumps"] as String).utf8).array
            // What cannot be read is no jump: then footage ages as the clock says.
            let numbers = (list ?? []).map { value in if case .integer(let number) = value { number } else { Int64?.none } }
            flat = numbers.contains(nil) || numbers.count % 2 != 0 ? [] : numbers.compactMap { $0 }
        }

        fileprivate var jumpsText: String { JSONValue.array(flat.map { .integer($0) }).serialized() }
    }

    package func memory() async throws -> Memory {
        try await rows.read("reading the memory of retention") { db in
            try db.row("SELECT * FROM retention") { try Memory($0) } ?? Memory()
        }
    }

    package func remember(_ memory: Memory) async throws {
        try await rows.write("storing the memory of retention") { db in
            try db.run(
                "INSERT OR REPLACE INTO retention (id, seen_us, jumps, spent, spent_us, run_us) VALUES (0, ?, ?, ?, ?, ?)",
                [
                    memory.seen?.microseconds, memory.jumpsText, memory.spent, memory.spentAt?.microseconds, memory.runAt?.microseconds,
                ])
        }
    }
}
