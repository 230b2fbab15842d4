import NVRMedia
import Testing

@Suite("Timestamp repair")
struct TimestampRepairTests {
    /// The first promise that a run of frames breaks; nil when all are kept. One call of `next` per frame gives one time per frame.
    private static func broken(_ sender: SimulatedSender, _ frames: [SimulatedFrame], nominalFPS: Double) -> String? {
        var repair = TimestampRepair(rate: sender.rate, nominalStep: Int(Double(sender.rate) / nominalFPS))
        let limit = Int64(Double(sender.rate) * TimestampRepair.limit)
        var last: Int64?
        var counted = 0
        for (index, frame) in frames.enumerated() {
            let time = repair.next(frame.stamp, arrival: frame.arrival, isReordered: sender.isReordered)
            if let last, time.dts <= last { return "frame \(index): decode time \(time.dts) after \(last)" }
            if abs(time.dts - frame.arrival) > limit { return "frame \(index): \(time.dts - frame.arrival) ticks from its arrival" }
            if sender.isReordered ? time.pts < time.dts : time.pts != time.dts {
                return "frame \(index): shown at \(time.pts), decoded at \(time.dts)"
            }
            // A picture is never shown later than a player buffers: the promise of dts and what reordering may add.
            if time.pts - frame.arrival > 3 * limit { return "frame \(index): shown \(time.pts - frame.arrival) ticks after its arrival" }
            if index > 0, time.isRepaired { counted += 1 }
            last = time.dts
        }
        return repair.repairedCount == counted ? nil : "\(repair.repairedCount) repairs counted, \(counted) told"
    }

    @Test("10,000 random senders: strictly increasing, within half a second of the arrival, nothing lost")
    func randomSenders() {
        var failures: [String] = []
        for seed in 0..<10_000 {
            var random = SeededGenerator(state: UInt64(seed))
            let sender = SimulatedSender.random(&random)
            let frames = sender.frames(Int.random(in: 50...400, using: &random), &random)
            let nominal = random.chance(0.5) ? sender.fps : [15.0, 25, 30].randomElement(using: &random) ?? 15
            if let problem = Self.broken(sender, frames, nominalFPS: nominal) { failures.append("seed \(seed): \(problem)") }
        }
        #expect(failures.isEmpty, "\(failures.count) senders: \(failures.prefix(5))")
    }

    @Test("every disturbance at every frame: the promises hold")
    func chaos() {
        var failures: [String] = []
        for seed in 0..<500 {
            var random = SeededGenerator(state: UInt64(seed) &* 77)
            var sender = SimulatedSender.random(&random)
            sender.disturbances = .everything
            sender.chance = 0.9
            if let problem = Self.broken(sender, sender.frames(300, &random), nominalFPS: 15) { failures.append("seed \(seed): \(problem)") }
        }
        #expect(failures.isEmpty, "\(failures.count) senders: \(failures.prefix(5))")
    }

    @Test("stamps without any meaning: the promises hold")
    func garbageStamps() {
        for seed in 0..<300 {
            var random = SeededGenerator(state: UInt64(seed) &+ 99)
            var repair = TimestampRepair(rate: 90_000, nominalStep: Int.random(in: -5...200_000, using: &random))
            var arrival: Int64 = 0
            var last = Int64.min
            var worst: Int64 = 0
            for _ in 0..<400 {
                arrival += Int64.random(in: 0...20_000, using: &random)
                let stamp: TimestampRepair.Stamp =
                    random.chance(0.1)
                    ? .missing : .wrapping(random.next(), bits: [-3, 0, 1, 2, 32, 33, 62, 63, 64, 99].randomElement(using: &random) ?? 32)
                let time = repair.next(stamp, arrival: arrival, isReordered: random.chance(0.3))
                #expect(time.dts > last)
                worst = max(worst, abs(time.dts - arrival))
                last = time.dts
            }
            #expect(worst <= 45_000)
        }
    }

