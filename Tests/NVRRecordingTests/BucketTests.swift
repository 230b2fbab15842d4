// What belongs here: footage in a bucket, from the move there to the end, whatever breaks on the way.
import Foundation
import NVRBase
import NVRModel
import NVRRecording
import NVRStore
import Synchronization
import Testing

private struct Crash: Error {}

/// True once.
private final class Once: Sendable {
    private let isOver = Mutex(false)

    func take() -> Bool {
        isOver.withLock { isOver in
            defer { isOver = true }
            return !isOver
        }
    }
}

private let bucketID = VolumeID(rawValue: -1)

/// Three segments and two snapshots of a camera that archives into a bucket after an hour; two of the one and one of the other are old
/// enough at `now`.
private final class Scene {
    let rig: Rig
    let bucket = MemoryVolume()
    let camera: ID<Camera>
    let contents: [String: Data]
    let now: WallTime

    init() async throws {
        rig = try Rig()
        rig.layout.volumes.set(bucketID, .remote(bucket), name: "bucket", loss: nil)
        _ = try await rig.store.s3Profiles.insert(
            S3Profile(
                id: ID(0), name: "bucket", endpoint: "https://s3.example.com", bucket: "footage", accessKey: "a", secretKey: "b", createdAt: wallZero)
        )
        var camera = Camera(id: ID(0), createdAt: wallZero, name: "cam", url: "rtsp://10.0.0.1/a")
        camera.storage.archiveProfileID = -1
        camera.storage.archiveAfterHours = 1
        self.camera = try await rig.store.cameras.insert(camera).id
        var stream = SyntheticStream()
        for _ in 0..<3 { try await rig.record(&stream, frames: 90, camera: self.camera.rawValue, pattern: "%s-%f") }
        let segments = try await rig.segments()
        var contents: [String: Data] = [:]
        for segment in segments { contents[segment.path] = try Data(contentsOf: URL(fileURLWithPath: rig.absolute(segment.path))) }
        now = segments[1].start.advanced(byMicroseconds: 3_600_000_001)
        for (number, start) in [segments[0].start, segments[2].start].enumerated() {
            let bytes = [UInt8](repeating: UInt8(number + 1), count: 900)
            let place = try await rig.disk.store(snapshot: bytes, camera: self.camera, pattern: "snap-\(number)", time: start) { _ in false }
            _ = try await rig.store.events.insert(
                Event(
                    id: ID(0), cameraID: self.camera, medium: .snapshot, kind: .motion, start: start, picturePath: place.path,
                    thumbnailPath: place.path, bytes: 900, volume: place.volume))
            contents[place.path] = Data(bytes)
        }
        self.contents = contents
    }

    var removal: MediaRemoval { MediaRemoval(layout: rig.layout, store: rig.store, playback: rig.playback()) }

    func mover(_ afterStep: @escaping @Sendable (FootageMover.Step) async throws -> Void = { _ in }) -> FootageMover {
        FootageMover(volumes: rig.layout.volumes, store: rig.store, removal: removal, clock: rig.clock, logger: rig.log.logger, afterStep: afterStep)
    }

    func check(_ body: (inout IntegrityCheck.Options) -> Void = { _ in }) async throws -> IntegrityCheck.Report {
        var options = IntegrityCheck.Options()
        body(&options)
        return try await IntegrityCheck(layout: rig.layout, store: rig.store).run(options) { _, _ in }
    }

    /// Everything can be had, from wherever it lies now.
    func expectPlayable(_ comment: Comment? = nil) async throws {
        let playback = rig.playback()
        for (path, content) in contents {
            let media = try await playback.media(path: path)
            #expect(Data(try media.read(offset: 0, count: Int(media.length))) == content, comment)
        }
    }

