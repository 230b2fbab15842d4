package import NVRBase
package import NVRModel
import NVRStore

/// The secret that a user makes for RTSP clients. It only opens streams, so that it may stand in the settings of other recorders; and
/// it can be used for digest authentication, for which a hashed password is of no use.
package struct StreamingSecrets: Sendable {
    let store: Store
    let clock: any NVRClock

    /// 144 bits, so that it fits into the password fields of recorders: 24 characters.
    private static let bytes = 18

    /// Makes a new secret, which is shown once; the one before ends at once. Throws `notFound` when the user is gone.
    package func make(for user: ID<User>) async throws -> (secret: Secret, createdAt: WallTime) {
        let secret = Secret(randomText(bytes: Self.bytes))
        let now = WallTime(microseconds: clock.wall())
        try await store.streamingSecrets.put(user, secret, at: now)
        return (secret, now)
    }

    /// When the user's secret was made; nil when there is none.
    package func createdAt(of user: ID<User>) async throws -> WallTime? { try await store.streamingSecrets.get(user)?.createdAt }

    /// Ends the secret; false when there was none.
    package func delete(of user: ID<User>) async throws -> Bool { try await store.streamingSecrets.remove(user) }
}
