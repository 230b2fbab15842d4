import RTSP
import Testing

@Suite("Endpoints")
struct EndpointTests {
    struct Case: CustomTestStringConvertible {
        var url: String
        var host: String
        var port: Int
        var path: String
        var user: String?
        var password: String?
        var testDescription: String { url }
    }

    static let cases = [
        Case(url: "rtsp://10.0.0.1/live", host: "10.0.0.1", port: 554, path: "/live"),
        Case(url: "RTSP://cam:8554", host: "cam", port: 8554, path: ""),
        Case(url: "rtsps://cam/x?y=1", host: "cam", port: 322, path: "/x?y=1"),
        Case(url: "rtsp://cam:/x", host: "cam", port: 554, path: "/x"),
        Case(url: "rtsp://[fe80::1]:8554/a", host: "fe80::1", port: 8554, path: "/a"),
        Case(url: "rtsp://u:p@[::1]/a", host: "::1", port: 554, path: "/a", user: "u", password: "p"),
        Case(url: "rtsp://u@cam/a", host: "cam", port: 554, path: "/a", user: "u", password: ""),
        Case(url: "rtsp://u:p@ss@cam/a", host: "cam", port: 554, path: "/a", user: "u", password: "p@ss"),
        Case(url: "rtsp://u:p%40s%3as%2F%25@cam/a", host: "cam", port: 554, path: "/a", user: "u", password: "p@s:s/%"),
        Case(url: "rtsp://u:a:b@cam/a", host: "cam", port: 554, path: "/a", user: "u", password: "a:b"),
        Case(url: "rtsp://u:pa/ss@cam:80/a", host: "cam", port: 80, path: "/a", user: "u", password: "pa/ss"),
        Case(url: "rtsp://u:pa#s?s%@cam/a", host: "cam", port: 554, path: "/a", user: "u", password: "pa#s?s%"),
        Case(url: "rtsp://cam/a@b", host: "cam", port: 554, path: "/a@b"),
        Case(url: "rtsp://cam?channel=1", host: "cam", port: 554, path: "?channel=1"),
        Case(url: "rtsp://cam/with space/ü", host: "cam", port: 554, path: "/with%20space/%C3%BC"),
    ]

    @Test("URLs come apart as people write them", arguments: cases)
    func parses(_ one: Case) throws {
        let endpoint = try #require(RTSPEndpoint(one.url))
        #expect(endpoint.host == one.host)
        #expect(endpoint.port == one.port)
        #expect(endpoint.pathAndQuery == one.path)
        #expect(endpoint.credentials?.username == one.user)
        #expect(endpoint.credentials?.password == one.password)
    }

    @Test(
        "What is no URL of ours is refused",
        arguments: [
            "", "rtsp", "rtsp:/cam", "http://cam/", "rtsp://", "rtsp:///x", "rtsp://cam:0/", "rtsp://cam:65536/", "rtsp://cam:99999999999/",
            "rtsp://cam:x/", "rtsp://[::1/", "rtsp://[x]/", "rtsp://ca\r\nm/", "rtsp://cam/\r\nX: y", "rtsp://u:p@/x", "rtsp://ca<m/",
            "rtsp://[:\u{78A}1G]:55", "rtsp://[::\u{301}1]/",
        ])
    func refuses(_ url: String) {
        #expect(RTSPEndpoint(url) == nil)
    }

    @Test("Nothing that prints an endpoint or credentials shows a password")
    func redacts() throws {
        let endpoint = try #require(RTSPEndpoint("rtsp://anna:geheim@cam/a"))
        for text in ["\(endpoint)", String(reflecting: endpoint), endpoint.url, "\(String(describing: endpoint.credentials))", "\([endpoint])"] {
            #expect(!text.contains("geheim") && !text.contains("anna"))
        }
        var dumped = ""
        dump(endpoint.credentials, to: &dumped)
        #expect(!dumped.contains("geheim"))
        #expect(endpoint.url == "rtsp://cam/a")
    }
}
