package import Logging
package import NVRBase
package import NVRModel
package import NVRStore
import ServiceLifecycle
import Synchronization

/// Applies the rules of retention by the clock and when somebody asks, and keeps the floor of free space while the disk is written to.
/// One run at a time. Any task may use it.
package final class RetentionService: Service {
    /// Why a run did less than the rules say.
    package enum Stop: Sendable, Hashable {
        /// More than may be deleted without somebody's word.
        case share
        case doubt(SpaceProof.Doubt)
        /// Nothing is left that may be deleted.
        case nothingLeft
        case interrupted
        case failed

        package var cause: String {
            switch self {
            case .share: "share"
            case .doubt(let doubt): doubt.rawValue
            case .nothingLeft: "nothing_left"
            case .interrupted: "interrupted"
            case .failed: "failed"
            }
        }
    }

    /// What a run was to do and did.
    package struct Report: Sendable {
        package var aim: RetentionPlan.Aim
        package var at: WallTime
        package var isDryRun = false
        package var planned = RetentionPlan.Sum()
        package var plannedByReason: [RetentionPlan.Reason: RetentionPlan.Sum] = [:]
        package var withheld = RetentionPlan.Sum()
        package var unmet: [RetentionPlan.Reason: Int64] = [:]
        package var undated = 0
        package var outcome = RetentionOutcome()
        package var stop: Stop?
        /// In words, when there is a stop.
        package var reason: String?
        /// Microseconds that passed on the clock and that nobody saw pass: they make nothing older.
        package var unseen: Int64 = 0
    }

    /// For whoever watches over the server.
    package struct Status: Sendable {
        /// The last run by the rules, and the last that made space.
        package var last: Report?
        package var lastSpace: Report?
        /// Why less is deleted than should be, since when; nil while all is well.
        package var alarm: (cause: String, reason: String, since: WallTime)?
        package var isRunning = false
    }

    private struct State {
        var status = Status()
        var clock: RetentionClock?
        var budget = RetentionBudget()
        var runAt: WallTime?
        /// What was written when the rules were applied last, and when space was made last; nil before the first time in this process.
        var writtenAtRules: Int64?
        var writtenAtSpace: Int64?
        var spaceTriedAt: Int64?
    }

    let store: Store
    let removal: MediaRemoval
    let planning: RetentionPlanning
    private let measures: MediaRemoval.Measures
    private let onFloor: @Sendable (Int64) -> Void
    let volumes: @Sendable () async throws -> [(id: VolumeID, root: String)]
    let clock: any NVRClock
    private let logger: Logger
    /// Looks at the free space.
    let threads: VolumeThreads
    private let state = Mutex(State())
    private let looks: AsyncStream<Void>
    private let look: AsyncStream<Void>.Continuation

    /// Microseconds of monotonic time between tries to make space that did not do.
    private static let spacePause: Int64 = 10_000_000
    private static let hour: Int64 = 3_600_000_000

    /// `volumes`: those whose floor is kept, with their folders; `onFloor` hears how many bytes the smallest is to keep free.
    package init(
        store: Store, removal: MediaRemoval, measures: MediaRemoval.Measures,
        volumes: @escaping @Sendable () async throws -> [(id: VolumeID, root: String)],
        onFloor: @escaping @Sendable (Int64) -> Void = { _ in }, clock: any NVRClock, logger: Logger
    ) {
        self.store = store
        self.removal = removal
        planning = RetentionPlanning(store: store)
        self.measures = measures
        self.volumes = volumes
        self.onFloor = onFloor
        self.clock = clock
        self.logger = logger
        threads = VolumeThreads("floor", volumes: removal.layout.volumes)
        (looks, look) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    package var status: Status { state.withLock { $0.status } }
    private var now: WallTime { WallTime(microseconds: clock.wall()) }

    /// Something was written, or could not be: the free space is to be looked at. Any thread may say so; it takes no time.
    package func spaceMayBeShort() { look.yield() }

    // MARK: By the clock

    package func run() async throws {
        let changes = store.changes.subscribe()
        let (wishes, wish) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        wish.yield()
        look.yield()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in wishes { await self.cleanUpWhenDue() }
            }
            group.addTask {
                for await _ in self.looks { await self.keepFloor() }
            }
            group.addTask {
                for await change in changes {
                    if case .setting(let key) = change, key.hasPrefix("cleanup_") || key.hasPrefix("storage_floor") {
                        wish.yield()
                        self.look.yield()
                    }
                }
            }
            group.addTask {
                // Throws when it is cancelled, and that is the end.
                while (try? await Task.sleep(for: .seconds(3600), tolerance: .seconds(60))) != nil { wish.yield() }
            }
            group.addTask {
                // Ends with the shutdown.
                try? await gracefulShutdown()
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Applies the rules when it is time. Failures are logged and tried again at the next look.
    package func cleanUpWhenDue() async {
        do {
            let settings = try await store.settings.values()
            try await load()
            guard settings[Settings.cleanupEnabled] else { return }
            let (now, runAt) = (now, state.withLock { $0.runAt })
            if let runAt, runAt <= now.advanced(byMicroseconds: Self.hour),
                // Looks are an hour apart: the nearest one counts.
                now.microseconds(since: runAt) < Int64(settings[Settings.cleanupIntervalHours]) * Self.hour - Self.hour / 2
            {
                return
            }
            _ = try await cleanUp(.rules)
        } catch let error as NVRError where error.kind == .conflict {
            // Somebody's run goes on.
        } catch {
            logger.error("the cleanup by the clock failed", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Floor

    /// Looks at the free space of every volume, and makes some where it is less than the floor.
    package func keepFloor() async {
        do {
            let settings = try await store.settings.values()
            guard settings[Settings.cleanupEnabled] else { return }
            var smallest = Int64.max
            for volume in try await volumes() {
                guard let space = try await space(of: volume) else { continue }
                let floor = StorageFloor(gigabytes: settings[Settings.storageFloorGB], total: space.total)
                smallest = min(smallest, floor.bytes)
                onFloor(smallest)
                let missing = floor.shortfall(free: space.free)
                guard missing > 0 else {
                    state.withLock { state in
                        if state.status.lastSpace?.aim.isSpace(of: volume.id) == true { state.status.alarm = state.status.last.flatMap(Self.alarm) }
                    }
                    continue
                }
                let tried = state.withLock { $0.spaceTriedAt }
                if let tried, clock.monotonic() - tried < Self.spacePause { continue }
                let report = try await cleanUp(.space(volume: volume.id, bytes: missing))
                state.withLock { $0.spaceTriedAt = report.stop == nil ? nil : clock.monotonic() }
            }
        } catch let error as NVRError where error.kind == .conflict {
            // The run that goes on makes space as well; the next fragment asks again.
        } catch {
            state.withLock { $0.spaceTriedAt = clock.monotonic() }
            logger.error("the floor of free space cannot be kept", metadata: ["error": "\(error)"])
        }
    }

    /// Free and total bytes of a volume; nil when it does not answer, which keeps the others from nothing.
    private func space(of volume: (id: VolumeID, root: String)) async throws -> (free: Int64, total: Int64)? {
        do {
            return try await threads.run(on: volume.id, patience: .seconds(10)) { try POSIXFile.space(at: volume.root) }
        } catch let error as NVRError where error.kind == .unavailable {
            return nil
        }
    }

    // MARK: Runs

    /// Plans and, unless it is a dry run, deletes. `isConfirmed`: somebody gave his word that all of it may go, and that the clock is
    /// right. Throws `conflict` while another run goes on.
    package func cleanUp(_ aim: RetentionPlan.Aim, isConfirmed: Bool = false, isDryRun: Bool = false) async throws -> Report {
        let isFree = state.withLock { state in
            defer { state.status.isRunning = true }
            return !state.status.isRunning
        }
        guard isFree else { throw NVRError(.conflict, "A cleanup is running") }
        defer { state.withLock { $0.status.isRunning = false } }
        return try await run(aim, isConfirmed: isConfirmed, isDryRun: isDryRun)
    }

    private func run(_ aim: RetentionPlan.Aim, isConfirmed: Bool, isDryRun: Bool) async throws -> Report {
        try await load()
        let now = now
        let monotonic = clock.monotonic()
        let (retentionClock, budget, jump) = state.withLock { state in
            var clock = state.clock ?? RetentionClock()
            let jump = clock.look(now, monotonic: monotonic)
            state.clock = clock
            // A dry run asks what would be, and changes nothing.
            if isConfirmed { clock.trust() }
            if isConfirmed, !isDryRun { state.clock = clock }
            return (clock, state.budget, jump)
        }
        if let jump, !isConfirmed {
            logger.warning(
                "the clock went on by more than a day at once; what is stored does not age by it until somebody confirms a cleanup",
                metadata: ["from": "\(jump.from.iso8601)", "to": "\(jump.to.iso8601)"])
        }
        // Whoever needs space on a disk does not wait for buckets.
        let volumes = if case .space = aim { await removal.confirmed() } else { try await removal.standing() }
        let ground = try await planning.ground(at: now, on: volumes)
        let recorded = try await recorded(for: aim, at: now)
        let allowance = isConfirmed ? nil : budget.allowance(archive: ground.archive, share: ground.rules.share, recorded: recorded, now: now)
        let plan = try await planning.plan(
            ground, clock: retentionClock, aim: aim, allowance: allowance,
            atLeastOne: budget.isWhole(archive: ground.archive, share: ground.rules.share, now: now))
        var report = Report(aim: aim, at: now, isDryRun: isDryRun)
        report.take(plan)
        report.unseen = retentionClock.jumps.reduce(0) { $0 + $1.to.microseconds(since: $1.from) }
        if !isDryRun {
            do {
                let also = Array(ground.rules.cameras.keys)
                report.outcome = try await removal.carryOut(
                    plan, rules: ground.rules, clock: retentionClock, now: now, also: aim == .rules ? also : [], measures: measures)
            } catch {
                report.stop = .failed
                report.reason = "deleting failed"
                finish(report)
                throw error
            }
        }
        report.judge()
        guard !isDryRun else { return report }
        try await settle(report, ground: ground, recorded: recorded, isConfirmed: isConfirmed)
        finish(report)
        return report
    }

    /// Bytes recorded since the rules were applied last, or since space was made last. A disk that is full for the first time may be
    /// full of something else: then nothing counts.
    private func recorded(for aim: RetentionPlan.Aim, at now: WallTime) async throws -> Int64 {
        let written = measures.written(.standard)
        if case .space = aim { return state.withLock { $0.writtenAtSpace }.map { max(0, written - $0) } ?? 0 }
        let (last, since) = state.withLock { ($0.writtenAtRules, $0.runAt) }
        if let last { return max(0, written - last) }
        guard let since, since < now else { return written }
        let begin = max(since, now.advanced(byMicroseconds: -2 * RetentionClock.day))
        return try await store.segments.bytes(since: begin).values.reduce(0, +)
    }

    /// Keeps what the next run, perhaps of another process, has to know.
    private func settle(_ report: Report, ground: RetentionPlanning.Ground, recorded: Int64, isConfirmed: Bool) async throws {
        let written = measures.written(.standard)
        let memory = state.withLock { state in
            if report.outcome.deleted.count > 0 {
                if isConfirmed {
                    state.budget.forgive()
                } else {
                    state.budget.note(
                        deleted: report.outcome.deleted.bytes, archive: ground.archive, share: ground.rules.share, recorded: recorded, now: report.at)
                }
                if case .space = report.aim { state.writtenAtSpace = written }
            }
            if report.aim == .rules, report.stop != .interrupted {
                state.runAt = report.at
                state.writtenAtRules = written
            }
            var memory = RetentionStore.Memory()
            memory.seen = state.clock?.seen
            memory.jumps = state.clock?.jumps.map { ($0.from, $0.to) } ?? []
            memory.spent = state.budget.spent
            memory.spentAt = state.budget.at
            memory.runAt = state.runAt
            return memory
        }
        try await store.retention.remember(memory)
    }

    private func load() async throws {
        guard state.withLock({ $0.clock == nil }) else { return }
        let memory = try await store.retention.memory()
        state.withLock { state in
            guard state.clock == nil else { return }
            state.clock = RetentionClock(memory)
            state.budget = RetentionBudget(spent: memory.spent, at: memory.spentAt)
            state.runAt = memory.runAt
        }
    }

    private static func alarm(_ report: Report) -> (cause: String, reason: String, since: WallTime)? {
        guard let stop = report.stop, stop != .interrupted else { return nil }
        return (stop.cause, report.reason ?? stop.cause, report.at)
    }

    private func finish(_ report: Report) {
        let isNew = state.withLock { state in
            if case .space = report.aim { state.status.lastSpace = report } else { state.status.last = report }
            let old = state.status.alarm
            state.status.alarm = Self.alarm(report)
            if let old, state.status.alarm?.cause == old.cause { state.status.alarm?.since = old.since }
            return state.status.alarm != nil && state.status.alarm?.cause != old?.cause
        }
        if isNew, let reason = report.reason { logger.error("cleanup stopped: \(reason)", metadata: report.metadata) }
        if report.outcome.deleted.count > 0 { logger.info("old recordings were deleted", metadata: report.metadata) }
    }
}

extension RetentionPlan.Aim {
    func isSpace(of volume: VolumeID) -> Bool {
        if case .space(volume, _) = self { true } else { false }
    }
}

extension RetentionService.Report {
    fileprivate mutating func take(_ plan: RetentionPlan) {
        planned = plan.planned
        plannedByReason = plan.plannedByReason
        withheld = plan.withheld
        unmet = plan.unmet
        undated = plan.undated
    }

    /// Why it is less than the rules say, the gravest first.
    fileprivate mutating func judge() {
        if let doubt = outcome.doubt {
            stop = .doubt(doubt)
            reason = doubt.text
        } else if outcome.isInterrupted {
            stop = .interrupted
            reason = "the server ends"
        } else if withheld.count > 0 {
            stop = .share
            reason =
                "\(withheld.count) more files (\(withheld.bytes) bytes) should go, which is more than may be deleted in a day without an administrator's word"
        } else if let missing = unmet.values.max(), missing > 0 {
            stop = .nothingLeft
            reason = "\(missing) bytes more than allowed are stored, and all of it is held, too young or being written"
        }
    }

    fileprivate var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["files": "\(outcome.deleted.count)", "bytes": "\(outcome.deleted.bytes)", "events": "\(outcome.events)"]
        for (reason, sum) in outcome.byReason { metadata[reason.rawValue] = "\(sum.count)" }
        if withheld.count > 0 { metadata["withheld"] = "\(withheld.count)" }
        return metadata
    }
}
