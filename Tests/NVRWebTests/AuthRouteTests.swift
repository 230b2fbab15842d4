import HTTPTypes
import NVRAccounts
import NVRModel
import NVRStore
import NVRWeb
import Testing

@Suite struct AuthRouteTests {
    private static let userKeys = [
        "username", "email", "role", "is_2fa_enabled", "restrict_camera_access", "language", "auth_source", "oauth_subject_id",
        "oauth_enabled",
        "id", "is_active", "avatar_path", "created_at", "camera_accesses", "group_accesses",
    ]
    private static let setUpBody = #"{"username": "admin", "password": "Bench-Passw0rd!", "email": "admin@example.com"}"#

    private func logIn(_ web: WebFixture, _ body: String = "username=admin&password=Bench-Passw0rd%21", peer: String = "192.0.2.7")
        async throws -> WebFixture.Answer
    {
        try await web.send(.post, "/auth/login", body: body, form: true, peer: peer)
    }

    @Test("On the machine itself the first administrator needs no code, and there is only one first")
    func setUp() async throws {
        let web = try await WebFixture()
        #expect(try await web.send(.get, "/auth/status").json["setup_required"] == true)
        let made = try await web.send(.post, "/auth/setup", body: Self.setUpBody, peer: "127.0.0.1", host: "localhost:8080")
        #expect(made.status == 200)
        #expect(try made.json.object?.keys == Self.userKeys)
        #expect(try made.json["role"] == "admin")
        #expect(try await web.send(.get, "/auth/status").json["setup_required"] == false)
        let again = try await web.send(.post, "/auth/setup", body: Self.setUpBody, peer: "127.0.0.1", host: "localhost:8080")
        #expect(try again.status == 403 && again.json == ["detail": "Setup already completed. Users exist."])
    }

