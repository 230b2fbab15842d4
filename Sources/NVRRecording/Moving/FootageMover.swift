package import Logging
package import NVRBase
package import NVRModel
package import NVRStore
import Synchronization

/// Moves footage that is old enough to the volume its camera names for it: copy, sync, compare, switch the row, delete the original. It plays
/// at every moment, and a move that was interrupted goes on where it was. One thread of low priority does it, one segment after another.
package final class FootageMover: Sendable {
    /// How far a move is.
    package enum Step: Sendable, CaseIterable {
        case noted, copied, synced, compared, named, switched, deleted
    }

    /// What a round did.
    package struct Report: Sendable, Hashable {
        package var moved = 0
        package var bytes: Int64 = 0
        /// Segments that stayed where they are, by reason for a person.
        package var failures: [String] = []

        package init() {}
    }

    private static let page = 200
    /// Bytes of a volume that moves leave free; at most a fiftieth of it.
    private static let keptFree: Int64 = 64 << 20

    private let volumes: Volumes
    private let store: Store
    private let removal: MediaRemoval
    private let clock: any NVRClock
    private let logger: Logger
    private let thread = BlockingThread(name: "mover", niceness: 15)
    /// For tests: hears of every step after it; what it throws ends the move there, as a crash would.
    private let afterStep: @Sendable (Step) async throws -> Void
    /// Where a round of each stream may begin: everything older has moved.
    private let reached = Mutex<(begun: WallTime?, ends: [Stretch: WallTime])>((nil, [:]))
    /// Microseconds after which a round looks at all footage again: what was found again in the meantime may be old.
    private static let memory: Int64 = 12 * 3_600_000_000

    private struct Stretch: Hashable {
        var rule: MovePlan.Rule
        var role: StreamRole
    }

    package init(
        volumes: Volumes, store: Store, removal: MediaRemoval, clock: any NVRClock, logger: Logger,
        afterStep: @escaping @Sendable (Step) async throws -> Void = { _ in }
    ) {
        self.volumes = volumes
        self.store = store
        self.removal = removal
        self.clock = clock
        self.logger = logger
        self.afterStep = afterStep
    }

    deinit { thread.stop() }

    // MARK: Running

    /// Works at once, whenever cameras, profiles or its settings change, and every `archival_interval_hours`, until the task is cancelled.
    package func run() async {
        let changes = store.changes.subscribe()
        let (wishes, wish) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        wish.yield()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await change in changes {
                    switch change {
                    case .camera, .storageProfile: wish.yield()
                    case .setting(let name) where name.hasPrefix("archival_"): wish.yield()
                    default: continue
                    }
                }
                wish.finish()
            }
            group.addTask {
                // The next round comes by itself; a wish that comes sooner begins it sooner.
                var alarm: Task<Void, Never>?
                for await _ in wishes {
                    alarm?.cancel()
                    alarm = nil
                    if let pause = await self.round() { alarm = Self.alarm(after: pause, wish) }
                }
                alarm?.cancel()
            }
            await group.waitForAll()
        }
    }

    private static func alarm(after pause: Duration, _ wish: AsyncStream<Void>.Continuation) -> Task<Void, Never> {
        Task {
            // Cancelled when a round comes sooner.
            guard (try? await Task.sleep(for: pause)) != nil else { return }
            wish.yield()
        }
    }

    /// Gives the time to the next round; nil when there will be none before something changes.
    private func round() async -> Duration? {
        do {
            let settings = try await store.settings.values()
            guard settings[Settings.archivalEnabled] else { return nil }
            let report = try await moveDue(at: WallTime(microseconds: clock.wall()))
            if report.moved > 0 || !report.failures.isEmpty {
                logger.notice(
                    "footage was moved to other volumes",
                    metadata: ["segments": "\(report.moved)", "bytes": "\(report.bytes)", "failures": "\(report.failures.prefix(3))"])
            }
            // What failed is tried again sooner: a volume may be back by then.
            if !report.failures.isEmpty { return .seconds(60) }
            return MovePlan.rules(try await store.cameras.all()).isEmpty ? nil : .seconds(3600 * settings[Settings.archivalIntervalHours])
        } catch is CancellationError {
            return nil
        } catch {
            logger.error("footage could not be moved to other volumes; it is tried again", metadata: ["error": "\(error)"])
            return .seconds(60)
        }
    }

    /// One round: what was interrupted goes on or is cleared away, then everything that is old enough moves. Ends early when the task is
    /// cancelled.
    package func moveDue(at now: WallTime) async throws -> Report {
        var report = Report()
        reached.withLock { reached in
            if let begun = reached.begun, abs(now.microseconds(since: begun)) < Self.memory { return }
            reached = (now, [:])
        }
        try await takeUp(&report)
        try await removal.sweep()
        for rule in MovePlan.rules(try await store.cameras.all()) {
            for role in StreamRole.allCases { try await move(Stretch(rule: rule, role: role), now, &report) }
        }
        return report
    }

    private func move(_ stretch: Stretch, _ now: WallTime, _ report: inout Report) async throws {
        var after = reached.withLock { $0.ends[stretch] } ?? WallTime(microseconds: .min)
        var isUnbroken = true
        while !Task.isCancelled {
            let page = try await store.segments.movable(
                stretch.rule.camera, stretch.role, to: stretch.rule.target, after: after, before: stretch.rule.limit(now: now), limit: Self.page)
            guard let last = page.last else { return }
            let usable = try await thread.run { [volumes] in volumes.confirmed() }
            guard usable.contains(stretch.rule.target) else {
                report.failures.append("the volume \(stretch.rule.target) is not there")
                return
            }
            let due = MovePlan.moves(page, by: stretch.rule, now: now, usable: usable)
            isUnbroken = isUnbroken && due.count == page.count
            for entry in due {
                try Task.checkCancellation()
                let failure = try await move(entry, to: stretch.rule.target)
                guard let failure else {
                    report.moved += 1
                    report.bytes += entry.bytes
                    continue
                }
                isUnbroken = false
                report.failures.append(failure.reason)
                if failure.endsRound { return }
            }
            after = last.start
            if isUnbroken { reached.withLock { $0.ends[stretch] = after } }
        }
    }

    // MARK: One move

    private struct Failure {
        var reason: String
        /// The next segment would fare no better.
        var endsRound = false
    }

    /// Moves one segment; nil when it has moved or is gone.
    private func move(_ entry: SegmentEntry, to target: VolumeID) async throws -> Failure? {
        guard try await store.segments.noteMove(of: entry, to: target) else { return nil }
        try await afterStep(.noted)
        return try await carryOn(NotedMove(segment: entry.id, target: FootagePlace(target, entry.path)), entry.place, entry.bytes)
    }

    private func carryOn(_ move: NotedMove, _ from: FootagePlace, _ bytes: Int64) async throws -> Failure? {
        do {
            guard try await hasRoom(move.target, bytes) else { return Failure(reason: "the volume \(move.target.volume) is full", endsRound: true) }
            try await copy(from, to: move.target, bytes: bytes)
        } catch let error as FileError {
            return Failure(reason: "\(error.operation): \(error.systemText)", endsRound: try await suspect([move.target.volume, from.volume], error))
        } catch let error as NVRError where error.kind == .unavailable {
            return Failure(reason: error.message, endsRound: true)
        } catch let error as NVRError where error.kind == .conflict || error.kind == .dataLoss {
            logger.warning("a segment cannot be moved to another volume", metadata: ["path": "\(from.path)", "error": "\(error)"])
            return Failure(reason: error.message)
        }
        // Only while both are what they should be: the original goes with the switch.
        let confirmed = try await thread.run { [volumes] in volumes.confirmed([move.target.volume, from.volume]) }
        guard confirmed.count == 2 else { return Failure(reason: "a volume is not there any more", endsRound: true) }
        guard try await store.segments.finishMove(move, from: from.volume, bytes: bytes) else {
            try await clear(move)
            return nil
        }
        try await afterStep(.switched)
        try await removal.sweep()
        try await afterStep(.deleted)
        return nil
    }

    /// Puts a true copy in its place. What an earlier try has done is not done again.
    private func copy(_ from: FootagePlace, to target: FootagePlace, bytes: Int64) async throws {
        guard let root = volumes.root(of: target.volume) else { throw NVRError(.unavailable, "the volume is not known any more") }
        let (source, path) = (try volumes.file(from), try volumes.file(target))
        guard try await !isThere(source, path, bytes) else { return }
        let rate = Int64(try await store.settings.values()[Settings.archivalMaxMBPerSecond]) << 20
        var pace = MovePace(rate: rate > 0 ? rate : nil, now: clock.monotonic())
        let work = try await begin(source, target, path, below: root, bytes)
        while !work.isWhole {
            let count = try await thread.run { () throws -> Int64 in try work.copyNext() }
            let wait = pace.copied(count, now: clock.monotonic())
            if wait > 0 { try await Task.sleep(for: .microseconds(wait)) }
            try Task.checkCancellation()
        }
        try await afterStep(.copied)
        try await thread.run { () throws -> Void in try work.sync() }
        try await afterStep(.synced)
        let isTrue = try await thread.run { () throws -> Bool in
            if try work.isTrue() { return true }
            // Begun anew by the next round.
            try POSIXFile.remove(work.partPath)
            return false
        }
        guard isTrue else { throw NVRError(.dataLoss, "the copy differs from the original") }
        try await afterStep(.compared)
        try await thread.run { () throws -> Void in try work.name() }
        try await afterStep(.named)
    }

    /// Begins a copy, but nothing where the volume is not mounted.
    private func begin(_ source: String, _ target: FootagePlace, _ path: String, below root: String, _ bytes: Int64) async throws -> SegmentCopy {
        try await thread.run { [volumes] () throws -> SegmentCopy in
            let absence = NVRError(.unavailable, "the volume \(target.volume) is not there any more")
            guard volumes.confirm(target.volume) else { throw absence }
            let work = try SegmentCopy(from: source, to: path, below: root, length: bytes)
            guard volumes.confirm(target.volume) else {
                // It went in between: then this lies where it was mounted.
                try POSIXFile.remove(work.partPath)
                if let folder = POSIXFile.parent(of: path) { POSIXFile.removeEmptyDirectories(from: folder, below: root) }
                throw absence
            }
            return work
        }
    }

    /// Whether a true copy has its name already. Throws `conflict` when another file has it.
    private func isThere(_ source: String, _ path: String, _ bytes: Int64) async throws -> Bool {
        try await thread.run { () throws -> Bool in
            guard POSIXFile.exists(path) else { return false }
            guard try SegmentCopy.isSame(source, path, length: bytes) else {
                throw NVRError(.conflict, "a file that nobody knows lies where footage is to move")
            }
            return true
        }
    }

    private func hasRoom(_ target: FootagePlace, _ bytes: Int64) async throws -> Bool {
        try await thread.run { [volumes] () throws -> Bool in
            guard let root = volumes.root(of: target.volume) else { throw NVRError(.unavailable, "the volume is not known any more") }
            let space = try POSIXFile.space(at: root)
            let part = POSIXFile.length(at: SegmentCopy.part(of: "\(root)/\(target.path)")) ?? 0
            return space.free + part - bytes >= min(Self.keptFree, space.total / 50)
        }
    }

    /// A file operation failed: whose fault is it? True when a volume is not there any more.
    private func suspect(_ suspects: Set<VolumeID>, _ error: FileError) async throws -> Bool {
        guard error.isOfVolume, !error.isMissing || suspects.contains(where: { $0 != .standard }) else { return error.isFull }
        return try await thread.run { [volumes] in volumes.confirmed(suspects).count < suspects.count }
    }

    // MARK: What was interrupted

    /// Goes on with the moves of the last run, or clears away what is left of them.
    private func takeUp(_ report: inout Report) async throws {
        for move in try await store.segments.moves() {
            try Task.checkCancellation()
            let usable = try await thread.run { [volumes] in volumes.confirmed() }
            guard usable.contains(move.target.volume) else { continue }
            guard let segment = try await store.segments.get(move.segment), segment.state == .finished, segment.path == move.target.path,
                segment.volume != move.target.volume
            else {
                try await clear(move)
                continue
            }
            guard usable.contains(segment.volume) else { continue }
            if let failure = try await carryOn(move, segment.place, segment.bytes) {
                report.failures.append(failure.reason)
            } else {
                report.moved += 1
                report.bytes += segment.bytes
            }
        }
    }

    /// Nobody needs the copy: it goes, unless the segment lies there by now.
    private func clear(_ move: NotedMove) async throws {
        let owner = try await store.segments.byPath(move.target.path)
        let isInUse = owner?.volume == move.target.volume
        let isCleared = try await thread.run { [volumes] () throws -> Bool in
            guard volumes.confirm(move.target.volume) else { return false }
            let path = try volumes.file(move.target)
            try POSIXFile.remove(SegmentCopy.part(of: path))
            if !isInUse { try POSIXFile.remove(path) }
            return volumes.confirm(move.target.volume)
        }
        if isCleared { try await store.segments.forgetMove(move) }
    }
}
