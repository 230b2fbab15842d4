import NVRBase
import NVRModel
import NVRStore
import Testing

@Suite("Buckets as archives, in rows")
struct BucketProfileTests {
    private static let time = WallTime(microseconds: 1_795_000_000_000_000)

    private func profile(_ name: String, prefix: String = "", bucket: String = "footage") -> S3Profile {
        var profile = S3Profile(
            id: ID(0), name: name, endpoint: "https://s3.example.com", bucket: bucket, accessKey: "a", secretKey: "hidden", createdAt: Self.time)
        profile.prefix = prefix
        return profile
    }

    private func camera(archive: Int?) -> Camera {
        var camera = Camera(id: ID(0), createdAt: Self.time, name: "Door", url: "rtsp://10.0.0.1/a")
        camera.storage.archiveProfileID = archive
        camera.storage.archiveAfterHours = 1
        return camera
    }

    @Test("A camera names minus the id of a bucket that exists, and keeps the bucket from being deleted")
    func naming() async throws {
        let store = try Store.inMemory()
        for archive in [0, -1, -7] {
            let refusal = await #expect(throws: FieldProblems.self) { try await store.cameras.insert(camera(archive: archive)) }
            #expect(refusal?.problems.first?.loc == [.key("body"), .key("archive_storage_profile_id")])
        }
        _ = try await store.s3Profiles.insert(profile("one"))
        let stored = try await store.cameras.insert(camera(archive: -1))
        #expect(stored.storage.archiveVolume == VolumeID(rawValue: -1) && stored.storage.archiveBucket == ID(1) && stored.storage.profiles.isEmpty)
        await #expect(throws: FieldProblems.self) { try await store.cameras.update(stored.id) { $0.storage.archiveProfileID = -2 } }
        let refusal = await #expect(throws: NVRError.self) { try await store.s3Profiles.delete(ID(1)) }
        #expect(refusal?.kind == .conflict && refusal?.message.contains("Door") == true)
        _ = try await store.cameras.update(stored.id) { $0.storage.archiveProfileID = nil }
        #expect(try await store.s3Profiles.delete(ID(1)))
        // From another server: what is not here is forgotten.
        let imported = try await store.cameras.insert([CameraDraft(camera: camera(archive: -9))], at: Self.time)
        #expect(imported[0].storage.archiveProfileID == nil)
    }

    @Test("What one profile writes may not lie among the archive of another one")
    func overlaps() async throws {
        let store = try Store.inMemory()
        _ = try await store.s3Profiles.insert(profile("one", prefix: "home"))
        for prefix in ["home/archive", "home/archive/x"] {
            let refusal = await #expect(throws: NVRError.self) { try await store.s3Profiles.insert(profile("two", prefix: prefix)) }
            #expect(refusal?.kind == .conflict)
        }
        _ = try await store.s3Profiles.insert(profile("two", prefix: "home/archives"))
        _ = try await store.s3Profiles.insert(profile("three", prefix: "home/archive", bucket: "another"))
        await #expect(throws: NVRError.self) { try await store.s3Profiles.update(ID(2)) { $0.prefix = "home/archive/2" } }
        // The other way round.
        _ = try await store.s3Profiles.update(ID(2)) { $0.prefix = "a/archive/b" }
        await #expect(throws: NVRError.self) { try await store.s3Profiles.update(ID(1)) { $0.prefix = "a" } }
    }

    @Test("The marker is noted once, and another bucket starts without one")
    func marking() async throws {
        let store = try Store.inMemory()
        _ = try await store.s3Profiles.insert(profile("one"))
        try await store.s3Profiles.setMarked(ID(1), at: Self.time)
        _ = try await store.s3Profiles.update(ID(1)) { $0.endpoint = "https://other.example.com" }
        #expect(try await store.s3Profiles.get(ID(1))?.markedAt == Self.time)
        _ = try await store.s3Profiles.update(ID(1)) { $0.bucket = "other" }
        #expect(try await store.s3Profiles.get(ID(1))?.markedAt == nil)
    }
}
