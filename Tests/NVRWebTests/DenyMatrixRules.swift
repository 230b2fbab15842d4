import HTTPTypes
import NVRAccounts
import NVRModel

/// What one route promises about who may call it. Written by hand: the other side of what the code does.
struct Rule: Sendable {
    enum Audience: Sendable {
        /// The same answer, whoever asks.
        case everybody
        /// Any signed-in user, not a key.
        case users
        /// Any signed-in user, or a key.
        case usersAndKeys
        /// Users, keys and the media cookie.
        case media
        case administrators
    }

    let audience: Audience
    /// What one has to be allowed to do with camera 1, which the request is about.
    var needs: Permission?
    /// Answered to users who are no administrators and ask about somebody else's things.
    var toOthers: Int?
    /// The path with its values; nil: the pattern with 1 for every parameter.
    var path: String?
    var body: String?
    var form = false
    /// Headers beside those that say who asks.
    var headers: HTTPFields = [:]
    /// Statuses of callers who may.
    var success: Set<Int> = [200]

    static let everybody = Rule(audience: .everybody)
    static let users = Rule(audience: .users)
    static let usersAndKeys = Rule(audience: .usersAndKeys)
    static let administrators = Rule(audience: .administrators)
    /// The second administrator finds nothing any more.
    static let deletion = Rule(audience: .administrators, success: [200, 404])
    static func viewing(_ audience: Audience = .usersAndKeys) -> Rule { Rule(audience: audience, needs: .view) }
    static func replaying(_ audience: Audience = .usersAndKeys) -> Rule { Rule(audience: audience, needs: .replay) }

    private func changed(_ change: (inout Rule) -> Void) -> Rule {
        var copy = self
        change(&copy)
        return copy
    }

    func at(_ path: String) -> Rule { changed { $0.path = path } }
    func sending(_ body: String, form: Bool = false) -> Rule {
        changed {
            $0.body = body
            $0.form = form
        }
    }
    func with(_ name: HTTPField.Name, _ value: String) -> Rule { changed { $0.headers[name] = value } }
    func answering(_ statuses: Int...) -> Rule { changed { $0.success = Set(statuses) } }
    func refusingOthers(_ status: Int) -> Rule { changed { $0.toOthers = status } }

    /// One rule for every route of the table: `DenyMatrixTests` fails for a route that has none.
    static let all: [String: Rule] = [
        "GET /": .everybody, "GET /ui": .everybody, "GET /ui/{file}": everybody.at("/ui/app.js"), "GET /docs": .everybody,
        "GET /openapi.json": .everybody, "GET /health": .everybody, "GET /metrics": everybody.answering(404),
        "GET /auth/status": .everybody, "POST /auth/setup": everybody.sending(#"{"username": "x", "password": "y"}"#).answering(403),
        "POST /auth/login": everybody.sending("username=nobody&password=wrong", form: true).answering(401, 429),
        "POST /auth/logout": .everybody, "GET /auth/me-from-cookie": everybody.answering(200, 204),
        "GET /auth/me": .usersAndKeys, "PATCH /auth/me/language": users.sending(#"{"language": "de"}"#),

        "GET /cameras": .usersAndKeys, "GET /cameras/{camera_id}": viewing(),
        "POST /cameras": administrators.sending(#"{"name": "New", "rtsp_url": "rtsp://10.0.0.8/x"}"#),
        "POST /cameras/reorder": administrators.sending(#"{"camera_ids": [1]}"#),
        "POST /cameras/bulk-delete": administrators.sending(#"{"camera_ids": [99]}"#),
        "PUT /cameras/{camera_id}": administrators.sending(#"{"location": "Here"}"#), "DELETE /cameras/{camera_id}": deletion,
        "POST /cameras/{camera_id}/recording": .administrators,
        "POST /cameras/probe-stream": administrators.sending(#"{"rtsp_url": "rtsp://10.0.0.8/x"}"#),
        "GET /cameras/{camera_id}/frame": viewing(.media), "POST /cameras/{camera_id}/snapshot": .administrators,

        "GET /events": .usersAndKeys, "GET /events/status": .usersAndKeys, "GET /events/{event_id}": replaying(),
        "DELETE /events/{event_id}": deletion, "POST /events/bulk-delete": administrators.sending("[99]"),
        "GET /events/{event_id}/download": replaying(.media), "GET /events/{event_id}/thumbnail": replaying(.media),
        "GET /media/{path...}": replaying(.media).at("/media/1/file.mp4"),

        "GET /settings": .administrators, "GET /settings/{key}": users.at("/settings/smtp_password").refusingOthers(403),
        "PUT /settings/{key}": administrators.at("/settings/opt_live_view_quality").sending(#"{"value": "60"}"#),
        "POST /settings/bulk": administrators.sending(#"{"opt_live_view_quality": "60"}"#), "POST /settings/init-defaults": .administrators,
        "POST /settings/test-notify": administrators.sending(#"{"channel": "email", "settings": {}}"#).answering(501),
        "POST /settings/telemetry/report": .administrators,

        "GET /stats": .usersAndKeys, "GET /stats/history": .usersAndKeys, "GET /stats/resources-history": .usersAndKeys,
    ]
}
