package import Logging
package import NVRBase
package import NVRModel
import NVRStore
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Writes footage, with a thread for each volume, so that a disk which hangs keeps nobody else waiting. Recordings queue chunks with their
/// `SegmentWriter`s; the thread of a volume serves those that write there one after another, syncs what was written at least once a
/// second, and waits when the disk is full or fails until it works again.
package final class DiskWriter: Sendable {
    private struct State {
        /// Cameras that lost footage because the disk was too slow, and have not caught up; when what they lost first was shown.
        var behind: [ID<Camera>: WallTime] = [:]
        var onTrouble: (@Sendable () -> Void)?
        /// Hears when so many bytes were written since, or when the disk is full.
        var onPressure: (@Sendable () -> Void)?
        var unheard: Int64 = 0
        var pressureInterval = DiskWriter.longestPressureInterval
        var isStopping = false
    }

    /// What keeps footage from being written, in words without paths, and when the first of what waits was shown.
    package struct Trouble: Sendable, Hashable {
        package var isFull: Bool
        package var reason: String
        package var since: WallTime?
    }

    /// Totals since the start.
    package struct Counters: Sendable {
        package var fragments = 0
        package var bytes: Int64 = 0
        package var syncs = 0
        package var failures = 0
    }

    /// A writing thread, as those see it who look after the server.
    package struct ThreadState: Sendable, Hashable {
        package var volume: VolumeID
        /// It has been in one call of the disk for longer than a disk takes.
        package var isStuck: Bool
        /// Pictures that were turned away, since too many waited.
        package var refused: Int
    }

    /// Microseconds between rounds of syncing. With a fragment of a second, a power cut costs a second and a half and what a sync takes;
    /// longer rounds would save nothing, since a file is written once a second.
    static let syncInterval: Int64 = 500_000
    /// Bytes of a volume that footage leaves free; at most a fiftieth of it.
    static let keptFree: Int64 = 64 << 20
    /// Microseconds between tries when the disk refuses.
    static let retryInterval: Int64 = 500_000
    /// Bytes written between two looks at the free space, at most.
    static let longestPressureInterval: Int64 = 16 << 20
    /// Microseconds in which a disk has to do something while the program ends, before it is no longer waited for: for each recording that
    /// ends, and for the volume in the end.
    static let farewell: Int64 = 3_000_000
    /// Bytes that wait for the disk at most, of each recorded stream, unless somebody sets it.
    package static let defaultBuffer = 32 << 20

    package let layout: RecordingLayout
    package let growing = GrowingSegments()
    package let ahead = SpaceAhead()
    let ledger: any SegmentLedger
    let clock: any NVRClock
    let logger: Logger
    /// Bytes that wait for the disk at most, of each recorded stream.
    let bufferBytes: Int
    /// Why the database does not take rows, by the volume of their files.
    let rowFailures = Mutex<[VolumeID: String]>([:])
    private let lanes = Mutex<[VolumeID: WritingLane]>([.standard: WritingLane(.standard)])
    /// Which volume each recording writes to now.
    private let homes = Mutex<[ObjectIdentifier: (camera: ID<Camera>, volume: VolumeID)]>([:])
    private let state = Mutex(State())
    private let totals = Mutex(Counters())
    private let synced = Mutex<[ID<Camera>: Int64]>([:])

    package init(
        layout: RecordingLayout, ledger: any SegmentLedger, clock: any NVRClock, logger: Logger, bufferBytes: Int = DiskWriter.defaultBuffer
    ) {
        self.bufferBytes = bufferBytes
        self.layout = layout
        self.ledger = ledger
        self.clock = clock
        self.logger = logger
    }

    package var counters: Counters { totals.withLock { $0 } }

    /// Bytes of each camera's footage that the disk says it has, since the start of the program. The last second of a segment that was
    /// closed meanwhile is not counted.
    package var syncedBytes: [ID<Camera>: Int64] { synced.withLock { $0 } }

    func noteSynced(_ bytes: Int64, of camera: ID<Camera>) { synced.withLock { $0[camera, default: 0] += bytes } }

    func noteSyncs(_ count: Int) { totals.withLock { $0.syncs += count } }

    // MARK: Lanes

    /// The lane of a volume; made when there is none. The thread of a volume that is not known any more ends when nobody needs it.
    func lane(of volume: VolumeID) -> WritingLane {
        if let known = lanes.withLock({ $0[volume] }) { return known }
        let used = Set(homes.withLock { $0.values.map { $0.volume } }).union([.standard])
        return lanes.withLock { lanes in
            if let known = lanes[volume] { return known }
            lanes = lanes.filter { used.contains($0.key) || layout.volumes.isKnown($0.key) || !$0.value.isIdle }
            let lane = WritingLane(volume)
            lanes[volume] = lane
            return lane
        }
    }

    var allLanes: [WritingLane] { lanes.withLock { lanes in lanes.values.sorted { $0.volume < $1.volume } } }

    /// All writing threads, those too whose volume is away.
    package var threads: [ThreadState] {
        let now = clock.monotonic()
        return allLanes.map { ThreadState(volume: $0.volume, isStuck: $0.isStuck(now: now), refused: $0.thread.refused) }
    }

    /// Where a recording writes from now on; nil when it is no more.
    func setHome(of writer: ObjectIdentifier, _ camera: ID<Camera>, _ volume: VolumeID?) {
        homes.withLock { homes in homes[writer] = volume.map { (camera: camera, volume: $0) } }
    }

    /// Runs `body` on the writing thread of a volume, after what is queued there.
    package func run<Result: Sendable>(on volume: VolumeID = .standard, _ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await lane(of: volume).thread.run(body)
    }

    /// The same on a lane, and throws `DiskThread.Unanswered` when its thread is stuck for longer than `patience`, microseconds.
    func run<Result: Sendable>(
        on lane: WritingLane, patience: Int64, late: (@Sendable (Result) -> Void)? = nil, _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        let watch = Mutex(StallWatch(patience: patience))
        return try await lane.thread.run(
            givingUpWhen: { [thread = lane.thread] waited in
                watch.withLock { $0.isStuck(thread.step, now: Int64(waited / .microseconds(1))) }
            }, late: late, body)
    }

    func schedule(_ turn: WritingLane.Turn) {
        let lane = turn.pen.lane
        lane.thread.enqueue { [self] in
            turn.pen.drain(for: turn.writer)
            syncIfDue(lane)
        }
    }

    func count(fragmentBytes: Int64) {
        totals.withLock { totals in
            totals.fragments += 1
            totals.bytes += fragmentBytes
        }
        let listener = state.withLock { state -> (@Sendable () -> Void)? in
            state.unheard += fragmentBytes
            guard state.unheard >= state.pressureInterval else { return nil }
            state.unheard = 0
            return state.onPressure
        }
        listener?()
    }

    /// Refuses footage that would take the last space of its volume, which the database may need: it has to note what is deleted.
    func demandSpace(for bytes: Int, on volume: VolumeID = .standard) throws {
        let root = layout.volumes.root(of: volume) ?? layout.root
        // A volume that cannot be asked says so when it is written to.
        guard let space = try? POSIXFile.space(at: root), space.free - Int64(bytes) < min(Self.keptFree, space.total / 50) else { return }
        throw FileError.full(root)
    }

    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Writers end their tries; what is queued is written when the disk allows it at once, and so are the rows that wait. A disk that
    /// hangs is not waited for: the next start puts in order what was being written there.
    package func stop() async {
        state.withLock { $0.isStopping = true }
        // What the others refuse may still go to the default folder.
        await withTaskGroup(of: Void.self) { group in
            for lane in allLanes where lane.volume != .standard { group.addTask { await self.end(lane) } }
        }
        await end(lane(of: .standard))
    }

    private func end(_ lane: WritingLane) async {
        do {
            try await run(on: lane, patience: Self.farewell) { [self] in
                retryRefused(lane)
                syncIfDue(lane)
            }
            // A turn that had begun before has queued its next one by now.
            try await run(on: lane, patience: Self.farewell) { [self] in tryRows(lane) }
        } catch is DiskThread.Unanswered {
            logger.error(
                "a disk does not answer; what was being written to it is put in order when it is there again", metadata: ["volume": "\(lane.volume)"])
        } catch {
            // The thread has ended already, and then nothing is queued.
        }
        let left = lane.rows.withLock { $0.count }
        if left > 0 { logger.warning("the database did not take the last rows; the next start finishes them", metadata: ["rows": "\(left)"]) }
        lane.thread.stop()
    }
}

