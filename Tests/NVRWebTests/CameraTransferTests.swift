import HTTPTypes
import NVRBase
import NVRModel
import NVRStore
import NVRWeb
import Testing

@Suite struct CameraTransferTests {
    private func upload(_ web: WebFixture, _ file: String, query: String = "", headers: HTTPFields) async throws -> WebFixture.Answer {
        var headers = headers
        headers[.contentType] = "multipart/form-data; boundary=b"
        let body = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"cameras\"\r\n\r\n\(file)\r\n--b--\r\n"
        return try await web.send(.post, "/cameras/import\(query)", headers, body: body)
    }

    /// Two cameras with every kind of secret, one of them in a group.
    private func residents(_ web: WebFixture) async throws {
        for name in ["Front Door", "Garage/2"] {
            let camera = try await web.camera(name, url: "rtsp://user:p%40ss@10.0.0.9/\(name.count)?token=geheim")
            _ = try await web.store.cameras.update(camera.id) { camera in
                camera.onvif.username = "geheim"
                camera.onvif.password = "geheim"
                camera.alerts.webhookURL = "https://hooks.example/geheim"
                camera.alerts.telegramToken = "geheim"
                camera.recording.maxLength = 77
            }
        }
        _ = try await web.store.groups.insert(
            CameraGroup(id: ID(0), name: "Outside", createdAt: WallTime(microseconds: 0), cameras: [ID(1)]))
    }

