import Crypto

/// What a client says about who it is (RFC 7617, RFC 7616, RFC 2617).
package enum RTSPAuthorization: Sendable, Equatable {
    case basic(username: String, password: String)
    case digest(RTSPDigestAnswer)

    /// Nil for a field that is neither.
    package init?(_ value: String) {
        guard value.utf8.count <= 4096, let space = value.firstIndex(of: " ") else { return nil }
        let rest = value[value.index(after: space)...]
        switch value[..<space].lowercased() {
        case "basic":
            let text = String(decoding: Text.base64(rest), as: UTF8.self)
            guard let colon = text.firstIndex(of: ":") else { return nil }
            self = .basic(username: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
        case "digest":
            guard let answer = RTSPDigestAnswer(String(rest)) else { return nil }
            self = .digest(answer)
        default: return nil
        }
    }
}

/// The answer to a digest challenge.
package struct RTSPDigestAnswer: Sendable, Equatable {
    package let username: String
    package let realm: String
    package let nonce: String
    private let uri: String
    private let response: String
    private let algorithm: AuthenticationChallenge.Algorithm
    private let isSession: Bool
    /// Nil in the form of RFC 2069, which many clients still speak.
    private let quality: (qop: String, count: String)?
    private let clientNonce: String

    /// Field by field.
    package static func == (left: Self, right: Self) -> Bool {
        left.username == right.username && left.realm == right.realm && left.nonce == right.nonce && left.uri == right.uri
            && left.response == right.response && left.algorithm == right.algorithm && left.isSession == right.isSession
            && left.quality?.qop == right.quality?.qop && left.quality?.count == right.quality?.count && left.clientNonce == right.clientNonce
    }

    init?(_ text: String) {
        var scanner = AuthenticationChallenge.Scanner(text)
        var fields: [String: String] = [:]
        while fields.count < 24, let name = scanner.token() {
            guard scanner.take(UInt8(ascii: "=")) else { continue }
            let value = scanner.value()
            if fields[name.lowercased()] == nil { fields[name.lowercased()] = value }
        }
        guard let username = fields["username"], let nonce = fields["nonce"], let uri = fields["uri"], let response = fields["response"] else {
            return nil
        }
        self.username = username
        self.nonce = nonce
        self.uri = uri
        self.response = response.lowercased()
        realm = fields["realm"] ?? ""
        switch (fields["algorithm"] ?? "MD5").uppercased() {
        case "MD5": (algorithm, isSession) = (.md5, false)
        case "MD5-SESS": (algorithm, isSession) = (.md5, true)
        case "SHA-256": (algorithm, isSession) = (.sha256, false)
        case "SHA-256-SESS": (algorithm, isSession) = (.sha256, true)
        default: return nil
        }
        clientNonce = fields["cnonce"] ?? ""
        if let qop = fields["qop"], !qop.isEmpty {
            guard Text.same(qop, "auth"), let count = fields["nc"] else { return nil }
            quality = (qop, count)
        } else {
            quality = nil
        }
    }

    /// Whether whoever made the answer knows the secret. The time it takes tells nothing about the right answer.
    package func isRight(secret: String, method: String) -> Bool {
        var first = algorithm.hash("\(username):\(realm):\(secret)")
        if isSession { first = algorithm.hash("\(first):\(nonce):\(clientNonce)") }
        let second = algorithm.hash("\(method):\(uri)")
        let wanted =
            if let quality {
                algorithm.hash("\(first):\(nonce):\(quality.count):\(clientNonce):\(quality.qop):\(second)")
            } else {
                algorithm.hash("\(first):\(nonce):\(second)")
            }
        let (left, right) = (Array(wanted.utf8), Array(response.utf8))
        return left.count == right.count && zip(left, right).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// What a server asks strangers for.
package enum RTSPServerChallenge {
    /// One value of `WWW-Authenticate` a scheme. Clients take the last digest they know, so the one all know stands last; what they read
    /// with a pattern is `realm` and `nonce`, in this order.
    package static func values(realm: String, nonce: String, offersDigest: Bool, isStale: Bool) -> [String] {
        guard offersDigest else { return ["Basic realm=\"\(realm)\", charset=\"UTF-8\""] }
        return ["SHA-256", "MD5"].map {
            "Digest realm=\"\(realm)\", nonce=\"\(nonce)\", algorithm=\($0), qop=\"auth\"" + (isStale ? ", stale=true" : "")
        }
    }
}
