import NVRBase
import NVRModel
import NVRStore
import Testing

@Suite("Segments and events")
struct FootageTests {
    @Test("A segment is listed from its first fragment on, and its continuous event follows it")
    func lifeOfASegment() async throws {
        let store = try Store.inMemory()
        let id = try await store.segments.intend(draft(cameraA, 0), isContinuous: true)
        #expect(try await store.segments.get(id)?.state == .intended)
        #expect(try await store.segments.covering(cameraA, .main, range(-10, 1000)).isEmpty)
        #expect(try await store.events.list(EventFilter()).isEmpty)
        let event = try #require(try await store.segments.begin(id, end: at(2), bytes: 50, initLength: 7))
        #expect(try await store.segments.begin(id, end: at(2), bytes: 50, initLength: 7) == event)
        let listed = try #require(try await store.events.get(event))
        #expect(listed.kind == .continuous && listed.start == at(0) && listed.end == nil && listed.segmentID == id && listed.width == 1920)
        try await store.segments.progress(id, end: at(4), bytes: 90)
        let growing = try #require(try await store.segments.covering(cameraA, .main, range(3, 5)).first)
        #expect(growing.state == .growing && growing.end == at(4) && growing.bytes == 90 && growing.initLength == 7)
        #expect(try await store.events.open().map(\.id) == [event])
        try await store.segments.finish(id, SegmentClosing(end: at(60), bytes: 500, index: [9, 8]))
        let finished = try #require(try await store.segments.byPath("1/main/0.0.mp4"))
        #expect(finished.state == .finished && finished.index == [9, 8] && finished.end == at(60) && finished.initLength == 7)
        let ended = try #require(try await store.events.get(event))
        #expect(ended.end == at(60) && ended.bytes == 500)
        #expect(try await store.segments.unfinished().isEmpty)
        #expect(try await store.segments.totals() == [SegmentTotal(cameraID: cameraA, role: .main, count: 1, bytes: 500)])
    }

    @Test("One commit serves many cameras, and tells of segments that were deleted meanwhile")
    func batch() async throws {
        let store = try Store.inMemory()
        let a = try await store.segments.intend(draft(cameraA, 0), isContinuous: true)
        let b = try await store.segments.intend(draft(cameraB, 0), isContinuous: false)
        let begun = try await store.segments.commit([
            .begin(a, end: at(2), bytes: 1, initLength: 1), .begin(b, end: at(2), bytes: 1, initLength: 1),
        ])
        #expect(begun.map(\.isKept) == [true, true])
        #expect(begun[0].eventID != nil && begun[1].eventID == nil)
        #expect(try await store.segments.markGarbage([b, b, ID(99)]) == [GarbageSegment(id: b, path: "2/main/0.0.mp4")])
        let later = try await store.segments.commit([
            .progress(a, end: at(4), bytes: 2), .progress(b, end: at(4), bytes: 2), .finish(b, SegmentClosing(end: at(5), bytes: 3, index: [])),
            .progress(ID(99), end: at(4), bytes: 2),
        ])
        #expect(later.map(\.isKept) == [true, false, false, false])
        #expect(try await store.segments.get(b)?.state == .garbage)
        #expect(try await store.segments.commit([]).isEmpty)
    }

    @Test("Every point at which a crash can fall leaves a row that start-up can judge")
    func crashPoints() async throws {
        let store = try Store.inMemory()
        // Died between the row and the file: nothing whole is on disk.
        let neverMade = try await store.segments.intend(draft(cameraA, 0), isContinuous: true)
        // Died between the file and its listing: recovery finishes what it finds, and the event appears.
        let notListed = try await store.segments.intend(draft(cameraA, 60), isContinuous: true)
        // Died while growing.
        let growing = try await store.segments.intend(draft(cameraA, 120), isContinuous: true)
        let event = try await store.segments.begin(growing, end: at(122), bytes: 5, initLength: 1)
        // Died between garbage and unlink.
        let garbage = try await store.segments.make(cameraA, 180, 240, isContinuous: true)
        _ = try await store.segments.markGarbage([garbage])
        #expect(try await store.segments.unfinished().map(\.id) == [neverMade, notListed, growing])
        let closing = SegmentClosing(
            end: at(119), bytes: 77, index: [1], initLength: 6, timescale: 12_800, start: at(61), width: 640, height: 360, codecs: "hvc1")
        let outcomes = try await store.segments.commit([
            .discard(neverMade), .finish(notListed, closing), .finish(growing, SegmentClosing(end: at(150), bytes: 9, index: [])),
        ])
        #expect(outcomes[0].isKept == false)
        #expect(try await store.segments.get(neverMade) == nil)
        let found = try #require(try await store.segments.get(notListed))
        #expect(found.state == .finished && found.start == at(61) && found.width == 640 && found.codecs == "hvc1" && found.timescale == 12_800)
        let listedID = try #require(outcomes[1].eventID)
        let listed = try #require(try await store.events.get(listedID))
        #expect(listed.start == at(61) && listed.end == at(119) && listed.bytes == 77)
        let growingEvent = try #require(event)
        #expect(try await store.events.get(growingEvent)?.end == at(150))
        #expect(try await store.segments.garbage() == [GarbageSegment(id: garbage, path: "1/main/180.0.mp4")])
        try await store.segments.removeGarbage([garbage, growing])
        #expect(try await store.segments.get(garbage) == nil)
        #expect(try await store.segments.get(growing)?.state == .finished)
        #expect(try await store.segments.unfinished().isEmpty)
        #expect(try await store.problems().isEmpty)
    }

