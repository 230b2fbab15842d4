/// Turns what a camera claims about time into a timeline that a file can hold.
///
/// Spacing comes from the sender's clock, position from the arrival of packets: the result is strictly increasing, keeps the
/// sender's steps while they make sense, and never leaves `tolerance` around the arrival. Nothing is thrown away: a jump, reset,
/// wrap, burst or missing stamp only decides how the next time is found. Pure: the clock comes in with each packet.
///
/// All times are ticks of the track's clock rate since the origin of the run.
package struct TimestampRepair: Sendable {
    /// A frame's time as the sender gave it.
    package enum Stamp: Sendable, Equatable {
        /// A counter of `bits` bits that wraps: 32 for RTP, 33 for MPEG-TS.
        case wrapping(UInt64, bits: Int)
        case missing
    }

    package struct Time: Sendable, Equatable {
        /// Decode time, strictly greater than the one before.
        package var dts: Int64
        /// Presentation time; equal to `dts` unless frames are reordered.
        package var pts: Int64
        /// True when the sender's clock was not believed for this frame.
        package var isRepaired: Bool
    }

    /// How far a time may be from the arrival, seconds. Steps of one tick past it are possible inside a burst, never past `limit`.
    package static let tolerance = 0.4
    /// The promise: no time is farther from its arrival than this, seconds.
    package static let limit = 0.5

    private let rate: Double
    private let toleranceTicks: Int64
    private let jumpTicks: Int64
    private let deadZone: Double
    private var last: Last?
    /// Smoothed step between frames, ticks: stands in where a stamp is missing or nonsense.
    private var step: Double
    /// Smoothed distance of the reference from the timeline, ticks.
    private var drift = 0.0
    private var repaired = 0
    /// How far presentation lies behind the sender's clock where frames are reordered: MP4 players want it never before decoding.
    private var reorderDelay: Int64 = 0

    private struct Last {
        var stamp: Stamp
        var dts: Int64
        /// Where the sender's clock stands on the timeline: with reordering this differs from `dts`.
        var clock: Int64
        var arrival: Int64
    }

    /// `rate`: ticks a second. `nominalStep`: ticks between frames when nothing else is known.
    package init(rate: Int, nominalStep: Int) {
        let rate = Double(max(rate, 1))
        self.rate = rate
        step = Double(max(nominalStep, 1))
        toleranceTicks = Int64(rate * Self.tolerance)
        jumpTicks = Int64(rate * 1.5)
        deadZone = rate * 0.06
    }

    /// Frames whose stamp was not believed.
    package var repairedCount: Int { repaired }

    /// The time of the next frame.
    ///
    /// - Parameters:
    ///   - arrival: when it arrived, ticks since the origin of the run; never less than the arrival before.
    ///   - reference: where it should be, from sender reports; the arrival when nil.
    ///   - isReordered: the stream has B-frames, so a stamp may lie before the one of the frame decoded before it.
    package mutating func next(_ stamp: Stamp, arrival: Int64, reference: Int64? = nil, isReordered: Bool = false) -> Time {
        guard let last else {
            self.last = Last(stamp: stamp, dts: arrival, clock: arrival, arrival: arrival)
            return Time(dts: arrival, pts: arrival, isRepaired: stamp == .missing)
        }
        var clock: Int64
        var believed = true
        switch Self.difference(stamp, last.stamp) {
        case .some(let delta) where isReordered && delta < 0 && Double(delta) > -rate:
            clock = last.clock + delta
        case .some(let delta) where delta > 0:
            clock = last.clock + min(delta, Int64(rate * 86_400))
            let elapsed = arrival - last.arrival
            // A stamp that runs ahead of the time that has passed is a jump of the sender's clock; one that lags is a late packet.
            if clock - arrival > toleranceTicks, delta > elapsed + jumpTicks { believed = false }
        default:
            clock = last.clock
            believed = false
        }
        if !believed {
            clock = max(last.dts + Int64(step.rounded()), arrival - toleranceTicks)
            drift = 0
        } else if !(isReordered && clock <= last.clock) {
            let aim = min(max(reference ?? arrival, arrival - toleranceTicks), arrival + toleranceTicks)
            drift += (Double(aim - clock) - drift) / 32
            if abs(drift) > deadZone {
                // Slewed by at most 2 % of the step, so that playback speed does not visibly change.
                let most = max(1, Double(clock - last.clock) * 0.02)
                let change = Int64(min(max(drift * 0.05, -most), most).rounded())
                clock += change
                drift -= Double(change)
            }
        }
        let bounded = min(max(clock, arrival - toleranceTicks), arrival + toleranceTicks)
        if bounded != clock {
            clock = bounded
            drift = Double(arrival - clock)
            believed = false
        }
        let dts: Int64
        if isReordered {
            // Decode times go on at the frame step; presentation follows the sender's clock.
            let paced = last.dts + max(1, Int64(step.rounded()))
            dts = max(last.dts + 1, min(max(paced, arrival - toleranceTicks), arrival + toleranceTicks))
        } else {
            dts = max(last.dts + 1, clock)
            clock = dts
        }
        if isReordered { reorderDelay = max(reorderDelay, dts - clock) }
        let advanced = Double(dts - last.dts)
        if believed, advanced < rate * 2 {
            step += (advanced - step) / 8
        } else if stamp == .missing, arrival - last.arrival < Int64(rate * 2) {
            step = max(1, step + (Double(arrival - last.arrival) - step) / 16)
        }
        if !believed { repaired += 1 }
        self.last = Last(stamp: stamp == .missing ? Self.advance(last.stamp, by: dts - last.dts) : stamp, dts: dts, clock: clock, arrival: arrival)
        return Time(dts: dts, pts: isReordered ? clock + reorderDelay : dts, isRepaired: !believed)
    }

    /// Ticks from `earlier` to `later` on a wrapping counter, nil when either is missing.
    private static func difference(_ later: Stamp, _ earlier: Stamp) -> Int64? {
        guard case .wrapping(let a, let bits) = later, case .wrapping(let b, let other) = earlier, bits == other else { return nil }
        let width = UInt64(min(max(bits, 2), 63))
        let mask = (UInt64(1) << width) - 1
        let forward = (a &- b) & mask
        return forward <= mask >> 1 ? Int64(forward) : Int64(forward) - Int64(mask) - 1
    }

    /// The stamp that would have been sent `ticks` after `stamp`, so that the next good one is measured from the right place.
    private static func advance(_ stamp: Stamp, by ticks: Int64) -> Stamp {
        guard case .wrapping(let value, let bits) = stamp else { return stamp }
        let mask = (UInt64(1) << UInt64(min(max(bits, 2), 63))) - 1
        return .wrapping((value &+ UInt64(bitPattern: ticks)) & mask, bits: bits)
    }
}

/// Notices that the wall clock was set: monotonic and wall time then no longer differ by the same amount.
package struct WallAnchor: Sendable {
    /// A difference beyond this is a step, microseconds. NTP slews both clocks alike and never shows up here.
    package static let stepThreshold: Int64 = 100_000

    private var offset: Int64?

    package init() {}

    /// True when the wall clock has stepped since the anchor was set; the anchor then moves. The first call only sets it.
    package mutating func hasStepped(monotonic: Int64, wall: Int64) -> Bool {
        let now = wall &- monotonic
        guard let offset else {
            self.offset = now
            return false
        }
        let (change, overflow) = now.subtractingReportingOverflow(offset)
        guard overflow || change.magnitude > Self.stepThreshold.magnitude else { return false }
        self.offset = now
        return true
    }
}
