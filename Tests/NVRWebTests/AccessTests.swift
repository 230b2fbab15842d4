import HTTPTypes
import Hummingbird
import NVRAccounts
import NVRMedia
import NVRModel
import NVRWeb
import Testing

@Suite struct AccessTests {
    /// Routes that anybody may call; a route that is neither here nor refuses strangers fails the test below.
    private static let open: Set<String> = [
        "GET /auth/status", "POST /auth/setup", "POST /auth/login", "POST /auth/logout", "GET /auth/me-from-cookie", "GET /", "GET /ui",
        "GET /ui/server.json", "GET /ui/{path...}", "GET /health", "GET /metrics", "GET /openapi.json", "GET /docs", "GET /oauth/login",
        "GET /oauth/callback",
        "POST /oauth/unlink", "GET /oauth/logout",
    ]

    private static func path(of route: Route) -> String {
        route.pattern.split(separator: "/").map { $0.hasPrefix("{") ? "/1" : "/" + $0 }.joined()
    }

    @Test("Every route asks who is calling, unless it is listed as open", arguments: ["", "/api"])
    func everyRoute(prefix: String) async throws {
        let web = try await WebFixture()
        #expect(Set(web.server.responder.table.routes.map { "\($0.method.rawValue) \($0.pattern)" }).isSuperset(of: Self.open))
        for route in web.server.responder.table.routes {
            let name = "\(route.method.rawValue) \(route.pattern)"
            #expect((route.access == .anonymous) == Self.open.contains(name), "\(name)")
            guard route.access != .anonymous else { continue }
            let answer = try await web.send(route.method, prefix + Self.path(of: route))
            #expect(answer.status == 401, "\(name)")
            #expect(answer[.wwwAuthenticate] == "Bearer", "\(name)")
            let details: [RouteAccess: String] = [.media: "Missing media authentication", .webhook: "Unauthorized"]
            #expect(try answer.json == ["detail": .string(route.strangers ?? details[route.access] ?? "Not authenticated")], "\(name)")
        }
    }

    @Test("Administrators' routes are closed to viewers and to API keys")
    func adminRoutes() async throws {
        let web = try await WebFixture()
        let viewer = try await web.bearer(.viewer)
        let key = try await web.apiKey(of: .admin)
        for route in web.server.responder.table.routes where route.access == .admin {
            let forbidden = try await web.send(route.method, Self.path(of: route), viewer)
            #expect(try forbidden.status == 403 && forbidden.json == ["detail": "Admin privileges required"], "\(route.pattern)")
            let unknown = try await web.send(route.method, Self.path(of: route), key)
            #expect(try unknown.status == 401 && unknown.json == ["detail": "Not authenticated"], "\(route.pattern)")
        }
    }

