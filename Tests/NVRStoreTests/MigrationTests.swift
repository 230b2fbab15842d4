// What belongs here: databases of older versions, with rows, brought up to date.
import NVRModel
import NVRStore
import Testing

@Suite("Databases of older versions")
struct MigrationTests {
    private static func us(_ seconds: Double) -> Int64 { at(seconds).microseconds }

    /// A segment of ten seconds as the first schema knew it.
    private static func segment(_ id: Int, camera: Int = 1, at start: Double, state: Int = 2, bytes: Int = 100) -> String {
        """
        INSERT INTO segments (id, camera_id, role, run, path, start_us, end_us, bytes, state, is_continuous, width, height, codecs, init_length,
            timescale) VALUES (\(id), \(camera), 0, 1, '\(camera)/\(id).mp4', \(us(start)), \(us(start + 10)), \(bytes), \(state), 1, 1920, 1080,
            'avc1.640028', 10, 90000);
        INSERT INTO segment_indexes VALUES (\(id), x'01');

        """
    }

    private static func event(_ id: Int, camera: Int, kind: Int, medium: Int = 0, at start: Double, segment: Int? = nil) -> String {
        """
        INSERT INTO events (id, camera_id, medium, kind, start_us, end_us, segment_id, bytes)
            VALUES (\(id), \(camera), \(medium), \(kind), \(us(start)), \(us(start + 10)), \(segment.map(String.init) ?? "NULL"), 7);

        """
    }

    private func open(from migration: String, _ rows: String) throws -> (Store, TemporaryFolder) {
        let folder = TemporaryFolder()
        try Store.makeOlder(at: folder.path + "/nvr.db", upTo: migration, rows: rows)
        return (try Store.open(at: folder.path + "/nvr.db"), folder)
    }

    /// What is asked of millions of rows is answered by the same indexes as in a new database.
    private func hasPlansOfNewOne(_ store: Store) async throws {
        let new = try Store.inMemory()
        for filter in [EventFilter(), EventFilter(camera: cameraA)] {
            #expect(try await store.events.plan(of: filter) == new.events.plan(of: filter))
        }
        #expect(try await store.segments.plans() == new.segments.plans())
        #expect(try await store.retention.itemsPlan() == new.retention.itemsPlan())
        #expect(try await store.footageKeys.plans() == new.footageKeys.plans())
        #expect(try await store.timeline.plans() == new.timeline.plans())
        #expect(try await store.problems().isEmpty)
    }

    @Test("Footage of the time before keys were noted has the key of the period in which it began, borders included, and is counted by it")
    func keys() async throws {
        let periods = """
            INSERT INTO footage_keys (key, since_us, until_us) VALUES ('aa', \(Self.us(100)), \(Self.us(200))), ('bb', \(Self.us(300)), \(Self.us(400))),
                ('aa', \(Self.us(400)), NULL);

            """
        let starts: [(Double, key: String?)] = [
            (50, nil), (99.999999, nil), (100, "aa"), (199.999999, "aa"), (200, nil), (250, nil), (300, "bb"), (399.999999, "bb"), (400, "aa"),
            (5000, "aa"),
        ]
        var rows = periods
        for (index, (start, _)) in starts.enumerated() { rows += Self.segment(index + 1, at: start, bytes: 100 + index) }
        // What is only announced, and what is being deleted, counts for nothing; what grows does.
        rows += Self.segment(11, camera: 2, at: 150, state: 0) + Self.segment(12, camera: 2, at: 160, state: 3)
        rows += Self.segment(13, camera: 2, at: 350, state: 1, bytes: 5)
        for migration in ["M0016_FootageKeys", "M0018_EventOrder"] {
            let (store, folder) = try open(from: migration, rows)
            for (index, (_, key)) in starts.enumerated() { #expect(try await store.segments.get(ID(Int64(index + 1)))?.key == key, "\(index)") }
            let amounts: [FootageKeyStore.Amount] = [
                .init(key: "aa", count: 4, bytes: 422), .init(key: "bb", count: 3, bytes: 218), .init(key: nil, count: 4, bytes: 410),
            ]
            #expect(try await store.footageKeys.amounts() == amounts)
            #expect(try await store.footageKeys.inUse() == ["aa", "bb"])
            #expect(try await store.footageKeys.writingSince() == at(400))
            // The counts go on from there.
            try await store.segments.finish(ID(13), SegmentClosing(end: at(360), bytes: 50, index: [1]))
            _ = try await store.segments.markGarbage([ID(3), ID(9)])
            #expect(
                try await store.footageKeys.amounts().prefix(2) == [.init(key: "aa", count: 2, bytes: 212), .init(key: "bb", count: 3, bytes: 263)])
            // A key that was used before keeps its number, and a new one gets its own.
            for (key, count) in [("bb", 4), ("cc", 1)] {
                var new = draft(cameraB, key == "bb" ? 6000 : 6010)
                new.key = key
                let id = try await store.segments.intend(new, isContinuous: false)
                _ = try await store.segments.begin(id, end: at(6001), bytes: 1, initLength: 1)
                #expect(try await store.footageKeys.amounts().first { $0.key == key }?.count == count)
            }
            try await hasPlansOfNewOne(store)
            try store.close()
            withExtendedLifetime(folder) {}
        }
    }

