import Logging
import NVRBase
import NVRCameras
import NVRModel
import NVRRecording
import NVRStore
import Synchronization
import Testing

@Suite("Outages")
struct OutageTests {
    private static let camera = ID<Camera>(1)
    private static func at(_ seconds: Double) -> WallTime { WallTime(microseconds: 1_795_000_000_000_000 + Int64(seconds * 1e6)) }

    /// Rows as the changes of a tracker leave them.
    private struct Book {
        var tracker = OutageTracker(cameraID: OutageTests.camera)
        var rows: [WallTime: Outage] = [:]
        var writes = 0

        mutating func take(_ changes: [OutageChange]) {
            writes += changes.count
            for change in changes {
                switch change {
                case .put(let outage): rows[outage.start] = outage
                case .remove(_, let start): rows[start] = nil
                }
            }
        }

        mutating func see(_ verdict: RecordingVerdict, _ time: Double, now: Double? = nil) {
            take(tracker.observe(verdict, at: OutageTests.at(time), now: OutageTests.at(now ?? time)))
        }

        var told: [String] {
            rows.values.sorted { $0.start < $1.start }.map { row in
                func text(_ time: WallTime) -> String { "\(Int(time.microseconds(since: OutageTests.at(0)) / 1_000_000))" }
                return "\(text(row.start))-\(row.end.map(text) ?? "") \(row.cause.name)"
            }
        }
    }

    private static let offline = RecordingVerdict.missing(.cameraOffline, reason: "unreachable: no video for 10 s")

    @Test("What a camera does follows from its connection, its settings and the disk")
    func verdicts() {
        func verdict(_ status: CameraStatus, _ mode: RecordingMode = .continuous, _ trouble: (isFull: Bool, reason: String)? = nil)
            -> RecordingVerdict
        {
            RecordingVerdict(status: status, reason: "why", mode: mode, trouble: trouble)
        }
        #expect(verdict(.connected) == .recording)
        #expect(verdict(.connected, .motionTriggered) == .missing(.noMotion, reason: nil))
        #expect(verdict(.starting) == .unclear)
        #expect(verdict(.unreachable) == .missing(.cameraOffline, reason: "unreachable: why"))
        #expect(verdict(.unauthorized, .motionTriggered) == .missing(.cameraOffline, reason: "unauthorized: why"))
        #expect(verdict(.starting, .off) == .missing(.notRecording, reason: "recording is switched off"))
        #expect(verdict(.disabled) == .missing(.notRecording, reason: "the camera is switched off"))
        #expect(verdict(.connected, .continuous, (true, "full")) == .missing(.diskFull, reason: "full"))
        #expect(verdict(.connected, .motionTriggered, (false, "slow")) == .missing(.diskStalled, reason: "slow"))
    }

    @Test("An outage begins with the last frame and ends with the first; nothing is written while nothing changes")
    func simple() {
        var book = Book()
        book.see(.recording, 0)
        book.see(Self.offline, 90, now: 100)
        book.see(Self.offline, 90, now: 120)
        book.see(.unclear, 130)
        book.see(.recording, 200)
        book.see(.recording, 210)
        #expect(book.told == ["90-200 camera_offline"] && book.writes == 2)
        book.see(.missing(.notRecording, reason: nil), 300)
        book.see(.missing(.noMotion, reason: nil), 400)
        #expect(book.told == ["90-200 camera_offline", "300-400 not_recording", "400- no_motion"])
        // Reasons of one kind are not worth a write.
        book.see(Self.offline, 500)
        let writes = book.writes
        book.see(.missing(.cameraOffline, reason: "unreachable: connection refused"), 510)
        #expect(book.writes == writes)
        book.see(.missing(.cameraOffline, reason: "unauthorized: 401"), 520)
        #expect(book.writes == writes + 1 && book.tracker.current?.reason == "unauthorized: 401")
    }

