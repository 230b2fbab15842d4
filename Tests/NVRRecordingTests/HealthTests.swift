import Foundation
import ISOBMFF
import NVRBase
import NVRModel
import NVRRecording
import NVRStore
import Testing

@Suite("Whether bytes reach the disk")
struct RecordingWatchTests {
    private static let second: Int64 = 1_000_000

    /// Looks every two seconds; `bytes` by second. Gives what was told, by second.
    private static func news(_ watch: inout RecordingWatch, _ seconds: Range<Int64>, expected: Bool = true, bytes: (Int64) -> Int64)
        -> [(Int64, RecordingWatch.News)]
    {
        var all: [(Int64, RecordingWatch.News)] = []
        for at in seconds where at % 2 == 0 {
            if let item = watch.observe(expected: expected, bytes: bytes(at), now: at * second) { all.append((at, item)) }
        }
        return all
    }

    @Test("nothing is told while bytes come, nor in the first half minute")
    func well() {
        var watch = RecordingWatch()
        #expect(Self.news(&watch, 0..<30) { _ in 0 }.isEmpty)
        #expect(Self.news(&watch, 30..<300) { $0 * 1000 }.isEmpty)
    }

    @Test("30 seconds of silence are told once, with their length, and the all-clear after ten seconds of bytes")
    func stalled() {
        var watch = RecordingWatch()
        #expect(Self.news(&watch, 0..<20) { $0 * 1000 }.isEmpty)
        let silent = Self.news(&watch, 20..<200) { _ in 18_000 }
        #expect(silent.count == 1 && silent[0].0 == 48 && silent[0].1 == .stalled(silence: 30 * Self.second))
        let back = Self.news(&watch, 200..<240) { $0 * 1000 }
        #expect(back.count == 1 && back[0].1 == .recovered && back[0].0 == 210)
    }

    @Test("a camera that comes and goes tells of itself less and less")
    func flapping() {
        var watch = RecordingWatch()
        var total: Int64 = 0
        var told = 0
        // Forty seconds of silence, twelve of bytes.
        for at in stride(from: Int64(0), to: 3600, by: 2) {
            if at % 52 >= 40 { total += 1000 }
            if watch.observe(expected: true, bytes: total, now: at * Self.second) != nil { told += 1 }
        }
        #expect(told <= 4, "\(told) messages in an hour")
    }

    @Test("what is not to be recorded is well, and gets its half minute when it is to be")
    func unwanted() {
        var watch = RecordingWatch()
        #expect(Self.news(&watch, 0..<100, expected: false) { _ in 0 }.isEmpty)
        let later = Self.news(&watch, 100..<140) { _ in 0 }
        #expect(later.count == 1 && later[0].0 == 130)
        let off = Self.news(&watch, 140..<144, expected: false) { _ in 0 }
        #expect(off.count == 1 && off[0].1 == .recovered)
    }

    @Test("what was stalled when the program ended gets its all-clear from the next one")
    func restarted() {
        var watch = RecordingWatch(isStalled: true)
        let back = Self.news(&watch, 0..<60) { $0 * 1000 }
        #expect(back.count == 1 && back[0].1 == .recovered)
        var gone = RecordingWatch(isStalled: true)
        #expect(Self.news(&gone, 0..<60) { _ in 0 }.isEmpty && gone.isStalled)
    }
}

@Suite("How much was recorded")
struct RecordedShareTests {
    private static let hour: Int64 = 3_600_000_000
    private static func at(_ hours: Double) -> WallTime { WallTime(microseconds: Int64(hours * 3_600_000_000)) }
    private static let day = TimeRange(start: at(0), end: at(24))

    private static func share(
        _ spans: [(Double, Double)], _ outages: [(Double, Double?, Outage.Cause)] = [], first: Double? = 0, created: Double = 0, now: Double = 24
    ) -> (recorded: Double, missed: Double) {
        let facts = RecordedFacts(
            spans: spans.map { RecordedFacts.Span(id: ID(1), start: at($0.0), end: at($0.1), isGrowing: false) }, first: first.map(at),
            outages: outages.map { Outage(cameraID: ID(1), start: at($0.0), end: $0.1.map(at), cause: $0.2) })
        let share = RecordedShare.of(facts, in: day, since: at(created), ends: [:], now: at(now))
        return (Double(share.recorded) / 3_600_000_000, Double(share.missed) / 3_600_000_000)
    }

