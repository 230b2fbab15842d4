package import NVRModel

/// How many bytes retention may delete without somebody's word: what was recorded since it last deleted, and a share of everything a
/// day. Normal operation, which deletes about what it records, never meets it; a wrong rule or clock does. Pure.
package struct RetentionBudget: Sendable, Hashable {
    /// Bytes taken from the share, at a time; they come back within a day.
    package private(set) var spent: Int64
    package private(set) var at: WallTime?

    package init(spent: Int64 = 0, at: WallTime? = nil) {
        self.spent = max(0, spent)
        self.at = at
    }

    private static func capacity(_ archive: Int64, _ share: Double) -> Int64 { Int64(Double(max(0, archive)) * min(1, max(0, share))) }

    /// What of the share is still spent. A clock that was set back gives nothing back.
    private func rest(_ capacity: Int64, at now: WallTime) -> Int64 {
        guard let at, spent > 0 else { return spent }
        // Whatever the clock says, no more comes back than was spent.
        let passed = Double(max(0, now.microseconds(since: at))) / Double(RetentionClock.day)
        return Int64(max(0, Double(spent) - Double(capacity) * passed))
    }

    /// Bytes that may be deleted now. `archive`: bytes of everything there is; `recorded`: since something was deleted last.
    package func allowance(archive: Int64, share: Double, recorded: Int64, now: WallTime) -> Int64 {
        let capacity = Self.capacity(archive, share)
        return max(0, recorded) + max(0, capacity - rest(capacity, at: now))
    }

    /// Whether nothing of the share is spent: then one file may go in any case, or nothing ever would where files are large.
    package func isWhole(archive: Int64, share: Double, now: WallTime) -> Bool { rest(Self.capacity(archive, share), at: now) == 0 }

    /// So many bytes were deleted: first against what was recorded, then against the share. What was recorded beyond pays back.
    package mutating func note(deleted: Int64, archive: Int64, share: Double, recorded: Int64, now: WallTime) {
        spent = max(0, rest(Self.capacity(archive, share), at: now) + deleted - max(0, recorded))
        at = now
    }

    /// Somebody gave his word.
    package mutating func forgive() { spent = 0 }
}
