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

/// Tells `AccessChanges` of commits. It listens to SQLite itself, so that no way of writing, a restore or a cascade, is forgotten. What
/// a statement may write counts, not the rows it wrote: SQLite tells nothing of rows in tables WITHOUT ROWID, which sessions and grants
/// are (sqlite.org/c3ref/update_hook.html).
final class AccessObserver: TransactionObserver, Sendable {
    private let changes: AccessChanges
    /// Touched only on the writer's queue, between a statement and its commit.
    private let isPending = Atomic(false)

    init(_ changes: AccessChanges) { self.changes = changes }

    private static let grants: Set<String> = ["user_cameras", "user_groups", "group_cameras"]
    private static let endings: Set<String> = ["users", "sessions", "api_tokens", "groups", "second_factors"]

    /// Asked before each statement that writes, for everything that it may write, cascades included.
    func observes(eventsOfKind kind: DatabaseEventKind) -> Bool {
        if Self.matters(kind) { isPending.store(true, ordering: .relaxed) }
        return false
    }

    private static func matters(_ kind: DatabaseEventKind) -> Bool {
        switch kind {
        case .insert(let table): return grants.contains(table) || table == "second_factors"
        case .delete(let table): return grants.contains(table) || endings.contains(table)
        case .update(let table, let columns):
            switch table {
            // That a key was used or a code was taken changes nobody's rights.
            case "api_tokens": return columns != ["last_used_us"]
            case "second_factors": return columns.contains("is_enabled")
            default: return grants.contains(table) || endings.contains(table)
            }
        }
    }

    /// Never called: no single rows are asked for.
    func databaseDidChange(with event: DatabaseEvent) {}

    func databaseDidCommit(_ db: Database) {
        if isPending.exchange(false, ordering: .relaxed) { changes.noteCommit() }
    }

    func databaseDidRollback(_ db: Database) { isPending.store(false, ordering: .relaxed) }
}
