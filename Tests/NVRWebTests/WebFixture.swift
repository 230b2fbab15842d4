import Argon2
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NVRAccounts
import NVRBackup
import NVRBase
import NVRCameras
import NVRMedia
import NVRModel
import NVRRecording
import NVRStore
import NVRWeb
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// The web side on a database in memory, with cameras and files that are values of the test. No sockets, no sleeps.
final class WebFixture: Sendable {
    /// What the invented cameras and files answer with.
    struct World: Sendable {
        var health: [ID<Camera>: CameraHealth] = [:]
        var picture: Picture?
        var files: [String: [UInt8]] = [:]
        var video: [UInt8]?
        var motion: [ID<Camera>: LiveMotion] = [:]
        var deletedMedia: [ID<Camera>] = []
        var reports: [String] = []
        var probe = StreamProbe(error: "nothing there")
        var failure: (any Error)?
        var wall: Int64 = 1_795_000_000_000_000
    }

    struct Clock: NVRClock {
        let world: WorldBox
        func monotonic() -> Int64 { world.value.wall }
        func wall() -> Int64 { world.value.wall }
    }

    final class WorldBox: Sendable {
        private let state = Mutex(World())
        var value: World {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
        func change(_ body: @Sendable (inout World) -> Void) { state.withLock { body(&$0) } }
    }

    struct Answer: Sendable {
        var status: Int
        var headers: HTTPFields
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }
        var json: JSONValue { get throws { try JSONValue(parsing: body) } }
        subscript(name: HTTPField.Name) -> String? { headers[name] }
    }

    let store: Store
    let accounts: Accounts
    let server: WebServer
    let health: WebHealth
    let world = WorldBox()
    let setupCode = SetupCode()
    let volumes: Volumes
    /// Removed when the test ends.
    let folder = TemporaryFolder()

