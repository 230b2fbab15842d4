package import NVRModel
package import NVROffsite

/// What the web side may ask of copying to buckets.
package struct OffsiteAccess: Sendable {
    /// Every profile with what copying to it does and did.
    package var states: @Sendable () async throws -> [OffsiteState]
    /// Stores, reads and deletes a small object; throws in words for a person when that fails.
    package var test: @Sendable (S3Profile) async throws -> Void

    package init(
        states: @escaping @Sendable () async throws -> [OffsiteState], test: @escaping @Sendable (S3Profile) async throws -> Void
    ) {
        self.states = states
        self.test = test
    }

    package init(_ copies: OffsiteCopies) {
        self.init(states: { try await copies.states() }, test: { try await copies.test($0) })
    }

    /// Nothing is copied anywhere.
    package static let none = OffsiteAccess(states: { [] }, test: { _ in })
}
