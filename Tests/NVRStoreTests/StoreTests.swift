import NVRBase
import NVRModel
import NVRStore
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Database file")
struct StoreTests {
    @Test("An empty database is made private, migrated once, and keeps its rows when opened again")
    func opening() async throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/nvr.db"
        let store = try Store.open(at: path)
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(stat(path + "-wal", &status) == 0)
        #expect(status.st_mode & 0o077 == 0)
        let camera = try await store.cameras.insert(Camera(id: ID(0), createdAt: at(0), name: "A", url: "rtsp://10.0.0.1/a"))
        #expect(try await store.problems().isEmpty)
        #expect(try await store.bytes() > 0)
        try store.close()
        let again = try Store.open(at: path)
        #expect(try await again.cameras.all() == [camera])
        try again.close()
        await #expect(throws: NVRError.self) { try await again.segments.totals() }
    }

    @Test("What was committed by a store that was never closed is there")
    func notClosed() async throws {
        let folder = TemporaryFolder()
        let first = try Store.open(at: folder.path + "/nvr.db")
        let id = try await first.segments.intend(draft(cameraA, 0), isContinuous: true)
        let second = try Store.open(at: folder.path + "/nvr.db")
        #expect(try await second.segments.unfinished().map(\.id) == [id])
        try second.close()
        try first.close()
    }

    @Test("A file that is no database is refused with a clear text, as is a folder that is not there")
    func damaged() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/nvr.db"
        let file = try #require(fopen(path, "w"))
        fputs(String(repeating: "not a database ", count: 100), file)
        fclose(file)
        let error = #expect(throws: NVRError.self) { try Store.open(at: path) }
        #expect(error?.kind == .dataLoss)
        #expect(#expect(throws: NVRError.self) { try Store.open(at: folder.path + "/none/nvr.db") }?.kind == .unavailable)
    }

    @Test("Network file systems are told from local ones by the innermost mount")
    func networkFileSystems() {
        let mounts = """
            21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
            30 21 0:40 / /mnt/nas rw shared:2 - nfs4 nas:/export rw
            31 30 8:2 / /mnt/nas/local\\040disk rw - xfs /dev/sdb1 rw
            32 21 0:41 / /srv rw master:1 - fuse.sshfs me@host:/ rw
            broken line
            """
        #expect(StoreLocation.type(ofResolved: "/home/x/nvr.db", mountinfo: mounts) == "ext4")
        #expect(StoreLocation.type(ofResolved: "/mnt/nas/a/nvr.db", mountinfo: mounts) == "nfs4")
        #expect(StoreLocation.type(ofResolved: "/mnt/nasty/nvr.db", mountinfo: mounts) == "ext4")
        #expect(StoreLocation.type(ofResolved: "/mnt/nas/local disk/nvr.db", mountinfo: mounts) == "xfs")
        #expect(StoreLocation.networkTypes.contains("nfs4") && StoreLocation.networkTypes.contains("fuse.sshfs"))
        #expect(StoreLocation.networkType(of: "/tmp/nvr.db") == nil)
    }

    @Test("A slow transaction is not undone when its task is cancelled")
    func cancellation() async throws {
        let store = try Store.inMemory()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await store.segments.intend(draft(cameraA, 0), isContinuous: false)
        }
        let id = try await task.value
        #expect(try await store.segments.get(id) != nil)
    }
}

@Suite("Cameras and settings in the database")
struct CameraStoreTests {
    private func camera(_ name: String) -> Camera { Camera(id: ID(0), createdAt: at(0), name: name, url: "rtsp://10.0.0.1/\(name)") }

