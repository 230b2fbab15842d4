import HTTPTypes
import Hummingbird
import NVRAccounts
import NVRBase
import NVRModel
import NVRRecording
import NVRStore

/// Footage of several cameras to take away in one ZIP, and the key that signed exports are checked with.
struct ExportRoutes: Sendable {
    let store: Store
    let replay: ReplayMedia
    let responder: MediaResponder
    let clock: any NVRClock

    /// Cameras in one archive.
    static let mostCameras = 64

    var routes: [Route] {
        [
            Route(.get, "/exports", .media, exportQuery),
            Route(.post, "/exports", .user, exportBody),
            Route(.get, "/exports/public-key", .userOrKey) { [replay] _ in
                Response(json: [
                    "algorithm": "Ed25519", "fingerprint_sha256": .string(replay.publicKey.fingerprint), "pem": .string(replay.publicKey.pem),
                ])
            },
        ]
    }

    /// Events in one archive.
    static let mostEvents = 200

    private struct Wish {
        /// In place of cameras and a range.
        var events: [ID<Event>]?
        var cameras: [ID<Camera>] = []
        var start: WallTime?
        var end: WallTime?
        var isExact = false
        var isSigned = false
    }

    private func exportBody(_ call: Call) async throws -> Response {
        let body = try call.object()
        var fields = FieldReader()
        var wish = Wish()
        if body["event_ids"] ?? .null != .null {
            wish.events = fields.ids(body, "event_ids", of: Event.self)
            Self.checkEvents(wish.events ?? [], "body", body["event_ids"] ?? .null, isKnown: wish.events != nil, &fields)
            wish.isExact = fields.flag(body, "exact")
            wish.isSigned = fields.flag(body, "manifest")
            try fields.finish()
            return try await exportEvents(call, wish)
        }
        let cameras = fields.ids(body, "camera_ids", of: Camera.self)
        if body["camera_ids"] == nil { fields.note(.missing([.key("body"), .key("camera_ids")], body: .object(body))) }
        wish.cameras = cameras ?? []
        wish.start = fields.time(body, "start", required: true)
        wish.end = fields.time(body, "end")
        wish.isExact = fields.flag(body, "exact")
        wish.isSigned = fields.flag(body, "manifest")
        Self.check(wish.cameras, "body", body["camera_ids"] ?? .null, isKnown: cameras != nil, &fields)
        try fields.finish()
        return try await export(call, wish, "body")
    }

    /// The same for plain links.
    private func exportQuery(_ call: Call) async throws -> Response {
        var fields = FieldReader()
        var wish = Wish()
        func ids<Subject>(_ name: String, most: Int) -> [ID<Subject>] {
            let loc: [FieldProblem.Step] = [.key("query"), .key(name)]
            return (call.query[name] ?? "").split(separator: ",", omittingEmptySubsequences: true).prefix(most + 1).compactMap { part in
                fields.value(FieldCheck.integer(.string(String(part)), limits: .min ... .max, loc: loc)).map { ID(Int64($0)) }
            }
        }
        if let text = call.query["event_ids"], !text.isEmpty {
            let events: [ID<Event>] = ids("event_ids", most: Self.mostEvents)
            wish.events = events
            Self.checkEvents(events, "query", .string(text), isKnown: true, &fields)
            try fields.finish()
            wish.isExact = try call.flag("exact")
            wish.isSigned = try call.flag("manifest")
            return try await exportEvents(call, wish)
        }
        let text = call.query["camera_ids"] ?? ""
        if text.isEmpty { fields.note(.missing([.key("query"), .key("camera_ids")], body: .null)) }
        wish.cameras = ids("camera_ids", most: Self.mostCameras)
        wish.start = fields.time(call.query, "start")
        wish.end = fields.time(call.query, "end")
        if wish.start == nil, call.query["start"]?.isEmpty ?? true { fields.note(.missing([.key("query"), .key("start")], body: .null)) }
        Self.check(wish.cameras, "query", .string(text), isKnown: !text.isEmpty, &fields)
        try fields.finish()
        wish.isExact = try call.flag("exact")
        wish.isSigned = try call.flag("manifest")
        return try await export(call, wish, "query")
    }

