import HTTPTypes
import Logging
import NIOCore
import NVRBase
import NVRModel
import NVRStore
import NVRWeb
import Synchronization
import Testing

@Suite struct AuditTests {
    private static let planted = "S3cr3t-Pl4nted"

    /// What is listed so far, oldest first.
    private func entries(_ web: WebFixture) async throws -> [AuditEntry] {
        #expect(await web.server.audit.write())
        var filter = AuditFilter()
        filter.limit = 1000
        return try await web.store.audit.list(filter).reversed()
    }

    @Test("Every route that may change something leaves an entry, whoever calls it")
    func everyRoute() async throws {
        let web = try await WebFixture()
        let unsafe = web.server.responder.table.routes.filter { ![.get, .head, .options].contains($0.method) }
        #expect(unsafe.count > 10)
        for route in unsafe {
            let path = route.pattern.split(separator: "/").map { $0.hasPrefix("{") ? "/77" : "/" + $0 }.joined()
            for headers in [HTTPFields(), try await web.bearer()] {
                // Time for the next refusal to be listed by itself.
                web.world.change { $0.wall += 2_000_000 }
                let before = try await entries(web).count
                let answer = try await web.send(route.method, path, headers)
                let new = try await entries(web).dropFirst(before)
                #expect(new.count == 1, "\(route.method) \(route.pattern)")
                guard let entry = new.first else { continue }
                #expect(entry.method == route.method.rawValue && entry.route == route.pattern && entry.status == answer.status)
                #expect(entry.address == "192.0.2.7")
                // The webhook knows a secret and nobody's name.
                let name = headers.isEmpty || route.access == .webhook ? nil : "admin"
                #expect(entry.userName == name, "\(route.pattern)")
                for name in entry.parameters.keys { #expect(entry.parameters[name] == 77) }
            }
        }
    }

    @Test("An entry says who did what, when, from where, and holds no secret")
    func content() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        web.world.change { $0.wall = 1_795_000_123_000_000 }
        let body =
            #"{"name": "\#(Self.planted)", "rtsp_url": "rtsp://u:\#(Self.planted)@10.0.0.9/a", "onvif_password": "\#(Self.planted)", "\#(Self.planted)": 1, "is_active": false}"#
        let made = try await web.send(.post, "/cameras?token=\(Self.planted)", admin, body: body, peer: "198.51.100.4")
        let id = try #require(try made.json["id"])
        #expect(try await web.send(.put, "/cameras/\(id.serialized())", admin, body: #"{"location": "Porch"}"#).status == 200)
        #expect(try await web.send(.post, "/events/bulk-delete", admin, body: "[7, 8]").status == 200)
        #expect(try await web.send(.delete, "/cameras/\(id.serialized())?delete_media=true", admin).status == 200)
        let found = try await entries(web)
        #expect(found.map(\.route) == ["/cameras", "/cameras/{camera_id}", "/events/bulk-delete", "/cameras/{camera_id}"])
        #expect(found[0].summary == "name, rtsp_url, onvif_password, is_active=false, 1 unknown field")
        #expect(found[0].address == "198.51.100.4" && found[0].time.microseconds == 1_795_000_123_000_000 && found[0].userName == "admin")
        #expect(found[1].summary == "location" && found[1].cameraID == ID(1) && found[1].parameters == ["camera_id": 1])
        #expect(found[2].summary == "ids=7 8")
        #expect(found[3].summary == "delete_media=true" && found[3].method == "DELETE")
        let answer = try await web.send(.get, "/audit", admin)
        #expect(answer.status == 200 && !answer.text.contains(Self.planted))
        #expect(try answer.json.array?.count == 4)
    }

    @Test("Sign-ins are listed with the name of a user, refused ones too; a name that nobody has is not written down")
    func signIns() async throws {
        let web = try await WebFixture()
        _ = try await web.bearer()
        func logIn(_ name: String, _ password: String) async throws -> Int {
            try await web.send(.post, "/auth/login", body: "username=\(name)&password=\(password)", form: true).status
        }
        #expect(try await logIn("ADMIN", "wrong-\(Self.planted)") == 401)
        #expect(try await logIn(Self.planted, "x") == 401)
        #expect(try await logIn("admin", "Bench-Passw0rd%21") == 200)
        let found = try await entries(web)
        #expect(found.map(\.status) == [401, 401, 200])
        #expect(found.map(\.userName) == ["admin", nil, "admin"])
        #expect(found.map(\.summary) == ["Incorrect username or password", "Incorrect username or password", ""])
        let text = try await web.send(.get, "/audit", try await web.bearer()).text
        #expect(!text.contains(Self.planted))
    }

