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

/// Tells `AccessChanges` of commits. It listens to SQLite itself, so that no way of writing, a restore or a cascade, is forgotten.
final class AccessObserver: TransactionObserver, Sendable {
    private let changes: AccessChanges
    /// Touched only on the writer's queue, between a change and its commit.
    private let isPending = Atomic(false)

    init(_ changes: AccessChanges) { self.changes = changes }

    private static let grants: Set<String> = ["user_cameras", "user_groups", "group_cameras"]
    private static let endings: Set<String> = ["users", "sessions", "api_tokens", "groups", "second_factors"]

    func observes(eventsOfKind kind: DatabaseEventKind) -> Bool {
        switch kind {
        case .insert(let table): return Self.grants.contains(table) || table == "second_factors"
        case .delete(let table): return Self.grants.contains(table) || Self.endings.contains(table)
        case .update(let table, let columns):
            switch table {
            // That a key was used or a code was taken changes nobody's rights.
            case "api_tokens": return columns != ["last_used_us"]
            case "second_factors": return columns.contains("is_enabled")
            default: return Self.grants.contains(table) || Self.endings.contains(table)
            }
        }
    }

    func databaseDidChange(with event: DatabaseEvent) { isPending.store(true, ordering: .relaxed) }

    func databaseDidCommit(_ db: Database) {
        if isPending.exchange(false, ordering: .relaxed) { changes.noteCommit() }
    }

    func databaseDidRollback(_ db: Database) { isPending.store(false, ordering: .relaxed) }
}
