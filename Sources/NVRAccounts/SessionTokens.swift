import FoundationEssentials
import JWTKit
import NVRModel

/// Session tokens: JWT with HS256 and nothing else. A token names its session; it is good only while that is stored.
struct SessionTokens: Sendable {
    /// What a token may be used for.
    enum Reach: String, Codable, Sendable {
        case full
        /// Media, frames, downloads and WebSockets.
        case media
    }

    struct Payload: JWTPayload, Sendable {
        var sub: String
        var username: String
        var role: String
        var sid: String
        var reach: Reach
        /// Seconds UTC.
        var exp: Int
        var iat: Int

        /// Time is checked by the caller, with its clock.
        func verify(using algorithm: some JWTAlgorithm) {}
    }

    /// Longer texts are no token of ours.
    static let maxLength = 4096

    private let keys = JWTKeyCollection()

    init(key: SigningKey) async {
        await keys.add(hmac: HMACKey(key: key.key), digestAlgorithm: .sha256)
    }

    func sign(_ user: User, _ session: Session, reach: Reach) async throws -> String {
        let payload = Payload(
            sub: String(user.id.rawValue), username: user.username, role: user.role.rawValue, sid: session.id, reach: reach,
            exp: Int(session.expiresAt.microseconds / 1_000_000), iat: Int(session.createdAt.microseconds / 1_000_000))
        return try await keys.sign(payload)
    }

    /// The payload of a token of ours that has not expired; nil for anything else.
    func verified(_ token: String, at time: WallTime) async -> Payload? {
        guard token.utf8.count <= Self.maxLength else { return nil }
        do {
            let header = try DefaultJWTParser().parse(Array(token.utf8), as: Payload.self).header
            // There is one key and one algorithm: a token that names another was made by somebody else.
            guard header.alg == "HS256", header.kid == nil else { return nil }
            let payload = try await keys.verify(token, as: Payload.self)
            return Int64(payload.exp) > time.microseconds / 1_000_000 ? payload : nil
        } catch {
            // Whatever is wrong with a token, the answer is the same.
            return nil
        }
    }
}
