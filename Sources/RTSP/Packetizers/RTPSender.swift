package import NIOCore

/// One source of RTP as one client sees it (RFC 3550 section 5.1): its SSRC, its sequence numbers, its timestamps, and what has been
/// sent. A value confined to one session.
package struct RTPSender: Sendable {
    package static let headerLength = 12

    package let ssrc: UInt32
    /// Ticks a second.
    package let rate: Int
    /// Of the next packet.
    package private(set) var sequence: UInt16
    private let offset: UInt32
    /// Microseconds that the client's timeline is ahead of the wall clock, which was set back meanwhile.
    private var shift: Int64 = 0
    package private(set) var packets: UInt32 = 0
    /// Bytes of payload.
    package private(set) var octets: UInt32 = 0

    /// Begins anywhere (RFC 3550 section 5.1 wants the numbers to be unpredictable).
    package init(rate: Int) {
        self.init(rate: rate, ssrc: .random(in: 1 ... .max), sequence: .random(in: 0...0x7fff), offset: .random(in: 0 ... .max))
    }

    /// Begins with these numbers.
    package init(rate: Int, ssrc: UInt32, sequence: UInt16, offset: UInt32) {
        self.rate = rate
        self.ssrc = ssrc
        self.sequence = sequence
        self.offset = offset
    }

    /// The timestamp of a moment, microseconds UTC.
    package func timestamp(wall: Int64) -> UInt32 { RTPClock.ticks(wall: wall &+ shift, rate: rate) &+ offset }

    /// Moves the timeline, so that it goes on where the wall clock was set back.
    package mutating func advance(byMicroseconds microseconds: Int64) { shift &+= microseconds }

    /// Fills the headers of a batch in; the buffer becomes the caller's own copy.
    package mutating func stamp(_ batch: ByteBuffer, channel: UInt8) -> ByteBuffer {
        var copy = batch
        let first = sequence
        let move = offset &+ UInt32(truncatingIfNeeded: shiftTicks)
        var sent: UInt16 = 0
        var payload: UInt32 = 0
        copy.withUnsafeMutableReadableBytes { bytes in
            var at = 0
            while at + 4 + Self.headerLength <= bytes.count {
                let length = Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
                guard length >= Self.headerLength, at + 4 + length <= bytes.count else { break }
                bytes[at + 1] = channel
                bytes.storeBytes(of: (first &+ sent).bigEndian, toByteOffset: at + 6, as: UInt16.self)
                let time = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: at + 8, as: UInt32.self)) &+ move
                bytes.storeBytes(of: time.bigEndian, toByteOffset: at + 8, as: UInt32.self)
                bytes.storeBytes(of: ssrc.bigEndian, toByteOffset: at + 12, as: UInt32.self)
                sent &+= 1
                payload &+= UInt32(length - Self.headerLength)
                at += 4 + length
            }
        }
        sequence = first &+ sent
        packets &+= UInt32(sent)
        octets &+= payload
        return copy
    }

    private var shiftTicks: Int64 { shift.multipliedReportingOverflow(by: Int64(rate)).partialValue / 1_000_000 }

    /// Calls `body` with each packet of a batch, without what interleaves it.
    package static func forEachPacket(_ batch: ByteBuffer, _ body: (ByteBuffer) -> Void) {
        var at = batch.readerIndex
        while let length = batch.getInteger(at: at + 2, as: UInt16.self), let packet = batch.getSlice(at: at + 4, length: Int(length)) {
            body(packet)
            at += 4 + Int(length)
        }
    }

    // MARK: Reports

    /// A sender report about a moment (RFC 3550 section 6.4.1) with the CNAME.
    package func report(wall: Int64, cname: String) -> [UInt8] {
        RTCP.senderReport(
            from: ssrc, cname: cname, ntp: RTPClock.ntp(wall: wall), rtpTimestamp: timestamp(wall: wall), packets: packets, octets: octets)
    }
}
