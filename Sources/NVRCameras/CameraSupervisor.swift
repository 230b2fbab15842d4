import Logging
import NIOCore
package import NIOPosix
import NVRBase
package import NVRMedia
package import NVRModel
import NVRRecording
import NVRStore
import ServiceLifecycle
import Synchronization

/// Keeps the running cameras equal to the database: starts, adjusts, restarts and stops them after every change, also one that a
/// crash or a restore brought. Answers what is not stored: status, pictures, live motion.
package final class CameraSupervisor: Service {
    private struct Running {
        var runtime: CameraRuntime
        var task: Task<Void, Never>
    }

    private struct State {
        var running: [ID<Camera>: Running] = [:]
        /// Cameras that write their last frames.
        var ending: Set<ID<Camera>> = []
        var isStopping = false
    }

    private let environment: CameraEnvironment
    private let eventLoops: MultiThreadedEventLoopGroup
    private let pictures = BlockingThread(name: "pictures", stackBytes: 1 << 20)
    private let analysis: [BlockingThread]
    private let started: WallTime
    private let state = Mutex(State())

    /// `eventLoops`: camera connections live here, apart from the web's.
    package init(environment: CameraEnvironment, eventLoops: MultiThreadedEventLoopGroup, analysisThreads: Int) {
        self.environment = environment
        self.eventLoops = eventLoops
        analysis = (0..<max(1, analysisThreads)).map { BlockingThread(name: "analysis-\($0)", stackBytes: 1 << 20) }
        started = WallTime(microseconds: environment.clock.wall())
    }

    // MARK: Running

    package func run() async throws {
        let changes = environment.store.changes.subscribe()
        await environment.outages.begin(lastSign: environment.lastSign)
        environment.disk.onTrouble { [weak self] in self?.judgeAll() }
        let notes = Task { [outages = environment.outages] in await outages.run() }
        environment.noteAlive()
        // One wish to look again is as good as many.
        let (wishes, wish) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        wish.yield()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in wishes { await self.reconcile() }
            }
            group.addTask {
                for await change in changes {
                    switch change {
                    case .camera, .cameraDeleted: wish.yield()
                    default: continue
                    }
                }
            }
            group.addTask {
                // Ends with the shutdown.
                try? await gracefulShutdown()
            }
            group.addTask {
                // Of many changes at once the oldest may be lost; what runs becomes right all the same.
                // Throws when it is cancelled, and that is the end.
                var count = 0
                while (try? await Task.sleep(for: .seconds(30), tolerance: .seconds(5))) != nil {
                    wish.yield()
                    count += 1
                    if count % 2 == 0 { self.environment.noteAlive() }
                }
            }
            await group.next()
            group.cancelAll()
        }
        let stopped = WallTime(microseconds: environment.clock.wall())
        await stopAll()
        environment.outages.serverStops(since: stopped)
        environment.outages.finish()
        await notes.value
        pictures.stop()
        for thread in analysis { thread.stop() }
    }

    /// Makes what runs equal to what is stored.
    private func reconcile() async {
        let cameras: [Camera]
        do {
            cameras = try await environment.store.cameras.all()
        } catch {
            environment.logger.error("the cameras cannot be read", metadata: ["error": "\(error)"])
            return
        }
        var desired: [ID<Camera>: CameraPlan] = [:]
        for camera in cameras {
            if let plan = CameraPlan(camera, maxSegmentSeconds: environment.maxSegmentSeconds) { desired[camera.id] = plan }
        }
        environment.outages.forget(allBut: Set(cameras.map(\.id)))
        for camera in cameras where desired[camera.id] == nil {
            environment.outages.note(.missing(.notRecording, reason: "the camera is switched off"), of: camera.id)
        }
        var ending: [Running] = []
        state.withLock { state in
            guard !state.isStopping else { return }
            for (id, running) in state.running
            where desired[id] == nil || running.runtime.plan.change(to: desired[id] ?? running.runtime.plan) == .restart {
                if desired[id] != nil {
                    environment.outages.note(.missing(.notRecording, reason: "settings of the camera were changed"), of: id)
                }
                running.task.cancel()
                ending.append(running)
                state.running[id] = nil
                state.ending.insert(id)
            }
            for (id, plan) in desired {
                if let running = state.running[id] { running.runtime.adjust(to: plan) }
            }
        }
        for running in ending {
            await running.task.value
            state.withLock { _ = $0.ending.remove(running.runtime.cameraID) }
        }
        state.withLock { state in
            guard !state.isStopping else { return }
            for (id, plan) in desired where state.running[id] == nil {
                let runtime = CameraRuntime(
                    plan: plan, environment: environment, eventLoop: eventLoops.next(),
                    analysis: analysis[Int(truncatingIfNeeded: id.rawValue.magnitude) % analysis.count], pictures: pictures)
                state.running[id] = Running(runtime: runtime, task: Task { await runtime.run() })
            }
        }
    }

    private func stopAll() async {
        let all = state.withLock { state in
            state.isStopping = true
            defer { state.running = [:] }
            return Array(state.running.values)
        }
        for running in all { running.task.cancel() }
        for running in all { await running.task.value }
    }

    private func judgeAll() {
        for running in state.withLock({ Array($0.running.values) }) { running.runtime.judgeSoon() }
    }

    private func runtime(_ id: ID<Camera>) throws -> CameraRuntime {
        guard let runtime = state.withLock({ $0.running[id]?.runtime }) else {
            throw NVRError(.unavailable, "the camera is switched off")
        }
        return runtime
    }

    // MARK: Looking

    package func health(of id: ID<Camera>) -> CameraHealth {
        state.withLock { $0.running[id]?.runtime }?.health ?? CameraHealth(status: .disabled, since: started)
    }

    /// By camera that runs: whether its footage should reach the disk now.
    func recordingNeeds() -> [ID<Camera>: RecordingNeed] {
        state.withLock { $0.running.mapValues(\.runtime) }.mapValues(\.recordingNeed)
    }

    package func allHealth() -> [ID<Camera>: CameraHealth] {
        state.withLock { $0.running.mapValues(\.runtime) }.mapValues(\.health)
    }

    package func liveMotion() -> [ID<Camera>: LiveMotion] {
        state.withLock { $0.running.mapValues(\.runtime) }.compactMapValues(\.liveMotion)
    }

    package func counters() -> [CameraCounters] {
        state.withLock { $0.running.values.map(\.runtime) }.flatMap(\.counters).sorted {
            ($0.camera, $0.role.rawValue) < ($1.camera, $1.role.rawValue)
        }
    }

    /// The newest picture of a camera. Throws `unavailable` when there is none.
    package func frame(of id: ID<Camera>, width: Int?, age: Int64 = 150_000, quality: Int = 80) async throws -> Picture {
        try await runtime(id).frame(width: width, age: age, quality: quality)
    }

    /// A camera's stream for viewers; nil when the camera is switched off or has no such stream. Another object after the camera
    /// was started anew.
    package func liveStream(of id: ID<Camera>, _ role: StreamRole) -> LiveStream? {
        guard let runtime = state.withLock({ $0.running[id]?.runtime }) else { return nil }
        return role == .main ? runtime.mainLive : runtime.subLive
    }

    /// The same stream as H.264; nil like `liveStream`.
    package func transcodedStream(of id: ID<Camera>, _ role: StreamRole) -> TranscodedStream? {
        guard let runtime = state.withLock({ $0.running[id]?.runtime }) else { return nil }
        return role == .main ? runtime.mainTranscoded : runtime.subTranscoded
    }

    /// Whether streams are transcoded for viewers at all.
    package var canTranscode: Bool { environment.transcoding.isOn }
    /// What transcoding for viewers has cost so far.
    package var transcoding: TranscodeRoom.Reading { environment.transcoding.reading }

    package func liveMotion(of id: ID<Camera>) -> LiveMotion? { state.withLock { $0.running[id]?.runtime }?.liveMotion }

    /// Stores the newest picture as a snapshot event.
    package func takeSnapshot(of id: ID<Camera>) async throws -> Event {
        try await runtime(id).takeSnapshot()
    }

    /// Takes over what somebody else tells of a camera's motion; `time` is when they saw it, if they say so. Throws `unavailable` for
    /// a camera that is switched off.
    package func reportMotion(_ isOn: Bool, of id: ID<Camera>, at time: WallTime?) throws {
        try runtime(id).reportMotion(isOn, at: time)
    }

    /// Waits until nothing is written for a camera any more, after it was deleted or switched off; at most ten seconds.
    package func waitUntilEnded(_ id: ID<Camera>) async {
        let limit = environment.clock.monotonic() + 10_000_000
        while state.withLock({ $0.running[id] != nil || $0.ending.contains(id) }), environment.clock.monotonic() < limit {
            // A task that is cancelled waits no longer.
            guard (try? await Task.sleep(for: .milliseconds(20))) != nil else { return }
        }
    }

    /// Looks at a stream once, without storing anything.
    package func probe(url: String, transport: StreamTransport, pictureWidth: Int?) async -> StreamProbe {
        await environment.readers.probe(
            StreamSettings(url: Secret(url), transport: transport, wantAudio: true), eventLoop: eventLoops.next(),
            pictures: pictureWidth.map { (pictures, $0) })
    }
}