    @Test("Bad tokens and keys are told so, stale cookies count for nothing")
    func badCredentials() async throws {
        let web = try await WebFixture()
        #expect(
            try await web.send(.get, "/auth/me", [.authorization: "Bearer bad.token.here"]).json == [
                "detail": "Could not validate credentials"
            ])
        #expect(try await web.send(.get, "/auth/me", [.authorization: "Basic YTpi"]).json == ["detail": "Not authenticated"])
        #expect(try await web.send(.get, "/cameras", [.xAPIKey: "wrong"]).json == ["detail": "Not authenticated"])
        #expect(try await web.send(.get, "/cameras", [.cookie: "auth_token=old"]).json == ["detail": "Not authenticated"])
        #expect(
            try await web.send(.get, "/events/1/download", [.cookie: "media_token=old"]).json == ["detail": "Missing media authentication"])
    }

    @Test("The media cookie opens media and nothing else; bearer and key open media too")
    func mediaCookie() async throws {
        let web = try await WebFixture()
        let camera = try await web.camera()
        web.world.value.picture = .init(jpeg: [0xFF, 0xD8], width: 4, height: 2, time: WallTime(microseconds: 0))
        let signIn = try await web.signIn()
        let path = "/cameras/\(camera.id)/frame"
        #expect(try await web.send(.get, path, [.cookie: "media_token=\(signIn.mediaToken)"]).status == 200)
        #expect(try await web.send(.get, path, [.cookie: "media_token=\(signIn.accessToken)"]).status == 200)
        #expect(try await web.send(.get, path, [.cookie: "auth_token=\(signIn.accessToken)"]).status == 200)
        #expect(try await web.send(.get, path, try await web.bearer()).status == 200)
        #expect(try await web.send(.get, path, try await web.apiKey()).status == 200)
        #expect(try await web.send(.get, "/cameras", [.cookie: "media_token=\(signIn.mediaToken)"]).status == 401)
        #expect(try await web.send(.get, "/cameras", [.cookie: "auth_token=\(signIn.mediaToken)"]).status == 401)
    }

    @Test("A token in the query counts only where the setting allows it, and on media alone")
    func queryToken() async throws {
        for isAllowed in [false, true] {
            let web = try await WebFixture { $0.tokenInQueryAllowed = isAllowed }
            let camera = try await web.camera()
            web.world.value.picture = .init(jpeg: [0xFF, 0xD8], width: 4, height: 2, time: WallTime(microseconds: 0))
            let token = try await web.signIn().mediaToken
            #expect(try await web.send(.get, "/cameras/\(camera.id)/frame?token=\(token)").status == (isAllowed ? 200 : 401))
            #expect(try await web.send(.get, "/cameras?token=\(token)").status == 401)
        }
    }

    @Test("State is changed by cookie only from our own page")
    func crossSite() async throws {
        let web = try await WebFixture()
        let cookie = "auth_token=\(try await web.signIn().accessToken)"
        let body = #"{"camera_ids": []}"#
        func status(_ fields: HTTPFields) async throws -> Int {
            var fields = fields
            fields[.cookie] = cookie
            return try await web.send(.post, "/cameras/reorder", fields, body: body).status
        }
        #expect(try await status([:]) == 403)
        #expect(try await status([.origin: "http://evil.test"]) == 403)
        #expect(try await status([.origin: "http://nvr.test:8080"]) == 200)
        #expect(try await status([.secFetchSite: "same-origin"]) == 200)
        let login = try await web.send(.post, "/auth/login", [.origin: "http://evil.test"], body: "username=a&password=b", form: true)
        #expect(login.status == 403)
    }

    @Test("A restricted viewer sees no camera and no event, as if there were none")
    func restricted() async throws {
        let web = try await WebFixture()
        let camera = try await web.camera()
        _ = try await web.event(of: camera.id)
        _ = try await web.signIn(.admin)
        let viewer = try await web.signIn(.viewer)
        _ = try await web.accounts.update(viewer.user.id) { $0.restrictCameraAccess = true }
        let fields: HTTPFields = [.authorization: "Bearer \(viewer.accessToken)"]
        #expect(try await web.send(.get, "/cameras", fields).json == [])
        #expect(try await web.send(.get, "/cameras/\(camera.id)", fields).status == 404)
        #expect(try await web.send(.get, "/cameras/\(camera.id)/frame", fields).status == 404)
        #expect(try await web.send(.get, "/events", fields).json == [])
        #expect(try await web.send(.get, "/events/1", fields).status == 404)
        #expect(try await web.send(.get, "/events/1/download", fields).status == 404)
        #expect(try await web.send(.get, "/media/1/x.mp4", fields).status == 404)
    }

    @Test("Every answer carries the headers that make browsers careful, and HSTS over TLS only")
    func securityHeaders() async throws {
        let web = try await WebFixture { $0.trustedProxies = ["10.0.0.1"] }
        for path in ["/", "/nosuch", "/cameras", "/health", "/ui/docs.js", "/media/..%2fx"] {
            let answer = try await web.send(.get, path)
            #expect(answer[.xContentTypeOptions] == "nosniff" && answer[.xFrameOptions] == "DENY")
            #expect(answer[.contentSecurityPolicy]?.contains("unsafe-inline") == false)
            #expect(answer[.referrerPolicy] != nil && answer[.strictTransportSecurity] == nil)
            #expect(answer[.vary]?.contains("Origin") == true)
        }
        let secure = try await web.send(.get, "/health", [.xForwardedProto: "https", .xForwardedFor: "192.0.2.1"], peer: "10.0.0.1")
        #expect(secure[.strictTransportSecurity] != nil)
    }

    @Test("Other origins are told apart by ALLOWED_ORIGINS")
    func cors() async throws {
        let web = try await WebFixture { $0.allowedOrigins = ["https://dash.example"] }
        let refused = try await web.send(.options, "/cameras", [.origin: "http://example.com", .accessControlRequestMethod: "GET"])
        #expect(refused.status == 400 && refused.text == "Disallowed CORS origin" && refused[.accessControlAllowOrigin] == nil)
        let allowed = try await web.send(
            .options, "/api/cameras",
            [.origin: "https://dash.example", .accessControlRequestMethod: "PUT", .accessControlRequestHeaders: "authorization"])
        #expect(allowed.status == 200 && allowed[.accessControlAllowOrigin] == "https://dash.example")
        #expect(allowed[.accessControlAllowHeaders] == "authorization" && allowed[.accessControlAllowCredentials] == "true")
        let read = try await web.send(.get, "/health", [.origin: "https://dash.example"])
        #expect(read[.accessControlAllowOrigin] == "https://dash.example")
        #expect(try await web.send(.get, "/health", [.origin: "http://evil.test"])[.accessControlAllowOrigin] == nil)
    }

    @Test("Unknown paths, other methods, HEAD and large bodies")
    func protocolEdges() async throws {
        let web = try await WebFixture()
        #expect(try await web.send(.get, "/nosuch").json == ["detail": "Not Found"])
        #expect(try await web.send(.get, "/api/api/cameras").status == 404)
        let method = try await web.send(.patch, "/cameras")
        #expect(try method.status == 405 && method.json == ["detail": "Method Not Allowed"])
        #expect(Set(method[.allow]?.split(separator: ", ").map(String.init) ?? []) == ["GET", "HEAD", "POST"])
        let reserved = try await web.send(.put, "/cameras/reorder", try await web.bearer(), body: "{}")
        #expect(reserved.status == 405 && reserved[.allow] == "POST")
        let get = try await web.send(.get, "/health")
        let head = try await web.send(.head, "/health")
        #expect(head.status == 200 && head.body.isEmpty && head[.contentLength] == get[.contentLength])
        let huge = String(repeating: "x", count: APIResponder.largestBody + 1)
        let large = try await web.send(.post, "/cameras", try await web.bearer(), body: huge)
        #expect(large.status == 413 && large[.connection] == "close")
        #expect(
            try await web.send(.post, "/auth/login", body: String(huge.prefix(APIResponder.largestAnonymousBody + 1)), form: true).status
                == 413)
    }
}
