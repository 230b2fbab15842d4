package import NVRModel

/// The ranges of all cameras that holds protect at a moment. Pure.
package struct HeldRanges: Sendable, Hashable {
    private var ranges: [ID<Camera>: RangeSet] = [:]

    package init() {}

    /// Those of holds that have not expired at `now`.
    package init(_ holds: [Hold], at now: WallTime) {
        let active = holds.filter { $0.expiresAt.map { $0 > now } ?? true }
        ranges = Dictionary(grouping: active, by: \.cameraID).mapValues { RangeSet($0.map(\.range)) }
    }

    package var isEmpty: Bool { ranges.isEmpty }

    /// Whether an item is held in part; one without a length counts as a microsecond, like in `HoldStore`.
    package func holds(_ item: RetentionItem) -> Bool {
        guard let ranges = ranges[item.camera] else { return false }
        let shortest = item.start.advanced(byMicroseconds: 1)
        return ranges.meets(from: item.start, to: item.isPicture ? shortest : max(item.end, shortest))
    }
}
