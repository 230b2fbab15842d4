package import Logging
package import NVRBase
import NVRModel
package import NVRStore
import ServiceLifecycle

/// Keeps rows and files of footage together all the time, slowly: lists footage again after a database was lost, and goes round all
/// footage in the background with low priority, so that a failing disk is heard of before somebody needs the footage. What it finds wrong
/// it tells; it removes nothing.
package final class FootageUpkeep: Service {
    /// How much the rounds may cost.
    package struct Pace: Sendable {
        /// Seconds after the start of the program before the first round.
        package var firstAfter = 300
        /// Seconds between rounds.
        package var interval = 86_400
        package var filesPerSecond = 500
        package var bytesPerSecond: Int64 = 8 << 20

        package init() {}
    }

    private let check: IntegrityCheck
    private let layout: RecordingLayout
    private let store: Store
    private let health: HealthLog
    private let pace: Pace
    private let clock: any NVRClock
    private let logger: Logger
    private let onListed: @Sendable () async -> Void

    /// `onListed` is called when footage was listed again.
    package init(
        layout: RecordingLayout, store: Store, health: HealthLog, pace: Pace = Pace(), clock: any NVRClock, logger: Logger,
        onListed: @escaping @Sendable () async -> Void = {}
    ) {
        check = IntegrityCheck(
            layout: layout, store: store, threads: VolumeThreads("upkeep", volumes: layout.volumes, niceness: 10), isLive: true)
        self.layout = layout
        self.store = store
        self.health = health
        self.pace = pace
        self.clock = clock
        self.logger = logger
        self.onListed = onListed
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await self.listAgainIfNeeded()
            await self.goRound()
        }
    }

    // MARK: After a lost database

    /// Lists all footage that no row knows, when a lost database asks for it; tried until it is done, also after a restart.
    private func listAgainIfNeeded() async {
        var isTold = false
        while !Task.isCancelled {
            do {
                guard let reason = try await store.upkeep.get(.reindexing) else { return }
                if !isTold { logger.notice("footage is listed again from its files", metadata: ["reason": "\(reason)"]) }
                isTold = true
                var options = IntegrityCheck.Options()
                options.adopts = true
                options.takesYoung = true
                let report = try await check.run(options) { _, _ in try Task.checkCancellation() }
                // What is encrypted with a key that is not there, or lies on a volume that does not answer, is looked for again by the next start.
                if report.locked == 0, report.silent.isEmpty { try await store.upkeep.set(.reindexing, nil) }
                tellLocked(report)
                let missing = report.problems.count { if case .missingFile = $0 { true } else { false } }
                logger.notice(
                    "footage is listed again",
                    metadata: ["listed": "\(report.adopted)", "files": "\(report.files)", "rows_without_files": "\(missing)"])
                health.note(
                    .footageReindexed, cause: nil,
                    detail: "\(report.adopted) files of footage were listed again"
                        + (missing > 0 ? "; \(missing) rows have no file: POST /settings/sync-orphans removes them" : ""))
                return await onListed()
            } catch is CancellationError {
                return
            } catch {
                logger.error("footage cannot be listed again; tried until it can", metadata: ["error": "\(error)"])
                // Thrown by the end of the program, which ends the loop.
                try? await Task.sleep(for: .seconds(30))
            }
        }
    }

    // MARK: Rounds

    private func goRound() async {
        // Thrown by the end of the program.
        guard (try? await Task.sleep(for: .seconds(pace.firstAfter))) != nil else { return }
        while !Task.isCancelled {
            do {
                if try await isDue() { try await round() }
            } catch is CancellationError {
                return
            } catch {
                logger.error("the check of all footage broke off; it goes on later", metadata: ["error": "\(error)"])
            }
            guard (try? await Task.sleep(for: .seconds(min(pace.interval, 3600)))) != nil else { return }
        }
    }

    private func isDue() async throws -> Bool {
        let last = try await store.upkeep.get(.checkedAt).flatMap { Int64($0) }
        guard let last, try await store.upkeep.get(.checkedUpTo) == nil else { return true }
        let age = clock.wall() - last
        // A time of the future is one of a clock that was wrong.
        return age < 0 || age >= Int64(pace.interval) * 1_000_000
    }

    /// One round of all footage, from where the last one was broken off.
    private func round() async throws {
        var options = IntegrityCheck.Options()
        options.adopts = true
        options.readsAll = true
        options.after = try await store.upkeep.get(.checkedUpTo).flatMap { Int64($0) }.map { ID($0) }
        options.pace = { [pace] files, bytes in
            let seconds = max(Double(files) / Double(max(1, pace.filesPerSecond)), Double(bytes) / Double(max(1, pace.bytesPerSecond)))
            try await Task.sleep(for: .seconds(seconds))
        }
        let report = try await check.run(options) { [store] _, id in
            try Task.checkCancellation()
            if let id { try await store.upkeep.set(.checkedUpTo, String(id.rawValue)) }
        }
        try await store.upkeep.set(.checkedUpTo, nil)
        try await store.upkeep.set(.checkedAt, String(clock.wall()))
        tell(report)
        // What needed a key that is not there may be gone by now.
        let given = Set(layout.cipher.keys.ids.map(\.description))
        if report.locked == 0, try await given.isSuperset(of: store.footageKeys.inUse()) { health.clear(.footageKeyMissing) }
    }

    /// What a start knows of keys that are missing, it knows from the database; this is what the files say.
    private func tellLocked(_ report: IntegrityCheck.Report) {
        guard report.locked > 0 else { return }
        health.raise(
            .footageKeyMissing, cause: nil,
            detail: "\(report.locked) files of footage are encrypted with a key that the server was not given; nothing of them is deleted")
    }

    private func tell(_ report: IntegrityCheck.Report) {
        tellLocked(report)
        var counts: [String: Int] = [:]
        for problem in report.problems {
            switch problem {
            case .missingFile: counts["files are missing", default: 0] += 1
            case .shortFile, .longFile: counts["files have another size", default: 0] += 1
            case .alteredFile: counts["files were altered", default: 0] += 1
            case .unreadable: counts["files cannot be read", default: 0] += 1
            case .wrongRow: counts["rows tell another camera or time than their files", default: 0] += 1
            case .unlisted, .locked, .database: continue
            }
        }
        for note in report.notes { logger.warning("not all footage was looked at", metadata: ["reason": "\(note)"]) }
        guard !counts.isEmpty else {
            // What was found on a volume that does not answer now may still be so.
            if report.silent.isEmpty { health.clear(.footageDrift) }
            return
        }
        let text = counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        logger.warning("rows and files of footage differ", metadata: ["problems": "\(text)", "segments": "\(report.segments)"])
        health.raise(.footageDrift, cause: nil, detail: text + "; POST /settings/sync-orphans mends what can be mended")
    }
}
