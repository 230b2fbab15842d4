package import Argon2
package import NVRBase
package import NVRModel
package import NVRStore

/// Users and their passwords. Owns the thread on which hashes are computed, the cache of identities, and the parts that sign in,
/// recognise and revoke. Any task may use it.
package final class Accounts: Sendable {
    package let sessions: Sessions
    package let apiKeys: APIKeys
    package let twoFactor: TwoFactor
    package let authenticator: Authenticator
    package let streamingSecrets: StreamingSecrets
    package let streamSignIns: StreamSignIns
    /// Of passwords, however they are shown.
    package let passwordAttempts = AttemptLimit(.signIn)

    private let store: Store
    private let hasher: PasswordHasher
    private let clock: any NVRClock

    /// `parameters` is the cost of new password hashes; tests pass a small one.
    package init(
        store: Store, key: SigningKey, clock: any NVRClock = SystemClock(), parameters: PasswordHash.Parameters = .standard
    ) {
        self.store = store
        self.clock = clock
        hasher = PasswordHasher(parameters: parameters)
        let tokens = SessionTokens(key: key)
        sessions = Sessions(store: store, tokens: tokens, hasher: hasher, twoFactor: TwoFactor(store: store, clock: clock), clock: clock)
        twoFactor = TwoFactor(store: store, clock: clock)
        apiKeys = APIKeys(store: store, clock: clock)
        authenticator = Authenticator(store: store, tokens: tokens, cache: IdentityCache(), clock: clock)
        streamingSecrets = StreamingSecrets(store: store, clock: clock)
        streamSignIns = StreamSignIns(store: store, authenticator: authenticator, hasher: hasher, attempts: passwordAttempts, clock: clock)
    }

    deinit { hasher.stop() }

    /// Sends after every commit that may have changed what somebody may do: a right, a role, a group's cameras, a session, key or
    /// user that ended. What stays open asks `authenticator.stillAllowed` at each value, and thereby ends within a second.
    package var accessChanges: Broadcast<Void> { store.access.broadcast }

    private var now: WallTime { WallTime(microseconds: clock.wall()) }

    /// True while there is no user at all.
    package func isSetupRequired() async throws -> Bool { try await store.users.count() == 0 }

    /// Makes the first administrator. Throws `forbidden` when any user exists, also when two try at once, and `invalid` for a bad
    /// name or password. Whether the caller may (`SetupCode`) is checked before.
    package func setUp(username: String, password: String, email: String? = nil) async throws -> User {
        // Asked first, so that a server that is set up does not hash for strangers; the insertion decides.
        guard try await isSetupRequired() else { throw NVRError(.forbidden, "Setup already completed. Users exist.") }
        return try await create(username: username, password: password, email: email, role: .admin, onlyWhenEmpty: true)
    }

    /// Makes a user. Throws `conflict` for a taken name and `invalid` for a bad name or password.
    package func create(username: String, password: String, email: String? = nil, role: User.Role) async throws -> User {
        try await create(username: username, password: password, email: email, role: role, onlyWhenEmpty: false)
    }

    private func create(username: String, password: String, email: String?, role: User.Role, onlyWhenEmpty: Bool) async throws -> User {
        let user = User(id: ID(0), username: username, email: email, role: role, createdAt: now)
        return try await create(user, password: password, onlyWhenEmpty: onlyWhenEmpty)
    }

    /// Makes a user with grants; the id is given here. Throws as above, and `invalid` for a grant to what does not exist.
    package func create(_ user: User, password: String) async throws -> User {
        try await create(user, password: password, onlyWhenEmpty: false)
    }

    private func create(_ user: User, password: String, onlyWhenEmpty: Bool) async throws -> User {
        try Self.check(user)
        if let refusal = PasswordPolicy.refusal(of: password, username: user.username) { throw NVRError(.invalid, refusal) }
        return try await store.users.insert(user, passwordHash: try await hasher.hash(password), onlyWhenEmpty: onlyWhenEmpty)
    }

    /// Changes a user, and the password when one is given. Throws `notFound`, `invalid`, and `conflict` for a taken name or the last
    /// administrator.
    package func update(
        _ id: ID<User>, password: String? = nil, _ body: @escaping @Sendable (inout User) throws -> Void
    ) async throws -> User {
        var hash: String?
        if let password {
            guard let user = try await store.users.get(id) else { throw NVRError(.notFound, "User not found") }
            if let refusal = PasswordPolicy.refusal(of: password, username: user.username) { throw NVRError(.invalid, refusal) }
            hash = try await hasher.hash(password)
        }
        return try await store.users.update(id, passwordHash: hash) { user in
            try body(&user)
            try Self.check(user)
        }
    }

    private static func check(_ user: User) throws {
        if let refusal = User.refusal(ofName: user.username) ?? user.email.flatMap(User.refusal(ofEmail:)) { throw NVRError(.invalid, refusal) }
    }

    /// Sets a password and ends all sessions of the user. Throws `notFound` and `invalid`.
    package func setPassword(of id: ID<User>, to password: String) async throws -> User {
        guard let user = try await store.users.get(id) else { throw NVRError(.notFound, "User not found") }
        if let refusal = PasswordPolicy.refusal(of: password, username: user.username) { throw NVRError(.invalid, refusal) }
        let hash = try await hasher.hash(password)
        try await store.users.setPasswordHash(id, hash)
        return user
    }

    /// The same for somebody who has to show his password first; nil when `old` is not it, or has ceased to be while this was decided:
    /// what an administrator sets meanwhile stands.
    package func changePassword(of id: ID<User>, from old: String, to password: String) async throws -> User? {
        guard old.utf8.count <= PasswordPolicy.maxBytes, let credentials = try await store.users.credentials(id) else { return nil }
        guard try await hasher.verify(old, credentials.passwordHash) else { return nil }
        if let refusal = PasswordPolicy.refusal(of: password, username: credentials.user.username) { throw NVRError(.invalid, refusal) }
        let hash = try await hasher.hash(password)
        return try await store.users.replacePasswordHash(id, credentials.passwordHash, by: hash) ? credentials.user : nil
    }

    /// Whether a password is the user's, for changes that ask for it again.
    package func isPassword(_ password: String, of id: ID<User>) async throws -> Bool {
        guard password.utf8.count <= PasswordPolicy.maxBytes, let credentials = try await store.users.credentials(id) else { return false }
        return try await hasher.verify(password, credentials.passwordHash)
    }

    /// Deletes a user with sessions and API keys; false when there was none. Throws `conflict` for the last administrator.
    package func delete(_ id: ID<User>) async throws -> Bool {
        try await store.users.delete(id)
    }
}
