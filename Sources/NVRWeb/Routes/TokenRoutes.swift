import Hummingbird
import NVRAccounts
import NVRModel

/// API keys, each user's own.
struct TokenRoutes: Sendable {
    let accounts: Accounts

    var routes: [Route] {
        [
            Route(.get, "/v1/api-tokens", .user, list),
            Route(.post, "/v1/api-tokens", .user, create),
            Route(.delete, "/v1/api-tokens/{token_id}", .user, delete),
        ]
    }

    private func list(_ call: Call) async throws -> Response {
        let tokens = try await accounts.apiKeys.list(of: try call.requireCaller().user.id)
        return Response(json: .array(tokens.map { $0.json() }))
    }

    private func create(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        let body = try call.object()
        var fields = FieldReader()
        var name: String?
        if let sent = body["name"] {
            name = fields.value(FieldCheck.text(sent, length: 1...100, loc: [.key("body"), .key("name")]))
        } else {
            fields.note(.missing([.key("body"), .key("name")], body: .object(body)))
        }
        var days: Int?
        if let sent = body["expires_in_days"], sent != .null {
            days = fields.value(FieldCheck.integer(sent, limits: 1...APIKeys.maxDays, loc: [.key("body"), .key("expires_in_days")]))
        }
        try fields.finish()
        let made = try await accounts.apiKeys.make(for: caller.user.id, name: name ?? "", expiresInDays: days)
        return Response(json: made.token.json(plain: made.plain))
    }

    private func delete(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        guard try await accounts.apiKeys.delete(try call.id("token_id"), of: caller.user.id) else {
            throw HTTPFailure(.notFound, "Token not found")
        }
        return Response(json: ["status": "deleted"])
    }
}
