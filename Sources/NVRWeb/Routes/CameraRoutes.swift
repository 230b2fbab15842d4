import HTTPTypes
import Hummingbird
import NVRAccounts
import NVRBase
import NVRModel
import NVRStore

/// Cameras: what they are, made, changed, ordered, deleted. A change is a row; the supervisor makes it true.
struct CameraRoutes: Sendable {
    let store: Store
    let live: LiveCameras
    let media: RecordedMedia
    let rules: CameraURL.Rules
    let clock: any NVRClock

    var routes: [Route] {
        [
            Route(.get, "/cameras", .userOrKey, list),
            Route(.post, "/cameras", .admin, create),
            Route(.post, "/cameras/reorder", .admin, reorder),
            Route(.post, "/cameras/bulk-delete", .admin, bulkDelete),
            Route(.get, "/cameras/{camera_id}", .userOrKey, one),
            Route(.put, "/cameras/{camera_id}", .admin, update),
            Route(.delete, "/cameras/{camera_id}", .admin, delete),
            Route(.post, "/cameras/{camera_id}/recording", .admin, toggleRecording),
        ]
    }

    private var now: WallTime { WallTime(microseconds: clock.wall()) }

    private func list(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        var fields = FieldReader()
        let skip = fields.integer(call.query, "skip", default: 0, limits: 0...1_000_000)
        let limit = fields.integer(call.query, "limit", default: 100, limits: 1...1000)
        try fields.finish()
        let health = live.health()
        let visible = try await store.cameras.all().filter { Access.allows(caller, .view, camera: $0.id) }
        let page = visible.dropFirst(skip).prefix(limit).map { json($0, for: caller, health[$0.id]) }
        return Response(json: .array(page), fields: [.xTotalCount: String(visible.count)])
    }

    private func one(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        let camera = try await store.camera(try call.id("camera_id"), visibleTo: caller)
        return Response(json: json(camera, for: caller, live.health()[camera.id]))
    }

    private func create(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        let patch = try CameraPatch(body: try call.json(), creating: true, rules: rules)
        let camera = try await store.cameras.insert(patch.newCamera(at: now))
        return Response(json: json(camera, for: caller, nil))
    }

    private func update(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        let id = try call.id("camera_id", of: Camera.self)
        let patch = try CameraPatch(body: try call.json(), creating: false, rules: rules)
        let camera = try await store.cameras.update(id) { patch.apply(to: &$0) }
        return Response(json: json(camera, for: caller, live.health()[id]))
    }

    private func delete(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        let id = try call.id("camera_id", of: Camera.self)
        let health = live.health()[id]
        guard let camera = try await remove(id, withMedia: try call.flag("delete_media")) else { throw HTTPFailure.cameraNotFound }
        return Response(json: json(camera, for: caller, health))
    }

    private func bulkDelete(_ call: Call) async throws -> Response {
        let withMedia = try call.flag("delete_media")
        var count = 0
        var errors: [JSONValue] = []
        for id in try call.ids(key: "camera_ids", of: Camera.self) {
            if try await remove(id, withMedia: withMedia) == nil {
                errors.append(.string("Camera \(id) not found"))
            } else {
                count += 1
            }
        }
        return Response(json: ["deleted_count": JSONValue(count), "errors": .array(errors)])
    }

    private func remove(_ id: ID<Camera>, withMedia: Bool) async throws -> Camera? {
        guard let camera = try await store.cameras.delete(id, footage: withMedia ? .delete : .keep, at: now) else { return nil }
        if withMedia { try await media.deleteMedia(id) }
        return camera
    }

    private func reorder(_ call: Call) async throws -> Response {
        try await store.cameras.reorder(try call.ids(key: "camera_ids"))
        return Response(json: ["message": "Cameras reordered successfully"])
    }

    private func toggleRecording(_ call: Call) async throws -> Response {
        let id = try call.id("camera_id", of: Camera.self)
        let camera = try await store.cameras.update(id) { $0.recording.toggleContinuous() }
        return Response(json: Self.toggleJSON(json(camera, for: try call.requireCaller(), live.health()[id])))
    }

    // MARK: JSON

    /// The camera as the caller may see it. The long forms also say why a camera is in its state, since when, and what reads it.
    private func json(_ camera: Camera, for caller: Identity, _ health: CameraHealth?) -> JSONValue {
        let form = caller.cameraForm
        guard case .object(var object) = camera.json(form, health: health) else { return .null }
        if health == nil { object["status"] = .string(camera.statusWhenNotRunning.rawValue) }
        if camera.streams.autoResolution, let width = health?.width, let height = health?.height {
            object["resolution_width"] = JSONValue(width)
            object["resolution_height"] = JSONValue(height)
        }
        if form == .summary { return .object(object) }
        object["status_reason"] = JSONValue(health?.reason)
        object["status_since"] = JSONValue(health?.since.iso8601)
        object["source"] = JSONValue(health?.source)
        object["is_recording"] = .bool(health?.isRecording ?? false)
        return .object(object)
    }

    /// The toggle answers a camera in another shape than every other route, and clients know that shape: lists as text, times with
    /// an offset, one member per storage profile, no groups (wire/camera_recording_toggle.txt).
    static func toggleJSON(_ camera: JSONValue) -> JSONValue {
        guard case .object(var object) = camera else { return camera }
        object["groups"] = nil
        if let labels = object["ai_object_types"]?.array {
            object["ai_object_types"] = .string("[" + labels.map { $0.serialized() }.joined(separator: ", ") + "]")
        }
        for key in ["created_at", "last_seen"] {
            if let text = object[key]?.string, text.hasSuffix("Z") { object[key] = .string(text.dropLast() + "+00:00") }
        }
        object["notify_attach_image_telegram"] = true
        for key in ["motion_storage_profile", "continuous_storage_profile", "snapshot_storage_profile"] { object[key] = .null }
        return .object(object)
    }
}

extension Camera.Recording {
    /// Continuous recording on, or back to the mode before it; a camera that has always been continuous stops.
    mutating func toggleContinuous() {
        if mode == .continuous {
            mode = previousMode ?? .off
            previousMode = nil
        } else {
            previousMode = mode
            mode = .continuous
        }
    }
}

extension Camera {
    /// The state of a camera that nothing runs for: it is switched off, or about to be started.
    var statusWhenNotRunning: CameraStatus { general.isActive ? .starting : .disabled }
}

extension Store {
    /// A camera that exists and that the caller may see: both misses are the same 404, so that ids cannot be felt for.
    func camera(_ id: ID<Camera>, visibleTo caller: Identity) async throws -> Camera {
        guard Access.allows(caller, .view, camera: id), let camera = try await cameras.get(id) else { throw HTTPFailure.cameraNotFound }
        return camera
    }
}
