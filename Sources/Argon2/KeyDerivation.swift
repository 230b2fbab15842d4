import CArgon2

/// Keys from passphrases by Argon2id (RFC 9106). Takes some tenth of a second and the memory of the parameters: call it on a thread
/// that may block.
package enum KeyDerivation {
    /// `byteCount` bytes of key. The same passphrase, salt and parameters always give the same key.
    package static func key(
        from passphrase: String, salt: [UInt8], parameters: PasswordHash.Parameters, byteCount: Int
    ) throws(Argon2Error) -> [UInt8] {
        var key = [UInt8](repeating: 0, count: byteCount)
        let bytes = Array(passphrase.utf8)
        let code = argon2id_hash_raw(
            parameters.passes, parameters.memory, parameters.lanes, bytes, bytes.count, salt, salt.count, &key, byteCount)
        guard code == ARGON2_OK.rawValue else { throw Argon2Error(code: code) }
        return key
    }
}
