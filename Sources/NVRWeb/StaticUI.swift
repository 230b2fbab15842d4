package import HTTPTypes
package import Hummingbird
import NIOCore

/// The page: files of the folder `UI`, compiled into the program, so that it needs nothing on disk and no other site.
package struct StaticUI: Sendable {
    /// A file that never changes while the program runs.
    struct Asset: Sendable {
        private let contentType: String
        private let etag: String
        private let body: ByteBuffer

        init(_ bytes: [UInt8], _ contentType: String) {
            // FNV-1a, 64 bits: the tag has to differ between versions of a file, no more.
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            self.contentType = contentType
            etag = "\"\(String(hash, radix: 16))\""
            body = ByteBuffer(bytes: bytes)
        }

        /// Browsers ask again each time and mostly hear 304, so that an update of the program never mixes old and new files.
        func response(to head: HTTPRequest) -> Response {
            let fields: HTTPFields = [.eTag: etag, .cacheControl: "no-cache", .vary: "Accept"]
            let held = head.headerFields[.ifNoneMatch]?.split(separator: ",").contains { $0.contains(etag) } ?? false
            if held { return Response(status: .notModified, headers: fields) }
            var response = Response(status: .ok, headers: fields, body: .init(byteBuffer: body))
            response.headers[.contentType] = contentType
            return response
        }
    }

    private let assets: [String: Asset]

    package init() {
        assets = [
            "index.html": Asset(PackageResources.index_html, "text/html; charset=utf-8"),
            "style.css": Asset(PackageResources.style_css, "text/css; charset=utf-8"),
            "app.js": Asset(PackageResources.app_js, "text/javascript; charset=utf-8"),
            "api.js": Asset(PackageResources.api_js, "text/javascript; charset=utf-8"),
            "cameras.js": Asset(PackageResources.cameras_js, "text/javascript; charset=utf-8"),
            "events.js": Asset(PackageResources.events_js, "text/javascript; charset=utf-8"),
            "icon.svg": Asset(PackageResources.icon_svg, "image/svg+xml"),
            "docs.html": Asset(PackageResources.docs_html, "text/html; charset=utf-8"),
            "docs.css": Asset(PackageResources.docs_css, "text/css; charset=utf-8"),
            "docs.js": Asset(PackageResources.docs_js, "text/javascript; charset=utf-8"),
        ]
    }

    /// The file of this name; nil when there is none.
    package func response(to head: HTTPRequest, name: String) -> Response? { assets[name]?.response(to: head) }

    /// Whether a request for `/` wants the page and not the greeting of the API.
    package static func wantsPage(_ head: HTTPRequest) -> Bool {
        head.headerFields[values: .accept].contains { $0.split(separator: ",").contains { $0.contains("text/html") } }
    }
}
