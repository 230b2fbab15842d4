package import HTTPTypes
package import Hummingbird
import NIOCore
import NVRModel
import WebUI

/// The web interface and the pages of the documentation, compiled into the program, so that it needs nothing on disk and no other site.
package struct StaticUI: Sendable {
    /// A file that never changes while the program runs.
    struct Asset: Sendable {
        private let contentType: String
        private let tag: String
        private let isImmutable: Bool
        private let forms: [String: ByteBuffer]

        init(_ bytes: [UInt8], _ contentType: String) {
            // FNV-1a, 64 bits: the tag has to differ between versions of a file, no more.
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            self.contentType = contentType
            tag = String(hash, radix: 16)
            isImmutable = false
            forms = ["identity": ByteBuffer(bytes: bytes)]
        }

        init(_ file: WebArchive.File) {
            contentType = file.contentType
            tag = file.tag
            isImmutable = file.isImmutable
            forms = file.forms.mapValues { ByteBuffer(bytes: $0) }
        }

        /// Of files whose name does not tell their content, browsers ask each time and mostly hear 304, so that an update of the program
        /// never mixes old and new ones.
        func response(to head: HTTPRequest) -> Response {
            let coding = ContentCoding.chosen(head.headerFields[.acceptEncoding], among: Set(forms.keys))
            // Every coding is a representation of its own (RFC 9110 section 8.8.3.3).
            let etag = coding == "identity" ? "\"\(tag)\"" : "\"\(tag)-\(coding)\""
            var fields: HTTPFields = [
                .eTag: etag, .cacheControl: isImmutable ? "public, max-age=31536000, immutable" : "no-cache", .vary: "Accept, Accept-Encoding",
            ]
            let held = head.headerFields[.ifNoneMatch]?.split(separator: ",").contains { $0.contains(etag) } ?? false
            if held { return Response(status: .notModified, headers: fields) }
            fields[.contentType] = contentType
            if coding != "identity" { fields[.contentEncoding] = coding }
            return Response(status: .ok, headers: fields, body: .init(byteBuffer: forms[coding] ?? ByteBuffer()))
        }
    }

    private let assets: [String: Asset]

    package init() { self.init(archive: WebUI.archive) }

    /// `archive`: as `WebArchive` reads it.
    package init(archive: [UInt8]) {
        var assets = [
            "index.html": Asset(Array(Self.missing.utf8), "text/html; charset=utf-8"),
            "icon.svg": Asset(PackageResources.icon_svg, "image/svg+xml"),
            "docs.html": Asset(PackageResources.docs_html, "text/html; charset=utf-8"),
            "docs.css": Asset(PackageResources.docs_css, "text/css; charset=utf-8"),
            "docs.js": Asset(PackageResources.docs_js, "text/javascript; charset=utf-8"),
        ]
        for (name, file) in WebArchive(archive)?.files ?? [:] { assets[name] = Asset(file) }
        self.assets = assets
    }

    /// What is shown where the program was compiled without the interface.
    private static let missing = """
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>VibeNVR</title></head>
        <body><p>This program was built without its web interface; <code>make build</code> makes both.
        The API works: <a href="/docs">its documentation</a>.</p></body></html>
        """

    /// The file of this name; nil when there is none.
    package func response(to head: HTTPRequest, name: String) -> Response? { assets[name]?.response(to: head) }

    /// The file of a path below `/ui`. A path that names no file is a place inside of the page when a browser goes there.
    package func response(to head: HTTPRequest, path: String) -> Response? {
        if path.isEmpty { return response(to: head, name: "index.html") }
        if let file = response(to: head, name: path) { return file }
        let isPlace = path.split(separator: "/").last.map { !$0.contains(".") } ?? true
        return isPlace && Self.wantsPage(head) ? response(to: head, name: "index.html") : nil
    }

    /// Names of the files, for tests.
    package var names: [String] { assets.keys.sorted() }

    /// Whether a request for `/` wants the page and not the greeting of the API.
    package static func wantsPage(_ head: HTTPRequest) -> Bool {
        head.headerFields[values: .accept].contains { $0.split(separator: ",").contains { $0.contains("text/html") } }
    }
}
