import HTTPTypes
import Hummingbird
import NVRAccounts
import NVRBase
import NVRModel
import NVRRecording
import NVRStore

/// Events that come from outside: motion that another program sees, ranges that a person marks, and deletion of all of a kind.
struct EventIntakeRoutes: Sendable {
    let store: Store
    let live: LiveCameras
    let media: RecordedMedia

    var routes: [Route] {
        [
            Route(.post, "/events", .admin, create),
            Route(.post, "/events/webhook", .webhook, webhook),
            Route(.delete, "/events/bulk/all", .admin, deleteAll),
        ]
    }

    // MARK: The webhook

    private func webhook(_ call: Call) async throws -> Response {
        let body = try call.object()
        var fields = FieldReader()
        // The guide says `event`, the reference's own programs say `type`.
        let key = body["type"] == nil && body["event"] != nil ? "event" : "type"
        let word: String?
        if let sent = body[key] {
            word = fields.value(FieldCheck.choice(sent, of: ["motion_on", "motion_off"], loc: [.key("body"), .key(key)]))
        } else {
            fields.note(.missing([.key("body"), .key(key)], body: .object(body)))
            word = nil
        }
        let camera = Self.camera(body, &fields)
        let time = Self.time(body, "timestamp", &fields)
        try fields.finish()
        guard let word, let camera, try await store.cameras.get(camera) != nil else { throw HTTPFailure.cameraNotFound }
        do {
            try live.reportMotion(camera, word == "motion_on", time)
        } catch let error as NVRError where error.kind == .unavailable {
            throw HTTPFailure(.conflict, "The camera is switched off")
        }
        return Response(json: ["status": .string(word + "_captured")])
    }

    // MARK: By hand

    /// Marks a range of stored footage as an event. `file_path` names a recording of the camera, as answers give it; sizes and
    /// dimensions are those of the footage, whatever the body says.
    private func create(_ call: Call) async throws -> Response {
        let body = try call.object()
        var fields = FieldReader()
        let camera = Self.camera(body, &fields)
        let start = Self.time(body, "timestamp_start", &fields, required: true)
        let end = Self.time(body, "timestamp_end", &fields)
        let medium = Self.choice(body, "type", Event.Medium.allCases.map(\.rawValue), &fields).flatMap(Event.Medium.init(rawValue:))
        // Continuous events stand for files and come with them.
        let kind = Self.choice(body, "event_type", ["motion", "manual"], &fields).flatMap(Event.Kind.init(rawValue:))
        let path = fields.text(body, "file_path", length: 1...StorageProfile.maxPathLength, required: true)
        let metadata = fields.text(body, "ai_metadata", length: 0...100_000)
        let score = body["motion_score"].flatMap { sent in
            sent == .null ? nil : fields.value(FieldCheck.number(sent, limits: 0...1, loc: [.key("body"), .key("motion_score")]))
        }
        if let start, let end, end < start {
            fields.note(.value([.key("body"), .key("timestamp_end")], "an event cannot end before it begins", input: body["timestamp_end"] ?? .null))
        }
        try fields.finish()
        guard let camera, let start, let medium, let kind, let path, try await store.cameras.get(camera) != nil else {
            throw HTTPFailure.cameraNotFound
        }
        guard let file = MediaPath.file(path, of: camera) else { throw HTTPFailure.fileNotFound }
        guard medium == .video else {
            let owner = try await store.events.owningPicture(file)
            throw owner == nil
                ? HTTPFailure.fileNotFound : HTTPFailure(.conflict, "The picture belongs to event \(owner?.id.description ?? "") already")
        }
        guard let segment = try await store.segments.byPath(file), segment.cameraID == camera, segment.state == .growing || segment.state == .finished
        else { throw HTTPFailure.fileNotFound }
        let range = TimeRange(start: start, end: end ?? segment.end)
        guard range.overlaps(segment.range) else { throw HTTPFailure(.badRequest, "The recording holds nothing of this time") }
        let event = try await store.events.insert(
            Event(
                id: ID(0), cameraID: camera, medium: .video, kind: kind, start: range.start, end: range.end,
                bytes: try await media.bytes(camera, range, segment), width: segment.width, height: segment.height, score: score, metadata: metadata))
        return Response(json: EventRoutes.json(event, [:]))
    }

    // MARK: Deleting

    private func deleteAll(_ call: Call) async throws -> Response {
        let named = call.query["event_type"].flatMap { $0.isEmpty ? nil : $0 }
        // The reference calls media so; kinds are what the name says.
        let choices = ["video", "picture", "snapshot", "motion", "continuous", "manual"]
        if let named { _ = try FieldCheck.choice(.string(named), of: choices, loc: [.key("query"), .key("event_type")]).get() }
        let medium: Event.Medium? =
            switch named {
            case "video": .video
            case "picture", "snapshot": .snapshot
            default: nil
            }
        let kind = named.flatMap(Event.Kind.init(rawValue:))
        let removed = try await media.deleteAll(medium, kind)
        let held = try await store.holds.heldCount(medium: medium, kind: kind)
        var answer: JSONObject = [
            "deleted_count": JSONValue(removed.events), "deleted_size_bytes": .integer(removed.bytes),
            "deleted_size_mb": .number((Double(removed.bytes) / 1_048_576 * 100).rounded() / 100), "type": .string(named ?? "all"),
        ]
        if held > 0 { answer["errors"] = [.string("\(held) event\(held == 1 ? " is" : "s are") held")] }
        return Response(json: .object(answer))
    }

    // MARK: Fields

    private static func camera(_ body: JSONObject, _ fields: inout FieldReader) -> ID<Camera>? {
        let loc: [FieldProblem.Step] = [.key("body"), .key("camera_id")]
        guard let sent = body["camera_id"] else {
            fields.note(.missing(loc, body: .object(body)))
            return nil
        }
        return fields.value(FieldCheck.integer(sent, limits: .min ... .max, loc: loc)).map { ID(Int64($0)) }
    }

    private static func choice(_ body: JSONObject, _ name: String, _ choices: [String], _ fields: inout FieldReader) -> String? {
        let loc: [FieldProblem.Step] = [.key("body"), .key(name)]
        guard let sent = body[name] else {
            fields.note(.missing(loc, body: .object(body)))
            return nil
        }
        return fields.value(FieldCheck.choice(sent, of: choices, loc: loc))
    }

    /// A time; one without a zone is the server's.
    private static func time(_ body: JSONObject, _ name: String, _ fields: inout FieldReader, required: Bool = false) -> WallTime? {
        let loc: [FieldProblem.Step] = [.key("body"), .key(name)]
        guard let sent = body[name], sent != .null || required else {
            if required { fields.note(.missing(loc, body: .object(body))) }
            return nil
        }
        if let text = sent.string, text.utf8.count <= 40, let time = LocalDay.time(iso8601: text) { return time }
        fields.note(FieldProblem(type: "datetime_parsing", loc: loc, msg: "Input should be a valid datetime", input: sent))
        return nil
    }
}
