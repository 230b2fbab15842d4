import Hummingbird
import NVRAccounts
import NVRBase
import NVRModel
import NVRStore

/// How a user arranged live pictures, kept under names of theirs so that it is the same on every device.
struct LayoutRoutes: Sendable {
    let store: Store
    let clock: any NVRClock

    /// Of a layout as JSON.
    static let mostBytes = 64 << 10

    var routes: [Route] {
        [
            Route(.get, "/auth/me/layouts", .user, list),
            // A name with `/`, or of points alone, is no element of a path: there it stands in the query.
            Route(.put, "/auth/me/layouts", .user, put),
            Route(.delete, "/auth/me/layouts", .user, delete),
            Route(.put, "/auth/me/layouts/{name}", .user, put),
            Route(.delete, "/auth/me/layouts/{name}", .user, delete),
        ]
    }

    private func list(_ call: Call) async throws -> Response {
        Response(json: .array(try await store.layouts.list(of: try call.requireCaller().user.id).map(Self.json)))
    }

    private func put(_ call: Call) async throws -> Response {
        let user = try call.requireCaller().user.id
        let body = try call.object()
        var fields = FieldReader()
        let name = fields.value(Self.name(of: call))
        let loc: [FieldProblem.Step] = [.key("body"), .key("layout")]
        var text = ""
        if let sent = body["layout"] {
            let bytes = sent.serializedBytes()
            if sent.object == nil {
                fields.note(.notAnObject(loc, input: sent))
            } else if bytes.count > Self.mostBytes {
                fields.note(.value(loc, "a layout may be \(Self.mostBytes / 1024) KB long at most", input: .null))
            } else {
                text = String(decoding: bytes, as: UTF8.self)
            }
        } else {
            fields.note(.missing(loc, body: .object(body)))
        }
        try fields.finish()
        let layout = StoredLayout(name: name ?? "", layout: text, updatedAt: WallTime(microseconds: clock.wall()))
        try await store.layouts.put(user, layout)
        return Response(json: try Self.json(layout))
    }

    private func delete(_ call: Call) async throws -> Response {
        let name: String
        switch Self.name(of: call) {
        case .success(let found): name = found
        // What no arrangement can be called names none.
        case .failure where call.parameters["name"] != nil: throw HTTPFailure(.notFound, "There is no such layout")
        case .failure(let problems): throw problems
        }
        guard try await store.layouts.delete(try call.requireCaller().user.id, name) else {
            throw HTTPFailure(.notFound, "There is no such layout")
        }
        return Response(json: ["status": "deleted"])
    }

    private static func name(of call: Call) -> FieldCheck.Outcome<String> {
        if let name = call.parameters["name"] { return FieldCheck.text(.string(name), length: 1...64, loc: [.key("path"), .key("name")]) }
        let loc: [FieldProblem.Step] = [.key("query"), .key("name")]
        guard let name = call.query["name"] else { return .failure(FieldProblems([.missing(loc, body: .null)])) }
        return FieldCheck.text(.string(name), length: 1...64, loc: loc)
    }

    private static func json(_ layout: StoredLayout) throws -> JSONValue {
        [
            "name": .string(layout.name), "layout": try JSONValue(parsing: Array(layout.layout.utf8)),
            "updated_at": .string(layout.updatedAt.iso8601),
        ]
    }
}
