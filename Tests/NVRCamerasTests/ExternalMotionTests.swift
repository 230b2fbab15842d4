import NVRCameras
import NVRModel
import Testing

@Suite("Motion from outside")
struct ExternalMotionTests {
    private func at(_ seconds: Double) -> WallTime { WallTime(seconds: 1_700_000_000 + seconds) }

    @Test("it lasts until it is told to be over")
    func ordinary() {
        var motion = ExternalMotion()
        #expect(motion.ended() == false)
        #expect(motion.reported(now: 0) == true)
        #expect(motion.reported(now: 5) == false)
        #expect(motion.isOn)
        #expect(motion.ended() == true)
        #expect(!motion.isOn)
        #expect(motion.ended() == false)
        #expect(motion.reported(now: 9) == true)
    }

    @Test("it ends by itself when nothing is told of it any more, and every word prolongs it")
    func silence() {
        var motion = ExternalMotion()
        let most = ExternalMotion.longestSilence
        #expect(motion.tick(now: 99 * most) == false)
        #expect(motion.reported(now: 0) == true)
        #expect(motion.tick(now: most - 1) == false)
        #expect(motion.reported(now: most - 1) == false)
        #expect(motion.tick(now: 2 * most - 2) == false)
        #expect(motion.tick(now: 2 * most - 1) == true)
        #expect(!motion.isOn)
        #expect(motion.tick(now: 9 * most) == false)
    }

    @Test("it began when the report says, as far as the pre-roll reaches back, and never in the future")
    func start() {
        #expect(ExternalMotion.start(named: nil, now: at(0), before: 5) == at(0))
        #expect(ExternalMotion.start(named: at(-3), now: at(0), before: 5) == at(-3))
        #expect(ExternalMotion.start(named: at(-5), now: at(0), before: 5) == at(-5))
        #expect(ExternalMotion.start(named: at(-5.1), now: at(0), before: 5) == at(0))
        #expect(ExternalMotion.start(named: at(1), now: at(0), before: 5) == at(0))
        #expect(ExternalMotion.start(named: WallTime(microseconds: .min), now: at(0), before: 5) == at(0))
    }

    @Test("one event spans what several sources see, and ends with the last of them")
    func sources() {
        var sources = MotionSources()
        #expect(sources.began(.standard) == true)
        #expect(sources.began(.webhook) == false)
        #expect(sources.ended(.webhook, at: at(9)) == nil)
        #expect(sources.ended(.webhook, at: at(10)) == nil)
        // The detector names the time at which it last saw motion, which lies before the other source's end.
        #expect(sources.ended(.standard, at: at(7)) == at(9))
        #expect(sources.ended(.standard, at: at(7)) == nil)
        #expect(sources.began(.webhook) == true)
        #expect(sources.ended(.webhook, at: at(5)) == at(5))
    }
}

@Suite("Motion recordings whose times change")
struct AdoptedPolicyTests {
    private func at(_ seconds: Double) -> WallTime { WallTime(seconds: 1_700_000_000 + seconds) }

    @Test("the times after a change count for what happens then; a recording goes on")
    func adopt() {
        var policy = MotionRecordingPolicy(before: 5, after: 10)
        #expect(policy.motionBegan(at: at(0)) == .start(from: at(-5)))
        policy.adopt(before: 1, after: 20)
        #expect(policy.motionEnded(now: 0, sinceMotion: 0) == .none)
        #expect(policy.tick(now: 19_999_999) == .none)
        #expect(policy.tick(now: 20_000_000) == .stop)
        #expect(policy.motionBegan(at: at(100)) == .start(from: at(99)))
    }
}
