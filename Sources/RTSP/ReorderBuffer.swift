/// Holds datagrams that came too early until those before them come, are given up after a time, or too many wait.
/// A value; the clock is passed in (microseconds).
struct ReorderBuffer {
    struct Held: Equatable {
        var sequence: UInt16
        var arrival: Int64
        var bytes: [UInt8]
    }

    /// Datagrams that may wait.
    static let maximumHeld = 128
    /// Microseconds one may wait.
    static let maximumWait: Int64 = 150_000

    /// In the order of their sequence numbers.
    private var held: [Held] = []

    var isEmpty: Bool { held.isEmpty }
    var count: Int { held.count }

    /// Keeps a datagram that lies ahead of `next`; false when it is there already.
    mutating func insert(_ datagram: Held, next: UInt16) -> Bool {
        let distance = datagram.sequence &- next
        let index = held.firstIndex { $0.sequence &- next >= distance } ?? held.count
        if index < held.count, held[index].sequence == datagram.sequence { return false }
        held.insert(datagram, at: index)
        return true
    }

    /// The datagram to deliver now: the one with the number `next`, or the earliest when the gap before it is given up.
    mutating func pop(next: UInt16, now: Int64) -> Held? {
        guard let first = held.first else { return nil }
        guard first.sequence == next || held.count > Self.maximumHeld || isOverdue(now) else { return nil }
        return held.removeFirst()
    }

    /// The earliest, whatever is missing before it.
    mutating func popAny() -> Held? { held.isEmpty ? nil : held.removeFirst() }

    mutating func removeAll() { held.removeAll() }

    private func isOverdue(_ now: Int64) -> Bool {
        held.contains { now - $0.arrival > Self.maximumWait }
    }
}
