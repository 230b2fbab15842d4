package import NVRModel
import NVRRecording
package import NVRStore

/// What a camera's recording does at a moment. Pure.
package enum RecordingVerdict: Sendable, Hashable {
    /// Not known yet: what was known stays.
    case unclear
    /// Footage is written.
    case recording
    case missing(Outage.Cause, reason: String?)

    /// `trouble`: what keeps the disk from taking the footage.
    package init(status: CameraStatus, reason: String?, mode: RecordingMode, trouble: (isFull: Bool, reason: String)?) {
        switch (mode, status) {
        case (.off, _): self = .missing(.notRecording, reason: "recording is switched off")
        case (_, .disabled): self = .missing(.notRecording, reason: "the camera is switched off")
        case (_, .starting): self = .unclear
        case (_, .unreachable), (_, .unauthorized):
            self = .missing(.cameraOffline, reason: status.rawValue.lowercased() + (reason.map { ": " + $0 } ?? ""))
        case (_, .connected):
            if let trouble {
                self = .missing(trouble.isFull ? .diskFull : .diskStalled, reason: trouble.reason)
            } else {
                self = mode == .continuous ? .recording : .missing(.noMotion, reason: nil)
            }
        }
    }
}

/// Makes the rows of one camera's outages of what is seen of its recording. A camera that comes and goes makes few: an outage that goes on
/// after a short break is the same one. Pure: times are passed in.
package struct OutageTracker: Sendable {
    /// Microseconds. A break between two outages of one cause that is shorter belongs to them; so does another cause in between that comes
    /// and goes by itself.
    package static let shortestBreak: Int64 = 30_000_000
    /// An outage that is shorter is none, as a gap of the timeline is that has no footage for so short: each that is shown has its cause.
    /// That the server was down is told however short it was: what was on its way to the disk then may be missing as well.
    package static let shortest = TimelineGaps.shortest
    /// Footage that ends so long before the last sign of life at most was in memory when the server died.
    package static let mostInMemory: Int64 = 120_000_000
    /// Rows end up to this long after now without the clock having been set back.
    private static let clockStep: Int64 = 120_000_000

    package let cameraID: ID<Camera>
    /// The one that lasts.
    package private(set) var current: Outage?
    /// The last ones that ended, newest last.
    private var ended: [Outage] = []

    /// `rows`: the newest of the camera, oldest first.
    package init(cameraID: ID<Camera>, rows: [Outage] = []) {
        self.cameraID = cameraID
        current = rows.last.flatMap { $0.end == nil ? $0 : nil }
        ended = rows.suffix(3).filter { $0.end != nil }
    }

    /// When the server starts: it was down since `lastSign`, its last sign of life, or since the end of the camera's footage when that
    /// came later; and what a camera that was recorded had sent since then was lost with it. That a camera is not to be recorded was true all
    /// the time.
    package mutating func serverStarted(footageEnd: WallTime?, lastSign: WallTime?, now: WallTime) -> [OutageChange] {
        if current?.cause == .notRecording || current?.cause == .serverDown { return [] }
        guard current != nil || footageEnd != nil else { return [] }
        guard var seen = [footageEnd, lastSign].compactMap({ $0 }).max() ?? current?.start else { return [] }
        if current == nil, let footageEnd, seen.microseconds(since: footageEnd) <= Self.mostInMemory { seen = footageEnd }
        let since = max(min(seen, now), current?.start ?? seen)
        guard since <= now else { return [] }
        return observe(.missing(.serverDown, reason: nil), at: since, now: now)
    }

    /// `time`: since when; what was noted before is not overwritten by it.
    package mutating func observe(_ verdict: RecordingVerdict, at time: WallTime, now: WallTime) -> [OutageChange] {
        let (cause, reason): (Outage.Cause?, String?)
        switch verdict {
        case .unclear: return []
        case .recording: (cause, reason) = (nil, nil)
        case .missing(let why, let text): (cause, reason) = (why, text)
        }
        if current?.cause == cause { return describe(reason) }
        let time = placed(time, now: now)
        var changes = close(at: time)
        guard let cause else { return changes }
        if let place = ended.lastIndex(where: { $0.cause == cause }), let end = ended[place].end,
            time.microseconds(since: end) < Self.shortestBreak, end <= time,
            ended[(place + 1)...].allSatisfy({ Self.isSwallowed($0.cause, by: cause) })
        {
            // Whatever came in between was short.
            for short in ended[(place + 1)...] { changes.append(.remove(cameraID, start: short.start)) }
            ended.removeSubrange((place + 1)...)
            var outage = ended.removeLast()
            outage.end = nil
            outage.reason = reason ?? outage.reason
            current = outage
            changes.append(.put(outage))
        } else {
            let outage = Outage(cameraID: cameraID, start: time, cause: cause, reason: reason)
            current = outage
            changes.append(.put(outage))
        }
        return changes
    }

    /// Whether a short outage between two of another cause is part of them. What somebody did is told, however short; and that a camera
    /// waits for motion never hides that it was gone.
    private static func isSwallowed(_ cause: Outage.Cause, by other: Outage.Cause) -> Bool {
        switch cause {
        case .serverDown, .notRecording: false
        case .noMotion: true
        case .cameraOffline, .diskFull, .diskStalled, .unknown: other != .noMotion
        }
    }

    /// Takes over a reason of another kind; a camera that cannot be reached may say so in many ways.
    private mutating func describe(_ reason: String?) -> [OutageChange] {
        func kind(_ text: String?) -> Substring? { text?.prefix { $0 != ":" } }
        guard var outage = current, let reason, kind(outage.reason) != kind(reason) else { return [] }
        outage.reason = reason
        current = outage
        return [.put(outage)]
    }

    private mutating func close(at time: WallTime) -> [OutageChange] {
        guard var outage = current else { return [] }
        current = nil
        let length = time.microseconds(since: outage.start)
        guard length >= Self.shortest || outage.cause == .serverDown && length > 0 else { return [.remove(cameraID, start: outage.start)] }
        outage.end = time
        ended.append(outage)
        if ended.count > 3 { ended.removeFirst() }
        return [.put(outage)]
    }

    /// Rows of a camera follow each other, unless the clock was set back.
    private func placed(_ time: WallTime, now: WallTime) -> WallTime {
        let time = min(time, now)
        guard let bound = current?.start ?? ended.last?.end, bound > time else { return time }
        return bound.microseconds(since: now) > Self.clockStep ? now : bound
    }
}
