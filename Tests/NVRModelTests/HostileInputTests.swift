import NVRModel
import Testing

@Suite("Hostile input")
struct HostileInputTests {
    @Test(
        "URLs of cameras anywhere are accepted and stored in one form",
        arguments: [
            ("rtsp://10.0.0.9/cam0", "rtsp://10.0.0.9/cam0"),
            ("RTSP://Cam.example:554/a?b=c#d", "rtsp://Cam.example:554/a?b=c#d"),
            (" http://192.168.1.2:8080/video ", "http://192.168.1.2:8080/video"),
            ("rtsps://[2001:db8::1]:322/x", "rtsps://[2001:db8::1]:322/x"),
            ("rtsp://user:p@ss@10.0.0.1/x", "rtsp://user:p%40ss@10.0.0.1/x"),
            ("rtsp://user:p%40ss@10.0.0.1/x", "rtsp://user:p%40ss@10.0.0.1/x"),
            ("rtsp://user:100%@10.0.0.1/x", "rtsp://user:100%25@10.0.0.1/x"),
            ("rtsp://admin:pa/s?s#@10.0.0.1:554/x", "rtsp://admin:pa%2Fs%3Fs%23@10.0.0.1:554/x"),
            ("rtsp://üser:ß@10.0.0.1", "rtsp://%C3%BCser:%C3%9F@10.0.0.1"),
            ("rtsp://10.0.0.1:554/path@1", "rtsp://10.0.0.1:554/path@1"),
            ("rtsp://cam_1.local", "rtsp://cam_1.local"),
            ("rtsp://10.0.0.1/user=admin&password=a", "rtsp://10.0.0.1/user=admin&password=a"),
        ])
    func goodURLs(text: String, stored: String) {
        #expect(CameraURL.check(text, rules: noRules) == .success(stored))
    }

    @Test(
        "URLs that lead nowhere, or to this machine or a cloud's metadata, are refused",
        arguments: [
            ("", "URL must start with rtsp://, rtsps://, http://, https://, rtmp://, or rtmps://"),
            ("file:///etc/passwd", "URL must start with rtsp://, rtsps://, http://, https://, rtmp://, or rtmps://"),
            ("rtsp:/10.0.0.1", "URL must start with rtsp://, rtsps://, http://, https://, rtmp://, or rtmps://"),
            ("javascript://x", "URL must start with rtsp://, rtsps://, http://, https://, rtmp://, or rtmps://"),
            ("rtsp://", "URL must contain a valid host"), ("rtsp:///x", "URL must contain a valid host"),
            ("rtsp://:554/x", "URL must contain a valid host"), ("rtsp://u:p@/x", "URL must contain a valid host"),
            ("rtsp://a..b/x", "URL must contain a valid host"), ("rtsp://a%00b/x", "URL must contain a valid host"),
            ("rtsp://1.2.3.4.5/x", "URL must contain a valid host"), ("rtsp://256.1.1.1/x", "URL must contain a valid host"),
            ("rtsp://[::1/x", "URL must contain a valid host"), ("rtsp://[1:2:3]/x", "URL must contain a valid host"),
            ("rtsp://[:::1]/x", "URL must contain a valid host"), ("rtsp://[fe80::1%25eth0]/x", "URL must contain a valid host"),
            ("rtsp://10.0.0.1:0/x", "URL port must be between 1 and 65535"),
            ("rtsp://10.0.0.1:65536/x", "URL port must be between 1 and 65535"),
            ("rtsp://10.0.0.1:abc/x", "URL port must be between 1 and 65535"),
            ("rtsp://10.0.0.1:/x", "URL port must be between 1 and 65535"),
            ("rtsp://10.0.0.1:99999999999999999999/x", "URL port must be between 1 and 65535"),
            ("rtsp://10.0.0.1/a b", "URL must not contain spaces, backslashes or control characters"),
            ("rtsp://10.0.0.1/a\r\nX: y", "URL must not contain spaces, backslashes or control characters"),
            ("rtsp://10.0.0.1\\@evil/x", "URL must not contain spaces, backslashes or control characters"),
            ("rtsp://10.0.0.1/\u{0}", "URL must not contain spaces, backslashes or control characters"),
            ("rtsp://localhost:554/a", "Localhost access is not allowed"), ("rtsp://LOCALHOST./a", "Localhost access is not allowed"),
            ("rtsp://a.localhost/a", "Localhost access is not allowed"), ("rtsp://127.0.0.1/a", "Localhost access is not allowed"),
            ("rtsp://127.1/a", "Localhost access is not allowed"), ("rtsp://127.255.255.254/a", "Localhost access is not allowed"),
            ("rtsp://2130706433/a", "Localhost access is not allowed"), ("rtsp://0x7f000001/a", "Localhost access is not allowed"),
            ("rtsp://0177.0.0.1/a", "Localhost access is not allowed"), ("rtsp://0x7f.1/a", "Localhost access is not allowed"),
            ("rtsp://0/a", "Localhost access is not allowed"), ("rtsp://0.0.0.0/a", "Localhost access is not allowed"),
            ("rtsp://[::1]/a", "Localhost access is not allowed"), ("rtsp://[::]/a", "Localhost access is not allowed"),
            ("rtsp://[0:0:0:0:0:0:0:1]/a", "Localhost access is not allowed"),
            ("rtsp://[::ffff:127.0.0.1]/a", "Localhost access is not allowed"),
            ("rtsp://[::ffff:7f00:1]/a", "Localhost access is not allowed"),
            ("rtsp://[64:ff9b::7f00:1]/a", "Localhost access is not allowed"),
            ("rtsp://[64:ff9b:1::7f00:1]/a", "Localhost access is not allowed"),
            ("rtsp://[64:ff9b:1:7f00:0:100::]/a", "Localhost access is not allowed"),
            ("http://[64:ff9b:1:a9fe:a9:fe00::]/", "Link-local addresses are not allowed"),
            ("http://[fd00:ec2::254]/", "Link-local addresses are not allowed"),
            ("rtsp://u:p@127.0.0.1/a", "Localhost access is not allowed"),
            ("rtsp://10.0.0.1@127.0.0.1/a", "Localhost access is not allowed"),
            ("http://169.254.169.254/latest", "Link-local addresses are not allowed"),
            ("http://[fe80::1]/", "Link-local addresses are not allowed"), ("http://[febf::1]/", "Link-local addresses are not allowed"),
            ("http://[::ffff:169.254.169.254]/", "Link-local addresses are not allowed"),
            ("http://2852039166/", "Link-local addresses are not allowed"),
        ])
    func badURLs(text: String, message: String) {
        guard case .failure(let refusal) = CameraURL.check(text, rules: noRules) else {
            Issue.record("\(text) was accepted")
            return
        }
        #expect(refusal.message == message)
    }

