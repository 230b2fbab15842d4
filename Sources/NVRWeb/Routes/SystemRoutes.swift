import HTTPTypes
import Hummingbird
import NVRModel

/// The server's pages.
struct SystemRoutes: Sendable {
    let ui: StaticUI
    private let facts: StaticUI.Asset

    init(ui: StaticUI, version: String) {
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
}
