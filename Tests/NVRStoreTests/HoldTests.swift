import NVRBase
import NVRModel
import NVRStore
import Testing

@Suite("Holds")
struct HoldTests {
    private static let farFuture = WallTime(microseconds: 32_000_000_000_000_000)

    /// What ten minutes of camera A are: segments of a minute with their events, motion and a picture in the first, third and last.
    struct Footage {
        let store: Store
        var segments: [ID<Segment>] = []
        var motion: [ID<Event>] = []
        var pictures: [ID<Event>] = []

        init() async throws {
            store = try Store.inMemory()
            for minute in 0..<10 {
                let start = Double(minute) * 60
                segments.append(try await store.segments.make(cameraA, start, start + 60, bytes: 1000, isContinuous: true))
                guard [0, 2, 9].contains(minute) else { continue }
                motion.append(try await store.events.insert(.draft(cameraA, start + 10, start + 20, thumbnail: "1/t\(minute).jpg")).id)
                pictures.append(
                    try await store.events.insert(
                        .draft(cameraA, start + 15, medium: .snapshot, kind: .motion, picture: "1/p\(minute).jpg", bytes: 50)
                    ).id)
            }
        }

        /// Holds from 2:05 to 3:01: the third and the fourth segment, one motion event, one picture.
        @discardableResult
        func hold(_ start: Double = 125, _ end: Double = 181, expires: WallTime? = nil) async throws -> Hold {
            try await store.holds.put(
                Hold(
                    id: ID(0), cameraID: cameraA, range: range(start, end), reason: "police", createdAt: at(1000), userID: ID(3), userName: "ada",
                    expiresAt: expires), now: at(1000))
        }

        func listed() async throws -> Set<ID<Segment>> {
            Set(try await store.segments.entries(after: nil).filter { $0.state == .finished || $0.state == .growing }.map(\.id))
        }

        var held: Set<ID<Segment>> { [segments[2], segments[3]] }

        /// What is held is there, with the pictures of its events.
        func expectHeldOnly(_ comment: Comment? = nil) async throws {
            #expect(try await listed() == held, comment)
            let events = try await store.events.list(EventFilter(limit: 1000))
            #expect(Set(events.compactMap(\.segmentID)) == held, comment)
            #expect(Set(events.filter { $0.segmentID == nil }.map(\.id)) == [motion[1], pictures[1]], comment)
            let garbage = try await store.segments.garbageFiles().map(\.path)
            #expect(!garbage.contains("1/t2.jpg") && !garbage.contains("1/p2.jpg"), comment)
            #expect(garbage.contains("1/t0.jpg") && garbage.contains("1/p9.jpg"), comment)
        }
    }

