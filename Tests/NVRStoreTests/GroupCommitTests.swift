import GRDB
import NVRBase
import NVRModel
import NVRStore
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#endif

private struct NeverCame: Error {}

/// Waits for something that is on its way; the deadline is for a machine that hangs.
private func until(_ condition: @Sendable () -> Bool) async throws {
    for _ in 0..<120_000 {
        if condition() { return }
        try await Task.sleep(for: .milliseconds(1))
    }
    throw NeverCame()
}

@Suite("Writes that come together")
struct GroupCommitTests {
    /// Holds the writer in a transaction until it is let go.
    private final class Gate: Sendable {
        private let state = Mutex((isEntered: false, isOpen: false))

        func pass() {
            state.withLock { $0.isEntered = true }
            while !state.withLock({ $0.isOpen }) { usleep(200) }
        }
        func open() { state.withLock { $0.isOpen = true } }
        func entered() async throws { try await until { self.state.withLock { $0.isEntered } } }
    }

    private final class Seen: Sendable {
        private let state = Mutex<[Int]>([])

        var numbers: [Int] { state.withLock { $0 } }
        func add(_ number: Int) { state.withLock { $0.append(number) } }
    }

    private static func camera(_ name: String) -> Camera { Camera(id: ID(0), createdAt: at(0), name: name, url: "rtsp://10.0.0.1/a") }

    private static func event(_ number: Int) -> Event {
        Event(id: ID(0), cameraID: ID(1), medium: .video, kind: .manual, start: at(Double(number)), end: at(Double(number) + 1))
    }

    /// Does something while the writer is held, and waits until as many writes wait; then lets them all go.
    private static func crowd(
        _ store: Store, _ camera: ID<Camera>, waiting: Int, _ add: (inout ThrowingTaskGroup<Void, any Error>) -> Void
    ) async throws {
        let gate = Gate()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await store.cameras.update(camera) { _ in gate.pass() } }
            defer { gate.open() }
            try await gate.entered()
            add(&group)
            try await until { store.commits.waiting >= waiting }
            gate.open()
            try await group.waitForAll()
        }
    }

    @Test("Writes that wait are committed together, and every one is there when its call returns", arguments: [false, true])
    func together(onDisk: Bool) async throws {
        let folder = TemporaryFolder()
        let store = onDisk ? try Store.open(at: folder.path + "/nvr.db") : try Store.inMemory()
        let camera = try await store.cameras.insert(Self.camera("A")).id
        let before = store.commits
        let version = store.versions.footage
        try await Self.crowd(store, camera, waiting: 50) { group in
            for number in 0..<50 {
                group.addTask {
                    let stored = try await store.events.insert(Self.event(number))
                    #expect(try await store.events.get(stored.id) == stored)
                    #expect(store.versions.footage > version)
                }
            }
        }
        let after = store.commits
        #expect(after.writes - before.writes == 51)
        // The one that held the writer, and a few for the rest: a slow machine may need several.
        #expect(after.commits - before.commits < 51)
        #expect(after.waiting == 0)
        #expect(try await store.events.page(EventFilter()).count == 50)
        try store.close()
    }

    @Test("One that fails undoes what it did and nothing else, and hears its own error")
    func failing() async throws {
        let store = try Store.inMemory()
        let camera = try await store.cameras.insert(Self.camera("A")).id
        let ward = try await store.groups.insert(CameraGroup(id: ID(0), name: "Ward", createdAt: at(0), cameras: [camera]))
        var changes = store.changes.subscribe().makeAsyncIterator()
        try await Self.crowd(store, camera, waiting: 21) { group in
            for number in 0..<20 {
                group.addTask {
                    guard number % 2 == 0 else {
                        _ = try await store.events.insert(Self.event(number))
                        return
                    }
                    let error = await #expect(throws: NVRError.self) { try await store.cameras.update(ID(900 + Int64(number))) { _ in } }
                    #expect(error?.kind == .notFound)
                }
            }
            group.addTask {
                // Takes all cameras out of the group before it finds that one does not exist.
                let error = await #expect(throws: NVRError.self) { try await store.groups.setCameras(ward.id, [camera, ID(99)]) }
                #expect(error?.kind == .notFound)
            }
        }
        #expect(try await store.events.page(EventFilter()).count == 10)
        #expect(try await store.groups.get(ward.id)?.cameras == [camera])
        for _ in 0..<10 {
            guard case .event = await changes.next() else {
                Issue.record("something else than the events was announced")
                return
            }
        }
    }

    @Test("They run in the order of their coming")
    func order() async throws {
        let store = try Store.inMemory()
        let camera = try await store.cameras.insert(Self.camera("A")).id
        let gate = Gate()
        let seen = Seen()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await store.cameras.update(camera) { _ in gate.pass() } }
            defer { gate.open() }
            try await gate.entered()
            for number in 0..<200 {
                group.addTask { _ = try await store.cameras.update(camera) { _ in seen.add(number) } }
                try await until { store.commits.waiting > number }
            }
            gate.open()
            try await group.waitForAll()
        }
        #expect(seen.numbers == Array(0..<200))
    }

    @Test("When SQLite gives the whole transaction up, each is done again by itself, and only the one at fault fails")
    func givenUp() async throws {
        let queue = try DatabaseQueue()
        try await queue.write { db in
            try db.execute(sql: "CREATE TABLE things (id INTEGER PRIMARY KEY, bytes BLOB)")
            try db.execute(sql: "PRAGMA max_page_count = 40")
        }
        let commits = GroupCommit(queue)
        let gate = Gate()
        let failures = try await withThrowingTaskGroup(of: (Int, DatabaseError?).self) { group in
            group.addTask {
                _ = await commits.result { _ in gate.pass() }
                return (-1, nil)
            }
            defer { gate.open() }
            try await gate.entered()
            for number in 0..<10 {
                group.addTask {
                    // More than the file may hold: SQLITE_FULL, which ends the transaction (sqlite.org/lang_transaction.html, section 3).
                    let result = await commits.result { db in
                        try db.execute(sql: "INSERT INTO things VALUES (?, zeroblob(?))", arguments: [number, number == 6 ? 1_000_000 : 10])
                        return db.lastInsertedRowID
                    }
                    switch result {
                    case .success(let id):
                        #expect(id == number)
                        return (number, nil)
                    case .failure(let error): return (number, error as? DatabaseError)
                    }
                }
                try await until { commits.counts.waiting > number }
            }
            gate.open()
            var failures: [Int: ResultCode] = [:]
            for try await (number, error) in group { failures[number] = error?.resultCode }
            return failures
        }
        #expect(failures == [6: .SQLITE_FULL])
        #expect(try await queue.read { try Int.fetchAll($0, sql: "SELECT id FROM things ORDER BY id") } == [0, 1, 2, 3, 4, 5, 7, 8, 9])
        #expect(commits.counts.writes == 10)
    }
}
