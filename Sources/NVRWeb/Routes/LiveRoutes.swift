import FoundationEssentials
import HTTPTypes
import Hummingbird
import NVRAccounts
import NVRBase
import NVRMedia
import NVRModel
import NVRStore
import ServiceLifecycle

/// What cameras show now: pictures, snapshots, and a first look at a stream before it is saved.
struct LiveRoutes: Sendable {
    let store: Store
    let live: LiveCameras
    let rules: CameraURL.Rules
    let accounts: Accounts
    let totals: LiveTotals
    let clock: any NVRClock

    var routes: [Route] {
        [
            Route(.post, "/cameras/probe-stream", .admin, probe),
            Route(.get, "/cameras/{camera_id}/frame", .media, frame),
            Route(.get, "/cameras/{camera_id}/stream", .media, movingPictures),
            Route(.get, "/cameras/{camera_id}/ws", .media, isWebSocket: true) { try await watch($0, as: .frames) },
            Route(.get, "/cameras/{camera_id}/mse", .media, isWebSocket: true) { try await watch($0, as: .fragments) },
            Route(.post, "/cameras/{camera_id}/snapshot", .admin, snapshot),
        ]
    }

    static let uncached: HTTPFields = [.cacheControl: "no-cache, no-store, must-revalidate"]

