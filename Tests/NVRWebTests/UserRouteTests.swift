import HTTPTypes
import NVRAccounts
import NVRModel
import NVRStore
import NVRWeb
import Testing

@Suite struct UserRouteTests {
    @Test("Layouts are kept for who made them, whatever they hold, and bounded")
    func layouts() async throws {
        let web = try await WebFixture()
        let (admin, viewer) = (try await web.bearer(), try await web.bearer(.viewer))
        let body = #"{"layout": {"columns": 3, "cameras": [1, null]}}"#
        let put = try await web.send(.put, "/auth/me/layouts/My%20wall%20%C3%BC", admin, body: body)
        let kept = try put.json
        #expect(put.status == 200 && kept["name"] == "My wall ü" && kept["layout"]?["columns"] == 3)
        #expect(try await web.send(.get, "/auth/me/layouts", admin).json.array?.map { $0["layout"] } == [kept["layout"]])
        #expect(try await web.send(.get, "/auth/me/layouts", viewer).json == [])
        #expect(try await web.send(.get, "/auth/me/layouts", try await web.apiKey()).status == 401)
        let long = String(repeating: "x", count: 70_000)
        for (name, body) in [
            ("a", "{}"), ("a", #"{"layout": 5}"#), ("a", "{\"layout\": {\"x\": \"\(long)\"}}"), (String(repeating: "x", count: 65), body),
        ] { #expect(try await web.send(.put, "/auth/me/layouts/\(name)", admin, body: body).status == 422) }
        #expect(try await web.send(.delete, "/auth/me/layouts/My%20wall%20%C3%BC", viewer).status == 404)
        #expect(try await web.send(.delete, "/auth/me/layouts/My%20wall%20%C3%BC", admin).status == 200)
        #expect(try await web.send(.get, "/auth/me/layouts", admin).json == [])
    }

    @Test("A layout may have any name: where it is no element of a path, it stands in the query", arguments: ["up/down", "..", "a//b/", "%2F"])
    func layoutNames(name: String) async throws {
        let sent = name.utf8.map { "%" + String($0, radix: 16) }.joined()
        let put = try await web.send(.put, "/auth/me/layouts?name=\(sent)", admin, body: #"{"layout": {"columns": 3}}"#)
        #expect(try put.status == 200 && put.json["name"] == .string(name))
        #expect(try await web.send(.get, "/auth/me/layouts", admin).json.array?.map { $0["name"] } == [.string(name)])
        #expect(try await web.send(.delete, "/auth/me/layouts", admin).status == 422)
        #expect(try await web.send(.delete, "/auth/me/layouts?name=\(sent)", admin).status == 200)
        #expect(try await web.send(.delete, "/auth/me/layouts?name=\(sent)", admin).status == 404)
    }

    private let web: WebFixture
    private let admin: HTTPFields

    init() async throws {
        web = try await WebFixture()
        admin = try await web.bearer()
    }

    private func create(_ body: String) async throws -> WebFixture.Answer { try await web.send(.post, "/users", admin, body: body) }

    private func logIn(_ name: String, _ password: String = WebFixture.password) async throws -> HTTPFields {
        let answer = try await web.send(
            .post, "/auth/login", body: "username=\(name)&password=\(password.replacing("!", with: "%21"))", form: true)
        return [.authorization: "Bearer \(try answer.json["access_token"]?.string ?? "")"]
    }

    @Test("Users are made, listed, changed and deleted")
    func lifecycle() async throws {
        let made = try await create(#"{"username": "viewer1", "password": "Viewer-Passw0rd!", "email": "viewer@example.com", "role": "viewer"}"#)
        #expect(made.status == 200)
        let id = try #require(try made.json["id"])
        #expect(try made.json["role"] == "viewer" && made.json["camera_accesses"] == [])
        let list = try await web.send(.get, "/users", admin)
        #expect(try list.json.array?.count == 2 && list[.xTotalCount] == "2")
        #expect(try await web.send(.get, "/users?skip=1&limit=1", admin).json.array?.first?["username"] == "viewer1")
        let changed = try await web.send(.put, "/users/2", admin, body: #"{"username": "viewer2", "email": null, "language": "de"}"#)
        #expect(try changed.json["username"] == "viewer2" && changed.json["email"] == .null && changed.json["role"] == "viewer")
        let deleted = try await web.send(.delete, "/users/2", admin)
        #expect(try deleted.json["id"] == id)
        for (method, path) in [(HTTPRequest.Method.delete, "/users/2"), (.put, "/users/2"), (.put, "/users/2/password")] {
            let body = method == .put ? #"{"username": "x", "new_password": "Viewer-Passw0rd!"}"# : nil
            let answer = try await web.send(method, path, admin, body: body)
            #expect(try answer.status == 404 && answer.json == ["detail": "User not found"])
        }
    }

    @Test("A taken name is a 400 as clients know it, the last administrator a 409")
    func conflicts() async throws {
        for name in ["admin", "ADMIN"] {
            let answer = try await create(#"{"username": "\#(name)", "password": "Viewer-Passw0rd!"}"#)
            #expect(
                try answer.status == 400 && answer.json["detail"] == "Username already registered" && answer.json["detail_code"] == "user_name_taken")
        }
        _ = try await create(#"{"username": "other", "password": "Viewer-Passw0rd!"}"#)
        #expect(try await web.send(.put, "/users/2", admin, body: #"{"username": "Admin"}"#).status == 400)
        for (method, body) in [(HTTPRequest.Method.put, #"{"role": "viewer"}"#), (.put, #"{"is_active": false}"#), (.delete, nil)]
            as [(HTTPRequest.Method, String?)]
        {
            #expect(try await web.send(method, "/users/1", admin, body: body).status == 409)
        }
        #expect(try await web.send(.get, "/auth/me", admin).json["role"] == "admin")
        _ = try await web.send(.put, "/users/2", admin, body: #"{"role": "admin"}"#)
        #expect(try await web.send(.put, "/users/1", admin, body: #"{"role": "viewer"}"#).status == 200)
        #expect(try await web.send(.get, "/auth/me", admin).status == 401)
    }

    @Test(
        "Bad fields are named, all at once, and no password is echoed",
        arguments: [
            ("{}", [["missing", "username"], ["missing", "password"]]),
            (#"{"username": "", "password": "12345678"}"#, [["value_error", "username"], ["value_error", "password"]]),
            (#"{"username": "v", "password": 12345678}"#, [["string_type", "password"]]),
            (
                #"{"username": "v", "password": "Secret-Passw0rd", "role": "root", "email": "x"}"#,
                [["value_error", "email"], ["literal_error", "role"]]
            ),
            (#"{"username": "v", "password": "Secret-Passw0rd", "camera_accesses": 5}"#, [["list_type", "camera_accesses"]]),
            (
                #"{"username": "v", "password": "Secret-Passw0rd", "camera_accesses": [{}, 5, {"id": "x"}]}"#,
                [["missing", "id"], ["model_attributes_type", "1"], ["int_parsing", "id"]]
            ),
            (
                #"{"username": "v", "password": "Secret-Passw0rd", "restrict_camera_access": "maybe", "language": "x"}"#,
                [["bool_parsing", "restrict_camera_access"], ["string_too_short", "language"]]
            ),
        ])
    func problems(body: String, expected: [[String]]) async throws {
        let answer = try await create(body)
        #expect(answer.status == 422 && !answer.text.contains("12345678") && !answer.text.contains("Secret-Passw0rd"))
        let found = try (answer.json["detail"]?.array ?? []).map { problem -> [String] in
            let last = problem["loc"]?.array?.last
            return [problem["type"]?.string ?? "", last?.string ?? last?.serialized() ?? ""]
        }
        #expect(found == expected)
        #expect(try await web.store.users.count() == 1)
    }

    @Test("Rights are given in full or by ids, count at once, and only to what exists")
    func grants() async throws {
        let first = try await web.camera("A")
        let second = try await web.camera("B")
        _ = try await web.event(of: first.id)
        _ = try await web.event(of: second.id)
        let group = try await web.store.groups.insert(
            CameraGroup(id: ID(0), name: "Yard", createdAt: WallTime(microseconds: 0), cameras: [second.id]))
        let made = try await create(
            #"{"username": "v", "password": "\#(WebFixture.password)", "restrict_camera_access": true, "allowed_camera_ids": [\#(first.id)]}"#)
        #expect(try made.json["camera_accesses"] == [["id": 1, "name": "A", "can_view": true, "can_replay": true, "can_control": false]])
        let viewer = try await logIn("v")
        func cameras() async throws -> Int? { try await web.send(.get, "/cameras", viewer).json.array?.count }
        func events() async throws -> Int? { try await web.send(.get, "/events", viewer).json.array?.count }
        #expect(try await [cameras(), events()] == [1, 1])
        func give(_ body: String) async throws -> Int { try await web.send(.put, "/users/2", admin, body: body).status }
        #expect(try await give(#"{"group_accesses": [{"id": \#(group.id), "can_replay": false}], "camera_accesses": []}"#) == 200)
        #expect(try await [cameras(), events()] == [1, 0])
        #expect(try await web.send(.get, "/cameras/\(second.id)", viewer).status == 200)
        #expect(try await web.send(.get, "/cameras/\(first.id)", viewer).status == 404)
        #expect(try await web.send(.get, "/events/2", viewer).status == 404)
        #expect(try await give(#"{"camera_accesses": [{"id": 2, "can_view": false}]}"#) == 200)
        #expect(try await events() == 1)
        #expect(try await web.send(.get, "/events/2", viewer).status == 200)
        #expect(try await give(#"{"camera_accesses": null, "username": "v"}"#) == 200)
        #expect(try await events() == 1)
        #expect(try await give(#"{"camera_accesses": [{"id": 99}]}"#) == 400)
        #expect(try await give(#"{"group_accesses": [{"id": 99}]}"#) == 400)
        #expect(try await events() == 1)
        #expect(try await web.send(.get, "/auth/me", viewer).json["group_accesses"]?.array?.first?["name"] == "Yard")
        #expect(try await give(#"{"restrict_camera_access": false}"#) == 200)
        #expect(try await [cameras(), events()] == [2, 2])
    }

    @Test("One's own password needs the old one, others' an administrator; sessions end")
    func passwords() async throws {
        _ = try await create(#"{"username": "v", "password": "\#(WebFixture.password)"}"#)
        let viewer = try await logIn("v")
        func set(_ id: Int, _ fields: HTTPFields, _ body: String) async throws -> Int {
            try await web.send(.put, "/users/\(id)/password", fields, body: body).status
        }
        let wish = #"{"new_password": "Another-Passw0rd!"}"#
        #expect(try await set(1, viewer, wish) == 403)
        #expect(try await set(99, viewer, wish) == 403)
        #expect(try await set(2, viewer, wish) == 400)
        #expect(try await set(2, viewer, #"{"new_password": "Another-Passw0rd!", "old_password": "wrong"}"#) == 400)
        #expect(try await set(2, viewer, #"{"new_password": "short", "old_password": "\#(WebFixture.password)"}"#) == 422)
        #expect(try await set(2, viewer, "{}") == 422)
        #expect(try await set(1, admin, wish) == 400)
        #expect(try await set(2, viewer, #"{"new_password": "Another-Passw0rd!", "old_password": "\#(WebFixture.password)"}"#) == 200)
        #expect(try await web.send(.get, "/auth/me", viewer).status == 401)
        let again = try await logIn("v", "Another-Passw0rd!")
        #expect(try await set(2, admin, #"{"new_password": "Third-Passw0rd!"}"#) == 200)
        #expect(try await web.send(.get, "/auth/me", again).status == 401)
        #expect(try await web.send(.put, "/users/2", admin, body: #"{"password": "Fourth-Passw0rd!"}"#).status == 200)
        #expect(try await web.send(.get, "/auth/me", try await logIn("v", "Fourth-Passw0rd!")).status == 200)
        #expect(try await web.send(.put, "/users/2", admin, body: #"{"password": "vvvvvvvv"}"#).status == 422)
        // Whichever route changes it.
        #expect(try await web.send(.put, "/users/1", admin, body: #"{"password": "Fourth-Passw0rd!"}"#).status == 400)
        let body = #"{"password": "Fourth-Passw0rd!", "old_password": "\#(WebFixture.password)"}"#
        #expect(try await web.send(.put, "/users/1", admin, body: #"{"password": "Fourth-Passw0rd!", "old_password": "wrong"}"#).status == 400)
        #expect(try await web.send(.put, "/users/1", admin, body: #"{"email": "a@example.com"}"#).status == 200)
        #expect(try await web.send(.put, "/users/1", admin, body: body).status == 200)
        #expect(try await web.send(.get, "/auth/me", admin).status == 401)
    }

    @Test("Old passwords cannot be guessed by way of changing them")
    func passwordThrottle() async throws {
        _ = try await create(#"{"username": "v", "password": "\#(WebFixture.password)"}"#)
        let viewer = try await logIn("v")
        var statuses: [Int] = []
        for _ in 0..<12 {
            let body = #"{"new_password": "Another-Passw0rd!", "old_password": "wrong"}"#
            statuses.append(try await web.send(.put, "/users/2/password", viewer, body: body).status)
        }
        #expect(statuses == Array(repeating: 400, count: 10) + [429, 429])
    }

    // MARK: Avatars

    /// One pixel each.
    static let png: [UInt8] = [
        0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0x0D, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1F, 0x15,
        0xC4,
        0x89, 0, 0, 0, 0x0D, 0x49, 0x44, 0x41, 0x54, 0x78, 0xDA, 0x63, 0x64, 0x60, 0xF8, 0x5F, 0x0F, 0, 0x02, 0x87, 0x01, 0x80, 0xEB, 0x47, 0xBA,
        0x92,
        0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82,
    ]

    private func upload(_ file: [UInt8], of id: Int, _ fields: HTTPFields, name: String = "file") async throws -> WebFixture.Answer {
        var fields = fields
        fields[.contentType] = "multipart/form-data; boundary=b"
        let head = "--b\r\nContent-Disposition: form-data; name=\"\(name)\"; filename=\"../../me.png\"\r\nContent-Type: image/png\r\n\r\n"
        return try await web.send(.post, "/users/\(id)/avatar", fields, bytes: Array(head.utf8) + file + Array("\r\n--b--\r\n".utf8))
    }

    @Test("An avatar is made anew, served where its path says to its user and to administrators, and replaced")
    func avatars() async throws {
        _ = try await create(#"{"username": "v", "password": "\#(WebFixture.password)"}"#)
        let viewer = try await logIn("v")
        let set = try await upload(Self.png, of: 2, viewer)
        let path = try #require(try set.json["avatar_path"]?.string)
        let picture = try await web.send(.get, path, viewer)
        #expect(picture.status == 200 && picture[.contentType] == "image/jpeg" && picture.body.starts(with: [0xFF, 0xD8, 0xFF]))
        #expect(try await web.send(.get, path, admin).body == picture.body)
        #expect(try await web.send(.get, path).status == 401)
        #expect(try await web.send(.get, "/users/1/avatar", viewer).status == 403)
        #expect(try await web.send(.get, "/users/1/avatar", admin).status == 404)
        #expect(try await upload(Self.png, of: 1, viewer).status == 403)
        #expect(try await upload(Self.png, of: 99, admin).status == 404)
        let again = try await upload(Self.png, of: 2, admin)
        #expect(try again.status == 200 && again.json["avatar_path"]?.string != path)
        #expect(try await web.send(.delete, "/users/2/avatar", viewer).json["avatar_path"] == .null)
        #expect(try await web.send(.get, path, viewer).status == 404)
    }

    @Test("What is no picture, too large or no form is refused")
    func badAvatars() async throws {
        #expect(try await upload(Array("<svg onload='alert(1)'/>".utf8), of: 1, admin).status == 400)
        #expect(try await upload([], of: 1, admin).status == 400)
        #expect(try await upload(Array(Self.png.prefix(40)), of: 1, admin).status == 400)
        #expect(try await upload(Array(repeating: 0x20, count: 2 << 20 | 1), of: 1, admin).status == 413)
        #expect(try await upload(Array(repeating: 0x20, count: 3 << 20), of: 1, admin).status == 413)
        #expect(try await upload(Self.png, of: 1, admin, name: "other").status == 422)
        #expect(try await web.send(.post, "/users/1/avatar", admin, body: "{}").status == 422)
        #expect(try await web.send(.get, "/auth/me", admin).json["avatar_path"] == .null)
    }
}

@Suite struct TokenRouteTests {
    @Test("API keys are made, shown once, listed to their owner alone, and deleted")
    func lifecycle() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let viewer = try await web.bearer(.viewer)
        let made = try await web.send(.post, "/v1/api-tokens", viewer, body: #"{"name": "homeassistant", "expires_in_days": 30}"#)
        #expect(try made.json.object?.keys == ["id", "name", "token", "created_at", "expires_at", "last_used_at", "is_active"])
        let key: HTTPFields = [.xAPIKey: try #require(try made.json["token"]?.string)]
        let id = try #require(try made.json["id"]?.serialized())
        #expect(try await web.send(.get, "/auth/me", key).json["username"] == "viewer")
        let list = try await web.send(.get, "/v1/api-tokens", viewer).json.array
        #expect(list?.count == 1 && list?[0]["token"] == .null && list?[0]["last_used_at"] != .null)
        #expect(try await web.send(.get, "/v1/api-tokens", admin).json == [])
        #expect(try await web.send(.delete, "/v1/api-tokens/\(id)", admin).status == 404)
        for (method, path) in [
            (HTTPRequest.Method.get, "/v1/api-tokens"), (.post, "/v1/api-tokens"), (.delete, "/v1/api-tokens/\(id)"), (.post, "/auth/2fa/setup"),
        ] {
            #expect(try await web.send(method, path, key).status == 401, "\(path)")
        }
        #expect(try await web.send(.delete, "/v1/api-tokens/\(id)", viewer).json == ["status": "deleted"])
        #expect(try await web.send(.get, "/auth/me", key).status == 401)
        let gone = try await web.send(.delete, "/v1/api-tokens/\(id)", viewer)
        #expect(try gone.status == 404 && gone.json == ["detail": "Token not found"])
    }

    @Test("Names and lives of keys are checked, and there are not too many")
    func problems() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        for body in [
            "{}", #"{"name": ""}"#, #"{"name": 5}"#, #"{"name": "x", "expires_in_days": 0}"#, #"{"name": "x", "expires_in_days": "soon"}"#, "[]",
        ] {
            #expect(try await web.send(.post, "/v1/api-tokens", admin, body: body).status == 422, "\(body)")
        }
        for _ in 0..<TokenStore.maxPerUser { #expect(try await web.send(.post, "/v1/api-tokens", admin, body: #"{"name": "x"}"#).status == 200) }
        #expect(try await web.send(.post, "/v1/api-tokens", admin, body: #"{"name": "x"}"#).status == 409)
    }
}

@Suite struct TwoFactorRouteTests {
    private let web: WebFixture
    private let bearer: HTTPFields

    init() async throws {
        web = try await WebFixture()
        bearer = try await web.bearer()
    }

    private func code(_ secret: String, _ offset: Int64 = 0) throws -> String {
        try #require(TOTP(base32: secret)).code(step: TOTP.step(at: web.world.value.wall) + offset)
    }

    private func logIn(_ more: String = "") async throws -> WebFixture.Answer {
        try await web.send(.post, "/auth/login", body: "username=admin&password=Bench-Passw0rd%21" + more, form: true)
    }

    private func enable() async throws -> String {
        let made = try await web.send(.post, "/auth/2fa/setup", bearer)
        #expect(try made.json.object?.keys == ["secret", "otpauth_url", "recovery_codes", "qr_svg"])
        let secret = try #require(try made.json["secret"]?.string)
        let body = #"{"code": "\#(try code(secret))"}"#
        #expect(try await web.send(.post, "/auth/2fa/enable", bearer, body: body).status == 200)
        return secret
    }

    @Test("Signing in with a second factor goes the way clients know")
    func signIn() async throws {
        let secret = try await enable()
        #expect(try await web.send(.get, "/auth/me", bearer).json["is_2fa_enabled"] == true)
        let needed = try await logIn()
        #expect(try needed.status == 401 && needed.json == ["detail": "2FA_REQUIRED"] && needed[.wwwAuthenticate] == "Bearer")
        #expect(needed.headers[values: .setCookie].isEmpty)
        #expect(try await logIn("&totp_code=000000").json["detail"] == "Invalid 2FA Code")
        #expect(try await logIn("&recovery_code=nope").json["detail"] == "Invalid Recovery Code")
        #expect(try await logIn("&totp_code=\(try code(secret))").json["detail"] == "Invalid 2FA Code")
        let good = try await logIn("&totp_code=\(try code(secret, 1))&trust_device=true&device_name=Phone")
        let device = try #require(try good.json["device_token"]?.string)
        #expect(good.status == 200)
        let trusted = try await logIn("&device_token=\(device)")
        #expect(try trusted.status == 200 && trusted.json["device_token"] == .null)
        #expect(try await logIn("&trust_device=perhaps").status == 422)
        let devices = try await web.send(.get, "/auth/devices", bearer).json
        #expect(devices.array?.count == 1 && devices.array?[0].object?.keys == ["id", "name", "last_used", "created_at"])
        #expect(try await web.send(.delete, "/auth/devices/1", bearer).status == 200)
        #expect(try await web.send(.delete, "/auth/devices/1", bearer).json == ["detail": "Device not found"])
        #expect(try await logIn("&device_token=\(device)").json == ["detail": "2FA_REQUIRED"])
    }

    @Test("Steps out of order are refused, and removing takes the password")
    func order() async throws {
        #expect(try await web.send(.post, "/auth/2fa/enable", bearer, body: #"{"code": "123456"}"#).status == 400)
        #expect(try await web.send(.post, "/auth/2fa/recovery-codes", bearer).status == 400)
        #expect(try await web.send(.post, "/auth/2fa/disable", bearer, body: #"{"password": "\#(WebFixture.password)"}"#).status == 400)
        let secret = try await enable()
        #expect(try await web.send(.post, "/auth/2fa/setup", bearer).status == 400)
        #expect(try await web.send(.post, "/auth/2fa/recovery-codes", bearer).json["recovery_codes"]?.array?.count == 10)
        for body in ["{}", #"{"password": 5}"#] { #expect(try await web.send(.post, "/auth/2fa/disable", bearer, body: body).status == 422) }
        #expect(try await web.send(.post, "/auth/2fa/disable", bearer, body: #"{"password": "wrong"}"#).status == 400)
        #expect(try await logIn().status == 401)
        #expect(try await web.send(.post, "/auth/2fa/disable", bearer, body: #"{"password": "\#(WebFixture.password)"}"#).status == 200)
        #expect(try await logIn("&totp_code=\(try code(secret, 1))").status == 200)
    }

    @Test("Codes are tried five times a minute; a right one does not help then, and another address is not kept out")
    func throttle() async throws {
        let secret = try await enable()
        for _ in 0..<5 { #expect(try await logIn("&totp_code=000000").status == 401) }
        let late = try await logIn("&totp_code=\(try code(secret, 1))")
        #expect(try late.status == 429 && late[.retryAfter] != nil && late.json["detail"] == "Rate limit exceeded: 5 per 1 minute")
        let elsewhere = try await web.send(
            .post, "/auth/login", body: "username=admin&password=Bench-Passw0rd%21&totp_code=\(try code(secret, 1))", form: true, peer: "192.0.2.8")
        #expect(elsewhere.status == 200)
    }
}
