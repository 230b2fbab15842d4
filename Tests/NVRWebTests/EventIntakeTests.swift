import HTTPTypes
import NVRBase
import NVRModel
import NVRStore
import NVRWeb
import Testing

@Suite struct EventIntakeTests {
    private static let secret = "a-secret-of-the-test"

    private func fixture() async throws -> WebFixture { try await WebFixture { $0.webhookSecret = Secret(Self.secret) } }

    private func call(_ web: WebFixture, _ body: String, secret: String? = Self.secret) async throws -> WebFixture.Answer {
        var headers: HTTPFields = [:]
        headers[.xWebhookSecret] = secret
        return try await web.send(.post, "/events/webhook", headers, body: body)
    }

    @Test("Motion is taken over under either key, with its time")
    func motion() async throws {
        let web = try await fixture()
        _ = try await web.camera()
        #expect(
            try await call(web, #"{"type": "motion_on", "camera_id": 1, "timestamp": "2026-11-22T20:00:00+00:00"}"#).json == [
                "status": "motion_on_captured"
            ])
        #expect(try await call(web, #"{"event": "motion_off", "camera_id": "1"}"#).json == ["status": "motion_off_captured"])
        #expect(web.world.value.reports == ["1 true 2026-11-22T20:00:00Z", "1 false now"])
        #expect(try await call(web, #"{"type": "motion_on", "camera_id": 9}"#).json == ["detail": "Camera not found"])
        for body in [
            "{}", "[]", "", #"{"camera_id": 1}"#, #"{"type": "movie_end", "camera_id": 1}"#, #"{"type": 5, "camera_id": 1}"#,
            #"{"type": "motion_on", "camera_id": "x"}"#, #"{"type": "motion_on"}"#, #"{"type": "motion_on", "camera_id": 1, "timestamp": "soon"}"#,
            #"{"type": "motion_on", "camera_id": 1, "timestamp": 5}"#,
        ] {
            #expect(try await call(web, body).status == 422, "\(body)")
        }
        #expect(web.world.value.reports.count == 2)
        web.world.value.failure = NVRError(.unavailable, "")
        #expect(try await call(web, #"{"type": "motion_on", "camera_id": 1}"#).status == 409)
    }

    @Test("Only the secret opens the webhook, and nothing else does")
    func secrets() async throws {
        let web = try await fixture()
        _ = try await web.camera()
        let body = #"{"type": "motion_on", "camera_id": 1}"#
        for wrong in [nil, "", "a", Self.secret + "x", String(Self.secret.dropLast()), Self.secret.uppercased(), Self.secret + " x"] {
            let answer = try await call(web, body, secret: wrong)
            #expect(try answer.status == 401 && answer.json == ["detail": "Unauthorized"])
        }
        #expect(try await web.send(.post, "/events/webhook", try await web.bearer(), body: body).status == 401)
        #expect(try await call(web, "{", secret: nil).status == 401)
        #expect(web.world.value.reports.isEmpty)
        let closed = try await WebFixture()
        #expect(try await call(closed, body, secret: nil).json == ["detail": "Unauthorized"])
        for guess in ["", "x", Self.secret] { #expect(try await call(closed, body, secret: guess).status == 401) }
    }

    @Test("A range of stored footage becomes an event with the footage's own numbers")
    func byHand() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let camera = try await web.camera()
        let start: Int64 = 1_790_000_000_000_000
        let id = try await web.store.segments.intend(
            Segment(
                id: ID(0), cameraID: camera.id, role: .main, run: 1, path: "1/2026/a b.mp4", start: WallTime(microseconds: start),
                end: WallTime(microseconds: start), bytes: 0, state: .intended, width: 640, height: 360, codecs: "", initLength: 0, timescale: 1,
                index: []), isContinuous: false)
        _ = try await web.store.segments.begin(id, end: WallTime(microseconds: start), bytes: 10, initLength: 10)
        try await web.store.segments.finish(id, SegmentClosing(end: WallTime(microseconds: start + 60_000_000), bytes: 100, index: []))
        func post(_ fields: String) async throws -> WebFixture.Answer {
            try await web.send(.post, "/events", admin, body: #"{"camera_id": 1, "type": "video", "event_type": "manual", \#(fields)}"#)
        }
        let time = WallTime(microseconds: start + 10_000_000).iso8601
        let made = try await post(#""timestamp_start": "\#(time)", "file_path": "/media/1/2026/a%20b.mp4", "file_size": 5, "motion_score": 0.5"#)
        #expect(made.status == 200, "\(made.text)")
        let event = try made.json
        #expect(event["timestamp_start"] == .string(time) && event["timestamp_end"] == .string(WallTime(microseconds: start + 60_000_000).iso8601))
        #expect(event["file_size"] == 50_000 && event["width"] == 640 && event["motion_score"] == 0.5 && event["event_type"] == "manual")
        #expect(event["file_path"]?.string?.hasPrefix("/media/1/") == true)
        for (status, fields) in [
            (404, #""timestamp_start": "\#(time)", "file_path": "/media/1/none.mp4""#),
            (404, #""timestamp_start": "\#(time)", "file_path": "/etc/passwd""#),
            (404, #""timestamp_start": "\#(time)", "file_path": "/media/1/2026/../2026/a b.mp4""#),
            (400, #""timestamp_start": "2001-01-01T00:00:00Z", "timestamp_end": "2001-01-01T00:00:09Z", "file_path": "1/2026/a b.mp4""#),
            (422, #""timestamp_start": "\#(time)", "timestamp_end": "2001-01-01T00:00:09Z", "file_path": "1/2026/a b.mp4""#),
            (422, #""file_path": "1/2026/a b.mp4""#), (422, #""timestamp_start": "\#(time)""#),
        ] {
            #expect(try await post(fields).status == status, "\(fields)")
        }
        let body = #"{"camera_id": 1, "type": "TYPE", "event_type": "KIND", "timestamp_start": "\#(time)", "file_path": "1/x.jpg"}"#
        func other(_ type: String, _ kind: String) async throws -> Int {
            let text = body.split(separator: "TYPE").joined(separator: type).split(separator: "KIND").joined(separator: kind)
            return try await web.send(.post, "/events", admin, body: String(text)).status
        }
        #expect(try await other("snapshot", "manual") == 404)
        _ = try await web.event(of: camera.id, .snapshot, .manual, picture: "1/x.jpg")
        #expect(try await other("snapshot", "manual") == 409)
        #expect(try await other("video", "continuous") == 422)
        #expect(try await other("sound", "manual") == 422)
    }

    @Test("All events of a kind are deleted, with what was freed told")
    func deleteAll() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        for _ in 0..<2 {
            _ = try await web.event()
            _ = try await web.event(of: ID(1), .snapshot, .manual, picture: "1/x.jpg")
            _ = try await web.event(of: ID(1), .video, .manual)
        }
        let motion = try await web.send(.delete, "/events/bulk/all?event_type=motion", admin).json
        #expect(motion == ["deleted_count": 2, "deleted_size_bytes": 1_048_576, "deleted_size_mb": 1.0, "type": "motion"])
        #expect(try await web.send(.delete, "/events/bulk/all?event_type=picture", admin).json["deleted_count"] == 2)
        #expect(try await web.send(.delete, "/events/bulk/all?event_type=what", admin).status == 422)
        #expect(try await web.send(.delete, "/events/bulk/all", admin).json["deleted_count"] == 2)
        #expect(try await web.store.events.list(EventFilter()).isEmpty)
    }

    @Test("A camera's limits are applied to what is named, and to nothing that has no name")
    func cleanUp() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        _ = try await web.camera()
        for query in ["", "?type=video", "?type=snapshot"] {
            let answer = try await web.send(.post, "/cameras/1/cleanup\(query)", admin).json
            #expect(answer["status"] == "success" && answer["deleted_count"] == 2 && answer["deleted_size_bytes"] == 77)
        }
        #expect(web.world.value.reports == ["1 limits all", "1 limits video", "1 limits snapshot"])
        #expect(try await web.send(.post, "/cameras/1/cleanup?type=all", admin).status == 400)
        #expect(try await web.send(.post, "/cameras/9/cleanup", admin).status == 404)
    }
}
