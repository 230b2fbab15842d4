package import NVRModel

/// Why the volume of a storage profile is not used now, and since when.
package struct VolumeLoss: Sendable, Hashable {
    package enum Cause: String, Sendable, Hashable {
        /// It was not looked at yet.
        case unknown
        /// The folder has no marker, or is not there.
        case notMounted = "not_mounted"
        /// The marker is that of another volume or another installation.
        case wrongVolume = "wrong_volume"
        /// The system does not let us look, or does not answer.
        case unreachable
        /// It was there, and refused to be written.
        case failing
    }

    package var cause: Cause
    /// For a person, without paths.
    package var detail: String
    package var since: WallTime

    package init(_ cause: Cause, _ detail: String, since: WallTime) {
        self.cause = cause
        self.detail = detail
        self.since = since
    }
}
