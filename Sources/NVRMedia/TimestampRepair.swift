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
    /// Distances from the aim that are left alone, and those that are corrected fast where frames are reordered.
    private let deadZone: Double
    private let farZone: Double
    /// How long the position of a reordered stream is open after a disturbance.
    private let settleTicks: Int64
    /// How far decode times may lie before the newest frame without moving it.
    private let leadTicks: Int64
    /// Smoothed step between frames, ticks, by the advance of the sender's newest stamp: stands in where a stamp is missing or nonsense.
    private var step: Double
    /// Smoothed distance of the timeline from where it should be, ticks.
    private var drift = 0.0
    private var repaired = 0
    /// The newest frame by the sender's clock; with reordering most frames lie before it.
    private var top: Top?
    private var lastDTS: Int64 = 0
    /// Once frames are reordered.
    private var order: DecodeOrder?
    /// When the position of a reordered stream is known again after a disturbance, ticks of arrival.
    private var settledAt: Int64 = 0

    private struct Top {
        var stamp: Stamp
        /// Where it is shown.
        var pts: Int64
        var arrival: Int64
        /// Frames since, this one not counted.
        var followers = 0
    }

    /// `rate`: ticks a second. `nominalStep`: ticks between frames when nothing else is known.
    package init(rate: Int, nominalStep: Int) {
        let rate = Double(max(rate, 1))
        self.rate = rate
        step = Double(max(nominalStep, 1))
        toleranceTicks = Int64(rate * Self.tolerance)
        jumpTicks = Int64(rate * 1.5)
        deadZone = rate * 0.06
        farZone = rate * 0.085
        settleTicks = Int64(rate * 1.5)
        leadTicks = Int64(rate * 0.3)
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
        guard var top else {
            self.top = Top(stamp: stamp, pts: arrival, arrival: arrival)
            lastDTS = arrival
            return Time(dts: arrival, pts: arrival, isRepaired: stamp == .missing)
        }
        if isReordered, order == nil {
            order = DecodeOrder(front: top.pts)
            settledAt = arrival + settleTicks
        }
        top.followers += 1
        let delta = Self.difference(stamp, top.stamp)
        if isReordered, let delta, delta < 0, Double(delta) > -rate, let pts = order?.shown(delta) {
            self.top = top
            return place(pts, arrival, isReordered: true, isRepaired: false)
        }
        let isRepaired = advance(&top, to: stamp, by: delta, arrival, aim: reference ?? arrival + lead, isReordered)
        self.top = top
        let time = place(top.pts, arrival, isReordered: isReordered, isRepaired: isRepaired)
        self.top?.pts = max(top.pts, time.pts)
        if isRepaired { repaired += 1 }
        return time
    }

    /// How far the front has to lie behind the arrivals so that decode times, which lie before it by the span of the reordering, stay
    /// close to them: nothing for usual streams.
    private var lead: Int64 { order.map { min(max(0, $0.span - leadTicks), toleranceTicks) } ?? 0 }

    /// Moves the front of the timeline to a new frame; gives whether its stamp was not believed.
    private mutating func advance(
        _ top: inout Top, to stamp: Stamp, by delta: Int64?, _ arrival: Int64, aim: Int64, _ isReordered: Bool
    ) -> Bool {
        var isBelieved = false
        var pts = top.pts
        let elapsed = arrival - top.arrival
        // Nothing is added up that could overflow.
        let delta = delta.map { min($0, Int64(rate * 86_400)) }
        if let delta, delta > 0 {
            pts += delta
            // A stamp that runs ahead of the time that has passed is a jump of the sender's clock; one that lags is a late packet.
            isBelieved = pts - arrival <= toleranceTicks || delta <= elapsed + jumpTicks
        }
        if isBelieved {
            let aim = min(max(aim, arrival - toleranceTicks), arrival + toleranceTicks)
            pts +=
                isReordered
                ? settled(from: top.pts, to: pts, aim: aim, isOpen: arrival < settledAt) : slewed(from: top.pts, to: pts, aim: aim)
        } else {
            pts = max(top.pts + Int64(step.rounded()), arrival - toleranceTicks)
            drift = 0
        }
        let bounded = min(max(pts, arrival - toleranceTicks), arrival + toleranceTicks)
        if bounded != pts {
            pts = bounded
            drift = Double(aim - pts)
            isBelieved = false
        }
        pts = max(pts, top.pts + 1)
        if !isBelieved { settledAt = arrival + settleTicks }
        let advanced = Double(pts - top.pts) / Double(top.followers)
        if isBelieved, advanced < rate * 2 {
            // A gap says little about the step.
            step += (min(advanced, 4 * step) - step) / 8
        } else if stamp == .missing, elapsed < Int64(rate * 2) {
            step = max(1, step + (Double(elapsed) / Double(top.followers) - step) / 16)
        }
        if isBelieved { order?.advance(by: delta ?? 0, to: pts) } else { order?.start(pts) }
        top = Top(stamp: stamp == .missing ? Self.advance(top.stamp, by: pts - top.pts) : stamp, pts: pts, arrival: arrival)
        return !isBelieved
    }

    /// Ticks by which the step from `last` to `next` is changed, so that the timeline comes to lie around `aim`: at most 2 % of the
    /// step, so that playback speed does not visibly change.
    private mutating func slewed(from last: Int64, to next: Int64, aim: Int64) -> Int64 {
        drift += (Double(aim - next) - drift) / 32
        return slew(by: drift * 0.05, most: Double(next - last) * 0.02)
    }

    /// The same for a stream with B-frames, whose first frames say little about where it lies. While that `isOpen` it is known from the
    /// earliest: none can have been seen after it arrived. Later it is corrected faster than elsewhere where it lies far off.
    private mutating func settled(from last: Int64, to next: Int64, aim: Int64, isOpen: Bool) -> Int64 {
        let (distance, length) = (Double(aim - next), Double(next - last))
        drift += (distance - drift) * (abs(distance) > farZone ? min(1, max(0.125, length / rate * 3)) : 0.03125)
        if isOpen, distance < -deadZone {
            drift = 0
            return max(Int64(distance), last + 1 - next)
        }
        let isFar = abs(drift) > farZone
        return slew(by: drift * (isFar ? 0.5 : 0.05), most: length * (isFar ? 0.5 : 0.02))
    }

    private mutating func slew(by wanted: Double, most: Double) -> Int64 {
        guard abs(drift) > deadZone else { return 0 }
        let change = min(max(wanted, -max(1, most)), max(1, most)).rounded()
        drift -= change
        return Int64(change)
    }

    /// Gives a frame that is shown at `pts` its place in the order of decoding.
    private mutating func place(_ pts: Int64, _ arrival: Int64, isReordered: Bool, isRepaired: Bool) -> Time {
        guard isReordered else {
            lastDTS = max(lastDTS + 1, pts)
            return Time(dts: lastDTS, pts: lastDTS, isRepaired: isRepaired)
        }
        let due = order?.next(pts) ?? lastDTS + 1
        lastDTS = max(lastDTS + 1, min(max(due, arrival - toleranceTicks), arrival + toleranceTicks))
        return Time(dts: lastDTS, pts: max(pts, lastDTS), isRepaired: isRepaired)
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
