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

    /// Some seconds of work.
    private static let mostWaiting = 16

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
        try await run { [self] in _ = try PasswordHash.verify(password, try madeDecoy()) }
    }

    /// Called on the thread only, so that a flood of unknown users makes one.
    private func madeDecoy() throws -> String {
        if let made = decoy.withLock({ $0 }) { return made }
        let made = try PasswordHash.make(String(UInt64.random(in: .min ... .max), radix: 36), parameters: parameters)
        decoy.withLock { $0 = made }
        return made
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
