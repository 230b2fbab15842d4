package import Logging
package import NVRBase
package import NVRModel
package import NVRStore
import ServiceLifecycle
import Synchronization

/// Copies the database again and again while it is used, looks at every page of the copy, and when the database turns out to be damaged
/// ends the server for a restart that puts a good copy in its place.
package final class DatabaseCare: Service {
    /// State for those who watch.
    package struct Reading: Sendable {
        /// When the newest backup was made; nil when there is none.
        package var newest: WallTime?
        package var bytes: Int64 = 0
        package var failures = 0
    }

    private let store: Store
    private let backups: DatabaseBackups
    private let health: HealthLog
    private let interval: Int64
    private let mayRestart: Bool
    private let clock: any NVRClock
    private let logger: Logger
    private let copying = BlockingThread(name: "database-copy", niceness: 19)
    /// A look at a copy of a million rows takes seconds of a core, and only the next backup waits for it.
    private let checking = BlockingThread(name: "database-check", isIdle: true)
    private let state = Mutex((wantsRestart: false, failures: 0))

    /// `interval`: seconds between backups. `mayRestart`: whether this process was not begun for the same reason a moment ago.
    package init(
        store: Store, backups: DatabaseBackups, health: HealthLog, interval: Int, mayRestart: Bool, clock: any NVRClock, logger: Logger
    ) {
        self.store = store
        self.backups = backups
        self.health = health
        self.interval = Int64(max(1, interval)) * 1_000_000
        self.mayRestart = mayRestart
        self.clock = clock
        self.logger = logger
        damage = store.damage.broadcast.subscribe()
    }

    /// From before anything could be found.
    private let damage: AsyncStream<String>

    /// Whether the server ended because the database is to be replaced.
    package var wantsRestart: Bool { state.withLock { $0.wantsRestart } }

    package var reading: Reading {
        let copies = backups.list()
        return Reading(newest: copies.first?.time, bytes: copies.reduce(0) { $0 + $1.bytes }, failures: state.withLock { $0.failures })
    }

    /// Returns when the server has to be started anew, else at its end.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Bool.self) { group in
                group.addTask {
                    await self.copyAgainAndAgain()
                    return false
                }
                group.addTask { await self.waitForDamage() }
                while let mustRestart = await group.next() {
                    guard mustRestart else { continue }
                    self.state.withLock { $0.wantsRestart = true }
                    group.cancelAll()
                }
            }
        }
        copying.stop()
        checking.stop()
        // A service that returns early ends the server, which is wanted then only.
        if !wantsRestart { try? await gracefulShutdown() }
    }

    // MARK: Backups

    private func copyAgainAndAgain() async {
        // The newest one may be from before the start; it is no use to make one at every start of a server that is started often.
        let wall = clock.wall()
        let age = backups.list().first.map { wall - $0.time.microseconds }
        var wait = age.map { (0..<interval).contains($0) ? interval - $0 : 0 } ?? 0
        wait = max(wait, min(interval, 30_000_000))
        // Thrown by the end of the program.
        while (try? await Task.sleep(for: .microseconds(wait))) != nil {
            wait = await makeBackup() ? interval : min(interval, 600_000_000)
        }
    }

    /// False when another try should come sooner.
    private func makeBackup() async -> Bool {
        // A copy of what is damaged would push a good one out.
        guard store.damage.found == nil else { return false }
        let now = WallTime(microseconds: clock.wall())
        do {
            let copy = try await copied(now, until: BackupStop())
            logger.debug("the database was backed up", metadata: ["file": "\(copy.path)", "bytes": "\(copy.bytes)"])
            health.clear(.databaseBackupFailed)
            return true
        } catch let error as NVRError where error.kind == .dataLoss {
            store.damage.note(error.message)
            return false
        } catch is CancellationError {
            return false
        } catch {
            state.withLock { $0.failures += 1 }
            logger.error("the database cannot be backed up", metadata: ["error": "\(error)"])
            let isFull = (error as? NVRError)?.kind == .exhausted
            health.raise(.databaseBackupFailed, cause: isFull ? "disk_full" : nil, detail: (error as? NVRError)?.message)
            return false
        }
    }

    /// Throws `CancellationError` soon after the task is cancelled.
    private func copied(_ now: WallTime, until stop: BackupStop) async throws -> DatabaseBackups.Copy {
        try await withTaskCancellationHandler {
            let draft = try await copying.run { [backups, store] in try backups.begin(of: store, now: now, until: stop) }
            return try await checking.run { [backups] in try backups.finish(draft, until: stop) }
        } onCancel: {
            stop.stop()
        }
    }

    // MARK: Damage

    /// True when a restart mends it.
    private func waitForDamage() async -> Bool {
        for await text in damage {
            logger.error("the database is damaged", metadata: ["found": "\(text)"])
            let copies = backups.list()
            let way = copies.isEmpty ? "there is no backup" : "the next start puts the backup of \(copies[0].time.iso8601) in its place"
            health.raise(.databaseDamaged, cause: nil, detail: "\(text); \(way)")
            guard mayRestart, !copies.isEmpty, let problem = await store.firstProblem() else { continue }
            logger.error("the server starts anew to put the newest good backup in place", metadata: ["problem": "\(problem)"])
            return true
        }
        return false
    }
}
