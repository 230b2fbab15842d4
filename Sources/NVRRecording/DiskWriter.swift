package import Logging
package import NVRBase
package import NVRModel
import NVRStore
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The one thread that writes to a storage root. Recordings queue chunks with their `SegmentWriter`s; this serves them one after
/// another, syncs what was written at least once a second, and waits when the disk is full or fails until it works again.
package final class DiskWriter: Sendable {
    private struct State {
        var dirty: [ObjectIdentifier: SegmentWriter] = [:]
        var lastSync: Int64 = 0
        /// Somebody comes back for what was written since.
        var isSyncAwaited = false
        var failure: String?
        /// The failure as people who only watch may hear it.
        var trouble: Trouble?
        /// Cameras that lost footage because the disk was too slow, and have not caught up; when what they lost first was shown.
        var behind: [ID<Camera>: WallTime] = [:]
        var onTrouble: (@Sendable () -> Void)?
        /// Hears when so many bytes were written since, or when the disk is full.
        var onPressure: (@Sendable () -> Void)?
        var unheard: Int64 = 0
        var pressureInterval = DiskWriter.longestPressureInterval
        var isStopping = false
        /// Recordings whose last write the disk refused, in the order of their turns.
        var refused: [SegmentWriter] = []
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

    /// Microseconds between rounds of syncing. With a fragment of a second, a power cut costs a second and a half and what a sync takes;
    /// longer rounds would save nothing, since a file is written once a second.
    static let syncInterval: Int64 = 500_000
    /// Bytes of a volume that footage leaves free; at most a fiftieth of it.
    static let keptFree: Int64 = 64 << 20
    /// Microseconds between tries when the disk refuses.
    static let retryInterval: Int64 = 500_000
    /// Bytes written between two looks at the free space, at most.
    static let longestPressureInterval: Int64 = 16 << 20
    /// Bytes that wait for the disk at most, of each recorded stream, unless somebody sets it.
    package static let defaultBuffer = 32 << 20

    package let layout: RecordingLayout
    package let growing = GrowingSegments()
    package let ahead = SpaceAhead()
    let thread = BlockingThread(name: "disk", stackBytes: 1 << 20)
    let ledger: any SegmentLedger
    let clock: any NVRClock
    let logger: Logger
    /// Bytes that wait for the disk at most, of each recorded stream.
    let bufferBytes: Int
    /// Changed on the thread only.
    let waitingRows = Mutex(WaitingRows())
    let rowFailure = Mutex<String?>(nil)
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

    /// Why nothing can be written now; nil while writing works.
    package var failure: String? { state.withLock { $0.failure } ?? rowFailure.withLock { $0 } }

    /// Runs `body` on the writing thread, after what is queued.
    package func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await thread.run(body)
    }

    func schedule(_ writer: SegmentWriter) {
        thread.enqueue { [self] in
            writer.drain()
            syncIfDue()
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

    func markDirty(_ writer: SegmentWriter) {
        state.withLock { $0.dirty[ObjectIdentifier(writer)] = writer }
    }

    func clean(_ writer: SegmentWriter) {
        state.withLock { _ = $0.dirty.removeValue(forKey: ObjectIdentifier(writer)) }
    }

    private func syncIfDue() {
        let now = clock.monotonic()
        let (due, wait) = state.withLock { state -> ([SegmentWriter], Int64?) in
            let left = state.lastSync + Self.syncInterval - now
            guard left <= 0 else {
                // Nobody else may write before that.
                guard !state.dirty.isEmpty, !state.isSyncAwaited, !state.isStopping else { return ([], nil) }
                state.isSyncAwaited = true
                return ([], left)
            }
            state.lastSync = now
            defer { state.dirty.removeAll(keepingCapacity: true) }
            return (Array(state.dirty.values), nil)
        }
        if let wait {
            wake(after: wait) { disk in
                disk.state.withLock { $0.isSyncAwaited = false }
                disk.syncIfDue()
            }
        }
        guard !due.isEmpty else { return }
        for writer in due { writer.beginWriteback() }
        for writer in due { writer.awaitWriteback() }
        for writer in due { writer.sync() }
        totals.withLock { $0.syncs += due.count }
    }

    /// Refuses footage that would take the last space of its volume, which the database may need: it has to note what is deleted.
    func demandSpace(for bytes: Int, on volume: VolumeID = .standard) throws {
        let root = layout.volumes.root(of: volume) ?? layout.root
        // A volume that cannot be asked says so when it is written to.
        guard let space = try? POSIXFile.space(at: root), space.free - Int64(bytes) < min(Self.keptFree, space.total / 50) else { return }
        throw FileError.full(root)
    }

    /// Notes that the disk refuses; logged once until it works again. `shown`: when what was to be written was.
    func failed(_ error: any Error, camera: String, shown: WallTime? = nil) {
        totals.withLock { $0.failures += 1 }
        var trouble = Self.trouble(error)
        let (isNew, listener, pressure) = state.withLock { state -> (Bool, (@Sendable () -> Void)?, (@Sendable () -> Void)?) in
            trouble.since = [state.trouble?.since, shown].compactMap { $0 }.min()
            let isOfAnotherKind = state.trouble?.isFull != trouble.isFull
            defer {
                state.failure = "\(error)"
                state.trouble = trouble
            }
            return (state.failure == nil, isOfAnotherKind ? state.onTrouble : nil, trouble.isFull ? state.onPressure : nil)
        }
        listener?()
        pressure?()
        if isNew {
            logger.error(
                "recording cannot be written; cameras stay connected and recording goes on by itself when the disk works again",
                metadata: ["camera": "\(camera)", "error": "\(error)"])
        }
    }

    func worked() {
        let (was, listener) = state.withLock { state -> (String?, (@Sendable () -> Void)?) in
            defer {
                state.failure = nil
                state.trouble = nil
            }
            return (state.failure, state.failure == nil ? nil : state.onTrouble)
        }
        guard was != nil else { return }
        listener?()
        logger.notice("recording is written again")
        tryRows()
    }

    /// A recording whose write was refused gets another turn soon, together with all others that wait; the thread does not.
    func retryLater(_ writer: SegmentWriter) {
        let isFirst = state.withLock { state in
            defer { if !state.refused.contains(where: { $0 === writer }) { state.refused.append(writer) } }
            return state.refused.isEmpty
        }
        if isFirst { wake(after: Self.retryInterval) { $0.retryRefused() } }
    }

    private func retryRefused() {
        let writers = state.withLock { state in
            defer { state.refused = [] }
            return state.refused
        }
        for writer in writers { writer.drain() }
        syncIfDue()
    }

    /// Runs `body` on the thread after a while; not at all when it has ended by then.
    func wake(after microseconds: Int64, _ body: @escaping @Sendable (DiskWriter) -> Void) {
        Task { [weak self] in
            // Nobody cancels it.
            try? await Task.sleep(for: .microseconds(microseconds))
            guard let self else { return }
            thread.enqueue { body(self) }
        }
    }

    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Writers end their tries; what is queued is written when the disk allows it at once, and so are the rows that wait.
    package func stop() async {
        state.withLock { $0.isStopping = true }
        // The thread only refuses when it has ended already, and then nothing is queued.
        try? await thread.run { [self] in
            retryRefused()
            syncIfDue()
        }
        // A turn that had begun before has queued its next one by now.
        try? await thread.run { [self] in tryRows() }
        let left = waitingRows.withLock { $0.count }
        if left > 0 { logger.warning("the database did not take the last rows; the next start finishes them", metadata: ["rows": "\(left)"]) }
        thread.stop()
    }
}

// MARK: Trouble

extension DiskWriter {
    /// What keeps footage of a camera from being written now; nil while writing works.
    package func trouble(of camera: ID<Camera>) -> Trouble? {
        state.withLock { state in
            let lost = state.behind[camera]
            if var trouble = state.trouble {
                trouble.since = [trouble.since, lost].compactMap { $0 }.min()
                return trouble
            }
            return lost.map { Trouble(isFull: false, reason: "the disk is too slow", since: $0) }
        }
    }

    /// `listener` hears on any thread that `trouble` may have changed; it must not block.
    package func onTrouble(_ listener: @escaping @Sendable () -> Void) { state.withLock { $0.onTrouble = listener } }

    /// `listener` hears on the writing thread that the free space should be looked at; it must not block.
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

    private static func trouble(_ error: any Error) -> Trouble {
        if let error = error as? FileError {
            let reason = error.isFull ? "the disk is full" : error.code == ENODEV ? "the folder for recordings is not mounted" : error.systemText
            return Trouble(isFull: error.isFull, reason: reason)
        }
        let isFull = (error as? NVRError)?.kind == .exhausted
        return Trouble(isFull: isFull, reason: isFull ? "the disk is full" : "the database cannot be written")
    }
}

// MARK: Pictures

extension DiskWriter {
    /// Writes a picture whole or not at all, over an older one of the same path.
    package func store(picture: [UInt8], path: String) async throws {
        try await thread.run { [layout] in
            let absolute = try layout.absolute(FootagePlace(.standard, path))
            if let folder = POSIXFile.parent(of: absolute) { try POSIXFile.makeDirectories(folder) }
            try Self.write(try layout.cipher.stored(picture: picture), to: absolute, replacing: true)
        }
    }

    /// Deletes a picture that nothing refers to; a missing one is no error.
    package func remove(picture path: String, volume: VolumeID = .standard) async throws {
        _ = try await thread.run { [layout] in try POSIXFile.remove(try layout.absolute(FootagePlace(volume, path))) }
    }

    /// Writes a snapshot under the first free name of its pattern to a volume, or to the default one when that is not there. `isTaken`:
    /// whether a path is known already, on whatever volume.
    package func store(
        snapshot: [UInt8], camera: ID<Camera>, pattern: String, time: WallTime, volume: VolumeID = .standard,
        isTaken: @escaping @Sendable (String) async throws -> Bool = { _ in false }
    ) async throws -> FootagePlace {
        try await thread.run { [self] in
            let wished = confirmedVolume(volume)
            do {
                return try store(snapshot, camera, pattern, time, on: wished, isTaken)
            } catch let error as FileError where wished != .standard && error.isOfVolume {
                layout.volumes.distrust(wished, reason: error.systemText, at: WallTime(microseconds: clock.wall()))
                return try store(snapshot, camera, pattern, time, on: .standard, isTaken)
            }
        }
    }

    private func store(
        _ snapshot: [UInt8], _ camera: ID<Camera>, _ pattern: String, _ time: WallTime, on volume: VolumeID,
        _ isTaken: @escaping @Sendable (String) async throws -> Bool
    ) throws -> FootagePlace {
        for attempt in 0..<100 {
            let path = layout.path(camera: camera, pattern: pattern, time: time, fileExtension: "jpg", attempt: attempt)
            let place = FootagePlace(volume, path)
            try demandPresence(volume)
            let absolute = try layout.absolute(place)
            if try POSIXFile.exists(absolute) || blockingWait({ try await isTaken(path) }) { continue }
            try makeFolder(of: absolute, on: volume)
            try Self.write(try layout.cipher.stored(picture: snapshot), to: absolute, replacing: false)
            return place
        }
        throw NVRError(.conflict, "100 snapshots named like \(pattern) are there already for one second")
    }

    private static func write(_ bytes: [UInt8], to path: String, replacing: Bool) throws {
        let folder = POSIXFile.parent(of: path)
        let temporary = path + ".part"
        try POSIXFile.remove(temporary)
        do {
            let file = try POSIXFile.create(temporary)
            try bytes.withUnsafeBytes { try file.write([$0], at: 0) }
            try file.sync()
            try POSIXFile.rename(temporary, to: path)
        } catch {
            // The failure itself is reported; a leftover is overwritten by the next try.
            _ = try? POSIXFile.remove(temporary)
            throw error
        }
        if let folder { try POSIXFile.syncDirectory(folder) }
    }
}
