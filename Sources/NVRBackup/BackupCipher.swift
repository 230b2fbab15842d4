package import Argon2
import Crypto
import FoundationEssentials
package import NVRBase
package import NVRModel

/// Backups that are encrypted with a passphrase: a JSON object that names how, and holds the backup's text as base 64.
///
/// The key is derived by Argon2id (RFC 9106) from the passphrase and a random salt, the text encrypted with AES-256-GCM; the object's
/// other members are authenticated with it. Both functions take some tenth of a second: call them on a thread that may block.
package enum BackupCipher {
    private static let format = "vibenvr-encrypted-backup"
    private static let keyBytes = 32
    private static let saltBytes = 16

    /// Shortest passphrase, characters.
    package static let shortestPassphrase = 8
    /// Longest passphrase, bytes.
    package static let longestPassphrase = 1024
    /// What a backup may ask for: a file of a stranger must not take the machine's memory.
    private static let mostMemory: UInt32 = 256 << 10
    private static let mostPasses: UInt32 = 16

    /// Why a passphrase is refused; nil when it is fine.
    package static func refusal(of passphrase: Secret) -> String? {
        let text = passphrase.reveal()
        if text.utf8.count > longestPassphrase { return "The passphrase must be at most \(longestPassphrase) bytes long" }
        return text.count < shortestPassphrase ? "The passphrase must be at least \(shortestPassphrase) characters long" : nil
    }

    /// Whether a document is an encrypted backup.
    package static func isEncrypted(_ document: JSONValue) -> Bool { document["format"]?.string == format }

    /// Encrypts the text of a backup.
    package static func encrypted(_ text: String, with passphrase: Secret, cost: PasswordHash.Parameters = .standard) throws -> JSONValue {
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<saltBytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let head = Head(memory: cost.memory, passes: cost.passes, lanes: cost.lanes, salt: salt)
        do {
            let sealed = try AES.GCM.seal(Data(text.utf8), using: try head.key(passphrase), authenticating: head.bytes)
            var object = head.json
            object["data"] = .string((Data(sealed.nonce) + sealed.ciphertext + sealed.tag).base64EncodedString())
            return .object(object)
        } catch {
            throw NVRError(.internalFault, "the backup could not be encrypted", underlying: error)
        }
    }

    /// The text of an encrypted backup. Throws `invalid` for a wrong passphrase, a damaged document, and one that asks for too much.
    package static func decrypted(_ document: JSONValue, with passphrase: Secret) throws -> String {
        guard let head = Head(document), let text = document["data"]?.string, let data = Data(base64Encoded: text),
            // A text too short to hold nonce and tag is damaged.
            let box = try? AES.GCM.SealedBox(combined: data)
        else { throw NVRError(.invalid, "Invalid backup file format: it is encrypted in a way that is not known") }
        guard passphrase.reveal().utf8.count <= longestPassphrase else { throw wrongPassphrase }
        let key: SymmetricKey
        do { key = try head.key(passphrase) } catch {
            throw NVRError(.internalFault, "the key of a backup could not be derived", underlying: error)
        }
        // GCM does not tell a wrong key from a changed text.
        guard let opened = try? AES.GCM.open(box, using: key, authenticating: head.bytes) else { throw wrongPassphrase }
        return String(decoding: opened, as: UTF8.self)
    }

    private static let wrongPassphrase = NVRError(.invalid, "The passphrase is wrong, or the backup was damaged")

    /// Everything but the text.
    private struct Head {
        var memory: UInt32
        var passes: UInt32
        var lanes: UInt32
        var salt: [UInt8]

        init(memory: UInt32, passes: UInt32, lanes: UInt32, salt: [UInt8]) {
            self.memory = memory
            self.passes = passes
            self.lanes = lanes
            self.salt = salt
        }

        init?(_ document: JSONValue) {
            func number(_ key: String, _ limits: ClosedRange<UInt32>) -> UInt32? {
                guard case .integer(let value) = document["kdf"]?[key], let number = UInt32(exactly: value), limits.contains(number) else {
                    return nil
                }
                return number
            }
            guard document["version"] == 1, document["cipher"] == "aes-256-gcm", document["kdf"]?["name"] == "argon2id",
                let memory = number("memory_kib", 8...BackupCipher.mostMemory), let passes = number("passes", 1...BackupCipher.mostPasses),
                let lanes = number("lanes", 1...4), memory >= 8 * lanes, let text = document["kdf"]?["salt"]?.string,
                let salt = Data(base64Encoded: text), (8...64).contains(salt.count)
            else { return nil }
            self.init(memory: memory, passes: passes, lanes: lanes, salt: Array(salt))
        }

        func key(_ passphrase: Secret) throws -> SymmetricKey {
            SymmetricKey(
                data: try KeyDerivation.key(
                    from: passphrase.reveal(), salt: salt, parameters: .init(memory: memory, passes: passes, lanes: lanes),
                    byteCount: BackupCipher.keyBytes))
        }

        var json: JSONObject {
            [
                "format": .string(BackupCipher.format), "version": 1, "cipher": "aes-256-gcm",
                "kdf": [
                    "name": "argon2id", "memory_kib": .integer(Int64(memory)), "passes": .integer(Int64(passes)), "lanes": .integer(Int64(lanes)),
                    "salt": .string(Data(salt).base64EncodedString()),
                ],
            ]
        }

        var bytes: Data { Data(JSONValue.object(json).serialized().utf8) }
    }
}
