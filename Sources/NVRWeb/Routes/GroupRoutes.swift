import HTTPTypes
import Hummingbird
import NVRAccounts
import NVRBase
import NVRModel
import NVRStore

/// Groups of cameras, and what is done to all cameras of one at once.
struct GroupRoutes: Sendable {
    let store: Store
    let live: LiveCameras
    let clock: any NVRClock

    var routes: [Route] {
        [
            Route(.get, "/groups", .userOrKey, list),
            Route(.post, "/groups", .admin, create),
            Route(.post, "/groups/bulk-delete", .admin, bulkDelete),
            Route(.get, "/groups/{group_id}", .userOrKey, one),
            Route(.delete, "/groups/{group_id}", .admin, delete),
            Route(.post, "/groups/{group_id}/cameras", .admin, setCameras),
            Route(.post, "/groups/{group_id}/action", .admin, action),
        ]
    }

    private static let notFound = HTTPFailure(.notFound, "Group not found")

    // MARK: Reading

    private func list(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        var fields = FieldReader()
        let skip = fields.integer(call.query, "skip", default: 0, limits: 0...1_000_000)
        let limit = fields.integer(call.query, "limit", default: 100, limits: 1...1000)
        try fields.finish()
        let visible = try await store.groups.all().compactMap { Self.visible($0, to: caller) }
        let page = visible.dropFirst(skip).prefix(limit)
        return Response(json: .array(try await json(page, for: caller)), fields: [.xTotalCount: String(visible.count)])
    }

    private func one(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        guard let group = try await store.groups.get(try call.id("group_id")).flatMap({ Self.visible($0, to: caller) }) else {
            throw Self.notFound
        }
        return Response(json: try await json([group], for: caller)[0])
    }

    /// The group with the cameras that the caller may see. Nil for one that has cameras, but none of his: its name is not his business.
    private static func visible(_ group: CameraGroup, to caller: Identity) -> CameraGroup? {
        guard let allowed = Access.visibleCameras(caller) else { return group }
        var group = group
        group.cameras.formIntersection(allowed)
        return group.cameras.isEmpty ? nil : group
    }

    private func json(_ groups: some Collection<CameraGroup>, for caller: Identity) async throws -> [JSONValue] {
        guard !groups.isEmpty else { return [] }
        let cameras = try await store.cameras.all()
        let answers = try await CameraAnswers(for: caller, store: store, live: live)
        return groups.map { group in
            [
                "name": .string(group.name), "description": JSONValue(group.description), "id": .integer(group.id.rawValue),
                "cameras": answers.json(cameras.filter { group.cameras.contains($0.id) }),
            ]
        }
    }

    // MARK: Changing

    private func create(_ call: Call) async throws -> Response {
        let body = try call.object()
        var fields = FieldReader()
        let name = fields.name(body, required: true) ?? ""
        let description = fields.text(body, "description", length: 0...1000)
        try fields.finish()
        let group = try await store.groups.insert(
            CameraGroup(id: ID(0), name: name, description: description, createdAt: WallTime(microseconds: clock.wall())))
        return Response(json: try await json([group], for: try call.requireCaller())[0])
    }

    private func setCameras(_ call: Call) async throws -> Response {
        let id = try call.id("group_id", of: CameraGroup.self)
        let cameras = Set(try call.ids(key: "camera_ids", of: Camera.self))
        let group = try await store.groups.setCameras(id, cameras)
        return Response(json: try await json([group], for: try call.requireCaller())[0])
    }

    private func delete(_ call: Call) async throws -> Response {
        guard try await !store.groups.delete([try call.id("group_id")]).isEmpty else { throw Self.notFound }
        return Response(json: ["message": "Group deleted"])
    }

    private func bulkDelete(_ call: Call) async throws -> Response {
        let ids = try call.ids(key: "group_ids", of: CameraGroup.self)
        let deleted = try await store.groups.delete(ids)
        return Response(json: [
            "message": .string("Successfully deleted \(deleted.count) group(s)"), "count": JSONValue(deleted.count),
            "deleted_count": JSONValue(deleted.count),
            "errors": .array(ids.filter { !deleted.contains($0) }.map { .string("Group \($0) not found") }),
        ])
    }

    /// One action on all cameras of a group, or on those of them that are named; all of it is stored, or none.
    private func action(_ call: Call) async throws -> Response {
        let body = try call.object()
        var fields = FieldReader()
        let name = fields.text(body, "action", length: 0...100, required: true)
        let source = body["source_camera_id"].flatMap { sent in
            sent == .null ? nil : fields.value(FieldCheck.integer(sent, limits: .min ... .max, loc: [.key("body"), .key("source_camera_id")]))
        }
        let named = fields.ids(body, "target_camera_ids", of: Camera.self)
        let categories = CopiedCategories.read(body["categories"], &fields)
        try fields.finish()
        guard let group = try await store.groups.get(try call.id("group_id")) else { throw Self.notFound }
        if let stranger = named?.first(where: { !group.cameras.contains($0) }) {
            throw HTTPFailure(.badRequest, "Camera \(stranger) does not belong to the group")
        }
        let targets = named ?? Array(group.cameras)
        let changed: [ID<Camera>]
        switch name {
        case "enable_motion": changed = try await store.cameras.update(targets) { $0.recording.resume() }
        case "disable_motion": changed = try await store.cameras.update(targets) { $0.recording.pause() }
        case "copy_settings":
            guard let source else { throw HTTPFailure(.badRequest, "source_camera_id required for copy_settings") }
            changed = try await store.cameras.copySettings(from: ID(Int64(source)), to: targets, categories: categories)
        default: throw HTTPFailure(.badRequest, "Invalid action")
        }
        return Response(json: ["status": "success", "modified_count": JSONValue(changed.count)])
    }
}

/// What settings a copy takes along.
enum CopiedCategories {
    /// Those that may be named. Identity, addresses, ONVIF and the picture's size belong to one camera.
    static let all: [CameraField.Category] = [.recording, .motion, .snapshots, .masks, .overlay, .alerts, .schedule, .storage]

    /// The categories of a body; every one when none are named.
    static func read(_ sent: JSONValue?, _ fields: inout FieldReader) -> Set<CameraField.Category> {
        guard let sent, sent != .null else { return Set(all) }
        let loc: [FieldProblem.Step] = [.key("body"), .key("categories")]
        guard let elements = sent.array else {
            fields.note(FieldProblem(type: "list_type", loc: loc, msg: "Input should be a valid list", input: sent))
            return []
        }
        var categories: Set<CameraField.Category> = []
        for (index, element) in elements.prefix(100).enumerated() {
            let name = fields.value(FieldCheck.choice(element, of: all.map(\.rawValue), loc: loc + [.index(index)]))
            if let category = name.flatMap(CameraField.Category.init(rawValue:)) { categories.insert(category) }
        }
        return categories
    }
}

extension Camera.Recording {
    /// Records no more, and remembers how it did.
    mutating func pause() {
        guard mode != .off else { return }
        previousMode = mode
        mode = .off
    }

    /// Records again as before the pause; around motion when nothing is remembered.
    mutating func resume() {
        guard mode == .off else { return }
        mode = previousMode.flatMap { $0 == .off ? nil : $0 } ?? .motionTriggered
        previousMode = nil
    }
}
