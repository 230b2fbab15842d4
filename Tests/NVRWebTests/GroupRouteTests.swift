import HTTPTypes
import NVRAccounts
import NVRModel
import NVRStore
import NVRWeb
import Testing

@Suite struct GroupRouteTests {
    @Test("Groups are made, filled, read and deleted, and cameras tell theirs")
    func life() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        for name in ["a", "b"] { _ = try await web.camera(name) }
        let made = try await web.send(.post, "/groups", admin, body: #"{"name": " Outside ", "description": "All outside cameras"}"#)
        #expect(try made.json == ["name": "Outside", "description": "All outside cameras", "id": 1, "cameras": []])
        let filled = try await web.send(.post, "/groups/1/cameras", admin, body: "[1, 2, 2]").json
        #expect(filled["cameras"]?.array?.map { $0["name"] } == ["a", "b"])
        #expect(filled["cameras"]?.array?.first?["rtsp_url"] == "rtsp://user:p%40ss@10.0.0.9/cam0")
        let camera = try await web.send(.get, "/cameras/1", admin).json
        #expect(camera["groups"] == [["name": "Outside", "description": "All outside cameras"]])
        #expect(try await web.send(.get, "/groups/1", admin).json == filled)
        let list = try await web.send(.get, "/groups", admin)
        #expect(try list.json == .array([filled]) && list[.xTotalCount] == "1")
        #expect(try await web.send(.post, "/groups/1/cameras", admin, body: #"{"camera_ids": [2]}"#).json["cameras"]?.array?.count == 1)
        #expect(try await web.send(.delete, "/groups/1", admin).json == ["message": "Group deleted"])
        for (method, path, body) in [
            (HTTPRequest.Method.get, "/groups/1", nil as String?), (.delete, "/groups/1", nil), (.post, "/groups/1/cameras", "[1]"),
            (.post, "/groups/1/action", #"{"action": "enable_motion"}"#),
        ] {
            let answer = try await web.send(method, path, admin, body: body)
            #expect(try answer.status == 404 && answer.json == ["detail": "Group not found"])
        }
        #expect(try await web.store.cameras.all().count == 2)
    }

    @Test("Names are taken once, and a list with a stranger in it changes nothing")
    func refusals() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        _ = try await web.camera()
        _ = try await web.send(.post, "/groups", admin, body: #"{"name": "A"}"#)
        #expect(try await web.send(.post, "/groups", admin, body: #"{"name": "a"}"#).status == 409)
        for body in [
            "{}", #"{"name": ""}"#, #"{"name": "  "}"#, #"{"name": 5}"#, #"{"name": "x", "description": 5}"#, "[]", "", #"{"name": "a\u0000"}"#,
        ] {
            #expect(try await web.send(.post, "/groups", admin, body: body).status == 422, "\(body)")
        }
        _ = try await web.send(.post, "/groups/1/cameras", admin, body: "[1]")
        let stranger = try await web.send(.post, "/groups/1/cameras", admin, body: "[99]")
        #expect(try stranger.status == 404 && stranger.json == ["detail": "Camera 99 not found"])
        #expect(try await web.send(.post, "/groups/1/cameras", admin, body: #"["x"]"#).status == 422)
        #expect(try await web.store.groups.get(ID(1))?.cameras == [ID(1)])
        let deleted = try await web.send(.post, "/groups/bulk-delete", admin, body: "[1, 7]").json
        #expect(deleted["count"] == 1 && deleted["errors"] == ["Group 7 not found"])
    }

    @Test("Viewers see groups without credentials, restricted ones none, API keys the short form")
    func forms() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let camera = try await web.camera()
        _ = try await web.store.groups.insert(CameraGroup(id: ID(0), name: "G", createdAt: WallTime(microseconds: 0), cameras: [camera.id]))
        let viewer = try await web.signIn(.viewer)
        let fields: HTTPFields = [.authorization: "Bearer \(viewer.accessToken)"]
        let seen = try await web.send(.get, "/groups", fields)
        #expect(!seen.text.contains("p%40ss") && seen.text.contains("rtsp://10.0.0.9/cam0"))
        let key = try await web.send(.get, "/groups/1", try await web.apiKey())
        #expect(try key.json["cameras"]?.array?.first?.object?.keys == CameraField.summaryNames)
        _ = try await web.accounts.update(viewer.user.id) { $0.restrictCameraAccess = true }
        #expect(try await web.send(.get, "/groups", fields).json == [])
        #expect(try await web.send(.get, "/groups/1", fields).status == 404)
        #expect(try await web.send(.get, "/groups", admin).json.array?.count == 1)
    }

