import NVRModel
import NVRStore
import Testing

@Suite("Events by label, zone and time of day")
struct EventTagTests {
    private static func event(_ metadata: String?, camera: Int64 = 1, at start: Int64 = 1_795_000_000_000_000, _ kind: Event.Kind = .motion) -> Event
    {
        Event(id: ID(0), cameraID: ID(camera), medium: .video, kind: kind, start: WallTime(microseconds: start), metadata: metadata)
    }

    private static func ids(_ store: Store, _ label: String? = nil, zone: String? = nil, _ change: (inout EventFilter) -> Void = { _ in })
        async throws
        -> [Int64]
    {
        var filter = EventFilter()
        (filter.label, filter.zone) = (label, zone)
        change(&filter)
        let page = try await store.events.page(filter)
        #expect(page.count == page.events.count)
        #expect(try await store.events.count(filter) == page.count)
        return page.events.map(\.id.rawValue)
    }

    @Test("Labels are found wherever a detector puts them, and what is no JSON has none")
    func labels() async throws {
        let store = try Store.inMemory()
        for metadata in [
            #"{"label": "person", "zone": "Drive"}"#, #"{"detections": [{"label": "Person", "box": [0, 0, 1, 1]}, {"label": "dog"}]}"#,
            #"{"labels": ["car", "person"], "zones": ["drive", "street"]}"#, "no JSON", #"{"label": 5, "labels": [null, {}], "zone": ""}"#, nil,
        ] { _ = try await store.events.insert(Self.event(metadata)) }
        #expect(try await Self.ids(store, "person") == [3, 2, 1])
        #expect(try await Self.ids(store, "PERSON", zone: "drive") == [3, 1])
        #expect(try await Self.ids(store, zone: "street") == [3])
        #expect(try await Self.ids(store, "cat").isEmpty)
        let tags = try await store.events.tags(allowed: nil)
        #expect(tags.labels == ["car", "dog", "person"] && tags.zones == ["drive", "street"])
    }

