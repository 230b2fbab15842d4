import HTTPTypes
import Hummingbird
import NIOCore
import NVRModel

/// What this server can do, for programs (`/openapi.json`) and for people (`/docs`).
struct DocumentationRoutes: Sendable {
    let ui: StaticUI
    private let asset: StaticUI.Asset

    private static let lines: [OpenAPIDocument.Line] = [.init(.get, "/openapi.json", .anonymous), .init(.get, "/docs", .anonymous)]

    /// Documents `others` and itself.
    init(others: [Route], ui: StaticUI, version: String) {
        self.ui = ui
        let document = OpenAPIDocument.document(of: others.map(OpenAPIDocument.Line.init) + Self.lines, version: version)
        asset = StaticUI.Asset(Array(document.serialized().utf8), "application/json")
    }

    var routes: [Route] {
        [
            Route(.get, "/openapi.json", .anonymous) { asset.response(to: $0.head) },
            Route(.get, "/docs", .anonymous) { call in
                guard let page = ui.response(to: call.head, name: "docs.html") else { throw HTTPFailure.notFound }
                return page
            },
        ]
    }
}
