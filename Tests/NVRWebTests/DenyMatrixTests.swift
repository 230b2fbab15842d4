import HTTPTypes
import NVRAccounts
import NVRMedia
import NVRModel
import NVRStore
import NVRWeb
import Testing

/// Every route of the router × everybody who may come: the status that `Rule.all` promises.
@Suite struct DenyMatrixTests {
    /// Who asks, and what they may do with camera 1.
    struct Caller: Sendable {
        let name: String
        let headers: HTTPFields
        /// Nil: nobody that the server knows.
        var role: User.Role?
        var isKey = false
        var isMediaCookie = false
        var may: Set<Permission> = []
    }

    /// What the fixture's only camera is called, its group likewise, and the password in its URL.
    private static let cameraName = "Veiled Porch"
    private static let secret = "Pl0vers"

    /// A camera with an event, a picture and a file; users of every kind.
    private static func populated() async throws -> (web: WebFixture, callers: [Caller]) {
        let web = try await WebFixture()
        let camera = try await web.camera(cameraName, url: "rtsp://watch:\(secret)@10.0.0.9/cam0")
        _ = try await web.event(of: camera.id, picture: "1/p.jpg")
        let group = try await web.store.groups.insert(CameraGroup(id: ID(0), name: "Veiled Yard", createdAt: WallTime(microseconds: 0)))
        _ = try await web.store.groups.setCameras(group.id, [camera.id])
        web.world.change {
            $0.picture = .init(jpeg: [0xFF, 0xD8], width: 4, height: 2, time: WallTime(microseconds: 0))
            $0.files = ["1/p.jpg": [0xFF, 0xD8], "1/file.mp4": [1, 2, 3]]
            $0.video = [1, 2, 3]
        }
        return (web, try await callers(web, camera.id))
    }

    private static func callers(_ web: WebFixture, _ camera: ID<Camera>) async throws -> [Caller] {
        var callers = [
            Caller(name: "nobody", headers: [:]), Caller(name: "a bad token", headers: [.authorization: "Bearer a.b.c"]),
            Caller(name: "a bad key", headers: [.xAPIKey: String(repeating: "A", count: 43)]),
        ]
        // The administrator comes last: what he may do changes things.
        let users: [(name: String, role: User.Role, isRestricted: Bool, may: Set<Permission>)] = [
            ("viewer without rights", .viewer, true, []), ("viewer who may view", .viewer, true, [.view]),
            ("viewer who may replay", .viewer, true, [.view, .replay]), ("viewer who may control", .viewer, true, [.view, .control]),
            ("viewer", .viewer, false, [.view, .replay]), ("admin", .admin, false, Set(Permission.allCases)),
        ]
        let admin = try await web.accounts.create(username: "admin", password: WebFixture.password, role: .admin)
        for user in users {
            let made: User
            if user.role == .admin {
                made = admin
            } else {
                made = try await web.accounts.create(username: user.name, password: WebFixture.password, role: user.role)
                _ = try await web.accounts.update(made.id) {
                    $0.restrictCameraAccess = user.isRestricted
                    guard user.isRestricted, !user.may.isEmpty else { return }
                    $0.cameraGrants = [
                        Grant(
                            id: camera, canView: user.may.contains(.view), canReplay: user.may.contains(.replay),
                            canControl: user.may.contains(.control))
                    ]
                }
            }
            let key = try await web.accounts.apiKeys.make(for: made.id, name: "key", expiresInDays: 1).plain
            let expired = try await web.accounts.apiKeys.make(for: made.id, name: "old", expiresInDays: nil)
            _ = try await web.accounts.apiKeys.delete(expired.token.id, of: made.id)
            let over = try #require(try await web.accounts.sessions.signIn(username: user.name, password: WebFixture.password))
            try await web.accounts.sessions.endAll(of: made.id)
            let session = try #require(try await web.accounts.sessions.signIn(username: user.name, password: WebFixture.password))
            // Keys and the media cookie only read.
            let reads = user.may.subtracting([.control, .administer])
            callers += [
                Caller(name: "\(user.name): revoked session", headers: [.authorization: "Bearer \(over.accessToken)"]),
                Caller(
                    name: "\(user.name): revoked session's cookies",
                    headers: [.cookie: "auth_token=\(over.accessToken); media_token=\(over.mediaToken)"]),
                Caller(name: "\(user.name): revoked key", headers: [.xAPIKey: expired.plain]),
                Caller(name: "\(user.name): key", headers: [.xAPIKey: key], role: user.role, isKey: true, may: reads),
                Caller(
                    name: "\(user.name): media cookie", headers: [.cookie: "media_token=\(session.mediaToken)"], role: user.role, isMediaCookie: true,
                    may: reads),
                Caller(
                    name: "\(user.name): cookie", headers: [.cookie: "auth_token=\(session.accessToken)", .secFetchSite: "same-origin"],
                    role: user.role, may: user.may),
                Caller(name: user.name, headers: [.authorization: "Bearer \(session.accessToken)"], role: user.role, may: user.may),
            ]
        }
        return callers
    }

