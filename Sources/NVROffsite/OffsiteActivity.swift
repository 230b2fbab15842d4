package import NVRModel

/// What copying to one bucket is doing.
package struct OffsiteActivity: Sendable, Hashable {
    package enum Phase: String, Sendable, Hashable {
        /// Nothing waits.
        case idle
        case uploading
        /// For footage that is still to come.
        case waiting
        /// The last try failed; the next is made by itself.
        case failing
    }

    /// What went wrong, in words for a person; never with a secret.
    package struct Problem: Sendable, Hashable {
        package var time: WallTime
        package var message: String

        package init(time: WallTime, message: String) {
            self.time = time
            self.message = message
        }
    }

    package var phase = Phase.idle
    /// The last one, also when it is over.
    package var problem: Problem?
    package var problems: [ID<Camera>: Problem] = [:]
    /// When the next try is made; nil unless it is failing.
    package var retryAt: WallTime?

    package init() {}
}

/// A profile, what was copied there, and what copying is doing.
package struct OffsiteState: Sendable {
    package var profile: S3Profile
    package var activity: OffsiteActivity
    package var cameras: [OffsiteSummary]

    package init(profile: S3Profile, activity: OffsiteActivity, cameras: [OffsiteSummary]) {
        self.profile = profile
        self.activity = activity
        self.cameras = cameras
    }
}
