/// Tells from the bytes of a camera that reach the disk whether it is being recorded. Pure: the clock is passed in, in monotonic
/// microseconds.
package struct RecordingWatch: Sendable, Equatable {
    package enum News: Sendable, Equatable {
        /// No bytes for so many microseconds although there should be.
        case stalled(silence: Int64)
        case recovered
    }

    /// Without new bytes for so long, something is wrong.
    package static let patience: Int64 = 30_000_000
    /// New bytes for so long make it right again; twice as long after each fall within `memory`, up to `longestRecovery`, so that a
    /// camera that comes and goes does not tell of itself all the time.
    package static let recovery: Int64 = 10_000_000
    package static let longestRecovery: Int64 = 300_000_000
    package static let memory: Int64 = 900_000_000
    /// Silence that interrupts a recovery.
    private static let pause: Int64 = 6_000_000

    package private(set) var isStalled: Bool
    private var bytes: Int64?
    private var expectedSince: Int64?
    private var lastGrowth: Int64?
    /// Since when bytes come without a pause.
    private var growsSince: Int64?
    private var recoveredAt: Int64?
    private var falls = 0

    /// `isStalled`: whether it was when the program ended.
    package init(isStalled: Bool = false) { self.isStalled = isStalled }

    /// `expected`: whether footage should be written now. `bytes`: all that have reached the disk; may begin anew.
    package mutating func observe(expected: Bool, bytes: Int64, now: Int64) -> News? {
        let grew = self.bytes.map { bytes > $0 } ?? false
        self.bytes = bytes
        guard expected else {
            expectedSince = nil
            growsSince = nil
            falls = 0
            return end()
        }
        let since = expectedSince ?? now
        expectedSince = since
        if grew {
            lastGrowth = now
            growsSince = growsSince ?? now
        }
        let silence = now - max(lastGrowth ?? since, since)
        if silence > Self.pause { growsSince = nil }
        if isStalled {
            guard let growsSince, now - growsSince >= needed else { return nil }
            recoveredAt = now
            return end()
        }
        guard silence >= Self.patience else { return nil }
        isStalled = true
        if let recoveredAt, now - recoveredAt < Self.memory { falls = min(falls + 1, 8) } else { falls = 0 }
        return .stalled(silence: silence)
    }

    private var needed: Int64 { min(Self.longestRecovery, Self.recovery << Int64(falls)) }

    private mutating func end() -> News? {
        guard isStalled else { return nil }
        isStalled = false
        return .recovered
    }
}
