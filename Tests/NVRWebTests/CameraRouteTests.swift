import HTTPTypes
import NVRMedia
import NVRModel
import NVRStore
import NVRWeb
import Testing

@Suite struct CameraRouteTests {
    private static let place = "rtsp://10.0.0.9/cam0"

    @Test("A camera is made, read, changed in part and deleted")
    func life() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let made = try await web.send(
            .post, "/cameras", admin, body: #"{"name": "Garage", "rtsp_url": "rtsp://user:p@ss@10.0.0.9/x", "unknown": 1}"#)
        #expect(made.status == 200)
        #expect(try made.json["rtsp_url"] == "rtsp://user:p%40ss@10.0.0.9/x")
        #expect(try made.json["status"] == "STARTING" && made.json["captured_before"] == 5 && made.json["movie_passthrough"] == true)
        let changed = try await web.send(.put, "/cameras/1", admin, body: #"{"name": "only name"}"#)
        #expect(try changed.json["name"] == "only name" && changed.json["rtsp_url"] == made.json["rtsp_url"])
        #expect(try await web.send(.get, "/cameras/1", admin).json["name"] == "only name")
        let list = try await web.send(.get, "/cameras", admin)
        #expect(try list.json.array?.count == 1)
        #expect(list[.xTotalCount] == "1")
        let deleted = try await web.send(.delete, "/cameras/1", admin)
        #expect(try deleted.status == 200 && deleted.json["name"] == "only name")
        #expect(web.world.value.deletedMedia.isEmpty)
        #expect(try await web.send(.get, "/cameras/1", admin).json == ["detail": "Camera not found"])
        #expect(try await web.send(.delete, "/cameras/1", admin).status == 404)
        #expect(try await web.send(.put, "/cameras/1", admin, body: "{}").status == 404)
    }

    @Test("The list says what each camera by itself says, whatever was changed since it was asked for last")
    func listIsTheCameras() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let viewer = try await web.bearer(.viewer)
        for name in ["one", "two"] {
            let body = #"{"name": "\#(name)", "rtsp_url": "rtsp://u:secret@10.0.0.9/\#(name)"}"#
            #expect(try await web.send(.post, "/cameras", admin, body: body).status == 200)
        }
        func agree() async throws {
            for caller in [admin, viewer] {
                let list = try #require(try await web.send(.get, "/cameras", caller).json.array)
                #expect(list.count == 2)
                for (number, camera) in list.enumerated() {
                    let alone = try #require(try await web.send(.get, "/cameras/\(number + 1)", caller).json.object)
                    let listed = try #require(camera.object)
                    #expect(Set(alone.keys) == Set(listed.keys))
                    for key in alone.keys { #expect(alone[key] == listed[key], "\(key)") }
                }
                let text = try await web.send(.get, "/cameras", caller).text
                #expect(text.contains("secret") == (caller == admin))
            }
        }
        try await agree()
        #expect(try await web.send(.put, "/cameras/2", admin, body: #"{"name": "new", "auto_resolution": true}"#).status == 200)
        try await agree()
        #expect(try await web.send(.post, "/groups", admin, body: #"{"name": "yard"}"#).status == 200)
        try await agree()
        #expect(try await web.send(.post, "/groups/1/cameras", admin, body: "[1]").status == 200)
        try await agree()
        #expect(try await web.send(.get, "/cameras", admin).json.array?.first?["groups"]?.array?.count == 1)
        #expect(try await web.send(.delete, "/groups/1", admin).status == 200)
        try await agree()
        web.world.value.health = [ID(2): CameraHealth(status: .connected, reason: "because", since: WallTime(microseconds: 5))]
        web.world.value.health[ID(2)]?.width = 1000
        web.world.value.health[ID(2)]?.height = 500
        try await agree()
        #expect(try await web.send(.get, "/cameras", admin).json.array?.last?["resolution_width"] == 1000)
    }

    @Test("Recordings go with a camera only when that is asked for")
    func deleteMedia() async throws {
        let web = try await WebFixture()
        let camera = try await web.camera()
        #expect(try await web.send(.delete, "/cameras/\(camera.id)?delete_media=true", try await web.bearer()).status == 200)
        #expect(web.world.value.deletedMedia == [camera.id])
        #expect(try await web.send(.delete, "/cameras/1?delete_media=perhaps", try await web.bearer()).status == 422)
    }

    @Test(
        "Bad bodies are refused and nothing is stored",
        arguments: [
            "", "{\"name\":", "[]", "5", #"{"location": "x"}"#, #"{"name": "x", "rtsp_url": "file:///etc/passwd"}"#,
            #"{"name": "x", "rtsp_url": "rtsp://localhost:554/a"}"#,
            #"{"name": 5, "rtsp_url": "rtsp://10.0.0.9/cam0", "framerate": "abc"}"#,
            #"{"name": "x", "rtsp_url": "rtsp://10.0.0.9:99999/a"}"#,
            #"{"name": "x", "rtsp_url": "rtsp://10.0.0.9/a", "rtsp_transport": "smoke"}"#,
            #"{"name": "x", "rtsp_url": "rtsp://10.0.0.9/a", "movie_file_name": "../../x"}"#,
            #"{"name": "x", "rtsp_url": "rtsp://10.0.0.9/a", "max_movie_length": 5}"#,
            #"{"name": "x", "rtsp_url": "rtsp://10.0.0.9/a", "motion_masks": [{"points": [[0, 0]]}]}"#,
            #"{"name": "x", "rtsp_url": "rtsp://10.0.0.9/a", "privacy_masks": [{"points": [[0, 0], [1, 0], [1, 1]]}]}"#,
            #"{"name": "\#(String(repeating: "n", count: 10_000))", "rtsp_url": "rtsp://10.0.0.9/a"}"#,
        ])
    func badBodies(body: String) async throws {
        let web = try await WebFixture()
        let answer = try await web.send(.post, "/cameras", try await web.bearer(), body: body)
        #expect(answer.status == 422)
        #expect(try (answer.json["detail"]?.array?.count ?? 0) > 0)
        #expect(try await web.store.cameras.all().isEmpty)
    }

    @Test("Broken JSON is told as clients know it")
    func syntax() async throws {
        let web = try await WebFixture()
        let answer = try await web.send(.post, "/cameras", try await web.bearer(), body: "{\"name\":")
        #expect(
            try answer.json == [
                "detail": [
                    [
                        "type": "json_invalid", "loc": ["body", 8], "msg": "JSON decode error", "input": [:],
                        "ctx": ["error": "Expecting value"],
                    ]
                ]
            ])
    }