    @Test("A camera that comes and goes makes one row, not thousands", arguments: [RecordingVerdict.recording, .missing(.noMotion, reason: nil)])
    func flapping(between: RecordingVerdict) {
        var book = Book()
        book.see(between, 0)
        for round in 0..<1000 {
            let time = 100 + Double(round) * 25
            book.see(Self.offline, time)
            book.see(between, time + 15)
        }
        #expect(book.rows.values.count { $0.cause == .cameraOffline } == 1)
        #expect(book.rows.count <= 3)
        book.see(Self.offline, 40_000)
        #expect(book.rows.values.count { $0.cause == .cameraOffline } == 2)
        // What somebody did is told, also between two outages of one cause.
        var meant = Book()
        meant.see(.missing(.noMotion, reason: nil), 0)
        meant.see(.missing(.serverDown, reason: nil), 100)
        meant.see(.missing(.noMotion, reason: nil), 105)
        #expect(meant.told == ["0-100 no_motion", "100-105 server_down", "105- no_motion"])
        // Hardly noticed is not at all.
        book.see(.recording, 40_000.9)
        #expect(book.rows.values.count { $0.cause == .cameraOffline } == 1)
    }

    @Test("Rows follow each other, whatever times are named; a clock that is set back does not stop them")
    func clockSteps() {
        var book = Book()
        book.see(Self.offline, 100)
        book.see(.recording, 200)
        // The last frame is older than what was noted already.
        book.see(.missing(.diskFull, reason: nil), 150, now: 260)
        #expect(book.told == ["100-200 camera_offline", "200- disk_full"])
        book.see(.recording, -7000)
        book.see(Self.offline, -6000)
        book.see(.recording, -5000)
        #expect(book.told == ["-6000--5000 camera_offline", "100-200 camera_offline"])
        // Nothing lies in the future.
        book.see(Self.offline, 9000, now: -4000)
        #expect(book.told.contains("-4000- camera_offline"))
    }

    @Test("After a start the server was down since it was last seen; what was not to be recorded stays so")
    func starts() {
        func told(_ row: Outage?, footage: Double?, sign: Double?) -> [String] {
            var book = Book()
            if let row { book.rows[row.start] = row }
            book.tracker = OutageTracker(cameraID: Self.camera, rows: row.map { [$0] } ?? [])
            book.take(
                book.tracker.serverStarted(footageEnd: footage.map { Self.at($0) }, lastSign: sign.map { Self.at($0) }, now: Self.at(1000)))
            return book.told
        }
        func open(_ cause: Outage.Cause) -> Outage { Outage(cameraID: Self.camera, start: Self.at(100), cause: cause) }
        #expect(told(nil, footage: nil, sign: 900) == [])
        #expect(told(nil, footage: 700, sign: nil) == ["700- server_down"])
        #expect(told(nil, footage: 700, sign: 690) == ["700- server_down"])
        // What came between the two was in memory, unless it is so long ago that it can only have been deleted.
        #expect(told(nil, footage: 700, sign: 740) == ["700- server_down"])
        #expect(told(nil, footage: 600, sign: 740) == ["740- server_down"])
        #expect(told(open(.cameraOffline), footage: 90, sign: 740) == ["100-740 camera_offline", "740- server_down"])
        #expect(told(open(.noMotion), footage: 800, sign: 740) == ["100-800 no_motion", "800- server_down"])
        #expect(told(open(.notRecording), footage: 90, sign: 740) == ["100- not_recording"])
        // It was stopped as one should.
        #expect(told(open(.serverDown), footage: 99, sign: 110) == ["100- server_down"])
        // Signs of the future are none.
        #expect(told(open(.cameraOffline), footage: 90, sign: 5000) == ["100-1000 camera_offline", "1000- server_down"])
    }

