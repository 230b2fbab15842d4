import NIOPosix
import NVRModel

/// The list of routes. Every one is served at `/` and under `/api/`.
enum APIRouter {
    static func table(
        _ web: WebDependencies, _ authentication: Authentication, _ threads: NIOThreadPool, _ load: HostLoad, _ history: ResourceHistory
    ) -> RouteTable {
        let rules = CameraURL.Rules(allowLoopback: web.settings.allowLoopbackCameras)
        // Half of the connections stay for requests.
        let totals = LiveTotals(most: max(1, web.settings.mostConnections / 2))
        let responder = MediaResponder(threads: threads)
        return documented(
            web.settings.version,
            AuthRoutes(
                accounts: web.accounts, authentication: authentication, settings: web.settings, setupCode: web.setupCode, throttle: .init(),
                clock: web.clock
            ).routes
                + CameraRoutes(store: web.store, live: web.live, media: web.media, rules: rules, clock: web.clock).routes
                + LiveRoutes(
                    store: web.store, live: web.live, rules: rules, accounts: web.accounts, totals: totals, clock: web.clock
                ).routes
                + EventRoutes(store: web.store, live: web.live, media: web.media, responder: responder, clock: web.clock).routes
                + SettingsRoutes(store: web.store, rules: rules).routes
                + MediaRoutes(store: web.store, media: web.media, responder: responder, clock: web.clock).routes
                + SystemRoutes(
                    store: web.store, live: web.live, settings: web.settings, ui: StaticUI(), load: load, history: history, totals: totals,
                    threads: threads,
                    clock: web.clock
                ).routes)
    }

    /// The table of these routes and of those that tell what they are.
    private static func documented(_ version: String, _ routes: [Route]) -> RouteTable {
        RouteTable(routes + DocumentationRoutes(others: routes, ui: StaticUI(), version: version).routes)
    }
}
