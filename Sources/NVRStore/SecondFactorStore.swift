import FoundationEssentials
import GRDB
package import NVRBase
package import NVRModel

/// What a user's second factor is made of.
package struct SecondFactor: Sendable {
    /// In base 32.
    package var secret: Secret
    /// False while it was shown and no code of it has been typed yet.
    package var isEnabled: Bool
    /// The newest time step whose code was taken.
    package var lastStep: Int64
}

/// Second factors, their recovery codes and the devices that need none. Everything that is good once is taken in one statement, so
/// that two requests cannot both have it.
package struct SecondFactorStore: Sendable {
    let rows: Rows

    /// What the secret of a user is sealed for.
    static func context(_ user: Int64) -> String { "user:\(user):totp_secret" }

    package func get(_ user: ID<User>) async throws -> SecondFactor? {
        let found = try await rows.read("reading a second factor") { db in
            try db.row("SELECT * FROM second_factors WHERE user_id = ?", [user.rawValue]) {
                (sealed: $0["secret"] as String, isEnabled: $0["is_enabled"] as Bool, lastStep: $0["last_step"] as Int64)
            }
        }
        guard let found else { return nil }
        let secret = Secret(try rows.secrets.open(found.sealed, for: Self.context(user.rawValue)))
        return SecondFactor(secret: secret, isEnabled: found.isEnabled, lastStep: found.lastStep)
    }

    /// Begins a set-up, instead of one that was not finished. Throws `conflict` when the user has a second factor.
    package func begin(_ user: ID<User>, secret: Secret, recoveryHashes: [[UInt8]]) async throws {
        let sealed = try rows.secrets.seal(secret.reveal(), for: Self.context(user.rawValue))
        try await rows.write("storing a second factor") { db in
            try db.run("DELETE FROM second_factors WHERE user_id = ? AND NOT is_enabled", [user.rawValue])
            if try db.row("SELECT 1 FROM second_factors WHERE user_id = ?", [user.rawValue], { _ in true }) != nil {
                throw NVRError(.conflict, "2FA is already enabled")
            }
            try db.run(
                "INSERT INTO second_factors (user_id, secret, is_enabled, last_step) VALUES (?, ?, 0, 0)", [user.rawValue, sealed])
            try Self.write(db, user, recoveryHashes)
        }
    }

    /// Ends the set-up; the code of `step` is thereby taken. False when there is none to end.
    package func enable(_ user: ID<User>, step: Int64) async throws -> Bool {
        try await rows.write("enabling a second factor") { db in
            try db.run("UPDATE second_factors SET is_enabled = 1, last_step = ? WHERE user_id = ? AND NOT is_enabled", [step, user.rawValue])
            return db.changesCount > 0
        }
    }

    /// Takes the code of a step; false when it or a newer one was taken before.
    package func take(_ user: ID<User>, step: Int64) async throws -> Bool {
        try await rows.write("taking a code") { db in
            try db.run("UPDATE second_factors SET last_step = ? WHERE user_id = ? AND is_enabled AND last_step < ?", [step, user.rawValue, step])
            return db.changesCount > 0
        }
    }

    /// Takes a recovery code; false when the user has none of this hash, or has taken it before.
    package func takeRecovery(_ user: ID<User>, hash: [UInt8]) async throws -> Bool {
        try await rows.write("taking a recovery code") { db in
            try db.run(
                """
                DELETE FROM recovery_codes WHERE user_id = ? AND hash = ?
                    AND EXISTS (SELECT 1 FROM second_factors WHERE user_id = ? AND is_enabled)
                """, [user.rawValue, Data(hash), user.rawValue])
            return db.changesCount > 0
        }
    }

    /// Replaces all recovery codes; false when the user has no second factor.
    package func setRecovery(_ user: ID<User>, hashes: [[UInt8]]) async throws -> Bool {
        try await rows.write("storing recovery codes") { db in
            if try db.row("SELECT 1 FROM second_factors WHERE user_id = ? AND is_enabled", [user.rawValue], { _ in true }) == nil { return false }
            try db.run("DELETE FROM recovery_codes WHERE user_id = ?", [user.rawValue])
            try Self.write(db, user, hashes)
            return true
        }
    }

    /// Removes the second factor with its codes and trusted devices; false when there was none.
    package func remove(_ user: ID<User>) async throws -> Bool {
        try await rows.write("removing a second factor") { db in
            try db.run("DELETE FROM second_factors WHERE user_id = ?", [user.rawValue])
            return db.changesCount > 0
        }
    }

    private static func write(_ db: Database, _ user: ID<User>, _ hashes: [[UInt8]]) throws {
        for hash in hashes { try db.run("INSERT INTO recovery_codes (user_id, hash) VALUES (?, ?)", [user.rawValue, Data(hash)]) }
    }

    // MARK: Trusted devices

    /// Devices a user may trust; the one used longest ago makes room.
    package static let mostDevices = 50

    /// Stores a device; its `id` is given here.
    package func insertDevice(_ device: TrustedDevice, hash: [UInt8]) async throws -> TrustedDevice {
        try await rows.write("storing a trusted device") { db in
            try db.run("DELETE FROM trusted_devices WHERE expires_us <= ?", [device.createdAt.microseconds])
            try db.run(
                """
                DELETE FROM trusted_devices WHERE id IN
                    (SELECT id FROM trusted_devices WHERE user_id = ? ORDER BY last_used_us DESC, id DESC LIMIT -1 OFFSET ?)
                """, [device.userID.rawValue, Self.mostDevices - 1])
            try db.run(
                "INSERT INTO trusted_devices (user_id, hash, name, created_us, last_used_us, expires_us) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    device.userID.rawValue, Data(hash), device.name, device.createdAt.microseconds, device.lastUsedAt.microseconds,
                    device.expiresAt.microseconds,
                ])
            var stored = device
            stored.id = ID(db.lastInsertedRowID)
            return stored
        }
    }

    /// Whether the device of a token is trusted by the user at `time`; notes its use.
    package func useDevice(of user: ID<User>, hash: [UInt8], at time: WallTime) async throws -> Bool {
        try await rows.write("noting the use of a device") { db in
            try db.run(
                "UPDATE trusted_devices SET last_used_us = ? WHERE hash = ? AND user_id = ? AND expires_us > ?",
                [time.microseconds, Data(hash), user.rawValue, time.microseconds])
            return db.changesCount > 0
        }
    }

    /// Devices that a user trusts at `time`, by id.
    package func devices(of user: ID<User>, at time: WallTime) async throws -> [TrustedDevice] {
        try await rows.read("reading trusted devices") { db in
            try db.rows(
                "SELECT * FROM trusted_devices WHERE user_id = ? AND expires_us > ? ORDER BY id", [user.rawValue, time.microseconds]
            ) {
                TrustedDevice(
                    id: ID($0["id"]), userID: ID($0["user_id"]), name: $0["name"], createdAt: WallTime(microseconds: $0["created_us"]),
                    lastUsedAt: WallTime(microseconds: $0["last_used_us"]), expiresAt: WallTime(microseconds: $0["expires_us"]))
            }
        }
    }

    /// Trusts a device of a user no longer; false when he has none of this id.
    package func deleteDevice(_ id: ID<TrustedDevice>, of user: ID<User>) async throws -> Bool {
        try await rows.write("deleting a trusted device") { db in
            try db.run("DELETE FROM trusted_devices WHERE id = ? AND user_id = ?", [id.rawValue, user.rawValue])
            return db.changesCount > 0
        }
    }
}