    @Test("A hold is made, changed by its range or its id, and released")
    func life() async throws {
        let footage = try await Footage()
        let holds = footage.store.holds
        let hold = try await footage.hold()
        #expect(hold.id.rawValue > 0 && hold.userName == "ada" && hold.userID == ID(3) && hold.createdAt == at(1000))
        var again = Hold(
            id: ID(0), cameraID: cameraA, range: hold.range, reason: "court", createdAt: at(2000), userID: ID(4), userName: "bob", expiresAt: at(9000)
        )
        let changed = try await holds.put(again, now: at(2000))
        #expect(changed.id == hold.id && changed.reason == "court" && changed.userName == "ada" && changed.expiresAt == at(9000))
        again = Hold(
            id: hold.id, cameraID: cameraA, range: range(0, 700), reason: "all", createdAt: at(2000), userID: nil, userName: "bob", expiresAt: nil)
        #expect(try await holds.put(again, now: at(2000)).range == range(0, 700))
        #expect(try await holds.all(of: cameraA).map(\.reason) == ["all"])
        #expect(try await holds.all(of: cameraB).isEmpty)
        // Of another camera, of no hold, of a range that another one has.
        let other = try await footage.hold(1, 2)
        for (id, camera, kind) in [(hold.id, cameraB, NVRError.Kind.notFound), (ID(99), cameraA, .notFound), (hold.id, cameraA, .conflict)] {
            let error = await #expect(throws: NVRError.self) {
                _ = try await holds.put(
                    Hold(
                        id: id, cameraID: camera, range: other.range, reason: "x", createdAt: at(0), userID: nil, userName: "", expiresAt: nil),
                    now: at(0))
            }
            #expect(error?.kind == kind)
        }
        #expect(try await holds.release(hold.id, of: cameraB) == nil)
        #expect(try await holds.release(hold.id, of: cameraA)?.id == hold.id)
        #expect(try await holds.release(range(1, 3), of: cameraA) == nil)
        #expect(try await holds.release(range(1, 2), of: cameraA)?.id == other.id)
        #expect(try await holds.all(of: cameraA).isEmpty)
    }

    @Test("A camera has a bounded number of holds, and holds that expired long ago make room")
    func bounded() async throws {
        let store = try Store.inMemory()
        func put(_ number: Int, now: WallTime) async throws {
            _ = try await store.holds.put(
                Hold(
                    id: ID(0), cameraID: cameraA, range: range(Double(number), Double(number) + 1), reason: "x", createdAt: at(0), userID: nil,
                    userName: "a", expiresAt: at(10)), now: now)
        }
        for number in 0..<Hold.mostOfCamera { try await put(number, now: at(0)) }
        let error = await #expect(throws: NVRError.self) { try await put(5000, now: at(0)) }
        #expect(error?.kind == .conflict)
        try await put(5000, now: at(10 + 91 * 86_400))
        #expect(try await store.holds.all(of: cameraA).count == 1)
    }

    @Test("Single and bulk deletion of events leave what is held, and say so")
    func events() async throws {
        let footage = try await Footage()
        try await footage.hold()
        let all = try await footage.store.events.list(EventFilter(limit: 1000)).map(\.id)
        let continuous = try await footage.store.events.list(EventFilter(kind: .continuous, limit: 1000))
        let heldEvents = Set(continuous.filter { $0.segmentID.map(footage.held.contains) ?? false }.map(\.id)).union([
            footage.motion[1], footage.pictures[1],
        ])
        for id in heldEvents {
            let deletion = try await footage.store.events.delete([id])
            #expect(deletion.held == [id] && deletion.deleted.isEmpty && deletion.missing.isEmpty && deletion.garbage.isEmpty)
        }
        #expect(try await footage.store.holds.held(all + [ID(999)]) == heldEvents)
        let deletion = try await footage.store.events.delete(all)
        #expect(Set(deletion.held) == heldEvents && deletion.deleted.count == all.count - heldEvents.count)
        try await footage.expectHeldOnly()
    }

    @Test("Deleting everything, or everything of a kind, leaves what is held")
    func everything() async throws {
        for (medium, kind) in [(Event.Medium?.none, Event.Kind?.none)] {
            let footage = try await Footage()
            try await footage.hold()
            #expect(try await footage.store.holds.heldCount(medium: medium, kind: kind) == 4)
            #expect(try await footage.store.events.deleteAll(medium: medium, kind: kind) == 12)
            try await footage.expectHeldOnly()
        }
        let footage = try await Footage()
        try await footage.hold()
        for kind in Event.Kind.allCases { _ = try await footage.store.events.deleteAll(medium: nil, kind: kind) }
        try await footage.expectHeldOnly("kind by kind")
        let another = try await Footage()
        try await another.hold()
        for medium in Event.Medium.allCases { _ = try await another.store.events.deleteAll(medium: medium, kind: nil) }
        try await another.expectHeldOnly("medium by medium")
    }

    @Test("Deleting a camera with its footage, and cleaning it up, leave what is held")
    func cameras() async throws {
        let footage = try await Footage()
        try await footage.hold()
        #expect(try await footage.store.holds.holdsAnything(of: cameraA))
        #expect(try await !footage.store.holds.holdsAnything(of: cameraB))
        try await footage.store.cameras.cleanUp(cameraA)
        try await footage.expectHeldOnly()
        let other = try await Footage()
        try await other.hold()
        let camera = try await other.store.cameras.insert(Camera(id: ID(0), createdAt: at(0), name: "door", url: "rtsp://10.0.0.1/"))
        #expect(camera.id == cameraA)
        _ = try await other.store.cameras.delete(cameraA, footage: .delete, at: at(5000))
        try await other.expectHeldOnly()
        #expect(try await other.store.holds.all(of: cameraA).count == 1)
    }

    @Test("Retention finds what is not held, and what is held does not count")
    func retention() async throws {
        let footage = try await Footage()
        try await footage.hold()
        let store = footage.store
        #expect(try await Set(store.segments.oldest(cameraA, limit: 100).map(\.id)) == Set(footage.segments).subtracting(footage.held))
        #expect(try await Set(store.segments.oldest(nil, limit: 100).map(\.id)) == Set(footage.segments).subtracting(footage.held))
        #expect(try await store.holds.heldBytes(of: cameraA) == 2000)
        #expect(try await store.segments.markGarbage(footage.segments).count == 8)
        #expect(try await store.events.deleteOld(cameraA, medium: .video, before: at(5000), limit: at(5000)) == 2)
        #expect(try await store.events.deleteOld(cameraA, medium: .snapshot, before: at(90), limit: at(90)) == 1)
        // Two pictures are left, of which one is held: the other one may stay while 50 bytes may.
        #expect(try await store.events.shrinkSnapshots(cameraA, to: 50) == 0)
        #expect(try await store.events.shrinkSnapshots(cameraA, to: 49) == 1)
        #expect(try await store.events.shrinkSnapshots(cameraA, to: 0) == 0)
        try await footage.expectHeldOnly()
    }

    @Test("A hold that has expired or was released protects no longer")
    func expiry() async throws {
        let footage = try await Footage()
        try await footage.hold(expires: at(2000))
        #expect(try await footage.store.segments.markGarbage([footage.segments[2]]).count == 1)
        try await footage.hold(expires: Self.farFuture)
        #expect(try await footage.store.segments.markGarbage([footage.segments[3]]).isEmpty)
        _ = try await footage.store.holds.release(range(125, 181), of: cameraA)
        #expect(try await footage.store.segments.markGarbage([footage.segments[3]]).count == 1)
    }

    @Test("Whole segments are held by any overlap, those that touch the range are not")
    func edges() async throws {
        let footage = try await Footage()
        try await footage.hold(120, 180)
        let gone = try await footage.store.segments.markGarbage(footage.segments).map(\.id)
        #expect(Set(gone) == Set(footage.segments).subtracting([footage.segments[2]]))
    }

    @Test("What grows into a held range is held, and a segment without a file is discarded all the same")
    func growing() async throws {
        let store = try Store.inMemory()
        let id = try await store.segments.intend(draft(cameraA, 0), isContinuous: true)
        let event = try #require(try await store.segments.begin(id, end: at(2), bytes: 50, initLength: 7))
        _ = try await store.holds.put(
            Hold(id: ID(0), cameraID: cameraA, range: range(30, 90), reason: "x", createdAt: at(0), userID: nil, userName: "a", expiresAt: nil),
            now: at(0))
        #expect(try await store.segments.markGarbage([id]).isEmpty)
        #expect(try await store.events.delete([event]).held == [event])
        #expect(try await store.segments.commit([.discard(id)]).map(\.isKept) == [false])
        #expect(try await store.segments.get(id) == nil)
        #expect(try await store.events.get(event) == nil)
        #expect(try await store.segments.totals().isEmpty)
    }
}
