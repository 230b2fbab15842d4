import GRDB
import NVRBase
package import NVRModel

/// Buckets that events are copied to and footage moves into. Secret keys are sealed.
package struct S3ProfileStore: Sendable {
    let rows: Rows

    /// What the secret key of a profile is sealed for.
    static func context(_ profile: Int64) -> String { "s3_profile:\(profile):secret_key" }

    /// Profiles there may be.
    package static let most = 16

    /// All profiles by id.
    package func all() async throws -> [S3Profile] {
        try await rows.read("reading the S3 profiles") { try fetchAll($0) }
    }

    func fetchAll(_ db: Database) throws -> [S3Profile] { try db.rows("SELECT * FROM s3_profiles ORDER BY id", []) { try profile(db, $0) } }

    static func exists(_ db: Database, _ id: ID<S3Profile>) throws -> Bool {
        try db.row("SELECT 1 FROM s3_profiles WHERE id = ?", [id.rawValue], { _ in true }) != nil
    }

    package func get(_ id: ID<S3Profile>) async throws -> S3Profile? {
        try await rows.read("reading an S3 profile") { try fetch($0, id) }
    }

    /// Stores a new profile; its `id` is given here. Events from now on are copied. Throws `conflict` for a name that is taken, too many
    /// profiles, or keys that would lie among the archive of another one, `notFound` for a camera that does not exist.
    package func insert(_ profile: S3Profile) async throws -> S3Profile {
        let stored = try await rows.write("storing an S3 profile") { db in
            var stored = profile
            try insert(db, &stored)
            return stored
        }
        rows.changes.send(.s3Profile(stored.id))
        return stored
    }

    /// In the transaction of the caller.
    func insert(_ db: Database, _ profile: inout S3Profile) throws {
        let count = try db.row("SELECT count(*) AS count FROM s3_profiles") { $0["count"] as Int } ?? 0
        guard count < Self.most else { throw NVRError(.conflict, "There may be \(Self.most) S3 profiles at most") }
        // The id it had elsewhere says nothing about the profiles that are here.
        profile.id = ID(0)
        profile.markedAt = nil
        try demandRoom(db, for: profile)
        try db.run(
            """
            INSERT INTO s3_profiles (name, endpoint, region, bucket, prefix, addressing, access_key, secret_key, allows_self_signed,
                max_rate, copies_all, created_us, event_cursor)
            VALUES (?, '', '', '', '', '', '', '', 0, 0, 0, ?, (SELECT coalesce(max(id), 0) FROM events))
            """, [profile.name, profile.createdAt.microseconds])
        profile.id = ID(db.lastInsertedRowID)
        try write(db, profile)
    }

    /// Changes a profile in one transaction. Throws `notFound`, what `insert` does, and `conflict` for another bucket or prefix while archived
    /// footage lies in the one it has. Where the server is reached may change: the marker tells whether it is the same bucket.
    package func update(_ id: ID<S3Profile>, _ body: @escaping @Sendable (inout S3Profile) throws -> Void) async throws -> S3Profile {
        let profile = try await rows.write("changing an S3 profile") { db in
            guard let old = try fetch(db, id) else { throw NVRError(.notFound, "S3 profile not found") }
            var profile = old
            try body(&profile)
            try update(db, old, &profile)
            return profile
        }
        rows.changes.send(.s3Profile(id))
        return profile
    }

    /// In the transaction of the caller.
    func update(_ db: Database, _ old: S3Profile, _ profile: inout S3Profile) throws {
        profile.id = old.id
        profile.createdAt = old.createdAt
        profile.markedAt = old.markedAt
        try demandRoom(db, for: profile)
        if (profile.bucket, profile.prefix) != (old.bucket, old.prefix) {
            try Self.demandEmpty(db, old.id, "Its bucket and prefix can change only when nothing lies there")
            profile.markedAt = nil
        }
        // What was not copied so far is not copied now: only events that begin from now on are.
        if !old.copiesEvents {
            try db.run("UPDATE s3_profiles SET event_cursor = (SELECT coalesce(max(id), 0) FROM events) WHERE id = ?", [old.id.rawValue])
        }
        try write(db, profile)
    }

    /// Notes that the bucket of a profile has its marker now. It is not announced: nobody has to do anything about it.
    package func setMarked(_ id: ID<S3Profile>, at time: WallTime) async throws {
        try await rows.write("changing an S3 profile") { db in
            try db.run("UPDATE s3_profiles SET marked_us = ? WHERE id = ? AND marked_us IS NULL", [time.microseconds, id.rawValue])
        }
    }

    /// Deletes a profile with its queue; false when there was none. What lies in the bucket stays there. Throws `conflict` while it is the
    /// archive of a camera, or while footage that moved there is listed.
    package func delete(_ id: ID<S3Profile>) async throws -> Bool {
        let isDeleted = try await rows.write("deleting an S3 profile") { db in
            let users = try CameraStore(rows: rows).fetchAll(db).filter { $0.storage.archiveBucket == id }
            guard users.isEmpty else {
                let names = users.prefix(3).map(\.general.name).joined(separator: ", ") + (users.count > 3 ? " …" : "")
                throw NVRError(.conflict, "The S3 profile is the archive of \(users.count) cameras (\(names)). Give them another archive first")
            }
            try Self.demandEmpty(db, id, "Delete them, let them expire, or forget them first")
            let volume = VolumeID(id).rawValue
            // What was to be deleted there stays where it is: nobody knows the bucket any more.
            try db.run(
                "DELETE FROM segments WHERE id IN (SELECT id FROM segments INDEXED BY segments_not_finished WHERE state <> 2 AND state = 3 AND volume = ?)",
                [volume])
            try db.run("DELETE FROM garbage_files WHERE volume = ?", [volume])
            try db.run("DELETE FROM moves WHERE volume = ?", [volume])
            try db.run("DELETE FROM s3_profiles WHERE id = ?", [id.rawValue])
            return db.changesCount > 0
        }
        if isDeleted { rows.changes.send(.s3Profile(id)) }
        return isDeleted
    }

    private static func demandEmpty(_ db: Database, _ id: ID<S3Profile>, _ advice: String) throws {
        let count =
            try db.row("SELECT coalesce(sum(count), 0) AS count FROM volume_totals WHERE volume = ?", [VolumeID(id).rawValue]) { $0["count"] as Int }
            ?? 0
        guard count > 0 else { return }
        throw NVRError(.conflict, "\(count) recordings and snapshots of the archive lie in the bucket of the S3 profile. \(advice)")
    }

    /// What is written for one profile must not lie among what another one keeps as its archive.
    private func demandRoom(_ db: Database, for profile: S3Profile) throws {
        let taken = try db.row("SELECT id FROM s3_profiles WHERE name = ? AND id <> ?", [profile.name, profile.id.rawValue]) { _ in true }
        if taken != nil { throw NVRError(.conflict, "S3 profile name already exists") }
        for other in try fetchAll(db) where other.id != profile.id && (other.endpoint, other.bucket) == (profile.endpoint, profile.bucket) {
            if "\(profile.prefix)/".hasPrefix(other.archivePrefix) {
                throw NVRError(.conflict, "The prefix lies in the archive of S3 profile \(other.name)")
            }
            if "\(other.prefix)/".hasPrefix(profile.archivePrefix) {
                throw NVRError(.conflict, "The prefix of S3 profile \(other.name) would lie in the archive of this one")
            }
        }
    }

    private func write(_ db: Database, _ profile: S3Profile) throws {
        let id = profile.id.rawValue
        try db.run(
            """
            UPDATE s3_profiles SET name = ?, endpoint = ?, region = ?, bucket = ?, prefix = ?, addressing = ?, access_key = ?,
                secret_key = ?, allows_self_signed = ?, max_rate = ?, copies_all = ?, max_size_gb = ?, marked_us = ? WHERE id = ?
            """,
            [
                profile.name, profile.endpoint, profile.region, profile.bucket, profile.prefix, profile.addressing, profile.accessKey,
                try rows.secrets.seal(profile.secretKey, for: Self.context(id)), profile.allowsSelfSigned, profile.maxRate,
                profile.copiesAllCameras, profile.maxSize, profile.markedAt?.microseconds, id,
            ])
        try db.run("DELETE FROM s3_profile_cameras WHERE profile_id = ?", [id])
        for camera in profile.cameraIDs.sorted() {
            guard try db.row("SELECT 1 FROM cameras WHERE id = ?", [camera.rawValue], { _ in true }) != nil else {
                throw NVRError(.notFound, "Camera \(camera) not found")
            }
            try db.run("INSERT INTO s3_profile_cameras VALUES (?, ?)", [id, camera.rawValue])
        }
    }

    func fetch(_ db: Database, _ id: ID<S3Profile>) throws -> S3Profile? {
        try db.row("SELECT * FROM s3_profiles WHERE id = ?", [id.rawValue]) { try profile(db, $0) }
    }

    private func profile(_ db: Database, _ row: Row) throws -> S3Profile {
        let id: Int64 = row["id"]
        var profile = S3Profile(
            id: ID(id), name: row["name"], endpoint: row["endpoint"], bucket: row["bucket"], accessKey: row["access_key"],
            secretKey: try rows.secrets.open(row["secret_key"], for: Self.context(id)), createdAt: WallTime(microseconds: row["created_us"]))
        profile.region = row["region"]
        profile.prefix = row["prefix"]
        profile.addressing = row["addressing"]
        profile.allowsSelfSigned = row["allows_self_signed"]
        profile.maxRate = row["max_rate"]
        profile.copiesAllCameras = row["copies_all"]
        profile.maxSize = row["max_size_gb"]
        profile.markedAt = (row["marked_us"] as Int64?).map(WallTime.init(microseconds:))
        profile.cameraIDs = Set(
            try db.rows("SELECT camera_id FROM s3_profile_cameras WHERE profile_id = ?", [id]) { ID<Camera>($0["camera_id"]) })
        return profile
    }
}
