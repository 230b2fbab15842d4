package import NVRModel

/// What of a clip is to be taken when there is footage of its time already: footage is stored once, and of two recordings of one time the
/// first that came stays. Pure.
package enum FootageGaps {
    /// Clips that follow each other overlap by what names in whole seconds leave open, microseconds.
    static let slack: Int64 = 1_500_000
    /// Stretches shorter than this are left out.
    static let shortest: Int64 = 1_000_000

    /// Where a clip begins whose name says `start`: when the footage before it ends within the slack, there.
    package static func settled(_ start: WallTime, covered: [TimeRange]) -> WallTime {
        let latest = start.advanced(byMicroseconds: slack)
        let before = covered.filter { $0.start < start && $0.end > start && $0.end <= latest }.map(\.end).max()
        return before ?? start
    }

    /// The stretches of a range that nothing covers, oldest first.
    package static func of(_ range: TimeRange, covered: [TimeRange]) -> [TimeRange] {
        var gaps: [TimeRange] = []
        var at = range.start
        for taken in covered.sorted(by: { $0.start < $1.start }) where taken.end > at && taken.start < range.end {
            if taken.start > at { gaps.append(TimeRange(start: at, end: taken.start)) }
            at = max(at, taken.end)
        }
        if at < range.end { gaps.append(TimeRange(start: at, end: range.end)) }
        return gaps.filter { $0.end.microseconds(since: $0.start) >= shortest }
    }
}
