package import NVRModel

/// How old footage is. Time that nobody saw pass, because the clock was set ahead or the server was off for days, does not make footage
/// older: a clock that is wrong by years must not cost an archive. Pure.
package struct RetentionClock: Sendable, Hashable {
    /// The clock went from one time to the other at once.
    package struct Jump: Sendable, Hashable {
        package var from: WallTime
        package var to: WallTime

        package init(from: WallTime, to: WallTime) {
            self.from = from
            self.to = to
        }
    }

    package static let day: Int64 = 86_400_000_000
    /// 2010-01-01: what claims to be older was made by a clock that nobody had set.
    package static let earliest = WallTime(microseconds: 1_262_304_000_000_000)
    /// A shorter absence counts as time that passed.
    package static let longestAbsence = day
    private static let mostJumps = 16

    /// When the clock was looked at last; monotonic time is of this process only.
    package private(set) var seen: WallTime?
    private var seenMonotonic: Int64?
    /// Oldest first.
    package private(set) var jumps: [Jump] = []

    package init(seen: WallTime? = nil, jumps: [Jump] = []) {
        self.seen = seen
        self.jumps = Array(jumps.filter { $0.to > $0.from }.sorted { $0.to < $1.to }.suffix(Self.mostJumps))
    }

    /// Notes the time now; gives the jump when the clock has made one. `monotonic`: microseconds.
    @discardableResult
    package mutating func look(_ now: WallTime, monotonic: Int64) -> Jump? {
        // A clock that is not set says nothing, and is no beginning of anything.
        guard now >= Self.earliest else { return nil }
        defer {
            seen = now
            seenMonotonic = monotonic
        }
        // The future of a clock that was set back has not happened.
        jumps.removeAll { $0.to.microseconds(since: now) > Self.longestAbsence }
        guard let seen, now > seen else { return nil }
        let passed = seenMonotonic.map { max(0, monotonic - $0) } ?? 0
        let before = seen.advanced(byMicroseconds: passed)
        guard now.microseconds(since: before) > Self.longestAbsence else { return nil }
        let jump = Jump(from: before, to: now)
        jumps.append(jump)
        if jumps.count > Self.mostJumps { jumps.removeFirst() }
        return jump
    }

    /// Somebody says that the clock is right and was all the time.
    package mutating func trust() { jumps = [] }

    /// When a time would have been if the clock had not jumped since; nil for what the clock cannot have said rightly.
    package func effective(_ time: WallTime, now: WallTime) -> WallTime? {
        guard time >= Self.earliest, time.microseconds <= now.advanced(byMicroseconds: Self.longestAbsence).microseconds else { return nil }
        var moved = time
        for jump in jumps {
            if moved <= jump.from {
                moved = moved.advanced(byMicroseconds: jump.to.microseconds(since: jump.from))
            } else if moved < jump.to {
                moved = jump.to
            }
        }
        return min(moved, max(now, time))
    }
}
