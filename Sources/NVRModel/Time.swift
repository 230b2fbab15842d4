/// A point of wall time: microseconds since 1970-01-01 00:00:00 UTC, the unit of every row and every API answer.
package struct WallTime: Hashable, Comparable, Sendable, Codable {
    /// Microseconds UTC.
    package var microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }
    package init(seconds: Double) {
        let scaled = (seconds * 1_000_000).rounded()
        microseconds = scaled.isFinite && abs(scaled) < 9e18 ? Int64(scaled) : 0
    }

    /// Seconds since 1970 UTC.
    package var seconds: Double { Double(microseconds) / 1_000_000 }

    package static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }

    /// `microseconds` later; saturates at the ends of the range.
    package func advanced(byMicroseconds delta: Int64) -> WallTime {
        let (sum, overflow) = microseconds.addingReportingOverflow(delta)
        return WallTime(microseconds: overflow ? (delta > 0 ? .max : .min) : sum)
    }

    /// Microseconds from `earlier` to this time.
    package func microseconds(since earlier: WallTime) -> Int64 { microseconds &- earlier.microseconds }
}

/// A half-open range of wall time.
package struct TimeRange: Hashable, Sendable, Codable {
    package var start: WallTime
    package var end: WallTime

    package init(start: WallTime, end: WallTime) {
        self.start = start
        self.end = max(start, end)
    }

    package func overlaps(_ other: TimeRange) -> Bool { start < other.end && other.start < end }
    /// Seconds.
    package var duration: Double { Double(end.microseconds(since: start)) / 1_000_000 }
}