    @Test("Ids that are no numbers are a 422, numbers that do not exist a 404")
    func ids() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let answer = try await web.send(.get, "/cameras/abc", admin)
        #expect(answer.status == 422)
        #expect(
            try answer.json["detail"]?.array?.first == [
                "type": "int_parsing", "loc": ["path", "camera_id"],
                "msg": "Input should be a valid integer, unable to parse string as an integer", "input": "abc",
            ])
        for path in ["/cameras/9999", "/cameras/-1", "/cameras/9223372036854775807", "/cameras/9999/frame"] {
            #expect(try await web.send(.get, path, admin).json == ["detail": "Camera not found"])
        }
        #expect(try await web.send(.post, "/cameras/9999/snapshot", admin).status == 404)
        #expect(try await web.send(.get, "/cameras/99999999999999999999", admin).status == 422)
    }

    @Test("Administrators get everything, viewers no credentials, API keys the summary")
    func forms() async throws {
        let web = try await WebFixture()
        let camera = try await web.camera()
        web.world.value.health = [
            camera.id: CameraHealth(
                status: .unreachable, reason: "connection refused", since: WallTime(microseconds: 5_000_000), source: "rtsp")
        ]
        let full = try await web.send(.get, "/cameras/1", try await web.bearer()).json
        #expect(full["rtsp_url"] == "rtsp://user:p%40ss@10.0.0.9/cam0")
        #expect(full["status"] == "UNREACHABLE" && full["status_reason"] == "connection refused" && full["source"] == "rtsp")
        #expect(full["status_since"] == "1970-01-01T00:00:05Z")
        let viewer = try await web.send(.get, "/cameras/1", try await web.bearer(.viewer))
        #expect(try viewer.json["rtsp_url"] == "rtsp://10.0.0.9/cam0" && !viewer.text.contains("p%40ss"))
        let key = try await web.apiKey()
        let summary = try await web.send(.get, "/cameras/1", key)
        #expect(try summary.json.object?.keys == CameraField.summaryNames)
        #expect(!summary.text.contains("rtsp://"))
        #expect(try await web.send(.get, "/cameras", key).json.array?.first?.object?.keys == CameraField.summaryNames)
    }

    @Test("The toggle goes to continuous and back, in its own shape")
    func toggle() async throws {
        let web = try await WebFixture()
        let camera = try await web.camera()
        let admin = try await web.bearer()
        let on = try await web.send(.post, "/cameras/\(camera.id)/recording", admin).json
        #expect(on["recording_mode"] == "Continuous" && on["previous_recording_mode"] == "Motion Triggered")
        #expect(on["ai_object_types"] == "[\"person\", \"vehicle\"]" && on["groups"] == nil)
        #expect(on["created_at"]?.string?.hasSuffix("+00:00") == true)
        #expect(on.object?.keys.contains("snapshot_storage_profile") == true && on["notify_attach_image_telegram"] == true)
        let off = try await web.send(.post, "/cameras/\(camera.id)/recording", admin).json
        #expect(off["recording_mode"] == "Motion Triggered")
        #expect(try await web.send(.post, "/cameras/99/recording", admin).status == 404)
    }

    @Test("Cameras take new places and go in numbers")
    func many() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        for name in ["a", "b", "c"] { _ = try await web.camera(name) }
        let order = try await web.send(.post, "/cameras/reorder", admin, body: #"{"camera_ids": [3, 1, 77, 2]}"#)
        #expect(try order.json == ["message": "Cameras reordered successfully"])
        let names = try await web.send(.get, "/cameras", admin).json.array?.map { $0["name"] }
        #expect(names == ["c", "a", "b"])
        // New ones come behind those that somebody has put in order, wherever the original stands.
        let made = try await web.send(.post, "/cameras", admin, body: #"{"name": "d", "rtsp_url": "rtsp://10.0.0.9/d"}"#)
        #expect(made.status == 200)
        #expect(try await web.send(.post, "/cameras/3/clone", admin).status == 200)
        let first = try await web.send(.post, "/cameras", admin, body: #"{"name": "e", "rtsp_url": "rtsp://10.0.0.9/e", "sort_order": 0}"#)
        #expect(try first.json["sort_order"] == 0)
        let all = try await web.send(.get, "/cameras", admin).json.array?.map { $0["name"] }
        #expect(all == ["c", "e", "a", "b", "d", "c (copy)"])
        #expect(try await web.send(.post, "/cameras/reorder", admin, body: "{}").status == 422)
        #expect(try await web.send(.post, "/cameras/reorder", admin, body: #"{"camera_ids": ["x"]}"#).status == 422)
        let deleted = try await web.send(.post, "/cameras/bulk-delete", admin, body: "[1, 99, 1]")
        #expect(try deleted.json == ["deleted_count": 1, "errors": ["Camera 99 not found"]])
    }

    @Test("Lists are cut where they are told to")
    func pages() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        for name in ["a", "b", "c"] { _ = try await web.camera(name) }
        let page = try await web.send(.get, "/cameras?skip=1&limit=1", admin)
        #expect(try page.json.array?.map { $0["name"] } == ["b"] && page[.xTotalCount] == "3")
        for query in ["limit=0", "limit=1001", "limit=x", "skip=-1"] {
            #expect(try await web.send(.get, "/cameras?\(query)", admin).status == 422)
        }
    }

    @Test("A frame is a picture that is never stored, or a 503 that says so in JSON")
    func frame() async throws {
        let web = try await WebFixture()
        let camera = try await web.camera()
        let admin = try await web.bearer()
        let none = try await web.send(.get, "/cameras/\(camera.id)/frame", admin)
        #expect(try none.status == 503 && none.json == ["detail": "Frame unavailable"] && none[.retryAfter] != nil)
        #expect(none[.contentType] == "application/json")
        web.world.value.picture = .init(jpeg: [0xFF, 0xD8, 0xFF], width: 4, height: 2, time: WallTime(microseconds: 0))
        let picture = try await web.send(.get, "/cameras/\(camera.id)/frame?width=640", admin)
        #expect(picture.status == 200 && picture.body == [0xFF, 0xD8, 0xFF])
        #expect(picture[.contentType] == "image/jpeg" && picture[.cacheControl] == "no-cache, no-store, must-revalidate")
        #expect(try await web.send(.get, "/cameras/\(camera.id)/frame?width=-5", admin).status == 422)
        #expect(try await web.send(.get, "/cameras/\(camera.id)/frame?raw=true", admin).status == 200)
        #expect(try await web.send(.get, "/cameras/\(camera.id)/frame?raw=true", try await web.bearer(.viewer)).status == 403)
    }

    @Test("A snapshot is taken, or the answer says why not")
    func snapshot() async throws {
        let web = try await WebFixture()
        let camera = try await web.camera()
        let admin = try await web.bearer()
        #expect(try await web.send(.post, "/cameras/\(camera.id)/snapshot", admin).status == 503)
        web.world.value.picture = .init(jpeg: [0xFF], width: 4, height: 2, time: WallTime(microseconds: 0))
        let taken = try await web.send(.post, "/cameras/\(camera.id)/snapshot", admin).json
        #expect(taken["status"] == "success" && taken["message"] == "Snapshot triggered")
    }

    @Test("A stream that is being read already is not opened a second time")
    func probeOfRunning() async throws {
        let web = try await WebFixture()
        let camera = try await web.camera(url: Self.place)
        web.world.value.health = [
            camera.id: CameraHealth(status: .connected, since: WallTime(microseconds: 0), width: 1280, height: 720, videoCodec: "h265")
        ]
        let seen = try await web.send(.post, "/cameras/probe-stream", try await web.bearer(), body: #"{"rtsp_url": "\#(Self.place)"}"#).json
        #expect(seen["success"] == true && seen["width"] == 1280 && seen["codec"] == "h265")
        web.world.value.health[camera.id]?.status = .unreachable
        let failed = try await web.send(.post, "/cameras/probe-stream", try await web.bearer(), body: #"{"rtsp_url": "\#(Self.place)"}"#)
            .json
        #expect(failed["success"] == false && failed["error"] == "nothing there")
    }

    @Test("A probe tells the size of the picture or why there is none, and goes nowhere it must not")
    func probe() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        func probe(_ body: String) async throws -> WebFixture.Answer {
            try await web.send(.post, "/cameras/probe-stream", admin, body: body)
        }
        let failed = try await probe(#"{"rtsp_url": "\#(Self.place)"}"#).json
        #expect(failed["success"] == false && failed["width"] == .null && failed["error"] == "nothing there")
        web.world.value.probe = .init(width: 1920, height: 1080, codec: "h264")
        let seen = try await probe(#"{"rtsp_url": "\#(Self.place)", "rtsp_transport": "udp"}"#).json
        #expect(seen["success"] == true && seen["width"] == 1920 && seen["height"] == 1080 && seen["error"] == .null)
        for body in [
            "{}", #"{"rtsp_url": 5}"#, #"{"rtsp_url": "file:///etc/passwd"}"#, #"{"rtsp_url": "rtsp://127.0.0.1/x"}"#,
            #"{"rtsp_url": "\#(Self.place)", "rtsp_transport": "x"}"#,
        ] {
            #expect(try await probe(body).status == 422)
        }
        #expect(seen.object?.keys.contains("picture") == false)
        let blind = try await probe(#"{"rtsp_url": "\#(Self.place)", "picture": true}"#).json
        #expect(blind["picture"] == .null && blind["success"] == true)
        web.world.value.probe.picture = [0xFF, 0xD8]
        #expect(try await probe(#"{"rtsp_url": "\#(Self.place)", "picture": true}"#).json["picture"] == "data:image/jpeg;base64,/9g=")
        #expect(try await probe(#"{"rtsp_url": "\#(Self.place)", "picture": "maybe"}"#).status == 422)
        let leak = try await probe(#"{"rtsp_url": "gopher://u:geheim@10.0.0.1/"}"#)
        #expect(leak.status == 422 && !leak.text.contains("geheim"))
    }
}
