import HTTPTypes
import Hummingbird
import NVRAccounts
import NVRBase
import NVRModel
import NVRStore

/// Settings of the server. Secrets go in and never come out.
struct SettingsRoutes: Sendable {
    let store: Store
    /// What URLs in settings may lead to.
    let rules: CameraURL.Rules

    var routes: [Route] {
        [
            Route(.get, "/settings", .admin, list),
            Route(.get, "/settings/{key}", .user, one),
            Route(.put, "/settings/{key}", .admin, update),
            Route(.post, "/settings/bulk", .admin, updateMany),
            Route(.post, "/settings/init-defaults", .admin, initializeDefaults),
            Route(.post, "/settings/test-notify", .admin, testNotification),
            Route(.post, "/settings/telemetry/report", .admin, reportTelemetry),
        ]
    }

    private func list(_ call: Call) async throws -> Response {
        let values = try await store.settings.values()
        var object = JSONObject()
        for key in Settings.all { object[key.name] = ["value": .string(values.shown(key)), "description": .string(key.told)] }
        return Response(json: .object(object))
    }

    private func one(_ call: Call) async throws -> Response {
        let caller = try call.requireCaller()
        let name = call.parameters["key"] ?? ""
        let key = Settings.named(name)
        guard Access.allows(caller, .administer) || key?.isPublic == true else {
            throw HTTPFailure(.forbidden, "Not authorized to access this setting")
        }
        // A key that does not exist is answered as one without a value: clients ask for keys of other versions.
        guard let key else { return Response(json: ["key": .string(name), "value": nil, "description": nil]) }
        return Response(json: Self.json(key, try await store.settings.values()))
    }

    private func update(_ call: Call) async throws -> Response {
        guard let key = Settings.named(call.parameters["key"] ?? "") else { throw HTTPFailure(.notFound, "Setting not found") }
        let text = try Self.value(of: call)
        if !(key.isSecret && text == SettingKey.mask) { try await store.settings.set([key.name: try checked(text, key)]) }
        return Response(json: Self.json(key, try await store.settings.values()))
    }

    /// All or nothing. Keys that do not exist and those that the server sets are passed over.
    private func updateMany(_ call: Call) async throws -> Response {
        let object = try call.object()
        var values: [String: String?] = [:]
        var fields = FieldReader()
        var count = 0
        for name in object.keys {
            guard let key = Settings.named(name), key.kind != .server, let sent = object[name] else { continue }
            guard let text = fields.value(Self.text(of: sent, loc: [.key("body"), .key(name)])) else { continue }
            count += 1
            if !(key.isSecret && text == SettingKey.mask) { values[name] = try checked(text, key) }
        }
        try fields.finish()
        try await store.settings.set(values)
        return Response(json: ["message": "Settings updated successfully", "count": JSONValue(count)])
    }

    /// Defaults are part of the program: every setting has a value already, and nothing is stored for it.
    private func initializeDefaults(_ call: Call) async throws -> Response {
        Response(json: ["message": "Initialized 0 default settings"])
    }

    private func reportTelemetry(_ call: Call) async throws -> Response {
        Response(json: ["status": "disabled", "message": "This server sends no telemetry; nothing was sent"])
    }

    /// Checks what a test message would need, so that mistakes are told; no message can be sent yet.
    private func testNotification(_ call: Call) async throws -> Response {
        let body = try call.object()
        var fields = FieldReader()
        var channel: String?
        if let sent = body["channel"] {
            channel = fields.value(FieldCheck.text(sent, length: 1...50, loc: [.key("body"), .key("channel")]))
        } else {
            fields.note(.missing([.key("body"), .key("channel")], body: .object(body)))
        }
        let settings = body["settings"]
        if settings == nil { fields.note(.missing([.key("body"), .key("settings")], body: .object(body))) }
        if let settings, settings.object == nil { fields.note(.notAnObject([.key("body"), .key("settings")], input: settings)) }
        try fields.finish()
        switch channel {
        case "email", "telegram": break
        case "webhook":
            let key = Settings.notifyWebhookURL.key
            let sent = settings?[key.name]?.string ?? ""
            let isSent = !sent.isEmpty && sent != SettingKey.mask
            let url = isSent ? sent : try await store.settings.values().text(key)
            guard try !checked(url, key).isEmpty else {
                throw HTTPFailure(.badRequest, "Missing Webhook URL. Configure it in Global Settings first.")
            }
        default: throw HTTPFailure(.badRequest, "Unknown channel: \(channel ?? "")")
        }
        throw HTTPFailure(.notImplemented, "Notifications are not available yet; nothing was sent")
    }

    // MARK: Values

    private func checked(_ text: String, _ key: SettingKey) throws -> String {
        switch key.check(text, rules: rules) {
        case .success(let value): return value
        case .failure(let refusal): throw NVRError(.invalid, refusal.message)
        }
    }

    private static func json(_ key: SettingKey, _ values: SettingValues) -> JSONValue {
        ["key": .string(key.name), "value": .string(values.shown(key)), "description": .string(key.told)]
    }

    /// The value of a PUT: in the query, as `{"value": …}`, or as the whole body.
    private static func value(of call: Call) throws -> String {
        if let text = call.query["value"] { return text }
        guard call.body.readableBytes > 0 else { throw FieldProblems([.missing([.key("query"), .key("value")], body: .null)]) }
        let body = try call.json()
        guard let object = body.object else { return try text(of: body, loc: [.key("body")]).get() }
        guard let sent = object["value"] else { throw FieldProblems([.missing([.key("body"), .key("value")], body: body)]) }
        return try text(of: sent, loc: [.key("body"), .key("value")]).get()
    }

    private static func text(of value: JSONValue, loc: [FieldProblem.Step]) -> FieldCheck.Outcome<String> {
        switch value {
        case .string(let text): .success(text)
        case .integer(let number): .success(String(number))
        case .number(let number): .success(number.description)
        case .bool(let flag): .success(flag ? "true" : "false")
        default: FieldCheck.text(value, length: 0...0, loc: loc)
        }
    }
}
