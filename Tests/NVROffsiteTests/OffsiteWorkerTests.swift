import Foundation
import ISOBMFF
import Logging
import NIOCore
import NIOPosix
import NVRBase
import NVRModel
import NVROffsite
import NVRRecording
import NVRStore
import Synchronization
import Testing

/// A database in memory, a bucket in memory, and segments that are values of the test.
final class Rig: Sendable {
    struct World: Sendable {
        var wall: Int64 = 1_795_000_000_000_000
        var segments: [Segment] = []
        var isFileGone = false
        /// Reads of this volume do not come back.
        var hanging: VolumeID?
        /// Reads of it that were begun, and those that go on.
        var tries = 0
        var stuck = 0
        var patience = Duration.seconds(60)
    }

    struct Clock: NVRClock {
        let rig: Rig
        func monotonic() -> Int64 { SystemClock().monotonic() }
        func wall() -> Int64 { rig.world.withLock { $0.wall } }
    }

    static let start: Int64 = 1_795_000_000_000_000

    let world = Mutex(World())
    let store: Store
    let bucket: MemoryBucket
    let volumes = Volumes(root: "/nowhere")
    private let copies = Mutex<(copies: OffsiteCopies, task: Task<Void, any Error>)?>(nil)

    init() async throws {
        store = try Store.inMemory()
        bucket = try await MemoryBucket.start()
    }

    func at(_ seconds: Double) -> WallTime { WallTime(microseconds: Self.start + Int64(seconds * 1_000_000)) }

    func makeProfile() async throws -> S3Profile {
        var profile = S3Profile(
            id: ID(0), name: "Bucket", endpoint: "http://127.0.0.1:\(bucket.port)", bucket: "bucket", accessKey: "AKIA",
            secretKey: "hidden-secret", createdAt: at(0))
        profile.copiesAllCameras = true
        return try await store.s3Profiles.insert(profile)
    }

    var environment: OffsiteEnvironment {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var environment = OffsiteEnvironment(
            store: store, segments: { [unowned self] _, range in world.withLock { $0.segments.filter { $0.range.overlaps(range) } } },
            read: { [unowned self] segment, offset, count in
                if world.withLock({ $0.isFileGone }) { throw NVRError(.notFound, "File not found") }
                if segment.volume != .standard { hang(on: segment.volume) }
                return Self.bytes(offset, count)
            },
            addresses: { _, port in [try SocketAddress(ipAddress: "127.0.0.1", port: port)] }, threads: VolumeThreads("test", volumes: volumes),
            names: BlockingThread(name: "names"),
            group: MultiThreadedEventLoopGroup.singleton, clock: Clock(rig: self), logger: logger, userAgent: "test")
        environment.patience = world.withLock { $0.patience }
        return environment
    }

    private func hang(on volume: VolumeID) {
        world.withLock { world in
            world.tries += 1
            world.stuck += 1
        }
        while world.withLock({ $0.hanging == volume }) { Thread.sleep(forTimeInterval: 0.01) }
        world.withLock { $0.stuck -= 1 }
    }

    /// Begins to copy, as after a start of the server.
    func start() {
        let copies = OffsiteCopies(environment)
        self.copies.withLock { $0 = (copies, Task { try await copies.run() }) }
    }

    func stop() async throws {
        let running = copies.withLock { copies in
            defer { copies = nil }
            return copies
        }
        running?.task.cancel()
        _ = await running?.task.result
    }

    func state() async throws -> OffsiteState? { try await copies.withLock { $0?.copies }?.states().first }

