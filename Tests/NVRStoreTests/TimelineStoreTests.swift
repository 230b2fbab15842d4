import NVRBase
import NVRModel
import NVRStore
import Testing

@Suite("Timeline sums")
struct TimelineStoreTests {
    /// Repeatable numbers (Steele and others, "Fast splittable pseudorandom number generators").
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private static let cameras: [ID<Camera>] = [ID(1), ID(2), ID(3)]
    /// Milliseconds; all that happens lies in these ten days.
    private static let begin: Int64 = 1_795_000_000_000 / TimelineLevel.day * TimelineLevel.day
    private static let length = 10 * TimelineLevel.day

    private struct World {
        let store: Store
        var numbers: Numbers
        var segments: [ID<Segment>] = []
        var paths = 0

        /// Often at a border of a bucket, never at a whole millisecond otherwise.
        mutating func time() -> WallTime {
            let millis = TimelineStoreTests.begin + TimelineLevel.day + Int64.random(in: 0..<7 * TimelineLevel.day, using: &numbers)
            switch Int.random(in: 0..<6, using: &numbers) {
            case 0: return WallTime(microseconds: millis / TimelineLevel.fiveMinutes * TimelineLevel.fiveMinutes * 1000)
            case 1: return WallTime(microseconds: millis / TimelineLevel.day * TimelineLevel.day * 1000)
            default: return WallTime(microseconds: millis * 1000 + Int64.random(in: 0..<1000, using: &numbers))
            }
        }

        mutating func span() -> Int64 {
            switch Int.random(in: 0..<8, using: &numbers) {
            case 0: 0
            case 1: Int64.random(in: 0...36 * 3_600_000_000, using: &numbers)
            default: Int64.random(in: 0...300_000_000, using: &numbers)
            }
        }

        mutating func camera() -> ID<Camera> { TimelineStoreTests.cameras.randomElement(using: &numbers) ?? ID(1) }

        mutating func step() async throws {
            let (start, span, camera) = (time(), span(), camera())
            let end = start.advanced(byMicroseconds: span)
            let some = segments.randomElement(using: &numbers)
            switch Int.random(in: 0..<13, using: &numbers) {
            case 0, 1, 2:
                paths += 1
                var segment = draft(camera, 0, role: Int.random(in: 0..<5, using: &numbers) == 0 ? .sub : .main, path: "\(paths).mp4")
                (segment.start, segment.end) = (start, start)
                let id = try await store.segments.intend(segment, isContinuous: Bool.random(using: &numbers))
                segments.append(id)
                if Int.random(in: 0..<5, using: &numbers) > 0 {
                    _ = try await store.segments.begin(id, end: start.advanced(byMicroseconds: min(span, 1_000_000)), bytes: 1, initLength: 1)
                }
                if Int.random(in: 0..<4, using: &numbers) > 0 {
                    try await store.segments.finish(id, SegmentClosing(end: end, bytes: 9, index: []))
                }
            case 3: if let some { try await store.segments.progress(some, end: end, bytes: 3) }
            case 4:
                // Repair and recovery: what the file says counts, also less than before.
                if let some { try await store.segments.finish(some, SegmentClosing(end: end, bytes: 7, index: [], start: start)) }
            case 5: if let some { _ = try await store.segments.commit([.discard(some)]) }
            case 6:
                let chosen = segments.shuffled(using: &numbers).prefix(3)
                let garbage = try await store.segments.markGarbage(Array(chosen))
                if Bool.random(using: &numbers) { try await store.segments.removeGarbage(garbage.map(\.id)) }
            case 7, 8, 9:
                let kind = Event.Kind.allCases.filter { $0 != .continuous }.randomElement(using: &numbers) ?? .motion
                let medium = Event.Medium.allCases.randomElement(using: &numbers) ?? .video
                let isOpen = Bool.random(using: &numbers)
                _ = try await store.events.insert(
                    Event(id: ID(0), cameraID: camera, medium: medium, kind: kind, start: start, end: isOpen || medium == .snapshot ? nil : end))
            case 10, 11:
                let events = try await store.events.list(EventFilter(limit: 1000))
                guard let event = events.randomElement(using: &numbers), event.kind != .continuous else { return }
                let moves = Bool.random(using: &numbers)
                _ = try await store.events.update(event.id) {
                    if moves { $0.start = start }
                    if $0.medium == .video { $0.end = max($0.start, end) }
                }
            default:
                let events = try await store.events.list(EventFilter(limit: 1000))
                _ = try await store.events.delete(events.shuffled(using: &numbers).prefix(2).map(\.id))
            }
        }
    }

