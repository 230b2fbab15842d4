/// Holds datagrams that came too early until those before them come, are given up after a time, or too many wait.
/// A value; the clock is passed in (microseconds).
package struct ReorderBuffer {
    /// A datagram that waits; `arrival` in microseconds.
    package struct Held: Equatable {
        package var sequence: UInt16
        package var arrival: Int64
        package var bytes: [UInt8]

        /// Owns a copy of the bytes.
        package init(sequence: UInt16, arrival: Int64, bytes: [UInt8]) {
            self.sequence = sequence
            self.arrival = arrival
            self.bytes = bytes
        }
    }

    /// Nothing waits.
    package init() {}

    /// Datagrams that may wait.
    package static let maximumHeld = 128
    /// Microseconds one may wait.
    package static let maximumWait: Int64 = 150_000

    /// In the order of their sequence numbers.
    private var held: [Held] = []

    package var isEmpty: Bool { held.isEmpty }
    package var count: Int { held.count }

    /// Keeps a datagram that lies ahead of `next`; false when it is there already.
    package mutating func insert(_ datagram: Held, next: UInt16) -> Bool {
        let distance = datagram.sequence &- next
        let index = held.firstIndex { $0.sequence &- next >= distance } ?? held.count
        if index < held.count, held[index].sequence == datagram.sequence { return false }
        held.insert(datagram, at: index)
        return true
    }

    /// The datagram to deliver now: the one with the number `next`, or the earliest when the gap before it is given up.
    package mutating func pop(next: UInt16, now: Int64) -> Held? {
        guard let first = held.first else { return nil }
        guard first.sequence == next || held.count > Self.maximumHeld || isOverdue(now) else { return nil }
        return held.removeFirst()
    }

    /// The earliest, whatever is missing before it.
    package mutating func popAny() -> Held? { held.isEmpty ? nil : held.removeFirst() }

    /// Forgets what waits.
    package mutating func removeAll() { held.removeAll() }

    private func isOverdue(_ now: Int64) -> Bool {
        held.contains { now - $0.arrival > Self.maximumWait }
    }
}
