/// A limit of bytes a second, kept by whoever sends asking how long to wait first. Up to a second's worth may go at once after a rest.
/// Pure: time is passed in.
package struct ByteRate: Sendable, Equatable {
    /// Bytes a second; 0 = no limit.
    package let rate: Int
    /// Bytes that may go now; below 0 when more went than should have.
    private var credit: Double
    private var last: Int64?

    package init(_ rate: Int) {
        self.rate = max(0, rate)
        credit = Double(self.rate)
    }

    /// Takes bytes, and gives the microseconds to wait before they are sent. `now`: monotonic microseconds.
    package mutating func take(_ bytes: Int, now: Int64) -> Int64 {
        guard rate > 0 else { return 0 }
        if let last, now > last { credit = min(Double(rate), credit + Double(now - last) / 1_000_000 * Double(rate)) }
        last = max(last ?? now, now)
        credit -= Double(max(0, bytes))
        guard credit < 0 else { return 0 }
        return Int64(min(-credit / Double(rate) * 1_000_000, 3_600_000_000))
    }
}
