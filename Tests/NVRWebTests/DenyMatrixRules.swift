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
        /// Whoever names the secret of the webhook; nobody of the matrix does.
        case webhook
    }

    let audience: Audience
    /// What one has to be allowed to do with camera 1, which the request is about.
    var needs: Permission?
    /// Answered to users who do not see the camera; nil: as if there were nothing.
    var toStrangers: Int?
    /// Whether administrators are given password hashes: a backup has to hold them.
    var holdsHashes = false
    /// Answered to users who see the camera and lack what is needed; nil: as if there were nothing.
    var toViewers: Int?
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
    static let media = Rule(audience: .media)
    /// For administrators, once it is there.
    static let unavailable = Rule(audience: .administrators, success: [501])
    static let webhook = Rule(audience: .webhook)
    /// The second administrator finds nothing any more.
    static let deletion = Rule(audience: .administrators, success: [200, 404])
    static func viewing(_ audience: Audience = .usersAndKeys) -> Rule { Rule(audience: audience, needs: .view) }
    /// A range of time in which the fixture's camera may have nothing.
    static func footage(_ name: String) -> Rule {
        replaying(.media).at("/cameras/1/\(name)?start=1790000000&end=1790000060").answering(200, 404).refusingViewers(403)
    }
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
    func refusingStrangers(_ status: Int) -> Rule { changed { $0.toStrangers = status } }
    func holdingHashes() -> Rule { changed { $0.holdsHashes = true } }
    func refusingViewers(_ status: Int) -> Rule { changed { $0.toViewers = status } }
    func refusingOthers(_ status: Int) -> Rule { changed { $0.toOthers = status } }

    /// One rule for every route of the table: `DenyMatrixTests` fails for a route that has none.
    static let all = [String: Rule](
        uniqueKeysWithValues: [sessions, cameras, events, groupsAndStorage, accounts, settings, system].flatMap { $0.map { ($0.key, $0.value) } })

    private static let sessions: [String: Rule] = [
        "GET /": .everybody, "GET /ui": .everybody, "GET /ui/server.json": .everybody, "GET /ui/{path...}": everybody.at("/ui/docs.js"),
        "GET /docs": .everybody,
        "GET /openapi.json": .everybody, "GET /health": .everybody, "GET /metrics": everybody.answering(404),
        "GET /auth/status": .everybody, "POST /auth/setup": everybody.sending(#"{"username": "x", "password": "y"}"#).answering(403),
        "POST /auth/login": everybody.sending("username=nobody&password=wrong", form: true).answering(401, 429),
        "POST /auth/logout": .everybody, "GET /auth/me-from-cookie": everybody.answering(200, 204),
        "GET /oauth/login": everybody.answering(501), "GET /oauth/callback": everybody.answering(501),
        "POST /oauth/unlink": everybody.answering(501), "GET /oauth/logout": everybody.answering(501),
        "GET /auth/me": .usersAndKeys, "PATCH /auth/me/language": users.sending(#"{"language": "de"}"#),
    ]

    private static let cameras: [String: Rule] = [
        "GET /cameras": .usersAndKeys, "GET /cameras/{camera_id}": viewing(),
        "POST /cameras": administrators.sending(#"{"name": "New", "rtsp_url": "rtsp://10.0.0.8/x"}"#),
        "POST /cameras/reorder": administrators.sending(#"{"camera_ids": [1]}"#),
        "POST /cameras/bulk-delete": administrators.sending(#"{"camera_ids": [99]}"#),
        "PUT /cameras/{camera_id}": administrators.sending(#"{"location": "Here"}"#), "DELETE /cameras/{camera_id}": deletion,
        "POST /cameras/{camera_id}/recording": .administrators,
        "POST /cameras/probe-stream": administrators.sending(#"{"rtsp_url": "rtsp://10.0.0.8/x"}"#),
        "GET /cameras/{camera_id}/frame": viewing(.media), "POST /cameras/{camera_id}/snapshot": .administrators,

        "POST /cameras/{camera_id}/clone": .administrators, "POST /cameras/{camera_id}/cleanup": .administrators,
        "POST /cameras/{camera_id}/copy-settings": administrators.sending(#"{"camera_ids": []}"#),
        "GET /cameras/export/all": .administrators, "GET /cameras/{camera_id}/export": .administrators,
        "POST /cameras/export/bulk": administrators.sending("[1]"), "POST /cameras/import": administrators.answering(400, 415, 422),
        "POST /cameras/import/motioneye": administrators.answering(400, 415, 422),

        // It would not end for whoever may; rights to it are tried end to end.
        "GET /cameras/{camera_id}/stream": media.at("/cameras/1/stream?fps=0").answering(422),
        // Without a handshake nobody gets a WebSocket.
        "GET /cameras/{camera_id}/ws": viewing(.media).refusingStrangers(403).answering(426),
        "GET /cameras/{camera_id}/mse": viewing(.media).refusingStrangers(403).answering(426),

        "GET /onvif/scan/stream": unavailable, "POST /onvif/probe": unavailable, "POST /onvif/deep-scan": unavailable,
        "POST /onvif/ptz/move/{camera_id}": unavailable, "POST /onvif/ptz/stop/{camera_id}": unavailable,
        "POST /onvif/ptz/set-home/{camera_id}": unavailable, "POST /onvif/ptz/goto-home/{camera_id}": unavailable,
        "POST /onvif/ptz/goto-preset/{camera_id}": unavailable, "GET /onvif/ptz/presets/{camera_id}": unavailable,
        "POST /onvif/ptz/probe-features/{camera_id}": unavailable,
    ]

    private static let events: [String: Rule] = [
        "GET /cameras/{camera_id}/playback.m3u8": footage("playback.m3u8"), "GET /cameras/{camera_id}/playback.json": footage("playback.json"),
        "GET /cameras/{camera_id}/export.mp4": footage("export.mp4"), "GET /cameras/{camera_id}/timelapse.mp4": footage("timelapse.mp4"),
        "GET /cameras/{camera_id}/preview.jpg": replaying(.media).at("/cameras/1/preview.jpg?t=1790000000").answering(200, 404).refusingViewers(403),

        "GET /timeline": replaying().at("/timeline?cameras=1&start=1790000000").refusingViewers(403),
        "GET /cameras/{camera_id}/sprite.jpg": replaying(.media).at("/cameras/1/sprite.jpg?t=1790000000").answering(200, 404).refusingViewers(403),
        "GET /cameras/{camera_id}/sprite.json": replaying(.media).at("/cameras/1/sprite.json?t=1790000000").answering(200, 404).refusingViewers(403),
        "GET /exports": replaying(.media).at("/exports?camera_ids=1&start=1790000000&end=1790000060").answering(200, 404).refusingViewers(403),
        "POST /exports": replaying(.users).sending(#"{"camera_ids": [1], "start": 1790000000, "end": 1790000060}"#).answering(200, 404)
            .refusingViewers(403),
        "GET /exports/public-key": .usersAndKeys,
        "GET /cameras/{camera_id}/holds": replaying().refusingViewers(403),
        "PUT /cameras/{camera_id}/holds": administrators.sending(#"{"start": 1790000000, "end": 1790000060, "reason": "x"}"#),
        "DELETE /cameras/{camera_id}/holds": administrators.at("/cameras/1/holds?start=1&end=2").answering(404),
        "DELETE /cameras/{camera_id}/holds/{hold_id}": administrators.answering(404),

        "GET /events": .usersAndKeys, "GET /events/status": .usersAndKeys, "GET /events/filters": .usersAndKeys,
        "GET /events/{event_id}": replaying(),
        "DELETE /events/{event_id}": deletion, "POST /events/bulk-delete": administrators.sending("[99]"),
        "GET /events/{event_id}/download": replaying(.media), "GET /events/{event_id}/thumbnail": replaying(.media),
        "GET /media/{path...}": replaying(.media).at("/media/1/file.mp4"),

        "POST /events": administrators.sending("{}").answering(422), "POST /events/webhook": .webhook,
        "DELETE /events/bulk/all": .administrators,
    ]

    private static let groupsAndStorage: [String: Rule] = [
        "GET /groups": .usersAndKeys, "GET /groups/{group_id}": viewing(),
        "POST /groups": administrators.sending(#"{"name": "Another"}"#).answering(200, 409), "DELETE /groups/{group_id}": deletion,
        "POST /groups/bulk-delete": administrators.sending("[99]"), "POST /groups/{group_id}/cameras": administrators.sending("[1]"),
        "POST /groups/{group_id}/action": administrators.sending(#"{"action": "enable_motion"}"#),

        "GET /storage/profiles": .administrators, "GET /storage/profiles/{profile_id}": administrators.answering(404),
        "POST /storage/profiles": administrators.sending(#"{"name": "x", "path": "/etc"}"#).answering(400, 422),
        "PUT /storage/profiles/{profile_id}": administrators.sending(#"{"name": "x"}"#).answering(404),
        "DELETE /storage/profiles/{profile_id}": .administrators,

        "GET /storage/s3": .administrators, "POST /storage/s3": administrators.sending("{}").answering(422),
        "GET /storage/s3/{profile_id}": administrators.answering(404), "DELETE /storage/s3/{profile_id}": administrators.answering(404),
        "PUT /storage/s3/{profile_id}": administrators.sending(#"{"name": "x"}"#).answering(404),
        "POST /storage/s3/{profile_id}/forget": administrators.sending("{}").answering(404),
        "POST /storage/profiles/{profile_id}/forget": administrators.sending("{}").answering(404),
        "POST /storage/s3/{profile_id}/test": administrators.answering(404), "GET /storage/encryption": .administrators,
        "GET /storage/offsite": .administrators,
    ]

    private static let accounts: [String: Rule] = [
        "POST /auth/2fa/setup": .users, "POST /auth/2fa/enable": users.sending(#"{"code": "000000"}"#).answering(400, 429),
        "POST /auth/2fa/disable": users.sending(#"{"password": "wrong"}"#).answering(400, 429),
        "POST /auth/2fa/recovery-codes": users.answering(400), "GET /auth/devices": .users,
        "DELETE /auth/devices/{device_id}": users.answering(404),
        "GET /auth/me/layouts": .users, "PUT /auth/me/layouts/{name}": users.sending(#"{"layout": {"columns": 2}}"#),
        "DELETE /auth/me/layouts/{name}": users.answering(200, 404), "DELETE /auth/me/layouts": users.answering(422),
        "PUT /auth/me/layouts": users.sending(#"{"layout": {"columns": 2}}"#).answering(422),
        "GET /auth/streaming-secret": .users, "POST /auth/streaming-secret": .users, "DELETE /auth/streaming-secret": users.answering(200, 404),
        "GET /v1/api-tokens": .users, "POST /v1/api-tokens": users.sending(#"{"name": "mine"}"#),
        // The first key is of the first viewer: nobody else can delete it, an administrator neither.
        "DELETE /v1/api-tokens/{token_id}": users.answering(200, 404),

        "GET /users": .administrators,
        "POST /users": administrators.sending(#"{"username": "new", "password": "Another-Passw0rd!"}"#).answering(200, 400),
        "PUT /users/{user_id}": administrators.at("/users/2").sending(#"{"language": "de"}"#), "DELETE /users/{user_id}": deletion.at("/users/2"),
        "PUT /users/{user_id}/password": users.at("/users/1/password").sending(#"{"old_password": "x", "new_password": "Another-Passw0rd!"}"#)
            .refusingOthers(403).answering(400, 429),
        "GET /users/{user_id}/avatar": media.at("/users/1/avatar").refusingOthers(403).answering(404),
        "POST /users/{user_id}/avatar": users.at("/users/1/avatar").refusingOthers(403).answering(400, 415, 422),
        "DELETE /users/{user_id}/avatar": users.at("/users/1/avatar").refusingOthers(403),
    ]

    private static let settings: [String: Rule] = [
        "GET /settings": .administrators, "GET /settings/{key}": users.at("/settings/smtp_password").refusingOthers(403),
        "PUT /settings/{key}": administrators.at("/settings/opt_live_view_quality").sending(#"{"value": "60"}"#),
        "POST /settings/bulk": administrators.sending(#"{"opt_live_view_quality": "60"}"#), "POST /settings/init-defaults": .administrators,
        "POST /settings/test-notify": administrators.sending(#"{"channel": "email", "settings": {}}"#).answering(501),
        "POST /settings/telemetry/report": .administrators,

        "GET /settings/backup/list": .administrators, "GET /settings/backup/export": administrators.holdingHashes(),
        "POST /settings/backup/export": administrators.holdingHashes(), "POST /settings/backup/import": administrators.answering(400, 415, 422),
        "POST /settings/backup/run": .administrators,
        "DELETE /settings/backup/{filename}": administrators.at("/settings/backup/x.json").answering(404),
        "POST /settings/backup/restore-file/{filename}": administrators.at("/settings/backup/restore-file/x.json").answering(404),
    ]

    private static let system: [String: Rule] = [
        "GET /health/events": .usersAndKeys, "GET /health/recorded": .usersAndKeys,
        "GET /audit": .administrators, "GET /logs/": administrators.at("/logs/?service=backend"), "GET /logs/download": .administrators,
        "GET /settings/engine/debug-status": .administrators, "GET /settings/sync-orphans/status": .administrators,
        "POST /settings/cleanup": .administrators, "GET /settings/cleanup/status": .administrators, "GET /storage/forecast": .administrators,
        "POST /settings/sync-orphans": .administrators, "GET /v1/homepage/stats": .usersAndKeys,

        "GET /stats": .usersAndKeys, "GET /stats/history": .usersAndKeys, "GET /stats/resources-history": .usersAndKeys,
    ]
}
