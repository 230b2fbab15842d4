import NIOCore

/// H.264 (RFC 6184, packetization mode 1) and H.265 (RFC 7798).
struct NALPacketizer {
    let isH265: Bool
    let payloadType: UInt8

    private static let largest = RTPBatchWriter.largestPayload

    /// `unit`: NAL units each behind a 4-byte big-endian length. The marker stands on the last packet.
    func packets(of unit: UnsafeRawBufferPointer, _ parameterSets: [[UInt8]], _ timestamp: UInt32) -> ByteBuffer? {
        let nals = nals(in: unit)
        guard !nals.isEmpty else { return nil }
        var out = RTPBatchWriter(
            capacity: unit.count + parameterSets.reduce(0) { $0 + $1.count + 4 }, payloadType: payloadType)
        writeParameterSets(parameterSets.filter { $0.count > headerLength }, timestamp, &out)
        for (index, nal) in nals.enumerated() { write(nal, timestamp, isLast: index == nals.count - 1, &out) }
        return out.buffer
    }

    private var headerLength: Int { isH265 ? 2 : 1 }

    /// Units that a payload can carry: types that RTP uses for itself are left out.
    private func nals(in unit: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
        var found: [UnsafeRawBufferPointer] = []
        var at = 0
        while at + 4 <= unit.count {
            let length = Int(UInt32(bigEndian: unit.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
            guard length <= unit.count - at - 4 else { break }
            let nal = UnsafeRawBufferPointer(rebasing: unit[at + 4..<at + 4 + length])
            if nal.count > headerLength, isH265 ? (nal[0] >> 1) & 0x3f < 48 : (1...23).contains(nal[0] & 0x1f) { found.append(nal) }
            at += 4 + length
        }
        return found
    }

    /// All in one packet (STAP-A, section 5.7.1; AP, section 4.4.2) when they fit.
    private func writeParameterSets(_ sets: [[UInt8]], _ timestamp: UInt32, _ out: inout RTPBatchWriter) {
        let size = sets.reduce(headerLength) { $0 + 2 + $1.count }
        guard sets.count > 1, size <= Self.largest else {
            for set in sets { set.withUnsafeBytes { write($0, timestamp, isLast: false, &out) } }
            return
        }
        out.begin(timestamp: timestamp, marker: false)
        if isH265 {
            out.write(UInt8(48 << 1))
            out.write(UInt8(1))
        } else {
            out.write((sets.map { $0[0] & 0x60 }.max() ?? 0x60) | 24)
        }
        for set in sets {
            out.write(UInt16(set.count))
            out.write(set)
        }
        out.end()
    }

    private func write(_ nal: UnsafeRawBufferPointer, _ timestamp: UInt32, isLast: Bool, _ out: inout RTPBatchWriter) {
        guard nal.count > Self.largest else {
            out.begin(timestamp: timestamp, marker: isLast)
            out.write(nal)
            out.end()
            return
        }
        // FU-A (RFC 6184 section 5.8), FU (RFC 7798 section 4.4.3).
        let type = isH265 ? (nal[0] >> 1) & 0x3f : nal[0] & 0x1f
        let most = Self.largest - headerLength - 1
        for at in stride(from: headerLength, to: nal.count, by: most) {
            let end = min(at + most, nal.count)
            out.begin(timestamp: timestamp, marker: isLast && end == nal.count)
            if isH265 {
                out.write(nal[0] & 0x81 | 49 << 1)
                out.write(nal[1])
            } else {
                out.write(nal[0] & 0xe0 | 28)
            }
            out.write(type | (at == headerLength ? 0x80 : 0) | (end == nal.count ? 0x40 : 0))
            out.write(UnsafeRawBufferPointer(rebasing: nal[at..<end]))
            out.end()
        }
    }
}
