import NVRCameras
import NVRModel
import Testing

@Suite("Motion recording policy")
struct MotionRecordingPolicyTests {
    private static func at(_ seconds: Double) -> WallTime { WallTime(microseconds: 1_700_000_000_000_000 + Int64(seconds * 1e6)) }
    private static func monotonic(_ seconds: Double) -> Int64 { Int64(seconds * 1e6) }

    @Test("a recording begins before the motion and ends after it")
    func simple() {
        var policy = MotionRecordingPolicy(before: 5, after: 10)
        #expect(policy.tick(now: 0) == .none)
        #expect(policy.motionBegan(at: Self.at(20)) == .start(from: Self.at(15)))
        #expect(policy.tick(now: Self.monotonic(500)) == .none)
        #expect(policy.motionEnded(now: Self.monotonic(600), sinceMotion: 0) == .none)
        #expect(policy.tick(now: Self.monotonic(609.9)) == .none)
        #expect(policy.tick(now: Self.monotonic(610)) == .stop)
        #expect(policy.tick(now: Self.monotonic(700)) == .none)
    }

    @Test("the time since the last motion counts towards the seconds after it")
    func sinceMotion() {
        var policy = MotionRecordingPolicy(before: 0, after: 10)
        _ = policy.motionBegan(at: Self.at(0))
        #expect(policy.motionEnded(now: Self.monotonic(30), sinceMotion: Self.monotonic(8)) == .none)
        #expect(policy.tick(now: Self.monotonic(31.9)) == .none && policy.tick(now: Self.monotonic(32)) == .stop)
        _ = policy.motionBegan(at: Self.at(50))
        #expect(policy.motionEnded(now: Self.monotonic(60), sinceMotion: Self.monotonic(11)) == .stop)
        // A clock that was set back in between must not lengthen it.
        _ = policy.motionBegan(at: Self.at(70))
        #expect(policy.motionEnded(now: Self.monotonic(80), sinceMotion: -Self.monotonic(3600)) == .none)
        #expect(policy.tick(now: Self.monotonic(90)) == .stop)
    }

    @Test("motion that returns before the end joins the recording")
    func joined() {
        var policy = MotionRecordingPolicy(before: 5, after: 10)
        #expect(policy.motionBegan(at: Self.at(0)) == .start(from: Self.at(-5)))
        _ = policy.motionEnded(now: Self.monotonic(5), sinceMotion: 0)
        #expect(policy.motionBegan(at: Self.at(14)) == .none)
        #expect(policy.tick(now: Self.monotonic(15)) == .none && policy.tick(now: Self.monotonic(500)) == .none)
        _ = policy.motionEnded(now: Self.monotonic(600), sinceMotion: 0)
        #expect(policy.tick(now: Self.monotonic(610)) == .stop)
        #expect(policy.motionBegan(at: Self.at(700)) == .start(from: Self.at(695)))
    }

    @Test("an end without a beginning does nothing, and negative settings are none")
    func odd() {
        var policy = MotionRecordingPolicy(before: -5, after: -10)
        #expect(policy.motionEnded(now: 0, sinceMotion: 0) == .none)
        #expect(policy.motionBegan(at: Self.at(3)) == .start(from: Self.at(3)))
        #expect(policy.motionBegan(at: Self.at(4)) == .none)
        #expect(policy.motionEnded(now: 1, sinceMotion: 0) == .stop)
    }

    @Test("random motion: recording exactly while an event lasts and for the seconds after it")
    func random() {
        for seed in 0..<300 {
            var random = SeededGenerator(state: UInt64(seed))
            let after = Int.random(in: 0...20, using: &random)
            var policy = MotionRecordingPolicy(before: 5, after: after)
            var (isRecording, inEvent, stopAt) = (false, false, 0)
            for second in 0..<400 {
                let now = Int64(second) * 1_000_000
                var actions: [MotionRecordingPolicy.Action] = []
                if Int.random(in: 0..<12, using: &random) == 0 {
                    if inEvent {
                        let quiet = Int.random(in: 0...12, using: &random)
                        actions.append(policy.motionEnded(now: now, sinceMotion: Int64(quiet) * 1_000_000))
                        inEvent = false
                        stopAt = second + max(0, after - quiet)
                    } else {
                        actions.append(policy.motionBegan(at: Self.at(Double(second))))
                        inEvent = true
                        #expect(actions == (isRecording ? [.none] : [.start(from: Self.at(Double(second) - 5))]))
                        isRecording = true
                    }
                }
                actions.append(policy.tick(now: now))
                if isRecording, !inEvent, second >= stopAt {
                    #expect(actions.filter { $0 == .stop }.count == 1)
                    isRecording = false
                } else {
                    #expect(!actions.contains(.stop))
                }
            }
        }
    }
}
