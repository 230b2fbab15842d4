package import NVRBase

/// Reads one stream of one camera into a hub until it ends. There are two: our RTSP client, and libav for everything else.
package protocol PacketSource: Sendable {
    /// What the camera's status shows: "rtsp" or "libav".
    var name: String { get }

    /// Connects and publishes until the stream breaks off or the task is cancelled, then closes what it opened.
    /// - Throws: `SourceFailure` with the cause; a stream that simply ended is one, too.
    func run(into hub: StreamHub) async throws

    /// Whether somebody watches live, so that packets must be read at once rather than in larger batches.
    func setLive(_ isLive: Bool)

    /// Counters of the network, for sources that have them.
    var network: NetworkCounters { get }
}

/// What happened below the frames since the source was made.
package struct NetworkCounters: Sendable, Equatable {
    package var packets = 0
    package var lost = 0
    package var reordered = 0
    package var malformed = 0
    /// True when UDP was asked for and the camera only does TCP.
    package var fellBackToTCP = false

    package init() {}
}

/// Why reading a stream ended, in words for the camera's status and as a cause for the back-off.
package struct SourceFailure: Error, Sendable, CustomStringConvertible {
    package var cause: Backoff.Cause
    /// One sentence without credentials.
    package var reason: String
    /// True when another source may make sense of what this one could not.
    package var isUnintelligible: Bool

    package init(_ cause: Backoff.Cause, _ reason: String, isUnintelligible: Bool = false) {
        self.cause = cause
        self.reason = reason
        self.isUnintelligible = isUnintelligible
    }

    package var description: String { reason }
}
