import NVRBase
import NVRCameras
import NVRDetection
import NVRMedia
import NVRModel
import Testing

@Suite("Camera plan")
struct CameraPlanTests {
    private static func camera(_ change: (inout Camera) -> Void = { _ in }) -> Camera {
        var camera = Camera(id: ID(3), createdAt: WallTime(microseconds: 0), name: "door", url: "rtsp://u:p@10.0.0.5/main")
        camera.streams.subURL = "rtsp://u:p@10.0.0.5/sub"
        change(&camera)
        return camera
    }

    private static func plan(_ change: (inout Camera) -> Void = { _ in }) throws -> CameraPlan {
        try #require(CameraPlan(camera(change), maxSegmentSeconds: nil))
    }

    @Test("a camera that is switched off has no plan")
    func inactive() {
        #expect(CameraPlan(Self.camera { $0.general.isActive = false }, maxSegmentSeconds: nil) == nil)
    }

    @Test("the plan has what the settings say")
    func contents() throws {
        let plan = try Self.plan {
            $0.recording.mode = .continuous
            $0.recording.maxLength = 90
            $0.recording.capturedBefore = 4
            $0.recording.capturedAfter = 7
            $0.streams.transport = .udp
        }
        #expect(plan.cameraID == ID(3) && plan.main.url.reveal() == "rtsp://u:p@10.0.0.5/main" && plan.main.transport == .udp)
        #expect(plan.sub?.url.reveal() == "rtsp://u:p@10.0.0.5/sub" && plan.sub?.wantAudio == false && plan.sub?.transport == .tcp)
        // What is always recorded needs nothing from before and after motion: a change of it must not touch the recording.
        #expect(plan.recording.mode == .continuous && plan.recording.segmentSeconds == 90 && plan.recording.before == 0 && plan.recording.after == 0)
        let triggered = try Self.plan {
            $0.recording.mode = .motionTriggered
            $0.recording.capturedBefore = 4
            $0.recording.capturedAfter = 7
        }
        #expect(triggered.recording.mode == .motionTriggered && triggered.recording.before == 4 && triggered.recording.after == 7)
        #expect(!plan.main.wantAudio && plan.needsSub)
        #expect(!"\(plan)".contains("u:p"))
    }

    @Test("segments are never longer than the server allows")
    func segmentCap() {
        #expect(CameraPlan(Self.camera(), maxSegmentSeconds: 10)?.recording.segmentSeconds == 10)
        #expect(CameraPlan(Self.camera { $0.recording.maxLength = 5 }, maxSegmentSeconds: 10)?.recording.segmentSeconds == 5)
    }

    @Test("sound is fetched when it is recorded or played")
    func audio() throws {
        #expect(try Self.plan { $0.recording.audio = true }.main.wantAudio)
        #expect(try Self.plan { $0.streams.enableAudio = true }.main.wantAudio)
        #expect(try Self.plan { $0.streams.audioEnabled = true }.main.wantAudio)
        #expect(try Self.plan { $0.streams.enableAudio = true }.recording.audio == false)
    }

    @Test("an empty sub-stream URL is none, and a sub-stream nobody looks at is not read")
    func sub() throws {
        #expect(try Self.plan { $0.streams.subURL = "" }.sub == nil)
        #expect(try Self.plan { $0.streams.subURL = nil }.needsSub == false)
        #expect(try Self.plan { $0.detection.mode = "Off" }.needsSub == false)
    }

    @Test("motion is looked for by this server's engine, at all hours or in those of the schedule")
    func detection() throws {
        for mode in ["Off", "off", "Never", "disabled", "NONE"] { #expect(try Self.plan { $0.detection.mode = mode }.detection == nil) }
        #expect(try Self.plan { $0.detection.engine = "ONVIF Edge" }.detection == nil)
        #expect(try Self.plan().detection?.threshold == 1500 && Self.plan().detectionHours == nil)
        let scheduled = try Self.plan {
            $0.detection.mode = "Working Schedule"
            $0.schedule.monday.isEnabled = false
        }
        #expect(scheduled.detection != nil && scheduled.detectionHours?.monday.isEnabled == false)
        let masked = try Self.plan { $0.detection.motionMasks = [Mask(points: [.init(x: 0, y: 0), .init(x: 1, y: 0), .init(x: 1, y: 1)])] }
        #expect(masked.detection?.exclusionMasks.first?.count == 3)
    }

    @Test("a change restarts only what it touches")
    func changes() throws {
        let plan = try Self.plan()
        #expect(plan.change(to: plan) == .none)
        let expected: [(CameraPlan.Change, (inout Camera) -> Void)] = [
            (
                .none,
                {
                    $0.general.name = "other"; $0.sortOrder = 9; $0.overlay.left = "x"; $0.recording.preserve = "Forever"
                }
            ),
            (.restart, { $0.streams.url = "rtsp://10.0.0.6/main" }),
            (.restart, { $0.streams.url = "rtsp://u:other@10.0.0.5/main" }),
            (.restart, { $0.streams.transport = .udp }),
            (.restart, { $0.streams.subTransport = .udp }),
            (.restart, { $0.streams.subURL = nil }),
            (.restart, { $0.streams.subURL = "rtsp://10.0.0.5/other" }),
            (.restart, { $0.streams.enableAudio = true }),
            (.restart, { $0.detection.mode = "Off" }),
            (.adjust(recording: true, detection: false), { $0.recording.mode = .continuous }),
            (.adjust(recording: true, detection: false), { $0.recording.mode = .off }),
            (.adjust(recording: true, detection: false), { $0.recording.maxLength = 60 }),
            (.adjust(recording: true, detection: false), { $0.recording.fileName = "%H" }),
            (.adjust(recording: true, detection: false), { $0.recording.capturedAfter = 99 }),
            (.adjust(recording: false, detection: true), { $0.detection.threshold = 9 }),
            (.adjust(recording: false, detection: true), { $0.detection.motionGap = 99 }),
            (.none, { $0.pictures.quality = 9 }),
            (
                .adjust(recording: true, detection: true),
                {
                    $0.recording.capturedBefore = 0; $0.detection.minMotionFrames = 9
                }
            ),
        ]
        for (number, (change, edit)) in expected.enumerated() {
            let other = try Self.plan(edit)
            #expect(plan.change(to: other) == change, "change \(number)")
            #expect(other.change(to: plan) == change, "change \(number) back")
        }
        // Times around motion are nothing to a recording that never ends.
        let continuous = try Self.plan { $0.recording.mode = .continuous }
        #expect(
            continuous.change(
                to: try Self.plan {
                    $0.recording.mode = .continuous; $0.recording.capturedBefore = 1; $0.recording.capturedAfter = 1
                }) == .none)
        // Without detection the sub-stream's absence is no reason, but its settings still are.
        let quiet = try Self.plan { $0.detection.mode = "Off" }
        #expect(
            quiet.change(
                to: try Self.plan {
                    $0.detection.mode = "Off"; $0.recording.mode = .off
                }) == .adjust(recording: true, detection: false))
    }
}

