import HTTPTypes
import NVRAccounts
import NVRBase
import NVRCameras
import NVRModel
import NVRStore
import NVRWeb
import Testing

@Suite struct EventRouteTests {
    private static let keys = [
        "camera_id", "timestamp_start", "timestamp_end", "type", "event_type", "file_path", "file_size", "thumbnail_path", "width",
        "height",
        "motion_score", "ai_metadata", "id",
    ]

    @Test("Events are listed newest first, in pages, with their number")
    func list() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        for second in 0..<5 { _ = try await web.event(at: 1_790_000_000_000_000 + Int64(second) * 1_000_000) }
        let all = try await web.send(.get, "/events", admin)
        #expect(try all.json.array?.map { $0["id"] } == [5, 4, 3, 2, 1] && all[.xTotalCount] == "5")
        #expect(try all.json.array?.first?.object?.keys == Self.keys)
        #expect(try await web.send(.get, "/events?skip=1&limit=2", admin).json.array?.map { $0["id"] } == [4, 3])
        #expect(try await web.send(.get, "/events", try await web.apiKey()).status == 200)
        #expect(try await web.send(.get, "/events/3", admin).json["id"] == 3)
        #expect(try await web.send(.get, "/events/99", admin).json == ["detail": "Event not found"])
    }

    @Test("A file that is being sent ends with the rights to its camera or with the session, and goes on whatever else changes")
    func transfers() async throws {
        let web = try await WebFixture()
        _ = try await web.signIn()
        let cameras = try await [web.camera("A").id, web.camera("B").id]
        web.world.change { $0.video = Array(repeating: 7, count: 2 << 20) }
        let event = try await web.event(of: cameras[0])
        let viewer = try await web.signIn(.viewer)
        @Sendable func give(_ cameras: [ID<Camera>]) async throws {
            _ = try await web.accounts.update(viewer.user.id) {
                $0.restrictCameraAccess = true
                $0.cameraGrants = cameras.map { Grant(id: $0) }
            }
        }
        func get(_ afterChunk: @escaping @Sendable () async throws -> Void) async throws -> Int {
            let bearer: HTTPFields = [.authorization: "Bearer \(viewer.accessToken)"]
            return try await web.send(.get, "/events/\(event.id)/download", bearer, afterChunk: afterChunk).body.count
        }
        try await give(cameras)
        #expect(try await get { try await give([cameras[0]]) } == 2 << 20)
        #expect(await #expect(throws: NVRError.self) { try await get { try await give([cameras[1]]) } }?.kind == .forbidden)
        try await give(cameras)
        #expect(
            await #expect(throws: NVRError.self) { try await get { try await web.store.sessions.end(viewer.session.id) } }?.kind == .forbidden)
    }

    @Test("The list says what each event by itself says, to the letter")
    func listIsTheEvents() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let start = WallTime(microseconds: 1_790_000_000_000_000)
        func insert(_ change: (inout Event) -> Void) async throws {
            var event = Event(id: ID(0), cameraID: ID(3), medium: .video, kind: .motion, start: start)
            change(&event)
            _ = try await web.store.events.insert(event)
        }
        try await insert { _ in }
        try await insert { $0.end = WallTime(microseconds: $0.start.microseconds + 5_123_456) }
        try await insert {
            ($0.bytes, $0.width, $0.height, $0.score) = (Int64.max, 1920, 1080, 0.123_456_789)
            $0.metadata = #"{"boxes": [[0.1, "quote \" and \\ and  "]]}"#
            $0.thumbnailPath = "3/with space & ümlaut?#.jpg"
        }
        try await insert { ($0.medium, $0.kind, $0.picturePath) = (.snapshot, .manual, "3/a\u{2028}b.jpg") }
        let segment = Segment(
            id: ID(0), cameraID: ID(3), role: .main, run: 1, path: "3/2026/a b.mp4", start: start, end: start.advanced(byMicroseconds: 9),
            bytes: 5, state: .intended, width: 640, height: 360, codecs: "avc1", initLength: 10, timescale: 90_000, index: [])
        let id = try await web.store.segments.intend(segment, isContinuous: true)
        _ = try await web.store.segments.begin(id, end: segment.end, bytes: 5, initLength: 10)
        let list = try #require(try await web.send(.get, "/events", admin).json.array)
        #expect(list.count == 5)
        for listed in list {
            let number = try #require(listed["id"])
            #expect(try await web.send(.get, "/events/\(number.serialized())", admin).text == listed.serialized())
        }
    }

    @Test("Events are found by group, label, zone and time of day, and wrong filters are named")
    func moreFilters() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let camera = try await web.camera()
        _ = try await web.store.groups.insert(
            CameraGroup(id: ID(0), name: "Yard", createdAt: WallTime(microseconds: 1), cameras: [camera.id]))
        // 13:46:40 and 00:00:00 in UTC.
        _ = try await web.store.events.insert(
            Event(
                id: ID(0), cameraID: camera.id, medium: .video, kind: .motion, start: WallTime(microseconds: 1_790_000_000_000_000),
                metadata: #"{"label": "person", "zone": "drive"}"#))
        _ = try await web.event(of: ID(99), at: 1_789_948_800_000_000)
        func ids(_ query: String) async throws -> [JSONValue?]? {
            let answer = try await web.send(.get, "/events?\(query)", admin)
            let list = try answer.json.array
            #expect(answer[.xTotalCount] == list.map { "\($0.count)" }, "\(query)")
            return list?.map { $0["id"] }
        }
        #expect(try await ids("group_id=1") == [1])
        #expect(try await ids("group_id=1&camera_id=99") == [])
        #expect(try await ids("group_id=7") == [])
        #expect(try await ids("label=Person") == [1])
        #expect(try await ids("label=person&zone=drive&group_id=1") == [1])
        #expect(try await ids("zone=street") == [])
        let now = WallTime(microseconds: 1_790_000_000_000_000)
        let (hour, minute, _) = LocalDay.clock(at: now)
        func text(_ minutes: Int) -> String { "\(minutes / 60 < 10 ? "0" : "")\(minutes / 60):\(minutes % 60 < 10 ? "0" : "")\(minutes % 60)" }
        let minutes = hour * 60 + minute
        #expect(try await ids("time_from=\(text(minutes))&time_to=\(text(minutes + 1))") == [1])
        #expect(try await ids("time_from=\(text(minutes + 1))&time_to=\(text(minutes))") == [2])
        #expect(try await ids("time_from=\(text(minutes))&time_to=24:00") == (minutes < 826 ? [1, 2] : [1]))
        #expect(try await ids("time_from=00:00&time_to=24:00").map(\.count) == 2)
        #expect(try await web.send(.get, "/events/filters", admin).json == ["labels": ["person"], "zones": ["drive"]])
        for query in [
            "group_id=x", "time_from=9:00", "time_to=24:01", "time_from=12:60", "time_from=aa:bb", "label=\(String(repeating: "x", count: 65))",
        ] {
            #expect(try await web.send(.get, "/events?\(query)", admin).status == 422, "\(query)")
        }
    }

    @Test("Filters let through what they say")
    func filters() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        _ = try await web.event(of: ID(1))
        _ = try await web.event(of: ID(2), .video, .continuous)
        _ = try await web.event(of: ID(2), at: 1_600_000_000_000_000, .snapshot, .manual, picture: "2/a.jpg")
        func ids(_ query: String) async throws -> [JSONValue?]? {
            try await web.send(.get, "/events?\(query)", admin).json.array?.map { $0["id"] }
        }
        #expect(try await ids("camera_id=1") == [1])
        #expect(try await ids("camera_id=999") == [])
        #expect(try await ids("type=snapshot") == [3])
        #expect(try await ids("event_type=continuous") == [2])
        #expect(try await ids("camera_id=&type=&event_type=&date=")?.count == 3)
        let day = LocalDay.date(at: WallTime(microseconds: 1_600_000_000_000_000))
        #expect(try await ids("date=\(day.year)-0\(day.month)-\(day.day)") == [3])
        #expect(try await ids("date=2020-01-01") == [])
    }

    @Test(
        "Queries that do not validate are a 422 and never a 500",
        arguments: [
            "date=notadate", "date=2026-02-30", "limit=x", "limit=0", "limit=1001", "limit=99999999999999999999", "skip=-1",
            "camera_id=one",
            "type=film", "event_type=earthquake",
        ])
    func badQueries(query: String) async throws {
        let web = try await WebFixture()
        let answer = try await web.send(.get, "/events?\(query)", try await web.bearer())
        #expect(answer.status == 422)
        #expect(try answer.json["detail"]?.array?.first?["loc"] == ["query", .string(String(query.prefix { $0 != "=" }))])
    }

    @Test("Paths in events are URL paths that answer")
    func paths() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let video = try await web.event(of: ID(1))
        _ = try await web.event(of: ID(1), .snapshot, .manual, picture: "1/2026-11-22/s.jpg")
        web.world.change {
            $0.video = Array("film".utf8)
            $0.files = ["1/2026-11-22/s.jpg": [0xFF, 0xD8]]
        }
        for event in try await web.send(.get, "/events", admin).json.array ?? [] {
            let path = try #require(event["file_path"]?.string)
            #expect(path.hasPrefix("/media/1/"))
            #expect(try await web.send(.get, path, admin).status == 200)
            if let thumbnail = event["thumbnail_path"]?.string { #expect(try await web.send(.get, thumbnail, admin).status == 200) }
        }
        #expect(try await web.send(.get, "/media/1/1999-01-01/event-\(video.id).mp4", admin).status == 404)
        #expect(try await web.send(.get, "/media/2/2026-09-21/event-\(video.id).mp4", admin).status == 404)
    }

    @Test("A download is ranged, named and conditional")
    func download() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let event = try await web.event()
        let bytes = (0..<700_000).map { UInt8(truncatingIfNeeded: $0) }
        let path = "/events/\(event.id)/download"
        #expect(try await web.send(.get, path, admin).json == ["detail": "File not found"])
        web.world.change { $0.video = bytes }
        let whole = try await web.send(.get, path, admin)
        #expect(whole.status == 200 && whole.body == bytes && whole[.contentLength] == "700000")
        #expect(whole[.contentDisposition] == "attachment; filename=\"event-1.mp4\"" && whole[.acceptRanges] == "bytes")
        #expect(try await web.send(.get, path + "?inline=true", admin)[.contentDisposition]?.hasPrefix("inline") == true)
        func ranged(_ range: String, _ extra: HTTPFields = [:]) async throws -> WebFixture.Answer {
            var fields = admin
            fields[.range] = range
            for field in extra { fields[field.name] = field.value }
            return try await web.send(.get, path, fields)
        }
        let middle = try await ranged("bytes=300000-600001")
        #expect(
            middle.status == 206 && middle.body == Array(bytes[300_000...600_001]) && middle[.contentRange] == "bytes 300000-600001/700000")
        #expect(try await ranged("bytes=-2").body == Array(bytes.suffix(2)))
        let none = try await ranged("bytes=999999999-")
        #expect(none.status == 416 && none[.contentRange] == "bytes */700000")
        #expect(try await ranged("bytes=0-9", [.ifRange: "\"other\""]).status == 200)
        #expect(try await ranged("bytes=0-9", [.ifRange: "\"tag\""]).status == 206)
        let parts = try await ranged("bytes=0-1,10-11")
        #expect(parts.status == 206 && parts[.contentType]?.hasPrefix("multipart/byteranges; boundary=") == true)
        #expect(parts[.contentLength] == String(parts.body.count) && parts[.contentRange] == nil)
        var held = admin
        held[.ifNoneMatch] = "\"tag\""
        let unchanged = try await web.send(.get, path, held)
        #expect(unchanged.status == 304 && unchanged.body.isEmpty && unchanged[.eTag] == "\"tag\"" && unchanged[.contentLength] == nil)
        var head = admin
        head[.range] = "bytes=0-1"
        let headers = try await web.send(.head, path, head)
        #expect(headers.status == 200 && headers.body.isEmpty && headers[.contentLength] == "700000")
    }

    @Test(
        "Nothing outside the recordings is reachable, by any encoding",
        arguments: [
            "/media/..%2f..%2fetc/passwd", "/media/../etc/passwd", "/media/%2e%2e/%2e%2e/etc/passwd", "/media/1/%2e%2e%2f2/x.mp4",
            "/media/1/..%5c..%5cx",
            "/media/1/a%00.mp4", "/media/%2fetc/passwd", "/media//etc/passwd", "/media/1/%c0%ae%c0%ae/x",
        ])
    func traversal(path: String) async throws {
        let web = try await WebFixture()
        let answer = try await web.send(.get, path, try await web.bearer())
        #expect(try answer.status == 403 && answer.json == ["detail": "Access denied"])
    }

    @Test("Files are found by id, by name and by the URL-safe name of their camera")
    func media() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        _ = try await web.camera("Front Door")
        web.world.change { $0.files = ["1/2026-11-22/a.mp4": Array("film".utf8)] }
        for camera in ["1", "Front%20Door", "Front_Door"] {
            let answer = try await web.send(.get, "/api/media/\(camera)/2026-11-22/a.mp4", admin)
            #expect(answer.status == 200 && answer.text == "film" && answer[.contentDisposition] == nil)
        }
        for path in ["/media/1/none.mp4", "/media/1/%252e%252e/a.mp4", "/media/9/2026-11-22/a.mp4", "/media/1", "/media/nobody/x"] {
            #expect(try await web.send(.get, path, admin).json == ["detail": "File not found"])
        }
    }

    @Test("Faults of the disk are a 500 that tells nothing")
    func faults() async throws {
        let web = try await WebFixture()
        web.world.change { $0.failure = NVRError(.dataLoss, "/var/lib/secret/path is broken") }
        let answer = try await web.send(.get, "/media/1/2026-11-22/a.mp4", try await web.bearer())
        #expect(try answer.status == 500 && answer.json == ["detail": "Internal Server Error"])
    }

    @Test("Events are deleted one by one and in numbers")
    func deleting() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        for second in 0..<3 { _ = try await web.event(at: 1_790_000_000_000_000 + Int64(second)) }
        #expect(try await web.send(.delete, "/events/1", admin).json.object?.keys == Self.keys)
        #expect(try await web.send(.delete, "/events/1", admin).status == 404)
        #expect(try await web.send(.delete, "/events/2", try await web.bearer(.viewer)).json == ["detail": "Admin privileges required"])
        let bulk = try await web.send(.post, "/events/bulk-delete", admin, body: #"{"event_ids": [2, 99999]}"#)
        #expect(try bulk.json == ["deleted_count": 1, "errors": ["Event 99999 not found"]])
        #expect(try await web.send(.post, "/events/bulk-delete", admin, body: #"{"event_ids": "all"}"#).status == 422)
        #expect(try await web.store.events.count(.init()) == 1)
    }

    @Test("The live state names cameras in motion and how cameras are")
    func status() async throws {
        let web = try await WebFixture()
        let camera = try await web.camera()
        web.world.change {
            $0.health = [camera.id: CameraHealth(status: .connected, since: WallTime(microseconds: 0), recentBytes: 1234)]
        }
        let answer = try await web.send(.get, "/events/status", try await web.bearer()).json
        #expect(answer == ["active_ids": [], "live_motion": [:], "camera_health": ["1": "CONNECTED"], "recorded_bytes_last_minute": ["1": 1234]])
    }
}
