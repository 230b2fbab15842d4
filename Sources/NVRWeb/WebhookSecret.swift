import HTTPTypes
package import NVRBase

/// The lock of the webhook: programs that report motion know one secret and have no account.
package struct WebhookSecret: Sendable {
    private let secret: [UInt8]?

    /// Without a secret, nobody may call.
    package init(_ secret: Secret?) { self.secret = secret.map { Array($0.reveal().utf8) } }

    /// Throws the 401 of wire/events_webhook_401.txt unless the secret was sent. Takes the same time wherever the texts differ.
    package func demand(_ sent: String?) throws {
        guard let secret else {
            // Whoever sends one is told why it cannot fit.
            throw HTTPFailure(.unauthorized, sent == nil ? "Unauthorized" : "Unauthorized: the server has no webhook secret; set WEBHOOK_SECRET")
        }
        let given = Array((sent ?? "").utf8)
        var difference = given.count == secret.count ? 0 : 1
        for (place, byte) in secret.enumerated() { difference |= Int(byte ^ (place < given.count ? given[place] : 0)) }
        guard difference == 0, !secret.isEmpty else { throw HTTPFailure(.unauthorized, "Unauthorized") }
    }
}
