package import ISOBMFF

/// Which stretch of a segment goes to the bucket next: whole fragments from a keyframe on, so that with the head of the file before
/// them they play by themselves. Pure.
package struct PiecePlan: Sendable {
    package struct Limits: Sendable, Equatable {
        /// Bytes of a piece; one group of pictures may be larger.
        package var mostBytes: Int64
        /// Footage that a piece of a growing segment should have, ticks, but for the first of an event.
        package var leastTicks: Int64
        /// How much of an event's first group of pictures goes although it is not whole, ticks.
        package var hurryTicks: Int64

        package init(mostBytes: Int64, leastTicks: Int64, hurryTicks: Int64) {
            self.mostBytes = mostBytes
            self.leastTicks = leastTicks
            self.hurryTicks = hurryTicks
        }
    }

    package var entries: [FragmentIndexEntry]
    /// What is wanted, ticks of the index; may lie outside of the segment.
    package var wanted: Range<Int64>
    /// File offsets of what is in the bucket.
    package var done: [Range<Int64>]
    package var isGrowing: Bool
    /// Nothing of the event is in the bucket.
    package var isFirst: Bool
    package var limits: Limits

    package init(
        entries: [FragmentIndexEntry], wanted: Range<Int64>, done: [Range<Int64>], isGrowing: Bool, isFirst: Bool, limits: Limits
    ) {
        self.entries = entries
        self.wanted = wanted
        self.done = done
        self.isGrowing = isGrowing
        self.isFirst = isFirst
        self.limits = limits
    }

    /// The entries of the next piece; nil when there is nothing to do now.
    package func next() -> Range<Int>? {
        let index = FragmentIndex(entries: entries)
        let first = index.keyframeEntry(atOrBefore: max(0, wanted.lowerBound)) ?? 0
        let upper = entries.firstIndex { $0.start >= wanted.upperBound } ?? entries.count
        guard first < upper, let missing = (first..<upper).first(where: { !isDone(entries[$0]) }) else { return nil }
        var start = missing
        while start > 0, !entries[start].startsWithKeyframe { start -= 1 }
        var end = missing
        var bytes: Int64 = entries[start..<missing].reduce(0) { $0 + $1.size }
        while end < upper {
            let entry = entries[end]
            if end > missing, entry.startsWithKeyframe, isDone(entry) { break }
            if bytes + entry.size > limits.mostBytes, let cut = lastKeyframe(after: missing, upTo: end) {
                end = cut
                break
            }
            bytes += entry.size
            end += 1
        }
        // What ends before the edge of growth is cut at a keyframe, or where nothing more is wanted.
        guard isGrowing, end == entries.count else { return start..<end }
        return atEdge(start, missing, end)
    }

    /// The newest group of pictures is not whole yet: it waits for the next keyframe, so that pieces join without overlapping. An event
    /// of which nothing is safe yet does not wait long.
    private func atEdge(_ start: Int, _ missing: Int, _ end: Int) -> Range<Int>? {
        if let cut = lastKeyframe(after: missing, upTo: end - 1) {
            return isFirst || ticks(missing..<cut) >= limits.leastTicks ? start..<cut : nil
        }
        return isFirst && ticks(missing..<end) >= limits.hurryTicks ? start..<end : nil
    }

    private func lastKeyframe(after first: Int, upTo last: Int) -> Int? {
        first < last ? ((first + 1)...last).last { entries[$0].startsWithKeyframe } : nil
    }

    private func ticks(_ range: Range<Int>) -> Int64 { entries[range].reduce(0) { $0 + $1.duration } }

    /// Sound that ends a segment behind its last picture is not worth a piece of its own.
    private func isDone(_ entry: FragmentIndexEntry) -> Bool {
        if entry.duration == 0, !entry.startsWithKeyframe { return true }
        return done.contains { $0.lowerBound <= entry.offset && entry.end <= $0.upperBound }
    }
}
