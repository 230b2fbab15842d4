import Crypto
import FoundationEssentials
package import NVRBase

/// Encrypts texts that a copied database must not give away: URLs of cameras, passwords, tokens, TOTP secrets.
///
/// AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits. Sealed text is `v1:` and the base 64 of nonce, cipher text and tag.
/// The context, such as `camera:12:rtsp_url`, is authenticated with it: what was sealed for one place opens at no other.
package struct SecretBox: Sendable {
    private static let prefix = "v1:"
    /// Bytes of a key.
    static let keyBytes = 32

    private let key: SymmetricKey

    /// `bytes`: 32 random ones.
    package init(bytes: [UInt8]) { key = SymmetricKey(data: bytes) }

    /// A key that is derived (HKDF, RFC 5869) from the text that also signs sessions; neither use tells anything about the other.
    package init(derivedFrom text: Secret) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: Data(text.reveal().utf8)), salt: Data("vibenvr".utf8), info: Data("secrets at rest v1".utf8),
            outputByteCount: Self.keyBytes)
    }

    /// A new random key, for databases in memory.
    static func random() -> SecretBox {
        var generator = SystemRandomNumberGenerator()
        return SecretBox(bytes: (0..<keyBytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    package func seal(_ text: String, for context: String) throws -> String {
        do {
            let sealed = try AES.GCM.seal(Data(text.utf8), using: key, authenticating: Data(context.utf8))
            return Self.prefix + (Data(sealed.nonce) + sealed.ciphertext + sealed.tag).base64EncodedString()
        } catch {
            throw NVRError(.internalFault, "a secret (\(context)) could not be encrypted", underlying: error)
        }
    }

    /// Throws `dataLoss` for text that was not sealed with this key for this context.
    package func open(_ text: String, for context: String) throws -> String {
        guard text.hasPrefix(Self.prefix), let data = Data(base64Encoded: String(text.dropFirst(Self.prefix.count))),
            let box = try? AES.GCM.SealedBox(combined: data),
            // Which of the checks failed tells nobody anything: the text is not ours.
            let opened = try? AES.GCM.open(box, using: key, authenticating: Data(context.utf8))
        else { throw NVRError(.dataLoss, "a stored secret (\(context)) cannot be decrypted: it was changed, or encrypted with another key") }
        return String(decoding: opened, as: UTF8.self)
    }
}
