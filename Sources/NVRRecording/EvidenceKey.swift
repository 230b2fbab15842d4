import Crypto
import NVRBase

/// What exports are signed with (Ed25519, RFC 8032), and how the public half is written for people and programs.
package struct EvidenceKey: Sendable {
    package static let fileName = "signing.key"
    private let key: Curve25519.Signing.PrivateKey
    package let publicKey: EvidencePublicKey

    package init(seed: [UInt8]) throws {
        do {
            key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
        } catch {
            throw NVRError(.invalid, "a signing key has 32 bytes", underlying: error)
        }
        publicKey = EvidencePublicKey(key.publicKey)
    }

    /// The key of a data folder, made with mode 0600 when it is not there. Throws `unavailable` when the file cannot be read or made,
    /// and `invalid` when it is damaged.
    package static func load(dataDirectory: String) throws -> EvidenceKey {
        let path = dataDirectory + "/" + fileName
        let seed = try KeyFile.read(path) ?? KeyFile.create(path, byteCount: 32)
        guard seed.count == 32 else {
            throw NVRError(.invalid, "the key file \(path) is damaged; put back a copy of it, or delete it to sign with a new key")
        }
        return try EvidenceKey(seed: seed)
    }

    package func signature(of bytes: [UInt8]) throws -> [UInt8] { Array(try key.signature(for: bytes)) }
}

/// The key that checks signatures.
package struct EvidencePublicKey: Sendable {
    /// What precedes the 32 bytes of a key in a SubjectPublicKeyInfo (RFC 8410 section 4).
    private static let prefix: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]
    private static let begin = "-----BEGIN PUBLIC KEY-----"
    private static let end = "-----END PUBLIC KEY-----"
    private let key: Curve25519.Signing.PublicKey

    init(_ key: Curve25519.Signing.PublicKey) { self.key = key }

    /// Reads PEM, as `openssl pkey -pubin` writes it. Throws `invalid`.
    package init(pem text: String) throws {
        let lines = text.split(whereSeparator: \.isNewline).map { $0.filter { !$0.isWhitespace } }.filter { !$0.isEmpty }
        let plain = { (line: String) in line.filter { !$0.isWhitespace } }
        guard lines.count >= 3, lines.first == plain(Self.begin), lines.last == plain(Self.end),
            let bytes = Base64.decode(lines.dropFirst().dropLast().joined()), bytes.count == 44, bytes.starts(with: Self.prefix)
        else { throw NVRError(.invalid, "this is no Ed25519 public key in PEM") }
        do {
            key = try Curve25519.Signing.PublicKey(rawRepresentation: bytes.suffix(32))
        } catch {
            throw NVRError(.invalid, "this is no Ed25519 public key", underlying: error)
        }
    }

    private var der: [UInt8] { Self.prefix + Array(key.rawRepresentation) }

    /// SubjectPublicKeyInfo in PEM, with a newline at the end.
    package var pem: String { "\(Self.begin)\n\(Base64.encode(der))\n\(Self.end)\n" }

    /// SHA-256 of the SubjectPublicKeyInfo in hexadecimal: `openssl pkey -pubin -in public-key.pem -outform der | sha256sum`.
    package var fingerprint: String { hexadecimal(Array(SHA256.hash(data: der))) }

    package func isSignature(_ signature: [UInt8], of bytes: [UInt8]) -> Bool { key.isValidSignature(signature, for: bytes) }
}

/// Lower case, two digits a byte.
func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

/// Base 64 with padding (RFC 4648 section 4).
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let value = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for digit in 0..<4 {
                out.append(digit <= group.count ? alphabet[value >> (18 - 6 * digit) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Nil for anything else than whole groups of four.
    static func decode(_ text: String) -> [UInt8]? {
        let bytes = Array(text.utf8)
        guard bytes.count % 4 == 0, bytes.count <= 4096 else { return nil }
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 4) {
            let group = bytes[start..<start + 4]
            let padding = group.reversed().prefix { $0 == UInt8(ascii: "=") }.count
            guard padding <= 2, padding == 0 || start + 4 == bytes.count else { return nil }
            var value = 0
            for byte in group.prefix(4 - padding) {
                guard let digit = alphabet.firstIndex(of: byte) else { return nil }
                value = value << 6 | digit
            }
            value <<= 6 * padding
            for shift in [16, 8, 0].prefix(3 - padding) { out.append(UInt8(truncatingIfNeeded: value >> shift)) }
        }
        return out
    }
}