    @Test("Exports carry every setting and no secret, unless it is asked for")
    func exports() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        try await residents(web)
        let one = try await web.send(.get, "/cameras/2/export", admin)
        #expect(one[.contentDisposition]?.hasPrefix("attachment; filename=vibenvr_camera_Garage_2_2026") == true)
        #expect(one[.contentDisposition]?.hasSuffix(".json") == true)
        #expect(!one.text.contains("geheim") && !one.text.contains("p%40ss") && !one.text.contains("user:"))
        let camera = try #require(try one.json["camera"])
        #expect(try one.json["version"] == "1.1" && camera["max_movie_length"] == 77 && camera["groups"] == [])
        #expect(camera["id"] == nil && camera["created_at"] == nil && camera["storage_profile"] == nil && camera["status"] == "STARTING")
        let all = try await web.send(.get, "/cameras/export/all?include_credentials=true", admin)
        #expect(try all.json["cameras"]?.array?.count == 2 && all.json["cameras"]?.array?[0]["groups"] == ["Outside"])
        #expect(all.text.contains("user:p%40ss@") && all.text.contains("hooks.example/geheim"))
        let some = try await web.send(.post, "/cameras/export/bulk", admin, body: "[2]")
        #expect(try some.json["cameras"]?.array?.map { $0["name"] } == ["Garage/2"])
        #expect(try await web.send(.post, "/cameras/export/bulk", admin, body: "[2, 9]").status == 404)
        #expect(try await web.send(.get, "/cameras/9/export", admin).status == 404)
        #expect(try await web.send(.get, "/cameras/export/all?format=zip", admin).status == 422)
        let tar = try await web.send(.get, "/cameras/export/all?format=tar", admin)
        #expect(tar[.contentType] == "application/x-tar")
        let entries = try TarArchive.read(tar.body)
        #expect(entries.map(\.name) == ["camera-1-Front_Door.json", "camera-2-Garage_2.json"])
        #expect(!entries.contains { String(decoding: $0.bytes, as: UTF8.self).contains("geheim") })
    }

    @Test("What was exported with credentials is the same camera again, groups included", arguments: ["json", "tar"])
    func roundTrip(format: String) async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        try await residents(web)
        let before = try await web.store.cameras.all()
        let file = try await web.send(.get, "/cameras/export/all?include_credentials=true&format=\(format)", admin)
        for camera in before { _ = try await web.store.cameras.delete(camera.id, at: WallTime(microseconds: 0)) }
        _ = try await web.store.groups.delete([ID(1)])
        let analysed = try await upload(web, file.text, query: "?analyze_only=true", headers: admin).json
        #expect(analysed["cameras"]?.array?.map { $0["exists"] } == [false, false])
        #expect(try await web.store.cameras.all().isEmpty)
        #expect(try await web.store.groups.all().isEmpty)
        let answer = try await upload(web, file.text, headers: admin).json
        #expect(answer["count"] == 2 && answer["skipped"] == 0 && answer["camera_ids"] == [3, 4])
        let after = try await web.store.cameras.all()
        for (old, new) in zip(before, after) {
            var old = old
            (old.id, old.createdAt) = (new.id, new.createdAt)
            #expect(new == old)
        }
        #expect(try await web.store.groups.all().map(\.cameras) == [[ID(3)]])
        let again = try await upload(web, file.text, headers: admin).json
        #expect(again["count"] == 0 && again["skipped"] == 2)
        #expect(try await web.store.cameras.all().count == 2)
    }

    @Test("A file with one bad camera stores none, and the answer says which and why")
    func allOrNone() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let file = #"{"cameras": [{"name": "a", "rtsp_url": "rtsp://10.0.0.1/a", "groups": ["G"]}, {"name": "b", "rtsp_url": "file:///etc/passwd"}]}"#
        let answer = try await upload(web, file, headers: admin)
        #expect(try answer.status == 422 && answer.json["detail"]?.array?.first?["loc"] == ["body", "cameras", 1, "rtsp_url"])
        #expect(try await web.store.cameras.all().isEmpty)
        #expect(try await web.store.groups.all().isEmpty)
        let analysed = try await upload(web, file, query: "?analyze_only=1", headers: admin).json
        #expect(analysed["cameras"]?.array?.map { $0["problems"]?.array?.count } == [0, 1])
        let loopback = try await upload(web, #"{"camera": {"name": "a", "rtsp_url": "rtsp://127.0.0.1/a"}}"#, headers: admin)
        #expect(loopback.status == 422)
    }

    @Test(
        "Files that hold no cameras are a 400",
        arguments: [
            "", "{", "[]", "{}", "5", #"{"cameras": []}"#, #"{"cameras": 5}"#, #"{"camera": null}"#, "PK\u{3}\u{4}",
            #"{"cameras": [\#(Array(repeating: "{}", count: 1001).joined(separator: ","))]}"#,
        ])
    func badFiles(file: String) async throws {
        let web = try await WebFixture()
        let answer = try await upload(web, file, headers: try await web.bearer())
        #expect(answer.status == 400, "\(answer.text)")
    }

    @Test("Archives that are not plainly files are refused")
    func badArchives() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let good = #"{"camera": {"name": "a", "rtsp_url": "rtsp://10.0.0.1/a"}}"#
        for name in ["../a.json", "/a.json", "x/../../a.json"] {
            let archive = TarArchive.write(
                [.init(name: "ok.json", bytes: Array(good.utf8)), .init(name: name, bytes: Array(good.utf8))], modified: 0)
            #expect(try await upload(web, String(decoding: archive, as: UTF8.self), headers: admin).status == 400)
        }
        let other = TarArchive.write([.init(name: "readme.txt", bytes: [65])], modified: 0)
        #expect(try await upload(web, String(decoding: other, as: UTF8.self), headers: admin).status == 400)
        #expect(try await web.store.cameras.all().isEmpty)
    }

    @Test("Forms without the file, and no forms at all, are told so")
    func forms() async throws {
        let web = try await WebFixture()
        var admin = try await web.bearer()
        #expect(try await web.send(.post, "/cameras/import", admin, body: "{}").json["detail"]?.array?.first?["loc"] == ["body", "file"])
        admin[.contentType] = "multipart/form-data; boundary=b"
        let other = "--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n1\r\n--b--"
        #expect(try await web.send(.post, "/cameras/import", admin, body: other).status == 422)
        #expect(try await web.send(.post, "/cameras/import", admin, body: "--b").status == 400)
    }

    @Test("Profiles of another server are forgotten, and what only the server knows is not believed")
    func foreign() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let file =
            #"{"camera": {"name": "a", "rtsp_url": "rtsp://10.0.0.1/a", "storage_profile_id": 4, "status": "CONNECTED", "id": 77, "groups": [{"name": "G"}]}}"#
        #expect(try await upload(web, file, headers: admin).json["count"] == 1)
        let camera = try #require(try await web.store.cameras.all().first)
        #expect(camera.id == ID(1) && camera.storage.profileID == nil && camera.createdAt.microseconds > 0)
        #expect(try await web.store.groups.all().map(\.name) == ["G"])
    }

    @Test("A clone has the settings of its model, is switched off, and takes changes")
    func clone() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        try await residents(web)
        let clone = try await web.send(.post, "/cameras/1/clone", admin).json
        #expect(clone["name"] == "Front Door (copy)" && clone["is_active"] == false && clone["id"] == 3 && clone["groups"] == [])
        #expect(clone["rtsp_url"] == "rtsp://user:p%40ss@10.0.0.9/10?token=geheim" && clone["max_movie_length"] == 77)
        let other = try await web.send(.post, "/cameras/1/clone", admin, body: #"{"name": "B", "is_active": true, "rtsp_url": "rtsp://10.0.0.8/"}"#)
            .json
        #expect(other["name"] == "B" && other["is_active"] == true && other["rtsp_url"] == "rtsp://10.0.0.8/")
        #expect(try await web.send(.post, "/cameras/1/clone", admin, body: #"{"rtsp_url": "x"}"#).status == 422)
        #expect(try await web.send(.post, "/cameras/99/clone", admin).status == 404)
        #expect(try await web.store.cameras.all().count == 4)
    }
}