    func expectMoved(_ comment: Comment? = nil) async throws {
        let segments = try await rig.segments()
        #expect(segments.map(\.volume.rawValue) == [-1, -1, 0], comment)
        let old = segments.prefix(2).map(\.path) + ["\(camera)/snap-0.jpg"]
        #expect(bucket.paths == old.sorted() && rig.files() == ["\(camera)/snap-1.jpg", segments[2].path].sorted(), comment)
        #expect(try await rig.store.segments.moves().isEmpty, comment)
        #expect(try await rig.store.segments.garbageVolumes().isEmpty, comment)
        #expect(bucket[\.uploads].isEmpty, comment)
        try await expectPlayable(comment)
    }

    /// Moves all, and makes it look so old that it is deleted.
    func archived() async throws -> RetentionService {
        _ = try await mover().moveDue(at: now)
        try await rig.store.settings.set(["retention_max_share_percent": "100"])
        let root = rig.layout.root
        var measures = MediaRemoval.Measures()
        measures.patience = 0
        let service = RetentionService(
            store: rig.store, removal: removal, measures: measures, volumes: { [(id: .standard, root: root)] }, clock: rig.clock,
            logger: rig.log.logger)
        return service
    }

    func keep(_ body: @escaping @Sendable (inout Camera) -> Void) async throws { _ = try await rig.store.cameras.update(camera, body) }
}

