/// The one error vocabulary above the wrappers. The web layer turns a kind into a status code in a single switch.
package struct NVRError: Error, Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        case notFound, invalid, conflict, unauthenticated, forbidden, unavailable, exhausted, timeout, dataLoss, internalFault
    }

    package var kind: Kind
    /// What failed, why, and the way out, for a person; never a secret.
    package var message: String
    package var underlying: (any Error)?

    package init(_ kind: Kind, _ message: String, underlying: (any Error)? = nil) {
        self.kind = kind
        self.message = message
        self.underlying = underlying
    }

    package var description: String {
        guard let underlying else { return message }
        return "\(message) (\(underlying))"
    }
}