// MARK: Trouble

extension DiskWriter {
    /// Why nothing can be written to some volume now; nil while writing works.
    package var failure: String? { allLanes.lazy.compactMap(\.failure).first ?? rowFailures.withLock { $0.values.first } }

    /// Why nothing of a camera can be written now; nil while writing works.
    package func failure(of camera: ID<Camera>) -> String? {
        lanes(of: camera).lazy.compactMap(\.failure).first ?? rowFailures.withLock { $0.values.first }
    }

    private func lanes(of camera: ID<Camera>) -> [WritingLane] {
        let volumes = Set(homes.withLock { homes in homes.values.filter { $0.camera == camera }.map { $0.volume } })
        return allLanes.filter { volumes.contains($0.volume) }
    }

    /// What keeps footage of a camera from being written now; nil while writing works.
    package func trouble(of camera: ID<Camera>) -> Trouble? {
        let lost = state.withLock { $0.behind[camera] }
        if var trouble = lanes(of: camera).lazy.compactMap(\.trouble).first {
            trouble.since = [trouble.since, lost].compactMap { $0 }.min()
            return trouble
        }
        return lost.map { Trouble(isFull: false, reason: "the disk is too slow", since: $0) }
    }

    /// `listener` hears on any thread that `trouble` may have changed; it must not block.
    package func onTrouble(_ listener: @escaping @Sendable () -> Void) { state.withLock { $0.onTrouble = listener } }

