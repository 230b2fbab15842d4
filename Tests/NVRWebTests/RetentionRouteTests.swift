import HTTPTypes
import NVRAccounts
import NVRModel
import NVRStore
import NVRWeb
import Testing

@Suite struct RetentionRouteTests {
    /// Segments of a camera whose files do not exist, a day apart.
    private func record(_ web: WebFixture, _ camera: ID<Camera>, days: Int) async throws {
        for day in 0..<days {
            let start = WallTime(microseconds: web.world.value.wall - Int64(days - day) * 86_400_000_000)
            let segment = Segment(
                id: ID(0), cameraID: camera, role: .main, run: 1, path: "\(camera)/\(day).mp4", start: start, end: start, bytes: 0, state: .intended,
                width: 640, height: 480, codecs: "avc1", initLength: 10, timescale: 90_000, index: [])
            let id = try await web.store.segments.intend(segment, isContinuous: true)
            let end = start.advanced(byMicroseconds: 60_000_000)
            _ = try await web.store.segments.begin(id, end: end, bytes: 1000, initLength: 10)
            try await web.store.segments.finish(id, SegmentClosing(end: end, bytes: 1000, index: []))
        }
    }

    @Test func `A dry run says what would go and why, and a run with files missing changes nothing`() async throws {
        let web = try await WebFixture { $0.recordingRoot = "/tmp" }
        let admin = try await web.bearer()
        let camera = try await web.camera()
        try await record(web, camera.id, days: 10)
        let dry = try await web.send(.post, "/settings/cleanup", admin, body: #"{"dry_run": true, "confirm": true}"#).json
        #expect(dry["status"] == "planned" && dry["planned"] == ["count": 3, "size_bytes": 3000])
        #expect(dry["planned_by_reason"] == ["age": ["count": 3, "size_bytes": 3000]])
        #expect(dry["deleted_count"] == 0 && dry["needs_confirmation"] == false)
        let done = try await web.send(.post, "/settings/cleanup?confirm=true", admin).json
        #expect(done["status"] == "stopped" && done["stopped_by"] == "files_missing" && done["deleted_count"] == 0)
        #expect(try await web.store.segments.entries(after: nil).count == 10)
        let status = try await web.send(.get, "/settings/cleanup/status", admin).json
        #expect(status["alarm"]?["cause"] == "files_missing" && status["last_cleanup"]?["time"] == done["time"] && status["running"] == false)
        #expect(await web.server.audit.write())
        let trail = try await web.store.audit.list(AuditFilter()).filter { $0.route == "/settings/cleanup" }
        #expect(trail.count == 2)
    }

    @Test func `Wishes that make no sense are refused`() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let camera = try await web.camera()
        for body in [#"{"confirm": "perhaps"}"#, #"{"dry_run": 7}"#, #"{"camera_id": "x"}"#, #"{"media_type": "video"}"#, "[]", "{"] {
            #expect(try await web.send(.post, "/settings/cleanup", admin, body: body).status == 422, "\(body)")
        }
        #expect(try await web.send(.post, "/settings/cleanup?camera_id=\(camera.id)&media_type=sound", admin).status == 422)
        #expect(try await web.send(.post, "/settings/cleanup?camera_id=\(camera.id)&media_type=snapshot", admin).status == 200)
        #expect(try await web.send(.post, "/settings/cleanup", admin, body: #"{"camera_id": 99}"#).status == 404)
    }

    @Test func `The forecast names every camera`() async throws {
        let web = try await WebFixture { $0.recordingRoot = "/tmp" }
        let admin = try await web.bearer()
        let (one, two) = (try await web.camera("A"), try await web.camera("B"))
        try await record(web, one.id, days: 2)
        let json = try await web.send(.get, "/storage/forecast", admin).json
        let cameras = try #require(json["cameras"]?.array)
        #expect(json["cleanup_enabled"] == true && cameras.map { $0["camera_id"] } == [.integer(one.id.rawValue), .integer(two.id.rawValue)])
        #expect(cameras[0]["stored_bytes"] == 2000 && cameras[0]["configured_days"] == 7)
        #expect(cameras[1]["days"] == .null && cameras[1]["limited_by"] == .null)
        #expect(json["volumes"]?.array?.first?["id"] == 0)
    }
}
