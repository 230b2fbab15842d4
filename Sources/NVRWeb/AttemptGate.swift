import HTTPTypes
import NVRAccounts

/// A throttle of attempts at passwords or codes, shared by the routes that take them.
final class AttemptGate: Sendable {
    private let limit: AttemptLimit

    init(_ limit: AttemptLimit) { self.limit = limit }

    /// Counts an attempt. Throws the 429 when there were too many. `time`: monotonic microseconds.
    func attempt(_ call: Call, account: String, at time: Int64) throws {
        guard let wait = limit.attempt(address: call.client.address, account: account, at: time) else { return }
        throw HTTPFailure(.tooManyRequests, "Rate limit exceeded: \(limit.limits.perAccount) per 1 minute", fields: [.retryAfter: String(wait)])
    }

    /// The attempt was right.
    func succeeded(_ call: Call, account: String, at time: Int64) {
        limit.succeeded(address: call.client.address, account: account, at: time)
    }
}

/// The throttles of one server.
struct AttemptGates: Sendable {
    let passwords: AttemptGate
    let codes = AttemptGate(AttemptLimit(.secondFactor))
    /// Of the code that first set-up asks for.
    let setUp = AttemptGate(AttemptLimit(.setUp))

    /// `passwords`: shared with other ways of signing in.
    init(passwords: AttemptLimit) { self.passwords = AttemptGate(passwords) }
}
