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

    @Test("What is encrypted is found by an index of its own, and nothing else is read")
    func plans() async throws {
        let plans = try await Store.inMemory().footageKeys.plans()
        let scans = plans.filter { $0.hasPrefix("SCAN s") || $0.hasPrefix("SEARCH s") }
        #expect(scans.count == 2 && scans.allSatisfy { $0.contains("segments_by_key") }, "\(plans)")
        #expect(!plans.contains { $0.contains("TEMP B-TREE") }, "\(plans)")
    }
}
