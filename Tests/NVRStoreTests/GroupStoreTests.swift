import NVRBase
import NVRModel
import NVRStore
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Groups in the database")
struct GroupStoreTests {
    private func camera(_ store: Store, _ name: String) async throws -> ID<Camera> {
        try await store.cameras.insert(Camera(id: ID(0), createdAt: at(0), name: name, url: "rtsp://10.0.0.1/\(name)")).id
    }

    private func group(_ name: String, _ cameras: Set<ID<Camera>> = []) -> CameraGroup {
        CameraGroup(id: ID(0), name: name, description: "d", createdAt: at(1), cameras: cameras)
    }

    @Test("Groups hold cameras, lose those that are deleted, and are announced after the commit")
    func lifecycle() async throws {
        let store = try Store.inMemory()
        let (a, b) = (try await camera(store, "A"), try await camera(store, "B"))
        var changes = store.changes.subscribe().makeAsyncIterator()
        let outside = try await store.groups.insert(group("Outside", [a]))
        #expect(await changes.next() == .group(outside.id))
        #expect(try await store.groups.setCameras(outside.id, [a, b]).cameras == [a, b])
        #expect(await changes.next() == .group(outside.id))
        #expect(try await store.groups.all() == [CameraGroup(id: outside.id, name: "Outside", description: "d", createdAt: at(1), cameras: [a, b])])
        _ = try await store.cameras.delete(a, at: at(2))
        #expect(await changes.next() == .cameraDeleted(a))
        #expect(try await store.groups.get(outside.id)?.cameras == [b])
        #expect(try await store.groups.delete([outside.id, ID(99), outside.id]) == [outside.id])
        #expect(await changes.next() == .groupDeleted(outside.id))
        #expect(try await store.groups.get(outside.id) == nil)
        #expect(try await store.cameras.get(b) != nil)
        #expect(try await store.groups.insert(group("Outside")).id > outside.id)
        #expect(try await store.problems().isEmpty)
    }

    @Test("A name is taken once in any case, and cameras that do not exist change nothing")
    func refusals() async throws {
        let store = try Store.inMemory()
        let a = try await camera(store, "A")
        let outside = try await store.groups.insert(group("Outside", [a]))
        for name in ["Outside", "OUTSIDE"] {
            let error = await #expect(throws: NVRError.self) { try await store.groups.insert(group(name)) }
            #expect(error?.kind == .conflict)
        }
        for (id, cameras) in [(outside.id, Set([a, ID(99)])), (ID(99), [a])] {
            let error = await #expect(throws: NVRError.self) { try await store.groups.setCameras(id, cameras) }
            #expect(error?.kind == .notFound)
        }
        await #expect(throws: NVRError.self) { try await store.groups.insert(group("Inside", [ID(99)])) }
        #expect(try await store.groups.all() == [outside])
    }

    @Test("A database of the first schema is brought up to date with its rows")
    func migration() async throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/nvr.db"
        let store = try Store.open(at: path)
        _ = try await camera(store, "A")
        try store.close()
        let again = try Store.open(at: path)
        let a = try #require(try await again.cameras.all().first?.id)
        #expect(try await again.groups.insert(group("Outside", [a])).cameras == [a])
        try again.close()
    }
}

@Suite("Storage profiles in the database")
struct StorageProfileStoreTests {
    private func profile(_ name: String, _ path: String) -> StorageProfile {
        StorageProfile(id: ID(0), name: name, path: path, description: nil, maxSize: 50, createdAt: at(1))
    }

    @Test("Names and folders belong to one profile; one folder may not hold another")
    func overlaps() async throws {
        let store = try Store.inMemory()
        let ssd = try await store.storageProfiles.insert(profile("SSD", "/data/ssd"))
        for (name, path) in [("ssd", "/data/x"), ("B", "/data/ssd"), ("B", "/data/ssd/b"), ("B", "/data")] {
            let error = await #expect(throws: NVRError.self, "\(name) \(path)") { try await store.storageProfiles.insert(profile(name, path)) }
            #expect(error?.kind == .conflict)
        }
        let other = try await store.storageProfiles.insert(profile("B", "/data/ssd2"))
        await #expect(throws: NVRError.self) { try await store.storageProfiles.update(other.id) { $0.name = "SSD" } }
        #expect(try await store.storageProfiles.update(ssd.id) { $0.maxSize = 60 }.maxSize == 60)
        #expect(try await store.storageProfiles.all().map(\.name) == ["SSD", "B"])
        let missing = await #expect(throws: NVRError.self) { try await store.storageProfiles.update(ID(99)) { _ in } }
        #expect(missing?.kind == .notFound)
    }

    @Test("Cameras of a deleted profile go back to the default; a profile that does not exist is not taken")
    func cameras() async throws {
        let store = try Store.inMemory()
        let ssd = try await store.storageProfiles.insert(profile("SSD", "/data/ssd"))
        var draft = Camera(id: ID(0), createdAt: at(0), name: "A", url: "rtsp://10.0.0.1/a")
        draft.storage.profileID = Int(ssd.id.rawValue)
        draft.storage.archiveProfileID = Int(ssd.id.rawValue)
        draft.storage.archiveAfterHours = 5
        let camera = try await store.cameras.insert(draft)
        for change in [\Camera.Storage.profileID, \.motionProfileID, \.continuousProfileID, \.snapshotProfileID, \.archiveProfileID]
            as [any WritableKeyPath<Camera.Storage, Int?> & Sendable]
        {
            let error = await #expect(throws: NVRError.self) {
                try await store.cameras.update(camera.id) { $0.storage[keyPath: change] = 99 }
            }
            #expect(error?.kind == .invalid)
        }
        var changes = store.changes.subscribe().makeAsyncIterator()
        #expect(try await store.storageProfiles.delete(ssd.id))
        #expect(await changes.next() == .camera(camera.id))
        #expect(await changes.next() == .storageProfileDeleted(ssd.id))
        let moved = try await store.cameras.get(camera.id)
        #expect(moved?.storage.profiles.isEmpty == true && moved?.storage.archiveAfterHours == 5)
        #expect(try await !store.storageProfiles.delete(ssd.id))
        draft.storage.profileID = Int(ssd.id.rawValue)
        await #expect(throws: NVRError.self) { try await store.cameras.insert(draft) }
    }
}
