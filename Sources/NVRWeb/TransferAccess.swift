package import NVRAccounts
import NVRBase
package import NVRModel

/// Whether somebody may still have what is being sent to him: a large file takes long, and rights end at once.
package struct TransferAccess: Sendable {
    private let authenticator: Authenticator
    private let identity: Identity
    private let permission: Permission
    private let cameras: Set<ID<Camera>>

    /// `cameras`: whose footage it is; none for what is of no camera.
    package init(_ authenticator: Authenticator, _ identity: Identity, _ permission: Permission, cameras: Set<ID<Camera>>) {
        self.authenticator = authenticator
        self.identity = identity
        self.permission = permission
        self.cameras = cameras
    }

    /// Throws `forbidden` when it is over. Costs one look into memory while nothing has changed.
    package func demand() async throws {
        guard await authenticator.stillAllowed(identity, permission, cameras: cameras) else {
            throw NVRError(.forbidden, "access ended while a file was sent")
        }
    }
}