    @Test("a whole day is whole, and holes are missing whether or not somebody knows why")
    func holes() {
        #expect(Self.share([(-1, 12), (12, 25)]) == (24, 0))
        #expect(Self.share([(0, 10), (12, 24)]) == (22, 2))
        #expect(Self.share([(0, 10), (12, 24)], [(10, 12, .cameraOffline)]) == (22, 2))
        // Footage within an outage counts more than it does.
        #expect(Self.share([(0, 11), (12, 24)], [(10, 12, .cameraOffline)]) == (23, 1))
    }

    @Test("what nobody wanted does not count, and waiting for motion counts as recorded")
    func meant() {
        #expect(Self.share([(0, 12)], [(12, nil, .notRecording)]) == (12, 0))
        #expect(Self.share([(3, 4)], [(0, nil, .noMotion)]) == (24, 0))
        #expect(Self.share([(3, 4)], [(0, 20, .noMotion), (20, nil, .serverDown)]) == (20, 4))
    }

    @Test("today ends now, a new camera begins with itself, and deleted footage is not held against it")
    func edges() {
        #expect(Self.share([(0, 6)], now: 6) == (6, 0))
        #expect(Self.share([(8, 12)], created: 8, now: 12) == (4, 0))
        #expect(Self.share([(12, 24)], [(2, 3, .diskFull)], first: 12) == (23, 1))
        #expect(Self.share([], [(0, nil, .cameraOffline)], first: nil) == (0, 24))
        #expect(Self.share([(0, 1)], created: 30) == (0, 0))
    }

    @Test("footage that is being written counts up to where its file is")
    func growing() {
        let facts = RecordedFacts(spans: [.init(id: ID(7), start: Self.at(0), end: Self.at(1), isGrowing: true)], first: Self.at(0), outages: [])
        let share = RecordedShare.of(facts, in: Self.day, since: Self.at(0), ends: [ID(7): Self.at(2)], now: Self.at(2))
        #expect(share.recorded == 2 * Self.hour && share.missed == 0)
    }
}

@Suite("What people must hear of")
struct HealthLogTests {
    @Test("what lasts is told once, described anew, cleared, and survives a restart")
    func life() async throws {
        let rig = try Rig()
        let log = HealthLog(store: rig.store, clock: rig.clock, logger: rig.log.logger)
        var news = log.news.subscribe().makeAsyncIterator()
        log.raise(.recordingStalled, of: ID(1), cause: "camera_offline", detail: "unreachable")
        log.raise(.recordingStalled, of: ID(1), cause: "camera_offline", detail: "unreachable")
        log.raise(.recordingStalled, of: ID(1), cause: "disk_full", detail: "the disk is full")
        await log.write()
        let first = await news.next()
        #expect(first?.event.cameraID == ID(1) && first?.isAllClear == false)
        let stored = try await rig.store.health.list(before: nil, onlyOpen: true, camera: nil, limit: 10)
        #expect(stored.count == 1 && stored[0].cause == "disk_full" && stored[0].end == nil)
        let next = HealthLog(store: rig.store, clock: rig.clock, logger: rig.log.logger)
        await next.begin()
        #expect(next.isOpen(.recordingStalled, of: ID(1)) && !next.isOpen(.recordingStalled, of: ID(2)))
        next.clear(.recordingStalled, of: ID(1))
        next.clear(.recordingStalled, of: ID(1))
        next.note(.databaseRestored, cause: nil, detail: "x")
        await next.write()
        let all = try await rig.store.health.list(before: nil, onlyOpen: false, camera: nil, limit: 10)
        #expect(all.count == 2 && all.allSatisfy { $0.end != nil } && next.open.isEmpty)
        #expect(try await rig.store.health.list(before: all[0].id, onlyOpen: false, camera: nil, limit: 10) == [all[1]])
        #expect(try await rig.store.health.list(before: nil, onlyOpen: false, camera: ID(1), limit: 10).count == 1)
    }

    @Test("cameras that are gone ail no more")
    func forgotten() async throws {
        let rig = try Rig()
        let log = HealthLog(store: rig.store, clock: rig.clock, logger: rig.log.logger)
        log.raise(.recordingStalled, of: ID(1), cause: nil, detail: nil)
        log.raise(.databaseDamaged, cause: nil, detail: nil)
        log.forget(allBut: [ID(2)])
        #expect(log.open.map(\.kind) == [.databaseDamaged])
    }
}

