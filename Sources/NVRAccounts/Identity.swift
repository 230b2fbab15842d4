package import NVRModel

/// Who is asking, and by what they were recognised.
package struct Identity: Sendable, Hashable {
    package enum Way: String, Sendable, Hashable {
        /// `Authorization: Bearer`.
        case jwt
        /// Cookie `auth_token`: unsafe methods need a same-origin check.
        case cookie
        /// Cookie `media_token`: media, frames, downloads and WebSockets only.
        case mediaCookie
        /// `X-API-Key`: read only.
        case apiKey
        /// The password itself, as RTSP clients send it: read only.
        case password
        /// A streaming secret: read only.
        case streamingSecret
    }

    package var user: User
    package var via: Way
    /// Nil for API keys.
    package var sessionID: String?
    package var tokenID: ID<APIToken>?
    /// Of the password or the streaming secret; another one ends the identity. Nil for those that have an id.
    var mark: [UInt8]?

    package init(user: User, via: Way, sessionID: String? = nil, tokenID: ID<APIToken>? = nil) {
        self.user = user
        self.via = via
        self.sessionID = sessionID
        self.tokenID = tokenID
    }

    init(user: User, via: Way, mark: [UInt8]) {
        self.init(user: user, via: via)
        self.mark = mark
    }

    package var isAdmin: Bool { user.role == .admin }

    /// The form of cameras that this caller gets.
    package var cameraForm: Camera.Form {
        switch via {
        case .apiKey, .password, .streamingSecret: .summary
        case .mediaCookie: .withoutSecrets
        case .jwt, .cookie: isAdmin ? .full : .withoutSecrets
        }
    }
}
