/// When a failed request is tried again. Pure: randomness is passed in.
package struct S3Retry: Sendable, Hashable {
    /// Tries in all.
    package var tries: Int
    /// The wait after the first failure, and the longest, seconds.
    package var first: Double
    package var longest: Double

    package init(tries: Int, first: Double = 0.5, longest: Double = 8) {
        self.tries = tries
        self.first = first
        self.longest = longest
    }

    /// Leaves it to the caller.
    package static let never = S3Retry(tries: 1)

    /// Seconds until the next try; nil to give up.
    ///
    /// - Parameters:
    ///   - failures: how many tries failed so far, the newest by `error`.
    ///   - jitter: a uniform random number in 0…1.
    package func wait(after error: S3Error, failures: Int, jitter: Double) -> Double? {
        guard error.isTransient, failures < tries else { return nil }
        let base = min(longest, first * Double(1 << min(max(failures - 1, 0), 20)))
        return base * (0.5 + 0.5 * jitter)
    }
}
