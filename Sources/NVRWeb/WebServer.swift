#if canImport(Glibc)
    import Glibc
#endif
import HTTPTypes
import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
import NIOPosix
package import NVRAccounts
package import NVRBackup
package import NVRBase
package import NVRMedia
import NVRModel
package import NVRRecording
package import NVRStore
import ServiceLifecycle
import WebSocketUpgrade

/// What the owner of the server decides about its web side.
package struct WebSettings: Sendable {
    package var host = "0.0.0.0"
    /// 0 = any free one.
    package var port = 8080
    package var version = "0"
    /// Monotonic microseconds of the program's start.
    package var startedAt: Int64 = 0
    /// Folder of the recordings, for the free space of its file system.
    package var recordingRoot = ""
    /// Folder of the log's files.
    package var logFolder = ""
    /// Permits cameras on this machine, for tests and demos.
    package var allowLoopbackCameras = false
    /// Serves `/metrics`.
    package var metricsEnabled = false
    /// Accepts `?token=` on media routes; such tokens end up in logs and histories.
    package var tokenInQueryAllowed = false
    /// Marks cookies as `Secure` whatever the connection looks like from here.
    package var cookieSecure = false
    /// Origins besides our own whose pages may use the API.
    package var allowedOrigins: Set<String> = []
    /// Addresses and networks (`10.0.0.0/8`) of proxies whose forwarding headers are believed.
    package var trustedProxies: Set<String> = []
    /// What requests to the webhook must carry; nil closes it.
    package var webhookSecret: Secret?
    /// The certificate to serve HTTPS with; nil serves plain HTTP.
    package var tls: TLSIdentity?
    /// With a certificate: a port whose plain HTTP is sent on to HTTPS.
    package var redirectPort: Int?
    /// Connections served at a time; more wait in the kernel's queue. Before that, those that have been quiet for longest end.
    package var mostConnections = 512
    /// Who watches by RTSP, for `/metrics`; nil when nobody can.
    package var restream: LiveTotals?

    package init() {}
}

/// What the web side works with.
package struct WebDependencies: Sendable {
    package var store: Store
    package var accounts: Accounts
    /// What first set-up from another machine has to name.
    package var setupCode: SetupCode
    package var live: LiveCameras
    package var media: RecordedMedia
    package var backups: Backups
    package var replay: ReplayMedia
    /// What is being written now.
    package var growing: GrowingSegments
    /// Copies of events in buckets.
    package var offsite = OffsiteAccess.none
    package var sync: FootageSync
    package var retention: RetentionService
    /// Where footage lies, and what of it cannot be used now.
    package var volumes: Volumes
    /// Whether the server is well.
    package var health: WebHealth
    package var settings: WebSettings
    package var clock: any NVRClock
    package var logger: Logger

    package init(
        store: Store, accounts: Accounts, setupCode: SetupCode, live: LiveCameras, media: RecordedMedia, replay: ReplayMedia, backups: Backups,
        sync: FootageSync,
        settings: WebSettings, clock: any NVRClock, logger: Logger, growing: GrowingSegments = GrowingSegments(),
        volumes: Volumes = Volumes(root: ""), retention: RetentionService, health: WebHealth? = nil
    ) {
        self.volumes = volumes
        self.store = store
        self.accounts = accounts
        self.setupCode = setupCode
        self.live = live
        self.media = media
        self.backups = backups
        self.replay = replay
        self.growing = growing
        self.sync = sync
        self.retention = retention
        self.health = health ?? WebHealth(store: store, growing: growing, clock: clock, logger: logger)
        self.settings = settings
        self.clock = clock
        self.logger = logger
    }
}