    @Test("Cameras are stored, changed in one step, ordered, and announced after the commit")
    func lifecycle() async throws {
        let store = try Store.inMemory()
        var changes = store.changes.subscribe().makeAsyncIterator()
        let a = try await store.cameras.insert(camera("A"))
        let b = try await store.cameras.insert(camera("B"))
        #expect(await changes.next() == .camera(a.id))
        #expect(await changes.next() == .camera(b.id))
        let changed = try await store.cameras.update(a.id) { camera in
            camera.recording.mode = .continuous
            camera.id = ID(77)
        }
        #expect(changed.recording.mode == .continuous && changed.id == a.id)
        #expect(await changes.next() == .camera(a.id))
        _ = try await store.cameras.update(a.id) { _ in }
        try await store.cameras.reorder([b.id, ID(99), a.id])
        #expect(try await store.cameras.all().map(\.general.name) == ["B", "A"])
        #expect(await changes.next() == .camera(a.id))
        await #expect(throws: NVRError.self) { try await store.cameras.update(ID(99)) { _ in } }
        struct Refused: Error {}
        await #expect(throws: (any Error).self) {
            try await store.cameras.update(a.id) {
                $0.general.name = "changed"
                throw Refused()
            }
        }
        #expect(try await store.cameras.get(a.id)?.general.name == "A")
    }

    @Test("Ids of deleted cameras are never given again; recordings stay unless asked")
    func deletion() async throws {
        let store = try Store.inMemory()
        let a = try await store.cameras.insert(camera("A"))
        let segment = try await store.segments.make(a.id, 0, 60, isContinuous: true)
        let open = try await store.events.insert(.draft(a.id, 30))
        #expect(try await store.cameras.delete(a.id, at: at(50))?.general.name == "A")
        #expect(try await store.cameras.delete(a.id, at: at(50)) == nil)
        #expect(try await store.segments.get(segment)?.state == .finished)
        #expect(try await store.events.get(open.id)?.end == at(50))
        let b = try await store.cameras.insert(camera("B"))
        #expect(b.id > a.id)
        let other = try await store.segments.make(b.id, 0, 60, isContinuous: true)
        _ = try await store.events.insert(.draft(b.id, 5, medium: .snapshot, kind: .manual, picture: "2/x.jpg", thumbnail: "2/x.jpg"))
        #expect(try await store.cameras.delete([b.id, ID(99)], footage: .delete, at: at(60)) == [b.id])
        #expect(try await store.segments.get(other)?.state == .garbage)
        #expect(try await store.segments.garbageFiles() == [FootagePlace(.standard, "2/x.jpg")])
        #expect(try await store.events.list(EventFilter(camera: b.id)).isEmpty)
    }

    @Test("Cameras of a file are made once, also when two requests bring the same file; those of one file may share an address")
    func drafts() async throws {
        let store = try Store.inMemory()
        let drafts = ["a", "b", "a"].map { CameraDraft(camera: Camera(id: ID(0), createdAt: at(0), name: $0, url: "rtsp://u:p@10.0.0.1/\($0)")) }
        #expect(try await store.cameras.insert(drafts, at: at(1), skippingKnown: true).count == 3)
        var again = drafts
        again[1].camera.streams.url = "rtsp://10.0.0.1/b"
        again.append(CameraDraft(camera: Camera(id: ID(0), createdAt: at(0), name: "c", url: "rtsp://10.0.0.1/c")))
        #expect(try await store.cameras.insert(again, at: at(2), skippingKnown: true).map(\.general.name) == ["c"])
        #expect(try await store.cameras.all().count == 4)
        #expect(try await store.cameras.insert(drafts, at: at(3)).count == 3)
    }

    @Test("Settings are text by key; nil removes one")
    func settings() async throws {
        let store = try Store.inMemory()
        try await store.settings.set(["a": "1", "b": "2"])
        try await store.settings.set(["a": "3", "b": nil])
        #expect(try await store.settings.all() == ["a": "3"])
        #expect(try await store.settings.get("b") == nil)
    }
}

@Suite("Users in the database")
struct UserStoreTests {
    private func user(_ name: String, _ role: User.Role = .viewer) -> User { User(id: ID(0), username: name, role: role, createdAt: at(0)) }

