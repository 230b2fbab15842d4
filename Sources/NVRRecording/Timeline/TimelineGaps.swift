package import NVRModel

/// A stretch of time without footage.
package struct TimelineGap: Sendable, Hashable {
    package var start: WallTime
    package var end: WallTime
    package var cause: Outage.Cause
    package var reason: String?

    package init(start: WallTime, end: WallTime, cause: Outage.Cause, reason: String? = nil) {
        self.start = start
        self.end = end
        self.cause = cause
        self.reason = reason
    }
}

/// Tells why there is no footage where there is none. Pure.
package struct TimelineGaps: Sendable {
    /// Microseconds. A hole that is shorter is none: frames are not written at the microsecond.
    package static let shortest: Int64 = 1_000_000
    /// Outages are noticed late and end before the first key frame: what lies between one and the footage beside it is part of it.
    package static let margin: Int64 = 30_000_000
    /// Footage of the last seconds is still on its way to the disk.
    package static let young: Int64 = 5_000_000

    private let range: TimeRange
    private let now: WallTime

    package init(range: TimeRange, now: WallTime) {
        self.range = range
        self.now = now
    }

    /// Spans that join, or nearly do, become one; `spans` are in order of their starts.
    package static func merged(_ spans: [TimeRange], tolerance: Int64 = 100_000) -> [TimeRange] {
        var merged: [TimeRange] = []
        for span in spans where span.start < span.end {
            if let last = merged.last, span.start <= last.end.advanced(byMicroseconds: tolerance) {
                merged[merged.count - 1].end = max(last.end, span.end)
            } else {
                merged.append(span)
            }
        }
        return merged
    }

    /// What is between the spans, each with the outage that lay in it. Before the first footage (nil: there is none) nothing is missing
    /// unless an outage says so. `spans` are merged; they may reach out of the range.
    package func holes(_ spans: [TimeRange], _ outages: [Outage], first: WallTime?) -> [TimelineGap] {
        var gaps: [TimelineGap] = []
        var cursor = range.start
        let end = min(range.end, now)
        for span in spans {
            if cursor < min(span.start, end) { gaps += explain(cursor, min(span.start, end), outages, first) }
            cursor = max(cursor, span.end)
        }
        if cursor < end { gaps += explain(cursor, end, outages, first) }
        return gaps
    }

    private func explain(_ start: WallTime, _ end: WallTime, _ outages: [Outage], _ first: WallTime?) -> [TimelineGap] {
        guard end.microseconds(since: start) >= Self.shortest else { return [] }
        var gaps: [TimelineGap] = []
        for outage in outages {
            let from = max(start, outage.start)
            let until = min(end, outage.end ?? now)
            guard from < until else { continue }
            gaps.append(TimelineGap(start: max(from, gaps.last?.end ?? start), end: until, cause: outage.cause, reason: outage.reason))
        }
        gaps.removeAll { $0.start >= $0.end }
        guard !gaps.isEmpty else { return unknown(start, end, first) }
        var all: [TimelineGap] = []
        var cursor = start
        for var gap in gaps {
            if gap.start.microseconds(since: cursor) <= Self.margin {
                if all.isEmpty { gap.start = cursor } else { all[all.count - 1].end = gap.start }
            } else {
                all += unknown(cursor, gap.start, first)
            }
            cursor = gap.end
            all.append(gap)
        }
        if end.microseconds(since: cursor) <= Self.margin { all[all.count - 1].end = end } else { all += unknown(cursor, end, first) }
        return all
    }

    private func unknown(_ start: WallTime, _ end: WallTime, _ first: WallTime?) -> [TimelineGap] {
        guard let first else { return [] }
        let start = max(start, first)
        guard end.microseconds(since: start) >= Self.shortest else { return [] }
        // What was received a moment ago may not be on the disk yet.
        if end >= now, end.microseconds(since: start) < Self.young { return [] }
        return [TimelineGap(start: start, end: end, cause: .unknown)]
    }

    /// Outages as they are, cut to the range: at a zoom at which single segments are not looked at.
    package func outages(_ outages: [Outage]) -> [TimelineGap] {
        outages.compactMap { outage in
            let start = max(range.start, outage.start)
            let end = min(range.end, outage.end ?? now)
            return start < end ? TimelineGap(start: start, end: end, cause: outage.cause, reason: outage.reason) : nil
        }
    }
}
