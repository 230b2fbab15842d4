import GRDB
import NVRBase
import NVRModel

/// S3 profiles of a backup. They are told by their names or by their places, as storage profiles are.
extension ConfigurationRestore {
    /// Before the cameras, which may name them as their archives.
    mutating func restore(_ wanted: S3Profile) throws {
        let named = try db.row("SELECT id FROM s3_profiles WHERE name = ?", [wanted.name]) { ID<S3Profile>($0["id"]) }
        // One that was renamed since is told by its place.
        let found =
            try named
            ?? db.row("SELECT id FROM s3_profiles WHERE (endpoint, bucket, prefix) = (?, ?, ?)", [wanted.endpoint, wanted.bucket, wanted.prefix]) {
                ID<S3Profile>($0["id"])
            }
        var profile = wanted
        // Whose events are copied follows when it is known which camera is which.
        profile.cameraIDs = []
        do {
            if let found, let old = try store.s3Profiles.fetch(db, found) {
                bucketIDs[wanted.id] = found
                profile.cameraIDs = old.cameraIDs
                (profile.id, profile.createdAt, profile.markedAt) = (old.id, old.createdAt, old.markedAt)
                guard profile != old else { return }
                try onWrite()
                try update(old, &profile)
            } else {
                try onWrite()
                try store.s3Profiles.insert(db, &profile)
                bucketIDs[wanted.id] = profile.id
            }
        } catch let refusal as NVRError where refusal.kind == .conflict {
            report.warnings.append("S3 profile \(wanted.name) was left out: \(refusal.message)")
            return
        }
        changes.append(.s3Profile(profile.id))
        report.s3Profiles += 1
    }

    private mutating func update(_ old: S3Profile, _ profile: inout S3Profile) throws {
        do {
            try store.s3Profiles.update(db, old, &profile)
        } catch let refusal as NVRError where refusal.kind == .conflict {
            // Footage lies in the bucket that it has: what else the backup says is taken over.
            report.warnings.append("S3 profile \(old.name) keeps its bucket")
            (profile.endpoint, profile.bucket, profile.prefix) = (old.endpoint, old.bucket, old.prefix)
            try store.s3Profiles.update(db, old, &profile)
        }
    }

    /// After the cameras: whose events are copied to a bucket.
    mutating func restoreCameras(of wanted: S3Profile) throws {
        guard let id = bucketIDs[wanted.id], let old = try store.s3Profiles.fetch(db, id) else { return }
        var profile = old
        // Cameras that the backup does not know stay.
        profile.cameraIDs = Set(wanted.cameraIDs.compactMap { cameraIDs[$0] }).union(old.cameraIDs.subtracting(cameraIDs.values))
        guard profile.cameraIDs != old.cameraIDs else { return }
        try onWrite()
        try store.s3Profiles.update(db, old, &profile)
        changes.append(.s3Profile(id))
    }
}
