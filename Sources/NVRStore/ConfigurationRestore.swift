import FoundationEssentials
import GRDB
import NVRBase
package import NVRModel

/// What a restore did.
package struct RestoreReport: Sendable, Hashable {
    /// Rows that are new or have changed, by what they are.
    package var settings = 0
    package var storageProfiles = 0
    package var s3Profiles = 0
    package var cameras = 0
    package var groups = 0
    package var users = 0
    package var apiKeys = 0
    /// What was left out or needs a look, for a person.
    package var warnings: [String] = []
    /// New users whose password could not be taken over: an administrator has to set one.
    package var usersWithoutPassword: [String] = []

    /// Nothing was changed.
    package init() {}
}

extension Store {
    /// Puts a configuration in the place of what is there, in one transaction: all of it or nothing.
    ///
    /// What the backup knows becomes as it was; what it does not know stays. Cameras are told by their id when the backup is from this
    /// installation, else by their URL; profiles, groups and users by their names. The password, second factor and sessions of a user
    /// who exists are left alone, and his API keys that were revoked since a backup of this installation stay revoked. `passwordless` is a
    /// hash that no password has. `onWrite` is called before every row that is written; what it throws undoes all. Throws `conflict` when no active administrator would be left.
    package func restore(
        _ wanted: StoredConfiguration, passwordless: String, onWrite: @escaping @Sendable () throws -> Void = {}
    ) async throws -> RestoreReport {
        try await restore(wanted, passwordless: passwordless, known: [:], keepsRevoked: true, onWrite: onWrite).report
    }

    /// The same, and which cameras those of the backup are here, by their ids there. `known`: cameras that its groups and users speak of, and
    /// that are here already. `keepsRevoked`: keys that are missing of users who are here were revoked, if the backup is of this installation.
    package func restore(
        _ wanted: StoredConfiguration, passwordless: String, known: [ID<Camera>: ID<Camera>], keepsRevoked: Bool = false,
        onWrite: @escaping @Sendable () throws -> Void = {}
    ) async throws -> (report: RestoreReport, cameras: [ID<Camera>: ID<Camera>]) {
        let (report, cameras, changes) = try await rows.write("restoring a backup") { db in
            let instance = try db.row("SELECT instance FROM installation") { $0["instance"] as String }
            var restore = ConfigurationRestore(
                db: db, store: self, passwordless: passwordless, onWrite: onWrite, isOwn: !wanted.instance.isEmpty && wanted.instance == instance)
            restore.cameraIDs = known
            restore.keepsRevoked = keepsRevoked && restore.isOwn
            try restore.run(wanted)
            return (restore.report, restore.cameraIDs, restore.changes)
        }
        for change in changes { rows.changes.send(change) }
        return (report, cameras)
    }
}

/// One restore while it runs. Rows are written in the order in which they refer to each other; ids of the backup are led to those here.
struct ConfigurationRestore {
    let db: Database
    let store: Store
    let passwordless: String
    let onWrite: @Sendable () throws -> Void
    /// Whether the backup's ids are ids here.
    let isOwn: Bool

    /// Whether keys of users who are here are left as they are: those of the backup that are missing were revoked since.
    var keepsRevoked = false

    var report = RestoreReport()
    var changes: [StoreChange] = []
    private var profileIDs: [ID<StorageProfile>: ID<StorageProfile>] = [:]
    var bucketIDs: [ID<S3Profile>: ID<S3Profile>] = [:]
    /// Cameras of the backup and which they are here.
    var cameraIDs: [ID<Camera>: ID<Camera>] = [:]
    private var groupIDs: [ID<CameraGroup>: ID<CameraGroup>] = [:]

    init(db: Database, store: Store, passwordless: String, onWrite: @escaping @Sendable () throws -> Void, isOwn: Bool) {
        self.db = db
        self.store = store
        self.passwordless = passwordless
        self.onWrite = onWrite
        self.isOwn = isOwn
    }

    mutating func run(_ wanted: StoredConfiguration) throws {
        try onWrite()
        let changed = try store.settings.write(db, wanted.settings.mapValues(Optional.some))
        changes += changed.sorted().map { .setting($0) }
        report.settings = changed.count
        for profile in wanted.storageProfiles { try restore(profile, unusable: wanted.unusableFolders[profile.id]) }
        for profile in wanted.s3Profiles { try restore(profile) }
        let before = try store.cameras.fetchAll(db)
        var taken: Set<ID<Camera>> = []
        for camera in wanted.cameras { try restore(camera, fields: wanted.cameraFields[camera.id], before: before, taken: &taken) }
        for profile in wanted.s3Profiles { try restoreCameras(of: profile) }
        for group in wanted.groups { try restore(group) }
        for user in wanted.users { try restore(user) }
        try onWrite()
        if !wanted.users.isEmpty { try UserStore.demandAdministrator(db) }
    }