    /// The statuses that a rule allows a caller.
    private static func expected(_ rule: Rule, _ caller: Caller) -> Set<Int> {
        if rule.audience == .everybody { return rule.success }
        if rule.audience == .webhook { return [401] }
        guard let role = caller.role else { return [401] }
        if caller.isMediaCookie, rule.audience != .media { return [401] }
        if caller.isKey, rule.audience == .users || rule.audience == .administrators { return [401] }
        if rule.audience == .administrators, role != .admin { return [403] }
        if let needs = rule.needs, !caller.may.contains(needs) {
            // What one may not see does not exist.
            guard caller.may.contains(.view) else { return [rule.toStrangers ?? 404] }
            return [rule.toViewers ?? (needs == .control ? 403 : 404)]
        }
        if let status = rule.toOthers, role != .admin { return [status] }
        return rule.success
    }

    @Test("Every route has its rule, and every rule its route")
    func complete() async throws {
        let routes = Set(try await WebFixture().server.responder.table.routes.map { "\($0.method.rawValue) \($0.pattern)" })
        #expect(routes.subtracting(Rule.all.keys).sorted() == [], "routes without a rule")
    }

    @Test("Everybody gets what the rule of the route says, and nobody sees what is hidden", arguments: Rule.all.keys.sorted())
    func matrix(route: String) async throws {
        let rule = try #require(Rule.all[route])
        let (web, callers) = try await Self.populated()
        guard web.server.responder.table.routes.contains(where: { "\($0.method.rawValue) \($0.pattern)" == route }) else { return }
        let words = route.split(separator: " ")
        let method = try #require(HTTPRequest.Method(String(words[0])))
        let path = rule.path ?? words[1].split(separator: "/").map { $0.hasPrefix("{") ? "/1" : "/" + $0 }.joined()
        for caller in callers {
            var headers = rule.headers
            for field in caller.headers { headers[field.name] = field.value }
            let answer = try await web.send(method, path.isEmpty ? "/" : path, headers, body: rule.body, form: rule.form)
            let expected = Self.expected(rule, caller)
            #expect(expected.contains(answer.status), "\(route) as \(caller.name): \(answer.status), not \(expected): \(answer.text.prefix(200))")
            if answer.status == 401 { #expect(answer[.wwwAuthenticate] == "Bearer", "\(route) as \(caller.name)") }
            // Whoever may not see the camera learns nothing of it; its password is for administrators' eyes.
            if !caller.may.contains(.view) { #expect(!answer.text.contains("Veiled"), "\(route) tells \(caller.name) of the camera") }
            if !caller.may.contains(.administer) { #expect(!answer.text.contains(Self.secret), "\(route) tells \(caller.name) the password") }
            #expect(!answer.text.contains(WebFixture.password), "\(route) tells \(caller.name) a password")
            let mayHoldHashes = rule.holdsHashes && caller.may.contains(.administer)
            #expect(mayHoldHashes || !answer.text.contains("argon2"), "\(route) tells \(caller.name) a hash")
        }
    }

    @Test("An expired key and a session that is over open nothing")
    func expired() async throws {
        let (web, callers) = try await Self.populated()
        let known = callers.filter { $0.role != nil }
        web.world.change { $0.wall += Int64(3650) * 86_400_000_000 }
        let routes = Set(web.server.responder.table.routes.map { "\($0.method.rawValue) \($0.pattern)" })
        for (route, rule) in Rule.all where rule.audience != .everybody && routes.contains(route) {
            let words = route.split(separator: " ")
            let method = try #require(HTTPRequest.Method(String(words[0])))
            let path = rule.path ?? words[1].split(separator: "/").map { $0.hasPrefix("{") ? "/1" : "/" + $0 }.joined()
            for caller in known {
                var headers = rule.headers
                for field in caller.headers { headers[field.name] = field.value }
                let status = try await web.send(method, path, headers, body: rule.body, form: rule.form).status
                #expect(status == 401, "\(route) as \(caller.name), years later: \(status)")
            }
        }
    }
}
