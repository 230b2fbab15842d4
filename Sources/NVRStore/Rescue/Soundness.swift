import GRDB
import NVRBase
import NVRModel

/// What is looked at before a database is used: all that the server needs to come up and to record. Takes milliseconds at any size.
enum Soundness {
    /// Throws `dataLoss` when the schema is not what the migrations make, but nearly: a bit of it has changed.
    static func demandSchema(_ db: Database, expected: [String]) throws {
        let found = try schema(db)
        guard found != expected else { return }
        // What a person added for themselves is theirs.
        let lost = Set(expected).subtracting(found)
        if let first = lost.sorted().first {
            throw NVRError(.dataLoss, "the schema of the database is damaged near \(first.prefix { $0 != "\n" }.prefix(60))")
        }
    }

    /// What makes the tables, indexes, views and triggers, sorted.
    static func schema(_ db: Database) throws -> [String] {
        try String.fetchAll(
            db, sql: "SELECT type || ' ' || name || ': ' || sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY 1")
    }

    /// Tries what recording does all the time, and undoes it: damage in its way would keep the server from recording.
    static func tryRecording(_ writer: any DatabaseWriter, cameras: [Int64]) throws {
        try writer.writeWithoutTransaction { db in
            try db.inTransaction {
                for camera in Set(cameras + [0]) {
                    try db.execute(
                        sql: """
                            INSERT INTO segments (camera_id, role, run, path, start_us, end_us, bytes, state, is_continuous, width, height, codecs,
                                init_length, timescale) VALUES (?1, 0, 0, ?2, ?3, ?3 + 1000000, 1, 0, 1, 1, 1, '', 0, 90000)
                            """, arguments: [camera, ".try/\(camera)", 4_000_000_000_000_000])
                    let segment = db.lastInsertedRowID
                    try db.execute(sql: "UPDATE segments SET state = 1 WHERE id = ?", arguments: [segment])
                    try db.execute(
                        sql: """
                            INSERT INTO events (camera_id, medium, kind, start_us, segment_id, width, height)
                            VALUES (?, 0, 1, 4000000000000000, ?, 1, 1)
                            """, arguments: [camera, segment])
                    try db.execute(sql: "UPDATE segments SET state = 2 WHERE id = ?", arguments: [segment])
                    try db.execute(sql: "INSERT INTO segment_indexes (segment_id, packed) VALUES (?, x'00')", arguments: [segment])
                }
                return .rollback
            }
        }
    }

    /// Texts that differ in so few bytes that one is the other, damaged.
    static func isDamaged(_ text: String, insteadOf other: String) -> Bool {
        let (left, right) = (Array(text.utf8), Array(other.utf8))
        guard left.count == right.count, left != right else { return false }
        return zip(left, right).count { $0 != $1 } <= 2
    }
}

extension Store {
    /// Reads all that the server needs to come up and tries what it does all the time. Throws the first thing that fails.
    func demandUsable() async throws {
        let expected = try Store.inMemory()
        let schema = try await expected.rows.read("reading the schema") { try Soundness.schema($0) }
        try expected.close()
        try await rows.read("checking the database") { try Soundness.demandSchema($0, expected: schema) }
        let known = try await cameras.all()
        _ = try await settings.values()
        _ = try await users.count()
        _ = try await groups.all()
        _ = try await storageProfiles.all()
        _ = try await segments.unfinished()
        _ = try await segments.garbage(limit: 10)
        _ = try await segments.garbageFiles(limit: 10)
        _ = try await health.open()
        _ = try await segments.totals()
        for camera in known {
            _ = try await segments.newest(camera.id, .main)
            _ = try await outages.newest(camera.id, limit: 4)
        }
        do {
            try Soundness.tryRecording(rows.writer, cameras: known.map(\.id.rawValue))
        } catch {
            throw Rows.translated(error, doing: "trying the database")
        }
    }

    /// The first thing that is wrong with the database, found by reading all of it; nil when it is sound. Takes long.
    package func firstProblem() async -> String? {
        do {
            return try await rows.writer.read { db in try String.fetchAll(db, sql: "PRAGMA integrity_check(1)").first { $0 != "ok" } }
        } catch {
            return "\(Rows.translated(error, doing: "checking the database"))"
        }
    }
}
