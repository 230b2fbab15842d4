import NVRDetection
import NVRMedia

/// How long a scene has been the same, calm or in motion, and so how closely it has to be looked at. Pure: times come with
/// the readings, microseconds.
struct Calmness {
    /// Time without anything that might become motion, after which a scene counts as calm: longer than detectors learn.
    static let calmAfter: Int64 = 10_000_000
    /// Time of motion in every picture within an event, after which it counts as steady: the best picture is likely had.
    static let steadyAfter: Int64 = 3_000_000
    /// Samples of 57,600: half of the least thing that is ever taken for motion.
    static let calmPixels = 86

    /// Events with a shorter gap end before frames that are held back would show that they go on.
    private let mayBeSteady: Bool
    private var calmSince: Int64?
    private var steadySince: Int64?
    private(set) var attention = DecodeThrift.Attention.full

    /// `motionGap`: time without motion that ends an event.
    init(motionGap: Duration) { mayBeSteady = motionGap >= .seconds(6) }

    mutating func reset() {
        calmSince = nil
        steadySince = nil
        attention = .full
    }

    /// Takes a reading that counts.
    mutating func saw(_ reading: MotionReading, isInEvent: Bool, at time: Int64) {
        let isCalm = !isInEvent && Self.isCalm(reading)
        calmSince = isCalm ? Self.earlier(calmSince, time) : nil
        steadySince = isInEvent && reading.isMotion ? Self.earlier(steadySince, time) : nil
        if let calmSince, time - calmSince >= Self.calmAfter {
            attention = .calm
        } else if mayBeSteady, let steadySince, time - steadySince >= Self.steadyAfter {
            attention = .steady
        } else {
            attention = .full
        }
    }

    /// Whether a reading is what the present attention expects.
    func expects(_ reading: MotionReading) -> Bool {
        switch attention {
        case .full: false
        case .calm: Self.isCalm(reading)
        case .steady: reading.isMotion && !reading.isGlobalChange
        }
    }

    private static func isCalm(_ reading: MotionReading) -> Bool {
        !reading.isMotion && !reading.isGlobalChange && reading.changedPixels < calmPixels
    }

    /// A clock that was set back begins anew.
    private static func earlier(_ since: Int64?, _ time: Int64) -> Int64 {
        guard let since, since <= time else { return time }
        return since
    }
}
