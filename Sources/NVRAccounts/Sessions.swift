import NVRBase
package import NVRModel
import NVRStore

/// What a sign-in gives.
package struct SignIn: Sendable {
    package var user: User
    package var session: Session
    /// JWT for everything: the answer's `access_token` and the cookie `auth_token`.
    package var accessToken: String
    /// JWT for media: the cookie `media_token`.
    package var mediaToken: String
    /// Of a device that is trusted from now on.
    package var deviceToken: String?
}

/// Signing in and out.
package struct Sessions: Sendable {
    /// How long a session lasts, seconds.
    package static let lifetime: Int64 = 7 * 86_400

    let store: Store
    let tokens: SessionTokens
    let hasher: PasswordHasher
    let twoFactor: TwoFactor
    let clock: any NVRClock

    private var now: WallTime { WallTime(microseconds: clock.wall()) }

    /// Checks name, password and second factor; nil when name or password is wrong or the user is inactive, after the same work in
    /// each case. Throws `SecondFactorRefusal` when the password alone is not enough. The caller throttles passwords before, and
    /// codes in `beforeCode`. A password whose hash is weaker than today's is hashed anew.
    package func signIn(
        username: String, password: String, factor: SecondFactorProof = SecondFactorProof(), beforeCode: () throws -> Void = {}
    ) async throws -> SignIn? {
        guard username.utf8.count <= 1024, password.utf8.count <= PasswordPolicy.maxBytes else { return nil }
        guard let credentials = try await store.users.credentials(username: username) else {
            try await hasher.verifyNothing(password)
            return nil
        }
        guard try await hasher.verify(password, credentials.passwordHash), credentials.user.isActive else { return nil }
        var shown = credentials.passwordHash
        if hasher.isWeak(shown) {
            let hash = try await hasher.hash(password)
            if try await store.users.upgradePasswordHash(credentials.user.id, from: shown, to: hash) { shown = hash }
        }
        let deviceToken = try await twoFactor.demand(factor, of: credentials.user, beforeCode: beforeCode)
        var signIn = try await open(for: credentials.user, whileHash: shown)
        if signIn == nil {
            // Another hash by now: of another password, or of the same one where somebody else signed in at the same time.
            guard let current = try await store.users.credentials(credentials.user.id), try await hasher.verify(password, current.passwordHash)
            else { return nil }
            signIn = try await open(for: current.user, whileHash: current.passwordHash)
        }
        signIn?.deviceToken = deviceToken
        return signIn
    }

    /// Opens a session for a user who showed the password of a hash; nil when that is no longer his, or he is inactive or gone.
    private func open(for user: User, whileHash hash: String) async throws -> SignIn? {
        let time = now
        try await store.sessions.prune(before: time)
        let session = Session(
            id: randomText(bytes: 24), userID: user.id, createdAt: time,
            expiresAt: time.advanced(byMicroseconds: Self.lifetime * 1_000_000))
        return try await store.sessions.insert(session, passwordHash: hash) ? tokens(for: user, session) : nil
    }

    /// Tokens of a running session again, for a browser that kept only its cookies; nil when it is over.
    package func renew(_ identity: Identity) async throws -> SignIn? {
        guard let id = identity.sessionID, let (session, user) = try await store.sessions.active(id, at: now) else { return nil }
        return tokens(for: user, session)
    }

    /// Ends the session of an identity at once.
    package func signOut(_ identity: Identity) async throws {
        guard let id = identity.sessionID else { return }
        try await store.sessions.end(id)
    }

    /// Ends all sessions of a user at once, but for one that is named.
    package func endAll(of user: ID<User>, except session: String? = nil) async throws {
        try await store.sessions.endAll(of: user, except: session)
    }

    private func tokens(for user: User, _ session: Session) -> SignIn {
        SignIn(
            user: user, session: session, accessToken: tokens.sign(user, session, reach: .full),
            mediaToken: tokens.sign(user, session, reach: .media))
    }
}

/// Random text of `count` bytes in the URL-safe base 64 alphabet.
func randomText(bytes count: Int) -> String {
    var generator = SystemRandomNumberGenerator()
    return Base64URL.encoded((0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
}