    // MARK: Profiles

    /// `unusable`: why its folder cannot be used now; that is no matter for a profile that is here.
    private mutating func restore(_ profile: StorageProfile, unusable: String?) throws {
        func id(by column: String, _ value: String) throws -> ID<StorageProfile>? {
            try db.row("SELECT id FROM storage_profiles WHERE \(column) = ?", [value]) { ID($0["id"]) }
        }
        // One that was renamed since is told by its folder: cameras go on recording there.
        if let found = try id(by: "name", profile.name) ?? id(by: "path", profile.path), let old = try StorageProfileStore.fetch(db, found) {
            profileIDs[profile.id] = found
            // Its folder holds footage already.
            if old.path != profile.path { report.warnings.append("storage profile \(old.name) keeps its folder") }
            guard (old.name, old.description, old.maxSize) != (profile.name, profile.description, profile.maxSize) else { return }
            try onWrite()
            try db.run(
                "UPDATE storage_profiles SET name = ?, description = ?, max_size_gb = ? WHERE id = ?",
                [profile.name, profile.description, profile.maxSize, found.rawValue])
            changes.append(.storageProfile(found))
        } else {
            try onWrite()
            do {
                if let unusable { throw NVRError(.conflict, unusable) }
                var stored = profile
                try StorageProfileStore.insert(db, &stored)
                profileIDs[profile.id] = stored.id
                changes.append(.storageProfile(stored.id))
            } catch let refusal as NVRError where refusal.kind == .conflict {
                report.warnings.append("storage profile \(profile.name) was left out: \(refusal.message)")
                return
            }
        }
        report.storageProfiles += 1
    }

    // MARK: Cameras

    /// `fields`: those that the backup names; nil for all.
    private mutating func restore(_ wanted: Camera, fields: Set<String>?, before: [Camera], taken: inout Set<ID<Camera>>) throws {
        let match = before.first { old in
            guard !taken.contains(old.id) else { return false }
            if isOwn { return old.id == wanted.id }
            // A camera of which nothing but footage was found takes the settings of the one that had its id.
            if old.streams.url.isEmpty { return old.id == wanted.id || wanted.streams.url.isEmpty && old.general.name == wanted.general.name }
            return Camera.withoutCredentials(old.streams.url) == Camera.withoutCredentials(wanted.streams.url)
        }
        var camera = wanted
        let wasLost = mapProfiles(of: &camera)
        if wasLost { report.warnings.append("camera \(camera.general.name): its storage profile is not available; it records to the default folder") }
        if let match {
            if let fields {
                var merged = match
                merged.take(fields: fields, of: camera)
                camera = merged
            }
            camera.id = match.id
            camera.createdAt = match.createdAt
            taken.insert(match.id)
            cameraIDs[wanted.id] = match.id
            guard camera != match else { return }
            try onWrite()
            try store.cameras.write(db, camera)
        } else {
            // A camera that was deleted here gets its id again, and with it the footage that was kept.
            if !isOwn { camera.id = ID(0) }
            try onWrite()
            try store.cameras.insert(db, &camera)
            cameraIDs[wanted.id] = camera.id
        }
        changes.append(.camera(camera.id))
        report.cameras += 1
    }

    /// True when one of the camera's profiles does not exist here.
    private func mapProfiles(of camera: inout Camera) -> Bool {
        var wasLost = false
        func mapped(_ id: Int?) -> Int? {
            guard let id else { return nil }
            guard let found = profileIDs[ID(Int64(id))] else {
                wasLost = true
                return nil
            }
            return Int(found.rawValue)
        }
        camera.storage.profileID = mapped(camera.storage.profileID)
        camera.storage.motionProfileID = mapped(camera.storage.motionProfileID)
        camera.storage.continuousProfileID = mapped(camera.storage.continuousProfileID)
        camera.storage.snapshotProfileID = mapped(camera.storage.snapshotProfileID)
        if let bucket = camera.storage.archiveBucket {
            // Minus the id, as a camera names it.
            camera.storage.archiveProfileID = bucketIDs[bucket].map { -Int($0.rawValue) }
            if camera.storage.archiveProfileID == nil { wasLost = true }
        } else {
            camera.storage.archiveProfileID = mapped(camera.storage.archiveProfileID)
        }
        return wasLost
    }

    // MARK: Groups