    @Test("Footage of a range is found whole, in order, of one stream, however long a segment is")
    func covering() async throws {
        let store = try Store.inMemory()
        let one = try await store.segments.make(cameraA, 0, 60)
        let two = try await store.segments.make(cameraA, 60, 120)
        _ = try await store.segments.make(cameraA, 0, 60, role: .sub)
        _ = try await store.segments.make(cameraB, 0, 60)
        let long = try await store.segments.make(cameraA, -20_000, -1)
        func found(_ start: Double, _ end: Double) async throws -> [ID<Segment>] {
            try await store.segments.covering(cameraA, .main, range(start, end)).map(\.id)
        }
        #expect(try await found(30, 90) == [one, two])
        #expect(try await found(0, 60) == [one])
        #expect(try await found(60, 61) == [two])
        #expect(try await found(120, 200).isEmpty)
        #expect(try await found(-5, 1) == [long, one])
        #expect(try await found(-15_000, -14_999) == [long])
        let all = TimeRange(start: WallTime(microseconds: .min), end: WallTime(microseconds: .max))
        #expect(try await store.segments.covering(cameraA, .main, all).map(\.id) == [long, one, two])
        #expect(try await store.segments.newest(cameraA, .main)?.id == two)
        #expect(try await store.segments.paths(of: [one, ID(99)]) == [one: "1/main/0.0.mp4"])
        #expect(try await store.segments.oldest(cameraA, limit: 2).map(\.id).first == long)
        #expect(try await store.segments.oldest(nil, before: at(0), limit: 9).map(\.id) == [long])
        #expect(try await store.segments.bytes(since: at(0)) == [cameraA: 300, cameraB: 100])
        let first = try await store.segments.entries(after: nil, limit: 3)
        let rest = try await store.segments.entries(after: first.last?.id, limit: 3)
        #expect(first.count == 3 && rest.count == 2)
    }