    @Test("an undisturbed sender keeps its exact steps, at any frame rate, across wraps")
    func exactSteps() {
        var failures: [String] = []
        for seed in 0..<400 {
            var random = SeededGenerator(state: UInt64(seed) &+ 1000)
            var sender = SimulatedSender.random(&random)
            sender.rate = 90_000
            sender.skew = 0
            sender.jitter = 0.04
            sender.disturbances = []
            // Pictures shown out of order come several frames early by the sender's clock: that has to fit into the tolerance, and it
            // takes some seconds until the timeline lies around the arrivals.
            if sender.isReordered { sender.fps = max(sender.fps, 10, 4.2 * Double(sender.order.count)) }
            let settled = sender.isReordered ? 1500 : 1
            let frames = sender.frames(settled + 300, &random)
            var repair = TimestampRepair(rate: sender.rate, nominalStep: Int(90_000 / sender.fps))
            var last: Int64?
            for (index, frame) in frames.enumerated() {
                let time = repair.next(frame.stamp, arrival: frame.arrival, isReordered: sender.isReordered)
                if let last, index >= settled, time.pts - last != frame.senderStep {
                    failures.append("seed \(seed) frame \(index): \(time.pts - last) instead of \(frame.senderStep)")
                    break
                }
                last = time.pts
            }
            if repair.repairedCount > 0 { failures.append("seed \(seed): \(repair.repairedCount) repairs") }
        }
        #expect(failures.isEmpty, "\(failures.count) senders: \(failures.prefix(5))")
    }

    @Test("10,000 senders with B-frames, wrong frame rates and disturbances: two seconds later pictures are shown when they were seen, in order")
    func reorderedSenders() {
        var failures: [String] = []
        var worst = 0.0
        for seed in 0..<10_000 {
            var random = SeededGenerator(state: UInt64(seed) &+ 5000)
            var sender = SimulatedSender.random(&random)
            sender.order = SimulatedSender.orders.randomElement(using: &random) ?? []
            // Slower ones need more time between decoding and showing than decode times may differ from arrivals.
            sender.fps = max(Double.random(in: 10...60, using: &random), 4.2 * Double(sender.order.count))
            sender.skew = Double.random(in: -500...500, using: &random)
            sender.jitter = [0, 0.005, 0.02].randomElement(using: &random) ?? 0
            sender.chance = [0, 0.02, 0.1, 0.3].randomElement(using: &random) ?? 0
            if random.chance(0.7) { sender.disturbances = .init(rawValue: 1 << Int.random(in: 0..<7, using: &random)) }
            sender.calmAfter = Double.random(in: 0...5, using: &random)
            let frames = sender.frames(Int(sender.fps * (sender.calmAfter + 6)), &random)
            let nominal = random.chance(0.5) ? sender.fps : Double.random(in: 1...120, using: &random)
            if let problem = Self.broken(sender, frames, nominalFPS: nominal) { failures.append("seed \(seed): \(problem)") }
            let (lag, disorder) = Self.calmLag(sender, frames, nominalFPS: nominal)
            worst = max(worst, lag)
            if lag > 0.1 || disorder { failures.append("seed \(seed): \(lag) s, \(disorder ? "out of order" : "in order")") }
        }
        #expect(failures.isEmpty, "\(failures.count) senders, at most \(worst) s: \(failures.prefix(5))")
    }

    /// Seconds by which pictures are shown too late or too early at most, later than two seconds after a disturbance, and whether any
    /// of them is shown out of order.
    private static func calmLag(_ sender: SimulatedSender, _ frames: [SimulatedFrame], nominalFPS: Double) -> (lag: Double, disorder: Bool) {
        var repair = TimestampRepair(rate: sender.rate, nominalStep: Int(Double(sender.rate) / nominalFPS))
        var lag: Int64 = 0
        var calmAt: Int64 = 2 * Int64(sender.rate)
        var shown: [(seen: Int64, at: Int64)] = []
        for frame in frames {
            let time = repair.next(frame.stamp, arrival: frame.arrival, isReordered: sender.isReordered)
            if frame.isDisturbed {
                calmAt = frame.arrival + 2 * Int64(sender.rate)
                shown.removeAll(keepingCapacity: true)
            }
            guard frame.arrival > calmAt else { continue }
            lag = max(lag, abs(time.pts - frame.seen))
            shown.append((frame.seen, time.pts))
        }
        shown.sort { $0.seen < $1.seen }
        return (Double(lag) / Double(sender.rate), zip(shown, shown.dropFirst()).contains { $0.at >= $1.at })
    }