    @Test("Who may not is named, and keys by their id")
    func refusals() async throws {
        let web = try await WebFixture()
        let viewer = try await web.bearer(.viewer)
        #expect(try await web.send(.delete, "/cameras/1", viewer).status == 403)
        #expect(try await web.send(.delete, "/cameras/1", try await web.apiKey(of: .viewer)).status == 401)
        #expect(try await web.send(.get, "/cameras", viewer).status == 200)
        let found = try await entries(web)
        #expect(found.map(\.status) == [403, 401] && found.map(\.userName) == ["viewer", nil])
        #expect(found[0].summary == "Admin privileges required")
    }

    @Test("Files that are handed out to be kept are listed, pictures that are looked at are not")
    func downloads() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let event = try await web.event(picture: "1/t.jpg")
        web.world.change {
            $0.video = [1, 2, 3, 4]
            $0.files["1/t.jpg"] = [1]
        }
        let path = "/events/\(event.id)/download"
        #expect(try await web.send(.get, path, admin).status == 200)
        for range in ["bytes=0-1", "bytes=2-3"] {
            var headers = admin
            headers[.range] = range
            #expect(try await web.send(.get, path, headers).status == 206)
        }
        #expect(try await web.send(.get, path + "?inline=true", admin).status == 200)
        #expect(try await web.send(.get, "/events/\(event.id)/thumbnail", admin).status == 200)
        #expect(try await web.send(.head, path, admin).status == 200)
        let found = try await entries(web)
        #expect(found.map(\.status) == [200, 206] && found.allSatisfy { $0.route == "/events/{event_id}/download" && $0.userName == "admin" })
    }

    @Test("The list is for administrators, filtered and paged")
    func list() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        for _ in 0..<3 { _ = try await web.send(.post, "/cameras/reorder", admin, body: "[]") }
        _ = try await web.send(.delete, "/cameras/9", try await web.bearer(.viewer))
        #expect(await web.server.audit.write())
        func count(_ query: String) async throws -> Int? { try await web.send(.get, "/audit?" + query, admin).json.array?.count }
        #expect(try await count("") == 4)
        #expect(try await count("user=admin") == 3)
        #expect(try await count("user=Viewer") == 1)
        #expect(try await count("user_id=1") == 3)
        #expect(try await count("route=/cameras/reorder&method=post") == 3)
        #expect(try await count("camera_id=9") == 1)
        #expect(try await count("from=2026-11-18&to=2026-11-20") == 4)
        #expect(try await count("to=2020-01-01T00:00:00Z") == 0)
        #expect(try await count("limit=2") == 2)
        #expect(try await count("before=2") == 1)
        #expect(try await count("skip=3") == 1)
        #expect(try await web.send(.get, "/audit?from=yesterday", admin).status == 422)
        #expect(try await web.send(.get, "/audit?limit=0&user_id=x", admin).json["detail"]?.array?.count == 2)
        #expect(try await web.send(.get, "/audit", try await web.bearer(.viewer)).status == 403)
        #expect(try await web.send(.get, "/audit", try await web.apiKey()).status == 401)
        for method in [HTTPRequest.Method.post, .put, .patch, .delete] {
            #expect(try await web.send(method, "/audit", admin).status == 405)
            #expect(try await web.send(method, "/audit/1", admin).status == 404)
        }
        let keys = try await web.send(.get, "/audit?limit=1", admin).json.array?.first?.object?.keys
        #expect(
            keys == [
                "id", "timestamp", "user_id", "username", "api_token_id", "address", "method", "route", "parameters", "camera_id", "status",
                "summary",
            ])
    }

    @Test("Refusals of strangers are listed one by one only up to a pace, then counted; nothing that was done is left out")
    func floods() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        for _ in 0..<200 { #expect(try await web.send(.delete, "/cameras/1").status == 401) }
        for _ in 0..<200 { #expect(try await web.send(.post, "/cameras/reorder", admin, body: "[]").status == 200) }
        var filter = AuditFilter()
        filter.limit = 1000
        #expect(await web.server.audit.write())
        let listed = try await web.store.audit.list(filter)
        #expect(listed.count { $0.status == 401 } == RefusalBudget.burst && listed.count { $0.status == 200 } == 200)
        web.world.change { $0.wall += 5_000_000 }
        #expect(try await web.send(.delete, "/cameras/1").status == 401)
        #expect(await web.server.audit.write())
        #expect(try await web.store.audit.list(filter).first?.summary == "Not authenticated; 140 refused requests before it are not listed")
        // What is never followed by another is told at the end.
        for _ in 0..<100 { _ = try await web.send(.delete, "/cameras/1") }
        await web.server.audit.finish()
        #expect(try await web.store.audit.list(filter).first?.summary.hasSuffix("refused requests before it are not listed") == true)
    }

    @Test("Refusals that are left out are counted for each address, and for all when there are too many addresses")
    func budget() {
        var budget = RefusalBudget()
        for _ in 0..<RefusalBudget.burst { #expect(budget.take("a", at: 0) == 0) }
        #expect(budget.take("a", at: 0) == nil)
        budget.omit("a", at: 0)
        budget.omit("a", at: 0)
        #expect(budget.take("b", at: 0) == 0)
        #expect(budget.omissions(at: 0, all: false).isEmpty)
        #expect(budget.take("a", at: 1_000_000) == 2)
        #expect(budget.take("a", at: 1_000_000) == nil)
        budget.omit("a", at: 1_000_000)
        let told = budget.omissions(at: 3_000_000, all: false)
        #expect(told.map(\.address) == ["a"] && told.map(\.count) == [1])
        #expect(budget.omissions(at: 3_000_000, all: true).isEmpty)
        for address in 0..<5000 { budget.omit("x\(address)", at: Int64(address)) }
        #expect(budget.omissions(at: 4_000_000, all: true).reduce(0) { $0 + $1.count } == 5000)
    }

    @Test("Strangers cannot fill the trail: neither by signing out of nothing nor from many addresses")
    func strangers() async throws {
        let web = try await WebFixture()
        for _ in 0..<100 { #expect(try await web.send(.post, "/auth/logout").status == 200) }
        #expect(await web.server.audit.write())
        #expect(try await web.store.audit.list(AuditFilter()).count == RefusalBudget.burst)
        let someone = try await web.bearer(.viewer)
        #expect(try await web.send(.post, "/auth/logout", someone).status == 200)
        #expect(await web.server.audit.write())
        #expect(try await web.store.audit.list(AuditFilter()).first?.userName == "viewer")
        var budget = RefusalBudget()
        #expect((0..<1000).count { budget.take("2001:db8:1:2::\(String($0, radix: 16))", at: 0) != nil } == RefusalBudget.burst)
        let listed = (0..<10_000).count { number in
            let isListed = budget.take("2001:db8:\(String(number, radix: 16))::1", at: 0) != nil
            if !isListed { budget.omit("2001:db8:\(String(number, radix: 16))::1", at: 0) }
            return isListed
        }
        #expect(listed == RefusalBudget.burstOfAll - RefusalBudget.burst)
        let told = budget.omissions(at: 0, all: true)
        #expect(told.count <= 64 && told.reduce(0) { $0 + $1.count } == 10_000 - listed)
        #expect(budget.take("a", at: 1_000_000) == 0)
    }

    @Test("While the database refuses entries they wait, and when it takes them again none is missing")
    func failures() async throws {
        let store = try Store.inMemory()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let trail = AuditTrail(store: store, clock: SystemClock(), logger: logger)
        func entry(_ number: Int) -> AuditEntry {
            AuditEntry(time: WallTime(microseconds: Int64(number)), address: "a", method: "POST", route: "/x", status: 200)
        }
        // More than may wait: the requests wait with them, and none of their entries is lost.
        let extra = 300
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<AuditTrail.capacity + extra { group.addTask { await trail.record(entry(number), isRefusal: false) } }
            group.addTask { while await trail.write(), !Task.isCancelled { await Task.yield() } }
            for _ in 0..<AuditTrail.capacity + extra { await group.next() }
            group.cancelAll()
        }
        #expect(await trail.write())
        var filter = AuditFilter()
        filter.limit = 10_000
        #expect(Set(try await store.audit.list(filter).map(\.time)).count == AuditTrail.capacity + extra)
        try store.close()
        await trail.record(entry(1), isRefusal: false)
        #expect(await !trail.write())
    }

    @Test("Entries are deleted by age, but not because the clock has jumped ahead")
    func expiry() async throws {
        let web = try await WebFixture()
        let day: Int64 = 86_400_000_000
        let begin = web.world.value.wall
        func entry(_ time: Int64) -> AuditEntry {
            AuditEntry(time: WallTime(microseconds: time), address: "a", method: "POST", route: "/x", status: 200)
        }
        try await web.store.audit.append([begin - 200 * day, begin - 89 * day, begin].map(entry))
        func trail(_ clock: any NVRClock) -> AuditTrail {
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            return AuditTrail(store: web.store, clock: clock, logger: logger)
        }
        func left() async throws -> Int { try await web.store.audit.list(AuditFilter()).count }
        let clock = AdjustableClock(begin + day)
        await trail(clock).expire()
        #expect(try await left() == 2)
        // The battery was empty: the server starts ten years ahead.
        clock.jump(3650 * day)
        let restarted = trail(clock)
        await restarted.expire()
        #expect(try await left() == 2)
        // It is set right while the server runs, and jumps once more.
        clock.jump(-3650 * day)
        await restarted.expire()
        clock.jump(3650 * day)
        await restarted.expire()
        #expect(try await left() == 2)
        // After a day it is believed.
        clock.pass(day)
        await restarted.expire()
        #expect(try await left() == 0)
    }

    @Test(
        "Summaries take over no text",
        arguments: [
            (#"{"password": "S3cr3t-Pl4nted", "role": "admin"}"#, "password, role=admin"),
            (#"{"role": "S3cr3t-Pl4nted"}"#, "role"), (#"{"code": 123456}"#, "code"), (#"{"event_ids": [1, "S3cr3t-Pl4nted"]}"#, "event_ids"),
            (#"{"camera_ids": [1, 2]}"#, "camera_ids=1 2"), ("[1, 2, 3]", "ids=1 2 3"), (#"["S3cr3t-Pl4nted"]"#, ""), ("S3cr3t-Pl4nted", ""),
            (#"{"smtp_password": "S3cr3t-Pl4nted", "cleanup_enabled": false, "smtp_port": "25"}"#, "smtp_password, cleanup_enabled=false, smtp_port"),
            (#"{"smtp_password": "admin"}"#, "smtp_password"), (#""S3cr3t-Pl4nted""#, ""), (#"{"S3cr3t": 1, "Pl4nted": 2}"#, "2 unknown fields"),
            ("", ""),
        ])
    func summaries(body: String, expected: String) {
        let text = AuditSummary.text(
            query: QueryItems(query: "delete_media=true&type=S3cr3t-Pl4nted&value=S3cr3t-Pl4nted"), body: ByteBuffer(string: body),
            reason: "S3cr3t-Pl4nted")
        #expect(text == (expected.isEmpty ? "delete_media=true" : "delete_media=true, " + expected))
    }

    @Test("Parameters keep numbers and harmless names")
    func parameters() {
        #expect(
            AuditSummary.parameters(["camera_id": "5", "name": "backup-1.json", "path": "../x y"]) == [
                "camera_id": 5, "name": "backup-1.json", "path": "…",
            ])
    }
}

/// A wall clock that can be set while the other one goes on.
private final class AdjustableClock: NVRClock {
    private let state: Mutex<(wall: Int64, monotonic: Int64)>

    init(_ wall: Int64) { state = Mutex((wall, 0)) }

    func wall() -> Int64 { state.withLock { $0.wall } }
    func monotonic() -> Int64 { state.withLock { $0.monotonic } }
    func jump(_ step: Int64) { state.withLock { $0.wall += step } }
    func pass(_ time: Int64) {
        state.withLock { state in
            state.wall += time
            state.monotonic += time
        }
    }
}