    @Test("From elsewhere set-up needs the code of the log, in the body or in a header")
    func setUpCode() async throws {
        let web = try await WebFixture()
        #expect(try await web.send(.post, "/auth/setup", body: Self.setUpBody).status == 403)
        #expect(try await web.send(.post, "/auth/setup", [.xSetupCode: "AAAA-AAAA"], body: Self.setUpBody).status == 403)
        #expect(try await web.send(.post, "/auth/setup", body: Self.setUpBody, peer: "127.0.0.1", host: "rebound.example").status == 403)
        #expect(
            try await web.send(
                .post, "/auth/setup", [.xForwardedFor: "6.6.6.6"], body: Self.setUpBody, peer: "127.0.0.1", host: "localhost"
            ).status == 403)
        #expect(try await web.store.users.count() == 0)
        #expect(
            try await web.send(.post, "/auth/setup", [.xSetupCode: web.setupCode.text.lowercased()], body: Self.setUpBody).status == 200)
        let other = try await WebFixture()
        let body = Self.setUpBody.dropLast() + #", "code": "\#(other.setupCode.text)"}"#
        #expect(try await other.send(.post, "/auth/setup", body: String(body)).status == 200)
    }

    @Test("Codes cannot be tried for long")
    func setUpThrottle() async throws {
        let web = try await WebFixture()
        var statuses: Set<Int> = []
        for _ in 0..<12 {
            statuses.insert(try await web.send(.post, "/auth/setup", [.xSetupCode: "AAAA-AAAA"], body: Self.setUpBody).status)
        }
        #expect(statuses == [403, 429])
    }

    @Test("Set-up names what is wrong, and never the password")
    func setUpProblems() async throws {
        let web = try await WebFixture()
        let missing = try await web.send(.post, "/auth/setup", body: #"{"username": "admin"}"#)
        #expect(missing.status == 422)
        #expect(
            try missing.json == [
                "detail": [["type": "missing", "loc": ["body", "password"], "msg": "Field required", "input": ["username": "admin"]]]
            ])
        let weak = try await web.send(.post, "/auth/setup", body: #"{"username": "admin", "password": "12345678"}"#)
        #expect(weak.status == 422 && !weak.text.contains("12345678"))
        #expect(try await web.send(.post, "/auth/setup", body: "{").status == 422)
        #expect(try await web.send(.post, "/auth/setup", body: "[]").status == 422)
    }

    @Test("Signing in answers tokens and sets both cookies")
    func signIn() async throws {
        let web = try await WebFixture()
        _ = try await web.signIn()
        let answer = try await logIn(web)
        #expect(answer.status == 200)
        #expect(try answer.json.object?.keys == ["access_token", "token_type", "device_token"])
        let cookies = answer.headers[values: .setCookie]
        #expect(cookies.count == 2 && cookies[0].hasPrefix("media_token=") && cookies[1].hasPrefix("auth_token="))
        #expect(
            cookies.allSatisfy {
                $0.contains("; HttpOnly; ") && $0.contains("Path=/") && $0.contains("SameSite=Lax") && !$0.contains("Secure")
            })
        let secure = try await WebFixture { $0.cookieSecure = true }
        _ = try await secure.signIn()
        #expect(try await logIn(secure).headers[values: .setCookie].allSatisfy { $0.hasSuffix("; Secure") })
    }

    @Test("Wrong passwords, missing fields and JSON are refused as clients know it")
    func refusals() async throws {
        let web = try await WebFixture()
        _ = try await web.signIn()
        let wrong = try await logIn(web, "username=admin&password=wrong")
        #expect(
            try wrong.status == 401 && wrong.json["detail"] == "Incorrect username or password" && wrong.json["detail_code"] == "login_wrong"
                && wrong[.wwwAuthenticate] == "Bearer")
        #expect(try await logIn(web, "username=nobody&password=wrong").json == wrong.json)
        let missing = try await logIn(web, "username=admin")
        #expect(try missing.json == ["detail": [["type": "missing", "loc": ["body", "password"], "msg": "Field required", "input": nil]]])
        let json = try await web.send(.post, "/auth/login", body: #"{"username": "admin", "password": "x"}"#)
        #expect(try json.status == 422 && json.json["detail"]?.array?.count == 2)
    }

    @Test("Too many sign-ins wait, other addresses do not")
    func throttle() async throws {
        let web = try await WebFixture()
        _ = try await web.signIn()
        for _ in 0..<10 { #expect(try await logIn(web, "username=admin&password=x").status == 401) }
        let late = try await logIn(web)
        #expect(late.status == 429 && late[.retryAfter] != nil)
        #expect(try late.json["detail"] == "Rate limit exceeded: 10 per 1 minute" && late.json["detail_parameters"] == ["count": "10"])
        #expect(try await logIn(web, peer: "192.0.2.8").status == 200)
        web.world.change { $0.wall += 61_000_000 }
        #expect(try await logIn(web).status == 200)
    }

    @Test("A session ends for every token of it at once")
    func logOut() async throws {
        let web = try await WebFixture()
        let signIn = try await web.signIn()
        let bearer: HTTPFields = [.authorization: "Bearer \(signIn.accessToken)"]
        #expect(try await web.send(.get, "/auth/me", bearer).json.object?.keys == Self.userKeys)
        let out = try await web.send(.post, "/auth/logout", bearer)
        #expect(try out.json == ["status": "logged out"])
        #expect(out.headers[values: .setCookie].count == 2 && out.headers[values: .setCookie].allSatisfy { $0.contains("Max-Age=0") })
        #expect(try await web.send(.get, "/auth/me", bearer).status == 401)
        #expect(try await web.send(.get, "/cameras/1/frame", [.cookie: "media_token=\(signIn.mediaToken)"]).status == 401)
        #expect(try await web.send(.post, "/auth/logout").status == 200)
        // A header and cookies of several sessions: each of them ends.
        let several = try await [web.signIn(), web.signIn(), web.signIn()]
        let all: HTTPFields = [
            .authorization: "Bearer \(several[0].accessToken)",
            .cookie: "auth_token=\(several[1].accessToken); media_token=\(several[2].mediaToken)", .secFetchSite: "same-origin",
        ]
        #expect(try await web.send(.post, "/auth/logout", all).status == 200)
        for signIn in several { #expect(try await web.send(.get, "/auth/me", [.authorization: "Bearer \(signIn.accessToken)"]).status == 401) }
    }

    @Test("Who loses his rights while he sends a body has it refused")
    func lateBody() async throws {
        let web = try await WebFixture()
        let admin = try await web.signIn()
        let bearer: HTTPFields = [.authorization: "Bearer \(admin.accessToken)"]
        let body = #"{"username": "back-door", "password": "Bench-Passw0rd!", "role": "admin"}"#
        let late = try await web.send(.post, "/users", bearer, body: body, beforeBody: { try await web.store.sessions.end(admin.session.id) })
        #expect(late.status == 401)
        #expect(try await web.store.users.count() == 1)
        _ = try await web.signIn()
        let viewer = try await web.signIn(.viewer)
        let gone = try await web.send(
            .put, "/auth/me/layouts/x", [.authorization: "Bearer \(viewer.accessToken)"], body: #"{"layout": {}}"#,
            beforeBody: { _ = try await web.accounts.update(viewer.user.id) { $0.isActive = false } })
        #expect(gone.status == 401)
    }

    @Test("Everybody chooses his own language")
    func language() async throws {
        let web = try await WebFixture()
        _ = try await web.signIn(.admin)
        let viewer = try await web.bearer(.viewer)
        #expect(try await web.send(.patch, "/auth/me/language", viewer, body: #"{"language": "de"}"#).json["language"] == "de")
        #expect(try await web.send(.get, "/auth/me", viewer).json["language"] == "de")
        for body in ["{}", #"{"language": 5}"#, #"{"language": ""}"#] {
            #expect(try await web.send(.patch, "/auth/me/language", viewer, body: body).status == 422)
        }
    }

    @Test("A reloaded page gets its user and token back from the cookie")
    func meFromCookie() async throws {
        let web = try await WebFixture()
        let signIn = try await web.signIn()
        #expect(try await web.send(.get, "/auth/me-from-cookie").status == 204)
        let stale = try await web.send(.get, "/auth/me-from-cookie", [.cookie: "auth_token=bad"])
        #expect(stale.status == 204 && stale.body.isEmpty && stale.headers[values: .setCookie].count == 2)
        let answer = try await web.send(.get, "/auth/me-from-cookie", [.cookie: "media_token=x; auth_token=\(signIn.accessToken)"])
        #expect(try answer.json["user"]?.object?.keys == Self.userKeys)
        let token = try #require(try answer.json["access_token"]?.string)
        #expect(try await web.send(.get, "/auth/me", [.authorization: "Bearer \(token)"]).status == 200)
    }
}