    @Test("decode times of B-frames advance as the sender's clock does, whatever frame rate was announced", arguments: [1.0, 15, 120])
    func reorderedSteps(nominal: Double) {
        for order in SimulatedSender.orders {
            var sender = SimulatedSender()
            sender.order = order
            sender.fps = 40
            sender.jitter = 0.005
            var random = SeededGenerator(state: 8)
            var repair = TimestampRepair(rate: 90_000, nominalStep: Int(90_000 / nominal))
            var times: [TimestampRepair.Time] = []
            for frame in sender.frames(400, &random) {
                times.append(repair.next(frame.stamp, arrival: frame.arrival, isReordered: true))
            }
            // Once it has settled every step is that of the sender, but for the 2 % by which the timeline is moved.
            let steps = zip(times, times.dropFirst()).map { $1.dts - $0.dts }.suffix(240)
            #expect(steps.allSatisfy { abs($0 - 2250) <= 46 }, "\(order): \(steps.filter { abs($0 - 2250) > 46 })")
            #expect(times.allSatisfy { $0.pts >= $0.dts } && repair.repairedCount == 0)
        }
    }

    @Test("a skewed sender's steps are changed by 2 % at most", arguments: [-500.0, -100, 100, 500])
    func skewedSteps(skew: Double) {
        for fps in [1.0, 5, 15, 25, 30, 60] {
            var random = SeededGenerator(state: 5)
            var sender = SimulatedSender()
            sender.fps = fps
            sender.skew = skew
            sender.jitter = 0.03
            let frames = sender.frames(Int(fps * 1800), &random)
            var repair = TimestampRepair(rate: sender.rate, nominalStep: Int(90_000 / fps))
            var last: Int64?
            var worst = 0.0
            var farthest: Int64 = 0
            for frame in frames {
                let time = repair.next(frame.stamp, arrival: frame.arrival)
                if let last { worst = max(worst, abs(Double(time.dts - last) / Double(frame.senderStep) - 1)) }
                farthest = max(farthest, abs(time.dts - frame.arrival))
                last = time.dts
            }
            #expect(worst <= 0.021, "\(fps) frames a second: \(worst)")
            // The dead zone, the jitter, and what smoothing lags behind.
            #expect(farthest < 90_000 / 5, "\(fps) frames a second: \(farthest)")
            #expect(repair.repairedCount == 0)
        }
    }

    @Test("30 days of a skewed sender stay within half a second, across more than 50 wraps", arguments: [-500.0, 0, 500])
    func thirtyDays(skew: Double) {
        var repair = TimestampRepair(rate: 90_000, nominalStep: 90_000)
        var random = SeededGenerator(state: 30)
        var last: Int64 = -1
        var farthest: Int64 = 0
        for second in 0..<(30 * 86_400) {
            let clock = UInt64((Double(second) * 90_000 * (1 + skew / 1e6)).rounded())
            let arrival = Int64(second) * 90_000 + Int64.random(in: 0...4_500, using: &random)
            let time = repair.next(.wrapping((clock &+ 0xF000_0000) & 0xFFFF_FFFF, bits: 32), arrival: arrival)
            if time.dts <= last { farthest = .max }
            farthest = max(farthest, abs(time.dts - arrival))
            last = time.dts
        }
        #expect(farthest < 18_000, "farthest \(farthest) ticks from its arrival")
        #expect(repair.repairedCount == 0)
    }

    @Test("after a burst the timeline comes back to the arrivals by itself")
    func recoveryFromBurst() {
        var repair = TimestampRepair(rate: 90_000, nominalStep: 6_000)
        var distances: [Int64] = []
        for frame in 0..<1200 {
            let captured = Int64(frame) * 6_000
            // Frames of seconds 10 to 15 arrive at once.
            let arrival = (900_000..<1_350_000).contains(captured) ? 1_350_000 : captured
            let time = repair.next(.wrapping(UInt64(captured), bits: 32), arrival: arrival)
            distances.append(time.dts - arrival)
        }
        #expect(distances.suffix(60).allSatisfy { abs($0) <= 8_000 }, "\(distances.suffix(3))")
    }

