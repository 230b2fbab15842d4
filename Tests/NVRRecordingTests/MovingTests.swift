// What belongs here: footage that moves to another volume, wherever it is interrupted.
import Foundation
import NVRBase
import NVRModel
import NVRRecording
import NVRStore
import Synchronization
import Testing

private struct Crash: Error {}

@Suite("Footage that moves to another volume")
struct MovingTests {
    private static let archive = VolumeID(rawValue: 1)

    /// Three segments of a camera that archives after an hour; two are old enough at `now`.
    private final class Scene {
        let rig: Rig
        let camera: ID<Camera>
        let contents: [ID<Segment>: Data]
        let now: WallTime

        init() async throws {
            rig = try Rig()
            try rig.addVolume(1)
            _ = try await rig.store.storageProfiles.insert(
                StorageProfile(id: ID(0), name: "archive", path: rig.folder.appendingPathComponent("volume-1").path, createdAt: wallZero))
            var camera = Camera(id: ID(0), createdAt: wallZero, name: "cam", url: "rtsp://10.0.0.1/a")
            camera.storage.archiveProfileID = 1
            camera.storage.archiveAfterHours = 1
            self.camera = try await rig.store.cameras.insert(camera).id
            var stream = SyntheticStream()
            for _ in 0..<3 { try await rig.record(&stream, frames: 90, camera: self.camera.rawValue, pattern: "%s-%f") }
            let segments = try await rig.segments()
            #expect(segments.count == 3)
            var contents: [ID<Segment>: Data] = [:]
            for segment in segments { contents[segment.id] = try Data(contentsOf: URL(fileURLWithPath: rig.absolute(segment.path))) }
            self.contents = contents
            now = segments[1].start.advanced(byMicroseconds: 3_600_000_001)
        }

        func mover(_ afterStep: @escaping @Sendable (FootageMover.Step) async throws -> Void = { _ in }) -> FootageMover {
            FootageMover(
                volumes: rig.layout.volumes, store: rig.store,
                removal: MediaRemoval(layout: rig.layout, store: rig.store, playback: rig.playback()), clock: rig.clock, logger: rig.log.logger,
                afterStep: afterStep)
        }

        /// Every segment plays, from wherever it lies now.
        func expectPlayable(_ comment: Comment? = nil) async throws {
            let playback = rig.playback()
            for segment in try await rig.segments() {
                let media = try await playback.media(path: segment.path)
                #expect(Data(try media.read(offset: 0, count: Int(media.length))) == contents[segment.id], comment)
            }
        }

