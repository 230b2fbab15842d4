// What belongs here: recording while the database refuses rows, as it does on a full disk.
import Foundation
import ISOBMFF
import Logging
import NVRBase
import NVRMedia
import NVRModel
import NVRRecording
import NVRStore
import Synchronization
import Testing

/// A database that refuses what it is told to.
final class RefusingLedger: SegmentLedger {
    struct Orders {
        var intend = false
        var begin = false
        var finish = false
        var discard = false
        /// Chance of any step to be refused.
        var chance = 0.0
        var random = SeededGenerator(state: 1)

        static let all = Orders(intend: true, begin: true, finish: true, discard: true)
    }

    private let store: SegmentStore
    private let orders = Mutex(Orders())
    private let refused = Mutex(0)

    init(_ store: SegmentStore) { self.store = store }

    func refuse(_ orders: Orders) { self.orders.withLock { $0 = orders } }
    var refusals: Int { refused.withLock { $0 } }

    private func check(_ isRefused: (Orders) -> Bool) throws {
        let refuses = orders.withLock { isRefused($0) || $0.chance > 0 && $0.random.chance($0.chance) }
        guard refuses else { return }
        refused.withLock { $0 += 1 }
        throw NVRError(.exhausted, "database or disk is full")
    }

    func intend(_ segment: Segment, isContinuous: Bool) async throws -> ID<Segment> {
        try check { $0.intend }
        return try await store.intend(segment, isContinuous: isContinuous)
    }

    func commit(_ changes: [SegmentChange]) async throws -> [SegmentOutcome] {
        for change in changes {
            try check { orders in
                switch change {
                case .begin: orders.begin
                case .finish: orders.finish
                case .discard: orders.discard
                case .progress: false
                }
            }
        }
        return try await store.commit(changes)
    }
}

@Suite("Recording while the database refuses rows")
struct DatabaseFailureTests {
    private static func rig() throws -> (rig: Rig, ledger: RefusingLedger) {
        let made = Mutex<RefusingLedger?>(nil)
        let rig = try Rig { store in
            let ledger = RefusingLedger(store)
            made.withLock { $0 = ledger }
            return ledger
        }
        return (rig, try #require(made.withLock { $0 }))
    }

    /// Every frame of the listed segments, which must all be finished, whole and without a file too many.
    private static func stored(_ rig: Rig) async throws -> (segments: [Segment], frames: [StoredFrame]) {
        let segments = try await rig.segments()
        #expect(segments.allSatisfy { $0.state == .finished } && segments.map(\.path).sorted() == rig.files())
        #expect(try await rig.store.segments.unfinished().isEmpty)
        let events = try await rig.store.events.list(EventFilter())
        #expect(events.count == segments.count && events.allSatisfy { $0.end != nil && $0.bytes != nil })
        return (segments, try segments.flatMap { try storedFrames(rig.absolute($0.path)).frames })
    }

    @Test("the last row of a segment that was refused is written as soon as anything is taken again")
    func closing() async throws {
        let (rig, ledger) = try Self.rig()
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 4)
        recorder.begin(stream.description)
        for packet in stream.packets(50) { recorder.receive(packet) }
        try await rig.disk.run {}
        ledger.refuse(.all)
        // The segment is full; its last row and the next segment's first are refused.
        for packet in stream.packets(50) { recorder.receive(packet) }
        await rig.writerTurns(recorder)
        let open = try #require(try await rig.segments().first)
        #expect(open.state == .growing && ledger.refusals >= 2 && rig.disk.failure != nil)
        // Meanwhile it plays to its end.
        #expect(rig.disk.growing.current(open).end.microseconds(since: open.start) == 4_000_000)
        ledger.refuse(.init())
        await recorder.finish()
        let (segments, frames) = try await Self.stored(rig)
        #expect(segments.count == 2 && frames.map(\.number) == Array(1...100))
        #expect(rig.disk.failure == nil && rig.disk.growing.extent(of: open.id) == nil)
        // One line for what cannot be written, one for the row, and both are taken back.
        #expect(rig.log.errors == 2 && rig.log.lines.withLock { $0.filter { $0.level == .notice }.count } == 2)
    }