    private static func check(_ cameras: [ID<Camera>], _ place: String, _ input: JSONValue, isKnown: Bool, _ fields: inout FieldReader) {
        guard isKnown, cameras.isEmpty || cameras.count > mostCameras || Set(cameras).count < cameras.count else { return }
        fields.note(.value([.key(place), .key("camera_ids")], "1 to \(mostCameras) different cameras have to be named", input: input))
    }

    private static func checkEvents(_ events: [ID<Event>], _ place: String, _ input: JSONValue, isKnown: Bool, _ fields: inout FieldReader) {
        guard isKnown, events.isEmpty || events.count > mostEvents || Set(events).count < events.count else { return }
        fields.note(.value([.key(place), .key("event_ids")], "1 to \(mostEvents) different events have to be named", input: input))
    }

    /// A file for each event: a movie, or the picture of a snapshot. Whoever may not see one of them gets none.
    private func exportEvents(_ call: Call, _ wish: Wish) async throws -> Response {
        let caller = try call.requireCaller()
        var subjects: [ExportRequest.Subject] = []
        var range: TimeRange?
        let now = WallTime(microseconds: clock.wall())
        for id in wish.events ?? [] {
            guard let event = try await store.events.get(id), Access.allows(caller, .replay, camera: event.cameraID) else {
                throw HTTPFailure.eventNotFound
            }
            let name = try await store.cameras.get(event.cameraID)?.general.name ?? "Camera \(event.cameraID)"
            let kind = event.medium == .video ? event.kind.rawValue : event.medium.rawValue
            subjects.append(
                ExportRequest.Subject(
                    camera: event.cameraID, name: name,
                    fileName: ReplayRoutes.fileName(name, event.start, kind + " ", event.medium == .video ? "mp4" : "jpg"), event: event))
            let end = max(event.end ?? (event.medium == .video ? now : event.start), event.start)
            range = TimeRange(start: min(range?.start ?? event.start, event.start), end: max(range?.end ?? end, end))
        }
        let request = ExportRequest(
            subjects: subjects, range: range ?? TimeRange(start: now, end: now), isExact: wish.isExact, isSigned: wish.isSigned,
            person: ExportRequest.Person(caller), fileName: "events \(LocalDay.stamp(at: now)).zip")
        return try await answer(call, request)
    }

    private func answer(_ call: Call, _ request: ExportRequest) async throws -> Response {
        do {
            return responder.response(to: call, with: try await replay.archive(request), of: Set(request.subjects.map(\.camera)))
        } catch let error as NVRError where error.kind == .notFound {
            throw HTTPFailure(.notFound, "There is no footage of this time")
        }
    }

    private func export(_ call: Call, _ wish: Wish, _ place: String) async throws -> Response {
        let caller = try call.requireCaller()
        guard let start = wish.start else { throw HTTPFailure(.unprocessableContent, "Field required") }
        let range = try ReplayRoutes.checked(start, wish.end ?? WallTime(microseconds: clock.wall()), place: place, cameras: wish.cameras.count)
        var subjects: [ExportRequest.Subject] = []
        for id in wish.cameras {
            let camera = try await ReplayRoutes.camera(id, of: store, for: caller)
            subjects.append(
                ExportRequest.Subject(camera: id, name: camera.general.name, fileName: ReplayRoutes.fileName(camera, range.start, "")))
        }
        let request = ExportRequest(
            subjects: subjects, range: range, isExact: wish.isExact, isSigned: wish.isSigned, person: ExportRequest.Person(caller),
            fileName: "export \(LocalDay.stamp(at: range.start)).zip")
        return try await answer(call, request)
    }
}

extension FieldReader {
    /// A flag of a body; false when it is absent or null.
    fileprivate mutating func flag(_ body: JSONObject, _ name: String) -> Bool {
        guard let sent = body[name], sent != .null else { return false }
        return value(FieldCheck.boolean(sent, loc: [.key("body"), .key(name)])) ?? false
    }
}

extension ExportRequest.Person {
    init(_ caller: Identity) { self.init(id: caller.user.id, name: caller.user.username, via: caller.via.rawValue) }
}
