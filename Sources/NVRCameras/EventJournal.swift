package import Logging
package import NVRBase
package import NVRMedia
package import NVRModel
import NVRRecording
import NVRStore
import Synchronization

/// Where events and their pictures are kept.
package protocol EventLedger: Sendable {
    /// Gives the id of the row.
    func insert(_ event: Event) async throws -> ID<Event>
    /// Stores the picture and enters it with the event's score and metadata.
    func enter(thumbnail: Picture, of event: Event, fileName: String) async throws
    /// Enters the end with the bytes of the footage.
    func enterEnd(of event: Event) async throws
    /// Stores a picture on a volume, or on the default one when that is not there; gives where it lies.
    func store(snapshot: Picture, fileName: String, volume: VolumeID) async throws -> FootagePlace
    func insert(snapshot: Picture, at place: FootagePlace) async throws
}

/// Brings a camera's events into the database in the order in which they happened. What the database or the disk refuses is kept
/// and tried again until it is taken; neither detection nor recording waits for any of it.
package final class EventJournal: Sendable {
    private struct State {
        var pending = PendingEvents()
        var pace = RetryPace()
        var isFailing = false
        var lost = 0
    }

    private let ledger: any EventLedger
    private let clock: any NVRClock
    private let logger: Logger
    private let state = Mutex(State())
    /// One wish to write is as good as many.
    private let wishes: AsyncStream<Void>
    private let wish: AsyncStream<Void>.Continuation

    package init(ledger: any EventLedger, clock: any NVRClock, logger: Logger) {
        self.ledger = ledger
        self.clock = clock
        self.logger = logger
        (wishes, wish) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Events and snapshots that are not wholly written.
    package var waiting: Int { state.withLock { $0.pending.count } }

    /// Notes what happened; it is written soon.
    package func note(_ body: (inout PendingEvents) -> Void) {
        let lost = state.withLock { state in
            body(&state.pending)
            defer { state.lost = state.pending.lost }
            return state.pending.lost - state.lost
        }
        if lost > 0 { logger.error("events are lost: too many could not be stored", metadata: ["events": "\(lost)"]) }
        wish.yield()
    }

    /// Writes until `finish`, and once more then.
    package func run() async {
        for await _ in wishes { await write() }
        await write()
        let left = waiting
        if left > 0 { logger.error("the last events could not be stored", metadata: ["events": "\(left)"]) }
    }

    /// Nothing more will happen.
    package func finish() { wish.finish() }

    /// Tries everything that is due once.
    package func write() async {
        var failure: (any Error)?
        for number in state.withLock({ $0.pending.numbers }) {
            for kind in PendingEvents.Kind.allCases {
                guard let step = state.withLock({ $0.pending.step(kind, of: number) }) else { continue }
                do {
                    try await take(step, of: number)
                } catch {
                    failure = error
                }
            }
        }
        report(failure)
    }

    private func take(_ step: PendingEvents.Step, of number: Int) async throws {
        switch step {
        case .insert(let event):
            let id = try await ledger.insert(event)
            state.withLock { $0.pending.inserted(number, as: id) }
        case .thumbnail(let event, let picture, let fileName):
            try await ledger.enter(thumbnail: picture, of: event, fileName: fileName)
            state.withLock { $0.pending.storedThumbnail(number, picture) }
        case .end(let event):
            try await ledger.enterEnd(of: event)
            state.withLock { $0.pending.storedEnd(number) }
        case .snapshot(let picture, let fileName, let volume, let known):
            let place: FootagePlace
            if let known {
                place = known
            } else {
                place = try await ledger.store(snapshot: picture, fileName: fileName, volume: volume)
                state.withLock { $0.pending.stored(number, at: place) }
            }
            try await ledger.insert(snapshot: picture, at: place)
            state.withLock { $0.pending.storedSnapshot(number) }
        }
    }

    /// Logs the first failure and the end of the last, and plans the next try.
    private func report(_ failure: (any Error)?) {
        let (wasFailing, wait) = state.withLock { state -> (Bool, Int64?) in
            defer { state.isFailing = failure != nil }
            guard failure != nil else {
                state.pace.worked()
                return (state.isFailing, nil)
            }
            return (state.isFailing, state.pace.failed(now: clock.monotonic()))
        }
        if let failure, !wasFailing {
            logger.error("an event cannot be stored; it is tried until it can", metadata: ["error": "\(failure)"])
        } else if failure == nil, wasFailing {
            logger.notice("events are stored again")
        }
        guard let wait else { return }
        Task { [wish] in
            // Nobody cancels it.
            try? await Task.sleep(for: .microseconds(wait))
            wish.yield()
        }
    }
}

/// Events in the product's database, their pictures beside the footage.
struct StoredEvents: EventLedger {
    let environment: CameraEnvironment
    let cameraID: ID<Camera>
    let logger: Logger

    func insert(_ event: Event) async throws -> ID<Event> { try await environment.store.events.insert(event).id }

    func enter(thumbnail: Picture, of event: Event, fileName: String) async throws {
        let path = environment.disk.layout.path(
            camera: cameraID, pattern: fileName + "-event-\(event.id)", time: event.start, fileExtension: "jpg", attempt: 0)
        try await environment.disk.store(picture: thumbnail.jpeg, path: path)
        let changed = try await environment.store.events.update(event.id) { stored in
            stored.thumbnailPath = path
            stored.score = event.score
            stored.metadata = event.metadata
        }
        // Deleted meanwhile: nothing would ever delete its picture.
        if changed == nil { try await environment.disk.remove(picture: path) }
    }

    func enterEnd(of event: Event) async throws {
        guard let end = event.end else { return }
        var bytes: Int64?
        do {
            bytes = try await environment.playback.bytes(of: cameraID, TimeRange(start: event.start, end: end))
        } catch {
            // The end matters more than its size.
            logger.warning("the size of an event is not known", metadata: ["event": "\(event.id)", "error": "\(error)"])
        }
        try await environment.store.events.end(event.id, at: end, bytes: bytes)
    }

    func store(snapshot: Picture, fileName: String, volume: VolumeID) async throws -> FootagePlace {
        try await environment.disk.store(
            snapshot: snapshot.jpeg, camera: cameraID, pattern: fileName, time: snapshot.time, volume: volume
        ) { [events = environment.store.events] path in try await events.owningPicture(path) != nil }
    }

    func insert(snapshot: Picture, at place: FootagePlace) async throws {
        _ = try await insert(snapshot: snapshot, kind: .motion, at: place)
    }

    func insert(snapshot: Picture, kind: Event.Kind, at place: FootagePlace) async throws -> Event {
        try await environment.store.events.insert(
            Event(
                id: ID(0), cameraID: cameraID, medium: .snapshot, kind: kind, start: snapshot.time, picturePath: place.path,
                thumbnailPath: place.path, bytes: Int64(snapshot.jpeg.count), width: snapshot.width, height: snapshot.height,
                volume: place.volume))
    }
}
