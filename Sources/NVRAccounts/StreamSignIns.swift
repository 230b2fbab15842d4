import Crypto
package import NVRBase
import NVRModel
import NVRStore

/// Why somebody is not let in to a stream.
package enum StreamRefusal: Error, Sendable, Equatable {
    case wrong
    /// Seconds.
    case tooManyAttempts(wait: Int)
    /// Hashes are being computed for too many others.
    case busy
}

/// Recognises clients that ask for a stream with a user name and a password, which may be an API key or the streaming secret. Guessing
/// is limited together with signing in by HTTP.
package actor StreamSignIns {
    private let store: Store
    private let authenticator: Authenticator
    private let hasher: PasswordHasher
    private let attempts: AttemptLimit
    private let clock: any NVRClock

    /// Hashes of passwords that were found right, by the fingerprint of name and password: clients reconnect all the time, and many
    /// come at once.
    private var verified: [[UInt8]: String] = [:]
    private var running: [[UInt8]: Task<Identity, any Error>] = [:]
    private let salt = SymmetricKey(size: .bits256)
    private static let mostVerified = 128

    init(store: Store, authenticator: Authenticator, hasher: PasswordHasher, attempts: AttemptLimit, clock: any NVRClock) {
        self.store = store
        self.authenticator = authenticator
        self.hasher = hasher
        self.attempts = attempts
        self.clock = clock
    }

    // MARK: Passwords

    /// Recognises a password, a streaming secret or, whatever the name, an API key. Users with a second factor cannot use their
    /// password. Throws `StreamRefusal`, or `NVRError` when the database does not answer.
    package func signIn(username: String, password: String, address: String) async throws -> Identity {
        guard username.utf8.count <= 1024, password.utf8.count <= PasswordPolicy.maxBytes, !password.isEmpty else { throw StreamRefusal.wrong }
        if let identity = try await identity(apiKey: password) { return identity }
        let fingerprint = Array(
            HMAC<SHA256>.authenticationCode(for: Array("\(address)\n\(username.utf8.count)\n\(username)\(password)".utf8), using: salt))
        // Those who come at once with the same are one attempt and one hash.
        if let task = running[fingerprint] { return try await task.value }
        let task = Task { try await check(username, password, address, fingerprint) }
        running[fingerprint] = task
        defer { running[fingerprint] = nil }
        return try await task.value
    }

    private func identity(apiKey: String) async throws -> Identity? {
        do { return try await authenticator.identity(of: PresentedCredentials(apiKey: apiKey)) } catch let error as NVRError
            where error.kind == .unauthenticated
        {
            return nil
        }
    }

    private func check(_ username: String, _ password: String, _ address: String, _ fingerprint: [UInt8]) async throws -> Identity {
        let credentials = try await store.users.credentials(username: username)
        if let credentials, credentials.user.isActive, !credentials.user.isTwoFactorEnabled, verified[fingerprint] == credentials.passwordHash {
            return Self.identity(credentials)
        }
        if let wait = attempts.attempt(address: address, account: username, at: clock.monotonic()) {
            throw StreamRefusal.tooManyAttempts(wait: wait)
        }
        if let credentials, credentials.user.isActive, let stored = try await store.streamingSecrets.get(credentials.user.id),
            Self.isEqual(stored.secret.reveal(), password)
        {
            attempts.succeeded(address: address, account: username, at: clock.monotonic())
            return Self.identity(credentials.user, stored)
        }
        do {
            guard let credentials else {
                try await hasher.verifyNothing(password)
                throw StreamRefusal.wrong
            }
            guard try await hasher.verify(password, credentials.passwordHash), credentials.user.isActive, !credentials.user.isTwoFactorEnabled
            else { throw StreamRefusal.wrong }
            attempts.succeeded(address: address, account: username, at: clock.monotonic())
            if verified.count >= Self.mostVerified { verified.removeAll() }
            verified[fingerprint] = credentials.passwordHash
            return Self.identity(credentials)
        } catch let error as NVRError where error.kind == .unavailable {
            throw StreamRefusal.busy
        }
    }

    // MARK: Digests

    /// Recognises a digest; `isRight` compares it with the secret. Throws as `signIn`.
    package func signIn(username: String, address: String, isRight: @Sendable (Secret) -> Bool) async throws -> Identity {
        if username.utf8.count <= 1024, let user = try await store.users.credentials(username: username)?.user, user.isActive,
            let stored = try await store.streamingSecrets.get(user.id), isRight(stored.secret)
        {
            return Self.identity(user, stored)
        }
        if let wait = attempts.attempt(address: address, account: username, at: clock.monotonic()) {
            throw StreamRefusal.tooManyAttempts(wait: wait)
        }
        throw StreamRefusal.wrong
    }

    // MARK: Identities

    private static func identity(_ credentials: Credentials) -> Identity {
        Identity(user: credentials.user, via: .password, mark: Identity.mark(credentials.passwordHash))
    }

    private static func identity(_ user: User, _ stored: StreamingSecret) -> Identity {
        Identity(user: user, via: .streamingSecret, mark: Identity.mark(stored.secret.reveal()))
    }

    /// In a time that tells nothing about where texts differ.
    private static func isEqual(_ left: String, _ right: String) -> Bool { Identity.mark(left) == Identity.mark(right) }
}

extension Identity {
    /// Tells one secret of a user from another without holding it.
    static func mark(_ secret: String) -> [UInt8] { Array(SHA256.hash(data: Array("mark:\(secret)".utf8))) }
}
