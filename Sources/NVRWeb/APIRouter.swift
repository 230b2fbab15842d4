import NIOPosix
import NVRAccounts
import NVRMedia
import NVRModel
import NVRRecording

/// The list of routes. Every one is served at `/` and under `/api/`.
enum APIRouter {
    static func table(
        _ web: WebDependencies, _ authentication: Authentication, _ threads: NIOThreadPool, _ load: HostLoad, _ history: ResourceHistory
    ) -> RouteTable {
        let rules = CameraURL.Rules(allowLoopback: web.settings.allowLoopbackCameras)
        // Half of the connections stay for requests.
        let totals = LiveTotals(most: max(1, web.settings.mostConnections / 2))
        let responder = MediaResponder(threads: MediaThreads(common: threads), authenticator: web.accounts.authenticator)
        let gates = AttemptGates(passwords: web.accounts.passwordAttempts)
        let ui = StaticUI()
        return documented(
            web.settings.version, ui,
            AuthRoutes(
                accounts: web.accounts, authentication: authentication, settings: web.settings, setupCode: web.setupCode, gates: gates,
                clock: web.clock
            ).routes
                + TwoFactorRoutes(accounts: web.accounts, codes: gates.codes, passwords: gates.passwords, clock: web.clock).routes
                + UserRoutes(
                    store: web.store, accounts: web.accounts, throttle: gates.passwords, pictures: UploadedPictures(), clock: web.clock
                ).routes
                + TokenRoutes(accounts: web.accounts).routes
                + StreamingSecretRoutes(accounts: web.accounts).routes
                + LayoutRoutes(store: web.store, clock: web.clock).routes
                + CameraRoutes(store: web.store, live: web.live, media: web.media, rules: rules, clock: web.clock).routes
                + CameraTransferRoutes(store: web.store, live: web.live, rules: rules, clock: web.clock).routes
                + GroupRoutes(store: web.store, live: web.live, clock: web.clock).routes
                + StorageRoutes(
                    store: web.store, volume: StorageVolume(recordingRoot: web.settings.recordingRoot), volumes: web.volumes, threads: threads,
                    clock: web.clock
                ).routes
                + S3Routes(store: web.store, offsite: web.offsite, volumes: web.volumes, rules: rules, clock: web.clock).routes
                + ForgetRoutes(store: web.store, volumes: web.volumes, threads: threads).routes
                + LiveRoutes(
                    store: web.store, live: web.live, rules: rules, accounts: web.accounts, totals: totals, clock: web.clock
                ).routes
                + EventRoutes(store: web.store, live: web.live, media: web.media, responder: responder, clock: web.clock).routes
                + BackupRoutes(backups: web.backups).routes
                + SettingsRoutes(store: web.store, rules: rules).routes
                + EventIntakeRoutes(store: web.store, live: web.live, media: web.media).routes
                + ReplayRoutes(store: web.store, replay: web.replay, responder: responder, clock: web.clock).routes
                + TimelineRoutes(store: web.store, growing: web.growing, clock: web.clock).routes
                + ExportRoutes(store: web.store, replay: web.replay, responder: responder, clock: web.clock).routes
                + HoldRoutes(store: web.store, clock: web.clock).routes
                + MediaRoutes(store: web.store, media: web.media, responder: responder, clock: web.clock).routes
                + AuditRoutes(store: web.store).routes
                + LogRoutes(folder: web.settings.logFolder, threads: threads, responder: responder, clock: web.clock).routes
                + MaintenanceRoutes(store: web.store, live: web.live, sync: web.sync, clock: web.clock).routes
                + RetentionRoutes(store: web.store, retention: web.retention).routes
                + LaterRoutes().routes
                + StatisticsRoutes(
                    store: web.store, live: web.live, settings: web.settings, load: load, history: history, totals: totals, threads: threads,
                    health: web.health, retention: web.retention, offsite: web.offsite, buckets: web.volumes, clock: web.clock
                ).routes
                + HealthRoutes(store: web.store, health: web.health, volumes: web.volumes).routes
                + SystemRoutes(ui: ui, version: web.settings.version).routes)
    }

    /// The table of these routes and of those that tell what they are.
    private static func documented(_ version: String, _ ui: StaticUI, _ routes: [Route]) -> RouteTable {
        RouteTable(routes + DocumentationRoutes(others: routes, ui: ui, version: version).routes)
    }
}