@Suite("Footage that moves into a bucket")
struct BucketMoveTests {
    @Test("Footage and snapshots that are old enough move, and a second round finds nothing")
    func round() async throws {
        let scene = try await Scene()
        let mover = scene.mover()
        let report = try await mover.moveDue(at: scene.now)
        #expect(report.moved == 3 && report.failures.isEmpty)
        try await scene.expectMoved()
        #expect(try await mover.moveDue(at: scene.now) == FootageMover.Report())
        let check = try await scene.check { $0.readsAll = true }
        #expect(check.problems.isEmpty && check.notes.isEmpty && check.segments == 3, "\(check.problems) \(check.notes)")
        #expect(
            try await scene.rig.store.segments.volumeTotals().map { [$0.volume.rawValue, Int64($0.count)] } == [[-1, 2], [-1, 1], [0, 1], [0, 1]])
    }

    @Test("A move that is interrupted after any step plays meanwhile and goes on", arguments: FootageMover.Step.allCases)
    func interruption(_ step: FootageMover.Step) async throws {
        let scene = try await Scene()
        await #expect(throws: Crash.self) { try await scene.mover { if $0 == step { throw Crash() } }.moveDue(at: scene.now) }
        try await scene.expectPlayable("\(step)")
        _ = try await scene.rig.recover()
        let check = try await scene.check { $0.repairs = true }
        #expect(check.problems.isEmpty, "\(step): \(check.problems)")
        let report = try await scene.mover().moveDue(at: scene.now)
        #expect(report.failures.isEmpty, "\(step)")
        try await scene.expectMoved("\(step)")
    }

    @Test("A restart goes on with the parts that are there, and gives up uploads that nobody knows")
    func resuming() async throws {
        let scene = try await Scene()
        scene.bucket.change { state in
            state.isMarked = true
            state.uploads["old"] = ("1/other.mp4", [0: [1]])
        }
        await #expect(throws: Crash.self) { try await scene.mover { if $0 == .copied { throw Crash() } }.moveDue(at: scene.now) }
        let first = try await scene.rig.segments()[0]
        #expect(scene.bucket[\.abandoned] == ["old"])
        let sent = scene.bucket[\.sent]
        #expect(sent == Int(first.bytes) && sent > MemoryVolume.partBytes)
        // A part is lost, the rest is not sent again.
        scene.bucket.change { state in for token in state.uploads.keys { state.uploads[token]?.parts[0] = nil } }
        await #expect(throws: Crash.self) { try await scene.mover { if $0 == .synced { throw Crash() } }.moveDue(at: scene.now) }
        #expect(scene.bucket[\.sent] == sent + MemoryVolume.partBytes)
        _ = try await scene.mover().moveDue(at: scene.now)
        try await scene.expectMoved()
    }

    @Test("What comes back other than it was sent is not believed")
    func garbled() async throws {
        let scene = try await Scene()
        scene.bucket.change { $0.garbles = true }
        let report = try await scene.mover().moveDue(at: scene.now)
        #expect(report.moved == 0 && report.failures.count == 3)
        #expect(scene.bucket.paths.isEmpty && scene.rig.files().count == 5)
        try await scene.expectPlayable()
        scene.bucket.change { $0.garbles = false }
        _ = try await scene.mover().moveDue(at: scene.now)
        try await scene.expectMoved()
    }

    @Test("An object that nobody knows is left alone, and so is the footage; one of an earlier try is made anew")
    func strangers() async throws {
        let scene = try await Scene()
        let first = try await scene.rig.segments()[0]
        scene.bucket.change { $0.files[first.path] = [1, 2, 3] }
        let report = try await scene.mover().moveDue(at: scene.now)
        #expect(report.moved == 2 && report.failures.count == 1 && scene.bucket[\.files][first.path] == [1, 2, 3])
        try await scene.expectPlayable()
        scene.bucket.change { $0.files[first.path] = nil }
        await #expect(throws: Crash.self) { try await scene.mover { if $0 == .synced { throw Crash() } }.moveDue(at: scene.now) }
        scene.bucket.change { $0.files[first.path]?[7] ^= 1 }
        _ = try await scene.mover().moveDue(at: scene.now)
        try await scene.expectMoved()
    }

    @Test("A bucket that goes in the middle keeps the original, and the move goes on when it is back", arguments: [true, false])
    func lostTarget(_ isSwapped: Bool) async throws {
        for step in [FootageMover.Step.noted, .copied, .synced, .compared, .named] {
            let scene = try await Scene()
            let isFirst = Once()
            let mover = scene.mover { [bucket = scene.bucket] now in
                guard now == step,
                    isFirst.take()
                else { return }
                bucket.change { if isSwapped { $0.isSwapped = true } else { $0.isAway = true } }
            }
            let report = try await mover.moveDue(at: scene.now)
            #expect(report.moved == 0 && !report.failures.isEmpty && scene.rig.files().count == 5, "\(step)")
            try await scene.expectPlayable("\(step)")
            #expect(try await scene.mover().moveDue(at: scene.now).moved == 0)
            scene.bucket.change { ($0.isAway, $0.isSwapped) = (false, false) }
            _ = try await scene.mover().moveDue(at: scene.now)
            try await scene.expectMoved("\(step)")
        }
    }

    @Test("A segment that is deleted on its way leaves nothing behind", arguments: [FootageMover.Step.noted, .copied, .compared, .named])
    func deletion(_ step: FootageMover.Step) async throws {
        let scene = try await Scene()
        let first = try await scene.rig.segments()[0]
        let store = scene.rig.store
        let mover = scene.mover { now in if now == step { _ = try await store.segments.markGarbage([first.id]) } }
        _ = try await mover.moveDue(at: scene.now)
        _ = try await scene.mover().moveDue(at: scene.now)
        #expect(!scene.bucket.paths.contains(first.path) && !scene.rig.files().contains(first.path))
        #expect(try await store.segments.moves().isEmpty && scene.bucket[\.uploads].isEmpty)
    }

    @Test("Footage moves out of a bucket into a folder, too")
    func back() async throws {
        let scene = try await Scene()
        _ = try await scene.mover().moveDue(at: scene.now)
        try scene.rig.addVolume(1)
        _ = try await scene.rig.store.storageProfiles.insert(StorageProfile(id: ID(0), name: "disk", path: "/srv/disk", createdAt: wallZero))
        try await scene.keep { $0.storage.archiveProfileID = 1 }
        let report = try await scene.mover().moveDue(at: scene.now)
        #expect(report.moved == 3 && report.failures.isEmpty)
        #expect(try await scene.rig.segments().map(\.volume.rawValue) == [1, 1, 0])
        let sweeping = Task { [removal = scene.removal, logger = scene.rig.log.logger] in await removal.sweepRemotely(logger: logger) }
        for _ in 0..<6000 where !scene.bucket.paths.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        sweeping.cancel()
        #expect(scene.bucket.paths.isEmpty)
        try await scene.expectPlayable()
    }
}

