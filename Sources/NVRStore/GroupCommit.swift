package import GRDB
package import NVRBase
import Synchronization

/// Writes of the database since it was opened.
package struct CommitCounts: Sendable, Hashable {
    /// Writes that succeeded, and the transactions they took.
    package var writes = 0
    package var commits = 0
    /// Writes that wait for their turn now.
    package var waiting = 0
}

/// Puts writes that wait for the database at the same time into one transaction, so that they wait for the disk once (group commit:
/// DeWitt et al., "Implementation Techniques for Main Memory Database Systems", SIGMOD 1984, section 5). Each is a savepoint: one that
/// fails undoes what it did and nothing else. All run in the order of their coming, and every one is answered after the commit. Any
/// task may use it.
package final class GroupCommit: Sendable {
    private struct Member: Sendable {
        /// Does the work and keeps its result. May run twice: again by itself when the transaction of all failed.
        let run: @Sendable (Database) throws -> Void
        /// Hands the result or the error to who waits.
        let finish: @Sendable ((any Error)?) -> Void
    }

    private struct State {
        var waiting: [Member] = []
        var counts = CommitCounts()
        /// Whether the writer was asked to come here.
        var isDue = false
    }

    /// Writes of one transaction, and microseconds after which no other is begun in it: the first waits for the last.
    static let most = 64
    static let longest: Int64 = 5_000

    private let writer: any DatabaseWriter
    private let clock: any NVRClock
    private let state = Mutex(State())

    package init(_ writer: any DatabaseWriter, clock: any NVRClock = SystemClock()) {
        self.writer = writer
        self.clock = clock
    }

    /// Runs `body` in a transaction, perhaps together with others, and gives what became of it once that is committed.
    package func result<Value: Sendable>(of body: @escaping @Sendable (Database) throws -> Value) async -> Result<Value, any Error> {
        await withCheckedContinuation { continuation in
            let kept = Kept<Value>()
            let member = Member(run: { db in
                let value = try body(db)
                kept.result.withLock { $0 = .success(value) }
            }) { error in
                continuation.resume(returning: error.map { .failure($0) } ?? kept.result.withLock { $0 })
            }
            let isFirst = state.withLock { state in
                state.waiting.append(member)
                defer { state.isDue = true }
                return !state.isDue
            }
            if isFirst { writer.asyncWriteWithoutTransaction { self.commit($0) } }
        }
    }

    private final class Kept<Value: Sendable>: Sendable {
        let result = Mutex<Result<Value, any Error>>(.failure(CancellationError()))
    }

    package var counts: CommitCounts {
        state.withLock { state in
            var counts = state.counts
            counts.waiting = state.waiting.count
            return counts
        }
    }

    private func next() -> Member? { state.withLock { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() } }

    private func note(_ writes: Int) {
        state.withLock { state in
            state.counts.writes += writes
            state.counts.commits += 1
        }
    }

    /// On the writer's queue.
    private func commit(_ db: Database) {
        if let first = next() {
            if state.withLock({ $0.waiting.isEmpty }) { alone(db, first) } else { together(db, first) }
        }
        let isDue = state.withLock { state in
            state.isDue = !state.waiting.isEmpty
            return state.isDue
        }
        // By way of the queue: whoever else uses the writer has his turn in between.
        if isDue { writer.asyncWriteWithoutTransaction { self.commit($0) } }
    }

    private func together(_ db: Database, _ first: Member) {
        let end = clock.monotonic() + Self.longest
        var done: [(member: Member, error: (any Error)?)] = []
        do {
            try db.inTransaction {
                var next: Member? = first
                while let member = next {
                    do {
                        try db.inSavepoint {
                            try member.run(db)
                            return .commit
                        }
                        done.append((member, nil))
                    } catch {
                        done.append((member, error))
                        // A full disk or a failed read ends the whole transaction, and with it what the others did.
                        guard db.isInsideTransaction else { throw error }
                    }
                    next = done.count < Self.most && clock.monotonic() < end ? self.next() : nil
                }
                return .commit
            }
        } catch {
            for (member, _) in done { alone(db, member) }
            return
        }
        note(done.count { $0.error == nil })
        for (member, error) in done { member.finish(error) }
    }

    private func alone(_ db: Database, _ member: Member) {
        do {
            try db.inTransaction {
                try member.run(db)
                return .commit
            }
            note(1)
            member.finish(nil)
        } catch { member.finish(error) }
    }
}
