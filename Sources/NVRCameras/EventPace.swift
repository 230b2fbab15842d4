package import NVRModel

/// Keeps rain, a branch in the wind or a sensor with a loose contact from filling the list of events: when many have begun within an hour,
/// the end of one is held back, and motion that comes meanwhile goes on with it. So a camera begins at most 60 in any hour. Recordings and
/// the motion that is shown live know nothing of this. Pure: time is passed in, monotonic microseconds.
package struct EventPace: Sendable {
    /// Events in an hour whose ends are not held back.
    package static let free = 40
    package static let hour: Int64 = 3_600_000_000
    /// For so long: 20 more in an hour.
    package static let hold: Int64 = 180_000_000

    /// When the newest events began, as many as are free, oldest first.
    private var begins: [Int64] = []
    private var held: (end: WallTime, until: Int64)?

    package init() {}

    /// When the end that is held back is due; nil while none is.
    package var heldUntil: Int64? { held?.until }

    /// Motion begins. True when an event begins with it; false when the last one goes on.
    package mutating func began(now: Int64) -> Bool {
        guard held == nil else {
            held = nil
            return false
        }
        begins.append(now)
        if begins.count > Self.free { begins.removeFirst() }
        return true
    }

    /// Motion ended at `time`. The end of its event; nil when it is held back.
    package mutating func ended(at time: WallTime, now: Int64) -> WallTime? {
        guard begins.count >= Self.free, let first = begins.first, now - first < Self.hour else { return time }
        held = (time, now + Self.hold)
        return nil
    }

    /// The end that was held back and is due.
    package mutating func tick(now: Int64) -> WallTime? {
        guard let held, now >= held.until else { return nil }
        return finish()
    }

    /// The end that was held back, due or not.
    package mutating func finish() -> WallTime? {
        defer { held = nil }
        return held?.end
    }
}
