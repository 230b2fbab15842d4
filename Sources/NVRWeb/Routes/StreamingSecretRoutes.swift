import Hummingbird
import NVRAccounts
import NVRBase
import NVRModel

/// The secret for RTSP clients, each user's own.
struct StreamingSecretRoutes: Sendable {
    let accounts: Accounts

    var routes: [Route] {
        [
            Route(.get, "/auth/streaming-secret", .user, show),
            Route(.post, "/auth/streaming-secret", .user, make),
            Route(.delete, "/auth/streaming-secret", .user, delete),
        ]
    }

    private func show(_ call: Call) async throws -> Response {
        let created = try await accounts.streamingSecrets.createdAt(of: try call.requireCaller().user.id)
        return Response(json: ["exists": .bool(created != nil), "created_at": JSONValue(created?.iso8601)])
    }

    private func make(_ call: Call) async throws -> Response {
        let user = try call.requireCaller().user
        let made = try await accounts.streamingSecrets.make(for: user.id)
        return Response(json: [
            "username": .string(user.username), "secret": .string(made.secret.reveal()), "created_at": .string(made.createdAt.iso8601),
        ])
    }

    private func delete(_ call: Call) async throws -> Response {
        guard try await accounts.streamingSecrets.delete(of: try call.requireCaller().user.id) else {
            throw HTTPFailure(.notFound, "There is no streaming secret")
        }
        return Response(json: ["status": "deleted"])
    }
}
