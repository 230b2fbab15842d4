import NVRModel
import NVRStore
import Testing

@Suite("Counts of events by time")
struct EventCountTests {
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

    private static let kinds: [(Event.Medium, Event.Kind)] = [(.video, .motion), (.video, .continuous), (.snapshot, .manual)]

    /// Some thousand events of four days, crowded in places, with whole quarters and midnights among their begins.
    private static func filled(_ store: Store, _ count: Int, seed: UInt64) async throws -> [Event] {
        var numbers = Numbers(state: seed)
        let begin: Int64 = 1_795_000_000_000_000
        var events: [Event] = []
        for _ in 0..<count {
            var start = begin + Int64.random(in: 0..<4 * 86_400_000_000, using: &numbers)
            switch Int.random(in: 0..<5, using: &numbers) {
            case 0: start -= start % 900_000_000
            case 1: start -= start % 86_400_000_000
            case 2: start = begin + Int64.random(in: 0..<600_000_000, using: &numbers)
            default: break
            }
            let (medium, kind) = Self.kinds[Int.random(in: 0..<3, using: &numbers)]
            events.append(
                Event(
                    id: ID(0), cameraID: ID(Int64.random(in: 1...5, using: &numbers)), medium: medium, kind: kind,
                    start: WallTime(microseconds: start), end: WallTime(microseconds: start + 5_000_000)))
        }
        try await store.events.insertMany(events)
        return try await store.events.list(EventFilter(limit: 10_000))
    }

    private static func filters(_ events: [Event]) -> [EventFilter] {
        let first = events.last?.start ?? WallTime(microseconds: 0)
        let windows: [TimeRange?] = [
            nil, TimeRange(start: first.advanced(byMicroseconds: 86_400_000_000 + 17), end: first.advanced(byMicroseconds: 3 * 86_400_000_000 + 5)),
            // Within one quarter, around one border, and of whole quarters.
            TimeRange(start: first, end: first.advanced(byMicroseconds: 100_000_000)),
            TimeRange(start: WallTime(microseconds: 1_795_050_000_000_000), end: WallTime(microseconds: 1_795_053_600_000_000)),
            TimeRange(start: WallTime(microseconds: .min), end: WallTime(microseconds: .max)),
        ]
        var filters: [EventFilter] = []
        let sets: [Set<ID<Camera>>?] = [nil, [ID(2)], [ID(1), ID(4), ID(9)], []]
        for allowed in sets {
            for camera in [nil, ID<Camera>(2)] {
                for medium in [nil, Event.Medium.video] {
                    for kind in [nil, Event.Kind.continuous] {
                        for window in windows {
                            filters.append(EventFilter(allowed: allowed, camera: camera, medium: medium, kind: kind, range: window))
                        }
                    }
                }
            }
        }
        return filters
    }

    private static func expected(_ events: [Event], _ filter: EventFilter) -> [Event] {
        events.filter { event in
            filter.allowed?.contains(event.cameraID) ?? true && filter.camera.map { $0 == event.cameraID } ?? true
                && filter.medium.map { $0 == event.medium } ?? true && filter.kind.map { $0 == event.kind } ?? true
                && filter.range.map { $0.start <= event.start && event.start < $0.end } ?? true
        }
    }

    @Test("Numbers and far pages under every filter are those of counting and passing over", arguments: [1, 2] as [UInt64])
    func filters(seed: UInt64) async throws {
        let store = try Store.inMemory()
        let events = try await Self.filled(store, 3000, seed: seed)
        #expect(events.count == 3000)
        for var filter in Self.filters(events) {
            let expected = Self.expected(events, filter)
            filter.limit = 20
            for skip in [0, 255, 256, 257, 900, expected.count - 1, expected.count, 2 * expected.count + 300] where skip >= 0 {
                filter.skip = skip
                let page = try await store.events.page(filter)
                #expect(page.events == Array(expected.dropFirst(skip).prefix(20)), "\(filter)")
                #expect(page.count == expected.count, "\(filter)")
            }
        }
    }

