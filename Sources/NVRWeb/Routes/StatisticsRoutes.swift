import HTTPTypes
import Hummingbird
import NIOPosix
import NVRAccounts
import NVRBase
import NVRMedia
import NVRModel
import NVRRecording
import NVRStore

/// What the server holds and what it costs, in numbers: for the page, for dashboards, for Prometheus.
struct StatisticsRoutes: Sendable {
    private let store: Store
    private let live: LiveCameras
    private let settings: WebSettings
    private let load: HostLoad
    private let history: ResourceHistory
    private let totals: LiveTotals
    private let threads: NIOThreadPool
    private let retention: RetentionService
    private let health: WebHealth
    private let offsite: OffsiteAccess
    private let buckets: Volumes
    private let clock: any NVRClock
    private let numbers: NumberReader
    /// Space on the disks.
    private let volumes = Refreshed<[String: Statistics.Volume]>(every: 2_000_000)
    private let forecasts = Refreshed<[ID<Camera>: RetentionForecast.Stay]>(every: 2_000_000)
    /// The answer of `/stats/history` to those who see all, by commit and hour.
    private let activityText = Versioned<ActivityKey, [UInt8]>()

    /// The answer of `/stats` to those who see the same, by commit and second: many pages show it, and what the machine does is read once a
    /// second at most.
    private let statsTexts = VersionedEach<Beholder, StatsKey, [UInt8]>(capacity: NumberReader.capacity)

    private struct Beholder: Sendable, Hashable {
        var sight: StoredNumbers.Sight
        var isAdmin: Bool
    }

    private struct StatsKey: Sendable, Equatable {
        var footage: Int
        var cameras: Int
        var second: Int64
    }

    private struct ActivityKey: Sendable, Equatable {
        var footage: Int
        var hours: [LocalOffset.Hour]
    }

    init(
        store: Store, live: LiveCameras, settings: WebSettings, load: HostLoad, history: ResourceHistory, totals: LiveTotals, threads: NIOThreadPool,
        health: WebHealth, retention: RetentionService, offsite: OffsiteAccess, buckets: Volumes, clock: any NVRClock
    ) {
        self.store = store
        self.live = live
        self.settings = settings
        self.load = load
        self.history = history
        self.totals = totals
        self.threads = threads
        self.retention = retention
        self.offsite = offsite
        self.buckets = buckets
        self.health = health
        self.clock = clock
        numbers = NumberReader(store: store)
    }

    var routes: [Route] {
        [
            Route(.get, "/stats", .userOrKey, stats),
            Route(.get, "/stats/history", .userOrKey, activity),
            Route(.get, "/stats/resources-history", .userOrKey) { _ in Response(json: history.json) },
            Route(.get, "/v1/homepage/stats", .userOrKey, strangers: "API Key required", homepage),
            Route(.get, "/metrics", .anonymous, metrics),
        ]
    }

    private func stats(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        let beholder = Beholder(sight: StoredNumbers.Sight(caller), isAdmin: Access.allows(caller, .administer))
        let key = StatsKey(footage: store.versions.footage, cameras: store.versions.cameras, second: clock.monotonic() / 1_000_000)
        if let text = statsTexts.value(of: beholder, for: key) { return Response(jsonBytes: text) }
        let text = try await statistics(for: caller).json.serializedBytes()
        statsTexts.keep(text, of: beholder, for: key)
        return Response(jsonBytes: text)
    }

    private func homepage(_ call: Call) async throws -> Response {
        Response(json: try await statistics(for: try call.requireCaller()).homepageJSON)
    }

    private func metrics(_ call: Call) async throws -> Response {
        guard settings.metricsEnabled else { throw HTTPFailure.notFound }
        let statistics = try await statistics(for: nil)
        let text =
            MetricsText.text(
                statistics, live.counters(), totals.reading, live.transcoding(), restream: settings.restream?.reading,
                database: store.commits, version: settings.version)
            + MetricsText.text(health, cameras: statistics.cameras)
            + MetricsText.text(
                try await offsite.states(), archived: try await store.segments.volumeTotals(),
                lost: Set(buckets.states.filter { $0.loss != nil }.map(\.volume)))
        return Response(status: .ok, text: text, contentType: MetricsText.contentType, fields: [.cacheControl: "no-store"])
    }

