// What belongs here: who gets which stream by RTSP, and what becomes of it; our own client against our own server, over sockets of
// this machine.
import Argon2
import ISOBMFF
import Logging
import NIOCore
import NIOPosix
import NVRAccounts
import NVRBase
import NVRMedia
import NVRModel
import NVRRestream
import NVRStore
import RTSP
import Synchronization
import Testing

private let password = "Bench-Passw0rd!"
private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Keeps what a client receives.
private final class Audience: RTSPReceiver {
    let units = Mutex<[AccessUnit]>([])
    let tracks = Mutex<[RTSPTrack]>([])

    func described(_ tracks: [RTSPTrack]) { self.tracks.withLock { $0 = tracks } }
    func received(_ unit: AccessUnit) { units.withLock { $0.append(unit) } }
    func received(_ report: SenderReport) {}

    var pictures: [AccessUnit] { units.withLock { $0.filter { $0.track == 0 } } }

    /// Whether the first pictures are the ones with these numbers.
    func begins(with numbers: Range<Int>) -> Bool {
        pictures.prefix(numbers.count).map(\.bytes).map { $0.withUnsafeBytes { Array($0) } } == numbers.map { Stage.unit($0) }
    }
}

private struct NeverCame: Error {}

/// Waits for something that is on its way; the deadline is for a machine that hangs.
private func until(_ condition: @Sendable () async -> Bool) async throws {
    for _ in 0..<12_000 {
        if await condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    throw NeverCame()
}

/// A server with one camera whose pictures the tests make.
private final class Stage: Sendable {
    let store: Store
    let accounts: Accounts
    let hub = StreamHub(role: .main)
    let live: LiveStream
    let totals = LiveTotals(most: .max)
    let camera: Camera
    let server: RTSPServer
    let port: Int
    let next = Mutex(0)

    init() async throws {
        store = try Store.inMemory()
        accounts = Accounts(
            store: store, key: SigningKey(bytes: Array(0..<64)), parameters: PasswordHash.Parameters(memory: 64, passes: 1))
        _ = try await accounts.setUp(username: "admin", password: password)
        camera = try await store.cameras.insert(
            Camera(id: ID(0), createdAt: WallTime(microseconds: 0), name: "Front door", url: "rtsp://10.0.0.1/x"))
        let wishes = Wishes()
        live = LiveStream(hub: hub) { wishes.note($0) }
        let (live, camera, entries) = (live, camera, Entries())
        let content = RestreamContent(
            RestreamDependencies(
                store: store, accounts: accounts, stream: { $0 == camera.id && $1 == .main ? live : nil },
                audit: { entry, _ in entries.note(entry) }, totals: totals, clock: SystemClock()), logger: quiet)
        server = RTSPServer(content, RTSPServerConfiguration(logger: quiet) { SystemClock().wall() }, loops: MultiThreadedEventLoopGroup.singleton)
        port = try await server.listen(host: "127.0.0.1", port: 0)
        self.wishes = wishes
        trail = entries
    }

    final class Wishes: Sendable {
        private let all = Mutex<[Bool]>([])
        func note(_ wish: Bool) { all.withLock { $0.append(wish) } }
        var list: [Bool] { all.withLock { $0 } }
    }

    final class Entries: Sendable {
        private let all = Mutex<[AuditEntry]>([])
        func note(_ entry: AuditEntry) { all.withLock { $0.append(entry) } }
        var list: [AuditEntry] { all.withLock { $0 } }
    }

    let wishes: Wishes
    let trail: Entries

    /// A run of the camera begins.
    func begin(_ run: Int64, level: UInt8 = 0x1e, after seconds: Int64 = 0) {
        let origin = WallTime(microseconds: SystemClock().wall() + seconds * 1_000_000)
        hub.publish(
            StreamDescription(
                run: run, origin: origin,
                video: .avc(sps: [[0x67, 0x42, 0xc0, level, 0xd9, 0x00, 0xa0, 0x47, 0xfe, 0xc8]], pps: [[0x68, 0xce, 0x3c, 0x80]]), audio: nil))
        next.withLock { $0 = 0 }
    }

    /// The next pictures of the run, one GOP of ten after the other.
    func show(_ count: Int) {
        for _ in 0..<count {
            let number = next.withLock { number in
                defer { number += 1 }
                return number
            }
            hub.publish(Self.picture(number))
        }
    }

    static func picture(_ number: Int) -> MediaPacket {
        MediaPacket(
            kind: .video, bytes: MediaBytes(unit(number)), dts: Int64(number) * 6000, pts: Int64(number) * 6000, isKeyframe: number % 10 == 0,
            isDamaged: false, wall: WallTime(microseconds: SystemClock().wall()), arrival: SystemClock().monotonic())
    }

    static func unit(_ number: Int) -> [UInt8] {
        // A first slice, its type, and the number.
        let nal: [UInt8] = [number % 10 == 0 ? 0x65 : 0x41, 0x88, 0x80, UInt8(number % 250) + 1] + [UInt8](repeating: 0x55, count: 2500)
        return [0, 0, UInt8(nal.count >> 8), UInt8(nal.count & 0xff)] + nal
    }

    func session(_ login: String, path: String = "Front_door", query: String = "", transport: RTSPTransport = .tcp) throws -> RTSPSession {
        let endpoint = try #require(RTSPEndpoint("rtsp://\(login)@127.0.0.1:\(port)/\(path)\(query)"))
        // Other tests keep all threads of the process busy at times: what the server's side has to do then is not late.
        return RTSPSession(
            configuration: RTSPClientConfiguration(
                endpoint: endpoint, transport: transport, responseTimeout: .seconds(1200), firstPacketTimeout: .seconds(1200),
                idleTimeout: .seconds(1200)), eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            pace: ReadPace(), logger: quiet)
    }

    /// Why a session ended.
    func refusal(_ login: String, path: String = "Front_door", query: String = "") async throws -> RTSPError? {
        do { try await session(login, path: path, query: query).run(Audience()) } catch { return error as? RTSPError }
        return nil
    }
}

@Suite("Cameras played on by RTSP", .serialized)
struct NVRRestreamTests {
    @Test("A client gets the GOP in memory and everything after it, and the camera is wanted as long", arguments: [RTSPTransport.tcp, .udp])
    func plays(_ transport: RTSPTransport) async throws {
        let stage = try await Stage()
        stage.begin(1)
        stage.show(15)
        let audience = Audience()
        let session = try stage.session("admin:\(password)", transport: transport)
        let task = Task { try await session.run(audience) }
        try await until { audience.pictures.count >= 4 }
        stage.show(20)
        try await until { audience.pictures.count >= 24 }
        #expect(audience.begins(with: 10..<34))
        #expect(audience.pictures[0].isKeyframe)
        #expect(stage.totals.reading.viewers == 1 && stage.totals.reading.sent > 24 * 2500)
        #expect(stage.wishes.list == [true])
        task.cancel()
        _ = await task.result
        try await until { stage.totals.reading.viewers == 0 && stage.wishes.list == [true, false] }
        try await until { stage.trail.list.contains { $0.method == "PLAY" && $0.status == 200 && $0.userName == "admin" } }
        await stage.server.stop()
    }

    @Test("A camera that comes back goes on in the same session; one with other parameters ends it")
    func comesBack() async throws {
        let stage = try await Stage()
        stage.begin(1)
        stage.show(12)
        let audience = Audience()
        let session = try stage.session("admin:\(password)")
        let task = Task { try await session.run(audience) }
        try await until { audience.pictures.count >= 1 }
        stage.hub.interrupt()
        stage.begin(2, after: 10)
        stage.show(12)
        try await until { audience.pictures.count >= 13 }
        let times = audience.pictures.map(\.rtpTimestamp)
        #expect(zip(times, times.dropFirst()).allSatisfy { Int32(bitPattern: $1 &- $0) > 0 })
        #expect(session.statistics.lost == 0)
        stage.hub.interrupt()
        stage.begin(3, level: 0x28, after: 20)
        stage.show(2)
        _ = await task.result
        try await until { stage.totals.reading.viewers == 0 }
        await stage.server.stop()
    }

    @Test("Who may not see a camera gets nothing, and the trail names those who tried")
    func refusals() async throws {
        let stage = try await Stage()
        stage.begin(1)
        stage.show(3)
        var viewer = User(id: ID(0), username: "v", role: .viewer, createdAt: WallTime(microseconds: 0))
        viewer.restrictCameraAccess = true
        _ = try await stage.accounts.create(viewer, password: password)
        #expect(try await stage.refusal("admin:wrong") == .unauthorized)
        #expect(try await stage.refusal("nobody:\(password)") == .unauthorized)
        #expect(try await stage.refusal("v:\(password)") == .forbidden)
        #expect(try await stage.refusal("v:\(password)", path: "unknown") == .forbidden)
        for path in ["unknown", "99", "\(stage.camera.id)/sub", "\(stage.camera.id)/main/x"] {
            guard case .status(404, _)? = try await stage.refusal("admin:\(password)", path: path) else {
                Issue.record("\(path)")
                continue
            }
        }
        #expect(stage.trail.list.contains { $0.status == 401 && $0.userName == "admin" && $0.userID == nil })
        #expect(stage.trail.list.contains { $0.status == 403 && $0.userName == "v" && $0.cameraID == stage.camera.id })
        #expect(stage.trail.list.allSatisfy { !$0.summary.contains(password) })
        await stage.server.stop()
    }

    @Test("A digest opens with the streaming secret, and what was opened ends with it")
    func digest() async throws {
        let stage = try await Stage()
        stage.begin(1)
        stage.show(3)
        let user = try #require(try await stage.store.users.credentials(username: "admin")?.user)
        #expect(try await stage.refusal("admin:\(password)", query: "?auth=digest") == .unauthorized)
        let secret = try await stage.accounts.streamingSecrets.make(for: user.id).secret.reveal()
        let audience = Audience()
        let session = try stage.session("admin:\(secret)", query: "?auth=digest")
        let task = Task { try await session.run(audience) }
        try await until { audience.pictures.count >= 2 }
        #expect(try await stage.accounts.streamingSecrets.delete(of: user.id))
        _ = await task.result
        try await until { stage.totals.reading.viewers == 0 }
        await stage.server.stop()
    }

    @Test("A camera that is deleted ends what plays it")
    func deleted() async throws {
        let stage = try await Stage()
        stage.begin(1)
        stage.show(3)
        let audience = Audience()
        let session = try stage.session("admin:\(password)", path: "\(stage.camera.id)")
        let task = Task { try await session.run(audience) }
        try await until { audience.pictures.count >= 2 }
        _ = try await stage.store.cameras.delete(stage.camera.id, at: WallTime(microseconds: 0))
        _ = await task.result
        try await until { stage.totals.reading.viewers == 0 }
        await stage.server.stop()
    }

    @Test("Two dozen clients are played to from one stream")
    func many() async throws {
        let stage = try await Stage()
        stage.begin(1)
        stage.show(1)
        let audiences = (0..<24).map { _ in Audience() }
        let tasks = try audiences.map { audience in
            let session = try stage.session("admin:\(password)")
            return Task { try await session.run(audience) }
        }
        try await until { stage.totals.reading.viewers == 24 }
        stage.show(60)
        for audience in audiences {
            try await until { audience.pictures.count >= 60 }
            #expect(audience.begins(with: 0..<60))
        }
        for task in tasks { task.cancel() }
        for task in tasks { _ = await task.result }
        #expect(stage.live.viewerCount <= 24)
        await stage.server.stop()
    }
}
