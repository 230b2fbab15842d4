import NVRModel
import NVRStore
import Testing

@Suite("Audit trail, stored")
struct AuditStoreTests {
    private static func entry(_ second: Double, _ route: String = "/cameras", user: Int64? = 1, name: String? = "ann") -> AuditEntry {
        var entry = AuditEntry(time: at(second), address: "192.0.2.7", method: "POST", route: route, status: 200, summary: "name")
        entry.userID = user.map { ID($0) }
        entry.userName = name
        return entry
    }

    @Test("Entries are listed newest first under every filter, page by page")
    func filters() async throws {
        let store = try Store.inMemory()
        var entries: [AuditEntry] = []
        for step in 0..<60 {
            // Pairs of one time, and a clock that once goes back.
            var entry = Self.entry(Double(step / 2) - (step == 30 ? 10 : 0), step % 3 == 0 ? "/users" : "/cameras/{camera_id}")
            entry.userID = ID(Int64(step % 4 + 1))
            entry.userName = ["ann", "Bob", "cy", "dee"][step % 4]
            entry.method = step % 2 == 0 ? "POST" : "DELETE"
            if step % 3 > 0 {
                entry.cameraID = ID(Int64(step % 5))
                entry.parameters = ["camera_id": .integer(Int64(step % 5))]
            }
            entries.append(entry)
        }
        try await store.audit.append(entries)
        let all = try await store.audit.list(AuditFilter())
        #expect(all.count == 60 && all.map(\.id) == all.sorted { ($0.time, $0.id) > ($1.time, $1.id) }.map(\.id))
        func check(_ change: (inout AuditFilter) -> Void, _ matches: (AuditEntry) -> Bool) async throws {
            var filter = AuditFilter()
            change(&filter)
            let expected = all.filter(matches)
            #expect(try await store.audit.list(filter) == expected)
            filter.limit = 3
            var found: [AuditEntry] = []
            while true {
                let page = try await store.audit.list(filter)
                found += page
                guard page.count == 3 else { break }
                filter.before = page.last?.id
            }
            #expect(found == expected)
        }
        try await check { _ in
        } _: { _ in
            true
        }
        try await check {
            $0.userID = ID(2)
        } _: {
            $0.userID == ID(2)
        }
        try await check {
            $0.userName = "BOB"
        } _: {
            $0.userName == "Bob"
        }
        try await check {
            $0.route = "/users"
        } _: {
            $0.route == "/users"
        }
        try await check {
            $0.method = "DELETE"
        } _: {
            $0.method == "DELETE"
        }
        try await check {
            $0.camera = ID(3)
        } _: {
            $0.cameraID == ID(3)
        }
        try await check {
            $0.from = at(5)
            $0.to = at(20)
            $0.userID = ID(1)
        } _: {
            $0.time >= at(5) && $0.time < at(20) && $0.userID == ID(1)
        }
        var filter = AuditFilter()
        filter.skip = 58
        #expect(try await store.audit.list(filter) == Array(all.suffix(2)))
    }

    @Test("A claimed name is kept only when somebody has it")
    func claims() async throws {
        let store = try Store.inMemory()
        let user = User(id: ID(0), username: "Ann", role: .admin, createdAt: at(0))
        let ann = try await store.users.insert(user, passwordHash: "x")
        try await store.audit.append([
            Self.entry(0, user: nil, name: "ann"), Self.entry(1, user: nil, name: "hunter2"), Self.entry(2, user: nil, name: nil),
        ])
        let found = try await store.audit.list(AuditFilter())
        #expect(found.map(\.userName) == [nil, nil, "Ann"] && found.map(\.userID) == [nil, nil, ann.id])
    }

    @Test("Only age deletes entries")
    func expiry() async throws {
        let store = try Store.inMemory()
        try await store.audit.append((0..<5000).map { Self.entry(Double($0)) })
        #expect(try await store.audit.expire(before: at(0)) == 0)
        #expect(try await store.audit.expire(before: at(4500)) == 4500)
        #expect(try await store.audit.list(AuditFilter()).count == 100)
        var filter = AuditFilter()
        filter.limit = 1000
        #expect(try await store.audit.list(filter).count == 500)
        // An earlier limit gives nothing back to be deleted.
        #expect(try await store.audit.expire(before: at(100)) == 0)
        // Deleting a user leaves what he did.
        let user = try await store.users.insert(User(id: ID(0), username: "bo", role: .admin, createdAt: at(0)), passwordHash: "x")
        _ = try await store.users.insert(User(id: ID(0), username: "cy", role: .admin, createdAt: at(0)), passwordHash: "x")
        try await store.audit.append([Self.entry(5000, user: user.id.rawValue, name: "bo")])
        _ = try await store.users.delete(user.id)
        filter.userName = "bo"
        #expect(try await store.audit.list(filter).count == 1)
    }
}