    @Test("A path is taken once")
    func uniquePath() async throws {
        let store = try Store.inMemory()
        _ = try await store.segments.intend(draft(cameraA, 0, path: "x.mp4"), isContinuous: true)
        let error = await #expect(throws: NVRError.self) {
            try await store.segments.intend(draft(cameraB, 9, path: "x.mp4"), isContinuous: true)
        }
        #expect(error?.kind == .conflict)
    }

    @Test("Events are listed newest first under every filter, and counted")
    func filters() async throws {
        let store = try Store.inMemory()
        var model: [Event] = []
        let kinds: [(Event.Medium, Event.Kind)] = [(.video, .motion), (.video, .continuous), (.snapshot, .manual), (.snapshot, .motion)]
        for step in 0..<120 {
            let (medium, kind) = kinds[step % 4]
            // Equal starts come in pairs, so that the id decides.
            model.append(
                try await store.events.insert(
                    .draft(ID(Int64(step % 3 + 1)), Double(step / 2), Double(step), medium: medium, kind: kind, bytes: 10)))
        }
        let ordered = model.sorted { ($0.start, $0.id) > ($1.start, $1.id) }
        let sets: [Set<ID<Camera>>?] = [nil, [ID(1)], [ID(1), ID(3)], [], Set((1...200).map { ID($0) })]
        for allowed in sets {
            for camera in [nil, ID<Camera>(1), ID(9)] {
                for medium in [nil, Event.Medium.video, .snapshot] {
                    for kind in [nil, Event.Kind.motion, .manual] {
                        for window in [nil, range(10, 20)] {
                            let expected = ordered.filter { event in
                                (allowed?.contains(event.cameraID) ?? true)
                                    && (camera == nil || event.cameraID == camera) && (medium == nil || event.medium == medium)
                                    && (kind == nil || event.kind == kind)
                                    && (window.map { $0.start <= event.start && event.start < $0.end } ?? true)
                            }
                            var filter = EventFilter(allowed: allowed, camera: camera, medium: medium, kind: kind, range: window, limit: 7)
                            #expect(try await store.events.list(filter) == Array(expected.prefix(7)))
                            filter.skip = 5
                            #expect(try await store.events.list(filter) == Array(expected.dropFirst(5).prefix(7)))
                            #expect(try await store.events.count(filter) == expected.count)
                        }
                    }
                }
            }
        }
        #expect(try await store.events.list(EventFilter(skip: -5, limit: -1)).isEmpty)
        #expect(try await store.events.histogram(range(0, 60), buckets: 6) == [20, 20, 20, 20, 20, 20])
        #expect(try await store.events.totals().reduce(0) { $0 + $1.count } == 120)
        #expect(try await store.events.totals().reduce(0) { $0 + $1.bytes } == 1200)
    }

    @Test("No list of events scans or sorts the table, and no search for footage scans it")
    func plans() async throws {
        let store = try Store.inMemory()
        for camera in [nil, ID<Camera>(1)] {
            for medium in [nil, Event.Medium.video] {
                for kind in [nil, Event.Kind.motion] {
                    for window in [nil, range(0, 1)] {
                        for allowed in [nil, Set([ID<Camera>(1), ID(2)]), Set((1...200).map { ID<Camera>($0) })] {
                            for skip in [0, 7] {
                                let filter = EventFilter(allowed: allowed, camera: camera, medium: medium, kind: kind, range: window, skip: skip)
                                let plan = try await store.events.plan(of: filter)
                                #expect(!plan.isEmpty)
                                // Walking all events in their order, until the page is full, is what a list of all of them is.
                                let scan = plan.first { $0.hasPrefix("SCAN e") && !$0.contains("INDEX events_by_start") }
                                #expect(scan == nil && !plan.contains { $0.contains("TEMP B-TREE") }, "\(filter): \(plan)")
                            }
                        }
                    }
                }
            }
        }
        let plans = try await store.segments.plans()
        #expect(!plans.contains { $0.hasPrefix("SCAN s") }, "\(plans)")
    }

    @Test("A page of a large table costs what it shows")
    func manyRows() async throws {
        let store = try Store.inMemory()
        try await store.events.fillForTests(cameras: 8, count: 200_000)
        let page = try await store.events.list(EventFilter(camera: ID(3), medium: .video, kind: .motion, limit: 100))
        #expect(page.count == 100)
        #expect(zip(page, page.dropFirst()).allSatisfy { $0.start > $1.start })
        #expect(try await store.events.list(EventFilter(skip: 150_000, limit: 1000)).count == 1000)
        #expect(try await store.events.count(EventFilter()) == 200_000)
        let all = TimeRange(start: WallTime(microseconds: .min), end: WallTime(microseconds: .max))
        #expect(try await store.events.count(EventFilter(range: all)) == 200_000)
    }

    @Test("A camera with more rows than a transaction takes is emptied, others keep theirs")
    func largeDeletion() async throws {
        let store = try Store.inMemory()
        try await store.events.fillForTests(cameras: 2, count: 9000)
        for start in 0..<2100 { _ = try await store.segments.intend(draft(cameraA, Double(start)), isContinuous: false) }
        let kept = try await store.segments.make(cameraB, 0, 60)
        try await store.cameras.cleanUp(cameraA)
        #expect(try await store.events.totals().map(\.count) == [4500])
        #expect(try await store.segments.garbage(limit: 5000).count == 2100)
        #expect(try await store.segments.get(kept)?.state == .finished)
        #expect(try await store.events.deleteAll() == 4500)
        #expect(try await store.segments.get(kept)?.state == .garbage)
        #expect(try await store.problems().isEmpty)
    }

    @Test("Events change and end; changes are announced")
    func changes() async throws {
        let store = try Store.inMemory()
        var changes = store.changes.subscribe().makeAsyncIterator()
        let event = try await store.events.insert(.draft(cameraA, 10))
        #expect(await changes.next() == .event(event.id))
        let updated = try await store.events.update(event.id) {
            $0.score = 0.5
            $0.thumbnailPath = "1/t.jpg"
            $0.metadata = "{}"
            $0.cameraID = cameraB
        }
        #expect(updated?.score == 0.5 && updated?.cameraID == cameraA)
        try await store.events.end(event.id, at: at(5), bytes: 7)
        let ended = try #require(try await store.events.get(event.id))
        #expect(ended.end == at(10) && ended.bytes == 7)
        #expect(try await store.events.open().isEmpty)
        #expect(try await store.events.owningPicture("1/t.jpg")?.id == event.id)
        #expect(try await store.events.update(ID(99)) { _ in } == nil)
    }

    @Test("Events left open by a crash end with their footage")
    func stale() async throws {
        let store = try Store.inMemory()
        _ = try await store.segments.make(cameraA, 0, 60)
        let motion = try await store.events.insert(.draft(cameraA, 50))
        let lonely = try await store.events.insert(.draft(cameraB, 50))
        let snapshot = try await store.events.insert(.draft(cameraA, 51, medium: .snapshot, kind: .manual))
        #expect(try await store.events.closeStale(at: at(500)) == 2)
        #expect(try await store.events.get(motion.id)?.end == at(60))
        #expect(try await store.events.get(lonely.id)?.end == at(50))
        #expect(try await store.events.get(snapshot.id)?.end == nil)
        #expect(try await store.events.closeStale(at: at(500)) == 0)
    }

    @Test("Deleting an event deletes footage only when nothing else stands for it")
    func deletion() async throws {
        let store = try Store.inMemory()
        // Continuous footage with a motion event inside.
        let first = try await store.segments.make(cameraA, 0, 60, isContinuous: true)
        let continuous = try #require(try await store.events.list(EventFilter(kind: .continuous)).first)
        let motion = try await store.events.insert(.draft(cameraA, 10, 20, picture: nil, thumbnail: "1/m.jpg"))
        var deletion = try await store.events.delete([motion.id, ID(99)])
        #expect(deletion.deleted.map(\.id) == [motion.id] && deletion.missing == [ID(99)] && deletion.garbage.isEmpty)
        #expect(try await store.segments.garbageFiles() == [FootagePlace(.standard, "1/m.jpg")])
        try await store.segments.removeGarbageFiles([FootagePlace(.standard, "1/m.jpg")])
        #expect(try await store.segments.garbageFiles().isEmpty)
        let again = try await store.events.insert(.draft(cameraA, 10))
        deletion = try await store.events.delete([continuous.id])
        #expect(deletion.garbage.isEmpty)
        deletion = try await store.events.delete([again.id])
        #expect(deletion.garbage == [GarbageSegment(id: first, path: "1/main/0.0.mp4")])
        #expect(try await store.segments.covering(cameraA, .main, range(0, 60)).isEmpty)
        // Motion footage shared by two events, and a stream of another camera beside it.
        let shared = try await store.segments.make(cameraA, 100, 160)
        _ = try await store.segments.make(cameraB, 100, 160)
        let early = try await store.events.insert(.draft(cameraA, 100, 120))
        let late = try await store.events.insert(.draft(cameraA, 130, 150))
        #expect(try await store.events.delete([early.id]).garbage.isEmpty)
        #expect(try await store.events.delete([late.id]).garbage.map(\.id) == [shared])
        // Asked to keep it, footage stays.
        let kept = try await store.segments.make(cameraA, 200, 260, isContinuous: true)
        let event = try #require(try await store.events.list(EventFilter(kind: .continuous)).first)
        #expect(try await store.events.delete([event.id], footage: .keep).garbage.isEmpty)
        #expect(try await store.segments.get(kept)?.state == .finished)
    }

    @Test("Deleting all leaves what is still going on")
    func deleteAll() async throws {
        let store = try Store.inMemory()
        let done = try await store.segments.make(cameraA, 0, 60, isContinuous: true)
        let growing = try await store.segments.intend(draft(cameraA, 60), isContinuous: true)
        let open = try await store.segments.begin(growing, end: at(62), bytes: 1, initLength: 1)
        _ = try await store.events.insert(.draft(cameraA, 5, medium: .snapshot, kind: .manual, picture: "1/s.jpg"))
        #expect(try await store.events.deleteAll() == 2)
        #expect(try await store.events.list(EventFilter()).map(\.id) == [open])
        #expect(try await store.segments.garbage().map(\.id) == [done])
        #expect(try await store.segments.get(growing)?.state == .growing)
        #expect(try await store.segments.garbageFiles() == [FootagePlace(.standard, "1/s.jpg")])
        #expect(try await store.segments.totals().map(\.count) == [1])
    }
}

extension EventStore {
    /// Many events in few transactions.
    fileprivate func fillForTests(cameras: Int, count: Int) async throws {
        try await insertMany((0..<count).map { .draft(ID(Int64($0 % cameras + 1)), Double($0), Double($0 + 5), bytes: 1) })
    }
}
