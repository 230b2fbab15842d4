import HTTPTypes
import Hummingbird
import NVRAccounts
import NVRBase
import NVRModel
import NVRRecording
import NVRStore

/// Cameras: what they are, made, changed, ordered, deleted. A change is a row; the supervisor makes it true.
struct CameraRoutes: Sendable {
    let store: Store
    let live: LiveCameras
    let media: RecordedMedia
    let rules: CameraURL.Rules
    let clock: any NVRClock
    private let texts = CameraTexts()

    init(store: Store, live: LiveCameras, media: RecordedMedia, rules: CameraURL.Rules, clock: any NVRClock) {
        self.store = store
        self.live = live
        self.media = media
        self.rules = rules
        self.clock = clock
    }

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
            Route(.post, "/cameras/{camera_id}/clone", .admin, clone),
            Route(.post, "/cameras/{camera_id}/copy-settings", .admin, copySettings),
            Route(.post, "/cameras/{camera_id}/cleanup", .admin, cleanUp),
        ]
    }

    private var now: WallTime { WallTime(microseconds: clock.wall()) }

    private func list(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        var fields = FieldReader()
        let skip = fields.integer(call.query, "skip", default: 0, limits: 0...1_000_000)
        let limit = fields.integer(call.query, "limit", default: 100, limits: 1...1000)
        try fields.finish()
        let answers = try await answers(call)
        let visible = try await store.cameras.all().filter { Access.allows(caller, .view, camera: $0.id) }
        return Response(jsonBytes: answers.bytes(visible.dropFirst(skip).prefix(limit), texts), fields: [.xTotalCount: String(visible.count)])
    }

    private func one(_ call: Call) async throws -> Response {
        let camera = try await store.camera(try call.id("camera_id"), visibleTo: try call.requireCaller())
        return Response(json: try await answers(call).json(camera))
    }

    private func create(_ call: Call) async throws -> Response {
        let patch = try CameraPatch(body: try call.json(), creating: true, rules: rules)
        var camera = patch.newCamera(at: now)
        if !patch.names.contains("live_view_mode") {
            camera.general.liveViewMode = try await store.settings.values()[Settings.defaultLiveViewMode]
        }
        let stored = try await store.cameras.insert(camera, atEnd: !patch.names.contains("sort_order"))
        return Response(json: try await answers(call).json(stored))
    }

    private func update(_ call: Call) async throws -> Response {
        let id = try call.id("camera_id", of: Camera.self)
        let patch = try CameraPatch(body: try call.json(), creating: false, rules: rules)
        let camera = try await store.cameras.update(id) { patch.apply(to: &$0) }
        return Response(json: try await answers(call).json(camera))
    }

    /// Another camera of the same settings. It is switched off, since most cameras serve few readers, unless the body, which may
    /// change any field, says otherwise.
    private func clone(_ call: Call) async throws -> Response {
        let source = try await store.camera(try call.id("camera_id"), visibleTo: try call.requireCaller())
        let patch = call.body.readableBytes == 0 ? CameraPatch() : try CameraPatch(body: try call.json(), creating: false, rules: rules)
        var copy = source
        copy.id = ID(0)
        copy.createdAt = now
        copy.general.name = String(source.general.name.prefix(93)) + " (copy)"
        copy.general.isActive = false
        patch.apply(to: &copy)
        let camera = try await store.cameras.insert(copy, atEnd: !patch.names.contains("sort_order"))
        return Response(json: try await answers(call).json(camera))
    }

    /// Copies settings of some categories to other cameras and to those of groups, all or none.
    private func copySettings(_ call: Call) async throws -> Response {
        let source = try call.id("camera_id", of: Camera.self)
        let body = try call.object()
        var fields = FieldReader()
        let categories = CopiedCategories.read(body["categories"], &fields)
        var targets = Set(fields.ids(body, "camera_ids", of: Camera.self) ?? [])
        let groups = fields.ids(body, "group_ids", of: CameraGroup.self)
        if body["camera_ids"] == nil, body["group_ids"] == nil { fields.note(.missing([.key("body"), .key("camera_ids")], body: .object(body))) }
        try fields.finish()
        for id in groups ?? [] {
            guard let group = try await store.groups.get(id) else { throw HTTPFailure(.notFound, "Group \(id) not found") }
            targets.formUnion(group.cameras)
        }
        let changed = try await store.cameras.copySettings(from: source, to: Array(targets), categories: categories)
        return Response(json: ["status": "success", "modified_count": JSONValue(changed.count)])
    }

    private func delete(_ call: Call) async throws -> Response {
        let id = try call.id("camera_id", of: Camera.self)
        let answers = try await answers(call)
        guard let camera = try await remove(id, withMedia: try call.flag("delete_media")) else { throw HTTPFailure.cameraNotFound }
        return Response(json: answers.json(camera))
    }

    private func bulkDelete(_ call: Call) async throws -> Response {
        let withMedia = try call.flag("delete_media")
        var count = 0
        var errors: [JSONValue] = []
        var seen: Set<ID<Camera>> = []
        for id in try call.ids(key: "camera_ids", of: Camera.self) where seen.insert(id).inserted {
            do {
                if try await remove(id, withMedia: withMedia) == nil {
                    errors.append(.string("Camera \(id) not found"))
                } else {
                    count += 1
                }
            } catch let failure as HTTPFailure where failure.status == .conflict {
                errors.append(.string("Camera \(id): \(failure.detail.string ?? "")"))
            }
        }
        return Response(json: ["deleted_count": JSONValue(count), "errors": .array(errors)])
    }

    private func remove(_ id: ID<Camera>, withMedia: Bool) async throws -> Camera? {
        if withMedia, try await store.holds.holdsAnything(of: id) { throw Self.isHeld }
        guard let camera = try await store.cameras.delete(id, at: now) else { return nil }
        if withMedia {
            // What is being written would be left behind.
            await live.waitUntilEnded(id)
            try await media.deleteMedia(id)
        }
        return camera
    }

    private static let isHeld = HTTPFailure(
        .conflict, "Footage of the camera is held; release its holds, or delete the camera without its media")

    /// Applies the camera's limits of age and size now instead of later.
    private func cleanUp(_ call: Call) async throws -> Response {
        let camera = try await store.camera(try call.id("camera_id"), visibleTo: try call.requireCaller())
        let named = call.query["type"].flatMap { $0.isEmpty ? nil : $0 }
        let medium = named.flatMap(Event.Medium.init(rawValue:))
        if named != nil, medium == nil { throw HTTPFailure(.badRequest, "Invalid cleanup type. Must be 'video' or 'snapshot'") }
        let removed = try await media.enforceLimits(camera, medium)
        return Response(json: [
            "status": "success", "message": .string("Cleanup triggered for camera \(camera.general.name) (type=\(named ?? "all"))"),
            "deleted_count": JSONValue(removed.events), "deleted_size_bytes": .integer(removed.bytes),
        ])
    }

    private func reorder(_ call: Call) async throws -> Response {
        try await store.cameras.reorder(try call.ids(key: "camera_ids"))
        return Response(json: ["message": "Cameras reordered successfully"])
    }

    private func toggleRecording(_ call: Call) async throws -> Response {
        let id = try call.id("camera_id", of: Camera.self)
        let camera = try await store.cameras.update(id) { $0.recording.toggleContinuous() }
        return Response(json: try await answers(call).toggleJSON(camera))
    }

    private func answers(_ call: Call) async throws -> CameraAnswers {
        try await CameraAnswers(for: try call.requireCaller(), store: store, live: live)
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
