import NVRBase
package import NVRModel
import NVRStore

/// What a request carries to say who is asking, as it was sent.
package struct PresentedCredentials: Sendable {
    /// The text after `Bearer `.
    package var bearer: String?
    package var apiKey: String?
    /// Cookie `auth_token`.
    package var authCookie: String?
    /// Cookie `media_token`.
    package var mediaCookie: String?

    package init(bearer: String? = nil, apiKey: String? = nil, authCookie: String? = nil, mediaCookie: String? = nil) {
        self.bearer = bearer
        self.apiKey = apiKey
        self.authCookie = authCookie
        self.mediaCookie = mediaCookie
    }
}

/// Recognises who is asking, for requests and WebSockets alike.
package struct Authenticator: Sendable {
    let store: Store
    let tokens: SessionTokens
    let cache: IdentityCache
    let clock: any NVRClock

    /// The use of a key is noted at most this often, microseconds.
    private static let touchInterval: Int64 = 60_000_000

    /// The identity behind a request; nil when it carries nothing that counts (stale cookies do not). Throws `unauthenticated` when
    /// a bearer token or an API key was sent and is not good: a client that names itself wrongly is told so. `isMediaRoute` lets
    /// the media cookie count.
    package func identity(of sent: PresentedCredentials, isMediaRoute: Bool = false) async throws -> Identity? {
        if let bearer = sent.bearer {
            guard let identity = try await identity(token: bearer, via: .jwt, isMediaRoute: isMediaRoute) else {
                throw NVRError(.unauthenticated, "Could not validate credentials")
            }
            return identity
        }
        if let key = sent.apiKey {
            guard let identity = try await identity(apiKey: key) else { throw NVRError(.unauthenticated, "Not authenticated") }
            return identity
        }
        if let cookie = sent.authCookie, let identity = try await identity(token: cookie, via: .cookie, isMediaRoute: false) {
            return identity
        }
        if isMediaRoute, let cookie = sent.mediaCookie {
            return try await identity(token: cookie, via: .mediaCookie, isMediaRoute: true)
        }
        return nil
    }

    private func identity(token: String, via: Identity.Way, isMediaRoute: Bool) async throws -> Identity? {
        guard !token.isEmpty, token.utf8.count <= SessionTokens.maxLength else { return nil }
        let look = Look(self, IdentityCache.key(via.rawValue + ":" + token))
        if let known = look.known { return known.via == .mediaCookie && !isMediaRoute ? nil : known }
        guard let payload = tokens.verified(token, at: look.wall), payload.reach == .full || isMediaRoute,
            let (session, user) = try await store.sessions.active(payload.sid, at: look.wall), String(user.id.rawValue) == payload.sub
        else { return nil }
        let identity = Identity(user: user, via: payload.reach == .media ? .mediaCookie : via, sessionID: session.id)
        look.keep(identity, until: session.expiresAt)
        return identity
    }

    private func identity(apiKey text: String) async throws -> Identity? {
        guard text.utf8.count == 43 else { return nil }
        let look = Look(self, IdentityCache.key("key:" + text))
        if let known = look.known { return known }
        guard let (token, user) = try await store.tokens.active(hash: IdentityCache.key(text), at: look.wall) else { return nil }
        if token.lastUsedAt.map({ look.wall.microseconds(since: $0) >= Self.touchInterval }) ?? true {
            // A disk that is full must not keep anybody from reading; the use is noted another time.
            try? await store.tokens.touch(token.id, at: look.wall, interval: Self.touchInterval)
        }
        let identity = Identity(user: user, via: .apiKey, tokenID: token.id)
        look.keep(identity, until: token.expiresAt)
        return identity
    }

    // MARK: What stays open

    /// An identity as it is now: with today's role and rights; nil when its session or key has ended.
    package func current(_ identity: Identity) async throws -> Identity? {
        if let id = identity.sessionID {
            let look = Look(self, IdentityCache.key("session:" + identity.via.rawValue + ":" + id))
            if let known = look.known { return known }
            guard let (session, user) = try await store.sessions.active(id, at: look.wall), user.id == identity.user.id else { return nil }
            let current = Identity(user: user, via: identity.via, sessionID: id)
            look.keep(current, until: session.expiresAt)
            return current
        }
        if let mark = identity.mark { return try await current(identity, mark) }
        guard let id = identity.tokenID else { return nil }
        let look = Look(self, IdentityCache.key("token:\(id)"))
        if let known = look.known { return known }
        guard let (token, user) = try await store.tokens.active(id, at: look.wall), user.id == identity.user.id else { return nil }
        let current = Identity(user: user, via: identity.via, tokenID: id)
        look.keep(current, until: token.expiresAt)
        return current
    }

    /// The same for somebody who showed a password or a streaming secret: nil when it is another one now, or when a second factor is
    /// wanted beside the password.
    private func current(_ identity: Identity, _ mark: [UInt8]) async throws -> Identity? {
        let look = Look(self, IdentityCache.key("mark:\(identity.via.rawValue):\(identity.user.id):\(mark)"))
        if let known = look.known { return known }
        guard let credentials = try await store.users.credentials(identity.user.id), credentials.user.isActive else { return nil }
        let today: [UInt8]? =
            switch identity.via {
            case .password: credentials.user.isTwoFactorEnabled ? nil : Identity.mark(credentials.passwordHash)
            case .streamingSecret: try await store.streamingSecrets.get(identity.user.id).map { Identity.mark($0.secret.reveal()) }
            case .jwt, .cookie, .mediaCookie, .apiKey: nil
            }
        guard today == mark else { return nil }
        let current = Identity(user: credentials.user, via: identity.via, mark: mark)
        look.keep(current, until: nil)
        return current
    }

    /// Whether somebody who was let in may go on: asked by what stays open (WebSockets, MJPEG, long downloads) at every value of
    /// `Accounts.accessChanges`, and at least once a minute, since a session or key that merely expires sends nothing. Costs one
    /// look into memory while nothing has changed. False, too, while the database does not answer.
    package func stillAllowed(_ identity: Identity, _ permission: Permission, camera: ID<Camera>? = nil) async -> Bool {
        // Whoever cannot be asked about is let in again by a new request.
        guard let current = try? await current(identity) else { return false }
        return Access.allows(current, permission, camera: camera)
    }

    /// The same for what shows several cameras, all of which he must be allowed; none: for what is of no camera.
    package func stillAllowed(_ identity: Identity, _ permission: Permission, cameras: Set<ID<Camera>>) async -> Bool {
        guard let current = try? await current(identity) else { return false }
        return cameras.isEmpty ? Access.allows(current, permission) : cameras.allSatisfy { Access.allows(current, permission, camera: $0) }
    }

    /// One question to the cache, and the place of its answer. The generation is read before the database is, so that an answer
    /// that a change overtakes counts for nothing.
    private struct Look {
        let authenticator: Authenticator
        let key: [UInt8]
        let generation: Int
        let monotonic: Int64
        let wall: WallTime
        let known: Identity?

        init(_ authenticator: Authenticator, _ key: [UInt8]) {
            self.authenticator = authenticator
            self.key = key
            generation = authenticator.store.access.generation
            monotonic = authenticator.clock.monotonic()
            wall = WallTime(microseconds: authenticator.clock.wall())
            known = authenticator.cache.find(key, monotonic: monotonic, wall: wall, generation: generation)
        }

        func keep(_ identity: Identity, until end: WallTime?) {
            authenticator.cache.keep(
                key, IdentityCache.Entry(identity: identity, expiresAt: end, storedAt: monotonic, generation: generation))
        }
    }
}
