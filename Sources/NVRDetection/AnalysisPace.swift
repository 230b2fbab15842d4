/// Decides which decoded pictures are analysed: about five a second say as much about motion as fifteen.
///
/// What may be left out before decoding depends on the codec. H.264 and H.265 need every frame that another one refers to, so
/// only frames without that can be skipped by the decoder; MJPEG pictures stand alone: ask here first, and decode only those.
package struct AnalysisPace: Hashable, Sendable {
    /// Microseconds.
    private let interval: Int64
    private var last: Int64?

    /// - Parameter interval: the least time between two analysed pictures.
    package init(interval: Duration = .milliseconds(200)) {
        let (seconds, attoseconds) = interval.components
        self.interval = min(max(seconds, 0), 3600) * 1_000_000 + max(0, attoseconds / 1_000_000_000_000)
    }

    /// Whether the picture at `time` (microseconds) is to be analysed; if so, it counts as analysed.
    package mutating func shouldAnalyse(at time: Int64) -> Bool {
        if let last {
            let (elapsed, overflow) = time.subtractingReportingOverflow(last)
            // An eighth of slack: the jitter of a camera's clock must not turn every third picture into every fourth.
            // After a jump backwards the picture is taken.
            if !overflow, elapsed >= 0, elapsed < interval - interval / 8 { return false }
        }
        last = time
        return true
    }
}