    private mutating func restore(_ wanted: CameraGroup) throws {
        let members = Set(wanted.cameras.compactMap { cameraIDs[$0] })
        let found = try db.row("SELECT id FROM groups WHERE name = ?", [wanted.name]) { ID<CameraGroup>($0["id"]) }
        if let found, let old = try GroupStore.fetch(db, found) {
            groupIDs[wanted.id] = found
            // Cameras that the backup does not know stay.
            let all = members.union(old.cameras.subtracting(cameraIDs.values))
            guard all != old.cameras || wanted.description != old.description else { return }
            try onWrite()
            try db.run("UPDATE groups SET description = ? WHERE id = ?", [wanted.description, found.rawValue])
            try db.run("DELETE FROM group_cameras WHERE group_id = ?", [found.rawValue])
            try onWrite()
            try GroupStore.write(db, found, all)
            changes.append(.group(found))
        } else {
            try onWrite()
            try db.run(
                "INSERT INTO groups (name, description, created_us) VALUES (?, ?, ?)",
                [wanted.name, wanted.description, wanted.createdAt.microseconds])
            let id = ID<CameraGroup>(db.lastInsertedRowID)
            groupIDs[wanted.id] = id
            try onWrite()
            try GroupStore.write(db, id, members)
            changes.append(.group(id))
        }
        report.groups += 1
    }

    // MARK: Users

    private mutating func restore(_ wanted: StoredUser) throws {
        var user = wanted.user
        user.cameraGrants = mapped(user.cameraGrants, cameraIDs)
        user.groupGrants = mapped(user.groupGrants, groupIDs)
        let found = try db.row("SELECT id FROM users WHERE username = ?", [user.username]) { ID<User>($0["id"]) }
        let id: ID<User>
        if let found, let old = try UserStore.fetch(db, found) {
            id = found
            var changed = old
            changed.email = user.email
            changed.role = user.role
            changed.isActive = user.isActive
            changed.language = user.language
            changed.restrictCameraAccess = user.restrictCameraAccess
            changed.cameraGrants = merged(old.cameraGrants, user.cameraGrants, known: Set(cameraIDs.values))
            changed.groupGrants = merged(old.groupGrants, user.groupGrants, known: Set(groupIDs.values))
            if changed != old {
                try onWrite()
                try UserStore.write(db, old: old, new: changed)
                report.users += 1
            }
            if keepsRevoked { return }
        } else {
            try onWrite()
            if wanted.passwordHash == nil { report.usersWithoutPassword.append(user.username) }
            id = try UserStore.insert(db, user, passwordHash: wanted.passwordHash ?? passwordless)
            if let factor = wanted.secondFactor, factor.isEnabled { try restore(factor, of: id) }
            report.users += 1
        }
        try restore(wanted.tokens, of: id, named: user.username)
    }

    private func mapped<Subject>(_ grants: [Grant<Subject>], _ ids: [ID<Subject>: ID<Subject>]) -> [Grant<Subject>] {
        grants.compactMap { grant in
            ids[grant.id].map { Grant(id: $0, canView: grant.canView, canReplay: grant.canReplay, canControl: grant.canControl) }
        }
    }

    /// Grants as the backup has them, and those to what the backup does not know. Names are left to the database.
    private func merged<Subject>(_ old: [Grant<Subject>], _ new: [Grant<Subject>], known: Set<ID<Subject>>) -> [Grant<Subject>] {
        let names = Dictionary(old.map { ($0.id, $0.name) }) { first, _ in first }
        let named = new.map { grant in
            var grant = grant
            grant.name = names[grant.id] ?? ""
            return grant
        }
        return (old.filter { !known.contains($0.id) } + named).sorted { $0.id < $1.id }
    }

    private func restore(_ factor: StoredSecondFactor, of user: ID<User>) throws {
        let sealed = try store.secrets.seal(factor.secret, for: SecondFactorStore.context(user.rawValue))
        try onWrite()
        try db.run("INSERT INTO second_factors (user_id, secret, is_enabled, last_step) VALUES (?, ?, 1, 0)", [user.rawValue, sealed])
        for hash in Set(factor.recoveryCodes) {
            try onWrite()
            try db.run("INSERT INTO recovery_codes (user_id, hash) VALUES (?, ?)", [user.rawValue, Data(hash)])
        }
    }

    private mutating func restore(_ tokens: [StoredToken], of user: ID<User>, named name: String) throws {
        for stored in tokens {
            guard try db.row("SELECT 1 FROM api_tokens WHERE hash = ?", [Data(stored.hash)], { _ in true }) == nil else { continue }
            let count = try db.row("SELECT count(*) AS count FROM api_tokens WHERE user_id = ?", [user.rawValue]) { $0["count"] as Int } ?? 0
            guard count < TokenStore.maxPerUser else {
                report.warnings.append("user \(name) has \(TokenStore.maxPerUser) API keys; the rest was left out")
                return
            }
            try onWrite()
            let token = stored.token
            try db.run(
                """
                INSERT INTO api_tokens (user_id, name, hash, created_us, expires_us, last_used_us, is_active) VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
                [
                    user.rawValue, token.name, Data(stored.hash), token.createdAt.microseconds, token.expiresAt?.microseconds,
                    token.lastUsedAt?.microseconds, token.isActive,
                ])
            report.apiKeys += 1
        }
    }
}
