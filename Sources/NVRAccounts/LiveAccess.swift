package import NVRBase
package import NVRModel
package import NVRStore

/// Whether somebody who watches a camera may go on: told at once when his rights change, his session or key ends, or the camera is
/// deleted.
package struct LiveAccess: Sendable {
    let authenticator: Authenticator
    let changes: Broadcast<Void>
    let store: Store
    let identity: Identity
    let camera: ID<Camera>

    /// `changes`: `Accounts.accessChanges`.
    package init(authenticator: Authenticator, changes: Broadcast<Void>, store: Store, identity: Identity, camera: ID<Camera>) {
        self.authenticator = authenticator
        self.changes = changes
        self.store = store
        self.identity = identity
        self.camera = camera
    }

    /// Seconds after which a look is due without news: sessions that merely expire send none.
    private static let interval = Duration.seconds(30)

    package enum End: Sendable {
        case accessEnded
        case cameraDeleted
    }

    package var isAllowed: Bool {
        get async { await authenticator.stillAllowed(identity, .view, camera: camera) }
    }

    /// Returns when watching has to end, or nil when the task is cancelled.
    package func end() async -> End? {
        let rights = changes.subscribe()
        let rows = store.changes.subscribe()
        return await withTaskGroup(of: End?.self) { group in
            group.addTask {
                // What changed before the subscription counts, too.
                if await !isAllowed { return .accessEnded }
                for await _ in rights {
                    if await !isAllowed { return .accessEnded }
                }
                return nil
            }
            group.addTask {
                // Thrown by cancellation, and that is the end.
                while (try? await Task.sleep(for: Self.interval)) != nil {
                    if await !isAllowed { return .accessEnded }
                }
                return nil
            }
            group.addTask {
                for await change in rows {
                    if case .cameraDeleted(camera) = change { return .cameraDeleted }
                }
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
