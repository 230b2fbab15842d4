import GRDB
import NVRBase
package import NVRModel

/// What comparing a bucket with rows needs, and giving up a volume for good.
extension SegmentStore {
    /// Volumes on which files are still to be deleted.
    package func garbageVolumes() async throws -> Set<VolumeID> {
        try await rows.read("reading garbage") { db in
            let segments = try db.rows(
                "SELECT DISTINCT volume FROM segments INDEXED BY segments_not_finished WHERE state <> 2 AND state = 3", []
            ) {
                VolumeID(rawValue: $0[0])
            }
            return Set(segments + (try db.rows("SELECT DISTINCT volume FROM garbage_files", []) { VolumeID(rawValue: $0[0]) }))
        }
    }

    /// The highest id of a segment; 0 when there is none.
    package func newestID() async throws -> Int64 {
        try await rows.read("reading segments") { db in try db.row("SELECT max(id) FROM segments") { $0[0] as Int64? } ?? nil } ?? 0
    }

    /// Rows in any state and on any volume by some paths.
    package func rows(at paths: [String]) async throws -> [String: SegmentToCheck] {
        try await rows.read("reading segments") { db in
            var found: [String: SegmentToCheck] = [:]
            for path in paths { found[path] = try db.row("\(Self.checkedSQL) WHERE path = ?", [path], Self.checked) }
            return found
        }
    }

    /// Finished rows of a volume by id, a page at a time.
    package func finished(on volume: VolumeID, after id: Int64, limit: Int = 1000) async throws -> [SegmentToCheck] {
        try await rows.read("reading segments") { db in
            try db.rows(
                "\(Self.checkedSQL) WHERE id > ? AND volume = ? AND state = 2 ORDER BY id LIMIT ?", [id, volume.rawValue, limit], Self.checked)
        }
    }

    private static let checkedSQL = "SELECT id, camera_id, volume, path, start_us, bytes, state, crc32 FROM segments"

    private static func checked(_ row: Row) throws -> SegmentToCheck {
        SegmentToCheck(entry: try entry(row), checksum: (row["crc32"] as Int64?).map { UInt32(truncatingIfNeeded: $0) })
    }

    // MARK: Giving up a volume

    /// What forgetting a volume takes.
    package struct Holding: Sendable, Hashable {
        package var recordings = 0
        package var snapshots = 0
        /// Of both.
        package var bytes: Int64 = 0

        package init(recordings: Int = 0, snapshots: Int = 0, bytes: Int64 = 0) {
            self.recordings = recordings
            self.snapshots = snapshots
            self.bytes = bytes
        }
    }

    /// What the rows say lies on a volume, with what had begun to be written there when it went.
    package func holding(of volume: VolumeID) async throws -> Holding {
        try await rows.read("counting footage") { try Self.holding($0, volume) }
    }

    private static func holding(_ db: Database, _ volume: VolumeID) throws -> Holding {
        var holding = Holding()
        for (medium, count, bytes) in try db.rows(
            "SELECT medium, count, bytes FROM volume_totals WHERE volume = ?", [volume.rawValue], { ($0[0] as Int64, $0[1] as Int, $0[2] as Int64) })
        {
            if medium == 0 { holding.recordings = count } else { holding.snapshots = count }
            holding.bytes += bytes
        }
        return holding
    }

    /// Segments of one transaction.
    private static let forgottenAtOnce = 2000

    /// Takes all rows of a volume that is gone for good out of the database, with the events that stand for them, in steps; no file is
    /// touched. Throws `conflict` when `expected` is not what is there, or when some of it is held; then nothing has changed.
    package func forget(_ volume: VolumeID, expecting expected: Holding) async throws {
        try await rows.write("forgetting a volume") { db in
            guard try Self.holding(db, volume) == expected else {
                throw NVRError(.conflict, "What lies on the volume has changed; ask for its numbers again")
            }
            let held = try db.row(Self.heldOnSQL, [volume.rawValue]) { $0[0] as Int } ?? 0
            guard held == 0 else {
                throw NVRError(.conflict, "\(held) recordings and snapshots on the volume are held: release the holds first")
            }
        }
        var reached: (segment: Int64, event: Int64)? = (0, 0)
        while let last = reached { reached = try await forgetSome(of: volume, after: last) }
    }

    private static let heldOnSQL = """
        SELECT (SELECT count(*) FROM segments AS s WHERE s.volume = ?1 AND s.state IN (1, 2) AND \(HoldStore.segment("s")))
            + (SELECT count(*) FROM events AS e WHERE e.volume = ?1 AND e.medium = 1 AND \(HoldStore.event("e")))
        """

    /// The last rows that were looked at; nil when nothing is left.
    private func forgetSome(of volume: VolumeID, after: (segment: Int64, event: Int64)) async throws -> (segment: Int64, event: Int64)? {
        let (reached, gone) = try await rows.write("forgetting a volume") { db in
            func ids(_ table: String, _ after: Int64) throws -> [Int64] {
                try db.rows(
                    "SELECT id FROM \(table) WHERE volume = ? AND id > ? ORDER BY id LIMIT ?", [volume.rawValue, after, Self.forgottenAtOnce]
                ) { $0[0] }
            }
            let (segments, pictures) = (try ids("segments", after.segment), try ids("events", after.event))
            var gone: [ID<Event>] = []
            for id in segments {
                gone += try Self.markGarbage(db, ID(id)).events
                try db.run("DELETE FROM segments WHERE id = ? AND state = 3", [id])
            }
            for id in pictures where try !HoldStore.isHeld(db, event: id) {
                try db.run("DELETE FROM events WHERE id = ?", [id])
                gone.append(ID(id))
            }
            try db.run("DELETE FROM garbage_files WHERE volume = ?", [volume.rawValue])
            try db.run("DELETE FROM moves WHERE volume = ?", [volume.rawValue])
            let isOver = segments.isEmpty && pictures.isEmpty
            return (isOver ? nil : (segments.last ?? after.segment, pictures.last ?? after.event), gone)
        }
        for id in gone { rows.changes.send(.eventDeleted(id)) }
        return reached
    }
}