    /// What every file holds.
    static func bytes(_ offset: Int64, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: (offset + Int64($0)) * 31 >> 3) } }

    /// A segment of fragments of a second behind a head of 50 bytes.
    func segment(_ id: Int64, from start: Double, count: Int, isGrowing: Bool = false, fragmentBytes: Int64 = 100) -> Segment {
        let entries = (0..<count).map {
            FragmentIndexEntry(
                offset: 50 + Int64($0) * fragmentBytes, size: fragmentBytes, start: Int64($0) * 1000, duration: 1000, startsWithKeyframe: true)
        }
        return Segment(
            id: ID(id), cameraID: ID(1), role: .main, run: 1, path: "1/\(id).mp4", start: at(start), end: at(start + Double(count)),
            bytes: 50 + Int64(count) * fragmentBytes, state: isGrowing ? .growing : .finished, width: 640, height: 360, codecs: "avc1",
            initLength: 50, timescale: 1000, index: FragmentIndex(entries: entries).packed())
    }

    func segment(_ id: Int64, on volume: VolumeID, from start: Double, count: Int) -> Segment {
        var segment = segment(id, from: start, count: count)
        segment.volume = volume
        return segment
    }

    func event(_ start: Double, end: Double? = nil) async throws -> Event {
        var event = Event(id: ID(0), cameraID: ID(1), medium: .video, kind: .motion, start: at(start))
        event.end = end.map { at($0) }
        return try await store.events.insert(event)
    }

    /// Waits for what has to become true; the deadline is for a hanging machine.
    func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
        for _ in 0..<1500 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("still not: \(what)")
    }

    func movies() -> [String: [UInt8]] { bucket.objects.filter { $0.key.hasSuffix(".mp4") } }
    func documents() throws -> [JSONValue] { try bucket.objects.filter { $0.key.hasSuffix(".json") }.map { try JSONValue(parsing: $0.value) } }
    func outcomes() async throws -> [OffsiteEvent.Outcome: Int] { try await state()?.cameras.first?.outcomes ?? [:] }
}

@Suite("Copying events to a bucket", .serialized)
struct OffsiteWorkerTests {
    @Test("The seconds before an event go while it goes on, the rest when it has ended, and the document names them all")
    func event() async throws {
        let rig = try await Rig()
        let profile = try await rig.makeProfile()
        rig.world.withLock { $0.segments = [rig.segment(7, from: -8, count: 10, isGrowing: true)] }
        rig.start()
        let event = try await rig.event(0)
        try await rig.eventually("the first piece and its document") { try rig.movies().count == 1 && rig.documents().count == 1 }
        let first = try #require(rig.movies().first)
        // Five seconds before the event, up to the newest fragment, which may not be whole.
        #expect(first.value == Rig.bytes(0, 50) + Rig.bytes(350, 600))
        #expect(first.key.hasPrefix("1/2026/11/18/") && first.key.hasSuffix("-s7.mp4"))
        #expect(try rig.documents().first?["end"] == .null)
        #expect(try await rig.state()?.cameras.first?.waiting == 1)

        // Of an event that goes on everything there is would be wanted, so nobody may look in between.
        try await rig.stop()
        try await rig.store.events.end(event.id, at: rig.at(4))
        rig.world.withLock { world in
            world.segments = [rig.segment(7, from: -8, count: 60)]
            world.wall += 120_000_000
        }
        rig.start()
        try await rig.eventually("the event is copied") { try await rig.outcomes() == [.copied: 1] }
        let document = try #require(try rig.documents().first)
        #expect(document["complete"] == true && document["segments"]?.array?.count == 2)
        #expect(rig.movies().values.map(\.count).sorted() == [650, 50 + 1300])
        let pieces = try await rig.store.offsite.pieces(of: ID(7), profile.id)
        #expect(pieces.map(\.offset) == [350, 950] && pieces.map(\.endOffset) == [950, 2250])
        // Another event of the same time copies nothing twice.
        let uploads = rig.bucket.requests.filter { $0.hasPrefix("PUT") && $0.hasSuffix(".mp4") }.count
        _ = try await rig.event(1, end: 3)
        try await rig.eventually("the second event is copied") { try await rig.outcomes() == [.copied: 2] }
        #expect(rig.bucket.requests.filter { $0.hasPrefix("PUT") && $0.hasSuffix(".mp4") }.count == uploads)
        let state = try #require(try await rig.state())
        #expect(state.activity.phase == .idle && state.cameras.first?.pieces == 2 && state.cameras.first?.bytes == 2000)
        try await rig.stop()
        try await rig.bucket.stop()
    }

    @Test("A large piece goes in parts, and after a restart on from where it was")
    func parts() async throws {
        let rig = try await Rig()
        _ = try await rig.makeProfile()
        rig.world.withLock { world in
            world.segments = [rig.segment(8, from: -1, count: 20, fragmentBytes: 1 << 20)]
            world.wall += 120_000_000
        }
        rig.bucket.failAfterParts(2)
        rig.start()
        _ = try await rig.event(0, end: 9)
        try await rig.eventually("two parts are there, and then nothing works") { try await rig.state()?.activity.phase == .failing }
        #expect(rig.movies().isEmpty)
        try await rig.stop()
        rig.bucket.work()
        rig.start()
        try await rig.eventually("the event is copied") { try await rig.outcomes() == [.copied: 1] }
        let movie = try #require(rig.movies().first)
        #expect(movie.value.count == 50 + (20 << 20))
        #expect(movie.value == Rig.bytes(0, 50 + (20 << 20)))
        let parts = rig.bucket.requests.filter { $0.contains("partNumber") }
        #expect(parts.count == 4 && Set(parts).count == 4)
        try await rig.stop()
        try await rig.bucket.stop()
    }

