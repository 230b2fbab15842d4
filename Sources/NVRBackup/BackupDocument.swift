package import NVRModel
package import NVRStore

/// The JSON of a backup: one object with the members that VibeNVR writes (version 1.0), so that each product reads the other's.
/// Everything is in plain text, passwords of cameras and hashes of users too.
package enum BackupDocument {
    /// The document of a configuration.
    package static func json(_ configuration: StoredConfiguration, at time: WallTime, madeBy version: String) -> JSONValue {
        let values = SettingValues(stored: configuration.settings)
        var object: JSONObject = [
            "timestamp": .string(time.iso8601), "version": "1.0", "made_by": .string("vibenvr " + version),
            "instance": .string(configuration.instance),
        ]
        object["settings"] = .array(Settings.all.filter { $0.kind != .server }.map { json($0, values) })
        object["cameras"] = .array(configuration.cameras.map { $0.json(.full) })
        object["groups"] = .array(configuration.groups.map(json))
        object["storage_profiles"] = .array(configuration.storageProfiles.map(\.json))
        object["s3_profiles"] = .array(configuration.s3Profiles.map(json))
        object["associations"] = .array(configuration.groups.flatMap(associations))
        object["users"] = .array(configuration.users.map(json))
        object["api_tokens"] = .array(configuration.users.flatMap(tokens))
        object["recovery_codes"] = .array(configuration.users.flatMap(recoveryCodes))
        // What VibeNVR also writes, and what has no meaning on another server.
        object["trusted_devices"] = []
        object["federated_nodes"] = []
        return .object(object)
    }

    private static func json(_ key: SettingKey, _ values: SettingValues) -> JSONValue {
        ["key": .string(key.name), "value": .string(values.text(key)), "description": .string(key.summary)]
    }

    private static func json(_ group: CameraGroup) -> JSONValue {
        ["id": .integer(group.id.rawValue), "name": .string(group.name), "description": JSONValue(group.description)]
    }

    /// With its key, as cameras with their passwords.
    private static func json(_ profile: S3Profile) -> JSONValue {
        guard case .object(var object) = profile.json else { return .null }
        object["secret_key"] = .string(profile.secretKey)
        return .object(object)
    }

    private static func associations(_ group: CameraGroup) -> [JSONValue] {
        group.cameras.sorted().map { ["camera_id": .integer($0.rawValue), "group_id": .integer(group.id.rawValue)] }
    }

    private static func tokens(_ stored: StoredUser) -> [JSONValue] { stored.tokens.map { json($0, of: stored.user) } }

    private static func recoveryCodes(_ stored: StoredUser) -> [JSONValue] {
        (stored.secondFactor?.recoveryCodes ?? []).map { ["username": .string(stored.user.username), "code_hash": .string(hex($0))] }
    }

    private static func json(_ stored: StoredUser) -> JSONValue {
        let user = stored.user
        guard case .object(var object) = user.json else { return .null }
        object["hashed_password"] = JSONValue(stored.passwordHash)
        // The file of the picture is no part of a backup.
        object["avatar_path"] = .null
        object["totp_secret"] = JSONValue(stored.secondFactor?.secret)
        object["is_2fa_enabled"] = .bool(stored.secondFactor?.isEnabled ?? false)
        object["allowed_camera_ids"] = .array(user.cameraGrants.filter(\.canView).map { .integer($0.id.rawValue) })
        object["allowed_group_ids"] = .array(user.groupGrants.filter(\.canView).map { .integer($0.id.rawValue) })
        return .object(object)
    }

    private static func json(_ stored: StoredToken, of user: User) -> JSONValue {
        let token = stored.token
        return [
            "name": .string(token.name), "token_hash": .string(hex(stored.hash)), "created_at": .string(token.createdAt.iso8601),
            "last_used_at": JSONValue(token.lastUsedAt?.iso8601), "expires_at": JSONValue(token.expiresAt?.iso8601),
            "is_active": .bool(token.isActive), "username": .string(user.username),
        ]
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
