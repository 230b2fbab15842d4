import HTTPTypes
import Hummingbird
import NIOCore
import NVRAccounts
import NVRBase
import NVRModel
import NVRStore

/// Decides which requests the audit trail lists, and what it says of them: every request that may change something, whatever became
/// of it, and every file that is handed out to be kept. Routes need not think of it.
struct Auditor: Sendable {
    let trail: AuditTrail
    let authentication: Authentication
    let clock: any NVRClock

    /// What is known of a request, as far as it came.
    struct Trace: Sendable {
        var route: Route?
        var parameters: [String: String] = [:]
        var caller: Identity?
        var body = ByteBuffer()
    }

    /// Lists a request if it is one to list. `failure`: why it was refused.
    func note(_ request: Request, from client: ClientAddress, _ trace: Trace, _ response: Response, _ failure: (any Error)?) async {
        // Without a route there is nothing that could have been done.
        guard let route = trace.route, Self.isListed(request.method, response) else { return }
        let query = QueryItems(query: request.uri.query)
        let status = response.status.code
        var caller = trace.caller
        // One who is known and may not: the refusal comes before the route hears who it is. Who cannot be known stays unknown.
        if caller == nil, status == 403 { caller = try? await authentication.identityIfAny(request.head) }
        var entry = AuditEntry(
            time: WallTime(microseconds: clock.wall()), address: client.address, method: request.method.rawValue, route: route.pattern,
            status: status,
            summary: AuditSummary.text(query: query, body: trace.body, reason: failure.flatMap { HTTPFailure($0)?.detail.string }))
        if let name = AuditSummary.claimedName(route: route.pattern, body: trace.body) {
            entry.userName = name
        } else {
            entry.userID = caller?.user.id
            entry.userName = caller?.user.username
            entry.tokenID = caller?.tokenID
        }
        entry.parameters = AuditSummary.parameters(trace.parameters)
        entry.cameraID = (trace.parameters["camera_id"] ?? query["camera_id"]).flatMap { Int64($0) }.map { ID($0) }
        // A sign-out of nobody is as good as refused: nothing was done, and anybody can do that in any number.
        await trail.record(entry, isRefusal: caller == nil && (status >= 400 || route.pattern == "/auth/logout"))
    }

    /// Whether a request may change something (RFC 9110 section 9.2.1).
    static func isUnsafe(_ method: HTTPRequest.Method) -> Bool { ![.get, .head, .options, .trace].contains(method) }

    private static func isListed(_ method: HTTPRequest.Method, _ response: Response) -> Bool {
        switch method {
        case .get:
            guard response.headers[.contentDisposition]?.hasPrefix("attachment") == true else { return false }
            // A download in pieces is one: the piece with the beginning counts.
            if response.status == .partialContent { return response.headers[.contentRange]?.hasPrefix("bytes 0-") ?? true }
            return response.status == .ok
        default: return isUnsafe(method)
        }
    }
}
