package import Logging
package import NVRBase
package import NVRModel
package import NVRStore
import Synchronization

/// Brings outages of all cameras into the database. Noting one takes no time; what the database refuses is kept and tried again. Any
/// thread may note.
package final class OutageLog: Sendable {
    private struct State {
        var trackers: [ID<Camera>: OutageTracker] = [:]
        /// By row: a later change of a row stands for an earlier one.
        var pending: [OutageKey: OutageChange] = [:]
        var pace = RetryPace()
        var isFailing = false
    }

    /// Rows that wait for the database at most.
    private static let mostPending = 10_000

    private let store: Store
    private let clock: any NVRClock
    private let logger: Logger
    private let state = Mutex(State())
    private let wishes: AsyncStream<Void>
    private let wish: AsyncStream<Void>.Continuation

    package init(store: Store, clock: any NVRClock, logger: Logger) {
        self.store = store
        self.clock = clock
        self.logger = logger
        (wishes, wish) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// What the database knows, and that the server was down until now. `lastSign`: when it was last seen running.
    package func begin(lastSign: WallTime?) async {
        let now = WallTime(microseconds: clock.wall())
        do {
            let cameras = try await store.cameras.all().map(\.id)
            _ = try await store.outages.deleteOld(of: cameras, at: now)
            var trackers: [ID<Camera>: OutageTracker] = [:]
            var footage: [ID<Camera>: WallTime] = [:]
            for camera in cameras {
                trackers[camera] = OutageTracker(cameraID: camera, rows: try await store.outages.newest(camera, limit: 4))
                footage[camera] = try await store.segments.newest(camera, .main)?.end
            }
            // Footage of the future was made when the clock was wrong.
            let seen = (footage.values.filter { $0 <= now } + [lastSign].compactMap { $0 }).max()
            for camera in cameras {
                let changes = trackers[camera]?.serverStarted(footageEnd: footage[camera].flatMap { $0 <= now ? $0 : nil }, lastSign: seen, now: now)
                keep(changes ?? [])
            }
            let loaded = trackers
            state.withLock { $0.trackers = loaded }
        } catch {
            logger.error("outages of the last run cannot be read", metadata: ["error": "\(error)"])
        }
    }

    /// Notes what a camera's recording does, since `time` or since now.
    package func note(_ verdict: RecordingVerdict, of camera: ID<Camera>, since time: WallTime? = nil) {
        let now = WallTime(microseconds: clock.wall())
        let changes = state.withLock { $0.trackers[camera, default: OutageTracker(cameraID: camera)].observe(verdict, at: time ?? now, now: now) }
        keep(changes)
    }

    /// The camera is deleted.
    package func forget(allBut cameras: Set<ID<Camera>>) {
        state.withLock { state in state.trackers = state.trackers.filter { cameras.contains($0.key) } }
    }

    /// The server stops: nothing is recorded since `time`, at which its cameras were told to end. What is not to be recorded stays so.
    package func serverStops(since time: WallTime) {
        let cameras = state.withLock { state in state.trackers.filter { $0.value.current?.cause != .notRecording }.map(\.key) }
        for camera in cameras { note(.missing(.serverDown, reason: nil), of: camera, since: time) }
    }

    private func keep(_ changes: [OutageChange]) {
        guard !changes.isEmpty else { return }
        state.withLock { state in
            for change in changes where state.pending.count < Self.mostPending || state.pending[change.key] != nil {
                state.pending[change.key] = change
            }
        }
        wish.yield()
    }

    /// Rows that are not written yet.
    package var waiting: Int { state.withLock { $0.pending.count } }

    /// Writes until `finish`, and once more then.
    package func run() async {
        for await _ in wishes { await write() }
        await write()
    }

    package func finish() { wish.finish() }

    /// Tries everything that waits once.
    package func write() async {
        let changes = state.withLock { state in
            defer { state.pending = [:] }
            return state.pending
        }
        guard !changes.isEmpty else { return }
        do {
            try await store.outages.apply(Array(changes.values))
            let wasFailing = state.withLock { state in
                state.pace.worked()
                defer { state.isFailing = false }
                return state.isFailing
            }
            if wasFailing { logger.notice("outages are stored again") }
        } catch {
            let (isFirst, wait) = state.withLock { state in
                state.pending.merge(changes) { newer, _ in newer }
                defer { state.isFailing = true }
                return (!state.isFailing, state.pace.failed(now: clock.monotonic()))
            }
            if isFirst { logger.error("an outage cannot be stored; it is tried until it can", metadata: ["error": "\(error)"]) }
            Task { [wish] in
                // Nobody cancels it.
                try? await Task.sleep(for: .microseconds(wait))
                wish.yield()
            }
        }
    }
}