@Suite("Drift between rows and files", .serialized)
struct DriftTests {
    private static func recorded(_ frames: Int = 750) async throws -> Rig {
        let rig = try Rig()
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: frames, seconds: 5)
        return rig
    }

    private static func options(_ change: (inout IntegrityCheck.Options) -> Void) -> IntegrityCheck.Options {
        var options = IntegrityCheck.Options()
        change(&options)
        return options
    }

    @Test("every finished segment has the checksum of its file, and an altered byte is found")
    func checksums() async throws {
        let rig = try await Self.recorded()
        let rows = try await rig.store.segments.pageToCheck(after: nil)
        #expect(rows.count == 10)
        for row in rows { #expect(try row.checksum == FileChecksum.of(rig.absolute(row.entry.path))) }
        let path = rig.absolute(rows[3].entry.path)
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try handle.seek(toOffset: UInt64(rows[3].entry.bytes / 2))
        let byte = try #require(try handle.read(upToCount: 1)?.first)
        try handle.seek(toOffset: UInt64(rows[3].entry.bytes / 2))
        try handle.write(contentsOf: Data([byte ^ 0x10]))
        try handle.close()
        let check = IntegrityCheck(layout: rig.layout, store: rig.store)
        let deep = try await check.run(
            Self.options {
                $0.readsAll = true; $0.repairs = true
            }
        ) { _, _ in }
        #expect(deep.problems == [.alteredFile(path: rows[3].entry.path)] && deep.repaired == 0)
        #expect(rig.files().count == 10)
        #expect(try await check.run(repairs: false) { _ in }.problems.isEmpty)
    }

    @Test("more than half of the rows are removed only by force")
    func half() async throws {
        let rig = try await Self.recorded()
        for segment in try await rig.segments().prefix(6) { try FileManager.default.removeItem(atPath: rig.absolute(segment.path)) }
        let check = IntegrityCheck(layout: rig.layout, store: rig.store)
        let refused = try await check.run(repairs: true) { _ in }
        #expect(refused.problems.count == 6 && refused.repaired == 0 && refused.refusal != nil)
        #expect(try await rig.segments().count == 10)
        let forced = try await check.run(
            Self.options {
                $0.repairs = true; $0.isForced = true
            }
        ) { _, _ in }
        #expect(forced.repaired == 6 && forced.refusal == nil)
        #expect(try await rig.segments().count == 4)
    }

    @Test("a recording folder that is not there costs no row")
    func gone() async throws {
        let rig = try await Self.recorded()
        try FileManager.default.moveItem(atPath: rig.layout.root, toPath: rig.layout.root + ".away")
        let report = try await IntegrityCheck(layout: rig.layout, store: rig.store).run(repairs: true) { _ in }
        #expect(report.refusal != nil && report.repaired == 0)
        #expect(try await rig.segments().count == 10)
    }

    @Test("a row that tells another camera or time than its file is made anew from the file")
    func wrongRow() async throws {
        let rig = try await Self.recorded(150)
        let before = try await rig.segments()
        // Two rows whose files are swapped.
        let (one, two) = (rig.absolute(before[0].path), rig.absolute(before[1].path))
        try FileManager.default.moveItem(atPath: one, toPath: one + ".x")
        try FileManager.default.moveItem(atPath: two, toPath: one)
        try FileManager.default.moveItem(atPath: one + ".x", toPath: two)
        let check = IntegrityCheck(layout: rig.layout, store: rig.store)
        _ = try await check.run(
            Self.options {
                $0.readsAll = true; $0.repairs = true
            }
        ) { _, _ in }
        _ = try await check.run(
            Self.options {
                $0.readsAll = true; $0.repairs = true
            }
        ) { _, _ in }
        for segment in try await rig.segments() {
            let scan = try StartupRecovery.scan(rig.absolute(segment.path), rig.layout.cipher)
            #expect(scan.file.completeLength == segment.bytes)
        }
        #expect(try await rig.segments().count == 2 && rig.files().count == 2)
    }

    @Test("a check goes on where it was broken off, and adopting removes nothing")
    func resumed() async throws {
        let rig = try await Self.recorded()
        let segments = try await rig.segments()
        for segment in segments.prefix(2) { try FileManager.default.removeItem(atPath: rig.absolute(segment.path)) }
        let check = IntegrityCheck(layout: rig.layout, store: rig.store)
        let report = try await check.run(
            Self.options {
                $0.adopts = true; $0.after = segments[0].id
            }
        ) { _, _ in }
        #expect(report.segments == 9 && report.problems == [.missingFile(path: segments[1].path)] && report.repaired == 0)
        #expect(try await rig.segments().count == 10)
    }
}