    @Test("Tags follow their events, combine with every other filter, and show nothing of other cameras")
    func follow() async throws {
        let store = try Store.inMemory()
        for camera in Int64(1)...3 { _ = try await store.events.insert(Self.event(#"{"label": "person"}"#, camera: camera, at: camera * 1_000_000)) }
        _ = try await store.events.insert(Self.event(#"{"label": "person"}"#, camera: 1, at: 9_000_000, .manual))
        #expect(try await Self.ids(store, "person") { $0.camera = ID(1) } == [4, 1])
        #expect(try await Self.ids(store, "person") { ($0.camera, $0.kind) = (ID(1), .motion) } == [1])
        #expect(try await Self.ids(store, "person") { $0.allowed = [ID(2), ID(3)] } == [3, 2])
        #expect(
            try await Self.ids(store, "person") {
                $0.range = TimeRange(start: WallTime(microseconds: 2_000_000), end: WallTime(microseconds: 3_000_000))
            } == [2])
        #expect(try await Self.ids(store, "person") { $0.medium = .snapshot }.isEmpty)
        _ = try await store.events.update(ID(2)) { $0.metadata = #"{"label": "cat"}"# }
        _ = try await store.events.update(ID(3)) { $0.start = WallTime(microseconds: 99_000_000) }
        _ = try await store.events.delete([ID(1)])
        #expect(try await Self.ids(store, "person") == [3, 4])
        #expect(try await store.events.tags(allowed: nil).labels == ["cat", "person"])
        #expect(try await store.events.tags(allowed: [ID(3)]).labels == ["person"])
        #expect(try await store.events.tags(allowed: []).labels.isEmpty)
        var filter = EventFilter(skip: 1, limit: 1)
        filter.label = "person"
        let page = try await store.events.page(filter)
        #expect(page.events.map(\.id.rawValue) == [4] && page.count == 2)
    }

    @Test("What one event can be labelled with is bounded")
    func bounded() async throws {
        let store = try Store.inMemory()
        let many = (0..<1000).map { "\"label \($0)\"" }.joined(separator: ",")
        let deep = String(repeating: "[", count: 5000)
        for metadata in ["{\"labels\": [\(many)]}", deep, "{\"label\": \"\(String(repeating: "x", count: 65))\"}"] {
            _ = try await store.events.insert(Self.event(metadata))
        }
        #expect(try await store.events.tags(allowed: nil).labels.count == 32)
    }

    @Test(
        "Times of day are those of the clocks on the wall, also where these change and past midnight",
        arguments: [(9, 17), (22, 6), (0, 24), (2, 3), (23, 0)], [0, 7])
    func dayTime(hours: (Int64, Int64), minutes: Int64) async throws {
        let store = try Store.inMemory()
        // Summer time from a moment on, and from another no more.
        let begin: Int64 = 1_774_000_000
        let clocks = [
            DayTime.Clock(since: 0, offset: 3600), DayTime.Clock(since: 1_774_746_000, offset: 7200),
            DayTime.Clock(since: 1_776_000_600, offset: -3600),
        ]
        var events: [Event] = []
        for number in 0..<3000 { events.append(Self.event(nil, camera: Int64(number % 3) + 1, at: (begin + Int64(number) * 977) * 1_000_000)) }
        try await store.events.insertMany(events)
        let (start, end) = (hours.0 * 3600 + minutes * 60, hours.1 * 3600)
        let length = end > start ? end - start : end - start + 86_400
        func isMeant(_ event: Event) -> Bool {
            let second = event.start.microseconds / 1_000_000
            let offset = clocks.last { $0.since <= second }?.offset ?? 0
            let day = (second + offset) % 86_400
            return (day - start + 86_400) % 86_400 < length
        }
        let all = try await store.events.list(EventFilter(limit: 10_000))
        for camera in [nil, ID<Camera>(2)] {
            for range in [nil, TimeRange(start: WallTime(microseconds: (begin + 700_000) * 1_000_000), end: WallTime(microseconds: .max))] {
                var filter = EventFilter(camera: camera, range: range, limit: 10_000)
                filter.dayTime = DayTime(start: start, length: length, clocks: clocks)
                let page = try await store.events.page(filter)
                let wanted = all.filter { event in
                    isMeant(event) && camera.map { $0 == event.cameraID } ?? true && range.map { event.start >= $0.start } ?? true
                }
                #expect(page.events == wanted && page.count == wanted.count)
                (filter.skip, filter.limit) = (300, 7)
                #expect(try await store.events.list(filter) == Array(wanted.dropFirst(300).prefix(7)))
            }
        }
    }

    @Test("A user's layouts are that user's own, and not too many")
    func layouts() async throws {
        let store = try Store.inMemory()
        let time = WallTime(microseconds: 5)
        _ = try await store.users.insert(User(id: ID(0), username: "root", role: .admin, createdAt: time), passwordHash: "x")
        let one = try await store.users.insert(User(id: ID(0), username: "one", role: .viewer, createdAt: time), passwordHash: "x")
        let two = try await store.users.insert(User(id: ID(0), username: "two", role: .viewer, createdAt: time), passwordHash: "x")
        for name in ["wall", "door", "wall"] {
            try await store.layouts.put(one.id, StoredLayout(name: name, layout: "{\"of\":\"\(name)\"}", updatedAt: time))
        }
        #expect(try await store.layouts.list(of: one.id).map(\.name) == ["door", "wall"])
        #expect(try await store.layouts.list(of: two.id).isEmpty)
        #expect(try await !store.layouts.delete(two.id, "wall"))
        #expect(try await store.layouts.delete(one.id, "wall"))
        for number in 1..<LayoutStore.most { try await store.layouts.put(one.id, StoredLayout(name: "\(number)", layout: "{}", updatedAt: time)) }
        await #expect(throws: (any Error).self) {
            try await store.layouts.put(one.id, StoredLayout(name: "more", layout: "{}", updatedAt: time))
        }
        try await store.layouts.put(one.id, StoredLayout(name: "door", layout: "{}", updatedAt: time))
        _ = try await store.users.delete(one.id)
        #expect(try await store.layouts.list(of: one.id).isEmpty)
    }
}