    @Test("A long URL is refused; loopback is allowed only on request, link-local never")
    func loopbackRule() {
        #expect(throws: CameraURL.Refusal.self) {
            try CameraURL.check("rtsp://10.0.0.1/" + String(repeating: "x", count: 2048), rules: noRules).get()
        }
        // What is stored is taken again, as from a backup: signs that have to be written with three count as three.
        for count in [1, 500, 700, 2000] {
            for sign in ["|", "é"] {
                guard case .success(let url) = CameraURL.check("rtsp://" + String(repeating: sign, count: count) + "@10.0.0.1/a", rules: noRules)
                else { continue }
                #expect(CameraURL.check(url, rules: noRules) == .success(url), "\(count) \(sign)")
            }
        }
        let rules = CameraURL.Rules(allowLoopback: true)
        #expect(CameraURL.check("rtsp://127.0.0.1:18554/cam0", rules: rules) == .success("rtsp://127.0.0.1:18554/cam0"))
        #expect(CameraURL.check("rtsp://[::1]/a", rules: rules) == .success("rtsp://[::1]/a"))
        #expect(throws: CameraURL.Refusal.self) { try CameraURL.check("http://169.254.169.254/", rules: rules).get() }
    }

    @Test("Webhooks take web URLs only")
    func webhooks() {
        #expect(problems(["notify_webhook_url": "rtsp://10.0.0.1/"]).first?.msg == "Value error, URL must start with http:// or https://")
        #expect(problems(["notify_webhook_url": "https://example.org/x"]).isEmpty)
    }

    @Test(
        "File name patterns that stay in their folder are accepted", arguments: ["%Y-%m-%d/%H-%M-%S", "a", "%Y/%m/%d/%H%M%S-%q-%v", "ü 1", "100%%"])
    func goodPatterns(pattern: String) {
        #expect(FilePattern.refusal(of: pattern) == nil)
        #expect(problems(["movie_file_name": .string(pattern), "picture_file_name": .string(pattern)]).isEmpty)
    }

    @Test(
        "File name patterns that climb, hide or confuse are refused",
        arguments: [
            "", "/etc/x", "../x", "a/../b", "a..b", "a//b", "a/", ".hidden", "a/.b", "a\\b", "a\u{0}b", "a\nb", "%", "a%", "%!", "%é", "%/", " a",
            "a /b",
            String(repeating: "x", count: 201),
        ])
    func badPatterns(pattern: String) {
        #expect(FilePattern.refusal(of: pattern) != nil)
        #expect(problems(["movie_file_name": .string(pattern)]).first?.type == "value_error")
    }

    @Test("Masks are read from text and from arrays")
    func goodMasks() throws {
        var camera = Camera(id: ID(1), createdAt: someTime)
        try patch(["motion_masks": #"[{"points": [[0, 0], [1, 0], [0.5, 1]], "name": "tree"}]"#]).apply(to: &camera)
        #expect(camera.detection.motionMasks == [Mask(points: [.init(x: 0, y: 0), .init(x: 1, y: 0), .init(x: 0.5, y: 1)])])
        #expect(camera.json(.full)["motion_masks"] == #"[{"points":[[0.0,0.0],[1.0,0.0],[0.5,1.0]]}]"#)
        var other = Camera(id: ID(1), createdAt: someTime)
        try patch(["motion_masks": [["points": [[0, 0], [1, 0], [0.5, 1]]]]]).apply(to: &other)
        #expect(other == camera)
    }

    @Test(
        "Masks that are no polygons are refused",
        arguments: [
            "{}", "[1]", "x", "[{}]", #"[{"points":5}]"#, #"[{"points":[]}]"#, #"[{"points":[[0,0],[1,1]]}]"#, #"[{"points":[[0,0],[1,0],[2,1]]}]"#,
            #"[{"points":[[0,0],[1,0],[-0.1,1]]}]"#, #"[{"points":[[0,0],[1,0],["0",1]]}]"#, #"[{"points":[[0,0],[1,0],[1]]}]"#,
            #"[{"points":[[0,0],[1,0],[1,1,1]]}]"#, #"[{"points":[[0,0],[0.5,0.5],[1,1]]}]"#, #"[{"points":[[0,0],[0,0],[0,0]]}]"#,
            #"[{"points":[[0,0],[1,0],[true,1]]}]"#, #"[{"points":[[0,0],[1,0],[1e999,1]]}]"#,
            "[" + String(repeating: #"{"points":[[0,0],[1,0],[1,1]]},"#, count: 64) + #"{"points":[[0,0],[1,0],[1,1]]}]"#,
            #"[{"points":["# + String(repeating: "[0,0],", count: 128) + "[1,0],[1,1]]}]", String(repeating: "[", count: 100_000),
        ])
    func badMasks(text: String) {
        #expect(problems(["motion_masks": .string(text)]).first?.type == "value_error")
    }

    @Test("JSON of every shape reads back as it was written")
    func jsonRoundTrip() throws {
        let text = #"{"a":[1,-2,3.5,1e+20,true,false,null,""],"b":{"c":"\"\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud800x"},"a":0,"ü":9223372036854775808}"#
        let value = try JSONValue(parsing: text)
        #expect(try JSONValue(parsing: value.serialized()) == value)
        #expect(value["b"]?["c"]?.string == "\"\\/\u{8}\u{C}\n\r\té😀\u{FFFD}x")
        #expect(value["a"] == 0)
        #expect(value.object?.keys == ["a", "b", "ü"])
        #expect(value["ü"] == .number(9223372036854775808))
        #expect(JSONValue.number(.infinity).serialized() == "null")
        #expect(JSONValue.string("\u{2028}\u{7F}\u{1}").serialized() == #""\u2028\u007f\u0001""#)
    }

    @Test(
        "Text that is no JSON is refused with the place",
        arguments: [
            ("", 0, "Expecting value"), ("{", 1, "Expecting property name enclosed in double quotes"), (#"{"a""#, 4, "Expecting ':' delimiter"),
            (#"{"a":1"#, 6, "Expecting ',' delimiter"), (#"{"a":1,}"#, 7, "Expecting property name enclosed in double quotes"),
            ("[1 2]", 3, "Expecting ',' delimiter"), ("1 2", 2, "Extra data"), (#""abc"#, 0, "Unterminated string starting at"),
            ("\"a\nb\"", 2, "Invalid control character at"), (#""\x""#, 1, "Invalid \\escape"), ("nul", 0, "Expecting value"),
            ("-", 0, "Expecting value"),
            ("1.", 0, "Expecting value"), ("NaN", 0, "Expecting value"), ("1e999", 0, "Number out of range"),
        ])
    func badJSON(text: String, offset: Int, message: String) {
        let error = #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: text) }
        #expect(error?.offset == offset)
        #expect(error?.message == message)
    }

    @Test("Nesting, broken UTF-8 and mutated documents never trap")
    func fuzz() throws {
        #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: String(repeating: "[", count: 1_000_000)) }
        #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22] as [UInt8]) }
        var generator = Generator(state: 42)
        let seed = Array(wireDefaults.utf8)
        let words = Array("{}[]\",:\\u0eE+-.tfn 18\u{0}é".utf8)
        for _ in 0..<2000 {
            var bytes = Array(seed.prefix(Int.random(in: 0...400, using: &generator)))
            for _ in 0..<8 where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = words[Int.random(in: 0..<words.count, using: &generator)]
            }
            guard let value = try? JSONValue(parsing: bytes) else { continue }
            #expect(try JSONValue(parsing: value.serialized()) == value)
            _ = problems(value, creating: true)
        }
        for _ in 0..<20_000 {
            let text = String(decoding: (0..<24).map { _ in words[Int.random(in: 0..<words.count, using: &generator)] }, as: UTF8.self)
            _ = CameraURL.check("rtsp://" + text, rules: noRules)
            _ = CameraURL.reach(ofHost: Substring("[" + text + "]"))
            _ = redactingURLCredentials(in: "rtsp://" + text)
            _ = FilePattern.refusal(of: text)
            _ = WallTime(iso8601: "2026-11-22T" + text)
            _ = Mask.list(from: .string(text))
        }
    }

    @Test("Times are written and read as the wire has them")
    func times() {
        #expect(WallTime(microseconds: 1_795_382_209_380_965).iso8601 == "2026-11-22T21:16:49.380965Z")
        #expect(WallTime(iso8601: "2026-11-22T21:16:49.380965Z")?.microseconds == 1_795_382_209_380_965)
        #expect(WallTime(iso8601: "2026-11-22T22:16:49.380965+01:00")?.microseconds == 1_795_382_209_380_965)
        #expect(WallTime(iso8601: "2026-11-22 22:16:49.38", offset: 3600)?.microseconds == 1_795_382_209_380_000)
        #expect(WallTime(iso8601: "2024-02-29T00:00")?.iso8601 == "2024-02-29T00:00:00Z")
        #expect(WallTime(microseconds: -1).iso8601 == "1969-12-31T23:59:59.999999Z")
        for text in [
            "", "2026-11-22", "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T21:16:49.Z", "2026-11-22T21:16:49X",
            "2026-11-22T21:16:49+99:00",
        ] {
            #expect(WallTime(iso8601: text) == nil, "\(text)")
        }
        for extreme in [Int64.min, .max, 0] { #expect(WallTime(microseconds: extreme).iso8601.hasSuffix("Z")) }
        var generator = Generator(state: 7)
        for _ in 0..<2000 {
            let time = WallTime(microseconds: Int64.random(in: -60_000_000_000_000_000...250_000_000_000_000_000, using: &generator))
            #expect(WallTime(iso8601: time.iso8601) == time)
        }
    }

    @Test("Passwords that anybody would try are refused, those of the captured calls are not")
    func passwords() {
        for good in ["Bench-Passw0rd!", "Viewer-Passw0rd!", "Viewer-Passw0rd2!", "correct horse", "zX9#kk21"] {
            #expect(PasswordPolicy.refusal(of: good, username: "admin") == nil, "\(good)")
        }
        for bad in [
            "", "short", "password", "Password1", "Passw0rd!", "12345678", "87654321", "aaaaaaaa", "abababab", "administrator", "admin123",
            "nimda", "adminadmin", "qwertyuiop", "qwerty123", "changeme1", String(repeating: "x1y2", count: 300),
        ] {
            #expect(PasswordPolicy.refusal(of: bad, username: "admin") != nil, "\(bad)")
        }
        #expect(PasswordPolicy.refusal(of: "gatekeeper", username: "Gatekeeper") != nil)
    }
}

/// A small repeatable source of random numbers (SplitMix64).
struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
