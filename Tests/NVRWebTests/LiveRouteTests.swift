import HTTPTypes
import Hummingbird
import ISOBMFF
import NVRAccounts
import NVRCameras
import NVRMedia
import NVRModel
import NVRWeb
import Testing
import WebSocketUpgrade

/// Who gets a WebSocket or moving pictures, before anything of them is sent.
@Suite("Live routes")
struct LiveRouteTests {
    private static let kinds = ["ws", "mse"]

    @Test("a WebSocket is granted to whoever may see the camera, by header, cookie or key", arguments: kinds)
    func granted(kind: String) async throws {
        let web = try await WebFixture()
        let path = "/cameras/\(try await web.camera().id)/\(kind)"
        let signIn = try await web.signIn(.viewer)
        for fields: HTTPFields in [
            [.authorization: "Bearer \(signIn.accessToken)"], [.cookie: "media_token=\(signIn.mediaToken)"],
            [.cookie: "auth_token=\(signIn.accessToken)", .origin: "http://nvr.test:8080"], try await web.apiKey(of: .viewer),
        ] {
            for prefix in ["", "/api"] {
                let slot = WebSocketSlot()
                let answer = try await web.send(.get, prefix + path + "?stream=sub&audio=false", fields, webSocket: slot)
                #expect(answer.status == 101)
                let session = try #require(slot.take())
                session.closed()
            }
        }
    }

    @Test("strangers, pages of others, viewers without the right and unknown cameras are refused before the handshake", arguments: kinds)
    func refused(kind: String) async throws {
        let web = try await WebFixture()
        let camera = try await web.camera()
        let path = "/cameras/\(camera.id)/\(kind)"
        func status(_ path: String, _ fields: HTTPFields) async throws -> Int {
            let slot = WebSocketSlot()
            let answer = try await web.send(.get, path, fields, webSocket: slot)
            #expect(slot.take() == nil, "\(path)")
            #expect(answer.headers[.contentType] == "application/json" && !answer.body.isEmpty)
            return answer.status
        }
        let admin = try await web.bearer()
        #expect(try await status(path, [:]) == 401)
        #expect(try await status(path, [.cookie: "media_token=old"]) == 401)
        #expect(try await status("/cameras/99/\(kind)", admin) == 404)
        #expect(try await status("/cameras/x/\(kind)", admin) == 422)
        #expect(try await status(path + "?stream=third", admin) == 422)
        #expect(try await status("/cameras", admin) == 400)
        #expect(try await status("/nosuch", admin) == 404)
        let cookie = "auth_token=\(try await web.signIn().accessToken)"
        #expect(try await status(path, [.cookie: cookie, .origin: "http://evil.test"]) == 403)
        #expect(try await status(path, [.cookie: cookie, .origin: "null"]) == 403)
        #expect(try await status(path, [.cookie: cookie, .secFetchSite: "cross-site"]) == 403)
        let viewer = try await web.signIn(.viewer)
        _ = try await web.accounts.update(viewer.user.id) { $0.restrictCameraAccess = true }
        let restricted: HTTPFields = [.authorization: "Bearer \(viewer.accessToken)"]
        // The same for cameras that there are and for those that there are not.
        #expect(try await status(path, restricted) == 403)
        #expect(try await status("/cameras/99/\(kind)", restricted) == 403)
    }

    @Test("without the handshake the same rights count, and then the handshake is asked for", arguments: kinds)
    func plain(kind: String) async throws {
        let web = try await WebFixture()
        let path = "/cameras/\(try await web.camera().id)/\(kind)"
        #expect(try await web.send(.get, path).status == 401)
        let answer = try await web.send(.get, path, try await web.bearer())
        #expect(answer.status == 426 && answer[.upgrade] == "websocket")
    }

    @Test("viewers are bounded, and a place is free again when one leaves")
    func bounded() async throws {
        let web = try await WebFixture { $0.mostConnections = 2 }
        let path = "/cameras/\(try await web.camera().id)/ws"
        let admin = try await web.bearer()
        let slot = WebSocketSlot()
        #expect(try await web.send(.get, path, admin, webSocket: slot).status == 101)
        let second = try await web.send(.get, path, admin, webSocket: WebSocketSlot())
        #expect(second.status == 503 && second[.retryAfter] != nil)
        let session = try #require(slot.take())
        session.closed()
        session.closed()
        #expect(try await web.send(.get, path, admin, webSocket: WebSocketSlot()).status == 101)
        #expect(try await web.send(.get, path, admin, webSocket: WebSocketSlot()).status == 503)
    }

    @Test("moving pictures ask for the right to see, and for a picture")
    func motionJPEG() async throws {
        let web = try await WebFixture()
        let path = "/cameras/\(try await web.camera().id)/stream"
        #expect(try await web.send(.get, path).status == 401)
        let admin = try await web.bearer()
        let none = try await web.send(.get, path, admin)
        #expect(try none.status == 503 && none.json == ["detail": "Stream unavailable"])
        web.world.value.picture = Picture(jpeg: [0xFF, 0xD8], width: 4, height: 2, time: WallTime(microseconds: 0))
        let head = try await web.send(.head, path, admin)
        #expect(head.status == 200 && head[.contentType] == "multipart/x-mixed-replace; boundary=frame")
        #expect(head[.cacheControl]?.contains("no-store") == true)
        #expect(try await web.send(.get, path + "?fps=0", admin).status == 422)
        #expect(try await web.send(.get, path + "?width=9999", admin).status == 422)
        let viewer = try await web.signIn(.viewer)
        _ = try await web.accounts.update(viewer.user.id) { $0.restrictCameraAccess = true }
        #expect(try await web.send(.get, path, [.authorization: "Bearer \(viewer.accessToken)"]).status == 404)
    }

    @Test("the JSON beside live pictures")
    func messages() throws {
        let description = StreamDescription(
            run: 3, origin: WallTime(microseconds: 1_790_000_000_000_000), video: .avc(sps: [[0x67, 0x64, 0, 0x28]], pps: [[0x68]]),
            audio: .init(codec: .aac(audioSpecificConfig: [0x14, 0x08]), timescale: 16_000, channels: 1))
        let run = LiveRun(description: description, role: .main, framesPerSecond: 14.99667)
        let info = try #require(LiveMessages.run(run, requested: .sub, withAudio: true, format: .fragments).object)
        #expect(info["type"] == "info" && info["stream"] == "main" && info["requested"] == "sub")
        #expect(info["codec"] == "avc1.640028" && info["codec_name"] == "h264" && info["fps"] == 15.0)
        #expect(info["started_at"] == "2026-09-21T14:13:20Z")
        #expect(info["mime_type"] == "video/mp4; codecs=\"avc1.640028,mp4a.40.2\"")
        #expect(info["audio"]?.object?["description"] == "1408" && info["audio"]?.object?["sample_rate"] == 16_000)
        let plain = try #require(LiveMessages.run(run, requested: .main, withAudio: false, format: .frames).object)
        #expect(plain["audio"] == .null && plain["mime_type"] == nil)
        #expect(LiveMessages.motion(nil) == ["type": "motion", "active": false, "boxes": []])
        let motion = LiveMotion(
            since: WallTime(microseconds: 0), source: "standard", metadata: #"{"boxes":[[0.1,0.2,0.3,0.4]]}"#, updatedAt: WallTime(microseconds: 0))
        #expect(LiveMessages.motion(motion).object?["boxes"] == [[0.1, 0.2, 0.3, 0.4]])
        #expect(
            LiveMessages.state(nil)
                == ["type": "state", "status": "DISABLED", "reason": .null, "reason_code": .null, "reason_parameters": .null])
    }
}
