package import Logging
package import NVRBase
package import NVRModel
package import NVRStore
import Synchronization

/// Moves footage and snapshots that are old enough to the volume their camera names for them, a folder or a bucket: copy, sync, compare,
/// switch the row, delete the original. They can be had at every moment, and a move that was interrupted goes on where it was. Threads of
/// low priority read and write, one file after another.
package final class FootageMover: Sendable {
    /// How far a move is.
    package enum Step: Sendable, CaseIterable {
        case noted, copied, synced, compared, named, switched, deleted
    }

    /// What a round did.
    package struct Report: Sendable, Hashable {
        package var moved = 0
        package var bytes: Int64 = 0
        /// Files that stayed where they are, by reason for a person.
        package var failures: [String] = []

        package init() {}
    }

    private static let page = 200
    /// Bytes of a volume that moves leave free; at most a fiftieth of it.
    static let keptFree: Int64 = 64 << 20

    let volumes: Volumes
    let store: Store
    private let removal: MediaRemoval
    let clock: any NVRClock
    let logger: Logger
    /// By the volume to which footage moves.
    let threads: VolumeThreads
    /// For tests: hears of every step after it; what it throws ends the move there, as a crash would.
    let afterStep: @Sendable (Step) async throws -> Void
    /// Where a round of each stream may begin: everything older has moved.
    private let reached = Mutex<(begun: WallTime?, ends: [Stretch: WallTime])>((nil, [:]))
    /// Buckets in which what an earlier run left half-made was given up.
    let tidied = Mutex<Set<VolumeID>>([])
    /// Microseconds after which a round looks at all footage again: what was found again in the meantime may be old.
    private static let memory: Int64 = 12 * 3_600_000_000

    private struct Stretch: Hashable {
        enum Kind: Hashable {
            case recordings(StreamRole)
            case snapshots(Event.Kind)
        }

        var rule: MovePlan.Rule
        var kind: Kind

        static let kinds = StreamRole.allCases.map(Kind.recordings) + Event.Kind.allCases.map(Kind.snapshots)
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
        threads = VolumeThreads("mover", volumes: volumes, niceness: 15)
    }

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
                    case .camera, .storageProfile, .s3Profile: wish.yield()
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
                    metadata: ["files": "\(report.moved)", "bytes": "\(report.bytes)", "failures": "\(report.failures.prefix(3))"])
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
        let rules = MovePlan.rules(try await store.cameras.all())
        try await tidy(Set(rules.map(\.target)))
        try await takeUp(&report)
        try await removal.sweep()
        for rule in rules {
            for kind in Stretch.kinds { try await move(Stretch(rule: rule, kind: kind), now, &report) }
        }
        return report
    }

    /// The next files that may move, oldest first.
    private func page(_ stretch: Stretch, after: WallTime, _ now: WallTime) async throws -> [MovableFile] {
        let (rule, before) = (stretch.rule, stretch.rule.limit(now: now))
        switch stretch.kind {
        case .recordings(let role):
            let entries = try await store.segments.movable(rule.camera, role, to: rule.target, after: after, before: before, limit: Self.page)
            return entries.map { MovableFile(.segment($0.id), place: $0.place, start: $0.start, bytes: $0.bytes) }
        case .snapshots(let kind):
            return try await store.segments.movablePictures(
                rule.camera, kind, to: rule.target, after: after, before: before, limit: Self.page)
        }
    }

    private func move(_ stretch: Stretch, _ now: WallTime, _ report: inout Report) async throws {
        var after = reached.withLock { $0.ends[stretch] } ?? WallTime(microseconds: .min)
        var isUnbroken = true
        while !Task.isCancelled {
            let page = try await page(stretch, after: after, now)
            guard let last = page.last else { return }
            if let failure = try await prepare(stretch.rule.target) {
                report.failures.append(failure)
                return
            }
            let usable = try await standing(Set(page.map(\.place.volume)).union([stretch.rule.target]))
            let due = MovePlan.moves(page, by: stretch.rule, now: now, usable: usable)
            isUnbroken = isUnbroken && due.count == page.count
            for file in due {
                try Task.checkCancellation()
                guard let failure = try await move(file, to: stretch.rule.target) else {
                    report.moved += 1
                    report.bytes += file.bytes
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

    /// Why nothing can move to a volume now; nil when it can.
    private func prepare(_ target: VolumeID) async throws -> String? {
        if let remote = volumes.remote(target) {
            do { try await remote.mark() } catch let error as NVRError { return error.message }
        }
        return try await standing([target]).isEmpty ? "the volume \(target) is not there" : nil
    }

    /// Those of some volumes that are there and the right ones now.
    func standing(_ wanted: Set<VolumeID>) async throws -> Set<VolumeID> {
        var standing = await threads.confirmed(wanted)
        for volume in wanted where volume.isRemote {
            if await volumes.remote(volume)?.isRightOne() == true { standing.insert(volume) }
        }
        return standing
    }

    // MARK: One move

    private struct Failure {
        var reason: String
        /// The next file would fare no better.
        var endsRound = false
    }

    /// Moves one file; nil when it has moved or is gone.
    private func move(_ file: MovableFile, to target: VolumeID) async throws -> Failure? {
        guard try await store.segments.noteMove(of: file, to: target) else { return nil }
        try await afterStep(.noted)
        return try await carryOn(NotedMove(file.subject, target: FootagePlace(target, file.place.path)), file)
    }

    private func carryOn(_ noted: NotedMove, _ file: MovableFile) async throws -> Failure? {
        var move = noted
        let both: Set<VolumeID> = [move.target.volume, file.place.volume]
        do {
            if let remote = volumes.remote(move.target.volume) {
                try await upload(file, &move, into: remote)
            } else {
                guard try await hasRoom(move.target, file.bytes) else {
                    return Failure(reason: "the volume \(move.target.volume) is full", endsRound: true)
                }
                try await copy(file, to: move.target)
            }
        } catch let error as FileError {
            return Failure(reason: "\(error.operation): \(error.systemText)", endsRound: try await suspect(both, error))
        } catch let error as NVRError where error.kind == .unavailable {
            return Failure(reason: error.message, endsRound: true)
        } catch let error as NVRError where [.conflict, .dataLoss, .notFound].contains(error.kind) {
            logger.warning("a file cannot be moved to another volume", metadata: ["path": "\(file.place.path)", "error": "\(error)"])
            return Failure(reason: error.message)
        }
        // Only while both are what they should be: the original goes with the switch.
        guard try await standing(both).count == 2 else { return Failure(reason: "a volume is not there any more", endsRound: true) }
        guard try await store.segments.finishMove(move, of: file) else {
            try await clear(move)
            return nil
        }
        try await afterStep(.switched)
        try await removal.sweep()
        try await afterStep(.deleted)
        return nil
    }

    /// A file operation failed: whose fault is it? True when a volume is not there any more.
    private func suspect(_ suspects: Set<VolumeID>, _ error: FileError) async throws -> Bool {
        guard error.isOfVolume, !error.isMissing || suspects.contains(where: { $0 != .standard }) else { return error.isFull }
        return try await standing(suspects).count < suspects.count
    }

    // MARK: What was interrupted

    /// Goes on with the moves of the last run, or clears away what is left of them.
    private func takeUp(_ report: inout Report) async throws {
        for move in try await store.segments.moves() {
            try Task.checkCancellation()
            guard try await !standing([move.target.volume]).isEmpty else { continue }
            guard let file = try await store.segments.movable(move) else {
                try await clear(move)
                continue
            }
            guard try await !standing([file.place.volume]).isEmpty else { continue }
            if let failure = try await carryOn(move, file) {
                report.failures.append(failure.reason)
            } else {
                report.moved += 1
                report.bytes += file.bytes
            }
        }
    }

    /// Nobody needs the copy: it goes, unless the file lies there by now.
    private func clear(_ move: NotedMove) async throws {
        let path = move.target.path
        let owner =
            switch move.subject {
            case .segment: try await store.segments.byPath(path)?.volume
            case .picture: try await store.events.owningPicture(path)?.volume
            }
        let isInUse = owner == move.target.volume
        let isCleared =
            if let remote = volumes.remote(move.target.volume) {
                try await clear(move, isInUse: isInUse, in: remote)
            } else {
                try await clearFolder(of: move, isInUse: isInUse)
            }
        if isCleared { try await store.segments.forgetMove(move) }
    }
}
