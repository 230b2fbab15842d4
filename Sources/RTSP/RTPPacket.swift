/// One RTP packet (RFC 3550 section 5.1), borrowed from the receive buffer.
package struct RTPPacket {
    package var payloadType: UInt8
    package var marker: Bool
    package var sequence: UInt16
    package var timestamp: UInt32
    package var ssrc: UInt32
    package var payload: ByteView

    /// Parses a packet, stepping over CSRCs, header extension and padding; nil when it makes no sense.
    @inline(__always)
    package init?(_ bytes: ByteView) {
        guard bytes.count >= 12 else { return nil }
        let first = bytes[0]
        guard first & 0xc0 == 0x80 else { return nil }
        var start = 12 + Int(first & 0x0f) * 4
        var end = bytes.count
        if first & 0x10 != 0 {
            guard start + 4 <= end else { return nil }
            start += 4 + Int(bytes.bigEndian16(at: start + 2)) * 4
        }
        guard start <= end else { return nil }
        if first & 0x20 != 0 {
            let padding = Int(bytes[end - 1])
            guard padding > 0, padding <= end - start else { return nil }
            end -= padding
        }
        let second = bytes[1]
        payloadType = second & 0x7f
        marker = second & 0x80 != 0
        sequence = bytes.bigEndian16(at: 2)
        timestamp = bytes.bigEndian32(at: 4)
        ssrc = bytes.bigEndian32(at: 8)
        payload = bytes.prefix(end).dropFirst(start)
    }
}

/// Sequence numbers, loss and jitter of one RTP source (RFC 3550 appendix A.1, A.3, A.8). A value; the clock is passed in.
package struct RTPReception {
    /// What to do with a packet.
    package enum Verdict: Equatable {
        /// Take it; that many packets before it were lost.
        case take(lost: Int)
        /// It came twice or too late.
        case drop
        /// The source began anew: forget what is in progress, then take it.
        case restart
    }

    package private(set) var isStarted = false
    private var expected: UInt16 = 0
    private var baseSequence: UInt16 = 0
    private var cycles: UInt32 = 0
    private var receivedCount = 0
    private var priorExpected = 0
    private var priorReceived = 0
    private var transit: UInt32 = 0
    private var jitterTimes16: UInt32 = 0
    private var restartCandidate: UInt16?

    /// A source of which nothing has come.
    package init() {}

    /// Packets further ahead than this are a restart, not a loss.
    package static let maximumDropout = 3000
    /// Packets less far behind than this are late ones, not a restart.
    package static let maximumMisorder = 100

    /// Judges a packet that is next in delivery order. On an ordered transport every jump is a restart; on an unordered
    /// one it takes two packets in sequence, so that a straggler cannot upset the source.
    @inline(__always)
    package mutating func judge(_ sequence: UInt16, ordered: Bool) -> Verdict {
        if sequence == expected, isStarted {
            if sequence == 0 { cycles &+= 1 << 16 }
            expected = sequence &+ 1
            receivedCount &+= 1
            return .take(lost: 0)
        }
        return judgeOddity(sequence, ordered: ordered)
    }

    @inline(never)
    private mutating func judgeOddity(_ sequence: UInt16, ordered: Bool) -> Verdict {
        guard isStarted else {
            start(sequence)
            return .take(lost: 0)
        }
        let ahead = Int(sequence &- expected)
        if ahead < Self.maximumDropout {
            if sequence < expected &- 1 { cycles &+= 1 << 16 }
            expected = sequence &+ 1
            receivedCount &+= 1
            restartCandidate = nil
            return .take(lost: ahead)
        }
        if ahead > 65536 - Self.maximumMisorder {
            return .drop
        }
        if ordered || restartCandidate == sequence {
            start(sequence)
            return .restart
        }
        restartCandidate = sequence &+ 1
        return .drop
    }

    /// Begins at `sequence` with nothing counted.
    package mutating func start(_ sequence: UInt16) {
        self = RTPReception()
        isStarted = true
        baseSequence = sequence
        expected = sequence &+ 1
        receivedCount = 1
    }

    /// The sequence number that comes next.
    package var nextSequence: UInt16 { expected }

    /// Interarrival jitter; `arrival` in units of the RTP timestamp.
    @inline(__always)
    package mutating func measure(arrival: UInt32, timestamp: UInt32) {
        let now = arrival &- timestamp
        if transit != 0 {
            let difference = Int32(bitPattern: now &- transit).magnitude
            jitterTimes16 = jitterTimes16 &+ difference &- ((jitterTimes16 &+ 8) >> 4)
        }
        transit = now
    }

    /// What a receiver report says of this source (RFC 3550 section 6.4.1).
    package struct Report: Equatable {
        package var fractionLost: UInt8
        package var cumulativeLost: Int32
        package var highestSequence: UInt32
        package var jitter: UInt32

        /// The fields as RFC 3550 section 6.4.1 has them.
        package init(fractionLost: UInt8, cumulativeLost: Int32, highestSequence: UInt32, jitter: UInt32) {
            self.fractionLost = fractionLost
            self.cumulativeLost = cumulativeLost
            self.highestSequence = highestSequence
            self.jitter = jitter
        }
    }

    /// The report since the last one.
    package mutating func report() -> Report {
        let highest = expected &- 1
        // The cycle was counted when the number 0 came, so the highest number and the cycles belong together.
        let extended = cycles &+ UInt32(highest)
        let expectedCount = Int(extended) - Int(baseSequence) + 1
        let lost = expectedCount - receivedCount
        let expectedInterval = expectedCount - priorExpected
        let receivedInterval = receivedCount - priorReceived
        priorExpected = expectedCount
        priorReceived = receivedCount
        let lostInterval = expectedInterval - receivedInterval
        let fraction = expectedInterval <= 0 || lostInterval <= 0 ? 0 : min(255, (lostInterval << 8) / expectedInterval)
        return Report(
            fractionLost: UInt8(fraction), cumulativeLost: Int32(max(-0x80_0000, min(0x7f_ffff, lost))), highestSequence: extended,
            jitter: jitterTimes16 >> 4)
    }
}
