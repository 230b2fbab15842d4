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

    private struct Wish {
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
        let cameras = fields.ids(body, "camera_ids", of: Camera.self)
        if body["camera_ids"] == nil { fields.note(.missing([.key("body"), .key("camera_ids")], body: .object(body))) }
        wish.cameras = cameras ?? []
        wish.start = fields.time(body, "start", required: true)
        wish.end = fields.time(body, "end")
        func flag(_ name: String) -> Bool {
            guard let sent = body[name], sent != .null else { return false }
            return fields.value(FieldCheck.boolean(sent, loc: [.key("body"), .key(name)])) ?? false
        }
        wish.isExact = flag("exact")
        wish.isSigned = flag("manifest")
        Self.check(wish.cameras, "body", body["camera_ids"] ?? .null, isKnown: cameras != nil, &fields)
        try fields.finish()
        return try await export(call, wish, "body")
    }

    /// The same for plain links.
    private func exportQuery(_ call: Call) async throws -> Response {
        var fields = FieldReader()
        var wish = Wish()
        let loc: [FieldProblem.Step] = [.key("query"), .key("camera_ids")]
        let text = call.query["camera_ids"] ?? ""
        if text.isEmpty { fields.note(.missing(loc, body: .null)) }
        let parts = text.split(separator: ",", omittingEmptySubsequences: true).prefix(Self.mostCameras + 1)
        wish.cameras = parts.compactMap { part in
            fields.value(FieldCheck.integer(.string(String(part)), limits: .min ... .max, loc: loc)).map { ID(Int64($0)) }
        }
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
        do {
            return responder.response(to: call, with: try await replay.archive(request))
        } catch let error as NVRError where error.kind == .notFound {
            throw HTTPFailure(.notFound, "There is no footage of this time")
        }
    }
}

extension ExportRequest.Person {
    init(_ caller: Identity) { self.init(id: caller.user.id, name: caller.user.username, via: caller.via.rawValue) }
}
