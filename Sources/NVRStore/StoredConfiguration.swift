import FoundationEssentials
import GRDB
package import NVRModel

/// What somebody set up, as a backup holds it: everything but footage, events, sessions and trusted devices. Secrets are in plain text.
/// In one that was read from a backup, ids are those of the backup.
package struct StoredConfiguration: Sendable, Hashable {
    /// The installation it is from; empty when not known.
    package var instance: String
    /// Settings that differ from their defaults.
    package var settings: [String: String] = [:]
    package var storageProfiles: [StorageProfile] = []
    /// Profiles whose folders cannot be used here now, and why: they count only where they are already.
    package var unusableFolders: [ID<StorageProfile>: String] = [:]
    package var s3Profiles: [S3Profile] = []
    package var cameras: [Camera] = []
    /// Fields that the backup names of its cameras: the others of a camera that is here already stay as they are. A camera that is
    /// absent has all of them named.
    package var cameraFields: [ID<Camera>: Set<String>] = [:]
    package var groups: [CameraGroup] = []
    package var users: [StoredUser] = []

    package init(instance: String) { self.instance = instance }
}

/// A user with what signs him in.
package struct StoredUser: Sendable, Hashable {
    package var user: User
    /// PHC string of Argon2id; nil when there is none that could be checked here.
    package var passwordHash: String?
    package var secondFactor: StoredSecondFactor?
    package var tokens: [StoredToken] = []

    package init(user: User, passwordHash: String?) {
        self.user = user
        self.passwordHash = passwordHash
    }
}

/// A second factor and the SHA-256 of its recovery codes.
package struct StoredSecondFactor: Sendable, Hashable {
    /// In base 32.
    package var secret: String
    package var isEnabled: Bool
    package var recoveryCodes: [[UInt8]] = []

    package init(secret: String, isEnabled: Bool) {
        self.secret = secret
        self.isEnabled = isEnabled
    }
}

/// An API key and the SHA-256 of its text.
package struct StoredToken: Sendable, Hashable {
    package var token: APIToken
    package var hash: [UInt8]

    package init(token: APIToken, hash: [UInt8]) {
        self.token = token
        self.hash = hash
    }
}

extension Store {
    /// The whole configuration on one snapshot.
    package func configuration() async throws -> StoredConfiguration {
        try await rows.read("reading the configuration") { try configuration($0) }
    }

    func configuration(_ db: Database) throws -> StoredConfiguration {
        var configuration = StoredConfiguration(instance: try db.row("SELECT instance FROM installation") { $0["instance"] as String } ?? "")
        configuration.settings = try settings.fetchAll(db)
        configuration.storageProfiles = try StorageProfileStore.fetchAll(db)
        configuration.s3Profiles = try s3Profiles.fetchAll(db)
        configuration.cameras = try cameras.fetchAll(db)
        configuration.groups = try db.rows("SELECT id FROM groups ORDER BY id") { ID<CameraGroup>($0["id"]) }.compactMap {
            try GroupStore.fetch(db, $0)
        }
        let users = try db.rows("SELECT id, password_hash FROM users ORDER BY id") { (ID<User>($0["id"]), $0["password_hash"] as String) }
        for (id, hash) in users {
            guard let user = try UserStore.fetch(db, id) else { continue }
            var stored = StoredUser(user: user, passwordHash: hash)
            stored.secondFactor = try secondFactor(db, id)
            stored.tokens = try db.rows("SELECT * FROM api_tokens WHERE user_id = ? ORDER BY id", [id.rawValue]) {
                StoredToken(token: try TokenStore.token($0), hash: Array($0["hash"] as Data))
            }
            configuration.users.append(stored)
        }
        return configuration
    }

    private func secondFactor(_ db: Database, _ user: ID<User>) throws -> StoredSecondFactor? {
        let row = try db.row("SELECT secret, is_enabled FROM second_factors WHERE user_id = ?", [user.rawValue]) {
            (secret: $0["secret"] as String, isEnabled: $0["is_enabled"] as Bool)
        }
        // One whose set-up was never finished is nobody's yet.
        guard let row, row.isEnabled else { return nil }
        var factor = StoredSecondFactor(
            secret: try secrets.open(row.secret, for: SecondFactorStore.context(user.rawValue)), isEnabled: true)
        factor.recoveryCodes = try db.rows("SELECT hash FROM recovery_codes WHERE user_id = ? ORDER BY hash", [user.rawValue]) {
            Array($0["hash"] as Data)
        }
        return factor
    }
}
