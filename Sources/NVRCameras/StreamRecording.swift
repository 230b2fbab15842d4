import Logging
import NVRBase
import NVRMedia
import NVRModel
import NVRRecording
import Synchronization

/// Records one stream by a plan: always, or around motion. Owns the recorder and its place at the hub.
final class StreamRecording: Sendable {
    private struct State {
        var plan: CameraPlan.Recording
        var policy: MotionRecordingPolicy
        var active: (recorder: Recorder, key: Int)?
        /// Wall time of the first keyframe after the last recording: a new one begins there at the earliest, so that footage is
        /// stored once.
        var joint: WallTime?
        /// Ends the recording when its time has come.
        var alarm: Task<Void, Never>?
        var isEnded = false
    }

    private let hub: StreamHub
    private let writer: SegmentWriter
    private let clock: any NVRClock
    private let state: Mutex<State>

    init(plan: CameraPlan.Recording, cameraID: ID<Camera>, hub: StreamHub, disk: DiskWriter, clock: any NVRClock, logger: Logger) {
        self.hub = hub
        self.clock = clock
        writer = SegmentWriter(
            configuration: .init(
                cameraID: cameraID, role: hub.role, fileName: plan.fileName, listsSegments: plan.mode == .continuous,
                volume: plan.volume),
            disk: disk, logger: logger)
        state = Mutex(State(plan: plan, policy: MotionRecordingPolicy(before: plan.before, after: plan.after)))
        setPreRoll(plan)
        if plan.mode == .continuous { start(from: .lastKeyframe) }
    }

    private func setPreRoll(_ plan: CameraPlan.Recording) {
        // A second more than asked for: the keyframe may lie before it.
        hub.setPreRoll(span: plan.mode == .motionTriggered ? Int64(plan.before + 2) * 1_000_000 : 0)
    }

    /// Takes over a changed plan without touching the segment that is being written: names and lengths count from the next one on,
    /// times before and after motion at once. False when the change is of a kind that needs another recording.
    func adopt(_ plan: CameraPlan.Recording) -> Bool {
        let recorder = state.withLock { state -> Recorder?? in
            guard state.plan.mode == plan.mode, state.plan.audio == plan.audio, !state.isEnded else { return .none }
            state.plan = plan
            state.policy.adopt(before: plan.before, after: plan.after)
            setAlarm(&state)
            return .some(state.active?.recorder)
        }
        guard let recorder else { return false }
        writer.setFileName(plan.fileName)
        writer.setVolume(plan.volume)
        recorder?.setSegmentSeconds(plan.segmentSeconds)
        setPreRoll(plan)
        return true
    }

    private var mode: RecordingMode { state.withLock { $0.plan.mode } }

    private func start(from start: StreamHub.Start) {
        state.withLock { state in
            guard state.active == nil, !state.isEnded else { return }
            let recorder = Recorder(writer: writer, segmentSeconds: state.plan.segmentSeconds, recordsAudio: state.plan.audio) { [weak self] in
                self?.clearEnded()
            }
            state.active = (recorder, hub.attach(recorder, from: start))
        }
    }

    /// Lets go of a recording that has ended at its keyframe.
    private func clearEnded() {
        let key = state.withLock { state -> Int? in
            guard let active = state.active, let end = active.recorder.end else { return nil }
            state.active = nil
            state.joint = end
            return active.key
        }
        if let key { hub.detach(key) }
    }

    /// Whether packets that come are to be written now.
    var isWanted: Bool { state.withLock { $0.active != nil } }
    var isRecording: Bool { state.withLock { $0.active != nil } && hub.description != nil }
    func recentBytes() -> Int64 { writer.recentBytes(now: clock.monotonic()) }
    var droppedFrames: Int { writer.droppedFrames }

    func motionBegan(at time: WallTime) {
        guard mode == .motionTriggered else { return }
        let action = state.withLock { state in
            defer { setAlarm(&state) }
            return state.policy.motionBegan(at: time)
        }
        guard case .start(let from) = action else { return }
        if state.withLock({ $0.active?.recorder.goOn() }) == true { return }
        clearEnded()
        start(from: .time(state.withLock { max(from, $0.joint ?? from) }))
    }

    func motionEnded(at time: WallTime, now: WallTime) {
        guard mode == .motionTriggered else { return }
        state.withLock { state in
            let action = state.policy.motionEnded(now: clock.monotonic(), sinceMotion: now.microseconds(since: time))
            if action == .stop { state.active?.recorder.endAtKeyframe() }
            setAlarm(&state)
        }
    }

    /// One sleep up to the end of the recording; motion that begins before turns it off.
    private func setAlarm(_ state: inout State) {
        state.alarm?.cancel()
        state.alarm = state.policy.stopAt.map { stopAt in
            Task { [weak self, clock] in
                // A millisecond more: the clocks may round differently.
                let rest = max(0, stopAt - clock.monotonic()) + 1000
                guard (try? await Task.sleep(for: .microseconds(rest))) != nil else { return }
                self?.endIfDue()
            }
        }
    }

    private func endIfDue() {
        state.withLock { state in
            if state.policy.tick(now: clock.monotonic()) == .stop { state.active?.recorder.endAtKeyframe() }
        }
    }

    /// Ends for good: what was received is written and its segment finished.
    func end() async {
        let active = state.withLock { state in
            state.isEnded = true
            state.alarm?.cancel()
            defer { state.active = nil }
            // Its last frames are queued before those of a recording that may begin now.
            state.active?.recorder.endNow()
            return state.active
        }
        guard let active else { return }
        hub.detach(active.key)
        await active.recorder.finish()
    }
}