    private func frame(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        let id = try call.id("camera_id", of: Camera.self)
        var fields = FieldReader()
        // Widths are few steps of 16 pixels, so that many viewers share one encoded picture.
        let width = fields.integer(call.query, "width", default: 0, limits: 0...7680) / 16 * 16
        try fields.finish()
        if try call.flag("raw"), !Access.allows(caller, .administer) { throw HTTPFailure.adminRequired }
        _ = try await store.camera(id, visibleTo: caller)
        let picture: Picture
        do {
            picture = try await live.frame(id, width == 0 ? nil : width)
        } catch let error as NVRError where error.kind == .unavailable || error.kind == .timeout {
            throw HTTPFailure(.serviceUnavailable, "Frame unavailable", fields: Self.uncached)
        }
        var headers = Self.uncached
        headers[.contentType] = "image/jpeg"
        headers[.lastModified] = HTTPDate(seconds: picture.time.microseconds.flooredDivision(by: 1_000_000).quotient).text
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: picture.jpeg)))
    }

    // MARK: Watching

    private func access(of caller: Identity, to camera: ID<Camera>) -> LiveAccess {
        LiveAccess(
            authenticator: accounts.authenticator, changes: accounts.accessChanges, store: store, identity: caller, camera: camera)
    }

    /// A WebSocket with pictures and sound as they come from the camera.
    private func watch(_ call: Call, as format: LiveFormat) async throws -> Response {
        let caller = try call.requireCaller()
        let id = try call.id("camera_id", of: Camera.self)
        var fields = FieldReader()
        let role = fields.value(
            FieldCheck.choice(
                .string(call.query["stream"] ?? StreamRole.main.rawValue), of: StreamRole.allCases.map(\.rawValue),
                loc: [.key("query"), .key("stream")]))
        let audio = fields.value(FieldCheck.boolean(.string(call.query["audio"] ?? "true"), loc: [.key("query"), .key("audio")]))
        let codecs = Self.codecs(call.query["codecs"], &fields)
        try fields.finish()
        // Whether there is a camera of this id is nobody's business who sees no more than some.
        guard Access.allows(caller, .view, camera: id) else { throw HTTPFailure.accessDenied }
        _ = try await store.camera(id, visibleTo: caller)
        guard let slot = call.context.webSocket else { throw HTTPFailure.upgradeRequired }
        guard totals.enter() else { throw HTTPFailure.tooManyViewers }
        slot.grant(
            LiveSession(
                wish: LiveWish(
                    camera: id, role: role.flatMap(StreamRole.init(rawValue:)) ?? .main, format: format, withAudio: audio ?? true,
                    codecs: codecs),
                live: live, access: access(of: caller, to: id), totals: totals, clock: clock, logger: call.context.logger))
        return Response(status: .switchingProtocols)
    }

    /// The video codecs that a player takes, as the messages name them; nil for everything.
    private static func codecs(_ text: String?, _ fields: inout FieldReader) -> Set<String>? {
        guard let text else { return nil }
        let names = ["h264": "h264", "h265": "hevc", "hevc": "hevc", "mjpeg": "mjpeg"]
        var result: Set<String> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let name = fields.value(
                FieldCheck.choice(.string(part.lowercased()), of: names.keys.sorted(), loc: [.key("query"), .key("codecs")]))
            if let codec = name.flatMap({ names[$0] }) { result.insert(codec) }
        }
        return result
    }

    private func movingPictures(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        let id = try call.id("camera_id", of: Camera.self)
        var fields = FieldReader()
        let asked = fields.integer(call.query, "width", default: 0, limits: 0...7680) / 16 * 16
        var width = asked == 0 ? nil : asked
        let rate = fields.integer(call.query, "fps", default: 5, limits: 1...60)
        try fields.finish()
        _ = try await store.camera(id, visibleTo: caller)
        let settings = try await store.settings.values()
        let (quality, highest) = (settings[Settings.optLiveViewQuality], settings[Settings.optLiveViewHeightLimit])
        var first: Picture
        do {
            first = try await live.picture(id, width, 150_000, quality)
            if first.height > highest {
                width = max(16, first.width * highest / first.height / 16 * 16)
                first = try await live.picture(id, width, 150_000, quality)
            }
        } catch let error as NVRError where error.kind == .unavailable || error.kind == .timeout {
            throw HTTPFailure(.serviceUnavailable, "Stream unavailable", fields: Self.uncached)
        }
        guard totals.enter() else { throw HTTPFailure.tooManyViewers }
        return MovingPictures(
            camera: id, width: width, rate: min(rate, MovingPictures.mostPerSecond), quality: quality, live: live,
            access: access(of: caller, to: id), totals: totals
        ).response(first: first, channel: call.context.channel, clock: clock)
    }

    private func snapshot(_ call: Call) async throws -> Response {
        let camera = try await store.camera(try call.id("camera_id"), visibleTo: try call.requireCaller())
        guard camera.pictures.manualSnapshots else { throw HTTPFailure(.forbidden, "Manual snapshots are switched off for this camera") }
        _ = try await live.takeSnapshot(camera.id)
        return Response(json: ["status": "success", "message": "Snapshot triggered"])
    }

    private func probe(_ call: Call) async throws -> Response {
        let body = try call.object()
        var fields = FieldReader()
        let urlPlace: [FieldProblem.Step] = [.key("body"), .key("rtsp_url")]
        var url = ""
        if let sent = body["rtsp_url"] {
            if let text = fields.value(FieldCheck.text(sent, length: 0...CameraURL.maxLength, isPlain: false, loc: urlPlace)) {
                switch CameraURL.check(text, rules: rules) {
                case .success(let checked): url = checked
                case .failure(let refusal): fields.note(.value(urlPlace, refusal.message, input: sent))
                }
            }
        } else {
            fields.note(.missing(urlPlace, body: .object(body)))
        }
        let choices = StreamTransport.allCases.map(\.rawValue)
        let named = fields.value(
            FieldCheck.choice(body["rtsp_transport"] ?? "tcp", of: choices, loc: [.key("body"), .key("rtsp_transport")]))
        let isPictureSent = body["picture"].flatMap { sent in
            sent == .null ? nil : fields.value(FieldCheck.boolean(sent, loc: [.key("body"), .key("picture")]))
        }
        try fields.finish()
        let width = isPictureSent ?? false ? Self.pictureWidth : nil
        let transport = named.flatMap(StreamTransport.init(rawValue:)) ?? .tcp
        // A look may take seconds, and a server that is told to end has none to give.
        let look = await cancelWhenGracefulShutdown { [self, url] in await self.look(at: url, transport, width) }
        guard look.error == nil, let seenWidth = look.width, let seenHeight = look.height else {
            let reason = look.error ?? "Failed to probe stream. Check credentials and URL."
            var answer: JSONObject = ["success": false, "width": nil, "height": nil]
            answer.say("error", reason)
            if isPictureSent ?? false { answer["picture"] = .null }
            return Response(json: .object(answer))
        }
        var answer: JSONObject = [
            "success": true, "width": JSONValue(seenWidth), "height": JSONValue(seenHeight), "error": nil, "codec": JSONValue(look.codec),
            "audio_codec": JSONValue(look.audioCodec),
        ]
        if isPictureSent ?? false {
            answer["picture"] = JSONValue(look.picture.map { "data:image/jpeg;base64," + Data($0).base64EncodedString() })
        }
        return Response(json: .object(answer))
    }

    /// What a stream shows. One that is being read already is not opened again: many cameras serve each stream once.
    private func look(at url: String, _ transport: StreamTransport, _ pictureWidth: Int?) async -> StreamProbe {
        for _ in 0..<Self.mostLooks {
            guard let (id, health) = await running(url) else { break }
            if health.status == .connected, let width = health.width, let height = health.height {
                var look = StreamProbe(
                    width: width, height: height, codec: health.videoCodec, audioCodec: health.audioCodec, source: health.source)
                // Without one the rest is told all the same.
                if let pictureWidth { look.picture = try? await live.frame(id, pictureWidth).jpeg }
                return look
            }
            guard health.status == .starting || health.status == .connected else { break }
            // Cancelled by the shutdown; the look below then ends at once.
            guard (try? await Task.sleep(for: .milliseconds(200))) != nil else { break }
        }
        return await live.probe(url, transport, pictureWidth)
    }

    /// Looks at a camera that is being started, 200 ms apart.
    private static let mostLooks = 50

    /// Pixels: what a form shows.
    private static let pictureWidth = 640

    /// A running camera whose main stream has this URL, and its state.
    private func running(_ url: String) async -> (ID<Camera>, CameraHealth)? {
        // A database that does not answer only means that the stream is opened.
        guard let cameras = try? await store.cameras.all() else { return nil }
        let health = live.health()
        return cameras.lazy.filter { $0.general.isActive && $0.streams.url == url }.compactMap { camera in
            health[camera.id].map { (camera.id, $0) }
        }.first
    }
}
