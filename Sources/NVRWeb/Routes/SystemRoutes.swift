import HTTPTypes
import Hummingbird
import Logging
import NVRModel
import NVRRecording
import NVRStore

/// The server itself: its pages, and whether it is well.
struct SystemRoutes: Sendable {
    let store: Store
    let ui: StaticUI
    private let facts: StaticUI.Asset
    private let volumes: Volumes

    init(store: Store, ui: StaticUI, version: String, volumes: Volumes) {
        self.volumes = volumes
        self.store = store
        self.ui = ui
        let facts: JSONValue = ["version": .string(version), "time_zone": JSONValue(TimeZoneName.server)]
        self.facts = StaticUI.Asset(facts.serializedBytes(), "application/json")
    }

    var routes: [Route] {
        [
            Route(.get, "/", .anonymous, root),
            Route(.get, "/ui", .anonymous) { try page($0, "") },
            Route(.get, "/ui/server.json", .anonymous) { facts.response(to: $0.head) },
            Route(.get, "/ui/{path...}", .anonymous) { try page($0, $0.parameters["path"] ?? "") },
            Route(.get, "/health", .anonymous, health),
        ]
    }

    private func root(_ call: Call) async throws -> Response {
        if StaticUI.wantsPage(call.head) { return try page(call, "") }
        return Response(json: ["message": "Welcome to VibeNVR API"], fields: [.vary: "Accept"])
    }

    private func page(_ call: Call, _ path: String) throws -> Response {
        guard let response = ui.response(to: call.head, path: path) else { throw HTTPFailure.notFound }
        return response
    }

    private func health(_ call: Call) async throws -> Response {
        var isSound = true
        do { _ = try await store.users.count() } catch {
            isSound = false
            call.context.logger.error("the database does not answer", metadata: ["error": "\(error)"])
        }
        let problems = Self.problems(volumes)
        return Response(
            status: isSound ? .ok : .serviceUnavailable,
            json: [
                "status": .string(!isSound ? "error" : problems.isEmpty ? "ok" : "degraded"), "problems": .array(problems),
                "components": ["database": .string(isSound ? "ok" : "error"), "engine": "ok"],
                // A weak key is refused at start.
                "is_weak_key": false,
            ])
    }

    /// Volumes that are not used, one line for each cause. Anybody may ask, so no names.
    private static func problems(_ volumes: Volumes) -> [JSONValue] {
        Dictionary(grouping: volumes.states.compactMap(\.loss), by: \.cause).sorted { $0.key.rawValue < $1.key.rawValue }.map { cause, losses in
            [
                "kind": "volume_lost", "cause": .string(cause.rawValue), "count": JSONValue(losses.count),
                "since": .string(losses.map(\.since).min()?.iso8601 ?? ""),
            ]
        }
    }
}