    init(offsite: OffsiteAccess = .none, keys: FootageKeys = .none, _ configure: (inout WebSettings) -> Void = { _ in }) async throws {
        store = try Store.inMemory()
        volumes = Volumes(root: "/nowhere", cipher: FootageCipher(keys: keys))
        let clock = Clock(world: world)
        accounts = Accounts(
            store: store, key: SigningKey(bytes: Array(0..<64)), clock: clock, parameters: PasswordHash.Parameters(memory: 64, passes: 1))
        var settings = WebSettings()
        settings.version = "1.2.3"
        settings.recordingRoot = "/tmp"
        configure(&settings)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let world = world
        let store = store
        let live = LiveCameras(
            health: { world.value.health },
            frame: { _, width in
                guard let picture = world.value.picture else { throw NVRError(.unavailable, "the camera has no picture now") }
                return Picture(jpeg: picture.jpeg, width: width ?? picture.width, height: picture.height, time: picture.time)
            },
            takeSnapshot: { camera in
                guard world.value.picture != nil else { throw NVRError(.unavailable, "the camera has no picture now") }
                return try await store.events.insert(
                    Event(
                        id: ID(0), cameraID: camera, medium: .snapshot, kind: .manual, start: WallTime(microseconds: 1),
                        picturePath: "1/s.jpg"))
            },
            probe: { _, _, _ in world.value.probe }, liveMotion: { world.value.motion }, counters: { [] },
            reportMotion: { camera, isOn, time in
                guard world.value.failure == nil else { throw NVRError(.unavailable, "the camera is switched off") }
                world.change { $0.reports.append("\(camera) \(isOn) \(time?.iso8601 ?? "now")") }
            },
            waitUntilEnded: { camera in world.change { $0.reports.append("\(camera) ended") } })
        @Sendable func content(_ bytes: [UInt8], _ name: String) -> MediaContent {
            MediaContent(
                contentType: name.hasSuffix(".jpg") ? "image/jpeg" : "video/mp4", length: Int64(bytes.count), etag: "\"tag\"",
                lastModified: HTTPDate(seconds: 1_700_000_000), fileName: name
            ) { offset, count in Array(bytes.dropFirst(Int(offset)).prefix(count)) }
        }
        let media = RecordedMedia(
            file: { path in
                if let failure = world.value.failure { throw failure }
                guard let bytes = world.value.files[path] else { throw NVRError(.notFound, "no such file") }
                return content(bytes, String(path.split(separator: "/").last ?? ""))
            },
            video: { event in
                guard let bytes = world.value.video else { throw NVRError(.notFound, "no footage") }
                return content(bytes, "event-\(event.id).mp4")
            },
            thumbnail: { event in
                guard let bytes = world.value.files[event.thumbnailPath ?? ""] else { throw NVRError(.notFound, "no picture") }
                return content(bytes, "t.jpg")
            },
            deleteEvents: { try await store.events.delete($0).deleted },
            deleteMedia: { camera in world.change { $0.deletedMedia.append(camera) } },
            deleteAll: { MediaRemoval.Removed(events: try await store.events.deleteAll(medium: $0, kind: $1), bytes: 1 << 20) },
            enforceLimits: { camera, medium in
                world.change { $0.reports.append("\(camera.id) limits \(medium?.rawValue ?? "all")") }
                return MediaRemoval.Removed(events: 2, bytes: 77)
            },
            bytes: { _, range, _ in range.end.microseconds(since: range.start) / 1_000_000 * 1000 })
        let urls = CameraURL.Rules(allowLoopback: settings.allowLoopbackCameras)
        let backups = Backups(
            store: store, folder: BackupFolder(path: folder.path + "/backups"), rules: BackupReader.Rules(urls: urls, folder: { $0 }),
            version: settings.version, passphrase: nil, clock: clock, logger: logger)
        let replay = ReplayMedia(
            index: { _, _ in [] },
            export: { _, _, _, name in
                guard let bytes = world.value.video else { throw NVRError(.notFound, "no footage") }
                return content(bytes, name)
            },
            keyframe: { _, _, _, _ in
                guard let bytes = world.value.video else { throw NVRError(.notFound, "no footage") }
                return content(bytes, "k.jpg")
            },
            timeLapse: { _, _, _, name in
                guard let bytes = world.value.video else { throw NVRError(.notFound, "no footage") }
                return content(bytes, name)
            })
        health = WebHealth(store: store, growing: GrowingSegments(), clock: clock, logger: logger)
        let layout = RecordingLayout(root: settings.recordingRoot)
        let playback = Playback(layout: layout, store: store, growing: GrowingSegments(), clock: clock, logger: logger)
        let root = settings.recordingRoot
        let retention = RetentionService(
            store: store, removal: MediaRemoval(layout: layout, store: store, playback: playback), measures: MediaRemoval.Measures(),
            volumes: { [(id: .standard, root: root)] }, clock: clock, logger: logger)
        var dependencies = WebDependencies(
            store: store, accounts: accounts, setupCode: setupCode, live: live, media: media, replay: replay, backups: backups,
            sync: FootageSync(layout: RecordingLayout(root: settings.recordingRoot), store: store, clock: clock, logger: logger),
            settings: settings, clock: clock, logger: logger, volumes: volumes, retention: retention, health: health)
        dependencies.offsite = offsite
        server = WebServer(dependencies)
    }

    // MARK: Requests

