/// When to try again what the disk or the database refused: soon at first, then with growing patience. Pure: time is passed in.
package struct RetryPace: Sendable, Equatable {
    /// Microseconds between two tries.
    package static let shortest: Int64 = 500_000
    package static let longest: Int64 = 4_000_000

    private var wait = Self.shortest
    private var due: Int64?

    package init() {}

    /// `now`: monotonic microseconds.
    package func isDue(now: Int64) -> Bool { due.map { now >= $0 } ?? true }

    /// Gives the microseconds until the next try.
    package mutating func failed(now: Int64) -> Int64 {
        defer { wait = min(wait * 2, Self.longest) }
        due = now + wait
        return wait
    }

    package mutating func worked() { self = RetryPace() }
}
