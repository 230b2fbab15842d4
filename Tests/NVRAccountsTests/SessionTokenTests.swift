// What belongs here: what counts as a session token, asked through the authenticator, with tokens that carry a good signature.
import Crypto
import NVRAccounts
import NVRModel
import NVRStore
import Testing

@Suite("Session tokens")
struct SessionTokenTests {
    private static let key: [UInt8] = Array(0..<64)

    /// A token with a good signature over any header and claims.
    private static func signed(header: String = #"{"alg":"HS256","typ":"JWT"}"#, claims: String) -> String {
        signed(Base64URL.encoded(header.utf8) + "." + Base64URL.encoded(claims.utf8))
    }

    private static func signed(_ text: String) -> String {
        text + "." + Base64URL.encoded(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: key)))
    }

    /// Asks a server whose key, session and user fit.
    private struct Door {
        let bench: Bench
        let session: Session

        init() async throws {
            bench = try await Bench()
            let signIn = try #require(try await bench.signedIn())
            session = signIn.session
        }

        func claims(exp: String? = nil, _ changes: (String, String)...) -> String {
            var claims = #"{"sub":"1","username":"admin","role":"admin","sid":"\#(session.id)","reach":"full","exp":EXP,"iat":1700000000}"#
            for (old, new) in changes { claims = claims.replacing(old, with: new) }
            return claims.replacing("EXP", with: exp ?? "\(session.expiresAt.microseconds / 1_000_000)")
        }

        func opens(_ token: String) async throws -> Bool {
            try await bench.identity(cookie: token) != nil
        }
    }

    @Test("tokens that another implementation of the standard made with the same key are good")
    func compatible() async throws {
        // Made by a library, with the members in an order of its own.
        let access =
            "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzaWQiOiI2T3RoS3lLMWxOcUd5V09wNWRCN2pLX3MybF9TeTJjcCIsImlhdCI6MTc5NTQ3MzM3Mywic3ViIjoiMSIs"
            + "InJvbGUiOiJhZG1pbiIsInVzZXJuYW1lIjoiYWRtaW4iLCJyZWFjaCI6ImZ1bGwiLCJleHAiOjE3OTYwNzgxNzN9.mT5hJrqNtNPF4eXBtC2AflYu7gyxJVWhGbYw0qXWh0I"
        let media =
            "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpYXQiOjE3OTU0NzMzNzMsInNpZCI6IjZPdGhLeUsxbE5xR3lXT3A1ZEI3aktfczJsX1N5MmNwIiwidXNlcm5hbWUi"
            + "OiJhZG1pbiIsInJvbGUiOiJhZG1pbiIsInN1YiI6IjEiLCJyZWFjaCI6Im1lZGlhIiwiZXhwIjoxNzk2MDc4MTczfQ.qTSeodZ3ZsxSm7VQKMDkeWBt2iqg_BJQ83TyqL5IlTw"
        let bench = try await Bench(key: SigningKey(bytes: Array("0123456789abcdefghijklmnopqrstuv".utf8)))
        let user = try await bench.accounts.setUp(username: "admin", password: goodPassword)
        #expect(user.id == ID(1))
        let hash = try #require(try await bench.store.users.credentials(user.id)?.passwordHash)
        let session = Session(
            id: "6OthKyK1lNqGyWOp5dB7jK_s2l_Sy2cp", userID: user.id, createdAt: WallTime(microseconds: 1_795_473_373_030_475),
            expiresAt: WallTime(microseconds: 1_796_078_173_030_475))
        #expect(try await bench.store.sessions.insert(session, passwordHash: hash))
        #expect(try await bench.identity(bearer: access)?.via == .jwt)
        #expect(try await bench.identity(media: media, isMediaRoute: true)?.via == .mediaCookie)
        #expect(try await bench.identity(cookie: media) == nil)
    }

    @Test("ours are made of three parts that any implementation reads")
    func form() async throws {
        let door = try await Door()
        let token = try #require(try await door.bench.accounts.sessions.signIn(username: "admin", password: goodPassword)?.accessToken)
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        #expect(parts.count == 3 && token.utf8.allSatisfy { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "/") })
        let (header, body) = (try #require(Base64URL.decoded(parts[0].utf8)), try #require(Base64URL.decoded(parts[1].utf8)))
        #expect(try JSONValue(parsing: header) == ["alg": "HS256", "typ": "JWT"])
        let claims = try #require(try JSONValue(parsing: body).object)
        #expect(claims.keys.sorted() == ["exp", "iat", "reach", "role", "sid", "sub", "username"])
        #expect(claims["iat"] == .integer(1_700_000_000) && claims["exp"] == .integer(1_700_000_000 + 7 * 86_400))
        #expect(Base64URL.decoded(parts[2].utf8)?.count == 32)
    }

    @Test("a good signature alone opens nothing: algorithm, claims and their types have to be right")
    func hostile() async throws {
        let door = try await Door()
        let good = Self.signed(claims: door.claims())
        #expect(try await door.opens(good))
        #expect(try await door.opens(Self.signed(claims: door.claims(exp: "9223372036854775807"))))
        var bad: [String] = []
        for header in [
            #"{"alg":"none","typ":"JWT"}"#, #"{"alg":"None"}"#, #"{"alg":"hs256"}"#, #"{"alg":"HS512","typ":"JWT"}"#, #"{"alg":"RS256"}"#, "{}",
            #"{"alg":["HS256"]}"#, #"{"alg":null}"#, #"{"alg":"HS256","kid":"../../dev/null"}"#, #"{"alg":"HS256","kid":null}"#,
            #"{"alg":"HS256","crit":["exp"]}"#, "", "[]", "null", "\"HS256\"", #"{"alg":"HS256""#, "\u{0}",
        ] { bad.append(Self.signed(header: header, claims: door.claims())) }
        for exp in [
            "1.9e18", "1800000000.0", "1800000000.5", "1e400", "\"1800000000\"", "null", "true", "[1800000000]", "{}", "-1", "0", "1700000000",
            "99999999999999999999", "9223372036854775808", "-9223372036854775809", "NaN", "01800000000", "",
        ] { bad.append(Self.signed(claims: door.claims(exp: exp))) }
        for change in [
            (#""sub":"1""#, #""sub":1"#), (#""sub":"1""#, #""sub":"2""#), (#""sub":"1","#, ""), (#""sub":"1""#, #""sub":" 1""#),
            ("\"full\"", "\"everything\""), ("\"full\"", "null"), (#""reach":"full","#, ""), (door.session.id, "another"),
            ("\"iat\":1700000000", "\"iat\":\"now\""),
            (#","iat":1700000000"#, ""), ("{", "[{"), ("}", ""),
        ] { bad.append(Self.signed(claims: door.claims(change))) }
        bad.append(Self.signed(claims: String(repeating: "[", count: 2000)))
        bad.append(Self.signed(claims: door.claims(("\"admin\"", "\"" + String(repeating: "x", count: 5000) + "\""))))
        let parts = good.split(separator: ".").map(String.init)
        // Signed, but not in the alphabet: padding, the other alphabet, white space, bits behind the end, further or missing parts.
        for part in [parts[1] + "=", parts[1] + "==", "+" + parts[1], "/" + parts[1], " " + parts[1], parts[1] + "\n", parts[1] + "A", ""] {
            bad.append(Self.signed(parts[0] + "." + part))
        }
        bad += [Self.signed(parts[0]), Self.signed(good), Self.signed(parts[0] + ".." + parts[1])]
        bad += [parts[0] + "." + parts[1] + ".", parts[0] + "." + parts[1], good + ".", "." + good, good + "A", good + "=", " " + good]
        for token in bad { #expect(try await !door.opens(token), "\(token.prefix(300))") }
        #expect(try await door.opens(good))
    }

    @Test("no change of any character, and no beginning of a token, is a token")
    func everyChange() async throws {
        let door = try await Door()
        let good = Array(Self.signed(claims: door.claims()).utf8)
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ %\u{0}".utf8)
        var random = SystemRandomNumberGenerator()
        for index in good.indices {
            var changed = good
            repeat { changed[index] = alphabet.randomElement(using: &random) ?? 0 } while changed[index] == good[index]
            #expect(try await !door.opens(String(decoding: changed, as: UTF8.self)), "character \(index)")
            #expect(try await !door.opens(String(decoding: good[..<index], as: UTF8.self)), "the first \(index) characters")
        }
        for _ in 0..<2000 {
            let noise = (0..<Int.random(in: 0...300, using: &random)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            #expect(try await !door.opens(String(decoding: noise, as: UTF8.self)))
            #expect(try await !door.opens(Self.signed(Base64URL.encoded(noise) + "." + Base64URL.encoded(noise.reversed()))))
        }
    }

    @Test("base 64 of any bytes comes back, and only what it writes is read")
    func base64() {
        var random = SystemRandomNumberGenerator()
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            let text = Base64URL.encoded(bytes)
            #expect(Base64URL.decoded(text.utf8) == bytes)
            #expect(text.utf8.count == (count * 4 + 2) / 3)
        }
        // The examples of RFC 4648 section 10, and both characters that the common alphabet has otherwise.
        for (plain, text) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("foobar", "Zm9vYmFy"), ("\u{3FF}", "z78")] {
            #expect(Base64URL.encoded(plain.utf8) == text)
        }
        #expect(Base64URL.encoded([0xFB, 0xFF]) == "-_8")
        for wrong in ["A", "Zg==", "Zg=", "Zh", "Zm9", "+_8", "-/8", "Zm 9v", "Zm9v\n", "ü", "AAAAA"] {
            #expect(Base64URL.decoded(wrong.utf8) == nil, "\(wrong)")
        }
    }
}