        func expectMoved(_ comment: Comment? = nil) async throws {
            let segments = try await rig.segments()
            #expect(segments.map(\.volume.rawValue) == [1, 1, 0], comment)
            #expect(rig.movies(on: 1) == segments.prefix(2).map(\.path).sorted() && rig.movies(on: 0) == [segments[2].path], comment)
            let store = rig.store.segments
            #expect(try await store.moves().isEmpty, comment)
            #expect(try await store.garbageFiles().isEmpty, comment)
            #expect(try await store.garbage().isEmpty, comment)
            let folder = rig.folder.appendingPathComponent("volume-1").path
            let left = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String }.filter { $0.hasSuffix(".part") } ?? []
            #expect(left.isEmpty, comment)
            try await expectPlayable(comment)
        }
    }

    @Test("What is old enough moves, what is younger stays, and a second round finds nothing")
    func round() async throws {
        let scene = try await Scene()
        let mover = scene.mover()
        let report = try await mover.moveDue(at: scene.now)
        #expect(report.moved == 2 && report.failures.isEmpty && report.bytes > 0)
        try await scene.expectMoved()
        #expect(try await mover.moveDue(at: scene.now) == FootageMover.Report())
        let report2 = try await IntegrityCheck(layout: scene.rig.layout, store: scene.rig.store).run(repairs: false) { _ in }
        #expect(report2.problems.isEmpty)
        #expect(try await scene.rig.store.segments.volumeTotals().map { [$0.volume.rawValue, Int64($0.count)] } == [[0, 1], [1, 2]])
    }

    @Test("A move that is interrupted after any step plays meanwhile and goes on", arguments: FootageMover.Step.allCases)
    func interruption(_ step: FootageMover.Step) async throws {
        let scene = try await Scene()
        await #expect(throws: Crash.self) {
            try await scene.mover { if $0 == step { throw Crash() } }.moveDue(at: scene.now)
        }
        try await scene.expectPlayable("\(step)")
        // What a start finds, on a copy as a power cut leaves it.
        #expect(try await scene.rig.recover().discarded == 0)
        let check = try await IntegrityCheck(layout: scene.rig.layout, store: scene.rig.store).run(repairs: true) { _ in }
        #expect(check.problems.isEmpty, "\(step): \(check.problems)")
        let report = try await scene.mover().moveDue(at: scene.now)
        #expect(report.failures.isEmpty, "\(step)")
        try await scene.expectMoved("\(step)")
    }

    @Test("A half-made or wrong copy is not believed", arguments: [0, 1, 1000, Int.max])
    func halfCopies(_ kept: Int) async throws {
        let scene = try await Scene()
        await #expect(throws: Crash.self) { try await scene.mover { if $0 == .noted { throw Crash() } }.moveDue(at: scene.now) }
        let first = try await scene.rig.segments()[0]
        let place = scene.rig.folder.appendingPathComponent("volume-1/\(first.path).part")
        try FileManager.default.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
        var bytes = try #require(scene.contents[first.id]).prefix(kept)
        // As a file system may give it back after a power cut.
        if kept > 1000 { bytes[bytes.count / 2] ^= 0xFF }
        try Data(bytes).write(to: place)
        let report = try await scene.mover().moveDue(at: scene.now)
        #expect(report.failures.count == (kept > 1000 ? 1 : 0))
        try await scene.expectPlayable()
        _ = try await scene.mover().moveDue(at: scene.now)
        try await scene.expectMoved()
    }

    @Test("A segment that is deleted on its way leaves nothing behind", arguments: [FootageMover.Step.noted, .copied, .compared, .named])
    func deletion(_ step: FootageMover.Step) async throws {
        let scene = try await Scene()
        let first = try await scene.rig.segments()[0]
        let store = scene.rig.store
        let mover = scene.mover { now in
            // The second call finds it deleted.
            if now == step { _ = try await store.segments.markGarbage([first.id]) }
        }
        _ = try await mover.moveDue(at: scene.now)
        _ = try await scene.mover().moveDue(at: scene.now)
        #expect(try await scene.rig.segments().map(\.volume.rawValue) == [1, 0])
        #expect(!scene.rig.movies(on: 1).contains(first.path) && !scene.rig.movies(on: 0).contains(first.path))
        #expect(try await store.segments.moves().isEmpty)
        try await scene.expectPlayable()
    }

    @Test("A target that goes in the middle keeps the original, and the move goes on when it is back")
    func lostTarget() async throws {
        for step in [FootageMover.Step.noted, .copied, .synced, .compared, .named] {
            let scene = try await Scene()
            let rig = scene.rig
            let away = rig.unmounting(1)
            let isFirst = FirstTime()
            let mover = scene.mover { if $0 == step, isFirst.take() { try away() } }
            let report = try await mover.moveDue(at: scene.now)
            #expect(report.moved == 0 && !report.failures.isEmpty, "\(step)")
            #expect(rig.movies(on: 0).count == 3 && rig.movies(on: 1).isEmpty)
            try await scene.expectPlayable("\(step)")
            #expect(try await scene.mover().moveDue(at: scene.now).moved == 0)
            try rig.mount(1)
            rig.layout.volumes.setLoss(Self.archive, nil)
            _ = try await scene.mover().moveDue(at: scene.now)
            try await scene.expectMoved("\(step)")
        }
    }

    @Test("A file that nobody knows where footage is to move is left alone, and so is the footage")
    func strangers() async throws {
        let scene = try await Scene()
        let first = try await scene.rig.segments()[0]
        let place = scene.rig.folder.appendingPathComponent("volume-1/\(first.path)")
        try FileManager.default.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data([1, 2, 3]).write(to: place)
        let report = try await scene.mover().moveDue(at: scene.now)
        #expect(report.moved == 1 && report.failures.count == 1)
        #expect(try Data(contentsOf: place) == Data([1, 2, 3]))
        try await scene.expectPlayable()
    }

    @Test("Who holds the old file reads on, and who comes with the old row finds the new one")
    func readers() async throws {
        let scene = try await Scene()
        let playback = scene.rig.playback()
        let first = try await scene.rig.segments()[0]
        let media = try await playback.media(path: first.path)
        let begin = try media.read(offset: 0, count: 1000)
        _ = try await scene.mover().moveDue(at: scene.now)
        #expect(!POSIXFile.exists(scene.rig.absolute(first.path)))
        let rest = try media.read(offset: 1000, count: Int(media.length) - 1000)
        #expect(Data(begin + rest) == scene.contents[first.id])
        // On a thread made for waiting.
        #expect(try await scene.rig.disk.run { try playback.open(first).length() } == first.bytes)
    }

    @Test("The plan takes what is old enough and can be read, and nothing that cannot be written")
    func plan() {
        let rule = MovePlan.Rule(camera: ID(1), target: VolumeID(rawValue: 5), age: 100)
        func file(_ id: Int64, _ start: Int64, on volume: Int64 = 0) -> MovableFile {
            MovableFile(
                .segment(ID(id)), place: FootagePlace(VolumeID(rawValue: volume), "\(id)"), start: WallTime(microseconds: start), bytes: 1)
        }
        let page = [file(1, 10), file(2, 20, on: 5), file(3, 30, on: 4), file(6, 99), file(7, 100)]
        func moved(_ usable: [Int64]) -> [Int64] {
            MovePlan.moves(page, by: rule, now: WallTime(microseconds: 200), usable: Set(usable.map(VolumeID.init(rawValue:)))).compactMap {
                Int64($0.place.path)
            }
        }
        #expect(moved([0, 4, 5]) == [1, 3, 6])
        #expect(moved([0, 5]) == [1, 6])
        #expect(moved([0, 4]) == [])
        #expect(moved([5]) == [])
        var camera = Camera(id: ID(1), createdAt: wallZero, name: "a", url: "rtsp://10.0.0.1/a")
        #expect(MovePlan.rules([camera]).isEmpty)
        camera.storage.archiveProfileID = 5
        #expect(MovePlan.rules([camera]).isEmpty)
        camera.storage.archiveAfterHours = 2
        #expect(MovePlan.rules([camera]) == [MovePlan.Rule(camera: camera.id, target: VolumeID(rawValue: 5), age: 7_200_000_000)])
    }

    @Test("Copying keeps to its rate, and a pause gives no credit")
    func pace() {
        var pace = MovePace(rate: 1_000_000, now: 0)
        #expect(pace.copied(500_000, now: 0) == 500_000)
        #expect(pace.copied(500_000, now: 500_000) == 500_000)
        #expect(pace.copied(500_000, now: 10_000_000) == 500_000)
        var free = MovePace(rate: nil, now: 0)
        #expect(free.copied(.max, now: 0) == 0)
        var total: Int64 = 0
        var now: Int64 = 0
        var steady = MovePace(rate: 3_000_000, now: 0)
        while total < 30_000_000 {
            now += steady.copied(1 << 20, now: now)
            total += 1 << 20
        }
        #expect(abs(now - total * 1_000_000 / 3_000_000) < 1000)
    }
}

/// True once.
private final class FirstTime: Sendable {
    private let isOver = Mutex(false)

    func take() -> Bool {
        isOver.withLock { isOver in
            defer { isOver = true }
            return !isOver
        }
    }
}
