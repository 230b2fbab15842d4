import Crypto
package import NVRBase
package import NVRModel
import NVRStore

/// What a sign-in carries beside name and password.
package struct SecondFactorProof: Sendable {
    package var code: String?
    package var recoveryCode: String?
    /// Of a device that was trusted before.
    package var deviceToken: String?
    /// Asks to trust this device, under a name.
    package var isDeviceTrusted = false
    package var deviceName: String?

    package init() {}
}

/// Why a right password alone does not sign in.
package enum SecondFactorRefusal: Error, Sendable, Hashable {
    /// Nothing was given.
    case needed
    case badCode
    case badRecoveryCode
}

/// Second factors: time-based codes, recovery codes for the day the phone is gone, and devices that need neither for a while.
package struct TwoFactor: Sendable {
    /// What a person needs to set it up; shown once.
    package struct SetUp: Sendable {
        package var secret: Secret
        package var url: Secret
        package var recoveryCodes: [Secret]
        /// The URL as a QR code.
        package var svg: String
    }

    let store: Store
    let clock: any NVRClock

    package static let recoveryCodeCount = 10
    /// Days that a device is trusted.
    package static let trustDays: Int64 = 30

    private var now: WallTime { WallTime(microseconds: clock.wall()) }

    /// Begins the set-up of a user; nothing is asked at sign-in until `enable`. Throws `conflict` when it is done already.
    package func setUp(_ user: User) async throws -> SetUp {
        let secret = TOTP.newSecret()
        let codes = Self.newRecoveryCodes()
        try await store.secondFactors.begin(user.id, secret: Secret(secret), recoveryHashes: codes.map { Self.hash($0, of: user.id) })
        let url = TOTP.url(secret: secret, account: user.username)
        guard let code = QRCode(url) else { throw NVRError(.internalFault, "the set-up code does not fit a picture") }
        return SetUp(secret: Secret(secret), url: Secret(url), recoveryCodes: codes.map(Secret.init), svg: code.svg)
    }

    /// Ends the set-up with a first code; false when it is wrong. Throws `conflict` when there is nothing to end.
    package func enable(_ user: ID<User>, code: String) async throws -> Bool {
        guard let factor = try await store.secondFactors.get(user) else { throw NVRError(.conflict, "2FA is not set up") }
        if factor.isEnabled { throw NVRError(.conflict, "2FA is already enabled") }
        guard let step = try step(of: code, factor) else { return false }
        return try await store.secondFactors.enable(user, step: step)
    }

    /// New recovery codes in place of the old ones. Throws `conflict` without a second factor.
    package func renewRecoveryCodes(_ user: ID<User>) async throws -> [Secret] {
        let codes = Self.newRecoveryCodes()
        guard try await store.secondFactors.setRecovery(user, hashes: codes.map { Self.hash($0, of: user) }) else {
            throw NVRError(.conflict, "2FA is not enabled")
        }
        return codes.map(Secret.init)
    }

    /// Signing in takes the password alone again. False when it did before.
    package func disable(_ user: ID<User>) async throws -> Bool { try await store.secondFactors.remove(user) }

    // MARK: Signing in

    /// Throws `SecondFactorRefusal` unless the proof is good, and takes what is good once. Gives the token of the device when that is
    /// to be trusted. `beforeCode` runs before a code is looked at: there the caller throttles.
    func demand(_ proof: SecondFactorProof, of user: User, beforeCode: () throws -> Void) async throws -> String? {
        guard let factor = try await store.secondFactors.get(user.id), factor.isEnabled else { return nil }
        if let token = Self.given(proof.deviceToken), token.utf8.count <= 256,
            try await store.secondFactors.useDevice(of: user.id, hash: Self.hash(deviceToken: token), at: now)
        {
            return nil
        }
        if let code = Self.given(proof.code) {
            try beforeCode()
            guard let step = try step(of: code, factor), try await store.secondFactors.take(user.id, step: step) else {
                throw SecondFactorRefusal.badCode
            }
        } else if let code = Self.given(proof.recoveryCode) {
            try beforeCode()
            guard code.utf8.count <= 256, try await store.secondFactors.takeRecovery(user.id, hash: Self.hash(code, of: user.id)) else {
                throw SecondFactorRefusal.badRecoveryCode
            }
        } else {
            throw SecondFactorRefusal.needed
        }
        return proof.isDeviceTrusted ? try await trust(proof.deviceName, of: user.id) : nil
    }

    private func trust(_ name: String?, of user: ID<User>) async throws -> String {
        let token = randomText(bytes: 32)
        let plain = String(String.UnicodeScalarView((name ?? "").unicodeScalars.filter { $0.properties.generalCategory != .control }.prefix(100)))
        let device = TrustedDevice(
            id: ID(0), userID: user, name: plain.isEmpty ? "Unnamed device" : plain, createdAt: now, lastUsedAt: now,
            expiresAt: now.advanced(byMicroseconds: Self.trustDays * 86_400_000_000))
        _ = try await store.secondFactors.insertDevice(device, hash: Self.hash(deviceToken: token))
        return token
    }

    private func step(of code: String, _ factor: SecondFactor) throws -> Int64? {
        guard let totp = TOTP(base32: factor.secret.reveal()) else { throw NVRError(.dataLoss, "a stored second factor cannot be read") }
        return totp.step(of: code, at: clock.wall(), after: factor.lastStep)
    }

    private static func given(_ text: String?) -> String? { text.flatMap { $0.isEmpty ? nil : $0 } }

    // MARK: Trusted devices

    package func devices(of user: ID<User>) async throws -> [TrustedDevice] { try await store.secondFactors.devices(of: user, at: now) }

    /// Trusts a device no longer; false when the user has none of this id.
    package func forget(_ device: ID<TrustedDevice>, of user: ID<User>) async throws -> Bool {
        try await store.secondFactors.deleteDevice(device, of: user)
    }

    // MARK: Hashes

    /// Ten codes of 80 bits in groups of four, without letters and digits that look alike.
    private static func newRecoveryCodes() -> [String] {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("ABCDEFGHJKLMNPQRSTUVWXYZ23456789")
        return (0..<recoveryCodeCount).map { _ in
            (0..<4).map { _ in String((0..<4).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] }) }
                .joined(separator: "-")
        }
    }

    /// So many random bits need no slow hash. Case, dashes and spaces do not count.
    private static func hash(_ recoveryCode: String, of user: ID<User>) -> [UInt8] {
        let plain = recoveryCode.uppercased().filter { $0 != "-" && $0 != " " }
        return Array(SHA256.hash(data: Array("recovery:\(user):\(plain)".utf8)))
    }

    private static func hash(deviceToken: String) -> [UInt8] { Array(SHA256.hash(data: Array("device:\(deviceToken)".utf8))) }
}
