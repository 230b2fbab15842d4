import GRDB
import NVRBase
package import NVRModel

/// A segment that is on its way to another volume, or was when the program ended.
package struct NotedMove: Sendable, Hashable {
    package var segment: ID<Segment>
    /// Where its copy is made.
    package var target: FootagePlace

    package init(segment: ID<Segment>, target: FootagePlace) {
        self.segment = segment
        self.target = target
    }
}

/// Footage changes its volume: noted → copied → switched → original unlinked. A crash at any point leaves a row that tells what is to be done.
extension SegmentStore {
    static let movableSQL = """
        SELECT id, camera_id, volume, path, start_us, bytes, state FROM segments AS s INDEXED BY segments_by_time
        WHERE camera_id = ?1 AND role = ?2 AND start_us > ?3 AND start_us < ?4 AND state = 2 AND volume <> ?5 ORDER BY start_us LIMIT ?6
        """

    /// Finished segments of a stream that lie on another volume than `target` and begin in between, oldest first.
    package func movable(
        _ camera: ID<Camera>, _ role: StreamRole, to target: VolumeID, after: WallTime, before: WallTime, limit: Int
    ) async throws -> [SegmentEntry] {
        try await rows.read("finding footage to move") { db in
            try db.rows(
                Self.movableSQL,
                [camera.rawValue, Self.code(role), after.microseconds, before.microseconds, target.rawValue, limit], Self.entry)
        }
    }

    /// Announces a copy. False when the segment is not as it was, or when a file is still to be unlinked where the copy would lie.
    package func noteMove(of entry: SegmentEntry, to target: VolumeID) async throws -> Bool {
        try await rows.write("announcing a move") { db in
            let isSame = try db.row(
                "SELECT 1 FROM segments WHERE id = ? AND state = 2 AND volume = ? AND path = ?",
                [entry.id.rawValue, entry.volume.rawValue, entry.path], { _ in true })
            let isTaken = try db.row(
                "SELECT 1 FROM garbage_files WHERE volume = ? AND path = ?", [target.rawValue, entry.path], { _ in true })
            guard isSame != nil, isTaken == nil else { return false }
            try db.run(
                "INSERT INTO moves VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET volume = excluded.volume, path = excluded.path",
                [entry.id.rawValue, target.rawValue, entry.path])
            return true
        }
    }

    /// Moves that were announced and are not over.
    package func moves() async throws -> [NotedMove] {
        try await rows.read("reading moves") { db in
            try db.rows("SELECT segment_id, volume, path FROM moves ORDER BY segment_id", []) {
                NotedMove(segment: ID($0["segment_id"]), target: Self.place($0))
            }
        }
    }

    /// The copy is whole and on the disk: in one transaction, the segment lies there and the original is to be unlinked. False when the
    /// segment was deleted or changed meanwhile; then nothing has changed.
    package func finishMove(_ move: NotedMove, from: VolumeID, bytes: Int64) async throws -> Bool {
        try await rows.write("moving a segment") { db in
            try db.run(
                "UPDATE segments SET volume = ?1 WHERE id = ?2 AND state = 2 AND volume = ?3 AND path = ?4 AND bytes = ?5",
                [move.target.volume.rawValue, move.segment.rawValue, from.rawValue, move.target.path, bytes])
            guard db.changesCount > 0 else { return false }
            try db.run("INSERT OR IGNORE INTO garbage_files VALUES (?, ?)", [from.rawValue, move.target.path])
            try db.run("DELETE FROM moves WHERE segment_id = ?", [move.segment.rawValue])
            return true
        }
    }

    /// Nothing of the copy is left.
    package func forgetMove(_ move: NotedMove) async throws {
        try await rows.write("giving up a move") { db in
            try db.run("DELETE FROM moves WHERE segment_id = ?", [move.segment.rawValue])
        }
    }
}
