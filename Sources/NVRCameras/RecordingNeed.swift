import NVRModel

/// Whether a camera's footage should reach the disk at a moment, and why it may not. Pure.
struct RecordingNeed: Sendable, Equatable {
    var isExpected: Bool
    /// Why nothing may come: one of the causes of an outage, `unknown` when everything looks well.
    var cause: Outage.Cause
    /// In words, without credentials.
    var reason: String?

    /// `isWanted`: a recorder takes the packets that come.
    init(status: CameraStatus, reason: String?, mode: RecordingMode, isWanted: Bool, trouble: (isFull: Bool, reason: String)?) {
        let isOffline = status == .unreachable || status == .unauthorized
        // Around motion nothing has to be written, but for a camera that is gone nobody can tell whether anything moves.
        isExpected = mode == .continuous || mode == .motionTriggered && (isWanted || isOffline)
        if status == .disabled { isExpected = false }
        if isOffline {
            cause = .cameraOffline
            self.reason = status.rawValue.lowercased() + (reason.map { ": " + $0 } ?? "")
        } else if let trouble {
            cause = trouble.isFull ? .diskFull : .diskStalled
            self.reason = trouble.reason
        } else {
            cause = .unknown
            self.reason = status == .connected ? "pictures come, but none reach the disk" : "the camera is being connected"
        }
    }

    /// A camera that is to be recorded and does not run: its settings were changed a moment ago, or it cannot be started.
    init(stopped mode: RecordingMode) {
        isExpected = mode == .continuous
        cause = .unknown
        reason = "the camera is being started"
    }
}
