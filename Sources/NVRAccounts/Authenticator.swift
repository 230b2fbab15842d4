import NVRBase
import NVRModel
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
        let wall = WallTime(microseconds: clock.wall())
        let key = IdentityCache.key(via.rawValue + ":" + token)
        let (known, generation) = cache.find(key, monotonic: clock.monotonic(), wall: wall)
        if let known { return known.via == .mediaCookie && !isMediaRoute ? nil : known }
        guard let payload = tokens.verified(token, at: wall), payload.reach == .full || isMediaRoute,
            let (session, user) = try await store.sessions.active(payload.sid, at: wall), String(user.id.rawValue) == payload.sub
        else { return nil }
        let identity = Identity(user: user, via: payload.reach == .media ? .mediaCookie : via, sessionID: session.id)
        cache.keep(
            key, IdentityCache.Entry(identity: identity, expiresAt: session.expiresAt, storedAt: clock.monotonic()), generation: generation)
        return identity
    }

    private func identity(apiKey text: String) async throws -> Identity? {
        guard text.utf8.count == 43 else { return nil }
        let wall = WallTime(microseconds: clock.wall())
        let key = IdentityCache.key("key:" + text)
        let (known, generation) = cache.find(key, monotonic: clock.monotonic(), wall: wall)
        if let known { return known }
        guard let (token, user) = try await store.tokens.active(hash: IdentityCache.key(text), at: wall) else { return nil }
        if token.lastUsedAt.map({ wall.microseconds(since: $0) >= Self.touchInterval }) ?? true {
            try await store.tokens.touch(token.id, at: wall)
        }
        let identity = Identity(user: user, via: .apiKey, tokenID: token.id)
        cache.keep(
            key, IdentityCache.Entry(identity: identity, expiresAt: token.expiresAt, storedAt: clock.monotonic()), generation: generation)
        return identity
    }
}
