import GRDB
import NVRBase
package import NVRModel

/// Groups of cameras. A camera that is deleted leaves its groups with its row.
package struct GroupStore: Sendable {
    let rows: Rows

    /// All groups by id.
    package func all() async throws -> [CameraGroup] {
        try await rows.read("reading the groups") { db in
            var members: [Int64: Set<ID<Camera>>] = [:]
            let pairs = try db.rows("SELECT group_id, camera_id FROM group_cameras") { ($0["group_id"] as Int64, $0["camera_id"] as Int64) }
            for (group, camera) in pairs { members[group, default: []].insert(ID(camera)) }
            return try db.rows("SELECT * FROM groups ORDER BY id") { row in Self.group(row, members[row["id"]] ?? []) }
        }
    }

    package func get(_ id: ID<CameraGroup>) async throws -> CameraGroup? {
        try await rows.read("reading a group") { try Self.fetch($0, id) }
    }

    /// Stores a new group with its cameras; its `id` is given here. Throws `conflict` when the name is taken and `notFound` for a
    /// camera that does not exist.
    package func insert(_ group: CameraGroup) async throws -> CameraGroup {
        let stored = try await rows.write("storing a group") { db in
            if try db.row("SELECT 1 FROM groups WHERE name = ?", [group.name], { _ in true }) != nil {
                throw NVRError(.conflict, "Group name already exists")
            }
            try db.run(
                "INSERT INTO groups (name, description, created_us) VALUES (?, ?, ?)",
                [group.name, group.description, group.createdAt.microseconds])
            var stored = group
            stored.id = ID(db.lastInsertedRowID)
            try Self.write(db, stored.id, group.cameras)
            return stored
        }
        rows.changes.send(.group(stored.id))
        return stored
    }

    /// Makes a group hold exactly these cameras. Throws `notFound` for a group or a camera that does not exist; then nothing changes.
    package func setCameras(_ id: ID<CameraGroup>, _ cameras: Set<ID<Camera>>) async throws -> CameraGroup {
        let group = try await rows.write("changing a group") { db in
            guard var group = try Self.fetch(db, id) else { throw NVRError(.notFound, "Group not found") }
            try db.run("DELETE FROM group_cameras WHERE group_id = ?", [id.rawValue])
            try Self.write(db, id, cameras)
            group.cameras = cameras
            return group
        }
        rows.changes.send(.group(id))
        return group
    }

    /// Deletes groups; their cameras stay. Gives the ids that existed.
    package func delete(_ ids: [ID<CameraGroup>]) async throws -> Set<ID<CameraGroup>> {
        let deleted = try await rows.write("deleting groups") { db in
            var deleted: Set<ID<CameraGroup>> = []
            for id in ids {
                try db.run("DELETE FROM groups WHERE id = ?", [id.rawValue])
                if db.changesCount > 0 { deleted.insert(id) }
            }
            return deleted
        }
        for id in deleted.sorted() { rows.changes.send(.groupDeleted(id)) }
        return deleted
    }

    private static func write(_ db: Database, _ id: ID<CameraGroup>, _ cameras: Set<ID<Camera>>) throws {
        for camera in cameras.sorted() {
            if try db.row("SELECT 1 FROM cameras WHERE id = ?", [camera.rawValue], { _ in true }) == nil {
                throw NVRError(.notFound, "Camera \(camera) not found")
            }
            try db.run("INSERT INTO group_cameras VALUES (?, ?)", [id.rawValue, camera.rawValue])
        }
    }

    static func fetch(_ db: Database, _ id: ID<CameraGroup>) throws -> CameraGroup? {
        try db.row("SELECT * FROM groups WHERE id = ?", [id.rawValue]) { row in
            let members = try db.rows("SELECT camera_id FROM group_cameras WHERE group_id = ?", [id.rawValue]) { ID<Camera>($0["camera_id"]) }
            return Self.group(row, Set(members))
        }
    }

    private static func group(_ row: Row, _ cameras: Set<ID<Camera>>) -> CameraGroup {
        CameraGroup(
            id: ID(row["id"]), name: row["name"], description: row["description"], createdAt: WallTime(microseconds: row["created_us"]),
            cameras: cameras)
    }
}
