import GRDB
import NVRBase
package import NVRModel

/// Folders that cameras may name for their recordings.
package struct StorageProfileStore: Sendable {
    let rows: Rows

    /// All profiles by id.
    package func all() async throws -> [StorageProfile] {
        try await rows.read("reading the storage profiles") { try Self.fetchAll($0) }
    }

    package func get(_ id: ID<StorageProfile>) async throws -> StorageProfile? {
        try await rows.read("reading a storage profile") { try Self.fetch($0, id) }
    }

    /// Stores a new profile; its `id` is given here. Throws `conflict` for a name that is taken, and for a folder that another
    /// profile has, holds or lies in: what is counted and deleted below one must not be another's.
    package func insert(_ profile: StorageProfile) async throws -> StorageProfile {
        let stored = try await rows.write("storing a storage profile") { db in
            var stored = profile
            try Self.insert(db, &stored)
            return stored
        }
        rows.changes.send(.storageProfile(stored.id))
        return stored
    }

    /// Changes a profile in one transaction. Throws `notFound`, and `conflict` as `insert` does and for another folder while recordings lie
    /// in the one it has. `isSameVolume`: the new folder is known to be the old one, which is reached by another path now.
    package func update(
        _ id: ID<StorageProfile>, isSameVolume: Bool = false, _ body: @escaping @Sendable (inout StorageProfile) throws -> Void
    ) async throws -> StorageProfile {
        let profile = try await rows.write("changing a storage profile") { db in
            guard let old = try Self.fetch(db, id) else { throw NVRError(.notFound, "Storage profile not found") }
            var profile = old
            try body(&profile)
            profile.id = id
            profile.createdAt = old.createdAt
            profile.markedAt = old.markedAt
            try Self.demandRoom(db, for: profile)
            if profile.path != old.path, !isSameVolume {
                try Self.demandEmpty(db, id, "Its folder can change only to where the same volume is mounted now")
                profile.markedAt = nil
            }
            try db.run(
                "UPDATE storage_profiles SET name = ?, path = ?, description = ?, max_size_gb = ?, marked_us = ? WHERE id = ?",
                [profile.name, profile.path, profile.description, profile.maxSize, profile.markedAt?.microseconds, id.rawValue])
            return profile
        }
        rows.changes.send(.storageProfile(id))
        return profile
    }

    /// Notes that the folder of a profile has its marker now. One that is gone is passed over.
    package func setMarked(_ id: ID<StorageProfile>, at time: WallTime) async throws {
        try await rows.write("changing a storage profile") { db in
            try db.run("UPDATE storage_profiles SET marked_us = ? WHERE id = ?", [time.microseconds, id.rawValue])
        }
    }

    /// Deletes a profile; false when there was none. Cameras that named it go back to the default in the same transaction. Throws `conflict`
    /// while recordings or snapshots lie in its folder.
    package func delete(_ id: ID<StorageProfile>) async throws -> Bool {
        let (isDeleted, moved) = try await rows.write("deleting a storage profile") { db in
            try Self.demandEmpty(db, id, "Delete them or let them expire first")
            let cameras = CameraStore(rows: rows)
            var moved: [ID<Camera>] = []
            for var camera in try cameras.fetchAll(db) where camera.storage.profiles.contains(id) {
                camera.storage.forget(id)
                try cameras.write(db, camera)
                moved.append(camera.id)
            }
            // What was to be deleted there stays where it is: nobody knows the folder any more.
            try db.run(
                "DELETE FROM segments WHERE id IN (SELECT id FROM segments INDEXED BY segments_not_finished WHERE state <> 2 AND state = 3 AND volume = ?)",
                [id.rawValue])
            try db.run("DELETE FROM garbage_files WHERE volume = ?", [id.rawValue])
            try db.run("DELETE FROM moves WHERE volume = ?", [id.rawValue])
            try db.run("DELETE FROM storage_profiles WHERE id = ?", [id.rawValue])
            return (db.changesCount > 0, moved)
        }
        for camera in moved { rows.changes.send(.camera(camera)) }
        if isDeleted { rows.changes.send(.storageProfileDeleted(id)) }
        return isDeleted
    }

    /// Throws `invalid` when a camera names a profile that does not exist, and `FieldProblems` for a bucket as an archive. Those it named
    /// before are not looked at again.
    static func demandProfiles(_ db: Database, of camera: Camera, old: Camera? = nil) throws {
        for id in camera.storage.profiles.subtracting(old?.storage.profiles ?? []).sorted() {
            if try db.row("SELECT 1 FROM storage_profiles WHERE id = ?", [id.rawValue], { _ in true }) == nil {
                throw NVRError(.invalid, "Storage profile \(id) does not exist")
            }
        }
        guard let archive = camera.storage.archiveProfileID, archive <= 0, archive != old?.storage.archiveProfileID else { return }
        if let bucket = camera.storage.archiveBucket, try S3ProfileStore.exists(db, bucket) { return }
        let reason = archive == 0 ? "must not be 0" : "S3 profile \(-archive) does not exist"
        throw FieldProblems([.value([.key("body"), .key("archive_storage_profile_id")], reason, input: JSONValue(archive))])
    }

    /// In the transaction of the caller.
    static func insert(_ db: Database, _ profile: inout StorageProfile) throws {
        // The id it had elsewhere says nothing about the profiles that are here.
        profile.id = ID(0)
        try demandRoom(db, for: profile)
        try db.run(
            "INSERT INTO storage_profiles (name, path, description, max_size_gb, created_us) VALUES (?, ?, ?, ?, ?)",
            [profile.name, profile.path, profile.description, profile.maxSize, profile.createdAt.microseconds])
        profile.id = ID(db.lastInsertedRowID)
    }

    private static func demandEmpty(_ db: Database, _ id: ID<StorageProfile>, _ advice: String) throws {
        let count =
            try db.row("SELECT coalesce(sum(count), 0) AS count FROM volume_totals WHERE volume = ?", [id.rawValue]) { $0["count"] as Int } ?? 0
        // Announced and not listed yet.
        let isComing =
            try db.row(
                "SELECT 1 FROM segments INDEXED BY segments_not_finished WHERE state <> 2 AND state = 0 AND volume = ?", [id.rawValue], { _ in true })
            ?? false
        guard count > 0 || isComing else { return }
        throw NVRError(.conflict, "The storage profile holds \(max(1, count)) recordings and snapshots. \(advice)")
    }

    private static func demandRoom(_ db: Database, for profile: StorageProfile) throws {
        for other in try fetchAll(db) where other.id != profile.id {
            let isTaken =
                try db.row("SELECT ? = ? COLLATE NOCASE AS same", [other.name, profile.name]) { $0["same"] as Bool } ?? false
            if isTaken { throw NVRError(.conflict, "Storage profile name already exists") }
            if StorageProfile.path(profile.path, isWithin: other.path) || StorageProfile.path(other.path, isWithin: profile.path) {
                throw NVRError(.conflict, "The folder overlaps with that of storage profile \(other.name)")
            }
        }
    }

    static func fetchAll(_ db: Database) throws -> [StorageProfile] {
        try db.rows("SELECT * FROM storage_profiles ORDER BY id", [], profile)
    }

    static func fetch(_ db: Database, _ id: ID<StorageProfile>) throws -> StorageProfile? {
        try db.row("SELECT * FROM storage_profiles WHERE id = ?", [id.rawValue], profile)
    }

    private static func profile(_ row: Row) -> StorageProfile {
        StorageProfile(
            id: ID(row["id"]), name: row["name"], path: row["path"], description: row["description"], maxSize: row["max_size_gb"],
            createdAt: WallTime(microseconds: row["created_us"]), markedAt: (row["marked_us"] as Int64?).map(WallTime.init(microseconds:)))
    }
}
