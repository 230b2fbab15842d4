import HTTPTypes
import NVRBase
import NVRModel
import NVROffsite
import NVRStore
import NVRWeb
import Testing

@Suite("S3 profiles over HTTP")
struct S3RouteTests {
    private static let body =
        #"{"name": "Off-site", "endpoint": "https://s3.example.com", "bucket": "footage", "access_key": "AKIA", "secret_key": "hidden-secret"}"#

    @Test("A profile is made, read, changed and deleted; its secret key goes in and never comes out")
    func lifecycle() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let made = try await web.send(.post, "/storage/s3", admin, body: Self.body)
        #expect(made.status == 200 && !made.text.contains("hidden"))
        let json = try made.json
        #expect(json["region"] == "us-east-1" && json["secret_key"] == .string(SettingKey.mask) && json["offsite_all_cameras"] == false)
        #expect(try await web.send(.get, "/storage/s3", admin).json == .array([json]))
        #expect(try await web.send(.get, "/storage/s3/1", admin).json == json)
        let camera = try await web.camera()
        let change = #"{"secret_key": "••••••••", "prefix": "/a//b/", "offsite_camera_ids": [\#(camera.id)], "max_bytes_per_second": 50000}"#
        let changed = try await web.send(.put, "/storage/s3/1", admin, body: change).json
        #expect(changed["prefix"] == "a/b" && changed["offsite_camera_ids"] == [1] && changed["max_bytes_per_second"] == 50000)
        #expect(try await web.store.s3Profiles.get(ID(1))?.secretKey == "hidden-secret")
        #expect(try await web.send(.post, "/storage/s3", admin, body: Self.body).status == 409)
        #expect(try await web.send(.delete, "/storage/s3/1", admin).status == 200)
        #expect(try await web.send(.delete, "/storage/s3/1", admin).status == 404)
    }

    @Test(
        "What cannot be is refused and changes nothing",
        arguments: [
            #"{"name": "x"}"#, #"{"endpoint": "http://127.0.0.1:9000"}"#, #"{"endpoint": "http://[fe80::1]"}"#, #"{"endpoint": "ftp://x"}"#,
            #"{"endpoint": "https://u:p@s3.example.com"}"#, #"{"endpoint": "https://s3.example.com/path"}"#, #"{"bucket": "No"}"#,
            #"{"bucket": "Has Spaces"}"#,
            #"{"region": ""}"#, #"{"region": "a b"}"#, #"{"prefix": "../x"}"#, #"{"addressing": "other"}"#, #"{"access_key": ""}"#,
            #"{"secret_key": "••••••••"}"#, #"{"max_bytes_per_second": 1}"#, #"{"max_bytes_per_second": -1}"#, #"{"offsite_camera_ids": [99]}"#,
            #"{"offsite_camera_ids": "all"}"#, #"{"allow_self_signed": "perhaps"}"#,
        ])
    func refusals(_ change: String) async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        guard var body = try JSONValue(parsing: Array(Self.body.utf8)).object, let wrong = try JSONValue(parsing: Array(change.utf8)).object else {
            return
        }
        wrong.forEach { body[$0] = $1 }
        if change == #"{"name": "x"}"# { body["secret_key"] = nil }
        let answer = try await web.send(.post, "/storage/s3", admin, body: JSONValue.object(body).serialized())
        #expect([400, 404, 422].contains(answer.status), "\(answer.status) \(answer.text)")
        #expect(!answer.text.contains("hidden"))
        #expect(try await web.store.s3Profiles.all().isEmpty)
    }

    @Test("Footage of a bucket that is gone is forgotten by its exact numbers, and the profile goes after it")
    func forgetting() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        _ = try await web.send(.post, "/storage/s3", admin, body: Self.body)
        let camera = try await web.camera()
        let wrong = try await web.send(.put, "/cameras/\(camera.id)", admin, body: #"{"archive_storage_profile_id": -2, "archive_after_hours": 1}"#)
        #expect(try wrong.status == 422 && wrong.json["detail"]?.array?.first?["loc"] == ["body", "archive_storage_profile_id"])
        let named = try await web.send(.put, "/cameras/\(camera.id)", admin, body: #"{"archive_storage_profile_id": -1, "archive_after_hours": 1}"#)
        #expect(try named.status == 200 && named.json["archive_storage_profile_id"] == -1)
        #expect(try await web.send(.delete, "/storage/s3/1", admin).status == 409)
        _ = try await web.send(.put, "/cameras/\(camera.id)", admin, body: #"{"archive_storage_profile_id": null}"#)
        _ = try await web.store.events.insert(
            Event(
                id: ID(0), cameraID: camera.id, medium: .snapshot, kind: .motion, start: WallTime(microseconds: 1_700_000_000_000_000),
                picturePath: "1/a.jpg", bytes: 900, volume: VolumeID(rawValue: -1)))
        let shown = try await web.send(.get, "/storage/s3/1", admin).json
        #expect(shown["archive"] == ["recordings": 0, "snapshots": 1, "bytes": 900])
        #expect(try await web.send(.delete, "/storage/s3/1", admin).status == 409)
        let dry = try await web.send(.post, "/storage/s3/1/forget?dry_run=true", admin)
        #expect(try dry.json == ["recordings": 0, "snapshots": 1, "bytes": 900, "forgotten": false])
        for (body, status) in [
            ("{}", 422), (#"{"recordings": 0, "snapshots": 2, "bytes": 900}"#, 409), (#"{"recordings": 0, "snapshots": -1, "bytes": 1}"#, 422),
        ] {
            #expect(try await web.send(.post, "/storage/s3/1/forget", admin, body: body).status == status, "\(body)")
        }
        let done = try await web.send(.post, "/storage/s3/1/forget", admin, body: #"{"recordings": 0, "snapshots": 1, "bytes": 900}"#)
        #expect(try done.status == 200 && done.json["forgotten"] == true)
        #expect(try await web.send(.delete, "/storage/s3/1", admin).status == 200)
        #expect(try await web.send(.post, "/storage/s3/1/forget", admin, body: "{}").status == 404)
    }

    @Test("The state of copies names profile, cameras, and the last error")
    func state() async throws {
        var profile = S3Profile(
            id: ID(3), name: "Off-site", endpoint: "https://s3.example.com", bucket: "footage", accessKey: "a", secretKey: "hidden-secret",
            createdAt: WallTime(microseconds: 0))
        profile.copiesAllCameras = true
        var activity = OffsiteActivity()
        activity.phase = .failing
        activity.problem = OffsiteActivity.Problem(time: WallTime(microseconds: 0), message: "the secret key is wrong")
        var sum = OffsiteSummary(cameraID: ID(1))
        sum.waiting = 2
        sum.waitingBytes = 70
        sum.outcomes = [.copied: 4, .queueFull: 1]
        let state = OffsiteState(profile: profile, activity: activity, cameras: [sum])
        let web = try await WebFixture(offsite: OffsiteAccess(states: { [state] }, test: { _ in throw NVRError(.unavailable, "no such bucket") }))
        let admin = try await web.bearer()
        let json = try await web.send(.get, "/storage/offsite", admin).json["profiles"]?.array?.first
        #expect(json?["state"] == "failing" && json?["queued_events"] == 2 && json?["bytes_waiting"] == 70)
        #expect(json?["last_error"]?["message"] == "the secret key is wrong")
        let camera = json?["cameras"]?.array?.first
        #expect(camera?["events_copied"] == 4 && camera?["events_dropped"]?["queue_full"] == 1 && camera?["last_error"] == .null)
        _ = try await web.send(.post, "/storage/s3", admin, body: Self.body)
        let test = try await web.send(.post, "/storage/s3/1/test", admin).json
        #expect(test["ok"] == false && test["error"] == "no such bucket" && test["error_code"] == .null)
    }
}
