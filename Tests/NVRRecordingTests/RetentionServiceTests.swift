import Foundation
import NVRBase
import NVRModel
import NVRRecording
import NVRStore
import Synchronization
import Testing

/// A rig with cameras, and the service that cleans up behind them.
private struct Bench {
    let rig: Rig
    let written = Atomic64()

    /// Records `segments` segments of 5 s for each camera.
    init(cameras: Int = 1, segments: Int = 5) async throws {
        rig = try Rig()
        for number in 1...cameras {
            _ = try await rig.store.cameras.insert(
                Camera(id: ID(0), createdAt: wallZero, name: "camera \(number)", url: "rtsp://10.0.0.1/"))
            var stream = SyntheticStream(run: Int64(number))
            try await rig.record(&stream, frames: 75 * segments, camera: Int64(number), seconds: 5)
        }
    }

    func service(judged: Int64 = SpaceProof.judged) -> RetentionService {
        var measures = MediaRemoval.Measures { [written] _ in written.value }
        measures.judged = judged
        measures.patience = 0
        let root = rig.layout.root
        return RetentionService(
            store: rig.store, removal: MediaRemoval(layout: rig.layout, store: rig.store, playback: rig.playback()), measures: measures,
            volumes: { [(id: .standard, root: root)] }, clock: rig.clock, logger: rig.log.logger)
    }

    func change(_ camera: Int64 = 1, _ body: @escaping @Sendable (inout Camera) -> Void) async throws {
        _ = try await rig.store.cameras.update(ID(camera), body)
    }
}

private final class Atomic64: Sendable {
    private let stored = Mutex<Int64>(0)
    var value: Int64 { stored.withLock { $0 } }
    func set(_ value: Int64) { stored.withLock { $0 = value } }
}

private let day = 86_400.0

struct RetentionServiceTests {
    @Test func `A limit of size is met in one run after somebody's word, and in many without it`() async throws {
        let bench = try await Bench(segments: 10)
        let service = bench.service()
        let all = try await bench.rig.segments()
        let size = all.map(\.bytes).reduce(0, +)
        try await bench.change {
            $0.recording.preserve = "Forever"
            $0.recording.maxStorage = Double(size) * 0.35 / 1_073_741_824
        }
        let dry = try await service.cleanUp(.rules, isDryRun: true)
        #expect(dry.planned.count > 0 && dry.outcome.deleted.count == 0 && dry.stop == .share)
        #expect(try await bench.rig.segments().count == 10)
        let first = try await service.cleanUp(.rules)
        #expect(first.stop == .share && first.outcome.deleted.bytes <= size / 5 && first.withheld.count > 0)
        #expect(try await bench.rig.segments().map(\.id) == all.dropFirst(first.outcome.deleted.count).map(\.id))
        #expect(service.status.alarm?.cause == "share")
        // The share comes back with the day.
        for _ in 0..<20 where service.status.alarm != nil {
            bench.rig.clock.advance(day)
            _ = try await service.cleanUp(.rules)
        }
        let left = try await bench.rig.segments()
        #expect(left.map(\.bytes).reduce(0, +) <= size * 35 / 100 && !left.isEmpty)
        #expect(service.status.alarm == nil)
        #expect(bench.rig.files() == left.map(\.path).sorted())
        try await bench.change { $0.recording.maxStorage = Double(left[left.count - 1].bytes) * 1.1 / 1_073_741_824 }
        let last = try await service.cleanUp(.rules, isConfirmed: true)
        #expect(last.stop == nil)
        #expect(try await bench.rig.segments().map(\.id) == [left[left.count - 1].id])
    }

    @Test func `What is recorded may go without taking from the share`() async throws {
        let bench = try await Bench(segments: 4)
        let service = bench.service()
        _ = try await service.cleanUp(.rules)
        try await bench.change { $0.recording.preserve = "For One Day" }
        bench.written.set(1 << 40)
        bench.rig.clock.advance(2 * day)
        let report = try await service.cleanUp(.rules)
        #expect(report.stop == nil && report.outcome.deleted.count == 4)
        #expect(bench.rig.files().isEmpty)
    }

