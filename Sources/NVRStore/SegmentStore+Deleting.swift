import GRDB
import NVRBase
package import NVRModel

/// Deletion in two phases, so that a crash in between leaves a row that tells which file is still to go.
extension SegmentStore {
    /// First phase of deletion: the segments are listed no longer, their `continuous` events go. Gives the files to unlink;
    /// segments that do not exist, are held or are garbage already are left out.
    package func markGarbage(_ ids: [ID<Segment>]) async throws -> [GarbageSegment] {
        guard !ids.isEmpty else { return [] }
        let (garbage, events) = try await rows.write("deleting segments") { db in
            var garbage: [GarbageSegment] = []
            var events: [ID<Event>] = []
            for id in ids {
                let (segment, gone) = try Self.markGarbage(db, id)
                if let segment { garbage.append(segment) }
                events += gone
            }
            return (garbage, events)
        }
        for id in events { rows.changes.send(.eventDeleted(id)) }
        return garbage
    }

    static func markGarbage(_ db: Database, _ id: ID<Segment>) throws -> (GarbageSegment?, events: [ID<Event>]) {
        let place = try db.row("SELECT volume, path FROM segments WHERE id = ? AND state <> 3", [id.rawValue], place)
        guard let place, try !HoldStore.isHeld(db, segment: id.rawValue) else { return (nil, []) }
        let events = try db.rows("SELECT id FROM events WHERE segment_id = ?", [id.rawValue]) { ID<Event>($0["id"]) }
        try EventStore.forgetPictures(db, where: "segment_id = ?", [id.rawValue])
        try db.run("DELETE FROM events WHERE segment_id = ?", [id.rawValue])
        try db.run("UPDATE segments SET state = 3 WHERE id = ?", [id.rawValue])
        return (GarbageSegment(id: id, volume: place.volume, path: place.path), events)
    }

    /// Segments whose files are to be unlinked, also those a crash left behind. `volumes`: where something can be deleted now; nil =
    /// everywhere. Those behind `after`, by id.
    package func garbage(on volumes: Set<VolumeID>? = nil, after: ID<Segment> = ID(0), limit: Int = 1000) async throws -> [GarbageSegment] {
        guard volumes?.isEmpty != true else { return [] }
        return try await rows.read("reading garbage") { db in
            try db.rows("\(Self.garbageSQL) AND id > ?\(Self.among(volumes)) ORDER BY id LIMIT ?", [after.rawValue, limit]) { row in
                let place = Self.place(row)
                return GarbageSegment(id: ID(row["id"]), volume: place.volume, path: place.path)
            }
        }
    }

    static func place(_ row: Row) -> FootagePlace { FootagePlace(VolumeID(rawValue: row["volume"]), row["path"]) }

    /// A condition behind others; `volumes` is not empty.
    private static func among(_ volumes: Set<VolumeID>?) -> String {
        volumes.map { " AND volume IN (\($0.map { String($0.rawValue) }.sorted().joined(separator: ", ")))" } ?? ""
    }

    /// Where segments in any state lie in time; missing ids are left out.
    package func ranges(of ids: [ID<Segment>]) async throws -> [(camera: ID<Camera>, range: TimeRange)] {
        try await rows.read("reading segments") { db in
            try ids.compactMap { id in
                try db.row("SELECT camera_id, start_us, end_us FROM segments WHERE id = ?", [id.rawValue]) { row in
                    (
                        camera: ID<Camera>(row["camera_id"]),
                        range: TimeRange(start: WallTime(microseconds: row["start_us"]), end: WallTime(microseconds: row["end_us"]))
                    )
                }
            }
        }
    }

    /// Second phase of deletion: the files are gone, so the rows go. Rows that are not garbage stay.
    package func removeGarbage(_ ids: [ID<Segment>]) async throws {
        guard !ids.isEmpty else { return }
        try await rows.write("deleting segments") { db in
            for id in ids { try db.run("DELETE FROM segments WHERE id = ? AND state = 3", [id.rawValue]) }
        }
    }

    /// Files without a row that are to be unlinked: pictures of deleted events, originals of footage that was moved. `volumes` as in
    /// `garbage`; those behind `after`, by volume and path.
    package func garbageFiles(
        on volumes: Set<VolumeID>? = nil, after: FootagePlace? = nil, limit: Int = 1000
    ) async throws -> [FootagePlace] {
        guard volumes?.isEmpty != true else { return [] }
        return try await rows.read("reading garbage") { db in
            let begin: [(any DatabaseValueConvertible)?] = [after?.volume.rawValue ?? .min, after?.path ?? ""]
            return try db.rows(
                "SELECT volume, path FROM garbage_files WHERE (volume, path) > (?, ?)\(Self.among(volumes)) ORDER BY volume, path LIMIT ?",
                StatementArguments(begin + [limit]), Self.place)
        }
    }

    /// The files are gone.
    package func removeGarbageFiles(_ places: [FootagePlace]) async throws {
        guard !places.isEmpty else { return }
        try await rows.write("deleting files") { db in
            for place in places {
                try db.run("DELETE FROM garbage_files WHERE volume = ? AND path = ?", [place.volume.rawValue, place.path])
            }
        }
    }

    /// Whether a file is to be unlinked.
    package func isGarbage(_ place: FootagePlace) async throws -> Bool {
        try await rows.read("reading garbage") { db in
            try db.row(
                "SELECT 1 FROM garbage_files WHERE volume = ? AND path = ?", [place.volume.rawValue, place.path], { _ in true }) ?? false
        }
    }
}

/// Numbers.
extension SegmentStore {
    /// Listed footage per camera and stream; kept as running totals, so this is cheap at any size.
    package func totals() async throws -> [SegmentTotal] {
        try await rows.read("counting footage") { db in
            try db.rows("SELECT camera_id, role, count, bytes FROM segment_totals WHERE count > 0 ORDER BY camera_id, role") {
                SegmentTotal(cameraID: ID($0["camera_id"]), role: Self.role($0["role"]), count: $0["count"], bytes: $0["bytes"])
            }
        }
    }

    /// Listed segments, or snapshots, on each volume; kept as running totals.
    package func volumeTotals() async throws -> [VolumeTotal] {
        try await rows.read("counting footage") { db in
            try db.rows("SELECT volume, medium, count, bytes FROM volume_totals WHERE count > 0 ORDER BY volume, medium") {
                VolumeTotal(
                    volume: VolumeID(rawValue: $0["volume"]), medium: EventStore.medium($0["medium"]), count: $0["count"], bytes: $0["bytes"])
            }
        }
    }

    /// Bytes of listed segments that began at or after `time`, per camera.
    package func bytes(since time: WallTime) async throws -> [ID<Camera>: Int64] {
        try await rows.read("counting footage") { db in
            let pairs = try db.rows(Self.bytesSinceSQL, [time.microseconds]) { (ID<Camera>($0["camera_id"]), $0["bytes"] as Int64) }
            return Dictionary(pairs) { $0 + $1 }
        }
    }
}
