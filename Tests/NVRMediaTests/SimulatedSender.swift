// What belongs here: a camera's clock, a network and everything that goes wrong with them, for the tests of timestamp repair.
import NVRMedia

/// One frame as the repair sees it.
struct SimulatedFrame {
    var stamp: TimestampRepair.Stamp
    /// Ticks since the first arrival.
    var arrival: Int64
    /// Ticks the sender's clock says have passed since the frame before in decoding order.
    var senderStep: Int64
    /// When the camera saw it, ticks since the first arrival: where it should be shown if nothing took time on the way.
    var seen: Int64 = 0
    /// Something was wrong with it, or with its way.
    var isDisturbed = false
}

/// A camera that sends `count` frames. Everything follows from the seed.
struct SimulatedSender {
    struct Disturbances: OptionSet {
        let rawValue: Int
        static let resets = Self(rawValue: 1)
        static let jumps = Self(rawValue: 2)
        static let bursts = Self(rawValue: 4)
        static let gaps = Self(rawValue: 8)
        static let missing = Self(rawValue: 16)
        static let repeated = Self(rawValue: 32)
        static let wrongRate = Self(rawValue: 64)
        static let everything = Self(rawValue: 127)
    }

    var rate = 90_000
    var fps = 15.0
    /// Parts per million by which the sender's clock is fast.
    var skew = 0.0
    var bits = 32
    /// Stamp of the first frame.
    var base: UInt64 = 0
    /// Seconds of random delay at most.
    var jitter = 0.02
    /// Places by which each frame of a group is shown later than it is sent; one group follows the other.
    var order: [Int] = []
    var isReordered: Bool { !order.isEmpty }
    /// Seconds after which nothing is disturbed any more.
    var calmAfter = Double.infinity
    var disturbances: Disturbances = []
    /// Chance of a disturbance at a frame.
    var chance = 0.02

    /// Groups of pictures as encoders send them: one or two B-frames, pyramids of three and seven, and P-frames alone.
    static let orders = [[1, -1], [2, -1, -1], [3, 0, -2, -1], [7, 2, -1, -3, -2, 0, -2, -1], [0]]

    static func random(_ random: inout SeededGenerator) -> SimulatedSender {
        var sender = SimulatedSender()
        sender.rate = [90_000, 90_000, 90_000, 48_000, 16_000, 8_000].randomElement(using: &random) ?? 90_000
        sender.fps = random.chance(0.5) ? Double(Int.random(in: 1...60, using: &random)) : Double.random(in: 1...60, using: &random)
        sender.skew = random.chance(0.15) ? Double.random(in: -20_000...20_000, using: &random) : Double.random(in: -500...500, using: &random)
        sender.bits = [32, 32, 33, 62].randomElement(using: &random) ?? 32
        let mask = (UInt64(1) << UInt64(sender.bits)) - 1
        // Half of the senders wrap within the first seconds.
        sender.base =
            random.chance(0.5) ? mask &- UInt64.random(in: 0...UInt64(sender.rate * 10), using: &random) : random.next() & mask
        sender.jitter = [0, 0.01, 0.04, 0.12, 0.4].randomElement(using: &random) ?? 0
        if random.chance(0.3) { sender.order = orders.randomElement(using: &random) ?? [] }
        for kind in 0..<7 where random.chance(0.4) { sender.disturbances.insert(.init(rawValue: 1 << kind)) }
        sender.chance = [0.003, 0.02, 0.1].randomElement(using: &random) ?? 0.02
        return sender
    }

    func frames(_ count: Int, _ random: inout SeededGenerator) -> [SimulatedFrame] {
        let mask = (UInt64(1) << UInt64(bits)) - 1
        var frames: [SimulatedFrame] = []
        frames.reserveCapacity(count)
        var captured = 0.0
        // The sender's clock in ticks, and its own idea of how fast it runs.
        var clock = 0.0
        var factor = 1 + skew / 1e6
        var factorLeft = 0
        var missingLeft = 0
        var repeatedLeft = 0
        var repeated: UInt64 = 0
        var heldUntil = -1.0
        var lastArrival: Int64 = 0
        var zero: Double?
        var lastSenderTicks: Int64 = 0
        let latest = order.max() ?? 0
        for index in 0..<count {
            captured += 1 / fps
            clock += factor * Double(rate) / fps
            if factorLeft > 0 {
                factorLeft -= 1
                if factorLeft == 0 { factor = 1 + skew / 1e6 }
            }
            var isDisturbed = factorLeft > 0 || missingLeft > 0 || repeatedLeft > 0 || heldUntil > captured
            if !disturbances.isEmpty, captured < calmAfter, random.chance(chance) {
                isDisturbed = true
                let kinds = (0..<7).map { Disturbances(rawValue: 1 << $0) }.filter { disturbances.contains($0) }
                switch kinds.randomElement(using: &random) {
                case .some(.resets): clock = Double(random.next() & (mask >> 12))
                case .some(.jumps): clock += Double.random(in: -14_400...14_400, using: &random) * Double(rate)
                case .some(.bursts): heldUntil = captured + Double.random(in: 0.1...5, using: &random)
                case .some(.gaps):
                    let gap = Double.random(in: 0.1...9, using: &random)
                    captured += gap
                    clock += gap * factor * Double(rate)
                case .some(.missing): missingLeft = Int.random(in: 1...60, using: &random)
                case .some(.repeated): repeatedLeft = Int.random(in: 1...60, using: &random)
                case .some(.wrongRate):
                    factor = [0.1, 0.5, 0.9, 1.1, 2, 4].randomElement(using: &random) ?? 1
                    factorLeft = Int.random(in: 1...200, using: &random)
                default: break
                }
            }
            let reorder = index == 0 || order.isEmpty ? 0 : order[(index - 1) % order.count]
            let shown = clock + Double(reorder) * Double(rate) / fps * factor
            let ticks = Int64(max(-4e15, min(4e15, shown.rounded())))
            let value = (base &+ UInt64(bitPattern: ticks)) & mask
            var stamp = TimestampRepair.Stamp.wrapping(value, bits: bits)
            if repeatedLeft > 0 {
                if repeated == 0 { repeated = value | 1 }
                stamp = .wrapping(repeated & mask, bits: bits)
                repeatedLeft -= 1
                if repeatedLeft == 0 { repeated = 0 }
            }
            if missingLeft > 0 {
                stamp = .missing
                missingLeft -= 1
            }
            var seconds = captured + Double.random(in: 0...1, using: &random) * jitter
            seconds = max(seconds, heldUntil)
            let first = zero ?? seconds
            zero = first
            lastArrival = max(lastArrival, Int64((seconds - first) * Double(rate)))
            if heldUntil > captured { isDisturbed = true }
            frames.append(
                SimulatedFrame(
                    stamp: stamp, arrival: lastArrival, senderStep: ticks - lastSenderTicks,
                    seen: Int64((captured + Double(reorder - latest) / fps - first) * Double(rate)), isDisturbed: isDisturbed))
            lastSenderTicks = ticks
        }
        return frames
    }
}
