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
        let rights = identity.user.cameraRights
        // API keys and the media cookie only read.
        let mayChange = identity.via == .jwt || identity.via == .cookie
        switch permission {
        case .view: return isFree(identity) || camera.map(rights.view.contains) ?? true
        case .replay: return isFree(identity) || camera.map(rights.replay.contains) ?? true
        case .control: return mayChange && (identity.isAdmin || camera.map(rights.control.contains) ?? false)
        case .administer: return mayChange && identity.isAdmin
        }
    }

    /// Whether an identity sees and replays every camera.
    private static func isFree(_ identity: Identity) -> Bool { identity.isAdmin || !identity.user.restrictCameraAccess }

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

    /// Cameras with which an identity may do something that is `view` or `replay`; nil = every one, also deleted ones.
    package static func visibleCameras(_ identity: Identity, _ permission: Permission = .view) -> Set<ID<Camera>>? {
        guard identity.user.isActive else { return [] }
        if isFree(identity) { return nil }
        return permission == .replay ? identity.user.cameraRights.replay : identity.user.cameraRights.view
    }
}
