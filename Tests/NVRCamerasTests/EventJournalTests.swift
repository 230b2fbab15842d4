// What belongs here: what becomes of events and pictures that the database or the disk refuses for a while.
import Logging
import NVRBase
import NVRCameras
import NVRMedia
import NVRModel
import Synchronization
import Testing

private func picture(_ number: Int) -> Picture {
    Picture(jpeg: [UInt8(truncatingIfNeeded: number)], width: 4, height: 3, time: time(Double(number)))
}

private func time(_ seconds: Double) -> WallTime { WallTime(microseconds: 1_700_000_000_000_000 + Int64(seconds * 1e6)) }

private func motion(at seconds: Double) -> Event {
    Event(id: ID(0), cameraID: ID(1), medium: .video, kind: .motion, start: time(seconds), width: 640, height: 360)
}

private struct FixedClock: NVRClock {
    func monotonic() -> Int64 { 0 }
    func wall() -> Int64 { 0 }
}

/// Events in memory; refuses what it is told to.
private final class MemoryLedger: EventLedger {
    struct Refused: OptionSet {
        let rawValue: Int
        static let inserts = Self(rawValue: 1)
        static let pictures = Self(rawValue: 2)
        static let ends = Self(rawValue: 4)
        static let all = Self(rawValue: 7)
    }

    struct State {
        var events: [Event] = []
        var thumbnails: [ID<Event>: Picture] = [:]
        var files = 0
        var refused: Refused = []
        var tries = 0
    }

    let state = Mutex(State())

    func refuse(_ refused: Refused) { state.withLock { $0.refused = refused } }
    var events: [Event] { state.withLock { $0.events } }

    private func check(_ kind: Refused, _ body: (inout State) -> Void) throws {
        try state.withLock { state in
            state.tries += 1
            guard state.refused.isDisjoint(with: kind) else { throw NVRError(.exhausted, "database or disk is full") }
            body(&state)
        }
    }

    private func add(_ event: Event, _ state: inout State) -> ID<Event> {
        var event = event
        event.id = ID(Int64(state.events.count + 1))
        state.events.append(event)
        return event.id
    }

    func insert(_ event: Event) async throws -> ID<Event> {
        var id = ID<Event>(0)
        try check(.inserts) { id = add(event, &$0) }
        return id
    }

    func enter(thumbnail: Picture, of event: Event, fileName: String) async throws {
        try check(.pictures) { state in
            state.thumbnails[event.id] = thumbnail
            state.files += 1
            for index in state.events.indices where state.events[index].id == event.id {
                state.events[index].thumbnailPath = fileName
                state.events[index].score = event.score
            }
        }
    }

    func enterEnd(of event: Event) async throws {
        try check(.ends) { state in
            for index in state.events.indices where state.events[index].id == event.id { state.events[index].end = event.end }
        }
    }

    func store(snapshot: Picture, fileName: String, volume: VolumeID) async throws -> FootagePlace {
        try check(.pictures) { $0.files += 1 }
        return FootagePlace(volume, fileName)
    }

    func insert(snapshot: Picture, at place: FootagePlace) async throws {
        try check(.inserts) { state in
            _ = add(
                Event(
                    id: ID(0), cameraID: ID(1), medium: .snapshot, kind: .motion, start: snapshot.time, picturePath: place.path,
                    volume: place.volume), &state)
        }
    }
}

@Suite("Events on their way into the database")
struct EventJournalTests {
    private let ledger: MemoryLedger
    private let journal: EventJournal

