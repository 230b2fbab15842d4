package import Logging
import NVRBase
package import NVRModel
package import NVRStore

/// Compares the keys that a server was given with those its footage needs.
package struct FootageKeyWatch: Sendable {
    private let store: Store
    private let health: HealthLog
    private let logger: Logger

    package init(store: Store, health: HealthLog, logger: Logger) {
        self.logger = logger
        self.store = store
        self.health = health
    }

    /// At the start: notes what new footage is encrypted with from now on, and tells of keys that are missing.
    package func begin(_ keys: FootageKeys, at now: WallTime) async throws {
        do { try await store.footageKeys.note(writing: keys.writing?.description, at: now) } catch let error as NVRError
            where error.kind == .exhausted
        {
            // The disk is full: recording goes on, and the next start notes it.
            logger.error("which key footage is encrypted with could not be noted; the next start does it", metadata: ["error": "\(error)"])
        }
        let given = Set(keys.ids.map(\.description))
        let missing = try await store.footageKeys.inUse().filter { !given.contains($0) }
        guard !missing.isEmpty else { return health.clear(.footageKeyMissing) }
        health.raise(
            .footageKeyMissing, cause: nil,
            detail:
                "footage is encrypted with keys that the server was not given: \(missing.joined(separator: ", ")). It cannot be shown; nothing of "
                + "it is deleted for that. Add the keys to the file of footage keys, behind the one for new footage")
    }
}
