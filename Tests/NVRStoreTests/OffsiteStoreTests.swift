import NVRBase
import NVRModel
import NVRStore
import Testing

@Suite("The queue of off-site copies")
struct OffsiteStoreTests {
    private func profile(_ name: String = "Bucket", all: Bool = true, cameras: Set<ID<Camera>> = []) -> S3Profile {
        var profile = S3Profile(
            id: ID(0), name: name, endpoint: "https://s3.example.com", bucket: "footage", accessKey: "AKIA", secretKey: "hidden-secret",
            createdAt: at(0))
        profile.copiesAllCameras = all
        profile.cameraIDs = cameras
        return profile
    }

    private func camera(_ name: String) -> Camera { Camera(id: ID(0), createdAt: at(0), name: name, url: "rtsp://10.0.0.1/\(name)") }

    @Test("Profiles are stored with their key sealed, changed, announced, deleted")
    func profiles() async throws {
        let store = try Store.inMemory()
        let camera = try await store.cameras.insert(camera("A"))
        var changes = store.changes.subscribe().makeAsyncIterator()
        let made = try await store.s3Profiles.insert(profile(all: false, cameras: [camera.id]))
        #expect(await changes.next() == .s3Profile(made.id))
        #expect(try await store.s3Profiles.get(made.id) == made)
        #expect(made.json["secret_key"] == .string(SettingKey.mask) && !"\(made)\(made.json.serialized())".contains("hidden"))
        let changed = try await store.s3Profiles.update(made.id) {
            $0.secretKey = "other"
            $0.maxRate = 100_000
        }
        #expect(try await store.s3Profiles.all() == [changed] && changed.secretKey == "other")
        await #expect(throws: NVRError.self) { try await store.s3Profiles.insert(profile("bucket")) }
        await #expect(throws: NVRError.self) { try await store.s3Profiles.insert(profile("x", cameras: [ID(99)])) }
        await #expect(throws: NVRError.self) { try await store.s3Profiles.update(ID(77)) { _ in } }
        #expect(try await store.s3Profiles.all().count == 1)
        _ = try await store.cameras.delete(camera.id, at: at(1))
        #expect(try await store.s3Profiles.get(made.id)?.cameraIDs.isEmpty == true)
        #expect(try await store.s3Profiles.delete(made.id))
        #expect(try await !store.s3Profiles.delete(made.id))
    }

    @Test("Events of the profile's cameras are queued once, those from before it never, the newest first")
    func queue() async throws {
        let store = try Store.inMemory()
        let a = try await store.cameras.insert(camera("A")).id
        let b = try await store.cameras.insert(camera("B")).id
        _ = try await store.events.insert(.draft(a, 1, 2))
        let id = try await store.s3Profiles.insert(profile(all: false, cameras: [a])).id
        #expect(try await store.offsite.takeNewEvents(of: id, at: at(5)) { "\($0)" } == 0)
        let first = try await store.events.insert(.draft(a, 10))
        _ = try await store.events.insert(.draft(b, 11))
        _ = try await store.events.insert(.draft(a, 12, 13, kind: .continuous))
        _ = try await store.events.insert(.draft(a, 12, medium: .snapshot))
        let second = try await store.events.insert(.draft(a, 14, 15, kind: .manual))
        #expect(try await store.offsite.takeNewEvents(of: id, at: at(20)) { "folder-\($0)" } == 2)
        #expect(try await store.offsite.takeNewEvents(of: id, at: at(20)) { "\($0)" } == 0)
        let waiting = try await store.offsite.waiting(id)
        #expect(waiting.map(\.eventID) == [second.id, first.id] && waiting.first?.folder == "folder-\(a)")
        try await store.offsite.end(waiting[0], of: id, .copied, at: at(21))
        try await store.offsite.end(waiting[0], of: id, .copied, at: at(21))
        #expect(try await store.offsite.waiting(id).map(\.eventID) == [first.id])
        let sums = try await store.offsite.summaries(id)
        #expect(sums.map(\.waiting) == [1] && sums.first?.outcomes == [.copied: 1])
    }

    @Test("When too many wait, the oldest are given up and counted")
    func bound() async throws {
        let store = try Store.inMemory()
        let id = try await store.s3Profiles.insert(profile()).id
        for second in 0..<8 { _ = try await store.events.insert(.draft(cameraA, Double(second), Double(second) + 0.5)) }
        #expect(try await store.offsite.takeNewEvents(of: id, at: at(20), mostWaiting: 3) { "\($0)" } == 8)
        #expect(try await store.offsite.waiting(id).map(\.start) == [at(7), at(6), at(5)])
        #expect(try await store.offsite.summaries(id).first?.outcomes == [.queueFull: 5])
    }

    @Test("Pieces are noted on their way and when they are there, found by segment and by time, and forgotten when nobody needs them")
    func pieces() async throws {
        let store = try Store.inMemory()
        let id = try await store.s3Profiles.insert(profile()).id
        var piece = OffsitePiece(
            segmentID: ID(5), cameraID: cameraA, offset: 50, endOffset: 500, range: range(10, 20), key: "k", bytes: 700, uploadID: "u")
        try await store.offsite.put(piece, of: id, at: at(20))
        #expect(try await store.offsite.unfinished(id) == [piece])
        #expect(try await store.offsite.summaries(id).isEmpty)
        piece.uploadID = nil
        try await store.offsite.put(piece, of: id, at: at(21))
        #expect(try await store.offsite.unfinished(id).isEmpty)
        #expect(try await store.offsite.pieces(of: ID(5), id) == [piece])
        #expect(try await store.offsite.pieces(of: cameraA, range(19, 30), id) == [piece])
        #expect(try await store.offsite.pieces(of: cameraA, range(20, 30), id).isEmpty)
        let sum = try #require(try await store.offsite.summaries(id).first)
        #expect(sum.pieces == 1 && sum.bytes == 700 && sum.lastSuccess == at(21))
        // An event that waits keeps what it may need.
        _ = try await store.events.insert(.draft(cameraA, 12, 13))
        _ = try await store.offsite.takeNewEvents(of: id, at: at(20)) { "\($0)" }
        try await store.offsite.prune(id, before: at(100_000))
        #expect(try await store.offsite.pieces(of: ID(5), id).count == 1)
        let entry = try #require(try await store.offsite.waiting(id).first)
        try await store.offsite.end(entry, of: id, .copied, at: at(30))
        try await store.offsite.prune(id, before: at(100_000))
        #expect(try await store.offsite.pieces(of: ID(5), id).isEmpty)
    }

    @Test("Bytes that wait are those of the footage of waiting events, without what is there")
    func waitingBytes() async throws {
        let store = try Store.inMemory()
        let id = try await store.s3Profiles.insert(profile()).id
        let segment = try await store.segments.make(cameraA, 0, 100, bytes: 1000)
        _ = try await store.events.insert(.draft(cameraA, 40, 60))
        _ = try await store.offsite.takeNewEvents(of: id, at: at(70)) { "\($0)" }
        #expect(try await store.offsite.summaries(id).first?.waitingBytes == 200)
        try await store.offsite.put(
            OffsitePiece(segmentID: segment, cameraID: cameraA, offset: 0, endOffset: 50, range: range(40, 45), key: "k", bytes: 50), of: id,
            at: at(70))
        #expect(try await store.offsite.summaries(id).first?.waitingBytes == 150)
    }
}
