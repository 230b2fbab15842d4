import ISOBMFF
import NVRModel
import NVROffsite
import Testing

@Suite("Pieces of segments that go to a bucket")
struct PiecePlanTests {
    /// Fragments of a second and 100 bytes behind a head of 50; `keys`: those that begin with a key frame.
    private func entries(_ count: Int, keys: (Int) -> Bool = { _ in true }) -> [FragmentIndexEntry] {
        (0..<count).map {
            FragmentIndexEntry(offset: 50 + Int64($0) * 100, size: 100, start: Int64($0) * 1000, duration: 1000, startsWithKeyframe: keys($0))
        }
    }

    private func next(
        _ entries: [FragmentIndexEntry], wanted: Range<Int64> = 0..<1_000_000, done: [Range<Int64>] = [], isGrowing: Bool = false,
        isFirst: Bool = false, most: Int64 = 1 << 20
    ) -> Range<Int>? {
        PiecePlan(
            entries: entries, wanted: wanted, done: done, isGrowing: isGrowing, isFirst: isFirst,
            limits: PiecePlan.Limits(mostBytes: most, leastTicks: 10_000, hurryTicks: 3000)
        ).next()
    }

    @Test("A finished segment goes whole, and then nothing of it is left to do")
    func finished() {
        #expect(next(entries(20)) == 0..<20)
        #expect(next(entries(20), done: [50..<2050]) == nil)
        #expect(next([]) == nil)
    }

    @Test("Only what is wanted goes, from the key frame before it on")
    func wanted() {
        let groups = entries(20) { $0 % 4 == 0 }
        #expect(next(groups, wanted: 6500..<9500) == 4..<10)
        #expect(next(groups, wanted: -9000 ..< -1) == nil)
        #expect(next(groups, wanted: -9000..<500) == 0..<1)
        #expect(next(groups, wanted: 90_000..<99_000) == 16..<20)
    }

    @Test("The first piece of an event goes at once, later ones of a growing segment when they are worth it")
    func growing() {
        #expect(next(entries(3), isGrowing: true, isFirst: true) == 0..<2)
        #expect(next(entries(1), isGrowing: true, isFirst: true) == nil)
        #expect(next(entries(8), done: [50..<250], isGrowing: true) == nil)
        #expect(next(entries(13), done: [50..<250], isGrowing: true) == 2..<12)
        // The event ended: what is wanted is all there.
        #expect(next(entries(8), wanted: 0..<5500, done: [50..<250], isGrowing: true) == 2..<6)
    }

    @Test("With few key frames, the beginning of an event goes before the second one, and is replaced by the whole group")
    func longGroups() {
        let groups = entries(4) { $0 % 30 == 0 }
        #expect(next(Array(groups.prefix(2)), isGrowing: true, isFirst: true) == nil)
        #expect(next(groups, isGrowing: true, isFirst: true) == 0..<4)
        let more = entries(31) { $0 % 30 == 0 }
        #expect(next(Array(more.prefix(29)), done: [50..<450], isGrowing: true) == nil)
        #expect(next(more, done: [50..<450], isGrowing: true) == 0..<30)
        #expect(next(Array(more.prefix(29)), done: [50..<450]) == 0..<29)
    }

    @Test("Pieces end at a key frame when they get large, and where another piece begins")
    func bounds() {
        let groups = entries(20) { $0 % 4 == 0 }
        #expect(next(groups, most: 900) == 0..<8)
        #expect(next(groups, most: 10) == 0..<4)
        #expect(next(groups, done: [850..<1250]) == 0..<8)
        #expect(next(groups, done: [50..<850, 850..<1250]) == 12..<20)
    }

    @Test("Sound behind the last picture makes no piece")
    func sound() {
        var all = entries(3)
        all.append(FragmentIndexEntry(offset: 350, size: 20, start: 3000, duration: 0, startsWithKeyframe: false))
        #expect(next(all, done: [50..<350]) == nil)
        #expect(next(all) == 0..<4)
    }

    @Test("Whatever grows however, all that is wanted is covered by pieces that begin with key frames")
    func covering() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let count = Int.random(in: 1...60, using: &generator)
            let every = Int.random(in: 1...12, using: &generator)
            let all = entries(count) { $0 % every == 0 }
            let wanted = Int64.random(in: -2000...40_000, using: &generator)..<Int64.random(in: 40_001...70_000, using: &generator)
            var done: [Int64: Int64] = [:]
            for visible in 1...count {
                let seen = Array(all.prefix(visible))
                var rounds = 0
                while let piece = next(
                    seen, wanted: wanted, done: done.map { $0..<$1 }, isGrowing: visible < count, isFirst: done.isEmpty, most: 700)
                {
                    #expect(seen[piece.lowerBound].startsWithKeyframe)
                    done[seen[piece.lowerBound].offset] = seen[piece.upperBound - 1].end
                    rounds += 1
                    guard rounds < 100 else { Issue.record("it never ends"); return }
                }
            }
            for entry in all where entry.endTime > wanted.lowerBound && entry.start < wanted.upperBound {
                #expect(done.contains { $0 <= entry.offset && entry.end <= $1 })
            }
        }
    }
}

@Suite("Names and documents of copies")
struct ObjectNameTests {
    private let time = WallTime(iso8601: "2026-11-28T16:12:47.123456Z") ?? WallTime(microseconds: 0)

    @Test("Keys hold camera, day and time in UTC, and only harmless letters")
    func keys() {
        let folder = ObjectNames.folder(prefix: "nvr/home", camera: ID(3), name: "Front door / Straße ../x")
        #expect(folder == "nvr/home/3-Front-door-Stra-e-..-x")
        #expect(ObjectNames.folder(prefix: "", camera: ID(3), name: "../..") == "3")
        #expect(ObjectNames.folder(prefix: "", camera: ID(3), name: String(repeating: "a", count: 99)).utf8.count == 50)
        #expect(ObjectNames.piece(folder: "3-x", segment: ID(17), start: time) == "3-x/2026/11/28/20261128T161247.123Z-s17.mp4")
        #expect(
            ObjectNames.event(folder: "3-x", event: ID(12), start: WallTime(microseconds: 0)) == "3-x/1970/01/01/19700101T000000.000Z-event-12.json")
        #expect(ObjectNames.piece(folder: "f", segment: ID(1), start: WallTime(microseconds: -1)).contains("1969/12/31/19691231T235959.999Z"))
    }

    @Test("The document tells the event and its objects")
    func document() {
        var event = Event(id: ID(12), cameraID: ID(3), medium: .video, kind: .motion, start: time)
        event.score = 0.5
        let piece = OffsitePiece(
            segmentID: ID(17), cameraID: ID(3), offset: 50, endOffset: 150, range: TimeRange(start: time, end: time), key: "k", bytes: 150)
        let json = EventDocument.json(event, cameraName: "Front", pieces: [piece], isComplete: false, at: time)
        #expect(json["end"] == .null && json["complete"] == false && json["kind"] == "motion" && json["camera_name"] == "Front")
        #expect(json["segments"]?.array?.first?["key"] == "k" && json["segments"]?.array?.first?["bytes"] == 150)
    }
}
