import HTTPTypes
import Hummingbird
import HummingbirdCore
import NVRModel
import NVRWeb
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct StaticUITests {
    /// An archive of files with the same content in several codings, as `WebUI/build.mjs` writes it.
    private static func archive(_ files: [(name: String, isImmutable: Bool, forms: [(String, String)])]) -> [UInt8] {
        var body: [UInt8] = []
        var entries: [JSONValue] = []
        for file in files {
            var forms = JSONObject()
            for (coding, text) in file.forms {
                forms[coding] = ["offset": .integer(Int64(body.count)), "length": .integer(Int64(text.utf8.count))]
                body += text.utf8
            }
            entries.append([
                "name": .string(file.name), "type": "text/javascript; charset=utf-8", "etag": .string("tag-of-" + file.name),
                "immutable": .bool(file.isImmutable), "forms": .object(forms),
            ])
        }
        let head = JSONValue.array(entries).serializedBytes()
        return (0..<4).map { UInt8(truncatingIfNeeded: head.count >> ($0 * 8)) } + head + body
    }

    private static func head(_ fields: HTTPFields) -> HTTPRequest {
        HTTPRequest(method: .get, scheme: "http", authority: "nvr", path: "/ui/", headerFields: fields)
    }

    @Test("Files go out in the best coding that the client takes, each with a tag of its own")
    func codings() throws {
        let ui = StaticUI(archive: Self.archive([("assets/a-1.js", true, [("identity", "plain"), ("gzip", "zipped"), ("br", "small")])]))
        func answer(_ fields: HTTPFields) throws -> HTTPFields { try #require(ui.response(to: Self.head(fields), path: "assets/a-1.js")).headers }
        let small = try answer([.acceptEncoding: "gzip, deflate, br"])
        #expect(small[.contentEncoding] == "br" && small[.contentLength] == "5" && small[.eTag] == "\"tag-of-assets/a-1.js-br\"")
        #expect(small[.cacheControl] == "public, max-age=31536000, immutable" && small[.vary]?.contains("Accept-Encoding") == true)
        #expect(try answer([.acceptEncoding: "gzip, br;q=0"])[.contentEncoding] == "gzip")
        let plain = try answer([:])
        #expect(plain[.contentEncoding] == nil && plain[.contentLength] == "5" && plain[.eTag] == "\"tag-of-assets/a-1.js\"")
        let unchanged = try #require(
            ui.response(to: Self.head([.acceptEncoding: "br", .ifNoneMatch: "\"tag-of-assets/a-1.js-br\""]), path: "assets/a-1.js"))
        #expect(unchanged.status == .notModified)
    }

    @Test("The page itself is asked for each time")
    func page() throws {
        let ui = StaticUI(archive: Self.archive([("index.html", false, [("identity", "<!doctype html>")])]))
        let answer = try #require(ui.response(to: Self.head([.accept: "text/html"]), path: "live/3"))
        #expect(answer.headers[.cacheControl] == "no-cache" && answer.headers[.contentLength] == "15")
    }

    @Test("Without an archive the page says how to get one, and the documentation is there")
    func missing() throws {
        let ui = StaticUI(archive: [])
        #expect(ui.response(to: Self.head([:]), path: "") != nil)
        #expect(ui.names == ["docs.css", "docs.html", "docs.js", "icon.svg", "index.html"])
    }

    @Test("An archive that is broken anywhere is none")
    func broken() {
        let whole = Self.archive([("index.html", false, [("identity", "page")])])
        #expect(WebArchive(whole)?.files["index.html"]?.forms["identity"] == Array("page".utf8))
        for length in 0..<whole.count { #expect(WebArchive(Array(whole.prefix(length))) == nil, "\(length) bytes") }
        #expect(WebArchive([0xFF, 0xFF, 0xFF, 0xFF, 0x5B]) == nil)
    }

    @Test(
        "Codings are chosen as RFC 9110 says",
        arguments: [
            (nil, "identity"), ("", "identity"), ("identity", "identity"), ("gzip", "gzip"), ("br", "br"), ("GZIP;q=0.5, br;q=0.1", "br"),
            ("*", "br"), ("*;q=0", "identity"), ("br;q=0, *", "gzip"), ("gzip;q=x", "identity"), (";;,,;q", "identity"),
        ] as [(String?, String)])
    func choice(field: String?, coding: String) {
        #expect(ContentCoding.chosen(field, among: ["identity", "gzip", "br"]) == coding)
        #expect(ContentCoding.chosen(field, among: ["identity"]) == "identity")
    }

    @Test(
        "The time zone has the name by which the C library found it",
        arguments: [
            ("Europe/Berlin", nil, "Europe/Berlin"), (":America/New_York", nil, "America/New_York"), ("", "/x/zoneinfo/Asia/Tokyo", "UTC"),
            (nil, "/usr/share/zoneinfo/America/Argentina/Ushuaia", "America/Argentina/Ushuaia"), (nil, "/usr/share/zoneinfo/UTC", "UTC"),
            (nil, nil, "UTC"), ("CET-1CEST", nil, nil), ("/usr/share/zoneinfo/Europe/Rome", nil, "Europe/Rome"), ("a\"b/c", nil, nil),
        ] as [(String?, String?, String?)])
    func zone(environment: String?, link: String?, name: String?) {
        #expect(TimeZoneName.name(environment: environment, link: link) == name)
    }
}