@Suite("Retention in a bucket")
struct BucketRetentionTests {
    @Test("What is too old or too much goes from the bucket, objects first")
    func deletion() async throws {
        let scene = try await Scene()
        let service = try await scene.archived()
        try await scene.keep {
            $0.recording.preserve = "Forever"
            $0.recording.maxStorage = 0.000_000_001
            $0.pictures.preserve = "For One Day"
        }
        scene.rig.clock.advance(86_400 * 2)
        let report = try await service.cleanUp(.rules, isConfirmed: true)
        #expect(report.stop == nil && report.outcome.deleted.count >= 4, "\(String(describing: report.reason))")
        #expect(scene.bucket.paths.isEmpty)
        #expect(try await scene.rig.store.segments.garbageVolumes().isEmpty)
        #expect(try await scene.rig.store.segments.volumeTotals().allSatisfy { $0.volume == .standard })
    }

    @Test("A bucket has a limit of its own")
    func limit() async throws {
        let scene = try await Scene()
        let service = try await scene.archived()
        try await scene.keep { $0.recording.preserve = "Forever" }
        let bytes = try await scene.rig.segments()[1].bytes
        _ = try await scene.rig.store.s3Profiles.update(ID(1)) { $0.maxSize = Double(bytes + 2000) / 1_073_741_824 }
        let report = try await service.cleanUp(.rules, isConfirmed: true)
        #expect(report.outcome.byReason[.profileLimit]?.count == 1)
        #expect(try await scene.rig.segments().map(\.volume.rawValue) == [-1, 0])
    }

    @Test("A bucket that is away or another one counts for no limit, and nothing there is planned", arguments: [true, false])
    func away(_ isSwapped: Bool) async throws {
        let scene = try await Scene()
        let service = try await scene.archived()
        try await scene.keep { $0.recording.preserve = "For One Day" }
        scene.rig.clock.advance(86_400 * 3)
        scene.bucket.change { if isSwapped { $0.isSwapped = true } else { $0.isAway = true } }
        let report = try await service.cleanUp(.rules, isConfirmed: true)
        #expect(report.stop == nil && scene.bucket[\.files].count == 3)
        #expect(try await scene.rig.segments().map(\.volume.rawValue) == [-1, -1])
    }

    @Test("A bucket that keeps what it should delete stops the run, and nothing more is given up")
    func keeping() async throws {
        let scene = try await Scene()
        let service = try await scene.archived()
        try await scene.keep {
            $0.recording.preserve = "For One Day"
            $0.pictures.preserve = "For One Day"
        }
        scene.rig.clock.advance(86_400 * 3)
        scene.bucket.change { $0.keepsAll = true }
        let first = try await service.cleanUp(.camera(scene.camera, pictures: false), isConfirmed: true)
        #expect(first.stop == .doubt(.notDeleted))
        let left = try await scene.rig.store.segments.garbage(on: [bucketID]).count
        #expect(left > 0)
        let second = try await service.cleanUp(.rules, isConfirmed: true)
        #expect(second.stop == .doubt(.notDeleted) && second.outcome.deleted.count == 0)
        #expect(try await scene.rig.store.segments.garbage(on: [bucketID]).count == left)
        scene.bucket.change { $0.keepsAll = false }
        _ = try await service.cleanUp(.rules, isConfirmed: true)
        #expect(try await scene.rig.store.segments.garbageVolumes().isEmpty)
    }

    @Test("A bucket whose objects are gone keeps its rows")
    func emptied() async throws {
        let scene = try await Scene()
        let service = try await scene.archived()
        try await scene.keep { $0.recording.preserve = "For One Day" }
        scene.rig.clock.advance(86_400 * 3)
        scene.bucket.change { $0.files = [:] }
        let report = try await service.cleanUp(.camera(scene.camera, pictures: false), isConfirmed: true)
        #expect(report.stop == .doubt(.filesMissing))
        #expect(try await scene.rig.segments().count { $0.volume == bucketID } == 2)
    }
}