/// Serves the API and the page. The last of the services: it ends first, so that nobody asks for what has stopped.
package final class WebServer: Service {
    /// How long the head of a request, or a quiet connection, may take. Bytes of a head do not begin it anew.
    private static let idleTimeout = TimeAmount.seconds(30)
    /// Seconds that running requests get when the server is told to end.
    private static let farewell = Duration.milliseconds(1500)

    /// The way of a request without a network, for tests.
    package let responder: APIResponder
    private let dependencies: WebDependencies
    private let threads: NIOThreadPool
    private let shutdown: ShutdownSwitch
    private let load = HostLoad()
    private let history = ResourceHistory()
    /// For tests, which write it when they want to read it.
    package let audit: AuditTrail
    private let onRunning: @Sendable (_ port: Int) async -> Void

    /// `onRunning` hears the port once the server listens.
    package init(_ dependencies: WebDependencies, onRunning: @escaping @Sendable (_ port: Int) async -> Void = { _ in }) {
        self.dependencies = dependencies
        self.onRunning = onRunning
        shutdown = ShutdownSwitch()
        // For files, but footage, which has threads of its volumes (`MediaThreads`): neither an event loop nor the cooperative pool waits for a disk.
        threads = NIOThreadPool(numberOfThreads: 2)
        threads.start()
        let authentication = Authentication(
            authenticator: dependencies.accounts.authenticator, isTokenInQueryAllowed: dependencies.settings.tokenInQueryAllowed,
            webhook: WebhookSecret(dependencies.settings.webhookSecret))
        audit = AuditTrail(store: dependencies.store, clock: dependencies.clock, logger: dependencies.logger)
        responder = APIResponder(
            table: APIRouter.table(dependencies, authentication, threads, load, history), authentication: authentication,
            settings: dependencies.settings, shutdown: shutdown,
            auditor: Auditor(trail: audit, authentication: authentication, clock: dependencies.clock))
    }

    deinit {
        // What still reads for an answer finishes; its result is wanted by nobody.
        threads.shutdownGracefully { _ in }
    }

    package func run() async throws {
        do { try await serve() } catch {
            await audit.finish()
            throw error
        }
        await audit.finish()
    }

    private func serve() async throws {
        let settings = dependencies.settings
        let port = onRunning
        let (listening, listens) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
        let application = Application(
            responder: responder, server: Self.server(settings, responder),
            configuration: .init(
                address: .hostname(settings.host, port: settings.port), serverName: Self.name,
                availableConnectionsDelegate: .maximum(settings.mostConnections, logger: dependencies.logger)),
            onServerRunning: { channel in
                let actual = channel.localAddress?.port ?? settings.port
                listens.yield(actual)
                await port(actual)
            }, logger: dependencies.logger)
        // The first rates that are asked for are those since now.
        _ = load.reading(at: dependencies.clock.monotonic())
        let shutdown = shutdown
        let clock = dependencies.clock
        let history = history
        // True: the server has ended, or its time is over.
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await application.run()
                return true
            }
            if let tls = settings.tls {
                group.addTask {
                    await tls.watch()
                    return false
                }
                if let redirectPort = settings.redirectPort {
                    let logger = dependencies.logger
                    group.addTask {
                        for await securePort in listening {
                            try await Self.redirect(from: redirectPort, to: securePort, settings, logger)
                            break
                        }
                        return false
                    }
                }
            }
            group.addTask { [audit] in
                await audit.run(); return false
            }
            group.addTask {
                // Thrown when the server ended by itself.
                guard (try? await gracefulShutdown()) != nil else { return true }
                shutdown.turnOn()
                try? await Task.sleep(for: Self.farewell)
                return true
            }
            group.addTask {
                let load = HostLoad()
                while true {
                    history.add(load.reading(at: clock.monotonic()), at: WallTime(microseconds: clock.wall()))
                    // Thrown by the cancellation that ends the group.
                    guard (try? await Task.sleep(for: .seconds(ResourceHistory.interval))) != nil else { return false }
                }
            }
            while let isOver = try await group.next(), !isOver {}
            group.cancelAll()
        }
    }

    private static let name = "VibeNVR"

    /// Connections as this server takes them: counted, over TLS when there is a certificate, and open to WebSockets.
    private static func server(_ settings: WebSettings, _ responder: APIResponder) -> HTTPServerBuilder {
        let room = ConnectionRoom(most: settings.mostConnections)
        let isSecure = settings.tls != nil
        var http1 = HTTP1Channel.Configuration(
            additionalChannelHandlers: [DepartureWatch(), RequestCounter(room: room), MalformedRequests(isSecure: isSecure)], idleTimeout: idleTimeout
        )
        http1.httpDecoder = .init(maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 100)
        var limits = WebSocketLimits()
        limits.handshakeTimeout = idleTimeout
        return HTTPServerBuilder { [http1, limits] http in
            let channel = WebSocketUpgradeChannel(responder: http, http1: http1, limits: limits, isSecure: isSecure) { head, channel, logger in
                room.becameBusy(ObjectIdentifier(channel))
                return await responder.decide(head, channel, logger)
            }
            guard let tls = settings.tls else { return CountedChannel(base: channel, room: room) }
            return CountedChannel(base: SecureChannel(base: channel, identity: tls), room: room)
        }
    }

    /// Serves nothing but the way to HTTPS. Ends with the shutdown.
    private static func redirect(from port: Int, to securePort: Int, _ settings: WebSettings, _ logger: Logger) async throws {
        let room = ConnectionRoom(most: settings.mostConnections)
        var http1 = HTTP1Channel.Configuration(
            additionalChannelHandlers: [RequestCounter(room: room), MalformedRequests(isSecure: false)], idleTimeout: idleTimeout)
        http1.httpDecoder = .init(maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 32 << 10, maxHeaderFieldCount: 100)
        let builder = HTTPServerBuilder { [http1] http in
            CountedChannel(base: HTTP1Channel(responder: http, configuration: http1), room: room)
        }
        let application = Application(
            responder: RedirectResponder(securePort: securePort), server: builder,
            configuration: .init(
                address: .hostname(settings.host, port: port), serverName: name,
                availableConnectionsDelegate: .maximum(settings.mostConnections / 4, logger: logger)),
            onServerRunning: { channel in
                logger.notice(
                    "plain HTTP is sent to HTTPS", metadata: ["port": "\(channel.localAddress?.port ?? port)", "https_port": "\(securePort)"])
            }, logger: logger)
        do {
            try await application.run()
        } catch let error as IOError {
            throw NVRError(
                .unavailable,
                error.errnoCode == EADDRINUSE
                    ? "the port \(port) for the way to HTTPS is in use by another program"
                    : "the port \(port) for the way to HTTPS cannot be opened: \(String(cString: strerror(error.errnoCode)))")
        }
    }
}