    @Test("Motion is switched off and on for a group, each camera back to how it recorded")
    func motion() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        for name in ["a", "b", "c"] { _ = try await web.camera(name) }
        _ = try await web.store.cameras.update(ID(2)) { $0.recording.mode = .continuous }
        _ = try await web.store.cameras.update(ID(3)) { $0.recording.mode = .off }
        _ = try await web.store.groups.insert(
            CameraGroup(id: ID(0), name: "G", createdAt: WallTime(microseconds: 0), cameras: [ID(1), ID(2), ID(3)]))
        func act(_ body: String) async throws -> JSONValue { try await web.send(.post, "/groups/1/action", admin, body: body).json }
        func modes() async throws -> [RecordingMode] { try await web.store.cameras.all().map(\.recording.mode) }
        #expect(try await act(#"{"action": "disable_motion"}"#) == ["status": "success", "modified_count": 2])
        #expect(try await modes() == [.off, .off, .off])
        #expect(try await act(#"{"action": "enable_motion", "target_camera_ids": [2]}"#)["modified_count"] == 1)
        #expect(try await modes() == [.off, .continuous, .off])
        #expect(try await act(#"{"action": "enable_motion"}"#)["modified_count"] == 2)
        #expect(try await modes() == [.motionTriggered, .continuous, .motionTriggered])
        #expect(try await act(#"{"action": "enable_motion"}"#)["modified_count"] == 0)
        #expect(try await act(#"{"action": "nosuch"}"#) == ["detail": "Invalid action"])
        #expect(try await web.send(.post, "/groups/1/action", admin, body: #"{"action": "enable_motion", "target_camera_ids": [9]}"#).status == 400)
        #expect(try await web.send(.post, "/groups/1/action", admin, body: "{}").status == 422)
    }

    /// Fields of each category that a copy takes along, changed away from their defaults.
    private static func change(_ camera: inout Camera) {
        camera.recording.maxLength = 60
        camera.detection.threshold = 99
        camera.pictures.quality = 11
        camera.detection.motionMasks = [Mask(points: [.init(x: 0, y: 0), .init(x: 1, y: 0), .init(x: 1, y: 1)])]
        camera.overlay.left = "left"
        camera.alerts.emailAddress = "a@example.com"
        camera.schedule.monday.isEnabled = false
        camera.storage.archiveAfterHours = 7
        camera.streams.width = 1234
        camera.streams.framerate = 3
        camera.onvif.host = "10.0.0.1"
        camera.onvif.password = "secret"
        camera.general.location = "there"
        camera.general.isActive = false
        camera.ai.threshold = 0.9
    }

    @Test("Copies take along what is named and never who a camera is", arguments: CameraField.Category.allCases + [nil])
    func copy(category: CameraField.Category?) async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        let source = try await web.camera("source", url: "rtsp://10.0.0.1/a")
        let target = try await web.camera("target", url: "rtsp://10.0.0.2/b")
        _ = try await web.store.cameras.update(source.id) { Self.change(&$0) }
        _ = try await web.store.groups.insert(
            CameraGroup(id: ID(0), name: "G", createdAt: WallTime(microseconds: 0), cameras: [source.id, target.id]))
        let copied: [CameraField.Category] = [.recording, .motion, .snapshots, .masks, .overlay, .alerts, .schedule, .storage]
        let list = category.map { #", "categories": ["\#($0.rawValue)"]"# } ?? ""
        let answer = try await web.send(.post, "/groups/1/action", admin, body: #"{"action": "copy_settings", "source_camera_id": 1\#(list)}"#)
        if let category, !copied.contains(category) {
            #expect(answer.status == 422)
            #expect(try await web.store.cameras.get(target.id) == target)
            return
        }
        #expect(try answer.json["modified_count"] == 1)
        let changed = try #require(try await web.store.cameras.get(target.id))
        var wanted = target
        var whole = target
        Self.change(&whole)
        for part in category.map({ [$0] }) ?? copied { wanted.copySettings(of: whole, categories: [part]) }
        #expect(changed == wanted && changed != target)
        #expect(changed.streams == target.streams && changed.general == target.general && changed.onvif == target.onvif && changed.ai == target.ai)
    }

    @Test("A camera's settings go to cameras and groups that are named, all or none")
    func copyRoute() async throws {
        let web = try await WebFixture()
        let admin = try await web.bearer()
        for name in ["a", "b", "c", "d"] { _ = try await web.camera(name) }
        _ = try await web.store.cameras.update(ID(1)) { $0.detection.threshold = 99 }
        _ = try await web.store.groups.insert(CameraGroup(id: ID(0), name: "G", createdAt: WallTime(microseconds: 0), cameras: [ID(1), ID(3)]))
        func copy(_ body: String) async throws -> WebFixture.Answer { try await web.send(.post, "/cameras/1/copy-settings", admin, body: body) }
        #expect(try await copy(#"{"camera_ids": [2, 99], "categories": ["motion"]}"#).status == 404)
        #expect(try await web.store.cameras.get(ID(2))?.detection.threshold == 1500)
        #expect(try await copy(#"{"camera_ids": [2], "group_ids": [1], "categories": ["motion"]}"#).json["modified_count"] == 2)
        #expect(try await web.store.cameras.all().map(\.detection.threshold) == [99, 99, 99, 1500])
        #expect(try await copy(#"{"group_ids": [9]}"#).json == ["detail": "Group 9 not found"])
        #expect(try await copy("{}").status == 422)
        #expect(try await copy(#"{"camera_ids": 5}"#).status == 422)
        #expect(try await web.send(.post, "/cameras/99/copy-settings", admin, body: #"{"camera_ids": [2]}"#).status == 404)
    }
}
