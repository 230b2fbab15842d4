import Argon2
import NVRBase
import NVRModel
import NVRStore

extension BackupReader {
    /// What a hash may ask for at each sign-in: a backup of a stranger must not take the machine down.
    private static let costliestHash = PasswordHash.Parameters(memory: 256 << 10, passes: 16, lanes: 16)

    /// Users with their rights, second factors and API keys.
    mutating func users(_ object: JSONObject) throws -> [StoredUser] {
        var users: [StoredUser] = []
        var places: [NameKey: Int] = [:]
        for (index, item) in try list(object, "users").enumerated() {
            let place = "users[\(index)]"
            let name = try text(item, "username", place, atMost: 64) ?? ""
            if let refusal = User.refusal(ofName: name) { throw wrong(place + ".username", "is refused: \(refusal)") }
            guard places.updateValue(index, forKey: NameKey(name)) == nil else { throw wrong(place + ".username", "is there twice") }
            users.append(try user(item, name, place))
        }
        for (index, item) in try list(object, "api_tokens").enumerated() {
            guard let name = item["username"]?.string, let place = places[NameKey(name)] else { continue }
            guard let token = try token(item, "api_tokens[\(index)]") else { continue }
            users[place].tokens.append(token)
        }
        for (index, item) in try list(object, "recovery_codes").enumerated() {
            guard let name = item["username"]?.string, let place = places[NameKey(name)] else { continue }
            // Only SHA-256 is known here; others are made anew by whoever needs them.
            if let hash = try Self.bytes(hex: text(item, "code_hash", "recovery_codes[\(index)]") ?? "") {
                users[place].secondFactor?.recoveryCodes.append(hash)
            }
        }
        return users
    }

    private func user(_ item: JSONObject, _ name: String, _ place: String) throws -> StoredUser {
        let role = item["role"]?.string.flatMap(User.Role.init(rawValue:)) ?? .viewer
        var user = User(
            id: ID(0), username: name, email: try text(item, "email", place, atMost: 320), role: role, createdAt: time(item, "created_at") ?? now)
        user.isActive = flag(item, "is_active", default: true)
        user.restrictCameraAccess = flag(item, "restrict_camera_access", default: false)
        user.language = try text(item, "language", place, atMost: User.longestLanguage) ?? "en"
        user.cameraGrants = grants(item["camera_accesses"], allowed: item["allowed_camera_ids"])
        user.groupGrants = grants(item["group_accesses"], allowed: item["allowed_group_ids"])
        let hash = try text(item, "hashed_password", place).flatMap { PasswordHash.isVerifiable($0, atMost: Self.costliestHash) ? $0 : nil }
        var stored = StoredUser(user: user, passwordHash: hash)
        if let secret = try text(item, "totp_secret", place, atMost: 256), !secret.isEmpty {
            stored.secondFactor = StoredSecondFactor(secret: secret, isEnabled: flag(item, "is_2fa_enabled", default: false))
        }
        return stored
    }

    /// Rights as listed one by one; in backups of versions that knew none, those to see and replay.
    private func grants<Subject>(_ accesses: JSONValue?, allowed: JSONValue?) -> [Grant<Subject>] {
        guard let list = accesses?.array else { return ids(allowed).map { Grant(id: $0) } }
        return list.prefix(Self.mostMembers).compactMap { item -> Grant<Subject>? in
            guard let object = item.object, case .integer(let id) = object["id"] else { return nil }
            return Grant(
                id: ID(id), canView: flag(object, "can_view", default: true), canReplay: flag(object, "can_replay", default: true),
                canControl: flag(object, "can_control", default: false))
        }
    }

    /// Nil for a key that ended, or whose hash is of another kind.
    private func token(_ item: JSONObject, _ place: String) throws -> StoredToken? {
        guard let hash = Self.bytes(hex: try text(item, "token_hash", place) ?? ""), flag(item, "is_active", default: true) else { return nil }
        let end = time(item, "expires_at")
        // A time that cannot be read must not make the key last for ever.
        if item["expires_at"]?.string != nil, end == nil { return nil }
        if let end, end <= now { return nil }
        let name = try text(item, "name", place, atMost: 100) ?? ""
        return StoredToken(
            token: APIToken(
                id: ID(0), userID: ID(0), name: name.isEmpty ? "restored" : name, createdAt: time(item, "created_at") ?? now, expiresAt: end,
                lastUsedAt: time(item, "last_used_at")), hash: hash)
    }

    /// 32 bytes of hexadecimal digits; nil for anything else.
    private static func bytes(hex text: String) -> [UInt8]? {
        func digit(_ byte: UInt8) -> UInt8? {
            switch byte {
            case 0x30...0x39: byte - 0x30
            case 0x41...0x46: byte - 0x41 + 10
            case 0x61...0x66: byte - 0x61 + 10
            default: nil
            }
        }
        let digits = text.utf8.prefix(65).compactMap(digit)
        guard text.utf8.count == 64, digits.count == 64 else { return nil }
        return stride(from: 0, to: 64, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
