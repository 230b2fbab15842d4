import HTTPTypes
import NVRBase
import NVRModel
import NVRWeb
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct RequestPathTests {
    @Test("Segments are decoded exactly once")
    func decoding() {
        #expect(RequestPath("/media/Front%20Door/a.mp4").segments == ["media", "Front Door", "a.mp4"])
        #expect(RequestPath("/cameras/").segments == ["cameras"])
        #expect(RequestPath("/").segments.isEmpty)
        #expect(RequestPath("/api/cameras/1").belowAPI == ["cameras", "1"])
        #expect(RequestPath("/media/%252e%252e/x").segments == ["media", "%2e%2e", "x"])
        #expect(RequestPath("/a+b").segments == ["a+b"])
    }

    @Test(
        "Paths that climb or hide a separator are unsafe in every encoding",
        arguments: [
            "/media/../x", "/media/%2e%2e/x", "/media/%2E./x", "/media/..%2f..%2fetc/passwd", "/media/a%5c..%5cb", "/media/a\\b",
            "/media/%00",
            "/media/x%00.mp4", "/media//etc", "/media/./x", "/media/%", "/media/%zz", "/media/%c0%ae%c0%ae/x", "/media/%ff", "//media",
            "/media/%2fetc/passwd",
        ])
    func unsafe(path: String) {
        #expect(!RequestPath(path).isSafe)
    }

    @Test(
        "Ordinary names are safe",
        arguments: ["/media/1/2026-11-22/21-16-53.mp4", "/media/Caf%C3%A9/..a", "/media/a..b/...", "/media/%2e%2e%2e"])
    func safe(path: String) {
        #expect(RequestPath(path).isSafe)
    }
}

@Suite struct RouteTableTests {
    private static func table() -> RouteTable {
        RouteTable([
            Route(.get, "/a", .anonymous) { _ in throw HTTPFailure.notFound },
            Route(.post, "/a", .admin) { _ in throw HTTPFailure.notFound },
            Route(.get, "/a/{id}", .user) { _ in throw HTTPFailure.notFound },
            Route(.post, "/a/special", .user) { _ in throw HTTPFailure.notFound },
            Route(.get, "/files/{path...}", .media) { _ in throw HTTPFailure.notFound },
        ])
    }

