import HTTPTypes
package import NIOCore
package import NVRModel

/// What an audit entry says of a request beside its route. Names come from lists of our own, values are numbers of rows, yes or no, or
/// words of our own: no text of a client is taken over, so nothing secret can be in it. Pure.
package enum AuditSummary {
    /// A few words about the query and the body of a request.
    package static func text(query: QueryItems, body: ByteBuffer, reason: String? = nil) -> String {
        var parts: [String] = []
        for name in flags {
            if let value = query[name], isPlain(value) { parts.append("\(name)=\(value)") }
        }
        if let list = query["camera_ids"] {
            let ids = list.split(separator: ",").compactMap { Int64($0) }.map { JSONValue.integer($0) }
            if let text = Self.ids(ids), !ids.isEmpty { parts.append("camera_ids=\(text)") }
        }
        // Large bodies are uploads; what is no JSON says nothing that could be told.
        if body.readableBytes > 0, body.readableBytes <= 256 << 10, let value = try? JSONValue(parsing: body.readableBytesView) {
            parts += words(of: value)
        }
        if let reason, reasons.contains(reason) { parts.append(reason) }
        return parts.joined(separator: ", ")
    }

    private static func words(of value: JSONValue) -> [String] {
        if case .array(let elements) = value { return ids(elements).map { ["ids=\($0)"] } ?? [] }
        guard let object = value.object else { return [] }
        var words: [String] = []
        var others = 0
        for name in object.keys {
            guard names.contains(name) else {
                others += 1
                continue
            }
            switch object[name] {
            case .bool(let flag)?: words.append("\(name)=\(flag)")
            case .string(let text)? where choices.contains(text) && !JSONValue.namesSecret(name): words.append("\(name)=\(text)")
            case .array(let elements)? where name.hasSuffix("_ids"): words.append(ids(elements).map { "\(name)=\($0)" } ?? name)
            default: words.append(name)
            }
        }
        if words.count > mostNames { words = words.prefix(mostNames) + ["\(words.count - mostNames) more"] }
        if others > 0 { words.append(others == 1 ? "1 unknown field" : "\(others) unknown fields") }
        return words
    }

    /// Ids of rows, the first of many; nil when something else is among them.
    private static func ids(_ elements: [JSONValue]) -> String? {
        var ids: [String] = []
        for element in elements.prefix(mostNames) {
            guard case .integer(let id) = element else { return nil }
            ids.append(String(id))
        }
        if elements.count > mostNames { ids.append("\(elements.count - mostNames) more") }
        return ids.joined(separator: " ")
    }

    /// The values of a route's parameters: numbers, and names made of harmless letters such as those of settings and backups.
    package static func parameters(_ parameters: [String: String]) -> JSONObject {
        var object = JSONObject()
        for name in parameters.keys.sorted() {
            guard let text = parameters[name] else { continue }
            if let number = Int64(text) {
                object[name] = .integer(number)
            } else {
                let isHarmless = !text.isEmpty && text.utf8.count <= 128 && text.utf8.allSatisfy { isNameByte($0) }
                object[name] = .string(isHarmless ? text : "…")
            }
        }
        return object
    }

    /// The name somebody claims at a sign-in or the first set-up.
    package static func claimedName(route: String, body: ByteBuffer) -> String? {
        guard body.readableBytes <= 64 << 10 else { return nil }
        let name: String?
        switch route {
        case "/auth/login": name = QueryItems(body.readableBytesView)["username"]
        // A body that is no JSON claims nothing.
        case "/auth/setup": name = (try? JSONValue(parsing: body.readableBytesView))?["username"]?.string
        default: name = nil
        }
        return name.flatMap { $0.utf8.count <= 256 ? $0 : nil }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func isPlain(_ value: String) -> Bool { Int64(value) != nil || value == "true" || value == "false" || choices.contains(value) }

    private static let mostNames = 20

    /// Items of a query that say what was done.
    private static let flags = [
        "delete_media", "camera_id", "event_type", "media_type", "type", "analyze_only", "include_credentials", "include_secrets", "inline", "exact",
        "manifest", "confirm", "dry_run",
    ]

    /// Words that values are made of.
    private static let choices: Set<String> = [
        "video", "snapshot", "motion", "continuous", "manual", "all", "admin", "viewer", "enable_motion", "disable_motion", "copy_settings",
        "motion_on", "motion_off", "Continuous", "Motion Triggered", "Off", "tcp", "udp", "email", "telegram", "webhook",
    ]

    /// Members of bodies that may be named.
    package static let names: Set<String> = Set(CameraField.all.map(\.name)).union(Settings.all.map(\.name)).union([
        "username", "email", "password", "old_password", "current_password", "new_password", "role", "is_active", "restrict_camera_access",
        "camera_accesses", "group_accesses", "language", "name", "description", "path", "max_size_gb", "camera_ids", "event_ids", "group_ids",
        "ids", "action", "categories", "source_camera_id", "target_camera_ids", "expires_in_days", "value", "code", "type", "event", "camera_id",
        "rtsp_url", "rtsp_transport", "timestamp_start", "timestamp_end", "event_type", "passphrase", "settings", "channel", "trust_device",
        "device_name", "order", "start", "end", "reason", "expires_at", "exact", "manifest",
        "confirm", "dry_run", "media_type",
        "endpoint", "region", "bucket", "prefix", "addressing", "access_key", "secret_key", "allow_self_signed", "max_bytes_per_second",
        "offsite_all_cameras", "offsite_camera_ids", "recordings", "snapshots", "bytes",
        "id", "allowed_camera_ids", "allowed_group_ids", "file_path", "motion_score", "ai_metadata", "timestamp", "layout", "picture",
        "cameras", "groups", "users", "storage_profiles", "s3_profiles", "associations", "api_tokens", "recovery_codes", "trusted_devices",
        "federated_nodes", "version", "made_by", "instance",
    ])

    /// Why a sign-in was refused, in the words of the API.
    private static let reasons: Set<String> = [
        "2FA_REQUIRED", "Invalid 2FA Code", "Invalid Recovery Code", "Incorrect username or password", "Not authenticated",
        "Could not validate credentials", "Admin privileges required", "Not enough permissions", "Request of another site refused",
        "Setup already completed. Users exist.", "Incorrect password",
    ]
}
