package import NIOCore

/// Writes the RTP packets of one access unit one behind another into one buffer, each behind the four bytes that carry it on RTSP's
/// own connection (RFC 2326 section 10.12). Sequence numbers count from 0; channel, SSRC and the origins of sequence numbers and
/// timestamps are filled in for each client by its `RTPSender`, so that the packets are made once for all of them.
package struct RTPBatchWriter {
    /// Bytes of a packet with its RTP header: below what any usual network carries in one piece.
    package static let largestPacket = 1400
    /// Bytes of a payload.
    package static let largestPayload = largestPacket - RTPSender.headerLength

    package private(set) var buffer: ByteBuffer
    private let payloadType: UInt8
    private var start = 0
    private var count: UInt16 = 0

    /// `capacity`: bytes of media, about.
    package init(capacity: Int, payloadType: UInt8) {
        let packets = capacity / Self.largestPayload + 4
        buffer = ByteBufferAllocator().buffer(capacity: capacity + packets * 24)
        self.payloadType = payloadType & 0x7f
    }

    /// Begins a packet.
    package mutating func begin(timestamp: UInt32, marker: Bool) {
        start = buffer.writerIndex
        buffer.writeMultipleIntegers(
            UInt8(ascii: "$"), 0 as UInt8, 0 as UInt16, 0x80 as UInt8, payloadType | (marker ? 0x80 : 0), count, timestamp, 0 as UInt32)
        count &+= 1
    }

    package mutating func write(_ byte: UInt8) { buffer.writeInteger(byte) }
    package mutating func write(_ number: UInt16) { buffer.writeInteger(number) }
    package mutating func write(_ bytes: UnsafeRawBufferPointer) { buffer.writeBytes(bytes) }
    package mutating func write(_ bytes: [UInt8]) { buffer.writeBytes(bytes) }

    /// Ends the packet.
    package mutating func end() {
        buffer.setInteger(UInt16(clamping: buffer.writerIndex - start - 4), at: start + 2)
    }
}

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

extension RTCP {
    /// A compound packet: a sender report without blocks about others, and our CNAME.
    package static func senderReport(
        from ssrc: UInt32, cname: String, ntp: UInt64, rtpTimestamp: UInt32, packets: UInt32, octets: UInt32
    ) -> [UInt8] {
        [0x80, 200, 0, 6] + bytes(ssrc) + bytes(UInt32(truncatingIfNeeded: ntp >> 32)) + bytes(UInt32(truncatingIfNeeded: ntp))
            + bytes(rtpTimestamp) + bytes(packets) + bytes(octets) + description(of: ssrc, cname: cname)
    }

    /// A compound packet that says that a source has ended (RFC 3550 section 6.6): an empty report, the CNAME, and the farewell.
    package static func bye(from ssrc: UInt32, cname: String) -> [UInt8] {
        [0x80, 201, 0, 1] + bytes(ssrc) + description(of: ssrc, cname: cname) + [0x81, 203, 0, 1] + bytes(ssrc)
    }

    private static func bytes(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - $0 * 8)) } }

    /// SDES with one chunk: SSRC, CNAME item, at least one zero, padded to a multiple of four.
    private static func description(of ssrc: UInt32, cname: String) -> [UInt8] {
        let name = Array(cname.utf8.prefix(255))
        var chunk: [UInt8] = [1, UInt8(name.count)] + name + [0]
        while chunk.count % 4 != 0 { chunk.append(0) }
        return [0x81, 202, 0, UInt8((4 + chunk.count) / 4)] + bytes(ssrc) + chunk
    }
}
