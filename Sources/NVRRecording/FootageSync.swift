package import Logging
package import NVRBase
package import NVRModel
package import NVRStore
import Synchronization

/// Makes rows and files agree while the server runs: one pass at a time, on threads of its own, with a state that can be asked for.
package final class FootageSync: Sendable {
    package enum Phase: String, Sendable {
        /// No pass since the start of the program.
        case idle
        case running
        case completed
        case failed
    }

    /// How far the last pass came.
    package struct Status: Sendable {
        package var phase = Phase.idle
        package var startedAt: WallTime?
        package var finishedAt: WallTime?
        /// Segments that were looked at, of so many.
        package var checked = 0
        package var total = 0
        /// Files that were found; nil before that.
        package var files: Int?
        package var problems = 0
        package var repaired = 0
        /// The first problems, for a person.
        package var notes: [String] = []
        /// Nothing is mended.
        package var isDryRun = false
        /// Why rows that have no file were left; nil when none were.
        package var refusal: String?
    }

    /// What a pass is to do.
    package struct Wish: Sendable {
        /// Only tells what differs.
        package var isDryRun = false
        /// Removes rows even when they are more than half.
        package var isForced = false
        /// Reads every byte of all footage.
        package var readsAll = false

        package init() {}
    }

    private static let mostNotes = 100

    private let check: IntegrityCheck
    private let store: Store
    private let clock: any NVRClock
    private let logger: Logger
    private let status = Mutex(Status())

    package init(layout: RecordingLayout, store: Store, clock: any NVRClock, logger: Logger) {
        check = IntegrityCheck(layout: layout, store: store, threads: VolumeThreads("sync", volumes: layout.volumes), isLive: true)
        self.store = store
        self.clock = clock
        self.logger = logger
    }

    /// The last pass, or the one that runs.
    package var current: Status { status.withLock { $0 } }

    /// Begins a pass; false when one runs already. It goes on by itself and ends with the program at the latest.
    package func start(_ wish: Wish = Wish()) -> Bool {
        let now = WallTime(microseconds: clock.wall())
        let isNew = status.withLock { status in
            guard status.phase != .running else { return false }
            status = Status()
            status.phase = .running
            status.startedAt = now
            status.isDryRun = wish.isDryRun
            return true
        }
        guard isNew else { return false }
        // Whoever asked has gone; the state tells the rest. Ended half-way it leaves nothing half done: each mend is one commit.
        Task { await run(wish) }
        return true
    }

    private func run(_ wish: Wish) async {
        do {
            let total = try await store.segments.totals().reduce(0) { $0 + $1.count }
            status.withLock { $0.total = total }
            var options = IntegrityCheck.Options()
            options.repairs = !wish.isDryRun
            options.isForced = wish.isForced
            options.readsAll = wish.readsAll
            options.readsBuckets = wish.readsAll
            let report = try await check.run(options) { checked, _ in
                status.withLock { status in
                    status.checked = checked
                    status.total = max(status.total, checked)
                }
            }
            finish(.completed) { status in
                // Those in buckets were not told on the way.
                status.checked = report.segments
                status.total = max(status.total, report.segments)
                status.files = report.files
                status.problems = report.problems.count
                status.repaired = report.repaired
                status.refusal = report.refusal
                status.notes = report.notes + report.problems.prefix(Self.mostNotes).map(\.description)
            }
            logger.notice(
                "rows and files of footage were compared",
                metadata: [
                    "segments": "\(report.segments)", "files": "\(report.files)", "problems": "\(report.problems.count)",
                    "repaired": "\(report.repaired)", "left_alone": "\(report.notes.joined(separator: "; "))",
                ])
        } catch {
            finish(.failed) { $0.notes = ["The comparison ended early"] }
            logger.error("rows and files of footage could not be compared", metadata: ["error": "\(error)"])
        }
    }

    private func finish(_ phase: Phase, _ body: @Sendable (inout Status) -> Void) {
        let now = WallTime(microseconds: clock.wall())
        status.withLock { status in
            status.phase = phase
            status.finishedAt = now
            body(&status)
        }
    }
}
