import HTTPTypes
import NVRAccounts
import Synchronization

/// A throttle of attempts at passwords or codes behind a lock, shared by the routes that take them.
final class AttemptGate: Sendable {
    private let state: Mutex<LoginThrottle>
    private let perAccount: Int

    init(_ limits: LoginThrottle.Limits) {
        state = Mutex(LoginThrottle(limits))
        perAccount = limits.perAccount
    }

    /// Counts an attempt. Throws the 429 when there were too many. `time`: monotonic microseconds.
    func attempt(_ call: Call, account: String, at time: Int64) throws {
        guard let wait = state.withLock({ $0.attempt(address: call.client.address, account: account, at: time) }) else { return }
        throw HTTPFailure(.tooManyRequests, "Rate limit exceeded: \(perAccount) per 1 minute", fields: [.retryAfter: String(wait)])
    }

    /// The attempt was right.
    func succeeded(_ call: Call, account: String, at time: Int64) {
        state.withLock { $0.succeeded(address: call.client.address, account: account, at: time) }
    }
}

/// The throttles of one server.
struct AttemptGates: Sendable {
    let passwords = AttemptGate(.signIn)
    let codes = AttemptGate(.secondFactor)
    /// Of the code that first set-up asks for.
    let setUp = AttemptGate(.setUp)
}
