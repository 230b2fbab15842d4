import NVRBase
package import NVRModel

/// What may be done: one place that decides.
package enum Permission: Sendable, Hashable, CaseIterable {
    /// See live pictures and settings without secrets.
    case view
    /// See recordings and events.
    case replay
    /// Move a camera, take a snapshot.
    case control
    /// Change settings, users, recordings.
    case administer
}

package enum Access {
    /// Whether an identity may do something, to a camera or, with nil, at all.
    package static func allows(_ identity: Identity, _ permission: Permission, camera: ID<Camera>? = nil) -> Bool {
        guard identity.user.isActive else { return false }
        switch permission {
        case .view, .replay:
            // Rights to single cameras are granted nowhere: a restricted user sees none.
            return identity.isAdmin || !identity.user.restrictCameraAccess || camera == nil
        case .control, .administer:
            return identity.isAdmin && (identity.via == .jwt || identity.via == .cookie)
        }
    }

    /// Throws `unauthenticated` without an identity and `forbidden` when it may not.
    package static func demand(_ identity: Identity?, _ permission: Permission, camera: ID<Camera>? = nil) throws -> Identity {
        guard let identity else { throw NVRError(.unauthenticated, "Not authenticated") }
        guard allows(identity, permission, camera: camera) else {
            // An API key is not taken where something would be changed: as if nobody had signed in.
            if identity.via == .apiKey { throw NVRError(.unauthenticated, "Not authenticated") }
            throw NVRError(
                .forbidden, permission == .administer || permission == .control ? "Admin privileges required" : "Not enough permissions")
        }
        return identity
    }

    /// Cameras an identity may see; nil = every one.
    package static func visibleCameras(_ identity: Identity) -> Set<ID<Camera>>? {
        allows(identity, .view, camera: ID(0)) ? nil : []
    }
}
