import NVRModel
import NVRStore
import Testing

@Suite struct FootageKeyTests {
    private func make(_ store: Store, _ start: Double, key: String?, bytes: Int64) async throws -> ID<Segment> {
        var segment = draft(cameraA, start)
        segment.key = key
        let id = try await store.segments.intend(segment, isContinuous: false)
        _ = try await store.segments.begin(id, end: at(start), bytes: 10, initLength: 10)
        try await store.segments.finish(id, SegmentClosing(end: at(start + 1), bytes: bytes, index: [1]))
        return id
    }

    @Test("Footage is counted by the key of its files, whatever its time, and what has none comes last")
    func amounts() async throws {
        let store = try Store.inMemory()
        #expect(try await store.footageKeys.amounts() == [.init(key: nil, count: 0, bytes: 0)])
        let first = try await make(store, 100, key: "aa", bytes: 5)
        // Older footage that came later, as an import brings it.
        _ = try await make(store, 0, key: "bb", bytes: 7)
        _ = try await make(store, 200, key: "aa", bytes: 11)
        _ = try await make(store, 150, key: nil, bytes: 13)
        #expect(
            try await store.footageKeys.amounts() == [
                .init(key: "aa", count: 2, bytes: 16), .init(key: "bb", count: 1, bytes: 7), .init(key: nil, count: 1, bytes: 13),
            ])
        #expect(try await store.segments.get(first)?.key == "aa")
        #expect(try await store.segments.covering(cameraA, .main, range(0, 300)).map(\.key) == ["bb", "aa", nil, "aa"])
        #expect(try await store.footageKeys.inUse() == ["aa", "bb"])
        _ = try await store.segments.markGarbage([first])
        #expect(try await store.footageKeys.amounts().first == .init(key: "aa", count: 1, bytes: 11))
        #expect(try await store.problems().isEmpty)
    }

    @Test("A file that is only announced counts for nothing")
    func announced() async throws {
        let store = try Store.inMemory()
        var segment = draft(cameraA, 0)
        segment.key = "aa"
        _ = try await store.segments.intend(segment, isContinuous: false)
        #expect(try await store.footageKeys.inUse().isEmpty)
        #expect(try await store.footageKeys.amounts() == [.init(key: nil, count: 0, bytes: 0)])
    }

    @Test("Since when new footage has its key is known until it has none")
    func since() async throws {
        let store = try Store.inMemory()
        #expect(try await store.footageKeys.writingSince() == nil)
        try await store.footageKeys.note(writing: "aa", at: at(10))
        try await store.footageKeys.note(writing: "aa", at: at(20))
        #expect(try await store.footageKeys.writingSince() == at(10))
        try await store.footageKeys.note(writing: "bb", at: at(30))
        #expect(try await store.footageKeys.writingSince() == at(30))
        try await store.footageKeys.note(writing: nil, at: at(40))
        #expect(try await store.footageKeys.writingSince() == nil)
    }

    @Test("What has a key is told by sums, which equal what counting would give after whatever happened")
    func sums() async throws {
        let store = try Store.inMemory()
        var ids: [ID<Segment>] = []
        for number in 0..<12 {
            ids.append(try await make(store, Double(number * 10), key: ["aa", "bb", nil][number % 3], bytes: Int64(100 + number)))
        }
        func counted() async throws -> [String?: [Int64]] {
            var found: [String?: [Int64]] = [:]
            for id in ids {
                guard let segment = try await store.segments.get(id), segment.state == .finished || segment.state == .growing else { continue }
                found[segment.key, default: [0, 0]][0] += 1
                found[segment.key, default: [0, 0]][1] += segment.bytes
            }
            return found
        }
        func told() async throws -> [String?: [Int64]] {
            let amounts = try await store.footageKeys.amounts().filter { $0.count > 0 }
            return Dictionary(uniqueKeysWithValues: amounts.map { ($0.key, [Int64($0.count), $0.bytes]) })
        }
        #expect(try await told() == counted())
        // It grows, ends, is made anew from its file, deleted with and without a file.
        var growing = draft(cameraB, 500)
        growing.key = "bb"
        ids.append(try await store.segments.intend(growing, isContinuous: true))
        #expect(try await told() == counted())
        _ = try await store.segments.begin(ids[12], end: at(501), bytes: 10, initLength: 10)
        #expect(try await told() == counted())
        try await store.segments.progress(ids[12], end: at(502), bytes: 20)
        try await store.segments.finish(ids[12], SegmentClosing(end: at(503), bytes: 30, index: [1]))
        try await store.segments.finish(ids[0], SegmentClosing(end: at(3), bytes: 3, index: [1]))
        #expect(try await told() == counted())
        _ = try await store.segments.commit([.discard(ids[1]), .discard(ids[2])])
        let garbage = try await store.segments.markGarbage([ids[3], ids[4], ids[5]])
        #expect(try await told() == counted())
        try await store.segments.removeGarbage(garbage.map(\.id))
        #expect(try await told() == counted())
        _ = try await store.segments.markGarbage(ids)
        #expect(try await told().isEmpty)
        #expect(try await store.footageKeys.inUse().isEmpty)
        // Nothing is counted for it: not one row of a segment is read.
        #expect(try await !store.footageKeys.plans().contains { $0.contains("segments") })
    }
}
