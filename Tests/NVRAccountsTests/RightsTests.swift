import NVRAccounts
import NVRBase
import NVRModel
import NVRStore
import Testing

@Suite("Rights to cameras")
struct RightsTests {
    private let bench: Bench
    private let cameras: [ID<Camera>]
    private let group: CameraGroup
    private let viewer: User

    init() async throws {
        bench = try await Bench()
        _ = try await bench.signedIn()
        var cameras: [ID<Camera>] = []
        for number in 1...4 {
            let camera = Camera(id: ID(0), createdAt: WallTime(microseconds: 0), name: "C\(number)", url: "rtsp://10.0.0.1/\(number)")
            cameras.append(try await bench.store.cameras.insert(camera).id)
        }
        self.cameras = cameras
        group = try await bench.store.groups.insert(
            CameraGroup(id: ID(0), name: "Yard", createdAt: WallTime(microseconds: 0), cameras: [cameras[1]]))
        let made = try await bench.accounts.create(username: "v", password: goodPassword, role: .viewer)
        viewer = try await bench.accounts.update(made.id) { [group, cameras] user in
            user.restrictCameraAccess = true
            user.cameraGrants = [Grant(id: cameras[0], canReplay: false, canControl: true)]
            user.groupGrants = [Grant(id: group.id)]
        }
    }

    private func signIn() async throws -> Identity {
        let signIn = try #require(try await bench.accounts.sessions.signIn(username: "v", password: goodPassword))
        return try #require(try await bench.identity(bearer: signIn.accessToken))
    }

    private func now(_ identity: Identity, _ permission: Permission) async throws -> [ID<Camera>] {
        var allowed: [ID<Camera>] = []
        for camera in cameras where await bench.accounts.authenticator.stillAllowed(identity, permission, camera: camera) { allowed.append(camera) }
        return allowed
    }

    @Test("Grants are stored with their names, and a group's reach its cameras")
    func cascade() async throws {
        #expect(viewer.cameraGrants == [Grant(id: cameras[0], name: "C1", canReplay: false, canControl: true)])
        #expect(viewer.groupGrants == [Grant(id: group.id, name: "Yard")])
        #expect(viewer.cameraRights == CameraRights(view: [cameras[0], cameras[1]], replay: [cameras[1]], control: [cameras[0]]))
        #expect(viewer.json["camera_accesses"] == [["id": 1, "name": "C1", "can_view": true, "can_replay": false, "can_control": true]])
        #expect(try await bench.store.users.get(viewer.id) == viewer)
        #expect(try await bench.store.users.all().last == viewer)
    }

