package import NVRModel

/// The ranges of all cameras that holds protect at a moment, joined where they touch. Pure.
package struct HeldRanges: Sendable, Hashable {
    /// By camera, in order, apart from each other.
    private var ranges: [ID<Camera>: [TimeRange]] = [:]

    package init() {}

    /// Those of holds that have not expired at `now`.
    package init(_ holds: [Hold], at now: WallTime) {
        for (camera, holds) in Dictionary(grouping: holds.filter { $0.expiresAt.map { $0 > now } ?? true }, by: \.cameraID) {
            var joined: [TimeRange] = []
            for range in holds.map(\.range).sorted(by: { $0.start < $1.start }) {
                if let last = joined.last, range.start <= last.end {
                    joined[joined.count - 1].end = max(last.end, range.end)
                } else {
                    joined.append(range)
                }
            }
            ranges[camera] = joined
        }
    }

    package var isEmpty: Bool { ranges.isEmpty }

    /// Whether a range of a camera is held in part; one without a length counts as a microsecond, like in `HoldStore`.
    package func holds(_ camera: ID<Camera>, from start: WallTime, to end: WallTime) -> Bool {
        guard let ranges = ranges[camera] else { return false }
        let end = max(end, start.advanced(byMicroseconds: 1))
        // The first range that ends after the start.
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].end > start { high = middle } else { low = middle + 1 }
        }
        return low < ranges.count && ranges[low].start < end
    }

    package func holds(_ item: RetentionItem) -> Bool {
        holds(item.camera, from: item.start, to: item.isPicture ? item.start : item.end)
    }
}
