/// Tells from a count of steps whether a thread is stuck in one of them. Pure: time is passed in, monotonic microseconds.
package struct StallWatch: Sendable, Equatable {
    /// Microseconds that a step may take.
    private let patience: Int64
    private var step: UInt64?
    private var since: Int64 = 0

    package init(patience: Int64) { self.patience = patience }

    /// `step`: the number of the step that goes on; nil while nothing is being done. True when it was the same one all the time for
    /// as long as the patience lasts. What happens between two looks is not seen, so a stall is told late, never too early.
    package mutating func isStuck(_ step: UInt64?, now: Int64) -> Bool {
        guard let step, step == self.step else {
            self.step = step
            since = now
            return false
        }
        return now - since >= patience
    }
}
