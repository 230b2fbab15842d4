import CFFmpeg

/// A fraction, as libav writes time bases (seconds per tick) and frame rates.
package struct Rational: Hashable, Sendable {
    package var numerator: Int32
    package var denominator: Int32

    package init(_ numerator: Int32, _ denominator: Int32) {
        self.numerator = numerator
        self.denominator = denominator
    }

    init(_ value: AVRational) {
        self.init(value.num, value.den)
    }

    var value: AVRational { AVRational(num: numerator, den: denominator) }

    /// nil when the denominator is 0 or the value is not positive: "unknown" in libav.
    package var positiveValue: Double? {
        guard numerator > 0, denominator > 0 else { return nil }
        return Double(numerator) / Double(denominator)
    }

    /// `ticks` of this time base in microseconds, rounded to the nearest, saturated; nil when this is no time base.
    package func microseconds(_ ticks: Int64) -> Int64? {
        rescale(ticks, to: Rational(1, 1_000_000))
    }

    /// `ticks` of this time base in ticks of `other`, rounded to the nearest, saturated; nil when either is no time base.
    package func rescale(_ ticks: Int64, to other: Rational) -> Int64? {
        guard numerator > 0, denominator > 0, other.numerator > 0, other.denominator > 0 else { return nil }
        return av_rescale_q_rnd(ticks, value, other.value, AVRounding(AV_ROUND_NEAR_INF.rawValue | AV_ROUND_PASS_MINMAX.rawValue))
    }
}

/// libav's AV_NOPTS_VALUE.
let noTimestamp = Int64.min

/// A libav time stamp, nil where libav says "none".
func timestamp(_ value: Int64) -> Int64? {
    value == noTimestamp ? nil : value
}
