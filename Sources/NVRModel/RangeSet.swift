/// Ranges of time, joined where they touch, that can be asked whether they meet another one.
package struct RangeSet: Sendable, Hashable {
    /// In order, apart from each other.
    private var ranges: [TimeRange] = []

    package init() {}

    package init(_ ranges: [TimeRange]) {
        for range in ranges.sorted(by: { $0.start < $1.start }) {
            if let last = self.ranges.last, range.start <= last.end {
                self.ranges[self.ranges.count - 1].end = max(last.end, range.end)
            } else {
                self.ranges.append(range)
            }
        }
    }

    package var isEmpty: Bool { ranges.isEmpty }

    /// Whether anything from `start` up to before `end` is in one of the ranges.
    package func meets(from start: WallTime, to end: WallTime) -> Bool {
        // The first range that ends after the start.
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].end > start { high = middle } else { low = middle + 1 }
        }
        return low < ranges.count && ranges[low].start < end
    }
}
