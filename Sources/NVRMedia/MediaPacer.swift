/// Decides when packets go on that come faster than they were made: from a file, or in the segments of a playlist.
///
/// They go on at the pace of their own clock, as if a camera sent them. Whatever comes late shifts the pace; and since the pace is
/// a thousandth too fast, nothing piles up when the sender's clock is faster than ours. A value; the clock is passed in
/// (microseconds).
package struct MediaPacer: Sendable {
    /// A wait longer than this is a jump of the sender's clock, microseconds. Less than the silence after which a stream is given up.
    package static let longestWait: Int64 = 8_000_000

    private var last: Int64?
    /// When the packet with the time `last` was due.
    private var due: Int64 = 0

    package init() {}

    /// Microseconds until the packet with this time is due; 0 for at once. Ask once for each.
    package mutating func wait(for time: Int64, now: Int64) -> Int64 {
        guard let last else {
            self.last = time
            due = now
            return 0
        }
        let (step, overflow) = time.subtractingReportingOverflow(last)
        self.last = time
        guard !overflow, step > -1_000_000, step < Self.longestWait else {
            due = now
            return 0
        }
        // Pictures that are reordered go back a little and forth again.
        due += step - step / 1000
        if due < now {
            due = now
        } else if due - now > Self.longestWait {
            due = now
        }
        return due - now
    }
}