    @Test("However short a stop or a loss of the camera is, each gap that the timeline shows has its cause", arguments: UInt64(0)..<400)
    func everyGapHasACause(seed: UInt64) {
        var random = Dice(state: seed)
        var book = Book()
        var spans: [TimeRange] = []
        var time = 0.0
        for _ in 0..<12 {
            // Footage begins with the keyframe that is the first frame of a connection, and ends with the last frame.
            book.see(.recording, time + .random(in: 0...0.05, using: &random))
            let end = time + .random(in: 3...90, using: &random)
            spans.append(TimeRange(start: Self.at(time), end: Self.at(end)))
            let gap = Double.random(in: 0.3...5, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                // SIGTERM: the last frames come a moment before cameras end, and the outage is noted last of all.
                book.see(.missing(.serverDown, reason: nil), end + .random(in: 0...(gap * 0.9), using: &random))
                restart(&book, footage: end, sign: end - .random(in: 0...60, using: &random), now: end + gap * 0.95)
            case 1: restart(&book, footage: end, sign: end - .random(in: -0.2...60, using: &random), now: end + gap * 0.95)
            default: book.see(Self.offline, end - 0.07, now: end + gap / 2)
            }
            time = end + gap
        }
        book.see(.recording, time)
        spans.append(TimeRange(start: Self.at(time), end: Self.at(time + 9)))
        let range = TimeRange(start: Self.at(0), end: Self.at(time + 9))
        let gaps = TimelineGaps(range: range, now: range.end).holes(
            spans, book.rows.values.sorted { $0.start < $1.start }, first: spans.first?.start)
        let unknown = gaps.filter { $0.cause == .unknown }.map { $0.end.microseconds(since: $0.start) }
        #expect(unknown.isEmpty, "\(book.told)")
    }

    /// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    private struct Dice: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    /// As the database has the rows at the next start.
    private func restart(_ book: inout Book, footage: Double, sign: Double, now: Double) {
        book.tracker = OutageTracker(cameraID: Self.camera, rows: Array(book.rows.values.sorted { $0.start < $1.start }.suffix(4)))
        book.take(book.tracker.serverStarted(footageEnd: Self.at(footage), lastSign: Self.at(sign), now: Self.at(now)))
    }

    @Test("A stop of two seconds that is noted at its end only is a gap with its cause")
    func quickRestart() {
        var book = Book()
        book.see(.recording, 0)
        // The camera took a second to end; the server is back at once.
        book.see(.missing(.serverDown, reason: nil), 101)
        restart(&book, footage: 100, sign: 60, now: 102.4)
        book.see(.unclear, 102.5)
        book.see(.recording, 102.9)
        #expect(book.told == ["101-102 server_down"])
        let range = TimeRange(start: Self.at(90), end: Self.at(110))
        let spans = [TimeRange(start: Self.at(0), end: Self.at(100)), TimeRange(start: Self.at(103), end: Self.at(110))]
        let gaps = TimelineGaps(range: range, now: range.end).holes(spans, Array(book.rows.values), first: Self.at(0))
        #expect(gaps == [TimelineGap(start: Self.at(100), end: Self.at(103), cause: .serverDown)])
    }

    private struct Clock: NVRClock {
        func monotonic() -> Int64 { 0 }
        func wall() -> Int64 { OutageTests.at(1000).microseconds }
    }

    @Test("The log brings outages into the database, also those of the last run, and of no camera that is gone")
    func log() async throws {
        let store = try Store.inMemory()
        let camera = try await store.cameras.insert(Camera(id: ID(0), createdAt: Self.at(0), name: "A", url: "rtsp://10.0.0.9/a")).id
        try await store.outages.apply([.put(Outage(cameraID: camera, start: Self.at(100), cause: .cameraOffline))])
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let log = OutageLog(store: store, clock: Clock(), logger: logger)
        await log.begin(lastSign: Self.at(600))
        log.note(.recording, of: camera)
        log.note(Self.offline, of: ID(99))
        log.finish()
        await log.run()
        let rows = try await store.outages.newest(camera, limit: 9)
        #expect(rows.map(\.cause) == [.cameraOffline, .serverDown] && rows.map(\.end) == [Self.at(600), Self.at(1000)])
        #expect(try await store.outages.newest(ID(99), limit: 9).isEmpty && log.waiting == 0)
    }
}
