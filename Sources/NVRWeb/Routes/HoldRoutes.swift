import HTTPTypes
import Hummingbird
import NVRAccounts
import NVRBase
import NVRModel
import NVRStore

/// Holds: ranges of a camera's footage that nothing deletes. Whoever may replay sees them; they decide over what is kept, so
/// administrators make and release them.
struct HoldRoutes: Sendable {
    let store: Store
    let clock: any NVRClock

    var routes: [Route] {
        [
            Route(.get, "/cameras/{camera_id}/holds", .userOrKey, list),
            Route(.put, "/cameras/{camera_id}/holds", .admin, put),
            Route(.delete, "/cameras/{camera_id}/holds", .admin, releaseRange),
            Route(.delete, "/cameras/{camera_id}/holds/{hold_id}", .admin, release),
        ]
    }

    private var now: WallTime { WallTime(microseconds: clock.wall()) }

    private func list(_ call: Call) async throws -> Response {
        let camera = try await camera(call)
        let (now, holds) = (now, try await store.holds.all(of: camera))
        return Response(json: .array(holds.map { Self.json($0, at: now) }))
    }

    private func put(_ call: Call) async throws -> Response {
        let camera = try await camera(call)
        let caller = try call.requireCaller()
        let body = try call.object()
        var fields = FieldReader()
        let start = fields.time(body, "start", required: true)
        let end = fields.time(body, "end", required: true)
        let expiry = fields.time(body, "expires_at")
        let reason = fields.text(body, "reason", length: Hold.reasonLength, required: true)
        let id = body["id"].flatMap { sent in
            sent == .null ? nil : fields.value(FieldCheck.integer(sent, limits: 1 ... .max, loc: [.key("body"), .key("id")]))
        }
        if let start, let end { Self.check(start, end, body, &fields) }
        if let expiry, expiry <= now {
            fields.note(.value([.key("body"), .key("expires_at")], "the expiry has to lie in the future", input: body["expires_at"] ?? .null))
        }
        try fields.finish()
        guard let start, let end, let reason else { throw HTTPFailure(.unprocessableContent, "Field required") }
        let hold = try await store.holds.put(
            Hold(
                id: ID(Int64(id ?? 0)), cameraID: camera, range: TimeRange(start: start, end: end), reason: reason, createdAt: now,
                userID: caller.user.id, userName: caller.user.username, expiresAt: expiry), now: now)
        return Response(json: Self.json(hold, at: now))
    }

    private static func check(_ start: WallTime, _ end: WallTime, _ body: JSONObject, _ fields: inout FieldReader) {
        let loc: [FieldProblem.Step] = [.key("body"), .key("end")]
        if end <= start {
            fields.note(.value(loc, "the range has to end after it begins", input: body["end"] ?? .null))
        } else if end.microseconds(since: start) > Hold.longest {
            fields.note(.value(loc, "a hold may be 366 days long at most", input: body["end"] ?? .null))
        }
    }

    private func release(_ call: Call) async throws -> Response {
        let camera = try await camera(call)
        guard let hold = try await store.holds.release(try call.id("hold_id"), of: camera) else { throw Self.notFound }
        return Response(json: Self.json(hold, at: now))
    }

    /// Releases the hold of exactly a range.
    private func releaseRange(_ call: Call) async throws -> Response {
        let camera = try await camera(call)
        var fields = FieldReader()
        let start = fields.time(call.query, "start")
        let end = fields.time(call.query, "end")
        for (name, value) in [("start", start), ("end", end)] where value == nil && call.query[name]?.isEmpty ?? true {
            fields.note(.missing([.key("query"), .key(name)], body: .null))
        }
        try fields.finish()
        guard let start, let end, start < end, let hold = try await store.holds.release(TimeRange(start: start, end: end), of: camera) else {
            throw Self.notFound
        }
        return Response(json: Self.json(hold, at: now))
    }

    private static let notFound = HTTPFailure(.notFound, "Hold not found")

    /// The camera of the path. An administrator also reaches the holds of one that was deleted: its footage may still be there.
    private func camera(_ call: Call) async throws -> ID<Camera> {
        let caller = try call.requireCaller()
        let id = try call.id("camera_id", of: Camera.self)
        if try await store.cameras.get(id) == nil {
            guard caller.isAdmin, try await !store.holds.all(of: id).isEmpty else { throw HTTPFailure.cameraNotFound }
            return id
        }
        guard Access.allows(caller, .view, camera: id) else { throw HTTPFailure.cameraNotFound }
        guard Access.allows(caller, .replay, camera: id) else { throw HTTPFailure(.forbidden, "Not enough permissions") }
        return id
    }

    private static func json(_ hold: Hold, at now: WallTime) -> JSONValue {
        [
            "id": .integer(hold.id.rawValue), "camera_id": .integer(hold.cameraID.rawValue), "start": .string(hold.range.start.iso8601),
            "end": .string(hold.range.end.iso8601), "reason": .string(hold.reason), "created_at": .string(hold.createdAt.iso8601),
            "created_by": .string(hold.userName), "created_by_id": hold.userID.map { .integer($0.rawValue) } ?? .null,
            "expires_at": JSONValue(hold.expiresAt?.iso8601), "is_active": .bool(hold.isActive(at: now)),
        ]
    }
}

extension FieldReader {
    /// A time of a body: ISO 8601, without a zone in the server's, or seconds since 1970 UTC. Nil when it is absent, null or wrong; a
    /// required one that is absent is noted.
    mutating func time(_ body: JSONObject, _ name: String, required: Bool = false) -> WallTime? {
        let loc: [FieldProblem.Step] = [.key("body"), .key(name)]
        guard let sent = body[name], sent != .null || required else {
            if required { note(.missing(loc, body: .object(body))) }
            return nil
        }
        switch sent {
        case .integer(let seconds) where (0...100_000_000_000).contains(seconds): return WallTime(seconds: Double(seconds))
        case .number(let seconds) where seconds >= 0 && seconds < 1e11: return WallTime(seconds: seconds)
        case .string(let text) where text.utf8.count <= 40:
            if let time = LocalDay.time(iso8601: text) { return time }
        default: break
        }
        note(FieldProblem(type: "datetime_parsing", loc: loc, msg: "Input should be a valid datetime", input: sent))
        return nil
    }
}
