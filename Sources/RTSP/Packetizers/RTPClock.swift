/// Moments of the wall clock as RTP timestamps: the same line for every client, to which each adds an offset of its own.
package enum RTPClock {
    /// `wall`: microseconds UTC since 1970; `rate`: ticks a second.
    package static func ticks(wall: Int64, rate: Int) -> UInt32 {
        let rate = Int64(max(1, min(rate, 1 << 24)))
        let (seconds, micros) = wall.quotientAndRemainder(dividingBy: 1_000_000)
        return UInt32(truncatingIfNeeded: seconds &* rate &+ micros * rate / 1_000_000)
    }

    /// The same moment as NTP has it: seconds since 1900 and their fraction, 32 bits each (RFC 3550 section 4).
    package static func ntp(wall: Int64) -> UInt64 {
        let (seconds, micros) = wall.quotientAndRemainder(dividingBy: 1_000_000)
        return UInt64(truncatingIfNeeded: seconds &+ 2_208_988_800) << 32 | UInt64(max(0, micros)) * (1 << 32) / 1_000_000
    }
}
