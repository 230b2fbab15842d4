import Crypto
import FoundationEssentials

/// Time-based one-time passwords (RFC 6238) as authenticator apps make them: SHA-1, 30 seconds, six digits. Pure.
package struct TOTP: Sendable {
    /// Seconds that a code is shown.
    package static let period: Int64 = 30
    /// Steps that the clocks of the server and of a phone may differ.
    static let tolerance: Int64 = 1
    /// Bytes of a secret: those of the hash (RFC 4226 section 4).
    static let secretBytes = 20

    private let key: SymmetricKey

    package init(secret: [UInt8]) { key = SymmetricKey(data: secret) }

    /// A secret as apps take it, in base 32. Nil for text that is none.
    package init?(base32: String) {
        guard let bytes = Base32.decoded(base32), !bytes.isEmpty else { return nil }
        self.init(secret: bytes)
    }

    package static func newSecret() -> String {
        var generator = SystemRandomNumberGenerator()
        return Base32.encoded((0..<secretBytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    /// The number of the step at a time, microseconds UTC.
    package static func step(at microseconds: Int64) -> Int64 {
        let seconds = microseconds / 1_000_000
        return seconds >= 0 ? seconds / period : 0
    }

    /// The code of a step.
    package func code(step: Int64) -> String {
        let counter = withUnsafeBytes(of: step.bigEndian) { Array($0) }
        let hash = Array(HMAC<Insecure.SHA1>.authenticationCode(for: counter, using: key))
        let offset = Int(hash[hash.count - 1] & 0x0F)
        let number = hash[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        let digits = String(number % 1_000_000)
        return String(repeating: "0", count: 6 - digits.count) + digits
    }

    /// The step whose code was typed, among those near `time` (microseconds UTC) that are newer than `last`; nil when it is none of
    /// theirs. Every candidate is compared, in the same time wherever they differ.
    package func step(of typed: String, at time: Int64, after last: Int64) -> Int64? {
        let given = Array(typed.utf8.filter { $0 != UInt8(ascii: " ") }.prefix(64))
        let now = Self.step(at: time)
        var found: Int64?
        for step in max(0, now - Self.tolerance)...(now + Self.tolerance) {
            let wanted = Array(code(step: step).utf8)
            guard given.count == wanted.count else { continue }
            let difference = zip(given, wanted).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) }
            if difference == 0, step > last { found = step }
        }
        return found
    }

    /// What an app reads from the QR code (the key URI format of Google Authenticator). Names that are too long for a code are cut.
    package static func url(secret: String, account: String) -> String {
        var label = ""
        for character in account {
            let piece = percentEncoded(String(character))
            guard label.utf8.count + piece.utf8.count <= 72 else { break }
            label += piece
        }
        return "otpauth://totp/VibeNVR:\(label)?secret=\(secret)&issuer=VibeNVR&algorithm=SHA1&digits=6&period=\(period)"
    }

    private static func percentEncoded(_ text: String) -> String {
        text.utf8.reduce(into: "") { out, byte in
            let isPlain =
                (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-._~".utf8.contains(byte)
            if isPlain {
                out.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                out += byte < 16 ? "%0" : "%"
                out += String(byte, radix: 16, uppercase: true)
            }
        }
    }
}

/// Base 32 without padding (RFC 4648 section 6).
package enum Base32 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    package static func encoded(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        var pending = 0
        var bits = 0
        for byte in bytes {
            pending = pending << 8 | Int(byte)
            bits += 8
            while bits >= 5 {
                bits -= 5
                out.append(alphabet[pending >> bits & 31])
            }
            pending &= (1 << bits) - 1
        }
        if bits > 0 { out.append(alphabet[pending << (5 - bits) & 31]) }
        return String(decoding: out, as: UTF8.self)
    }

    /// Nil for characters that are none of the alphabet, in any case.
    package static func decoded(_ text: String) -> [UInt8]? {
        var out: [UInt8] = []
        var pending = 0
        var bits = 0
        for byte in text.uppercased().utf8 where byte != UInt8(ascii: "=") {
            guard let value = alphabet.firstIndex(of: byte) else { return nil }
            pending = pending << 5 | value
            bits += 5
            if bits >= 8 {
                bits -= 8
                out.append(UInt8(truncatingIfNeeded: pending >> bits))
            }
            pending &= (1 << bits) - 1
        }
        return out
    }
}