    @Test func `The clock decides when, the settings whether`() async throws {
        let bench = try await Bench(segments: 3)
        let service = bench.service()
        try await bench.rig.store.settings.set(["cleanup_enabled": "false", "retention_max_share_percent": "100"])
        try await bench.change { $0.recording.preserve = "For One Day" }
        bench.rig.clock.advance(2 * day)
        await service.cleanUpWhenDue()
        #expect(try await bench.rig.segments().count == 3)
        try await bench.rig.store.settings.set(["cleanup_enabled": "true"])
        await service.cleanUpWhenDue()
        #expect(try await bench.rig.segments().isEmpty)
        #expect(service.status.last?.outcome.byReason[.age]?.count == 3)
        // Not again before the interval has passed, also by another process.
        let other = bench.service()
        await other.cleanUpWhenDue()
        #expect(other.status.last == nil)
        bench.rig.clock.advance(day)
        await other.cleanUpWhenDue()
        #expect(other.status.last != nil)
    }

    @Test func `A clock that jumps ten years costs nothing until somebody confirms it`() async throws {
        let bench = try await Bench(segments: 3)
        try await bench.rig.store.settings.set(["retention_max_share_percent": "100"])
        try await bench.change { $0.recording.preserve = "For One Week" }
        _ = try await bench.service().cleanUp(.rules)
        // Another process: nobody saw the time pass.
        bench.rig.clock.advance(3650 * day)
        let service = bench.service()
        let report = try await service.cleanUp(.rules)
        #expect(report.outcome.deleted.count == 0 && report.unseen > 0)
        bench.rig.clock.advance(6 * day)
        #expect(try await service.cleanUp(.rules).outcome.deleted.count == 0)
        bench.rig.clock.advance(1.5 * day)
        // Now a week has been seen.
        #expect(try await service.cleanUp(.rules, isDryRun: true).planned.count == 3)
        #expect(try await bench.service().cleanUp(.rules, isConfirmed: true).outcome.deleted.count == 3)
    }

    @Test func `An archive whose files are gone keeps its rows`() async throws {
        let bench = try await Bench(segments: 3)
        try await bench.change { $0.recording.preserve = "For One Day" }
        bench.rig.clock.advance(3 * day)
        let root = bench.rig.layout.root
        try FileManager.default.moveItem(atPath: root, toPath: root + "-elsewhere")
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let service = bench.service()
        let report = try await service.cleanUp(.rules, isConfirmed: true)
        #expect(report.stop == .doubt(.filesMissing) && report.outcome.deleted.count == 0)
        #expect(try await bench.rig.segments().count == 3)
        #expect(bench.rig.log.errors == 1)
        try FileManager.default.removeItem(atPath: root)
        try FileManager.default.moveItem(atPath: root + "-elsewhere", toPath: root)
        #expect(try await service.cleanUp(.rules, isConfirmed: true).outcome.deleted.count == 3)
        #expect(service.status.alarm == nil)
    }

    @Test func `Rows whose files somebody deleted go when the rest is there`() async throws {
        let bench = try await Bench(segments: 5)
        let all = try await bench.rig.segments()
        for segment in all.prefix(3) { try FileManager.default.removeItem(atPath: bench.rig.absolute(segment.path)) }
        let most = all.suffix(2).map(\.bytes).reduce(0, +)
        try await bench.change { $0.recording.maxStorage = Double(most) / 1_073_741_824 }
        let report = try await bench.service().cleanUp(.rules, isConfirmed: true)
        #expect(report.stop == nil && report.outcome.missing == 3)
        #expect(try await bench.rig.segments().map(\.id) == all.suffix(2).map(\.id))
    }

    @Test func `No space is asked for where a file has another name`() async throws {
        let bench = try await Bench(segments: 5)
        for path in bench.rig.files() {
            try FileManager.default.linkItem(atPath: bench.rig.absolute(path), toPath: bench.rig.absolute(path) + ".kept")
        }
        try await bench.change { $0.recording.preserve = "For One Day" }
        bench.rig.clock.advance(3 * day)
        let report = try await bench.service(judged: 1).cleanUp(.rules, isConfirmed: true)
        #expect(report.outcome.deleted.count == 5 && report.stop == nil)
    }

