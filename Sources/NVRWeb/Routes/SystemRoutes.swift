import HTTPTypes
import Hummingbird
import Logging
import NVRModel
import NVRStore

/// The server itself: its page, and whether it is well.
struct SystemRoutes: Sendable {
    let store: Store
    let ui: StaticUI
<<<<<<< HEAD
=======
    let load: HostLoad
    let history: ResourceHistory
    let totals: LiveTotals
    let threads: NIOThreadPool
    let clock: any NVRClock
>>>>>>> 4804385629dd8ba243383e034d31d7e01a99a436

    var routes: [Route] {
        [
            Route(.get, "/", .anonymous, root),
            Route(.get, "/ui", .anonymous) { try page($0, "index.html") },
            Route(.get, "/ui/{file}", .anonymous) { try page($0, $0.parameters["file"] ?? "") },
            Route(.get, "/health", .anonymous, health),
        ]
    }

    private func root(_ call: Call) async throws -> Response {
        if StaticUI.wantsPage(call.head) { return try page(call, "index.html") }
        return Response(json: ["message": "Welcome to VibeNVR API"], fields: [.vary: "Accept"])
    }

    private func page(_ call: Call, _ name: String) throws -> Response {
        guard let response = ui.response(to: call.head, name: name) else { throw HTTPFailure.notFound }
        return response
    }

    private func health(_ call: Call) async throws -> Response {
        var isSound = true
        do { _ = try await store.users.count() } catch {
            isSound = false
            call.context.logger.error("the database does not answer", metadata: ["error": "\(error)"])
        }
        return Response(
            status: isSound ? .ok : .serviceUnavailable,
            json: [
                "status": .string(isSound ? "ok" : "error"), "components": ["database": .string(isSound ? "ok" : "error"), "engine": "ok"],
                // A weak key is refused at start.
                "is_weak_key": false,
            ])
    }
<<<<<<< HEAD
=======

    private func stats(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        return Response(json: try await statistics(for: caller).json)
    }

    /// Events of the last day by the hour in which they began, on the hours of the server's clock; the running hour is the last.
    private func activity(_ call: Call) async throws -> Response {
        let allowed = Access.visibleCameras(try call.requireCaller(), .replay)
        let hour: Int64 = 3_600_000_000
        let now = WallTime(microseconds: clock.wall())
        let newest = LocalDay.startOfHour(at: now)
        var hours: [JSONValue] = []
        for back in stride(from: Int64(24), through: 0, by: -1) {
            let start = newest.advanced(byMicroseconds: -back * hour)
            var filter = EventFilter(allowed: allowed, range: TimeRange(start: start, end: start.advanced(byMicroseconds: hour)), limit: 0)
            let events = try await store.events.count(filter)
            filter.medium = .video
            let videos = try await store.events.count(filter)
            hours.append([
                "time": .string("\(padded(Int64(LocalDay.hour(at: start)), 2)):00"), "events": JSONValue(events),
                "videos": JSONValue(videos),
            ])
        }
        return Response(json: .array(hours))
    }

    private func metrics(_ call: Call) async throws -> Response {
        guard settings.metricsEnabled else { throw HTTPFailure.notFound }
        let text = MetricsText.text(try await statistics(for: nil), live.counters(), totals.reading, version: settings.version)
        return Response(status: .ok, text: text, contentType: MetricsText.contentType, fields: [.cacheControl: "no-store"])
    }

    private func statistics(for caller: Identity?) async throws -> Statistics {
        let now = clock.monotonic()
        // A disk that hangs may hang here as well.
        let volume = try await threads.runIfActive { [root = settings.recordingRoot] in Self.volume(of: root) }
        return try await Statistics.gather(
            from: store, health: live.health(), visibleTo: caller, volume: volume, load: load.reading(at: now),
            uptime: Int((now - settings.startedAt) / 1_000_000),
            recordingPath: caller.map { Access.allows($0, .administer) } == true ? settings.recordingRoot : nil,
            now: WallTime(microseconds: clock.wall()))
    }

    /// The file system of a path; nil when it does not answer.
    private static func volume(of path: String) -> Statistics.Volume? {
        var numbers = statvfs()
        guard statvfs(path, &numbers) == 0 else { return nil }
        let (total, tooLarge) = Int64(clamping: numbers.f_blocks).multipliedReportingOverflow(by: Int64(clamping: numbers.f_frsize))
        let (free, tooLarge2) = Int64(clamping: numbers.f_bavail).multipliedReportingOverflow(by: Int64(clamping: numbers.f_frsize))
        return tooLarge || tooLarge2 ? nil : Statistics.Volume(totalBytes: total, freeBytes: free)
    }
>>>>>>> 4804385629dd8ba243383e034d31d7e01a99a436
}