    @Test("a clock that jumps costs one repair and keeps the frame step")
    func jump() {
        for jump: Int64 in [3_600 * 90_000, -3_600 * 90_000, 1 << 31, -(1 << 31), 1 << 30] {
            var repair = TimestampRepair(rate: 90_000, nominalStep: 3_600)
            var last: Int64?
            for frame in 0..<200 {
                let clock = Int64(frame) * 3_600 + (frame >= 100 ? jump : 0)
                let time = repair.next(.wrapping(UInt64(bitPattern: clock) & 0xFFFF_FFFF, bits: 32), arrival: Int64(frame) * 3_600)
                if let last { #expect(time.dts - last == 3_600, "jump \(jump), frame \(frame)") }
                last = time.dts
            }
            #expect(repair.repairedCount == 1)
        }
    }

    @Test("a camera without stamps gets times from its arrivals")
    func noStamps() {
        var repair = TimestampRepair(rate: 90_000, nominalStep: 6_000)
        var random = SeededGenerator(state: 3)
        var last: Int64 = -1
        for frame in 0..<2000 {
            let arrival = Int64(frame) * 3_000 + Int64.random(in: 0...2_000, using: &random)
            let time = repair.next(.missing, arrival: arrival)
            #expect(time.dts > last && time.dts == time.pts && time.isRepaired)
            #expect(abs(time.dts - arrival) <= 36_001)
            last = time.dts
        }
    }

    @Test("the first time is the arrival of the first frame, whatever its stamp")
    func first() {
        for stamp in [TimestampRepair.Stamp.missing, .wrapping(12_345, bits: 32), .wrapping(.max, bits: 62)] {
            var repair = TimestampRepair(rate: 90_000, nominalStep: 6_000)
            let time = repair.next(stamp, arrival: 777)
            #expect(time.dts == 777 && time.pts == 777 && time.isRepaired == (stamp == .missing))
        }
    }

    @Test("sound follows its reference, within the promise about its arrival", arguments: [-0.3, -0.1, 0, 0.1, 0.3, 2])
    func reference(offset: Double) {
        let rate = 8_000
        var repair = TimestampRepair(rate: rate, nominalStep: 160)
        var last = (time: Int64(-1), reference: Int64(0), arrival: Int64(0))
        for frame in 0..<6000 {
            let clock = Int64(frame) * 160
            let reference = clock + Int64(offset * Double(rate))
            let time = repair.next(.wrapping(UInt64(clock), bits: 32), arrival: clock, reference: reference)
            #expect(time.dts > last.time && abs(time.dts - clock) <= Int64(rate) / 2)
            last = (time.dts, reference, clock)
        }
        let reached = max(-0.4, min(0.4, offset))
        #expect(abs(Double(last.time - last.arrival) / Double(rate) - reached) < 0.08, "\(last)")
    }
}

@Suite("Wall anchor")
struct WallAnchorTests {
    @Test("the first look only sets the anchor, and clocks that go alike never step")
    func steady() {
        var anchor = WallAnchor()
        #expect(anchor.hasStepped(monotonic: 1, wall: 1_700_000_000_000_000) == false)
        for second in Int64(1)..<100_000 {
            #expect(
                anchor.hasStepped(monotonic: 1 + second * 1_000_000, wall: 1_700_000_000_000_000 + second * 1_000_000 + (second % 3) * 50_000)
                    == false)
        }
    }

    @Test("a step is told once, forward and backward", arguments: [300_000, -300_000, 10_800_000_000, -10_800_000_000, 315_360_000_000_000])
    func step(size: Int64) {
        var anchor = WallAnchor()
        let wall: Int64 = 1_700_000_000_000_000
        _ = anchor.hasStepped(monotonic: 0, wall: wall)
        #expect(anchor.hasStepped(monotonic: 1_000_000, wall: wall + 1_000_000 + size) == true)
        #expect(anchor.hasStepped(monotonic: 2_000_000, wall: wall + 2_000_000 + size) == false)
        #expect(anchor.hasStepped(monotonic: 3_000_000, wall: wall + 3_000_000) == true)
    }

    @Test("small steps that add up are noticed")
    func creeping() {
        var anchor = WallAnchor()
        var steps = 0
        for number in Int64(0)..<100 where anchor.hasStepped(monotonic: number, wall: number + number * 50_000) { steps += 1 }
        #expect(steps == 33)
    }

    @Test("the ends of the number range do not trap")
    func extremes() {
        var anchor = WallAnchor()
        for wall in [Int64.min, .max, 0, .min, .max] {
            for monotonic in [Int64.max, .min, 0] { _ = anchor.hasStepped(monotonic: monotonic, wall: wall) }
        }
        #expect(anchor.hasStepped(monotonic: 0, wall: 1_700_000_000_000_000) == true)
    }
}
