package import NVRModel

/// When a motion-triggered recording begins and ends: it begins `before` seconds before the motion, goes on while events overlap,
/// and ends `after` seconds after the last one. Pure: time is passed in.
package struct MotionRecordingPolicy: Sendable {
    package enum Action: Sendable, Equatable {
        case none
        /// Record from the last keyframe at or before this time.
        case start(from: WallTime)
        case stop
    }

    private var before: Int64
    private var after: Int64
    private var isRecording = false
    private var inEvent = false
    /// When the recording is to end, monotonic microseconds; nil while motion goes on or nothing is recorded.
    package private(set) var stopAt: Int64?

    /// Seconds.
    package init(before: Int, after: Int) {
        (self.before, self.after) = Self.micros(before, after)
    }

    /// Takes over other times, seconds; what follows the motion of now ends by the old ones.
    package mutating func adopt(before: Int, after: Int) { (self.before, self.after) = Self.micros(before, after) }

    private static func micros(_ before: Int, _ after: Int) -> (Int64, Int64) {
        (Int64(max(0, before)) * 1_000_000, Int64(max(0, after)) * 1_000_000)
    }

    package mutating func motionBegan(at time: WallTime) -> Action {
        inEvent = true
        stopAt = nil
        guard !isRecording else { return .none }
        isRecording = true
        return .start(from: time.advanced(byMicroseconds: -before))
    }

    /// `sinceMotion`: microseconds that have passed since the last motion; they count towards `after`.
    package mutating func motionEnded(now: Int64, sinceMotion: Int64) -> Action {
        inEvent = false
        guard isRecording else { return .none }
        stopAt = now + max(0, after - max(0, sinceMotion))
        return tick(now: now)
    }

    package mutating func tick(now: Int64) -> Action {
        guard isRecording, !inEvent, let stopAt, now >= stopAt else { return .none }
        isRecording = false
        self.stopAt = nil
        return .stop
    }
}
