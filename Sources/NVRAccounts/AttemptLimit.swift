import Synchronization

/// A `LoginThrottle` behind a lock: one for all ways in which the same passwords can be guessed. Any thread may use it; times are
/// monotonic microseconds.
package final class AttemptLimit: Sendable {
    package let limits: LoginThrottle.Limits
    private let state: Mutex<LoginThrottle>

    package init(_ limits: LoginThrottle.Limits) {
        self.limits = limits
        state = Mutex(LoginThrottle(limits))
    }

    /// Counts an attempt. Nil = go on; else seconds to wait.
    package func attempt(address: String, account: String, at time: Int64) -> Int? {
        state.withLock { $0.attempt(address: address, account: account, at: time) }
    }

    /// The attempt was right.
    package func succeeded(address: String, account: String, at time: Int64) {
        state.withLock { $0.succeeded(address: address, account: account, at: time) }
    }
}