@Suite("Comparing a bucket with its rows")
struct BucketCheckTests {
    @Test("Objects without rows are told and listed again, rows without objects go, and other sizes are told")
    func differences() async throws {
        let scene = try await Scene()
        _ = try await scene.archived()
        let segments = try await scene.rig.segments()
        let other = try #require(scene.contents[segments[2].path])
        scene.bucket.change { state in
            state.files["1/orphan.mp4"] = Array(other)
            state.files["1/junk.mp4"] = [1, 2, 3]
            state.files["1/notes.txt"] = [1]
            state.files[segments[0].path] = nil
            state.files[segments[1].path]?.removeLast(10)
        }
        let told = try await scene.check()
        #expect(
            Set(told.problems.map(\.description).map { $0.split(separator: ":")[0] }) == [
                "1/orphan.mp4", "1/junk.mp4", Substring(segments[0].path), Substring(segments[1].path),
            ])
        #expect(try await scene.rig.segments() == segments && scene.bucket.paths.count == 5)
        let repaired = try await scene.check { $0.repairs = true }
        #expect(repaired.adopted == 1 && repaired.refusal == nil)
        let after = try await scene.rig.segments()
        #expect(!after.contains { $0.id == segments[0].id } && after.contains { $0.path == "1/orphan.mp4" && $0.volume == bucketID })
        // Nothing was deleted there.
        #expect(scene.bucket.paths.count == 5)
        #expect(try await scene.rig.playback().media(path: "1/orphan.mp4").length == Int64(other.count))
    }

    @Test("A bucket that is away or another one has nothing missing", arguments: [true, false])
    func away(_ isSwapped: Bool) async throws {
        let scene = try await Scene()
        _ = try await scene.archived()
        scene.bucket.change { if isSwapped { $0.isSwapped = true } else { $0.isAway = true } }
        let report = try await scene.check {
            $0.repairs = true
            $0.isForced = true
        }
        #expect(report.problems.isEmpty && report.notes.count == 1 && report.repaired == 0)
        #expect(try await scene.rig.segments().count == 3)
    }

    @Test("Bytes of another checksum are found when all is read")
    func altered() async throws {
        let scene = try await Scene()
        _ = try await scene.archived()
        let first = try await scene.rig.segments()[0]
        scene.bucket.change { $0.files[first.path]?[4000] ^= 1 }
        #expect(try await scene.check { $0.readsAll = true }.problems.isEmpty)
        let report = try await scene.check {
            $0.readsAll = true
            $0.readsBuckets = true
        }
        #expect(report.problems == [.alteredFile(path: first.path)])
    }

    @Test("A volume that is gone is forgotten by its exact numbers, but not what is held")
    func forgetting() async throws {
        let scene = try await Scene()
        _ = try await scene.archived()
        let store = scene.rig.store
        let first = try await scene.rig.segments()[0]
        await #expect(throws: NVRError.self) { try await store.s3Profiles.delete(ID(1)) }
        let holding = try await store.segments.holding(of: bucketID)
        #expect(holding.recordings == 2 && holding.snapshots == 1 && holding.bytes > 900)
        await #expect(throws: NVRError.self) {
            try await store.segments.forget(bucketID, expecting: SegmentStore.Holding(recordings: 2, snapshots: 1, bytes: 1))
        }
        let hold = try await store.holds.put(
            Hold(
                id: ID(0), cameraID: scene.camera, range: first.range, reason: "evidence", createdAt: wallZero, userID: nil, userName: "a",
                expiresAt: nil), now: wallZero)
        await #expect(throws: NVRError.self) { try await store.segments.forget(bucketID, expecting: holding) }
        #expect(try await store.segments.holding(of: bucketID) == holding)
        _ = try await store.holds.release(hold.id, of: scene.camera)
        try await store.segments.forget(bucketID, expecting: holding)
        #expect(try await store.segments.holding(of: bucketID) == SegmentStore.Holding())
        #expect(try await scene.rig.segments().map(\.volume) == [.standard] && scene.bucket.paths.count == 3)
        try await scene.keep { $0.storage.archiveProfileID = nil }
        #expect(try await store.s3Profiles.delete(ID(1)))
    }
}
