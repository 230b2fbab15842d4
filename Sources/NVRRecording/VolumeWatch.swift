package import NVRModel

/// Decides from looks at its marker whether a volume may be used. A loss counts at once; a return only after the volume was seen for a while
/// and was written to, since one with a loose plug would cut footage into pieces. The default folder is used as soon as it is seen: what is
/// recorded has nowhere else to go, and waits in memory meanwhile. Pure: time is passed in.
package struct VolumeWatch: Sendable {
    /// What has to be done.
    package enum Step: Sendable, Hashable {
        case nothing
        /// The profile is new: put the marker into its folder, and look again.
        case mark
        case lost(VolumeLoss)
        /// Why it is lost is another thing now.
        case lostOtherwise(VolumeLoss)
        /// It seems to be back: try to write to it and say how that went.
        case probe
        /// It may be used. `isReturn`: after a loss that was told of.
        case available(isReturn: Bool)
    }

    private enum Phase: Sendable, Hashable {
        case unknown
        case present(since: Int64)
        case lost(VolumeLoss)
        /// Seen again since then.
        case returning(VolumeLoss, since: Int64)
    }

    /// Microseconds for which a volume is seen before it is used again: the shortest, doubled by every loss that follows soon.
    package static let shortestTrial: Int64 = 4_000_000
    package static let longestTrial: Int64 = 256_000_000
    /// Microseconds after which a volume that stayed is trusted as at first.
    package static let trust: Int64 = 600_000_000

    private let expected: VolumeMarker
    private let isLastResort: Bool
    private var isMarked: Bool
    private var phase = Phase.unknown
    private var trial = shortestTrial

    /// `isMarked`: the folder was given its marker some time.
    package init(expected: VolumeMarker, isMarked: Bool) {
        self.expected = expected
        isLastResort = expected.volume == .standard
        self.isMarked = isMarked
    }

    /// Why the volume is not used; nil while it is, and before the first look.
    package var loss: VolumeLoss? {
        switch phase {
        case .unknown, .present: nil
        case .lost(let loss), .returning(let loss, _): loss
        }
    }

    package var isAvailable: Bool {
        if case .present = phase { true } else { false }
    }

    /// Takes a look. `now`: monotonic microseconds.
    package mutating func saw(_ look: VolumeMarker.Look, now: Int64, at time: WallTime) -> Step {
        switch look {
        case .found(expected):
            isMarked = true
            return sawRightOne(now: now)
        case .found(let other):
            let text =
                other.instance == expected.instance
                ? "the volume of storage profile \(other.volume) is in its place" : "it belongs to another installation"
            return lose(.wrongVolume, text, now: now, at: time)
        case .unreadable: return lose(.wrongVolume, "its marker makes no sense", now: now, at: time)
        case .bare:
            guard isMarked else { return .mark }
            return lose(.notMounted, "its marker is missing, so it is not mounted", now: now, at: time)
        case .missing: return lose(.notMounted, "its folder is not there", now: now, at: time)
        case .failed(let reason): return lose(.unreachable, reason, now: now, at: time)
        }
    }

    /// The disk refused a write, or the probe.
    package mutating func refused(_ reason: String, now: Int64, at time: WallTime) -> Step { lose(.failing, reason, now: now, at: time) }

    /// The probe was written.
    package mutating func wrote(now: Int64) -> Step {
        guard case .returning = phase else { return .nothing }
        phase = .present(since: now)
        return .available(isReturn: true)
    }

    private mutating func sawRightOne(now: Int64) -> Step {
        switch phase {
        case .unknown:
            phase = .present(since: now)
            return .available(isReturn: false)
        case .present(let since):
            if now - since >= Self.trust { trial = Self.shortestTrial }
            return .nothing
        case .lost, .returning:
            if isLastResort {
                phase = .present(since: now)
                return .available(isReturn: true)
            }
            return seenAgain(now: now)
        }
    }

    private mutating func seenAgain(now: Int64) -> Step {
        switch phase {
        case .unknown, .present: return .nothing
        case .lost(let loss):
            phase = .returning(loss, since: now)
            return .nothing
        case .returning(_, let since): return now - since >= trial ? .probe : .nothing
        }
    }

    private mutating func lose(_ cause: VolumeLoss.Cause, _ detail: String, now: Int64, at time: WallTime) -> Step {
        switch phase {
        case .unknown, .present:
            if case .present(let since) = phase {
                trial = now - since >= Self.trust ? Self.shortestTrial : min(trial * 2, Self.longestTrial)
            }
            let loss = VolumeLoss(cause, detail, since: time)
            phase = .lost(loss)
            return .lost(loss)
        case .lost(let old), .returning(let old, _):
            let loss = VolumeLoss(cause, detail, since: old.since)
            phase = .lost(loss)
            return loss == old ? .nothing : .lostOtherwise(loss)
        }
    }
}