    @Test("A path with another method names the methods it has")
    func methods() {
        guard case .methodNotAllowed(let allowed) = Self.table().match(.delete, ["a"]) else { return #expect(Bool(false)) }
        #expect(Set(allowed) == [.get, .head, .post])
        guard case .notFound = Self.table().match(.get, ["b"]) else { return #expect(Bool(false)) }
    }

    @Test("Literals go before parameters, HEAD goes where GET does, the rest is kept")
    func matching() {
        guard case .route(let special, _) = Self.table().match(.post, ["a", "special"]) else { return #expect(Bool(false)) }
        #expect(special.pattern == "/a/special")
        guard case .route(let one, let parameters) = Self.table().match(.head, ["a", "7"]) else { return #expect(Bool(false)) }
        #expect(one.pattern == "/a/{id}" && parameters == ["id": "7"])
        guard case .route(_, let rest) = Self.table().match(.get, ["files", "x", "y.mp4"]) else { return #expect(Bool(false)) }
        #expect(rest == ["path": "x/y.mp4"])
    }
}

@Suite struct QueryItemTests {
    @Test("Forms and queries are decoded")
    func items() {
        let items = QueryItems("username=admin&password=a%2Bb+c%21&empty=&flag&=x&twice=1&twice=2".utf8)
        #expect(items["username"] == "admin")
        #expect(items["password"] == "a+b c!")
        #expect(items["empty"] == "" && items["flag"] == "" && items["missing"] == nil)
        #expect(items["twice"] == "1")
        #expect(QueryItems("a=%zz".utf8)["a"] == "%zz")
    }

    @Test("A flood of items is cut")
    func flood() {
        let items = QueryItems(String(repeating: "a=1&", count: 100_000) + "b=2")
        #expect(items["b"] == nil)
    }
}

extension QueryItems {
    init(_ text: String) { self.init(text.utf8) }
}

@Suite(.serialized) struct LocalDayTests {
    private static func inZone(_ zone: String, _ body: () throws -> Void) rethrows {
        let old = getenv("TZ").map { String(cString: $0) }
        setenv("TZ", zone, 1)
        tzset()
        defer {
            if let old { setenv("TZ", old, 1) } else { unsetenv("TZ") }
            tzset()
        }
        try body()
    }

    @Test(
        "Days are 23, 24 or 25 hours long where clocks change",
        arguments: [
            ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", 23.0),
            ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00Z", 25),
            ("Europe/Berlin", "2026-06-01", "2026-05-31T22:00:00Z", 24),
            ("America/New_York", "2026-03-08", "2026-03-08T05:00:00Z", 23),
            ("UTC", "2026-11-22", "2026-11-22T00:00:00Z", 24),
            ("Asia/Kolkata", "2026-11-22", "2026-11-21T18:30:00Z", 24),
            ("Pacific/Kiritimati", "2026-01-01", "2025-12-31T10:00:00Z", 24),
            // Midnight does not exist: clocks went from 00:00 to 01:00.
            ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", 23),
            ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00:00Z", 24.5),
        ])
    func ranges(zone: String, day: String, start: String, hours: Double) throws {
        try Self.inZone(zone) {
            let range = LocalDay.range(of: try #require(CivilDate(day)))
            #expect(range.start.iso8601 == start)
            #expect(range.duration == hours * 3600)
            #expect(LocalDay.date(at: range.start) == CivilDate(day))
            #expect(LocalDay.date(at: range.end.advanced(byMicroseconds: -1)) == CivilDate(day))
        }
    }

    @Test(
        "Only days that exist are dates",
        arguments: [
            "notadate", "2026-02-29", "2026-13-01", "2026-00-10", "2026-1-1", "26-01-01", "2026-01-01T00", "", "+026-01-01", "9999-01-01",
        ])
    func bad(text: String) {
        #expect(CivilDate(text) == nil)
    }

    @Test("29 February exists in leap years")
    func leap() {
        #expect(CivilDate("2028-02-29")?.daysSince1970 == 21_243)
    }
}

@Suite struct OriginPolicyTests {
    private let policy = OriginPolicy(allowedOrigins: ["https://dash.example"])

    private func head(_ method: HTTPRequest.Method, _ fields: HTTPFields, authority: String? = "nvr.test:8080") -> HTTPRequest {
        HTTPRequest(method: method, scheme: "http", authority: authority, path: "/", headerFields: fields)
    }

    @Test("A request known by a cookie has to prove that it comes from our own page")
    func cookies() {
        #expect(policy.allows(head(.post, [.origin: "http://nvr.test:8080"]), knownByCookie: true))
        #expect(policy.allows(head(.post, [.origin: "https://nvr.test:8080"]), knownByCookie: true))
        #expect(policy.allows(head(.post, [.origin: "https://dash.example"]), knownByCookie: true))
        #expect(policy.allows(head(.post, [.secFetchSite: "same-origin"]), knownByCookie: true))
        #expect(!policy.allows(head(.post, [:]), knownByCookie: true))
        #expect(!policy.allows(head(.post, [.origin: "http://evil.test"]), knownByCookie: true))
        #expect(!policy.allows(head(.post, [.origin: "http://nvr.test"]), knownByCookie: true))
        #expect(!policy.allows(head(.post, [.origin: "null"]), knownByCookie: true))
        #expect(!policy.allows(head(.delete, [.secFetchSite: "same-site"]), knownByCookie: true))
        #expect(!policy.allows(head(.put, [.origin: "http://evil.test", .secFetchSite: "same-origin"]), knownByCookie: true))
        #expect(policy.allows(head(.get, [.origin: "http://evil.test"]), knownByCookie: true))
    }

    @Test("Over HTTPS a page of the same name that came without encryption is a foreign one")
    func downgraded() {
        let plain = head(.post, [.origin: "http://nvr.test"], authority: "nvr.test")
        let secure = head(.post, [.origin: "https://nvr.test"], authority: "nvr.test")
        #expect(policy.allows(plain, knownByCookie: true) && policy.allows(secure, knownByCookie: true))
        #expect(!policy.allows(plain, knownByCookie: true, isSecure: true) && policy.provenance(of: plain, isSecure: true) == .foreign)
        #expect(policy.allows(secure, knownByCookie: true, isSecure: true))
    }

    @Test("Scripts without a browser need no origin, foreign pages are refused all the same")
    func tokens() {
        #expect(policy.allows(head(.post, [:]), knownByCookie: false))
        #expect(!policy.allows(head(.post, [.origin: "http://evil.test"]), knownByCookie: false))
        #expect(!policy.allows(head(.post, [.secFetchSite: "cross-site"]), knownByCookie: false))
    }
}

@Suite struct ClientAddressTests {
    private func client(_ peer: String?, _ fields: HTTPFields = [:], host: String? = "localhost:8080", proxies: Set<String> = [])
        -> ClientAddress
    {
        ClientAddress(
            peer: peer, head: HTTPRequest(method: .get, scheme: "http", authority: host, path: "/", headerFields: fields),
            trustedProxies: TrustedProxies(proxies))
    }

    @Test("Local is only who is on this machine, without a proxy, under a name of this machine")
    func local() {
        #expect(client("127.0.0.1").isLocal)
        #expect(client("::1", host: "[::1]:8080").isLocal)
        #expect(client("::ffff:127.0.0.1", host: "127.0.0.1").isLocal)
        #expect(!client("192.0.2.1").isLocal)
        #expect(!client("127.0.0.1", host: "evil.example").isLocal)
        #expect(!client("127.0.0.1", host: "127.evil.example").isLocal)
        #expect(!client("127.0.0.1", [.xForwardedFor: "192.0.2.1"]).isLocal)
        #expect(!client(nil).isLocal)
        for name in ["Forwarded", "Via", "X-Real-IP", "X-Forwarded-Proto", "x-forwarded-port", "X-Forwarded-Server", "CF-Connecting-IP"] {
            #expect(!client("127.0.0.1", [HTTPField.Name(name) ?? .via: "x"]).isLocal, "\(name)")
        }
    }

    @Test("Of proxies in a row, the one that the client spoke to says whether it was HTTPS")
    func schemes() {
        for (sent, isSecure) in [
            ("https", true), ("HTTPS", true), ("https, http", true), ("https,http", true), ("\thttps\t,http", true), ("http, https", false),
            ("http", false), ("", false), ("httpsx", false),
        ] { #expect(client("10.0.0.1", [.xForwardedProto: sent], proxies: ["10.0.0.1"]).isSecure == isSecure, "\(sent)") }
        var fields = HTTPFields()
        fields[values: .xForwardedProto] = ["https", "http"]
        #expect(client("10.0.0.1", fields, proxies: ["10.0.0.1"]).isSecure)
        #expect(client("10.0.0.1", [.xForwardedFor: "6.6.6.6,\t192.0.2.9\t"], proxies: ["10.0.0.1"]).address == "192.0.2.9")
    }

    @Test("Forwarding headers count from trusted proxies only, nearest hop first")
    func forwarded() {
        let fields: HTTPFields = [.xForwardedFor: "6.6.6.6, 192.0.2.9, 10.0.0.2", .xForwardedProto: "https"]
        #expect(client("10.0.0.1", fields).address == "10.0.0.1")
        #expect(!client("10.0.0.1", fields).isSecure)
        let trusted = client("10.0.0.1", fields, proxies: ["10.0.0.1", "10.0.0.2"])
        #expect(trusted.address == "192.0.2.9" && trusted.isSecure)
    }

    @Test(
        "The client is the first hop from the right that is no proxy of ours",
        arguments: [
            (["6.6.6.6, 192.0.2.9"], "192.0.2.9"), (["192.0.2.9:4711"], "192.0.2.9"), (["[2001:DB8::1]:443, 10.9.9.9"], "2001:db8::1"),
            (["6.6.6.6", "192.0.2.9, 10.0.0.7"], "192.0.2.9"), (["::ffff:192.0.2.9"], "192.0.2.9"), (["10.0.0.5, 10.0.0.6"], "10.0.0.5"),
            (["6.6.6.6, unknown"], "10.0.0.1"), (["6.6.6.6, , 10.0.0.6"], "10.0.0.6"), ([""], "10.0.0.1"), ([], "10.0.0.1"),
            (["fd00:1::5, 192.0.2.9, fd00:ffff::1"], "192.0.2.9"),
        ])
    func hops(lines: [String], client: String) {
        var fields = HTTPFields()
        fields[values: .xForwardedFor] = lines
        #expect(self.client("10.0.0.1", fields, proxies: ["10.0.0.0/8", "fd00::/16"]).address == client)
        #expect(
            self.client("::ffff:10.0.0.1", fields, proxies: ["10.0.0.0/8", "fd00::/16"]).address
                == (client == "10.0.0.1" ? "::ffff:10.0.0.1" : client))
        #expect(self.client("192.0.2.250", fields, proxies: ["10.0.0.0/8"]).address == "192.0.2.250")
    }

    @Test("Proxies are addresses and networks; anything else is told at the start")
    func proxies() {
        for good in ["10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "::1", "fd00::/8", "::ffff:10.0.0.0/104"] {
            #expect(TrustedProxies.refusal(of: good) == nil)
        }
        for bad in ["", "proxy.example", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "::/129", "1.2.3.4/5/6", "/8", "*", "::ffff:10.0.0.0/8"] {
            #expect(TrustedProxies.refusal(of: bad)?.contains("'\(bad)'") == true)
        }
        let fields: HTTPFields = [.xForwardedFor: "192.0.2.9"]
        #expect(client("10.200.0.1", fields, proxies: ["::ffff:10.0.0.0/104"]).address == "192.0.2.9")
        #expect(client("11.0.0.1", fields, proxies: ["10.0.0.0/8"]).address == "11.0.0.1")
        #expect(client("10.0.0.2", fields, proxies: ["10.0.0.0/31"]).address == "10.0.0.2")
        #expect(client("10.0.0.1", fields, proxies: ["10.0.0.0/31"]).address == "192.0.2.9")
    }
}

@Suite struct ErrorMappingTests {
    @Test(
        "Every kind of error has its status",
        arguments: [
            (NVRError.Kind.notFound, 404), (.invalid, 400), (.conflict, 409), (.unauthenticated, 401), (.forbidden, 403),
            (.unavailable, 503),
            (.exhausted, 507), (.timeout, 504),
        ])
    func kinds(kind: NVRError.Kind, status: Int) {
        let failure = HTTPFailure(NVRError(kind, "why"))
        #expect(failure?.status.code == status)
        #expect(failure?.detail == "why")
        if status == 401 { #expect(failure?.fields[.wwwAuthenticate] == "Bearer") }
        if status == 503 { #expect(failure?.fields[.retryAfter] != nil) }
    }

    @Test("Faults of our own are no answers")
    func faults() {
        struct Odd: Error {}
        #expect(HTTPFailure(NVRError(.internalFault, "secret detail")) == nil)
        #expect(HTTPFailure(NVRError(.dataLoss, "row 7")) == nil)
        #expect(HTTPFailure(Odd()) == nil)
    }

    @Test("Problems of fields are a 422 with a list")
    func problems() {
        let failure = HTTPFailure(FieldProblems([.missing([.key("body"), .key("name")], body: [:])]))
        #expect(failure?.status.code == 422)
        #expect(failure?.detail.array?.count == 1)
    }
}

@Suite struct MediaPathTests {
    @Test("Cameras are found by id, name and URL-safe name, ids first")
    func cameras() {
        let cameras = [
            Camera(id: ID(3), createdAt: WallTime(microseconds: 0), name: "2"),
            Camera(id: ID(4), createdAt: WallTime(microseconds: 0), name: "Front Door/é"),
        ]
        #expect(MediaPath.camera("2", among: cameras) == ID(2))
        #expect(MediaPath.camera("Front Door/é", among: cameras) == ID(4))
        #expect(MediaPath.camera("Front_Door__", among: cameras) == ID(4))
        #expect(MediaPath.camera("03", among: cameras) == nil)
        #expect(MediaPath.camera("nobody", among: cameras) == nil)
    }

    @Test("Movies of events have a path of their own")
    func events() {
        #expect(MediaPath.event(in: ["1", "2026-11-22", "event-5.mp4"]) == ID(5))
        #expect(MediaPath.event(in: ["1", "2026-11-22", "event-.mp4"]) == nil)
        #expect(MediaPath.event(in: ["1", "2026-11-22", "event-99999999999999999999.mp4"]) == nil)
        #expect(MediaPath.event(in: ["1", "event-5.mp4"]) == nil)
        #expect(MediaPath.url("1/2026-11-22/a b#.mp4") == "/media/1/2026-11-22/a%20b%23.mp4")
    }
}
