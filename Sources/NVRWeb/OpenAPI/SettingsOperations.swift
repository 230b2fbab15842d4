import NVRModel

/// Settings of the server, made of `Settings.all`: what is checked is what is documented.
extension OpenAPIDocument {
    private static let aboutValues = "Values are text in answers; numbers and booleans may be sent as they are or as text."

    static let settingsOperations: [Operation] = [
        Operation("GET /settings", "listSettings", .settings, "All settings")
            .explained("A secret that is set is answered as `\(SettingKey.mask)`; sent back, it stays as it is.")
            .answers(.named("Settings"), "By key."),
        Operation("GET /settings/{key}", "getSetting", .settings, "One setting")
            .explained("Users who are no administrators may read a few of them.")
            .answers(
                .object(["key": .text, "value": Schema.text.orNull, "description": Schema.text.orNull]), "Null for a key that does not exist."
            )
            .refuses(403, "Not for you."),
        Operation("PUT /settings/{key}", "updateSetting", .settings, "Change a setting")
            .explained("The value is in the query, in the body as `{\"value\": …}`, or is the body. " + aboutValues)
            .query("value", .text, "The value.")
            .body(.any(of: [.object(["value": plainValue]), plainValue]), required: false)
            .answers(.object(["key": .text, "value": .text, "description": .text]), "The setting.")
            .refuses(400, "The value is outside of the limits.")
            .refuses(404, "There is no such setting."),
        Operation("POST /settings/bulk", "updateSettings", .settings, "Change several settings")
            .explained("All are changed, or none. Keys that do not exist are passed over. " + aboutValues)
            .body(.named("SettingChanges"))
            .answers(.object(["message": .text, "count": .integer]), "How many were taken.")
            .refuses(400, "A value is outside of the limits."),
        Operation("POST /settings/init-defaults", "initializeSettings", .settings, "Give every setting a value")
            .answers(message, "Every one has a value already."),
        Operation("POST /settings/test-notify", "testNotification", .settings, "Try a notification")
            .body(.object(["channel": .choice(["email", "telegram", "webhook"]), "settings": .map(of: .anything)]))
            .refuses(400, "No such channel, or something that it needs is missing.")
            .refuses(501, "Notifications are not available yet."),
        Operation("POST /settings/telemetry/report", "reportTelemetry", .settings, "Does nothing: this server sends no telemetry")
            .answers(.object(["status": .text, "message": .text]), "Nothing was sent."),
    ]

    private static let plainValue = Schema.any(of: [.text, .number, .boolean])

    static let settingsSchemas: [(String, Schema)] = [
        ("SettingValue", .object(["value": .text, "description": .text])),
        ("Settings", .object(required: Settings.all.map { ($0.name, Schema.named("SettingValue")) })),
        (
            "SettingChanges",
            .object(
                required: [],
                optional: Settings.all.filter { $0.kind != .server }.map { ($0.name, sent($0.kind).described($0.told)) })
        ),
    ]

    private static func sent(_ kind: SettingKey.Kind) -> Schema {
        switch kind {
        case .boolean: .choice(["true", "false"])
        case .integer(let limits): .integer(limits)
        case .number(let limits): .number(limits)
        case .choice(let choices): .choice(choices)
        case .text(let most): .text(0...most, pattern: "^[^\(unprintable)]*$")
        case .url: .text(0...CameraURL.maxLength, format: Format.url)
        case .server: .anything
        }
    }
}
