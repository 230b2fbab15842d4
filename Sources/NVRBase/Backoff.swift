/// How long to wait before a connection is tried again, by the cause of the failure. Pure: randomness is passed in.
package struct Backoff: Sendable, Equatable {
    /// Why an attempt ended.
    package enum Cause: Sendable, Equatable {
        /// Refused, unreachable, timed out, closed, answered with an error.
        case unreachable
        /// The camera answered 401 and has never accepted these credentials.
        case unauthorized
        /// The camera answered that it is busy.
        case overloaded
        /// The camera answered 401 after it had accepted the same credentials: it is out of sessions, or its password was changed.
        case refusedAgain
        /// The stream ended after it had delivered video for a while.
        case interrupted
    }

    /// The longest wait for unreachable cameras, seconds.
    package static let longest = 30.0
    /// The wait after a refused log-in: with it a camera sees at most 3 wrong log-ins in 10 minutes.
    package static let afterRefusedLogin = 300.0

    /// The waits after log-ins that were accepted before and are refused now, seconds: for a session that ends in a moment, for one that
    /// the camera forgets after its usual minute, and from then on so that it sees at most 3 refused log-ins in 10 minutes. Cameras lock
    /// accounts after 5.
    private static let afterRefusals = [3.0, 60, 600]

    private var step = 0
    /// Log-ins refused in a row since one was accepted.
    private var refusals = 0

    package init() {}

    /// The longest wait while an outage is young, seconds: a camera that reboots is recorded again at once.
    package static let longestWhenYoung = 3.0
    /// An outage is young for this long, seconds.
    package static let young = 300.0

    /// Seconds to wait after an attempt that ended by `cause`.
    ///
    /// - Parameters:
    ///   - jitter: a uniform random number in 0…1.
    ///   - outage: seconds since the camera last delivered video; nil when it never has.
    package mutating func wait(after cause: Cause, jitter: Double, outage: Double? = nil) -> Double {
        switch cause {
        case .unauthorized:
            step = 0
            return Self.afterRefusedLogin + 10 * jitter
        case .refusedAgain:
            step = 0
            defer { refusals = min(refusals + 1, Self.afterRefusals.count) }
            guard refusals < Self.afterRefusals.count else { return Self.afterRefusedLogin + 10 * jitter }
            let longest = Self.afterRefusals[refusals]
            return longest >= Self.afterRefusedLogin ? longest + 10 * jitter : longest * (0.8 + 0.2 * jitter)
        case .interrupted:
            step = 0
            return 0.2 + 0.3 * jitter
        case .unreachable, .overloaded:
            let longest = outage.map { $0 < Self.young } == true ? Self.longestWhenYoung : Self.longest
            let base = min(longest, Double(1 << min(step, 5)))
            step = min(step + 1, 5)
            return base * (0.8 + 0.2 * jitter)
        }
    }

    /// Whether the next wait after a refused log-in is one of minutes.
    package var isPatientWithLogins: Bool { refusals >= 2 }

    /// The camera delivered video: what it refuses later counts anew.
    package mutating func accepted() { refusals = 0 }

    /// Forgets earlier failures.
    package mutating func reset() {
        step = 0
        refusals = 0
    }
}
