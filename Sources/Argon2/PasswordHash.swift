import CArgon2

/// Why libargon2 refused.
package struct Argon2Error: Error, Sendable, Hashable, CustomStringConvertible {
    package let code: Int32

    package var description: String { "argon2: " + String(cString: argon2_error_message(code)) }
}

/// Argon2id (RFC 9106) over text passwords, stored as PHC strings: `$argon2id$v=19$m=65536,t=2,p=1$salt$hash`.
/// Both functions take some tenth of a second and the memory of the parameters: call them on a thread that may block.
package enum PasswordHash {
    /// The cost of a hash.
    package struct Parameters: Sendable, Hashable {
        /// KiB.
        package var memory: UInt32
        package var passes: UInt32
        package var lanes: UInt32

        package init(memory: UInt32, passes: UInt32, lanes: UInt32 = 1) {
            self.memory = memory
            self.passes = passes
            self.lanes = lanes
        }

        /// 64 MiB, two passes: above OWASP's minimum, and larger than the largest block that glibc keeps in its heap (32 MiB), so
        /// that the memory goes back to the system after each use.
        package static let standard = Parameters(memory: 65_536, passes: 2)
    }

    /// Memory a stored hash may ask for, KiB; a damaged row must not take the machine down.
    static let largestMemory: UInt32 = 1 << 20

    /// Hashes a password with 16 random bytes of salt.
    package static func make(_ password: String, parameters: Parameters = .standard) throws(Argon2Error) -> String {
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let hashLength = 32
        let length = argon2_encodedlen(
            parameters.passes, parameters.memory, parameters.lanes, UInt32(salt.count), UInt32(hashLength), Argon2_id)
        var encoded = [CChar](repeating: 0, count: length)
        let bytes = Array(password.utf8)
        let code = argon2id_hash_encoded(
            parameters.passes, parameters.memory, parameters.lanes, bytes, bytes.count, salt, salt.count, hashLength, &encoded,
            encoded.count)
        guard code == ARGON2_OK.rawValue else { throw Argon2Error(code: code) }
        return String(decoding: encoded.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Whether a password is the one of a hash. The comparison takes the same time wherever they differ. Throws for text that is
    /// no Argon2id hash or asks for too much.
    package static func verify(_ password: String, _ encoded: String) throws(Argon2Error) -> Bool {
        guard let parameters = parameters(of: encoded), parameters.memory <= largestMemory, parameters.passes <= 64, parameters.lanes <= 16
        else { throw Argon2Error(code: ARGON2_DECODING_FAIL.rawValue) }
        let bytes = Array(password.utf8)
        let code = argon2id_verify(encoded, bytes, bytes.count)
        if code == ARGON2_OK.rawValue { return true }
        if code == ARGON2_VERIFY_MISMATCH.rawValue { return false }
        throw Argon2Error(code: code)
    }

    /// The cost that a stored hash was made with; nil when it is no Argon2id hash.
    package static func parameters(of encoded: String) -> Parameters? {
        let parts = encoded.split(separator: "$", omittingEmptySubsequences: false)
        guard encoded.utf8.count < 512, parts.count == 6, parts[0].isEmpty, parts[1] == "argon2id", parts[2] == "v=19" else { return nil }
        var numbers: [UInt32] = []
        for (part, prefix) in zip(parts[3].split(separator: ",", omittingEmptySubsequences: false), ["m=", "t=", "p="]) {
            guard part.hasPrefix(prefix), let number = UInt32(part.dropFirst(2)), number > 0 else { return nil }
            numbers.append(number)
        }
        guard numbers.count == 3 else { return nil }
        return Parameters(memory: numbers[0], passes: numbers[1], lanes: numbers[2])
    }

    /// Whether `verify` can work with a stored text: an Argon2id hash in exactly the form that libargon2 writes, of a cost that is bounded.
    package static func isVerifiable(_ encoded: String, atMost limit: Parameters) -> Bool {
        guard let cost = parameters(of: encoded), cost.memory <= min(limit.memory, largestMemory), cost.passes <= limit.passes,
            cost.lanes <= limit.lanes, cost.memory >= 8 * cost.lanes
        else { return false }
        let parts = encoded.split(separator: "$", omittingEmptySubsequences: false)
        return isBase64(parts[4], of: 8...64) && isBase64(parts[5], of: 12...64)
    }

    /// Base 64 without padding, whose last digit carries no bits of nothing.
    private static func isBase64(_ text: Substring, of bytes: ClosedRange<Int>) -> Bool {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        let digits = text.utf8.map { alphabet.firstIndex(of: $0) }
        guard digits.allSatisfy({ $0 != nil }), digits.count % 4 != 1, bytes.contains(digits.count * 6 / 8), let last = digits.last ?? nil else {
            return false
        }
        let unused = digits.count * 6 % 8
        return last & ((1 << unused) - 1) == 0
    }

    /// Whether a hash was made with less than the parameters and should be made anew at the next sign-in.
    package static func isWeaker(_ encoded: String, than wanted: Parameters) -> Bool {
        guard let parameters = parameters(of: encoded) else { return true }
        return parameters.memory < wanted.memory || parameters.passes < wanted.passes
    }
}