    @Test("A name is taken once, in any case")
    func names() async throws {
        let store = try Store.inMemory()
        let admin = try await store.users.insert(user("admin", .admin), passwordHash: "h", onlyWhenEmpty: true)
        #expect(try await store.users.credentials(username: "ADMIN")?.user == admin)
        for name in ["admin", "Admin"] {
            let error = await #expect(throws: NVRError.self) { try await store.users.insert(user(name), passwordHash: "h") }
            #expect(error?.kind == .conflict)
        }
        let error = await #expect(throws: NVRError.self) {
            try await store.users.insert(user("second", .admin), passwordHash: "h", onlyWhenEmpty: true)
        }
        #expect(error?.kind == .forbidden)
    }

    @Test("The last active administrator cannot be removed, demoted or deactivated")
    func lastAdministrator() async throws {
        let store = try Store.inMemory()
        let admin = try await store.users.insert(user("admin", .admin), passwordHash: "h")
        await #expect(throws: NVRError.self) { try await store.users.delete(admin.id) }
        await #expect(throws: NVRError.self) { try await store.users.update(admin.id) { $0.role = .viewer } }
        await #expect(throws: NVRError.self) { try await store.users.update(admin.id) { $0.isActive = false } }
        #expect(try await store.users.get(admin.id) == admin)
        _ = try await store.users.insert(user("other", .admin), passwordHash: "h")
        #expect(try await store.users.delete(admin.id))
    }

    @Test("Deleting a user ends sessions and keys; expired ones do not count")
    func cascade() async throws {
        let store = try Store.inMemory()
        _ = try await store.users.insert(user("admin", .admin), passwordHash: "h")
        let viewer = try await store.users.insert(user("v"), passwordHash: "h")
        #expect(try await store.sessions.insert(Session(id: "s", userID: viewer.id, createdAt: at(0), expiresAt: at(10)), passwordHash: "h"))
        let token = APIToken(id: ID(0), userID: viewer.id, name: "k", createdAt: at(0), expiresAt: at(10))
        _ = try await store.tokens.insert(token, hash: [1])
        #expect(try await store.sessions.active("s", at: at(9))?.user == viewer)
        #expect(try await store.sessions.active("s", at: at(10)) == nil)
        #expect(try await store.tokens.active(hash: [1], at: at(9)) != nil)
        #expect(try await store.tokens.active(hash: [1], at: at(10)) == nil)
        #expect(try await store.users.delete(viewer.id))
        #expect(try await store.sessions.active("s", at: at(1)) == nil)
        #expect(try await store.tokens.active(hash: [1], at: at(1)) == nil)
        #expect(try await !store.sessions.insert(Session(id: "t", userID: viewer.id, createdAt: at(0), expiresAt: at(10)), passwordHash: "h"))
    }

    @Test("Nobody stays who signed in with a password that was changed meanwhile, nor a user who was deactivated")
    func lateSessions() async throws {
        let store = try Store.inMemory()
        _ = try await store.users.insert(user("admin", .admin), passwordHash: "h")
        let viewer = try await store.users.insert(user("v"), passwordHash: "old")
        func open(_ id: String, _ hash: String) async throws -> Bool {
            try await store.sessions.insert(Session(id: id, userID: viewer.id, createdAt: at(0), expiresAt: at(10)), passwordHash: hash)
        }
        #expect(try await open("a", "old"))
        #expect(try await store.users.replacePasswordHash(viewer.id, "old", by: "new"))
        #expect(try await store.sessions.active("a", at: at(1)) == nil)
        #expect(try await !open("b", "old"))
        #expect(try await store.sessions.active("b", at: at(1)) == nil)
        // Nor does a late change undo another.
        #expect(try await !store.users.replacePasswordHash(viewer.id, "old", by: "late"))
        #expect(try await open("c", "new"))
        _ = try await store.users.update(viewer.id) { $0.isActive = false }
        #expect(try await !open("d", "new"))
    }

    @Test("A name with a zero byte is nobody's, whatever stands before it")
    func zeroBytes() async throws {
        let store = try Store.inMemory()
        _ = try await store.users.insert(user("admin", .admin), passwordHash: "h")
        #expect(try await store.users.credentials(username: "ADMIN") != nil)
        for name in ["admin\u{0}", "admin\u{0}x", "\u{0}admin", "\u{0}"] { #expect(try await store.users.credentials(username: name) == nil) }
    }
}