    @Test("Counts follow events that are moved and deleted")
    func changes() async throws {
        let store = try Store.inMemory()
        let events = try await Self.filled(store, 400, seed: 3)
        for event in events.prefix(100) {
            _ = try await store.events.update(event.id) { $0.start = $0.start.advanced(byMicroseconds: -100_000_000_000) }
        }
        for event in events.suffix(100) { _ = try await store.events.update(event.id) { $0.score = 0.5 } }
        _ = try await store.events.delete(events[50..<250].map(\.id))
        let rest = try await store.events.list(EventFilter(limit: 10_000))
        let all = TimeRange(start: WallTime(microseconds: 0), end: WallTime(microseconds: .max))
        #expect(rest.count == 200)
        #expect(try await store.events.counts(of: [all], allowed: nil) == [200])
        for camera in 1...5 as ClosedRange<Int64> {
            #expect(try await store.events.counts(of: [all], allowed: [ID(camera)]) == [rest.count { $0.cameraID == ID(camera) }])
        }
        let first: Int64 = 1_794_800_000_000_000 / 900_000_000
        let quarters = try await store.events.byQuarter(first, first + 1000, allowed: nil)
        #expect(quarters.values.reduce(0) { $0 + $1.events } == 200)
        #expect(quarters.values.reduce(0) { $0 + $1.videos } == rest.count { $0.medium == .video })
        for (bucket, count) in quarters { #expect(count.events == rest.count { $0.start.microseconds / 900_000_000 == bucket }) }
        _ = try await store.events.deleteAll()
        #expect(try await store.events.byQuarter(first, first + 1000, allowed: nil).isEmpty)
    }

    @Test("A day's bytes are those of the last 24 hours, and of what there is while there is less")
    func rates() async throws {
        let store = try Store.inMemory()
        let now: Double = 40 * 3600 - 800  // A whole hour of UTC, since `at(0)` is 800 seconds after one.
        // Camera A has recorded a megabyte an hour for 40 hours, B for two.
        for hour in 0..<40 { _ = try await store.segments.make(cameraA, Double(hour) * 3600 - 800, Double(hour) * 3600 - 700, bytes: 1_000_000) }
        for hour in 38..<40 { _ = try await store.segments.make(cameraB, Double(hour) * 3600 - 800, Double(hour) * 3600, bytes: 2_000_000) }
        let rates = try await store.segments.bytesADay(at: at(now))
        #expect(rates[cameraA] == 24_000_000)
        #expect(rates[cameraB] == 48_000_000)
        // Half an hour later the oldest of 25 hours counts half.
        #expect(try await store.segments.bytesADay(at: at(now + 1800))[cameraA] == 23_500_000)
        #expect(try await store.segments.bytesADay(at: at(now + 30 * 3600))[cameraA] == nil)
        let garbage = try await store.segments.markGarbage(try await store.segments.oldest(cameraB, limit: 10).map(\.id))
        #expect(garbage.count == 2)
        #expect(try await store.segments.bytesADay(at: at(now))[cameraB] == nil)
    }

    @Test("What is kept of rows is asked for by numbers that grow with every commit that matters")
    func versions() async throws {
        let store = try Store.inMemory()
        func both() -> [Int] { [store.versions.cameras, store.versions.footage] }
        let begin = both()
        let camera = try await store.cameras.insert(Camera(id: ID(0), createdAt: at(0), name: "A", url: "rtsp://10.0.0.9/a"))
        #expect(both() == [begin[0] + 1, begin[1]])
        #expect(try await store.cameras.all().map(\.general.name) == ["A"])
        _ = try await store.cameras.update(camera.id) { $0.general.name = "B" }
        #expect(try await store.cameras.all().map(\.general.name) == ["B"])
        let event = try await store.events.insert(.draft(camera.id, 0))
        #expect(both() == [begin[0] + 2, begin[1] + 1])
        _ = try await store.events.delete([event.id])
        let group = try await store.groups.insert(CameraGroup(id: ID(0), name: "G", createdAt: at(0)))
        #expect(both() == [begin[0] + 3, begin[1] + 2])
        _ = try await store.groups.setCameras(group.id, [camera.id])
        #expect(both() == [begin[0] + 4, begin[1] + 2])
        try await store.settings.set(["log_backup_count": "3"])
        #expect(both() == [begin[0] + 4, begin[1] + 2])
        _ = try await store.cameras.delete(camera.id, at: at(1))
        #expect(try await store.cameras.all().isEmpty)
    }
}
