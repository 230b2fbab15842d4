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
