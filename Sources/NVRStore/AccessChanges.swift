import GRDB
package import NVRBase
import Synchronization

/// Counts the commits that may change what somebody may do: rights, roles, groups, sessions and keys that end. Any task may use it.
package final class AccessChanges: Sendable {
    /// Says "look again" after such a commit. A subscriber that falls behind hears the last one only.
    package let broadcast = Broadcast<Void>(capacity: 1)
    private let commits = Atomic(0)

    /// Grows with every such commit, before the call that made it returns.
    package var generation: Int { commits.load(ordering: .acquiring) }

    func noteCommit() {
        commits.add(1, ordering: .releasing)
        broadcast.send(())
    }
}

/// Tells `AccessChanges` of commits. It listens to SQLite itself, where triggers count every change, so that no way of writing, a
/// restore or a cascade, is forgotten.
final class AccessObserver: TransactionObserver, Sendable {
    private let changes: AccessChanges
    /// Touched only on the writer's queue, between a change and its commit.
    private let isPending = Atomic(false)

    init(_ changes: AccessChanges) { self.changes = changes }

    func observes(eventsOfKind kind: DatabaseEventKind) -> Bool {
        if case .update("access_changes", _) = kind { true } else { false }
    }

    func databaseDidChange(with event: DatabaseEvent) { isPending.store(true, ordering: .relaxed) }

    func databaseDidCommit(_ db: Database) {
        if isPending.exchange(false, ordering: .relaxed) { changes.noteCommit() }
    }

    func databaseDidRollback(_ db: Database) { isPending.store(false, ordering: .relaxed) }
}