    @Test("a recording that ended while the database refused is finished without any other recording", arguments: [false, true])
    func endedRecording(atStop: Bool) async throws {
        let (rig, ledger) = try Self.rig()
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 60)
        recorder.begin(stream.description)
        for packet in stream.packets(50) { recorder.receive(packet) }
        try await rig.disk.run {}
        ledger.refuse(.init(finish: true))
        await recorder.finish()
        #expect(try await rig.segments().first?.state == .growing)
        ledger.refuse(.init())
        rig.clock.advance(10)
        if atStop {
            await rig.disk.stop()
        } else {
            // Any first row of any camera takes the waiting ones along.
            var other = SyntheticStream()
            try await rig.record(&other, frames: 5, camera: 2)
        }
        let (segments, frames) = try await Self.stored(rig)
        #expect(segments.count == (atStop ? 1 : 2) && frames.count == (atStop ? 50 : 55))
    }

    @Test("a segment whose first row is refused is begun again, with its sound", arguments: [nil, pcmu, aac])
    func beginning(audio: StreamDescription.AudioTrack?) async throws {
        var reference = SyntheticStream(audio: audio)
        let plain = try Rig()
        try await plain.record(&reference, frames: 100, seconds: 4)
        let expected = try await Self.stored(plain).frames
        for orders in [RefusingLedger.Orders(intend: true), .init(begin: true), .init(begin: true, discard: true)] {
            let (rig, ledger) = try Self.rig()
            var stream = SyntheticStream(audio: audio)
            let writer = rig.writer()
            let recorder = rig.recorder(writer, seconds: 4)
            recorder.begin(stream.description)
            for (index, packet) in stream.packets(100).enumerated() {
                if index % 70 == 10 { ledger.refuse(orders) }
                recorder.receive(packet)
                if index % 70 == 60 {
                    await rig.writerTurns(recorder, writer)
                    ledger.refuse(.init())
                    await rig.writerTurns(recorder, writer)
                }
            }
            ledger.refuse(.init())
            await recorder.finish()
            rig.clock.advance(10)
            await rig.disk.stop()
            let frames = try await Self.stored(rig).frames
            #expect(frames == expected && writer.droppedFrames == 0 && ledger.refusals > 0)
        }
    }

    @Test("whatever is refused whenever, no frame and no row is lost", arguments: 0..<12)
    func anything(seed: Int) async throws {
        let (rig, ledger) = try Self.rig()
        ledger.refuse(.init(chance: [0.3, 0.6, 0.9][seed % 3], random: SeededGenerator(state: UInt64(seed))))
        var stream = SyntheticStream(audio: seed % 2 == 0 ? nil : aac)
        let writer = rig.writer()
        let recorder = rig.recorder(writer, seconds: 2)
        recorder.begin(stream.description)
        for round in 0..<20 {
            for packet in stream.packets(20) { recorder.receive(packet) }
            if round % 3 == 0 { await rig.writerTurns(recorder, writer) }
            if round % 7 == 6 {
                recorder.interrupted()
                stream.newRun()
                recorder.begin(stream.description)
            }
        }
        for _ in 0..<30 { await writer.finish() }
        ledger.refuse(.init())
        rig.clock.advance(10)
        await recorder.finish()
        await rig.disk.stop()
        let frames = try await Self.stored(rig).frames
        #expect(writer.droppedFrames == 0 && frames.filter(\.isVideo).count == 400)
        #expect(frames.map(\.number).sorted() == Array(1...stream.number))
    }

    @Test("a segment that was deleted while its last row waited is not made again")
    func deletedMeanwhile() async throws {
        let (rig, ledger) = try Self.rig()
        ledger.refuse(.init(finish: true))
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 50)
        let segment = try #require(try await rig.segments().first)
        _ = try await rig.store.segments.markGarbage([segment.id])
        ledger.refuse(.init())
        rig.clock.advance(10)
        await rig.disk.stop()
        #expect(try await rig.segments().isEmpty)
        #expect(try await rig.store.segments.garbage().map(\.id) == [segment.id])
        #expect(try await rig.store.events.list(EventFilter()).isEmpty)
    }

    @Test("rows wait in order, not too many, and are tried with growing patience")
    func waitingRows() {
        var rows = WaitingRows()
        #expect(rows.isEmpty && !rows.isDue(now: 0) && rows.putBack([], now: 0) == nil)
        for number in 0..<WaitingRows.most { #expect(rows.add(WaitingRows.Entry(.discard(ID(Int64(number))))) == nil) }
        #expect(rows.add(WaitingRows.Entry(.discard(ID(-1))))?.change.id == ID(0))
        #expect(rows.count == WaitingRows.most && rows.isDue(now: 0))
        let all = rows.takeAll()
        #expect(rows.isEmpty && all.map(\.change.id.rawValue) == Array(1..<Int64(WaitingRows.most)) + [-1])
        var now: Int64 = 1_000_000
        var waits: [Int64] = []
        for _ in 0..<6 {
            guard let wait = rows.putBack(all, now: now) else { break }
            waits.append(wait)
            #expect(!rows.isDue(now: now + wait - 1) && rows.isDue(now: now + wait))
            now += wait
            #expect(rows.takeAll().count == all.count)
        }
        #expect(waits == [500_000, 1_000_000, 2_000_000, 4_000_000, 4_000_000, 4_000_000])
        #expect(rows.putBack([], now: now) == nil)
        _ = rows.add(all[0])
        #expect(rows.isDue(now: now) && rows.putBack(rows.takeAll(), now: now) == 500_000)
    }
}

extension Rig {
    /// Lets the disk's thread do what is queued, twice, as its own later turns would.
    func writerTurns(_ recorder: Recorder, _ writer: SegmentWriter? = nil) async {
        // Refused only when the thread has ended.
        try? await disk.run {}
        if let writer { await writer.finish() }
        try? await disk.run {}
    }
}
