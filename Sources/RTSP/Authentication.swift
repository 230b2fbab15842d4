import Crypto

/// One challenge of a WWW-Authenticate field (RFC 7235 section 2.1).
package struct AuthenticationChallenge: Equatable {
    /// The hash of a digest.
    package enum Algorithm: Equatable, Sendable {
        case md5
        case sha256

        /// Lower-case hexadecimal hash of the text's UTF-8.
        package func hash(_ text: String) -> String {
            switch self {
            case .md5: Text.hexEncoded(Insecure.MD5.hash(data: Array(text.utf8)))
            case .sha256: Text.hexEncoded(SHA256.hash(data: Array(text.utf8)))
            }
        }
    }

    /// How the server wants to be answered.
    package enum Scheme: Equatable {
        case basic
        case digest(Algorithm, isSession: Bool)
    }

    package var scheme: Scheme
    package var realm: String
    package var nonce = ""
    package var opaque: String?
    /// As the server spelled it, to be repeated; nil when it gave none.
    package var algorithmText: String?
    package var offersAuth = false
    package var isStale = false

    /// A challenge without parameters; those are set afterwards.
    package init(scheme: Scheme, realm: String) {
        self.scheme = scheme
        self.realm = realm
    }

    /// Higher is better.
    package var strength: Int {
        switch scheme {
        case .basic: 0
        case .digest(.md5, _): 1
        case .digest(.sha256, _): 2
        }
    }

    /// The challenges of all fields that we can meet, the strongest first.
    package static func parse(_ values: [String]) -> [AuthenticationChallenge] {
        values.prefix(16).flatMap { parseOne($0) }.enumerated()
            .sorted { ($0.element.strength, $1.offset) > ($1.element.strength, $0.offset) }.map(\.element)
    }

    private static func parseOne(_ text: String) -> [AuthenticationChallenge] {
        var found: [(scheme: String, parameters: [String: String])] = []
        var scanner = Scanner(text)
        while let token = scanner.token() {
            if scanner.take(UInt8(ascii: "=")) {
                let value = scanner.value()
                if found.isEmpty { continue }
                let key = token.lowercased()
                if found[found.count - 1].parameters[key] == nil { found[found.count - 1].parameters[key] = value }
            } else {
                found.append((token.lowercased(), [:]))
            }
        }
        return found.compactMap { make($0.scheme, $0.parameters) }
    }

    private static func make(_ scheme: String, _ parameters: [String: String]) -> AuthenticationChallenge? {
        let realm = parameters["realm"] ?? ""
        if scheme == "basic" { return AuthenticationChallenge(scheme: .basic, realm: realm) }
        guard scheme == "digest", let nonce = parameters["nonce"] else { return nil }
        let algorithm: Scheme
        switch (parameters["algorithm"] ?? "MD5").uppercased() {
        case "MD5": algorithm = .digest(.md5, isSession: false)
        case "MD5-SESS": algorithm = .digest(.md5, isSession: true)
        case "SHA-256", "SHA256": algorithm = .digest(.sha256, isSession: false)
        case "SHA-256-SESS": algorithm = .digest(.sha256, isSession: true)
        default: return nil
        }
        let offered = parameters["qop"]?.split(separator: ",").map { Text.trimmed($0).lowercased() }
        // Only qop=auth-int is something we do not do.
        if let offered, !offered.isEmpty, !offered.contains("auth") { return nil }
        var challenge = AuthenticationChallenge(scheme: algorithm, realm: realm)
        challenge.nonce = nonce
        challenge.opaque = parameters["opaque"]
        challenge.algorithmText = parameters["algorithm"]
        challenge.offersAuth = offered?.contains("auth") ?? false
        challenge.isStale = Text.same(parameters["stale"] ?? "", "true")
        return challenge
    }

    /// Tokens, quoted strings and the commas and spaces between them.
    struct Scanner {
        private let bytes: [UInt8]
        private var index = 0

        init(_ text: String) {
            bytes = Array(text.utf8.prefix(8192))
        }

        private mutating func skipSpace() {
            while index < bytes.count, bytes[index] == 0x20 || bytes[index] == 9 { index += 1 }
        }

        mutating func token() -> String? {
            while index < bytes.count, bytes[index] == 0x20 || bytes[index] == 9 || bytes[index] == UInt8(ascii: ",") { index += 1 }
            let start = index
            while index < bytes.count, ![0x20, 9, UInt8(ascii: ","), UInt8(ascii: "="), UInt8(ascii: "\"")].contains(bytes[index]) { index += 1 }
            if index == start {
                // A quote or "=" where a token should be: step over it, so that the scan always moves on.
                guard index < bytes.count else { return nil }
                index += 1
                return token()
            }
            return String(decoding: bytes[start..<index], as: UTF8.self)
        }

        mutating func take(_ byte: UInt8) -> Bool {
            let before = index
            skipSpace()
            if index < bytes.count, bytes[index] == byte {
                index += 1
                return true
            }
            index = before
            return false
        }

        mutating func value() -> String {
            skipSpace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else {
                let start = index
                while index < bytes.count, bytes[index] != UInt8(ascii: ","), bytes[index] != 0x20 { index += 1 }
                return String(decoding: bytes[start..<index], as: UTF8.self)
            }
            index += 1
            var out: [UInt8] = []
            while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
                if bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count { index += 1 }
                out.append(bytes[index])
                index += 1
            }
            index += 1
            return String(decoding: out, as: UTF8.self)
        }
    }
}