    @Test("Refused keys are told without the secret; a changed profile is tried at once")
    func refused() async throws {
        let rig = try await Rig()
        let profile = try await rig.makeProfile()
        rig.world.withLock { $0.segments = [rig.segment(9, from: -5, count: 30)] }
        rig.bucket.fail(403, "SignatureDoesNotMatch")
        rig.start()
        _ = try await rig.event(0, end: 2)
        rig.world.withLock { $0.wall += 120_000_000 }
        try await rig.eventually("it says that it fails") { try await rig.state()?.activity.phase == .failing }
        let problem = try #require(try await rig.state()?.activity.problems[ID(1)])
        #expect(problem.message.contains("secret key is wrong") && !problem.message.contains("hidden-secret"))
        rig.bucket.work()
        _ = try await rig.store.s3Profiles.update(profile.id) { $0.secretKey = "another" }
        try await rig.eventually("the event is copied") { try await rig.outcomes() == [.copied: 1] }
        #expect(try await rig.state()?.activity.phase != .failing)
        try await rig.stop()
        try await rig.bucket.stop()
    }

    @Test("Events without footage, deleted ones, and lost files are passed over and counted")
    func without() async throws {
        let rig = try await Rig()
        _ = try await rig.makeProfile()
        let gone = try await rig.event(0, end: 2)
        _ = try await rig.store.events.delete([gone.id])
        _ = try await rig.event(1000, end: 1002)
        rig.world.withLock { world in
            world.wall += 5_000_000_000
            world.segments = [rig.segment(4, from: 1995, count: 30)]
            world.isFileGone = true
        }
        let lost = try await rig.event(2000)
        try await rig.store.events.end(lost.id, at: rig.at(2003), bytes: 500)
        rig.start()
        try await rig.eventually("all are over") { try await rig.outcomes() == [.footageGone: 1, .noFootage: 1] }
        #expect(try await rig.state()?.cameras.first?.waiting == 0)
        try await rig.stop()
        try await rig.bucket.stop()
    }

    @Test("A volume that does not answer keeps no event of another waiting, nor the end of the program, and its own are copied once it does")
    func hanging() async throws {
        let rig = try await Rig()
        _ = try await rig.makeProfile()
        let one = VolumeID(rawValue: 1)
        rig.volumes.set(one, .folder("/nowhere-1", marker: nil), name: "one", loss: nil)
        rig.world.withLock { world in
            world.segments = [rig.segment(1, from: -10, count: 30), rig.segment(2, on: one, from: 90, count: 40)]
            world.hanging = one
            world.patience = .milliseconds(300)
            world.wall += 600_000_000
        }
        rig.start()
        // The newer one, which goes first, lies on the volume that hangs.
        for start in [0.0, 100] { _ = try await rig.event(start, end: start + 3) }
        try await rig.eventually("the other event is copied") { try await rig.outcomes() == [.copied: 1] }
        #expect(rig.movies().keys.allSatisfy { $0.hasSuffix("-s1.mp4") })
        #expect(try await rig.state()?.cameras.first?.waiting == 1)
        try await rig.stop()
        rig.start()
        try await rig.eventually("the other is tried again") { rig.world.withLock { $0.tries } > 1 }
        rig.world.withLock { $0.hanging = nil }
        try await rig.eventually("all are copied") { try await rig.outcomes() == [.copied: 2] && rig.world.withLock { $0.stuck } == 0 }
        try await rig.stop()
        try await rig.bucket.stop()
    }
}

@Suite("Testing a profile")
struct ProfileTests {
    @Test("A profile that names no place is refused")
    func places() {
        var profile = S3Profile(
            id: ID(0), name: "x", endpoint: "http://10.0.0.1:9000", bucket: "bucket", accessKey: "a", secretKey: "b",
            createdAt: WallTime(microseconds: 0))
        #expect(throws: Never.self) { try profile.demandPlace() }
        profile.addressing = "virtual-host"
        #expect(throws: NVRError.self) { try profile.demandPlace() }
        profile.addressing = "path"
        profile.bucket = "Not a bucket"
        #expect(throws: NVRError.self) { try profile.demandPlace() }
    }
}