    @Test("Every change of a group, grant or camera counts at once, for sessions and for API keys")
    func atOnce() async throws {
        let session = try await signIn()
        let key = try await bench.accounts.apiKeys.make(for: viewer.id, name: "k", expiresInDays: nil).plain
        let machine = try #require(try await bench.identity(apiKey: key))
        func expect(_ view: [Int], _ replay: [Int], _ place: SourceLocation = #_sourceLocation) async throws {
            for identity in [session, machine] {
                #expect(try await now(identity, .view) == view.map { cameras[$0] }, sourceLocation: place)
                #expect(try await now(identity, .replay) == replay.map { cameras[$0] }, sourceLocation: place)
            }
            let fresh = try #require(try await bench.identity(apiKey: key))
            #expect(Access.visibleCameras(fresh) == Set(view.map { cameras[$0] }), sourceLocation: place)
        }
        try await expect([0, 1], [1])
        _ = try await bench.store.groups.setCameras(group.id, [cameras[1], cameras[2]])
        try await expect([0, 1, 2], [1, 2])
        _ = try await bench.store.cameras.delete(cameras[1], at: WallTime(microseconds: 0))
        try await expect([0, 2], [2])
        _ = try await bench.accounts.update(viewer.id) { $0.cameraGrants = [Grant(id: cameras[3], canView: false)] }
        try await expect([2], [2, 3])
        _ = try await bench.store.groups.delete([group.id])
        try await expect([], [3])
        _ = try await bench.accounts.update(viewer.id) { $0.restrictCameraAccess = false }
        for identity in [session, machine] { #expect(try await now(identity, .view) == cameras) }
        #expect(try await now(session, .control).isEmpty)
        _ = try await bench.accounts.update(viewer.id) { $0.isActive = false }
        for identity in [session, machine] { #expect(try await now(identity, .view).isEmpty) }
    }

    @Test("What is open hears of every change, and of nothing else")
    func announced() async throws {
        let session = try await signIn()
        let store = bench.store
        func changes(_ body: () async throws -> Void) async throws -> Bool {
            let before = store.access.generation
            var heard = bench.accounts.accessChanges.subscribe().makeAsyncIterator()
            try await body()
            guard store.access.generation > before else { return false }
            return await heard.next() != nil
        }
        let key = try await bench.accounts.apiKeys.make(for: viewer.id, name: "k", expiresInDays: nil)
        #expect(try await !changes { _ = try await signIn() })
        #expect(try await !changes { _ = try await bench.identity(apiKey: key.plain) })
        #expect(try await !changes { _ = try await store.cameras.update(cameras[0]) { $0.general.name = "Other" } })
        #expect(try await changes { _ = try await store.groups.setCameras(group.id, [cameras[0]]) })
        #expect(try await changes { _ = try await store.groups.setCameras(group.id, []) })
        #expect(try await changes { _ = try await store.groups.delete([group.id]) })
        #expect(try await changes { _ = try await store.cameras.delete(cameras[0], at: WallTime(microseconds: 0)) })
        #expect(try await changes { _ = try await bench.accounts.apiKeys.delete(key.token.id, of: viewer.id) })
        #expect(try await changes { try await bench.accounts.sessions.signOut(session) })
        #expect(try await changes { _ = try await bench.accounts.setPassword(of: viewer.id, to: "Another-Passw0rd!") })
        #expect(try await changes { _ = try await bench.accounts.delete(viewer.id) })
    }

    @Test("Sessions and keys that ended, expired or lost their user let nothing go on")
    func ended() async throws {
        let first = try await signIn()
        let second = try await signIn()
        let authenticator = bench.accounts.authenticator
        #expect(await authenticator.stillAllowed(first, .view, camera: cameras[0]))
        try await bench.accounts.sessions.signOut(first)
        #expect(await !authenticator.stillAllowed(first, .view, camera: cameras[0]))
        #expect(await authenticator.stillAllowed(second, .view, camera: cameras[0]))
        bench.clock.advance(Sessions.lifetime)
        #expect(await !authenticator.stillAllowed(second, .view, camera: cameras[0]))
        let key = try await bench.accounts.apiKeys.make(for: viewer.id, name: "k", expiresInDays: 1).plain
        let machine = try #require(try await bench.identity(apiKey: key))
        #expect(await authenticator.stillAllowed(machine, .view, camera: cameras[0]))
        bench.clock.advance(86_400)
        #expect(await !authenticator.stillAllowed(machine, .view, camera: cameras[0]))
        #expect(await !authenticator.stillAllowed(Identity(user: viewer, via: .jwt), .view, camera: cameras[0]))
    }

    @Test("A grant to what does not exist is refused, and then nothing changes")
    func unknown() async throws {
        for change in [{ $0.cameraGrants = [Grant(id: ID(99))] }, { $0.groupGrants = [Grant(id: ID(99))] }] as [@Sendable (inout User) -> Void] {
            let error = await #expect(throws: NVRError.self) {
                try await bench.accounts.update(viewer.id) { user in
                    user.language = "de"
                    change(&user)
                }
            }
            #expect(error?.kind == .invalid && error?.message.hasSuffix("99 does not exist") == true)
        }
        #expect(try await bench.store.users.get(viewer.id) == viewer)
    }

    @Test("The use of an API key is noted at most once a minute")
    func lastUse() async throws {
        let key = try await bench.accounts.apiKeys.make(for: viewer.id, name: "k", expiresInDays: nil)
        func used() async throws -> WallTime? { try await bench.accounts.apiKeys.list(of: viewer.id).first?.lastUsedAt }
        #expect(try await used() == nil)
        _ = try await bench.identity(apiKey: key.plain)
        let first = try await used()
        #expect(first == WallTime(microseconds: bench.clock.wall()))
        for _ in 0..<5 {
            bench.clock.advance(11)
            _ = try await bench.identity(apiKey: key.plain)
            #expect(try await used() == first)
        }
        bench.clock.advance(11)
        _ = try await bench.identity(apiKey: key.plain)
        #expect(try await used() == WallTime(microseconds: bench.clock.wall()))
    }
}
