/// A stretch of time in which a camera records nothing, and why. Footage within it counts more than it does: the cause is that of the
/// time of it that has no footage.
package struct Outage: Sendable, Hashable {
    /// Raw values are stored.
    package enum Cause: Int, Sendable, Hashable, CaseIterable {
        case cameraOffline = 0
        case diskFull = 1
        /// The disk takes too long, or fails.
        case diskStalled = 2
        /// Somebody wants it so: recording is off, or the whole camera is.
        case notRecording = 3
        /// The camera records around motion; no fault.
        case noMotion = 4
        case serverDown = 5
        /// Nobody knows. Not stored.
        case unknown = 6

        /// As answers spell it.
        package var name: String {
            switch self {
            case .cameraOffline: "camera_offline"
            case .diskFull: "disk_full"
            case .diskStalled: "disk_stalled"
            case .notRecording: "not_recording"
            case .noMotion: "no_motion"
            case .serverDown: "server_down"
            case .unknown: "unknown"
            }
        }
    }

    package var cameraID: ID<Camera>
    package var start: WallTime
    /// Nil while it lasts.
    package var end: WallTime?
    package var cause: Cause
    /// In words, for people; without credentials.
    package var reason: String?

    package init(cameraID: ID<Camera>, start: WallTime, end: WallTime? = nil, cause: Cause, reason: String? = nil) {
        self.cameraID = cameraID
        self.start = start
        self.end = end
        self.cause = cause
        self.reason = reason
    }
}