private let defaultSchedule = Camera(id: ID(1), createdAt: WallTime(microseconds: 0)).schedule

@Suite("Schedules")
struct ScheduleTests {
    @Test("a range holds its first and its last minute")
    func sameDay() {
        var schedule = defaultSchedule
        for day in 0..<7 where day != 3 { schedule[day].isEnabled = false }
        schedule[3] = Camera.Schedule.Day(isEnabled: true, start: TimeOfDay(minutes: 8 * 60), end: TimeOfDay(minutes: 17 * 60))
        #expect(!schedule.contains(weekday: 3, minute: 479) && schedule.contains(weekday: 3, minute: 480))
        #expect(schedule.contains(weekday: 3, minute: 1020) && !schedule.contains(weekday: 3, minute: 1021))
        #expect(!schedule.contains(weekday: 2, minute: 600) && !schedule.contains(weekday: 4, minute: 0))
    }

    @Test("a range that ends before it starts reaches into the next day, also over the end of the week")
    func overMidnight() {
        var schedule = defaultSchedule
        for day in 0..<7 where day != 6 { schedule[day].isEnabled = false }
        schedule[6] = Camera.Schedule.Day(isEnabled: true, start: TimeOfDay(minutes: 22 * 60), end: TimeOfDay(minutes: 6 * 60))
        #expect(
            !schedule.contains(weekday: 6, minute: 360) && schedule.contains(weekday: 6, minute: 1320) && schedule.contains(weekday: 6, minute: 1439))
        #expect(schedule.contains(weekday: 0, minute: 0) && schedule.contains(weekday: 0, minute: 360) && !schedule.contains(weekday: 0, minute: 361))
        #expect(!schedule.contains(weekday: 1, minute: 10))
    }

    @Test("the default is always, and weekdays count from Sunday")
    func defaults() {
        var schedule = defaultSchedule
        for day in 0..<7 { for minute in 0..<1440 { #expect(schedule.contains(weekday: day, minute: minute)) } }
        schedule.sunday.isEnabled = false
        #expect(!schedule.contains(weekday: 0, minute: 5) && schedule.contains(weekday: 1, minute: 5))
        #expect(schedule.day(0) == schedule.sunday)
        #expect(schedule.day(1) == schedule.monday)
        #expect(schedule.day(6) == schedule.saturday)
    }

    @Test("random schedules agree with a plain list of minutes")
    func random() {
        var random = SeededGenerator(state: 4)
        for _ in 0..<50 {
            var schedule = defaultSchedule
            var minutes: Set<Int> = []
            for day in 0..<7 {
                let (start, end) = (Int.random(in: 0..<1440, using: &random), Int.random(in: 0..<1440, using: &random))
                let isEnabled = Bool.random(using: &random)
                schedule[day] = Camera.Schedule.Day(isEnabled: isEnabled, start: TimeOfDay(minutes: start), end: TimeOfDay(minutes: end))
                guard isEnabled else { continue }
                for minute in start...(end < start ? end + 1440 : end) { minutes.insert((day * 1440 + minute) % 10_080) }
            }
            for minute in 0..<10_080 where schedule.contains(weekday: minute / 1440, minute: minute % 1440) != minutes.contains(minute) {
                Issue.record("minute \(minute)")
                break
            }
        }
    }
}

extension Camera.Schedule {
    /// The hours of a weekday, 0 = Sunday.
    fileprivate subscript(weekday: Int) -> Day {
        get { day(weekday) }
        set {
            switch weekday {
            case 1: monday = newValue
            case 2: tuesday = newValue
            case 3: wednesday = newValue
            case 4: thursday = newValue
            case 5: friday = newValue
            case 6: saturday = newValue
            default: sunday = newValue
            }
        }
    }
}

extension Camera.Schedule.Day {
    fileprivate init(isEnabled: Bool, start: TimeOfDay, end: TimeOfDay) {
        self = defaultSchedule.monday
        self.isEnabled = isEnabled
        self.start = start
        self.end = end
    }
}

/// A fixed sequence of numbers: failures can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
