package import NVRModel
package import NVRStore

/// How much of a range of time was recorded of a camera. Pure.
///
/// Time in which somebody wanted nothing recorded does not count. Time in which a camera waited for motion counts as recorded: nothing is
/// missing. Before the oldest footage, which may have been deleted since, only outages are missing.
package enum RecordedShare {
    /// Microseconds recorded and missing. `ends`: how far segments that are being written are. The range should end now at the latest.
    package static func of(_ facts: RecordedFacts, in range: TimeRange, since created: WallTime, ends: [ID<Segment>: WallTime], now: WallTime)
        -> (recorded: Int64, missed: Int64)
    {
        let start = max(range.start, created).microseconds
        let end = min(range.end, now).microseconds
        guard start < end else { return (0, 0) }
        func cut(_ from: WallTime, _ to: WallTime) -> Span? {
            let span = Span(start: max(start, from.microseconds), end: min(end, to.microseconds))
            return span.start < span.end ? span : nil
        }
        let footage = union(facts.spans.compactMap { cut($0.start, $0.isGrowing ? max($0.end, ends[$0.id] ?? $0.end) : $0.end) })
        func outages(_ isMeant: (Outage.Cause) -> Bool) -> [Span] {
            union(facts.outages.filter { isMeant($0.cause) }.compactMap { cut($0.start, $0.end ?? now) })
        }
        let unwanted = without(outages { $0 == .notRecording }, footage)
        let waiting = without(outages { $0 == .noMotion }, union(footage + unwanted))
        let faults = without(outages { $0 != .notRecording && $0 != .noMotion }, union(footage + unwanted + waiting))
        // What is neither told nor recorded is missing, where footage can still be expected to be there.
        let since = facts.first.map { max(start, $0.microseconds) } ?? end
        let told = union(footage + unwanted + waiting + faults)
        let holes = since < end ? without([Span(start: since, end: end)], told) : []
        // Before that nothing is known to be missing.
        let before = start < since ? without([Span(start: start, end: since)], told) : []
        return (total(footage) + total(waiting) + total(before), total(faults) + total(holes))
    }

    private struct Span {
        var start: Int64
        var end: Int64
    }

    private static func total(_ spans: [Span]) -> Int64 { spans.reduce(0) { $0 + $1.end - $1.start } }

    private static func union(_ spans: [Span]) -> [Span] {
        var merged: [Span] = []
        for span in spans.sorted(by: { $0.start < $1.start }) {
            if let last = merged.last, span.start <= last.end {
                merged[merged.count - 1].end = max(last.end, span.end)
            } else {
                merged.append(span)
            }
        }
        return merged
    }

    /// Both in order, each without overlaps.
    private static func without(_ spans: [Span], _ others: [Span]) -> [Span] {
        var left: [Span] = []
        var first = 0
        for span in spans {
            var start = span.start
            while first < others.count, others[first].end <= start { first += 1 }
            var index = first
            while index < others.count, others[index].start < span.end {
                if others[index].start > start { left.append(Span(start: start, end: others[index].start)) }
                start = max(start, others[index].end)
                index += 1
            }
            if start < span.end { left.append(Span(start: start, end: span.end)) }
        }
        return left
    }
}