    init() {
        ledger = MemoryLedger()
        journal = EventJournal(ledger: ledger, clock: FixedClock(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// One event with two pictures; `write` after each piece of news.
    private func event(at seconds: Double, write: Bool = true) async {
        let news: [@Sendable (inout PendingEvents) -> Void] = [
            { $0.began(motion(at: seconds), fileName: "film") },
            { $0.best(picture(Int(seconds) + 1), score: 0.25, metadata: "{}") },
            { $0.best(picture(Int(seconds) + 2), score: 0.5, metadata: "{}") },
            { $0.ended(at: time(seconds + 5)) },
        ]
        for item in news {
            journal.note(item)
            if write { await journal.write() }
        }
    }

    @Test("an event is inserted when it begins, gets its first picture at once, and the best one and its end when it ends")
    func usual() async {
        journal.note { $0.began(motion(at: 0), fileName: "film") }
        await journal.write()
        #expect(ledger.events.count == 1 && ledger.events[0].end == nil && ledger.events[0].thumbnailPath == nil)
        for number in 1...3 {
            journal.note { $0.best(picture(number), score: Double(number) / 10, metadata: "{}") }
            await journal.write()
            #expect(ledger.state.withLock { $0.thumbnails[ID(1)]?.time } == time(1))
        }
        journal.note { $0.ended(at: time(9)) }
        await journal.write()
        #expect(ledger.events[0].end == time(9) && ledger.events[0].score == 0.3)
        #expect(ledger.state.withLock { ($0.thumbnails[ID(1)]?.time, $0.files, $0.tries) } == (time(3), 2, 4))
        #expect(journal.waiting == 0)
    }

    @Test("what is refused is written once it is taken, with the times it had, in the order in which it happened", arguments: 1...7)
    func refused(kinds: Int) async {
        ledger.refuse(.init(rawValue: kinds))
        for number in 0..<4 { await event(at: Double(number) * 100) }
        journal.note { $0.took(picture(50), fileName: "shot") }
        await journal.write()
        #expect(journal.waiting > 0)
        ledger.refuse([])
        await journal.write()
        let motions = ledger.events.filter { $0.medium == .video }
        #expect(motions.map(\.start) == [0, 100, 200, 300].map { time($0) })
        #expect(motions.map(\.end) == [5, 105, 205, 305].map { time($0) })
        #expect(motions.allSatisfy { $0.score == 0.5 && $0.thumbnailPath == "film" && ledger.state.withLock { $0.thumbnails.count } == 4 })
        for motion in motions {
            #expect(ledger.state.withLock { $0.thumbnails[motion.id]?.time } == motion.start.advanced(byMicroseconds: 2_000_000))
        }
        #expect(ledger.events.filter { $0.medium == .snapshot }.map(\.picturePath) == ["shot"])
        #expect(journal.waiting == 0)
        let tries = ledger.state.withLock { $0.tries }
        await journal.write()
        #expect(ledger.state.withLock { $0.tries } == tries)
    }

    @Test("a thumbnail that cannot be stored does not keep the event from ending")
    func thumbnailRefused() async {
        ledger.refuse(.pictures)
        await event(at: 0)
        #expect(ledger.events.first?.end == time(5) && ledger.events.first?.thumbnailPath == nil && journal.waiting == 1)
        ledger.refuse([])
        await journal.write()
        #expect(ledger.events.first?.thumbnailPath == "film" && journal.waiting == 0)
    }

    @Test("a snapshot whose row is refused is stored once")
    func snapshotRow() async {
        ledger.refuse(.inserts)
        journal.note { $0.took(picture(1), fileName: "shot") }
        for _ in 0..<5 { await journal.write() }
        ledger.refuse([])
        await journal.write()
        #expect(ledger.state.withLock { $0.files } == 1 && ledger.events.count == 1 && journal.waiting == 0)
    }

    @Test("an event begins while the last one has not ended: that one ends there")
    func overlapping() async {
        journal.note { $0.began(motion(at: 0), fileName: "a") }
        journal.note { $0.began(motion(at: 7), fileName: "a") }
        journal.note { $0.ended(at: time(9)) }
        journal.note { $0.ended(at: time(20)) }
        journal.note { $0.best(picture(9), score: 1, metadata: "") }
        await journal.write()
        #expect(ledger.events.map(\.end) == [time(7), time(9)] && ledger.events.allSatisfy { $0.thumbnailPath == nil })
    }

    @Test("what waits is bounded: old pictures go first, then the oldest events, counted")
    func bounds() {
        var pending = PendingEvents()
        let count = PendingEvents.mostEvents + 50
        for number in 0..<count {
            pending.began(motion(at: Double(number)), fileName: "a")
            pending.best(picture(number), score: 0.1, metadata: "")
        }
        #expect(pending.count == PendingEvents.mostEvents && pending.lost == 50)
        for number in pending.numbers { pending.inserted(number, as: ID(Int64(number))) }
        #expect(pending.numbers.filter { pending.step(.thumbnail, of: $0) != nil }.count == PendingEvents.mostPictures)
        for _ in 0..<PendingEvents.mostPictures + 3 { pending.took(picture(1), fileName: "b") }
        #expect(pending.lost == 53)
        #expect(pending.step(.end, of: -1) == nil && pending.step(.snapshot, of: -1) == nil)
        pending.inserted(-1, as: ID(1))
        pending.stored(-1, at: FootagePlace(.standard, "x"))
    }

    @Test("nothing is left behind when the camera ends, and what is refused to the last is given up")
    func ending() async {
        let running = Task { await journal.run() }
        await event(at: 0, write: false)
        journal.finish()
        await running.value
        #expect(ledger.events.first?.end == time(5) && journal.waiting == 0)

        let second = EventJournal(ledger: ledger, clock: FixedClock(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        ledger.refuse(.all)
        second.note { $0.began(motion(at: 50), fileName: "film") }
        second.finish()
        await second.run()
        #expect(second.waiting == 1 && ledger.events.count == 1)
    }
}
