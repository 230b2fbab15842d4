import Synchronization

/// How many people watch, bounded, and what they missed. Any thread may use it.
package final class LiveTotals: Sendable {
    package struct Reading: Sendable {
        /// Now.
        package var viewers = 0
        /// Pictures left out for viewers who did not keep up, since the start.
        package var lost = 0
        /// Bytes given to all viewers since the start.
        package var sent = 0
    }

    private let most: Int
    private let state = Mutex(Reading())

    /// `most`: viewers at a time, so that watching never takes all connections.
    package init(most: Int) { self.most = most }

    /// False when there is no more room; else `leave` has to follow.
    package func enter() -> Bool {
        state.withLock { state in
            guard state.viewers < most else { return false }
            state.viewers += 1
            return true
        }
    }

    package func leave() { state.withLock { $0.viewers -= 1 } }
    package func note(lost: Int) { state.withLock { $0.lost += lost } }
    package func note(sent: Int) { state.withLock { $0.sent += sent } }

    package var reading: Reading { state.withLock { $0 } }
}