    /// `listener` hears on a writing thread that the free space should be looked at; it must not block.
    package func onPressure(_ listener: @escaping @Sendable () -> Void) { state.withLock { $0.onPressure = listener } }

    /// Says how much may be written between two looks, given how much is to stay free.
    package func setFloor(_ bytes: Int64) {
        state.withLock { $0.pressureInterval = max(1 << 18, min(Self.longestPressureInterval, bytes / 4)) }
    }

    /// Footage of a camera was lost because too much of it waited. `shown`: when the first of it was.
    func fellBehind(_ camera: ID<Camera>, shown: WallTime) {
        let listener = state.withLock { state -> (@Sendable () -> Void)? in
            guard state.behind[camera] == nil else { return nil }
            state.behind[camera] = shown
            return state.onTrouble
        }
        listener?()
    }

    /// What was left of it is written.
    func caughtUp(_ camera: ID<Camera>) {
        let listener = state.withLock { state in state.behind.removeValue(forKey: camera) == nil ? nil : state.onTrouble }
        listener?()
    }

    /// Notes that a disk refuses; logged once until it works again. `shown`: when what was to be written was.
    func failed(_ error: any Error, on lane: WritingLane, camera: String, shown: WallTime? = nil) {
        totals.withLock { $0.failures += 1 }
        let trouble = Self.trouble(error)
        let (isNew, isOther) = lane.noteFailure("\(error)", trouble, shown: shown)
        let (listener, pressure) = state.withLock { (isOther ? $0.onTrouble : nil, trouble.isFull ? $0.onPressure : nil) }
        listener?()
        pressure?()
        if isNew {
            logger.error(
                "recording cannot be written; cameras stay connected and recording goes on by itself when the disk works again",
                metadata: ["camera": "\(camera)", "error": "\(error)"])
        }
    }

    func worked(on lane: WritingLane) {
        guard lane.worked() else { return }
        state.withLock { $0.onTrouble }?()
        logger.notice("recording is written again")
        tryRows(lane)
    }

    private static func trouble(_ error: any Error) -> Trouble {
        if let error = error as? FileError {
            let reason = error.isFull ? "the disk is full" : error.code == ENODEV ? "the folder for recordings is not mounted" : error.systemText
            return Trouble(isFull: error.isFull, reason: reason)
        }
        let isFull = (error as? NVRError)?.kind == .exhausted
        return Trouble(isFull: isFull, reason: isFull ? "the disk is full" : "the database cannot be written")
    }
}
