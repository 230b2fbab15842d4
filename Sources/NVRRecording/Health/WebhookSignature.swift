import Crypto

/// What proves to the receiver of a webhook that this server sent it. The time is part of what is signed, so that a message cannot be
/// sent again later as a new one.
package enum WebhookSignature {
    /// `sha256=` and the HMAC-SHA256 of `timestamp.body` in hexadecimal digits.
    package static func text(of body: String, secret: String, timestamp: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Array("\(timestamp).\(body)".utf8), using: SymmetricKey(data: Array(secret.utf8)))
        let digits = Array("0123456789abcdef")
        return "sha256=" + String(code.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
