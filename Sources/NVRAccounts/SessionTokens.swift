import Crypto
import NVRModel

/// Session tokens: JWT (RFC 7519) in the compact form, signed with HS256 (RFC 7518 section 3.2) and nothing else. A token names its
/// session; it is good only while that is stored.
struct SessionTokens: Sendable {
    /// What a token may be used for.
    enum Reach: String, Sendable {
        case full
        /// Media, frames, downloads and WebSockets.
        case media
    }

    struct Payload: Sendable {
        var sub: String
        var username: String
        var role: String
        var sid: String
        var reach: Reach
        /// Seconds UTC.
        var exp: Int64
        var iat: Int64
    }

    /// Longer texts are no token of ours.
    static let maxLength = 4096

    private static let header = Base64URL.encoded(#"{"alg":"HS256","typ":"JWT"}"#.utf8)

    private let key: SymmetricKey

    init(key: SigningKey) { self.key = key.key }

    func sign(_ user: User, _ session: Session, reach: Reach) -> String {
        let payload = Payload(
            sub: String(user.id.rawValue), username: user.username, role: user.role.rawValue, sid: session.id, reach: reach,
            exp: session.expiresAt.microseconds / 1_000_000, iat: session.createdAt.microseconds / 1_000_000)
        let text = Self.header + "." + Base64URL.encoded(payload.json.serialized().utf8)
        return text + "." + Base64URL.encoded(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
    }

    /// The payload of a token of ours that has not expired; nil for anything else, without a word of what is wrong with it.
    func verified(_ token: String, at time: WallTime) -> Payload? {
        let bytes = Array(token.utf8)
        guard bytes.count <= Self.maxLength else { return nil }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let signature = Base64URL.decoded(parts[2]) else { return nil }
        // First of all, and in constant time: nothing is read that was not signed with our key.
        let signed = bytes[..<parts[1].endIndex]
        guard HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: signed, using: key) else { return nil }
        guard let header = Self.document(parts[0]), Self.isOurs(header), let payload = Self.document(parts[1]).flatMap(Payload.init(json:)),
            payload.exp > time.microseconds / 1_000_000
        else { return nil }
        return payload
    }

    /// There is one key and one algorithm: a header that names others, or extensions that must be understood (RFC 7515 section
    /// 4.1.11), is of a token made by somebody else.
    private static func isOurs(_ header: JSONValue) -> Bool {
        header["alg"]?.string == "HS256" && header["kid"] == nil && header["crit"] == nil
    }

    private static func document(_ part: ArraySlice<UInt8>) -> JSONValue? {
        guard let bytes = Base64URL.decoded(part) else { return nil }
        // Why it is no JSON matters to nobody.
        return try? JSONValue(parsing: bytes)
    }
}

extension SessionTokens.Payload {
    fileprivate var json: JSONValue {
        [
            "sub": .string(sub), "username": .string(username), "role": .string(role), "sid": .string(sid), "reach": .string(reach.rawValue),
            "exp": .integer(exp), "iat": .integer(iat),
        ]
    }

    /// Nil when a claim is missing or of another type: times are whole numbers.
    fileprivate init?(json: JSONValue) {
        guard let sub = json["sub"]?.string, let username = json["username"]?.string, let role = json["role"]?.string,
            let sid = json["sid"]?.string, let reach = json["reach"]?.string.flatMap(SessionTokens.Reach.init(rawValue:)),
            case .integer(let exp) = json["exp"], case .integer(let iat) = json["iat"]
        else { return nil }
        self.init(sub: sub, username: username, role: role, sid: sid, reach: reach, exp: exp, iat: iat)
    }
}
