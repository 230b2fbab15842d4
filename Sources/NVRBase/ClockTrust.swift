/// Whether the wall clock may be believed when it says that footage is old. A clock that jumps ahead by years, as one does whose battery
/// is empty or that an operator sets wrong, would make everything old at once. Pure: clocks are passed in, in microseconds.
///
/// A jump ahead, while the program runs or since it was last seen running, is believed when the kernel says that the clock is
/// synchronized, or when it has stood for a day. A clock that is behind makes nothing older, and needs no trust.
package struct ClockTrust: Sendable, Equatable {
    package enum Verdict: Sendable, Equatable {
        case credible
        /// The clock jumped ahead by so many microseconds, and nothing tells yet that it is right.
        case ahead(Int64)
        /// The clock shows a time before the last one at which the program ran.
        case behind(Int64)

        /// Whether footage may be taken for as old as the clock says.
        package var mayDeleteByAge: Bool {
            if case .ahead = self { false } else { true }
        }
    }

    /// A server may have been off for so long without anybody wondering.
    package static let longestAbsence: Int64 = 30 * 86_400_000_000
    /// Jumps while the program runs that are no news: NTP's corrections.
    package static let tolerance: Int64 = 3_600_000_000
    /// After so long with a clock that is not corrected, it is believed.
    package static let patience: Int64 = 86_400_000_000

    /// Wall time minus monotonic time.
    private var offset: Int64
    /// How far the clock is ahead of what was believed last.
    private var jump: Int64
    /// Monotonic time of the jump.
    private var jumpedAt: Int64

    /// `lastSeen`: wall time at which the program was last running or recorded; nil when it never was.
    package init(lastSeen: Int64?, wall: Int64, monotonic: Int64) {
        offset = Self.clamped(wall, minus: monotonic)
        jumpedAt = monotonic
        let distance = lastSeen.map { Self.clamped(wall, minus: $0) } ?? 0
        jump = distance > Self.longestAbsence || distance < -Self.tolerance ? distance : 0
    }

    /// `isSynchronized`: what the kernel says of its clock (`STA_UNSYNC` of adjtimex(2) is not set).
    package mutating func observe(wall: Int64, monotonic: Int64, isSynchronized: Bool) -> Verdict {
        let now = Self.clamped(wall, minus: monotonic)
        let step = Self.clamped(now, minus: offset)
        offset = now
        if step > Self.tolerance || step < -Self.tolerance {
            let (sum, overflow) = jump.addingReportingOverflow(step)
            jump = overflow ? step : sum
            jumpedAt = monotonic
            // Back where it was believed: an hour is no jump.
            if jump.magnitude <= Self.tolerance.magnitude { jump = 0 }
        }
        if isSynchronized || Self.clamped(monotonic, minus: jumpedAt) >= Self.patience { jump = 0 }
        if jump > 0 { return .ahead(jump) }
        return jump < 0 ? .behind(jump == .min ? .max : -jump) : .credible
    }

    private static func clamped(_ left: Int64, minus right: Int64) -> Int64 {
        let (difference, overflow) = left.subtractingReportingOverflow(right)
        return overflow ? (left < right ? .min : .max) : difference
    }
}
