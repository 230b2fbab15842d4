import HTTPTypes
import Hummingbird
import NVRModel
import NVRStore

/// The audit trail, for administrators. It is read here and nowhere changed.
struct AuditRoutes: Sendable {
    let store: Store

    var routes: [Route] { [Route(.get, "/audit", .admin, list)] }

    /// Characters that filters may have.
    static let longestUser = 256
    static let longestRoute = 200
    static let longestMethod = 16

    private func list(_ call: Call) async throws -> Response {
        let entries = try await store.audit.list(try Self.filter(of: call.query))
        return Response(json: .array(entries.map(Self.json)))
    }

    /// The filter of a query. Throws every problem at once.
    static func filter(of query: QueryItems) throws(FieldProblems) -> AuditFilter {
        var fields = FieldReader()
        var filter = AuditFilter()
        filter.skip = fields.integer(query, "skip", default: 0, limits: 0...1_000_000)
        filter.limit = fields.integer(query, "limit", default: 100, limits: 1...1000)
        // An empty item is what a form sends for a filter that was left open.
        func sent(_ name: String) -> String? { query[name].flatMap { $0.isEmpty ? nil : $0 } }
        func number(_ name: String) -> Int64? {
            guard let text = sent(name) else { return nil }
            return fields.value(FieldCheck.integer(.string(text), limits: .min ... .max, loc: [.key("query"), .key(name)])).map(Int64.init)
        }
        func time(_ name: String) -> WallTime? {
            guard let text = sent(name) else { return nil }
            if let time = LocalOffset.server.time(iso8601: text) { return time }
            fields.note(
                FieldProblem(
                    type: "datetime_parsing", loc: [.key("query"), .key(name)], msg: "Input should be a valid datetime", input: .string(text)))
            return nil
        }
        filter.userID = number("user_id").map { ID($0) }
        func text(_ name: String, atMost length: Int) -> String? {
            sent(name).flatMap { fields.value(FieldCheck.text(.string($0), length: 0...length, isPlain: false, loc: [.key("query"), .key(name)])) }
        }
        filter.userName = text("user", atMost: Self.longestUser)
        filter.route = text("route", atMost: Self.longestRoute)
        filter.method = text("method", atMost: Self.longestMethod)?.uppercased()
        filter.camera = number("camera_id").map { ID($0) }
        filter.from = time("from")
        filter.to = time("to")
        filter.before = number("before")
        try fields.finish()
        return filter
    }

    private static func json(_ entry: AuditEntry) -> JSONValue {
        func id<Subject>(_ id: ID<Subject>?) -> JSONValue { id.map { .integer($0.rawValue) } ?? .null }
        return [
            "id": .integer(entry.id), "timestamp": .string(entry.time.iso8601), "user_id": id(entry.userID),
            "username": JSONValue(entry.userName), "api_token_id": id(entry.tokenID), "address": .string(entry.address),
            "method": .string(entry.method), "route": .string(entry.route), "parameters": .object(entry.parameters),
            "camera_id": id(entry.cameraID), "status": JSONValue(entry.status), "summary": .string(entry.summary),
        ]
    }
}
