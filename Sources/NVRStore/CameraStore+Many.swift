import GRDB
import NVRBase
package import NVRModel

/// A camera that is made from a file, with the names of its groups.
package struct CameraDraft: Sendable, Hashable {
    package var camera: Camera
    /// Groups that do not exist are made.
    package var groups: [String]

    package init(camera: Camera, groups: [String] = []) {
        self.camera = camera
        self.groups = groups
    }
}

// Changes to many cameras at once: all of a change is stored, or none of it.

extension CameraStore {
    /// Stores new cameras with their groups in one transaction; their ids are given here. Storage profiles that do not exist here are
    /// forgotten: they are another server's. `skippingKnown`: those are passed over whose address a camera has that was here before.
    package func insert(_ drafts: [CameraDraft], at time: WallTime, skippingKnown: Bool = false) async throws -> [Camera] {
        let (cameras, groups) = try await rows.write("storing cameras") { db in
            // Looked up here: another request may be making the same cameras.
            let known = skippingKnown ? Set(try fetchAll(db).map(CameraTransfer.address)) : []
            let profiles = Set(try db.rows("SELECT id FROM storage_profiles") { ID<StorageProfile>($0["id"]) })
            var cameras: [Camera] = []
            var touched: Set<ID<CameraGroup>> = []
            for draft in drafts where !known.contains(CameraTransfer.address(of: draft.camera)) {
                var camera = draft.camera
                for unknown in camera.storage.profiles.subtracting(profiles) { camera.storage.forget(unknown) }
                if let bucket = camera.storage.archiveBucket, try !S3ProfileStore.exists(db, bucket) { camera.storage.forget(bucket) }
                if camera.storage.archiveProfileID == 0 { camera.storage.archiveProfileID = nil }
                try insert(db, &camera)
                for name in draft.groups {
                    let group = try GroupStore.named(db, name, at: time)
                    try db.run("INSERT OR IGNORE INTO group_cameras VALUES (?, ?)", [group.rawValue, camera.id.rawValue])
                    touched.insert(group)
                }
                cameras.append(camera)
            }
            return (cameras, touched)
        }
        for camera in cameras { rows.changes.send(.camera(camera.id)) }
        for group in groups.sorted() { rows.changes.send(.group(group)) }
        return cameras
    }

    /// Changes several cameras in one transaction as `update` does one. Throws `notFound` when one does not exist; then none is
    /// changed. Gives the ids of those that differ now.
    package func update(_ ids: [ID<Camera>], _ body: @escaping @Sendable (inout Camera) throws -> Void) async throws -> [ID<Camera>] {
        try await change(ids) { _ in body }
    }

    /// Copies settings of some categories from one camera to others, in one transaction. Throws `notFound`, and gives the ids of those
    /// that differ now.
    package func copySettings(
        from source: ID<Camera>, to ids: [ID<Camera>], categories: Set<CameraField.Category>
    ) async throws -> [ID<Camera>] {
        try await change(ids.filter { $0 != source }) { db in
            guard let source = try fetch(db, source) else { throw NVRError(.notFound, "Source camera not found") }
            return { $0.copySettings(of: source, categories: categories) }
        }
    }

    private func change(
        _ ids: [ID<Camera>], _ body: @escaping @Sendable (Database) throws -> (inout Camera) throws -> Void
    ) async throws -> [ID<Camera>] {
        let changed = try await rows.write("changing cameras") { db in
            let body = try body(db)
            var changed: [ID<Camera>] = []
            for id in Set(ids).sorted() {
                guard let old = try fetch(db, id) else { throw NVRError(.notFound, "Camera \(id) not found") }
                var new = old
                try body(&new)
                new.id = old.id
                new.createdAt = old.createdAt
                guard new != old else { continue }
                try StorageProfileStore.demandProfiles(db, of: new, old: old)
                try write(db, new)
                changed.append(id)
            }
            return changed
        }
        for id in changed { rows.changes.send(.camera(id)) }
        return changed
    }
}
