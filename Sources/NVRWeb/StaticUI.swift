package import HTTPTypes
package import Hummingbird
import NIOCore

/// The page: files of the folder `UI`, compiled into the program, so that it needs nothing on disk and no other site.
package struct StaticUI: Sendable {
    private struct Asset: Sendable {
        let contentType: String
        let etag: String
        let body: ByteBuffer
    }

    private let assets: [String: Asset]

    package init() {
        assets = [
            "index.html": Self.asset(PackageResources.index_html, "text/html; charset=utf-8"),
            "style.css": Self.asset(PackageResources.style_css, "text/css; charset=utf-8"),
            "app.js": Self.asset(PackageResources.app_js, "text/javascript; charset=utf-8"),
            "api.js": Self.asset(PackageResources.api_js, "text/javascript; charset=utf-8"),
            "cameras.js": Self.asset(PackageResources.cameras_js, "text/javascript; charset=utf-8"),
            "events.js": Self.asset(PackageResources.events_js, "text/javascript; charset=utf-8"),
            "icon.svg": Self.asset(PackageResources.icon_svg, "image/svg+xml"),
        ]
    }

    /// The file of this name; nil when there is none. Browsers ask again each time and mostly hear 304, so that an update of the
    /// program never mixes old and new files.
    package func response(to head: HTTPRequest, name: String) -> Response? {
        guard let asset = assets[name] else { return nil }
        let fields: HTTPFields = [.eTag: asset.etag, .cacheControl: "no-cache", .vary: "Accept"]
        let held = head.headerFields[.ifNoneMatch]?.split(separator: ",").contains { $0.contains(asset.etag) } ?? false
        if held { return Response(status: .notModified, headers: fields) }
        var response = Response(status: .ok, headers: fields, body: .init(byteBuffer: asset.body))
        response.headers[.contentType] = asset.contentType
        return response
    }

    /// Whether a request for `/` wants the page and not the greeting of the API.
    package static func wantsPage(_ head: HTTPRequest) -> Bool {
        head.headerFields[values: .accept].contains { $0.split(separator: ",").contains { $0.contains("text/html") } }
    }

    private static func asset(_ bytes: [UInt8], _ contentType: String) -> Asset {
        // FNV-1a, 64 bits: the tag has to differ between versions of a file, no more.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Asset(contentType: contentType, etag: "\"\(String(hash, radix: 16))\"", body: ByteBuffer(bytes: bytes))
    }
}
