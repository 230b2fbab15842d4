package import NVRModel

/// What sees motion of a camera.
package enum MotionSource: String, Sendable, Hashable, CaseIterable {
    /// This server's own detector.
    case standard
    /// Somebody else, through the webhook.
    case webhook
}

/// Joins what several sources tell of one camera: motion lasts as long as one of them sees it, and ends when the last of them saw it.
/// Pure.
package struct MotionSources: Sendable {
    private var seeing: Set<MotionSource> = []
    private var lastSeen: WallTime?

    package init() {}

    /// True when no other source saw motion before.
    package mutating func began(_ source: MotionSource) -> Bool {
        let isFirst = seeing.isEmpty
        seeing.insert(source)
        if isFirst { lastSeen = nil }
        return isFirst
    }

    /// When motion ended, once no source sees it any more.
    package mutating func ended(_ source: MotionSource, at time: WallTime) -> WallTime? {
        guard seeing.remove(source) != nil else { return nil }
        let last = max(lastSeen ?? time, time)
        lastSeen = last
        return seeing.isEmpty ? last : nil
    }
}
