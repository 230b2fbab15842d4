import Argon2
import NVRBase
import Synchronization

/// Computes password hashes one at a time on a thread of its own: at most one hash's memory is in use, and no task waits on a
/// thread of the pool. Callers beyond a bound are refused, so that a flood of sign-ins cannot queue for minutes.
final class PasswordHasher: Sendable {
    let parameters: PasswordHash.Parameters
    private let thread: BlockingThread
    private let waiting = Mutex(0)
    /// A hash that no password has, for users that do not exist: made at the first use.
    private let decoy = Mutex<String?>(nil)

    private static let mostWaiting = 32

    init(parameters: PasswordHash.Parameters) {
        self.parameters = parameters
        thread = BlockingThread(name: "argon2")
    }

    func stop() { thread.stop() }

    func hash(_ password: String) async throws -> String {
        let parameters = parameters
        return try await run { try PasswordHash.make(password, parameters: parameters) }
    }

    func verify(_ password: String, _ encoded: String) async throws -> Bool {
        try await run { try PasswordHash.verify(password, encoded) }
    }

    /// Takes as long as `verify`, and is never true.
    func verifyNothing(_ password: String) async throws {
        let encoded: String
        if let made = decoy.withLock({ $0 }) {
            encoded = made
        } else {
            let made = try await hash(String(UInt64.random(in: .min ... .max), radix: 36))
            decoy.withLock { $0 = made }
            encoded = made
        }
        _ = try await verify(password, encoded)
    }

    /// Makes the decoy, so that the first unknown user does not take twice as long.
    func prepare() async throws {
        if decoy.withLock({ $0 }) == nil { try await verifyNothing("") }
    }

    private func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let isAdmitted = waiting.withLock { count in
            guard count < Self.mostWaiting else { return false }
            count += 1
            return true
        }
        guard isAdmitted else { throw NVRError(.unavailable, "Too many sign-ins at once; try again in a moment") }
        defer { waiting.withLock { $0 -= 1 } }
        do { return try await thread.run(body) } catch let error as Argon2Error {
            throw NVRError(.internalFault, "a password hash could not be computed", underlying: error)
        }
    }
}

extension PasswordHasher {
    /// Whether a stored hash should be made anew.
    func isWeak(_ encoded: String) -> Bool { PasswordHash.isWeaker(encoded, than: parameters) }
}
