import Crypto
import FoundationEssentials
import NVRBase

/// The key that session tokens are signed with.
package struct SigningKey: Sendable {
    let key: SymmetricKey

    /// Least length of an explicit key, bytes: that of the hash (RFC 7518 section 3.2).
    package static let minBytes = 32
    package static let fileName = "secret.key"

    package init(bytes: [UInt8]) { key = SymmetricKey(data: bytes) }

    /// The key of the environment variable `SECRET_KEY` when it is set, else that of the data directory, made with 64 random bytes
    /// and mode 0600 when it is not there. Throws `invalid` for an explicit key that is too weak and `unavailable` when the file
    /// cannot be read or made.
    package static func load(environment value: String?, dataDirectory: String) throws -> SigningKey {
        if let value, !value.isEmpty {
            let bytes = Array(value.utf8)
            guard bytes.count >= minBytes, Set(bytes).count >= 8 else {
                throw NVRError(
                    .invalid,
                    "SECRET_KEY is too weak: it needs at least \(minBytes) bytes of random text (for example from `openssl rand -hex 32`); unset it to use a key kept in the data directory"
                )
            }
            return SigningKey(bytes: bytes)
        }
        let path = dataDirectory + "/" + fileName
        let bytes = try KeyFile.read(path) ?? KeyFile.create(path, byteCount: 64)
        guard bytes.count >= minBytes, Set(bytes).count >= 8 else {
            throw NVRError(.invalid, "the key file \(path) is damaged; delete it to get a new one, which ends all sessions")
        }
        return SigningKey(bytes: bytes)
    }
}
