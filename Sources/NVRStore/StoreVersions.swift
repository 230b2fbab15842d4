import GRDB
import Synchronization

/// Counts the commits that changed something, so that what was made of rows can be kept until they change. Any task may use it.
package final class StoreVersions: Sendable {
    private let cameraCommits = Atomic(0)
    private let footageCommits = Atomic(0)

    /// Grows with every commit that changes cameras, groups or storage profiles, before the call that made it returns.
    package var cameras: Int { cameraCommits.load(ordering: .acquiring) }
    /// The same of segments and events.
    package var footage: Int { footageCommits.load(ordering: .acquiring) }

    fileprivate func note(cameras: Bool, footage: Bool) {
        if cameras { cameraCommits.add(1, ordering: .releasing) }
        if footage { footageCommits.add(1, ordering: .releasing) }
    }
}

/// Tells `StoreVersions` of commits. It listens to SQLite itself, so that no way of writing is forgotten.
final class VersionObserver: TransactionObserver, Sendable {
    private let versions: StoreVersions
    /// Touched only on the writer's queue, between a change and its commit.
    private let hasCameras = Atomic(false)
    private let hasFootage = Atomic(false)

    init(_ versions: StoreVersions) { self.versions = versions }

    // SQLite tells nothing of tables without rowids: members of groups go with an update of their group or with a camera.
    private static let cameraTables: Set<String> = ["cameras", "groups", "storage_profiles"]
    private static let footageTables: Set<String> = ["events", "segments"]

    func observes(eventsOfKind kind: DatabaseEventKind) -> Bool {
        Self.cameraTables.contains(kind.tableName) || Self.footageTables.contains(kind.tableName)
    }

    func databaseDidChange(with event: DatabaseEvent) {
        if Self.footageTables.contains(event.tableName) {
            hasFootage.store(true, ordering: .relaxed)
        } else {
            hasCameras.store(true, ordering: .relaxed)
        }
    }

    func databaseDidCommit(_ db: Database) {
        versions.note(cameras: hasCameras.exchange(false, ordering: .relaxed), footage: hasFootage.exchange(false, ordering: .relaxed))
    }

    func databaseDidRollback(_ db: Database) {
        hasCameras.store(false, ordering: .relaxed)
        hasFootage.store(false, ordering: .relaxed)
    }
}

extension DatabaseEventKind {
    fileprivate var tableName: String {
        switch self {
        case .insert(let table), .delete(let table), .update(let table, _): table
        }
    }
}