    @Test("Without any period all footage lies in the clear")
    func clear() async throws {
        let (store, folder) = try open(from: "M0018_EventOrder", Self.segment(1, at: 0) + Self.segment(2, at: 10))
        #expect(try await store.footageKeys.amounts() == [.init(key: nil, count: 2, bytes: 200)])
        #expect(try await store.footageKeys.inUse().isEmpty)
        try store.close()
        withExtendedLifetime(folder) {}
    }

    @Test(
        "A database of an older version keeps its lists, footage and sums",
        arguments: ["M0001_Create", "M0006_StreamingSecrets", "M0013_Moves", "M0017_Imports", "M0019_SealedSegments", "M0020_FootageIndex"])
    func rows(_ migration: String) async throws {
        var rows = ""
        for number in 0..<40 {
            let (camera, start) = (number % 2 + 1, Double(number / 2) * 10)
            rows += Self.segment(number + 1, camera: camera, at: start, bytes: 100 + number)
            rows += Self.event(number + 1, camera: camera, kind: 1, at: start, segment: number + 1)
        }
        for number in 0..<10 { rows += Self.event(100 + number, camera: 1, kind: 0, at: 3 + Double(number) * 20) }
        rows += Self.event(200, camera: 2, kind: 2, medium: 1, at: 55)
        let (store, folder) = try open(from: migration, rows)
        let all = try await store.events.list(EventFilter(limit: 1000))
        #expect(all.count == 51 && all.map(\.id.rawValue).sorted() == Array(1...40) + Array(100...109) + [200])
        #expect(zip(all, all.dropFirst()).allSatisfy { ($0.start.microseconds, $0.id.rawValue) > ($1.start.microseconds, $1.id.rawValue) })
        #expect(try await store.events.list(EventFilter(camera: cameraA, limit: 1000)) == all.filter { $0.cameraID == cameraA })
        #expect(try await store.events.count(EventFilter(camera: cameraB)) == 21)
        let covering = try await store.segments.covering(cameraA, .main, range(55, 85))
        #expect(covering.map(\.start) == [at(50), at(60), at(70), at(80)] && covering.allSatisfy { $0.index == [1] && $0.key == nil })
        let bytes = (0..<40).reduce(Int64(0)) { $0 + 100 + Int64($1) }
        #expect(try await store.segments.totals().reduce(0) { $0 + $1.bytes } == bytes)
        #expect(try await store.segments.volumeTotals().map(\.bytes) == [bytes, 7])
        #expect(try await store.retention.totals(on: [.standard]).all == bytes + 7)
        #expect(try await store.footageKeys.amounts() == [.init(key: nil, count: 40, bytes: bytes)])
        // What is deleted now is subtracted from what the migrations counted.
        _ = try await store.segments.markGarbage((1...40).map { ID(Int64($0)) })
        #expect(try await store.segments.totals().isEmpty)
        #expect(try await store.footageKeys.amounts() == [.init(key: nil, count: 0, bytes: 0)])
        #expect(try await store.retention.totals(on: [.standard]).all == 7)
        try await hasPlansOfNewOne(store)
        try store.close()
        withExtendedLifetime(folder) {}
    }
}