    /// Sums of each bucket of a level as counting over rows gives them.
    private static func counted(_ store: Store, _ segments: [ID<Segment>], _ level: TimelineLevel, _ camera: ID<Camera>) async throws -> TimelineCells
    {
        let first = level.bucket(of: begin)
        var cells = TimelineCells(count: Int(level.bucket(of: begin + length) - first))
        func add(_ start: WallTime, _ end: WallTime, _ sums: inout [Int64]) {
            for bucket in sums.indices {
                let from = (first + Int64(bucket)) * level.unit - level.phase
                sums[bucket] += max(0, min(end.microseconds / 1000, from + level.unit) - max(start.microseconds / 1000, from))
            }
        }
        for id in segments {
            guard let segment = try await store.segments.get(id), segment.cameraID == camera, segment.role == .main,
                segment.state == .growing || segment.state == .finished
            else { continue }
            add(segment.start, segment.end, &cells.footage)
        }
        for event in try await store.events.list(EventFilter(camera: camera, limit: 10_000)) {
            if event.medium == .video, event.kind == .motion, let end = event.end { add(event.start, end, &cells.motion) }
            let bucket = Int(level.bucket(of: event.start.microseconds / 1000) - first)
            if event.medium == .snapshot { cells.snapshots[bucket] += 1 } else if event.kind != .continuous { cells.events[bucket] += 1 }
        }
        return cells
    }

    private static func read(_ store: Store, _ level: TimelineLevel, _ camera: ID<Camera>) async throws -> TimelineRows {
        let first = level.bucket(of: begin)
        let count = Int(level.bucket(of: begin + length) - first)
        let query = TimelineQuery(
            cameras: [camera], range: TimeRange(start: at(0), end: at(1)),
            detail: .cells(count: count) { _ in
                [TimelineRun(level: level.id, firstBucket: first, bucketsPerCell: 1, firstCell: 0, cells: count)]
            }, outages: .any)
        return try #require(try await store.timeline.read(query)?.first)
    }

    private static func expectSums(_ world: World, _ note: String) async throws {
        for level in try await world.store.timeline.levels() {
            for camera in cameras {
                let expected = try await counted(world.store, world.segments, level, camera)
                #expect(try await read(world.store, level, camera).cells == expected, "\(note), \(level), camera \(camera)")
            }
        }
    }

    @Test("Sums are those of counting over rows, whatever happens to the rows and in whatever order", arguments: [1, 2, 3] as [UInt64])
    func sums(seed: UInt64) async throws {
        var world = World(store: try Store.inMemory(), numbers: Numbers(state: seed))
        for _ in 0..<150 { try await world.step() }
        try await Self.expectSums(world, "in UTC")
        // Clocks of Adelaide, with half hours and summer time, and then none of them.
        try await world.store.timeline.setOffsets([34_200, 37_800])
        #expect(try await world.store.timeline.levels().count == 6)
        try await Self.expectSums(world, "summed up")
        for _ in 0..<150 { try await world.step() }
        try await Self.expectSums(world, "in Adelaide")
        try await world.store.timeline.setOffsets([0])
        for _ in 0..<50 { try await world.step() }
        try await Self.expectSums(world, "back in UTC")
        try await world.store.cameras.cleanUp(ID(1))
        try await Self.expectSums(world, "one camera is empty")
        _ = try await world.store.events.deleteAll()
        try await Self.expectSums(world, "all is deleted")
        #expect(try await world.store.problems().isEmpty)
    }

    @Test("What the clock of another age wrote is counted at the ends of time, and nothing runs over")
    func extremes() async throws {
        let store = try Store.inMemory()
        for (number, (start, end)) in [(Int64.min, Int64.max), (-5_000_000, 5_000_000), (Int64.max - 5, Int64.max), (0, Int64.max)].enumerated() {
            var segment = draft(cameraA, 0, path: "\(number)")
            (segment.start, segment.end) = (WallTime(microseconds: start), WallTime(microseconds: start))
            let id = try await store.segments.intend(segment, isContinuous: false)
            try await store.segments.finish(id, SegmentClosing(end: WallTime(microseconds: end), bytes: 1, index: []))
            _ = try await store.events.insert(
                Event(id: ID(0), cameraID: cameraA, medium: .video, kind: .motion, start: segment.start, end: WallTime(microseconds: end)))
        }
        let level = TimelineLevel(id: 2, unit: TimelineLevel.day, phase: 0)
        func firstDay() async throws -> TimelineRows {
            let query = TimelineQuery(
                cameras: [cameraA], range: range(0, 1),
                detail: .cells(count: 1) { _ in [TimelineRun(level: level.id, firstBucket: 0, bucketsPerCell: 1, firstCell: 0, cells: 1)] },
                outages: .any)
            return try #require(try await store.timeline.read(query)?.first)
        }
        // Two that claim to have begun in 1970 or before, and five seconds.
        #expect(try await firstDay().cells.footage == [2 * TimelineLevel.day + 5000])
        #expect(try await firstDay().cells.events == [3])
        try await store.cameras.cleanUp(cameraA)
        #expect(try await firstDay().cells == TimelineCells(count: 1))
    }

