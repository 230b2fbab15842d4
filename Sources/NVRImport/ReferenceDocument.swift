import NVRBase
package import NVRModel
package import NVRStore

/// Makes of the old database what VibeNVR itself would write as a backup of its configuration, so that it is read by the same rules.
package struct ReferenceDocument {
    /// The tables that are read, and by which columns they are known.
    static let tables: Set<String> = [
        "cameras", "camera_groups", "camera_group_association", "storage_profiles", "system_settings", "users", "user_camera_access",
        "user_group_access", "camera_permissions", "api_tokens", "recovery_codes", "events",
    ]

    /// Rows of a table that are read, and bytes of a text in it.
    private static let mostRows = 10_000
    private static let longest = 1 << 20

    private let tables: StagedTables
    private let paths: ReferencePaths
    package private(set) var notes: [(place: String, reason: String)] = []

    package init(tables: StagedTables, paths: ReferencePaths) {
        self.tables = tables
        self.paths = paths
    }

    /// Throws `invalid` for a database that is none of VibeNVR.
    package mutating func json() throws -> JSONValue {
        guard tables.has("cameras"), tables.columns(of: "cameras").contains("rtsp_url") else {
            throw NVRError(.invalid, "this is no database of VibeNVR: it has no table of cameras")
        }
        var object: JSONObject = ["version": "1.0"]
        object["settings"] = .array(
            try rows("system_settings").map { ["key": JSONValue($0.text("key") ?? ""), "value": JSONValue($0.text("value"))] })
        object["cameras"] = .array(try rows("cameras").map(Self.camera))
        object["storage_profiles"] = .array(try rows("storage_profiles").compactMap { profile($0) })
        object["groups"] = .array(
            try rows("camera_groups").map {
                ["id": Self.id($0, "id"), "name": JSONValue($0.text("name")), "description": JSONValue($0.text("description"))]
            })
        object["associations"] = .array(
            try rows("camera_group_association").map { ["camera_id": Self.id($0, "camera_id"), "group_id": Self.id($0, "group_id")] })
        let users = try rows("users")
        let cameraAccess = try accesses("user_camera_access", "camera_id") + accesses("camera_permissions", "camera_id")
        let groupAccess = try accesses("user_group_access", "group_id")
        object["users"] = .array(users.map { Self.user($0, cameraAccess, groupAccess) })
        let names = Dictionary(users.compactMap { user in user.integer("id").map { ($0, user.text("username") ?? "") } }) { first, _ in first }
        object["api_tokens"] = .array(try rows("api_tokens").map { Self.token($0, names) })
        object["recovery_codes"] = .array(
            try rows("recovery_codes").map {
                ["username": JSONValue($0.integer("user_id").flatMap { names[$0] }), "code_hash": JSONValue($0.text("code_hash"))]
            })
        return .object(object)
    }

    /// Names the old installation, so that what was brought of it is known again: its own number, else its oldest user or camera.
    package func source() throws -> String {
        let number = try rows("system_settings").first { $0.text("key") == "instance_id" }?.text("value") ?? ""
        if !number.isEmpty { return "vibenvr:" + String(number.prefix(200)) }
        for table in ["users", "cameras"] {
            let oldest = try rows(table).min { ($0.integer("id") ?? .max) < ($1.integer("id") ?? .max) }
            if let oldest, let id = oldest.integer("id") {
                return "vibenvr:\(table):\(id):\(oldest.created("created_at")?.iso8601 ?? "")"
            }
        }
        return "vibenvr"
    }

    private func rows(_ table: String) throws -> [ReferenceRow] {
        let order = try tables.order(of: table, by: ["id"])
        return try tables.rows(table, order.prefix(Self.mostRows), longest: Self.longest).map(ReferenceRow.init)
    }

    private static func id(_ row: ReferenceRow, _ column: String) -> JSONValue { row.integer(column).map(JSONValue.integer) ?? .null }

    // MARK: Rows

    /// Fields by the types that we know them by; what is null there has its default here.
    private static func camera(_ row: ReferenceRow) -> JSONValue {
        var object: JSONObject = ["id": id(row, "id")]
        if let time = row.created("created_at") { object["created_at"] = .string(time.iso8601) }
        for field in CameraField.all where field.isStored {
            let value: JSONValue? =
                switch field.kind {
                case .boolean: row.flag(field.name).map(JSONValue.bool)
                case .integer, .integerChoice: row.integer(field.name).map(JSONValue.integer)
                case .number: row.number(field.name).map(JSONValue.number)
                default: row.text(field.name).map(JSONValue.string)
                }
            // An empty address is none; an empty list of masks neither.
            if let value, value != "" || field.isRequired { object[field.name] = value }
        }
        return .object(object)
    }

    private mutating func profile(_ row: ReferenceRow) -> JSONValue? {
        let name = row.text("name") ?? ""
        if let type = row.text("storage_type"), type != "local", !type.isEmpty {
            notes.append(("storage profile \(name)", "it lies on a server (\(type.prefix(20))); its cameras record to the default folder"))
            return nil
        }
        let path = row.text("path") ?? ""
        return [
            "id": Self.id(row, "id"), "name": .string(name), "path": .string(paths.folder(path) ?? path),
            "description": JSONValue(row.text("description")),
            "max_size_gb": .number(row.number("max_size_gb") ?? 0),
        ]
    }

    private struct Access {
        var user: Int64
        var json: JSONValue
    }

    private func accesses(_ table: String, _ column: String) throws -> [Access] {
        try rows(table).compactMap { row in
            guard let user = row.integer("user_id"), let id = row.integer(column) else { return nil }
            return Access(
                user: user,
                json: [
                    "id": .integer(id), "can_view": .bool(row.flag("can_view") ?? true), "can_replay": .bool(row.flag("can_replay") ?? true),
                    "can_control": .bool(row.flag("can_control") ?? false),
                ])
        }
    }

    private static func user(_ row: ReferenceRow, _ cameras: [Access], _ groups: [Access]) -> JSONValue {
        let id = row.integer("id") ?? 0
        var object: JSONObject = [
            "username": JSONValue(row.text("username")), "email": JSONValue(row.text("email")),
            "hashed_password": JSONValue(row.text("hashed_password")),
            "role": JSONValue(row.text("role")), "totp_secret": JSONValue(row.text("totp_secret")),
            "is_2fa_enabled": .bool(row.flag("is_2fa_enabled") ?? false), "language": .string(row.text("language") ?? "en"),
            "restrict_camera_access": .bool(row.flag("restrict_camera_access") ?? false), "is_active": .bool(row.flag("is_active") ?? true),
        ]
        if let time = row.created("created_at") { object["created_at"] = .string(time.iso8601) }
        object["camera_accesses"] = .array(cameras.filter { $0.user == id }.map(\.json))
        object["group_accesses"] = .array(groups.filter { $0.user == id }.map(\.json))
        return .object(object)
    }

    private static func token(_ row: ReferenceRow, _ names: [Int64: String]) -> JSONValue {
        // A time that cannot be read must end the key rather than make it last for ever.
        func time(_ column: String) -> JSONValue { row.text(column).map { .string(row.created(column)?.iso8601 ?? $0) } ?? .null }
        return [
            "name": .string(row.text("name") ?? ""), "token_hash": JSONValue(row.text("token_hash")), "created_at": time("created_at"),
            "last_used_at": time("last_used_at"), "expires_at": time("expires_at"), "is_active": .bool(row.flag("is_active") ?? true),
            "username": JSONValue(row.integer("created_by_user_id").flatMap { names[$0] }),
        ]
    }
}