    /// Sends a request; `body` text is JSON unless `form` says otherwise.
    func send(
        _ method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields = [:], body: String? = nil, bytes: [UInt8]? = nil, form: Bool = false,
        peer: String = "192.0.2.7", host: String = "nvr.test:8080", webSocket: WebSocketSlot? = nil,
        afterChunk: (@Sendable () async throws -> Void)? = nil, beforeBody: (@Sendable () async throws -> Void)? = nil
    ) async throws -> Answer {
        var headers = headers
        if let body {
            headers[.contentLength] = String(body.utf8.count)
            if !headers.contains(.contentType) { headers[.contentType] = form ? "application/x-www-form-urlencoded" : "application/json" }
        }
        if let bytes { headers[.contentLength] = String(bytes.count) }
        let head = HTTPRequest(method: method, scheme: "http", authority: host, path: path, headerFields: headers)
        let sent = bytes.map { ByteBuffer(bytes: $0) } ?? ByteBuffer(string: body ?? "")
        let request = Request(
            head: head, body: beforeBody.map { RequestBody(asyncSequence: LateBody(buffer: sent, before: $0)) } ?? .init(buffer: sent))
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let response = try await server.responder.respond(to: request, context: AppContext(peer: peer, logger: logger, webSocket: webSocket))
        let collector = Collector(afterChunk)
        try await response.body.write(collector)
        return Answer(status: response.status.code, headers: response.headers, body: collector.bytes)
    }

    /// A body that comes when something else has happened.
    private struct LateBody: AsyncSequence, Sendable {
        let buffer: ByteBuffer
        let before: @Sendable () async throws -> Void

        struct AsyncIterator: AsyncIteratorProtocol {
            var left: ByteBuffer?
            let before: @Sendable () async throws -> Void

            mutating func next() async throws -> ByteBuffer? {
                guard let buffer = left else { return nil }
                left = nil
                try await before()
                return buffer
            }
        }

        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(left: buffer, before: before) }
    }

    private final class Collector: ResponseBodyWriter, @unchecked Sendable {
        var bytes: [UInt8] = []
        private let afterChunk: (@Sendable () async throws -> Void)?

        init(_ afterChunk: (@Sendable () async throws -> Void)?) { self.afterChunk = afterChunk }

        func write(_ buffer: ByteBuffer) async throws {
            bytes += buffer.readableBytesView
            try await afterChunk?()
        }
        consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }

    // MARK: Residents

    static let password = "Bench-Passw0rd!"

    /// Headers that carry a token of a new user of the role.
    func bearer(_ role: User.Role = .admin) async throws -> HTTPFields { [.authorization: "Bearer \(try await signIn(role).accessToken)"] }

    func signIn(_ role: User.Role = .admin) async throws -> SignIn {
        let name = role.rawValue
        if try await store.users.credentials(username: name) == nil {
            _ = try await accounts.create(username: name, password: Self.password, role: role)
        }
        return try #require(try await accounts.sessions.signIn(username: name, password: Self.password))
    }

    func apiKey(of role: User.Role = .admin) async throws -> HTTPFields {
        let user = try await signIn(role).user
        return [.xAPIKey: try await accounts.apiKeys.make(for: user.id, name: "key", expiresInDays: nil).plain]
    }

    func camera(_ name: String = "Front Door", url: String = "rtsp://user:p%40ss@10.0.0.9/cam0") async throws -> Camera {
        try await store.cameras.insert(Camera(id: ID(0), createdAt: WallTime(microseconds: 1), name: name, url: url))
    }

    func event(
        of camera: ID<Camera> = ID(1), at micros: Int64 = 1_790_000_000_000_000, _ medium: Event.Medium = .video,
        _ kind: Event.Kind = .motion,
        picture: String? = nil
    ) async throws -> Event {
        try await store.events.insert(
            Event(
                id: ID(0), cameraID: camera, medium: medium, kind: kind, start: WallTime(microseconds: micros),
                end: medium == .video ? WallTime(microseconds: micros + 5_000_000) : nil, picturePath: picture, thumbnailPath: picture))
    }
}

/// A folder that is removed with its files when the test ends.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/nvrweb-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, let made = mkdtemp(base) else { return "/tmp/nvrweb" }
            return String(cString: made)
        }
    }

    deinit {
        // What is left of a test that failed is the system's to clean up.
        for folder in [path + "/backups", path] {
            if let stream = opendir(folder) {
                while let entry = readdir(stream) {
                    unlinkat(
                        dirfd(stream), withUnsafePointer(to: &entry.pointee.d_name) { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) }, 0)
                }
                closedir(stream)
            }
            rmdir(folder)
        }
    }
}
