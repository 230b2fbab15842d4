package import Logging
package import NVRBase
package import NVRModel
package import NVRRecording
package import NVRStore
import ServiceLifecycle
import Synchronization

/// Looks all the time at whether the bytes of each camera that should be recorded reach the disk, and says so when they do not.
package final class HealthWatch: Service {
    /// Seconds between looks.
    private static let interval = 2

    private let supervisor: CameraSupervisor
    private let disk: DiskWriter
    private let store: Store
    private let health: HealthLog
    private let clock: any NVRClock
    private let logger: Logger
    private let lastSign: WallTime?
    private struct Post {
        var watch: RecordingWatch
        /// What kept footage away last, and when that was seen.
        private var known: (need: RecordingNeed, at: Int64)?

        init(watch: RecordingWatch) { self.watch = watch }

        /// A silence that has begun with a known cause is not a riddle because that cause ended a moment ago.
        mutating func explained(_ need: RecordingNeed, at now: Int64) -> RecordingNeed {
            if need.cause != .unknown { known = (need, now) }
            guard need.cause == .unknown, let known, now - known.at < RecordingWatch.patience else { return need }
            var earlier = known.need
            earlier.isExpected = need.isExpected
            return earlier
        }
    }

    private let watches = Mutex<[ID<Camera>: Post]>([:])
    private let trust = Mutex<(trust: ClockTrust?, verdict: ClockTrust.Verdict)>((nil, .credible))

    /// `lastSign`: when the server was last seen running before this start.
    package init(
        supervisor: CameraSupervisor, disk: DiskWriter, store: Store, health: HealthLog, lastSign: WallTime?, clock: any NVRClock, logger: Logger
    ) {
        self.supervisor = supervisor
        self.disk = disk
        self.store = store
        self.health = health
        self.lastSign = lastSign
        self.clock = clock
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var isFailing = false
            // Thrown by the end of the program.
            while (try? await Task.sleep(for: .seconds(Self.interval), tolerance: .milliseconds(500))) != nil {
                do {
                    let cameras = try await self.store.cameras.all()
                    self.look(at: cameras)
                    try await self.lookAtClock(cameras)
                    isFailing = false
                } catch {
                    if !isFailing { self.logger.error("the cameras cannot be read to watch over them", metadata: ["error": "\(error)"]) }
                    isFailing = true
                }
            }
        }
    }

    // MARK: The clock

    /// Whether the wall clock may be believed; asked for by whoever deletes what is old.
    package var clockVerdict: ClockTrust.Verdict { trust.withLock { $0.verdict } }

    private func lookAtClock(_ cameras: [Camera]) async throws {
        if trust.withLock({ $0.trust == nil }) {
            var seen = [lastSign].compactMap { $0 }
            for camera in cameras {
                if let end = try await store.segments.newest(camera.id, .main)?.end { seen.append(end) }
            }
            let first = ClockTrust(lastSeen: seen.max()?.microseconds, wall: clock.wall(), monotonic: clock.monotonic())
            trust.withLock { $0.trust = first }
        }
        let isSynchronized = KernelClock.isSynchronized
        let (wall, monotonic) = (clock.wall(), clock.monotonic())
        let verdict = trust.withLock { state in
            state.verdict = state.trust?.observe(wall: wall, monotonic: monotonic, isSynchronized: isSynchronized) ?? .credible
            return state.verdict
        }
        switch verdict {
        case .credible: health.clear(.clockImplausible)
        case .ahead(let distance):
            health.raise(
                .clockImplausible, cause: "ahead",
                detail: "the clock jumped ahead by \(Self.days(distance)) days; until it is synchronized nothing is taken for old")
        case .behind(let distance):
            health.raise(.clockImplausible, cause: "behind", detail: "the clock is \(Self.days(distance)) days behind the last run")
        }
    }

    /// Whole days: a detail that changes all the time would be written all the time.
    private static func days(_ microseconds: Int64) -> Int64 { (microseconds + 43_200_000_000) / 86_400_000_000 }

    // MARK: Bytes

    private func look(at cameras: [Camera]) {
        let now = clock.monotonic()
        let needs = supervisor.recordingNeeds()
        let bytes = disk.syncedBytes
        let ids = Set(cameras.map(\.id))
        let news = watches.withLock { watches in
            watches = watches.filter { ids.contains($0.key) }
            return cameras.compactMap { camera -> (ID<Camera>, RecordingNeed, RecordingWatch.News?, Bool)? in
                var need = needs[camera.id] ?? RecordingNeed(stopped: camera.recording.mode)
                if !camera.general.isActive { need.isExpected = false }
                var post = watches[camera.id] ?? Post(watch: RecordingWatch(isStalled: health.isOpen(.recordingStalled, of: camera.id)))
                let news = post.watch.observe(expected: need.isExpected, bytes: bytes[camera.id] ?? 0, now: now)
                need = post.explained(need, at: now)
                watches[camera.id] = post
                return (camera.id, need, news, post.watch.isStalled)
            }
        }
        let wall = WallTime(microseconds: clock.wall())
        for (camera, need, news, isStalled) in news {
            switch news {
            case .stalled(let silence):
                health.raise(
                    .recordingStalled, of: camera, since: wall.advanced(byMicroseconds: -silence), cause: need.cause.name, detail: need.reason)
            case .recovered: health.clear(.recordingStalled, of: camera)
            // Why may become another; only a cause that is known says more.
            case nil where isStalled && need.cause != .unknown:
                health.raise(.recordingStalled, of: camera, cause: need.cause.name, detail: need.reason)
            case nil: continue
            }
        }
        health.forget(allBut: ids)
    }
}
