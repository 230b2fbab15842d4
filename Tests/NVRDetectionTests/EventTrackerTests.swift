import NVRDetection
import Testing

@Suite struct EventTrackerTests {
    /// Runs a table of characters, one picture each 0.2 s: `.` quiet, `m` motion, `M` better motion, `g` global change.
    private func run(_ pictures: String, frames: Int = 2, gap: Duration = .seconds(1)) -> [String] {
        var tracker = EventTracker(DetectorConfiguration(minMotionFrames: frames, motionGap: gap))
        var result: [String] = []
        for (index, picture) in pictures.enumerated() {
            let reading =
                switch picture {
                case "m": MotionReading(isMotion: true, changedPixels: 600, score: 0.3)
                case "M": MotionReading(isMotion: true, changedPixels: 900, score: 0.6)
                case "g": MotionReading(isMotion: true, score: 0.9, isGlobalChange: true)
                default: MotionReading.quiet
                }
            for transition in tracker.track(reading, at: Int64(index) * 200_000) {
                switch transition {
                case .begin(let time): result.append("begin \(time / 200_000) at \(index)")
                case .update(let isBest): if isBest { result.append("best at \(index)") }
                case .end(let time): result.append("end \(time / 200_000) at \(index)")
                }
            }
        }
        return result
    }

    @Test(
        "events begin and end as the table says",
        arguments: [
            ("....m....m....", 2, []),
            ("..mm.......", 2, ["begin 2 at 3", "best at 3", "end 3 at 8"]),
            // One miss in between is allowed, two are not.
            ("..m.m.......", 2, ["begin 2 at 4", "best at 4", "end 4 at 9"]),
            ("..m..m.......", 2, []),
            ("..m.m.m.......", 3, ["begin 2 at 6", "best at 6", "end 6 at 11"]),
            ("..m......", 1, ["begin 2 at 2", "best at 2", "end 2 at 7"]),
            // The gap bridges what is shorter than it.
            ("mm...m...m......", 2, ["begin 0 at 1", "best at 1", "end 9 at 14"]),
            // The best picture may come late, and the same again is not better.
            ("mmMmM......", 2, ["begin 0 at 1", "best at 1", "best at 2", "end 4 at 9"]),
            // A light switch is no motion.
            ("ggggg.....", 2, []),
            ("mmggggg....", 2, ["begin 0 at 1", "best at 1", "end 1 at 6"]),
            ("....m....m....", 0, ["begin 4 at 4", "best at 4", "end 4 at 9", "begin 9 at 9", "best at 9"]),
        ] as [(String, Int, [String])])
    func table(pictures: String, frames: Int, expected: [String]) {
        #expect(run(pictures, frames: frames) == expected)
    }

    private let motion = MotionReading(isMotion: true, changedPixels: 600, score: 0.5)

    @Test("a lost stream ends the event by time, with the time of the last motion")
    func ticks() {
        var tracker = EventTracker(DetectorConfiguration())
        #expect(tracker.tick(0) == [])
        _ = tracker.track(motion, at: 1_000_000)
        #expect(tracker.track(motion, at: 1_200_000) == [.begin(at: 1_000_000), .update(isBest: true)])
        #expect(tracker.isInEvent)
        #expect(tracker.tick(11_199_999) == [])
        #expect(tracker.tick(11_200_000) == [.end(at: 1_200_000)])
        #expect(!tracker.isInEvent)
        #expect(tracker.tick(21_200_000) == [])
    }

    @Test("a reading after a long break ends the old event before it begins a new one")
    func breaks() {
        var tracker = EventTracker(DetectorConfiguration(minMotionFrames: 1))
        _ = tracker.track(motion, at: 0)
        #expect(tracker.track(motion, at: 60_000_000) == [.end(at: 0), .begin(at: 60_000_000), .update(isBest: true)])
        #expect(tracker.finish() == [.end(at: 60_000_000)])
        #expect(tracker.finish() == [])
    }

    @Test("time that runs backwards or to the ends of the range never traps")
    func hostileTimes() {
        var tracker = EventTracker(DetectorConfiguration(minMotionFrames: 1, motionGap: .seconds(Int64.max)))
        _ = tracker.track(motion, at: 100_000_000)
        #expect(tracker.track(motion, at: 50_000_000) == [.end(at: 100_000_000), .begin(at: 50_000_000), .update(isBest: true)])
        for time in [Int64.min, .max, 0, .max, .min] {
            _ = tracker.track(motion, at: time)
            _ = tracker.tick(time)
        }
        var random = SeededGenerator(state: 4)
        var open = false
        var other = EventTracker(DetectorConfiguration(minMotionFrames: 2, motionGap: .seconds(2)))
        for index in 0..<5000 {
            let time = Int64(index) * 200_000
            for transition in other.track(Bool.random(using: &random) && index / 60 % 2 == 0 ? motion : .quiet, at: time) {
                switch transition {
                case .begin(let at):
                    #expect(!open && at <= time)
                    open = true
                case .update: #expect(open)
                case .end(let at):
                    #expect(open && at < time)
                    open = false
                }
            }
        }
    }
}