    // MARK: The last day

    /// Hours shown before the running one.
    private static let hoursShown = 24

    /// Events of the last day by the hour in which they began, on the hours of the server's clock; the running hour is the last.
    private func activity(_ call: Call) async throws -> Response {
        let allowed = Access.visibleCameras(try call.requireCaller(), .replay)
        let hours = LocalOffset.server.hours(Self.hoursShown + 1, until: WallTime(microseconds: clock.wall()))
        guard allowed == nil else { return Response(json: try await activity(hours, allowed)) }
        let key = ActivityKey(footage: store.versions.footage, hours: hours)
        if let text = activityText.value(for: key) { return Response(jsonBytes: text) }
        let text = try await activity(hours, nil).serializedBytes()
        activityText.keep(text, for: key)
        return Response(jsonBytes: text)
    }

    private func activity(_ hours: [LocalOffset.Hour], _ allowed: Set<ID<Camera>>?) async throws -> JSONValue {
        let quarter: Int64 = 900_000_000
        guard let first = hours.first, let last = hours.last else { return [] }
        let end = last.start.advanced(byMicroseconds: 2 * 3_600_000_000)
        let counts = try await store.events.byQuarter(first.start.microseconds / quarter, end.microseconds / quarter, allowed: allowed)
        return .array(
            hours.enumerated().map { place, hour in
                let next = place + 1 < hours.count ? hours[place + 1].start : end
                var (events, videos) = (0, 0)
                for bucket in hour.start.microseconds / quarter..<next.microseconds / quarter {
                    events += counts[bucket]?.events ?? 0
                    videos += counts[bucket]?.videos ?? 0
                }
                return ["time": .string(hour.label), "events": JSONValue(events), "videos": JSONValue(videos)]
            })
    }

    // MARK: Now

    private func statistics(for caller: Identity?) async throws -> Statistics {
        let now = clock.monotonic()
        let isAdmin = caller.map { Access.allows($0, .administer) } ?? false
        let numbers = try await numbers.numbers(for: caller, at: WallTime(microseconds: clock.wall()))
        func isSeen(_ id: ID<Camera>) -> Bool { caller.map { Access.allows($0, .view, camera: id) } ?? true }
        var folders = [(volume: VolumeID.standard, path: settings.recordingRoot)]
        for profile in numbers.profiles { folders.append((VolumeID(profile.id), profile.path)) }
        let spaces = try await spaces(folders, now)
        var statistics = Statistics(
            cameras: try await store.cameras.all().filter { isSeen($0.id) }, health: live.health(), numbers: numbers,
            volume: spaces[settings.recordingRoot], load: load.reading(at: now), uptime: Int((now - settings.startedAt) / 1_000_000),
            recordingPath: isAdmin ? settings.recordingRoot : nil)
        statistics.forecast = await forecast(now)
        for profile in numbers.profiles { statistics.profileVolumes[profile.id] = spaces[profile.path] }
        return statistics
    }

    /// For how long recordings will be there; nothing where the disk does not answer.
    private func forecast(_ now: Int64) async -> [ID<Camera>: RetentionForecast.Stay] {
        // What cannot be measured is left out of the numbers.
        await forecasts.value(at: now) { (try? await retention.forecast())?.stays ?? [:] }
    }

    /// The file systems of folders as they were seen last; those of which nothing is known are left out.
    private func spaces(_ folders: [(volume: VolumeID, path: String)], _ now: Int64) async throws -> [String: Statistics.Volume] {
        try await volumes.value(at: now, if: { known in folders.allSatisfy { known[$0.path] != nil } }) {
            try await threads.runIfActive { [buckets] in
                Dictionary(
                    folders.compactMap { volume, path in
                        buckets.space(of: volume, in: path).map { space in
                            (path, Statistics.Volume(totalBytes: space.total, freeBytes: space.free, fileSystem: space.fileSystem))
                        }
                    }
                ) { $1 }
            }
        }
    }
}