/// Meets challenges with one pair of credentials (RFC 7616, RFC 7617, RFC 2617). A value confined to one session.
package struct Authenticator {
    private let credentials: RTSPCredentials
    package private(set) var challenge: AuthenticationChallenge?
    private var nonceCount: UInt32 = 0
    private let makeNonce: () -> String

    /// `clientNonce` is for tests; random otherwise.
    package init(_ credentials: RTSPCredentials, clientNonce: @escaping () -> String = Authenticator.randomNonce) {
        self.credentials = credentials
        makeNonce = clientNonce
    }

    /// 128 random bits in hexadecimal digits.
    package static func randomNonce() -> String {
        Text.hexEncoded((0..<16).map { _ in UInt8.random(in: 0...255) })
    }

    /// Takes a challenge to meet with the next request.
    package mutating func accept(_ challenge: AuthenticationChallenge) {
        self.challenge = challenge
        nonceCount = 0
    }

    /// The value of the Authorization field, nil before any challenge.
    package mutating func authorization(method: String, url: String) -> String? {
        guard let challenge else { return nil }
        switch challenge.scheme {
        case .basic:
            return "Basic " + Text.base64Encoded("\(credentials.username):\(credentials.password)".utf8)
        case .digest(let algorithm, let isSession):
            let clientNonce = makeNonce()
            var first = algorithm.hash("\(credentials.username):\(challenge.realm):\(credentials.password)")
            if isSession { first = algorithm.hash("\(first):\(challenge.nonce):\(clientNonce)") }
            let second = algorithm.hash("\(method):\(url)")
            var fields = [
                "username=\(Self.quoted(credentials.username))", "realm=\(Self.quoted(challenge.realm))",
                "nonce=\(Self.quoted(challenge.nonce))", "uri=\(Self.quoted(url))",
            ]
            if challenge.offersAuth {
                nonceCount &+= 1
                let digits = String(nonceCount, radix: 16)
                let count = String(repeating: "0", count: max(0, 8 - digits.count)) + digits
                let response = algorithm.hash("\(first):\(challenge.nonce):\(count):\(clientNonce):auth:\(second)")
                fields += ["response=\"\(response)\"", "qop=auth", "nc=\(count)", "cnonce=\"\(clientNonce)\""]
            } else {
                fields.append("response=\"\(algorithm.hash("\(first):\(challenge.nonce):\(second)"))\"")
                if isSession { fields.append("cnonce=\"\(clientNonce)\"") }
            }
            if let text = challenge.algorithmText { fields.append("algorithm=\(text)") }
            if let opaque = challenge.opaque { fields.append("opaque=\(Self.quoted(opaque))") }
            return "Digest " + fields.joined(separator: ", ")
        }
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for character in text {
            if character == "\"" || character == "\\" { out.append("\\") }
            out.append(character)
        }
        return out + "\""
    }
}
