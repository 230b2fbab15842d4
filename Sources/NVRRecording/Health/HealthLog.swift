package import Logging
package import NVRBase
package import NVRModel
package import NVRStore
import Synchronization

/// Something about the server's health begins or is over. What only happened both begins and is over.
package struct HealthNews: Sendable, Hashable {
    package var event: HealthEvent
    /// The all-clear of an event that was told before.
    package var isAllClear: Bool
}

/// What people must hear of: what lasts is known in memory, and everything is brought into the database, which may be what is ailing.
/// Noting takes no time; any thread may do so. What the database refuses is kept and tried again.
package final class HealthLog: Sendable {
    private struct State {
        var open: [HealthEvent.Key: HealthEvent] = [:]
        /// By what tells rows apart: a later change stands for an earlier one.
        var pending: [Row: HealthEvent] = [:]
        var pace = RetryPace()
        var isFailing = false
        var told: [HealthEvent.Kind: Int] = [:]
    }

    private struct Row: Hashable {
        var key: HealthEvent.Key
        var start: WallTime
    }

    /// Rows that wait for the database at most; more are counted as told and forgotten.
    private static let mostPending = 1000

    /// What begins and ends, for those who tell people.
    package let news = Broadcast<HealthNews>(capacity: 256)
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

    /// Takes over what lasted when the program ended: it lasts until somebody clears it.
    package func begin() async {
        do {
            let open = try await store.health.open()
            state.withLock { state in
                for event in open where state.open[event.key] == nil { state.open[event.key] = event }
            }
        } catch {
            logger.error("what ailed the server at its last end cannot be read", metadata: ["error": "\(error)"])
        }
    }

    /// What lasts now, oldest first.
    package var open: [HealthEvent] { state.withLock { $0.open.values.sorted { ($0.start, $0.kind.rawValue) < ($1.start, $1.kind.rawValue) } } }

    /// Whether it lasts.
    package func isOpen(_ kind: HealthEvent.Kind, of camera: ID<Camera>? = nil) -> Bool {
        state.withLock { $0.open[HealthEvent.Key(kind: kind, cameraID: camera)] != nil }
    }

    /// How often each kind began since the program started.
    package var counts: [HealthEvent.Kind: Int] { state.withLock { $0.told } }

    /// Begins something that lasts, since `time` or now; what lasts already is only described anew. `detail` is for people and has no
    /// credentials.
    package func raise(_ kind: HealthEvent.Kind, of camera: ID<Camera>? = nil, since time: WallTime? = nil, cause: String?, detail: String?) {
        let now = WallTime(microseconds: clock.wall())
        let key = HealthEvent.Key(kind: kind, cameraID: camera)
        let begun = state.withLock { state -> HealthEvent? in
            if var event = state.open[key] {
                guard event.cause != cause || event.detail != detail else { return nil }
                event.cause = cause
                event.detail = detail
                state.open[key] = event
                Self.keep(event, &state)
                return nil
            }
            let event = HealthEvent(kind: kind, cameraID: camera, start: min(time ?? now, now), cause: cause, detail: detail)
            state.open[key] = event
            state.told[kind, default: 0] += 1
            Self.keep(event, &state)
            return event
        }
        wish.yield()
        if let begun {
            logger.warning("the server's health: \(kind.rawValue)", metadata: Self.words(begun))
            news.send(HealthNews(event: begun, isAllClear: false))
        }
    }

    /// Ends something that lasts; nothing happens when it does not.
    package func clear(_ kind: HealthEvent.Kind, of camera: ID<Camera>? = nil) {
        let now = WallTime(microseconds: clock.wall())
        let ended = state.withLock { state -> HealthEvent? in
            guard var event = state.open.removeValue(forKey: HealthEvent.Key(kind: kind, cameraID: camera)) else { return nil }
            event.end = max(event.start, now)
            Self.keep(event, &state)
            return event
        }
        guard let ended else { return }
        wish.yield()
        logger.notice("the server's health: \(kind.rawValue) is over", metadata: Self.words(ended))
        news.send(HealthNews(event: ended, isAllClear: true))
    }

    /// Notes something that happened once.
    package func note(_ kind: HealthEvent.Kind, of camera: ID<Camera>? = nil, cause: String?, detail: String?) {
        let now = WallTime(microseconds: clock.wall())
        let event = HealthEvent(kind: kind, cameraID: camera, start: now, end: now, cause: cause, detail: detail)
        state.withLock { state in
            state.told[kind, default: 0] += 1
            Self.keep(event, &state)
        }
        wish.yield()
        news.send(HealthNews(event: event, isAllClear: false))
    }

    /// What lasts of cameras that are gone is over.
    package func forget(allBut cameras: Set<ID<Camera>>) {
        for event in open {
            if let camera = event.cameraID, !cameras.contains(camera) { clear(event.kind, of: camera) }
        }
    }

    /// The order of rows; of one moment, what lasts comes last.
    private static func isBefore(_ one: HealthEvent, _ other: HealthEvent) -> Bool {
        func place(_ event: HealthEvent) -> (WallTime, Int, String) { (event.start, event.end == nil ? 1 : 0, event.kind.rawValue) }
        return place(one) < place(other)
    }

    private static func keep(_ event: HealthEvent, _ state: inout State) {
        let row = Row(key: event.key, start: event.start)
        if state.pending.count < mostPending || state.pending[row] != nil { state.pending[row] = event }
    }

    private static func words(_ event: HealthEvent) -> Logger.Metadata {
        var words: Logger.Metadata = ["since": "\(event.start.iso8601)"]
        if let camera = event.cameraID { words["camera"] = "\(camera)" }
        if let cause = event.cause { words["cause"] = "\(cause)" }
        if let detail = event.detail { words["detail"] = "\(detail)" }
        return words
    }

    // MARK: Writing

    /// Writes until `finish`, and once more then.
    package func run() async {
        for await _ in wishes { await write() }
        await write()
    }

    package func finish() {
        wish.finish()
        news.finish()
    }

    /// Tries everything that waits once.
    package func write() async {
        let events = state.withLock { state in
            defer { state.pending = [:] }
            return state.pending
        }
        guard !events.isEmpty else { return }
        do {
            try await store.health.put(events.values.sorted(by: Self.isBefore))
            state.withLock { state in
                state.pace.worked()
                state.isFailing = false
            }
        } catch {
            let (isFirst, wait) = state.withLock { state in
                state.pending.merge(events) { newer, _ in newer }
                defer { state.isFailing = true }
                return (!state.isFailing, state.pace.failed(now: clock.monotonic()))
            }
            if isFirst { logger.error("the server's health cannot be stored; tried until it can", metadata: ["error": "\(error)"]) }
            Task { [wish] in
                // Nobody cancels it.
                try? await Task.sleep(for: .microseconds(wait))
                wish.yield()
            }
        }
    }
}