    @Test("Segments, events and outages of a range are found one by one, also those that reach into it from long before")
    func rows() async throws {
        let store = try Store.inMemory()
        let camera = try await store.cameras.insert(Camera(id: ID(0), createdAt: at(0), name: "A", url: "rtsp://10.0.0.9/a")).id
        for (start, end) in [(-90_000.0, 20.0), (-60, 0), (0, 60), (60, 120), (3000, 3060)] { _ = try await store.segments.make(camera, start, end) }
        let growing = try await store.segments.intend(draft(camera, 3060), isContinuous: true)
        _ = try await store.segments.begin(growing, end: at(3061), bytes: 1, initLength: 1)
        let old = try await store.events.insert(.draft(camera, -9000, 30))
        let open = try await store.events.insert(.draft(camera, -8000))
        let motion = try await store.events.insert(.draft(camera, 10, 20))
        _ = try await store.events.insert(.draft(camera, 200, 220))
        _ = try await store.events.insert(.draft(camera, -20, -10))
        let snapshot = try await store.events.insert(.draft(camera, 50, medium: .snapshot, kind: .manual))
        try await store.outages.apply([
            .put(Outage(cameraID: camera, start: at(-5000), end: at(-4000), cause: .diskFull)),
            .put(Outage(cameraID: camera, start: at(-500), end: at(30), cause: .cameraOffline, reason: "unreachable")),
            .put(Outage(cameraID: camera, start: at(40), end: at(50), cause: .serverDown)),
            .put(Outage(cameraID: camera, start: at(60), cause: .noMotion)),
            .put(Outage(cameraID: ID(77), start: at(60), cause: .noMotion)),
        ])
        func read(_ range: TimeRange, most: Int = 100, _ outages: TimelineQuery.ShortestOutage = .any) async throws -> TimelineRows? {
            try await store.timeline.read(TimelineQuery(cameras: [camera], range: range, detail: .rows(most: most), outages: outages))?.first
        }
        let found = try #require(try await read(range(5, 100)))
        #expect(found.segments.map(\.start) == [at(-90_000), at(0), at(60)])
        #expect(found.events.map(\.id) == [old.id, open.id, motion.id, snapshot.id])
        #expect(found.outages.map(\.cause) == [.cameraOffline, .serverDown, .noMotion])
        #expect(found.first == at(-90_000) && found.last == at(3061) && !found.areOutagesCut)
        #expect(found.growing.map(\.id) == [growing] && found.growing.map(\.end) == [at(3061)] && found.openMotion == [at(-8000)])
        #expect(try await read(range(5, 100), .minutes)?.outages.map(\.cause) == [.cameraOffline, .noMotion])
        #expect(try await read(range(-9000, 100), .minutes)?.outages.map(\.cause) == [.diskFull, .noMotion])
        #expect(try await read(range(5, 100), most: 2) == nil)
        #expect(try await store.outages.newest(camera, limit: 2).map(\.cause) == [.serverDown, .noMotion])
        #expect(try await store.outages.newest(ID(77), limit: 2).isEmpty)
        _ = try await store.outages.apply([
            .remove(camera, start: at(40)), .put(Outage(cameraID: camera, start: at(60), end: at(70), cause: .noMotion)),
        ])
        #expect(try await store.outages.newest(camera, limit: 1).first?.end == at(70))
        let later = at(0).advanced(byMicroseconds: OutageStore.kept + 50_000_000)
        #expect(try await store.outages.deleteOld(of: [camera], at: later) == 2)
        try await store.outages.apply([.put(Outage(cameraID: camera, start: at(90), cause: .cameraOffline))])
        _ = try await store.cameras.delete(camera, at: at(100))
        #expect(try await store.outages.newest(camera, limit: 9).map(\.start) == [at(60)])
    }

    @Test("No part of a timeline scans a table or sorts")
    func plans() async throws {
        let plans = try await Store.inMemory().timeline.plans()
        #expect(!plans.contains { $0.hasPrefix("SCAN") || $0.contains("TEMP B-TREE") }, "\(plans)")
        #expect(plans.contains { $0.contains("COVERING INDEX segments_by_time") }, "\(plans)")
    }
}
