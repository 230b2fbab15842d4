package import NIOCore

/// Makes RTP packets of access units: the other half of `Depacketizer`. A value without state, so that any thread may use it.
package struct Packetizer: Sendable {
    package let codec: RTSPCodec
    package let payloadType: UInt8
    package let channels: Int

    /// Packets of the payload type that the description of the track names.
    package init(_ format: SDPFormat) {
        codec = format.codec
        payloadType = format.payloadType
        channels = max(1, format.channels)
    }

    /// The packets of one unit in the form of `AccessUnit.bytes`; nil when RTP cannot carry it. `parameterSets`: NAL units that go in
    /// front of this one.
    package func packets(of unit: UnsafeRawBufferPointer, parameterSets: [[UInt8]] = [], timestamp: UInt32) -> ByteBuffer? {
        switch codec {
        case .h264, .h265:
            return NALPacketizer(isH265: codec == .h265, payloadType: payloadType).packets(of: unit, parameterSets, timestamp)
        case .mjpeg: return JPEGPacketizer(payloadType: payloadType).packets(of: unit, timestamp)
        case .aac: return aac(unit, timestamp)
        case .pcmu, .pcma: return companded(unit, timestamp)
        case .opus:
            // RFC 7587: one packet of Opus is one of RTP.
            guard unit.count > 0, unit.count <= 60_000 else { return nil }
            var out = RTPBatchWriter(capacity: unit.count, payloadType: payloadType)
            out.begin(timestamp: timestamp, marker: false)
            out.write(unit)
            out.end()
            return out.buffer
        }
    }

    /// RFC 3640, mode AAC-hbr: one unit a packet, or a unit over several; every one names the size of the whole.
    private func aac(_ unit: UnsafeRawBufferPointer, _ timestamp: UInt32) -> ByteBuffer? {
        guard unit.count > 0, unit.count < 1 << 13 else { return nil }
        var out = RTPBatchWriter(capacity: unit.count, payloadType: payloadType)
        let most = RTPBatchWriter.largestPayload - 4
        for at in stride(from: 0, to: unit.count, by: most) {
            let end = min(at + most, unit.count)
            out.begin(timestamp: timestamp, marker: end == unit.count)
            out.write(16 as UInt16)
            out.write(UInt16(unit.count) << 3)
            out.write(UnsafeRawBufferPointer(rebasing: unit[at..<end]))
            out.end()
        }
        return out.buffer
    }

    /// RFC 3551 section 4.5.14: one byte a sample and channel.
    private func companded(_ unit: UnsafeRawBufferPointer, _ timestamp: UInt32) -> ByteBuffer? {
        guard unit.count > 0 else { return nil }
        var out = RTPBatchWriter(capacity: unit.count, payloadType: payloadType)
        let most = RTPBatchWriter.largestPayload / channels * channels
        for at in stride(from: 0, to: unit.count, by: most) {
            out.begin(timestamp: timestamp &+ UInt32(truncatingIfNeeded: at / channels), marker: false)
            out.write(UnsafeRawBufferPointer(rebasing: unit[at..<min(at + most, unit.count)]))
            out.end()
        }
        return out.buffer
    }
}
