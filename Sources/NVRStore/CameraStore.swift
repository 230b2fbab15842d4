import GRDB
import NVRBase
package import NVRModel

/// Cameras as their owners set them up: the wish that the supervisor makes true.
package struct CameraStore: Sendable {
    let rows: Rows

    /// What becomes of the recordings of a deleted camera.
    package enum Footage: Sendable, Hashable {
        /// Files and rows stay.
        case keep
        /// Files are unlinked by the garbage collector, rows go with them.
        case delete
    }

    /// All cameras by `sortOrder`, then id.
    package func all() async throws -> [Camera] {
        // Asked before reading: what is committed meanwhile makes what is kept old at once.
        let version = rows.versions.cameras
        if let known = rows.cameras.value(for: version) { return known }
        let cameras = try await rows.read("reading the cameras") { try fetchAll($0) }
        rows.cameras.keep(cameras, for: version)
        return cameras
    }

    func fetchAll(_ db: Database) throws -> [Camera] {
        try db.rows("SELECT id, sort_order, created_us, settings FROM cameras ORDER BY sort_order, id", [], camera)
    }

    package func get(_ id: ID<Camera>) async throws -> Camera? {
        if let known = rows.cameras.value(for: rows.versions.cameras) { return known.first { $0.id == id } }
        return try await rows.read("reading a camera") { try fetch($0, id) }
    }

    /// Stores a new camera; its `id` is given here. `atEnd`: so is its place, behind the others.
    /// Throws `invalid` when it names a storage profile that does not exist; so does `update`.
    package func insert(_ camera: Camera, atEnd: Bool = false) async throws -> Camera {
        let stored = try await rows.write("storing a camera") { db in
            try StorageProfileStore.demandProfiles(db, of: camera)
            var camera = camera
            if atEnd {
                // Where nobody has put them in order, ids do.
                let last = try db.row("SELECT coalesce(max(sort_order), 0) AS last FROM cameras") { $0["last"] as Int } ?? 0
                camera.sortOrder = last > 0 ? min(last + 1, Camera.largestSortOrder) : 0
            }
            try insert(db, &camera)
            return camera
        }
        rows.changes.send(.camera(stored.id))
        return stored
    }

    /// Changes a camera in one transaction: reads it, lets `body` change it, stores it. Throws `notFound`. Gives the new camera.
    /// `id` and `createdAt` stay. An unchanged camera is not written and not announced.
    package func update(_ id: ID<Camera>, _ body: @escaping @Sendable (inout Camera) throws -> Void) async throws -> Camera {
        let (camera, isChanged) = try await rows.write("changing a camera") { db in
            guard let old = try fetch(db, id) else { throw NVRError(.notFound, "Camera not found") }
            var new = old
            try body(&new)
            new.id = old.id
            new.createdAt = old.createdAt
            guard new != old else { return (old, false) }
            try StorageProfileStore.demandProfiles(db, of: new, old: old)
            try write(db, new)
            return (new, true)
        }
        if isChanged { rows.changes.send(.camera(id)) }
        return camera
    }

    /// Deletes a camera and gives what it was; nil when there was none. Open events of it end now.
    package func delete(_ id: ID<Camera>, footage: Footage = .keep, at time: WallTime) async throws -> Camera? {
        if footage == .delete { try await deleteFootageInSteps(of: id) }
        let camera = try await rows.write("deleting a camera") { db in
            guard let camera = try fetch(db, id) else { return Camera?.none }
            try db.run("DELETE FROM cameras WHERE id = ?", [id.rawValue])
            if footage == .delete {
                try Self.deleteFootage(db, of: id)
                try db.run("DELETE FROM outages WHERE camera_id = ?", [id.rawValue])
            } else {
                try db.run(
                    "UPDATE events SET end_us = max(start_us, ?) WHERE camera_id = ? AND end_us IS NULL AND medium = 0",
                    [time.microseconds, id.rawValue])
            }
            return camera
        }
        if camera != nil { rows.changes.send(.cameraDeleted(id)) }
        return camera
    }

    /// Deletes several cameras; gives those that existed.
    package func delete(_ ids: [ID<Camera>], footage: Footage = .keep, at time: WallTime) async throws -> [ID<Camera>] {
        var deleted: [ID<Camera>] = []
        for id in ids {
            if try await delete(id, footage: footage, at: time) != nil { deleted.append(id) }
        }
        return deleted
    }

    /// Marks all footage and events of a camera for deletion but what is held; the camera stays.
    package func cleanUp(_ id: ID<Camera>) async throws {
        try await deleteFootageInSteps(of: id)
        try await rows.write("deleting the recordings of a camera") { try Self.deleteFootage($0, of: id) }
    }

    /// Rows per transaction of a large deletion: the recorder waits for one at most.
    static let step = 2000

    /// Most of a camera's footage, in transactions that keep nobody waiting; the last one, `deleteFootage`, takes what is left.
    private func deleteFootageInSteps(of id: ID<Camera>) async throws {
        for medium in Event.Medium.allCases {
            for kind in Event.Kind.allCases { try await deleteEventsInSteps(of: id, medium, kind) }
        }
        for role in StreamRole.allCases {
            var cursor: Int64? = Int64.min
            while let start = cursor {
                cursor = try await rows.write("deleting segments") { db in
                    let found = try db.rows(
                        """
                        SELECT id, start_us FROM segments INDEXED BY segments_by_time
                        WHERE camera_id = ? AND role = ? AND start_us > ? ORDER BY start_us LIMIT ?
                        """, [id.rawValue, SegmentStore.code(role), start, Self.step]
                    ) { (id: $0["id"] as Int64, start: $0["start_us"] as Int64) }
                    for segment in found {
                        try db.run(
                            "UPDATE segments SET state = 3 WHERE id = ? AND state <> 3 AND NOT \(HoldStore.segment("segments"))", [segment.id])
                    }
                    return found.count == Self.step ? found.last?.start : nil
                }
            }
        }
    }

    private func deleteEventsInSteps(of id: ID<Camera>, _ medium: Event.Medium, _ kind: Event.Kind) async throws {
        var cursor: (start: Int64, id: Int64)? = (.min, 0)
        while let last = cursor {
            cursor = try await rows.write("deleting events") { db in
                let found = try db.rows(
                    """
                    SELECT id, start_us FROM events INDEXED BY events_by_camera
                    WHERE camera_id = ?1 AND medium = ?2 AND kind = ?3 AND start_us >= ?4 AND (start_us > ?4 OR id > ?5)
                    ORDER BY start_us, id LIMIT ?6
                    """, [id.rawValue, EventStore.code(medium), EventStore.code(kind), last.start, last.id, Self.step]
                ) { (start: $0["start_us"] as Int64, id: $0["id"] as Int64) }
                try EventStore.delete(db, found.map(\.id))
                return found.count == Self.step ? found.last : nil
            }
        }
    }

    /// Gives cameras the places of their ids in the list; others keep theirs. Ids that do not exist are passed over.
    package func reorder(_ ids: [ID<Camera>]) async throws {
        let changed = try await rows.write("ordering the cameras") { db in
            var changed: [ID<Camera>] = []
            for (place, id) in ids.enumerated() {
                guard var camera = try fetch(db, id), camera.sortOrder != place else { continue }
                camera.sortOrder = place
                try write(db, camera)
                changed.append(id)
            }
            return changed
        }
        for id in changed { rows.changes.send(.camera(id)) }
    }

    private static func deleteFootage(_ db: Database, of id: ID<Camera>) throws {
        let isFree = "camera_id = ? AND NOT \(HoldStore.event("events"))"
        try EventStore.forgetPictures(db, where: isFree, [id.rawValue])
        try db.run("DELETE FROM events WHERE \(isFree)", [id.rawValue])
        try db.run(
            "UPDATE segments SET state = 3 WHERE camera_id = ? AND state <> 3 AND NOT \(HoldStore.segment("segments"))", [id.rawValue])
    }

    /// What the secrets of a camera are sealed for.
    static func context(_ id: ID<Camera>, _ field: String) -> String { "camera:\(id):\(field)" }

    /// Stores a new camera in the transaction of the caller and gives it its id, which its secrets are sealed for; an id that it
    /// has already stays.
    func insert(_ db: Database, _ camera: inout Camera) throws {
        try db.run(
            "INSERT INTO cameras (id, name, sort_order, created_us, settings) VALUES (?, ?, ?, ?, '{}')",
            [camera.id.rawValue == 0 ? nil : camera.id.rawValue, camera.general.name, camera.sortOrder, camera.createdAt.microseconds])
        camera.id = ID(db.lastInsertedRowID)
        try write(db, camera)
    }

    func write(_ db: Database, _ camera: Camera) throws {
        let settings = try camera.settingsText { try rows.secrets.seal($1, for: Self.context(camera.id, $0)) }
        try db.run(
            "UPDATE cameras SET name = ?, sort_order = ?, settings = ? WHERE id = ?",
            [camera.general.name, camera.sortOrder, settings, camera.id.rawValue])
    }

    func fetch(_ db: Database, _ id: ID<Camera>) throws -> Camera? {
        try db.row("SELECT id, sort_order, created_us, settings FROM cameras WHERE id = ?", [id.rawValue], camera)
    }

    private func camera(_ row: Row) throws -> Camera {
        let id = ID<Camera>(row["id"])
        do {
            var camera = try Camera(id: id, createdAt: WallTime(microseconds: row["created_us"]), settingsText: row["settings"]) {
                try rows.secrets.open($1, for: Self.context(id, $0))
            }
            camera.sortOrder = row["sort_order"]
            return camera
        } catch let error as JSONSyntaxError {
            throw NVRError(.dataLoss, "the settings of camera \(id) cannot be read: \(error.message) at byte \(error.offset)")
        }
    }
}

// MARK: - After a database was lost

extension CameraStore {
    /// The highest id that was ever given to a camera; 0 when none was.
    package func highestID() async throws -> ID<Camera> {
        try await rows.read("reading the cameras") { db in
            ID(try db.row("SELECT seq FROM sqlite_sequence WHERE name = 'cameras'") { $0["seq"] as Int64 } ?? 0)
        }
    }

    /// Makes cameras with given ids that are switched off and lead nowhere, for footage of cameras that this database does not know.
    /// Ids that exist are passed over. No other camera gets an id up to the highest of them.
    package func insertFound(_ ids: [ID<Camera>], at now: WallTime) async throws -> [ID<Camera>] {
        let made = try await rows.write("storing cameras that were found") { db in
            var made: [ID<Camera>] = []
            for id in ids.sorted() where try fetch(db, id) == nil {
                var camera = Camera(id: id, createdAt: now, name: "Camera \(id) (found)")
                camera.general.isActive = false
                camera.recording.mode = .off
                camera.recording.preserve = "Forever"
                camera.sortOrder = Int(clamping: id.rawValue)
                try insert(db, &camera)
                made.append(id)
            }
            return made
        }
        for id in made { rows.changes.send(.camera(id)) }
        return made
    }
}
