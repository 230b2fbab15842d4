import NVRAccounts
import NVRBase
import NVRMedia
import NVRModel
import RTSP
import Synchronization

/// A camera's stream on its way to one RTSP client: what waits for it, bounded; what happens when the camera is lost; and its end when
/// rights end. Any thread may use it.
final class RestreamPlayback: RTSPPlayback {
    private struct State {
        var queue = ViewerQueue()
        /// Counts the feeds joined: what an earlier one still sends is ignored.
        var generation = 0
        var watched: (stream: LiveStream, key: Int)?
        /// Monotonic microseconds; nil while the camera is there.
        var lostSince: Int64?
        var hasEnded = false
        var hasStopped = false
        var tasks: [Task<Void, Never>] = []
    }

    /// How long a client is kept while its camera is lost, monotonic microseconds.
    private static let patience: Int64 = 30_000_000
    /// Between two looks at whether the camera was started anew or lost.
    private static let interval = Duration.milliseconds(500)

    private let source: RestreamSource
    private let access: LiveAccess
    private let stream: @Sendable (ID<Camera>, StreamRole) -> LiveStream?
    private let totals: LiveTotals
    private let clock: any NVRClock
    private let wake: @Sendable () -> Void
    private let state = Mutex(State())

    init(
        source: RestreamSource, access: LiveAccess, stream: @escaping @Sendable (ID<Camera>, StreamRole) -> LiveStream?, totals: LiveTotals,
        clock: any NVRClock, wake: @escaping @Sendable () -> Void
    ) {
        self.source = source
        self.access = access
        self.stream = stream
        self.totals = totals
        self.clock = clock
        self.wake = wake
    }

    /// Begins with the GOP in memory.
    func start() {
        _ = totals.enter()
        choose()
        let tasks = [
            Task { [weak self, access] in
                if await access.end() != nil { self?.end() }
            },
            Task { [weak self] in
                // Thrown by the cancellation when the client has gone.
                while (try? await Task.sleep(for: Self.interval)) != nil {
                    guard let self else { return }
                    look()
                }
            },
        ]
        let isLate = state.withLock { state in
            state.tasks = tasks
            return state.hasStopped
        }
        if isLate { for task in tasks { task.cancel() } }
    }

    func stop() {
        let (watched, tasks, isFirst) = state.withLock { state in
            defer {
                state.watched = nil
                state.tasks = []
                state.hasStopped = true
            }
            state.generation += 1
            state.queue.removeAll()
            return (state.watched, state.tasks, !state.hasStopped)
        }
        for task in tasks { task.cancel() }
        watched.map(leave)
        if isFirst { totals.leave() }
    }

    private func end() {
        state.withLock { $0.hasEnded = true }
        wake()
    }

    // MARK: The camera

    private func look() {
        choose()
        let now = clock.monotonic()
        let isOver = state.withLock { state -> Bool in
            if state.watched?.stream.isRunning == true {
                state.lostSince = nil
                return false
            }
            guard let since = state.lostSince else {
                state.lostSince = now
                return false
            }
            return now - since >= Self.patience
        }
        if isOver { end() }
    }

    /// Joins the stream of today: another one when the camera was started anew.
    private func choose() {
        let stream = stream(source.camera, source.role)
        let (old, generation) = state.withLock { state -> ((stream: LiveStream, key: Int)?, Int?) in
            guard !state.hasStopped, stream !== state.watched?.stream else { return (nil, nil) }
            defer { state.watched = nil }
            state.generation += 1
            state.queue.removeAll()
            return (state.watched, state.generation)
        }
        old.map(leave)
        guard let generation, let stream else { return }
        stream.want()
        let key = stream.join(Viewer(playback: self, generation: generation), as: .rtp)
        let isLate = state.withLock { state -> Bool in
            guard !state.hasStopped, state.generation == generation else { return true }
            state.watched = (stream, key)
            return false
        }
        if isLate { leave((stream, key)) }
    }

    private func leave(_ watched: (stream: LiveStream, key: Int)) {
        watched.stream.leave(watched.key, as: .rtp)
        watched.stream.release()
    }

    /// What a feed calls. It knows which of the feeds it belongs to.
    private final class Viewer: LiveViewer {
        private let playback: RestreamPlayback
        private let generation: Int

        init(playback: RestreamPlayback, generation: Int) {
            self.playback = playback
            self.generation = generation
        }

        func begin(_ description: StreamDescription, framesPerSecond: Double?) {
            let run = LiveRun(description: description, role: playback.source.role, framesPerSecond: framesPerSecond)
            playback.take(generation) { $0.append(run, at: $1) }
        }

        func receive(_ frame: LiveFrame) { playback.take(generation) { $0.append(frame, at: $1) } }
        func interrupted() { playback.take(generation) { $0.appendInterruption(at: $1) } }
    }

    /// Called on the thread that reads the camera.
    private func take(_ generation: Int, _ append: (inout ViewerQueue, Int64) -> Void) {
        let now = clock.monotonic()
        let lost = state.withLock { state -> Int? in
            guard state.generation == generation, !state.hasStopped else { return nil }
            let before = state.queue.lost
            append(&state.queue, now)
            return state.queue.lost - before
        }
        guard let lost else { return }
        // Counted when they are left out: a client that takes nothing is never told.
        if lost > 0 { totals.note(lost: lost) }
        wake()
    }

    // MARK: The client

    func next() -> RTSPPlaybackItem? {
        while true {
            let (item, hasEnded) = state.withLock { state in (state.hasEnded ? nil : state.queue.popFirst(), state.hasEnded) }
            if hasEnded { return .end }
            switch item {
            case nil: return nil
            case .frame(let frame):
                totals.note(sent: frame.byteCount)
                return .frame(RTSPFrame(track: frame.kind == .video ? 0 : 1, wall: frame.wall.microseconds, packets: frame.bytes))
            case .run(let run):
                // Other parameters than the client was told: it has to ask again.
                guard run.description.video == source.description.video, run.description.audio == source.description.audio else {
                    state.withLock { $0.hasEnded = true }
                    return .end
                }
            case .interruption, .lost: break
            }
        }
    }
}
