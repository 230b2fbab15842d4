import GRDB
import NVRBase
package import NVRModel

/// Buckets that events are copied to. Secret keys are sealed.
package struct S3ProfileStore: Sendable {
    let rows: Rows

    /// What the secret key of a profile is sealed for.
    static func context(_ profile: Int64) -> String { "s3_profile:\(profile):secret_key" }

    /// Profiles there may be.
    package static let most = 16

    /// All profiles by id.
    package func all() async throws -> [S3Profile] {
        try await rows.read("reading the S3 profiles") { db in
            try db.rows("SELECT * FROM s3_profiles ORDER BY id", []) { try profile(db, $0) }
        }
    }

    package func get(_ id: ID<S3Profile>) async throws -> S3Profile? {
        try await rows.read("reading an S3 profile") { try fetch($0, id) }
    }

    /// Stores a new profile; its `id` is given here. Events from now on are copied. Throws `conflict` for a name that is taken or too
    /// many profiles, `notFound` for a camera that does not exist.
    package func insert(_ profile: S3Profile) async throws -> S3Profile {
        let stored = try await rows.write("storing an S3 profile") { db in
            let count = try db.row("SELECT count(*) AS count FROM s3_profiles") { $0["count"] as Int } ?? 0
            guard count < Self.most else { throw NVRError(.conflict, "There may be \(Self.most) S3 profiles at most") }
            try Self.demandName(db, of: profile)
            try db.run(
                """
                INSERT INTO s3_profiles (name, endpoint, region, bucket, prefix, addressing, access_key, secret_key, allows_self_signed,
                    max_rate, copies_all, created_us, event_cursor)
                VALUES (?, '', '', '', '', '', '', '', 0, 0, 0, ?, (SELECT coalesce(max(id), 0) FROM events))
                """, [profile.name, profile.createdAt.microseconds])
            var stored = profile
            stored.id = ID(db.lastInsertedRowID)
            try write(db, stored)
            return stored
        }
        rows.changes.send(.s3Profile(stored.id))
        return stored
    }

    /// Changes a profile in one transaction. Throws `notFound`, and what `insert` does.
    package func update(_ id: ID<S3Profile>, _ body: @escaping @Sendable (inout S3Profile) throws -> Void) async throws -> S3Profile {
        let profile = try await rows.write("changing an S3 profile") { db in
            guard let old = try fetch(db, id) else { throw NVRError(.notFound, "S3 profile not found") }
            var profile = old
            try body(&profile)
            profile.id = id
            profile.createdAt = old.createdAt
            try Self.demandName(db, of: profile)
            // What was not copied so far is not copied now: only events that begin from now on are.
            if !old.copiesEvents {
                try db.run("UPDATE s3_profiles SET event_cursor = (SELECT coalesce(max(id), 0) FROM events) WHERE id = ?", [id.rawValue])
            }
            try write(db, profile)
            return profile
        }
        rows.changes.send(.s3Profile(id))
        return profile
    }

    /// Deletes a profile with its queue; false when there was none. What lies in the bucket stays there.
    package func delete(_ id: ID<S3Profile>) async throws -> Bool {
        let isDeleted = try await rows.write("deleting an S3 profile") { db in
            try db.run("DELETE FROM s3_profiles WHERE id = ?", [id.rawValue])
            return db.changesCount > 0
        }
        if isDeleted { rows.changes.send(.s3Profile(id)) }
        return isDeleted
    }

    private static func demandName(_ db: Database, of profile: S3Profile) throws {
        let other = try db.row("SELECT id FROM s3_profiles WHERE name = ? AND id <> ?", [profile.name, profile.id.rawValue]) { _ in true }
        if other != nil { throw NVRError(.conflict, "S3 profile name already exists") }
    }

    private func write(_ db: Database, _ profile: S3Profile) throws {
        let id = profile.id.rawValue
        try db.run(
            """
            UPDATE s3_profiles SET name = ?, endpoint = ?, region = ?, bucket = ?, prefix = ?, addressing = ?, access_key = ?,
                secret_key = ?, allows_self_signed = ?, max_rate = ?, copies_all = ? WHERE id = ?
            """,
            [
                profile.name, profile.endpoint, profile.region, profile.bucket, profile.prefix, profile.addressing, profile.accessKey,
                try rows.secrets.seal(profile.secretKey, for: Self.context(id)), profile.allowsSelfSigned, profile.maxRate,
                profile.copiesAllCameras, id,
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
        profile.cameraIDs = Set(
            try db.rows("SELECT camera_id FROM s3_profile_cameras WHERE profile_id = ?", [id]) { ID<Camera>($0["camera_id"]) })
        return profile
    }
}