    @Test func `Held footage stays, whatever the limits`() async throws {
        let bench = try await Bench(cameras: 2, segments: 4)
        let segments = try await bench.rig.segments().filter { $0.cameraID == ID(1) }
        let now = WallTime(microseconds: bench.rig.clock.wall())
        _ = try await bench.rig.store.holds.put(
            Hold(id: ID(0), cameraID: ID(1), range: segments[1].range, reason: "x", createdAt: now, userID: nil, userName: "a", expiresAt: nil),
            now: now)
        try await bench.rig.store.settings.set(["max_global_storage_gb": "0.0000000001"])
        let report = try await bench.service().cleanUp(.rules, isConfirmed: true)
        #expect(report.stop == nil && report.outcome.deleted.count == 7)
        #expect(try await bench.rig.segments().map(\.id) == [segments[1].id])
        #expect(bench.rig.files() == [segments[1].path])
    }

    @Test func `Space is made by the oldest, and not by all of it`() async throws {
        let bench = try await Bench(cameras: 2, segments: 10)
        let service = bench.service()
        let all = try await bench.rig.segments()
        let size = all.map(\.bytes).reduce(0, +)
        let report = try await service.cleanUp(.space(volume: .standard, bytes: size))
        #expect(report.stop == .share && report.outcome.deleted.bytes <= size / 5 && report.outcome.deleted.count > 0)
        // What is written from now on may go.
        bench.written.set(all[0].bytes * 2 + 10)
        let next = try await service.cleanUp(.space(volume: .standard, bytes: all[0].bytes))
        #expect(next.stop == nil && next.outcome.deleted.count >= 1)
        let left = try await bench.rig.segments()
        #expect(left.map(\.start).min()! >= all[report.outcome.deleted.count - 1].start)
    }

    @Test func `A camera's footage is read from one index, oldest first, as far as it is wanted`() async throws {
        let store = try Store.inMemory()
        #expect(try await store.retention.itemsPlan() == ["SEARCH segments USING COVERING INDEX segments_by_time (camera_id=? AND role=?)"])
        let bench = try await Bench(segments: 4)
        let items = try await bench.rig.store.retention.items(of: ID(1), pictures: false, tellsApart: false, reader: 0) { seen, item in
            seen += 1
            return seen == 1 ? .pass : seen == 4 ? .end : .take
        }
        let segments = try await bench.rig.segments()
        #expect(items.map(\.id) == segments[1...2].map(\.id.rawValue))
        #expect(items.map(\.end) == segments[1...2].map(\.end) && items.map(\.bytes) == segments[1...2].map(\.bytes))
    }

    @Test func `What footage shows is found in the events`() async throws {
        let bench = try await Bench(segments: 6)
        let store = bench.rig.store
        let segments = try await bench.rig.segments()
        func event(_ segment: Segment, _ metadata: String?) async throws {
            _ = try await store.events.insert(
                Event(
                    id: ID(0), cameraID: ID(1), medium: .video, kind: .motion, start: segment.start.advanced(byMicroseconds: 1_000_000),
                    end: segment.start.advanced(byMicroseconds: 2_000_000), metadata: metadata))
        }
        try await event(segments[1], nil)
        try await event(segments[3], #"[{"label":"person","score":0.9}]"#)
        let items = try await store.retention.items(of: ID(1), pictures: false, tellsApart: true, reader: 0) { _, _ in .take }
        #expect(items.map(\.id) == segments.map(\.id.rawValue))
        #expect(items.map(\.footage) == [.continuous, .event, .continuous, .labelled, .continuous, .continuous])
        let totals = try await store.retention.totals(on: [.standard])
        #expect(totals.all == segments.map(\.bytes).reduce(0, +))
        #expect(try await store.retention.totals(on: []).all == 0)
    }
}
