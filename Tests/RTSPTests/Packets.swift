import RTSP

/// Hand-made packets for the tests.
enum Packets {
    static func rtp(
        _ payload: [UInt8], sequence: UInt16, timestamp: UInt32, marker: Bool = false, type: UInt8 = 96, ssrc: UInt32 = 0x1122_3344
    ) -> [UInt8] {
        [0x80, (marker ? 0x80 : 0) | type, UInt8(sequence >> 8), UInt8(sequence & 0xff)] + be32(timestamp) + be32(ssrc) + payload
    }

    static func be32(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - $0 * 8)) } }
    static func be16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xff), UInt8(value & 0xff)] }

    static func interleaved(_ channel: UInt8, _ bytes: [UInt8]) -> [UInt8] { [0x24, channel] + be16(bytes.count) + bytes }

    /// A slice of H.264: header, first_mb_in_slice, slice_type 5 or 7 or 6, and filling.
    static func slice(idr: Bool = false, first: Bool = true, isB: Bool = false, length: Int = 20) -> [UInt8] {
        // ue(0)=1; ue(1)=010; slice types: 7 (I) = 0001000, 5 (P) = 00110, 6 (B) = 00111.
        let bits = (first ? "1" : "010") + (idr ? "0001000" : isB ? "00111" : "00110") + "1111111111"
        var bytes: [UInt8] = [idr ? 0x65 : 0x41]
        var index = bits.startIndex
        while let end = bits.index(index, offsetBy: 8, limitedBy: bits.endIndex) {
            bytes.append(UInt8(bits[index..<end], radix: 2)!)
            index = end
        }
        while bytes.count < length { bytes.append(0xa0 | UInt8(bytes.count & 15)) }
        return bytes
    }

    static let sps: [UInt8] = [0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x47, 0xfe, 0xc8]
    static let pps: [UInt8] = [0x68, 0xce, 0x3c, 0x80]

    static func sized(_ nals: [[UInt8]]) -> [UInt8] { nals.flatMap { be32(UInt32($0.count)) + $0 } }

    /// FU-A packets of a NAL unit.
    static func fuA(_ nal: [UInt8], pieces: Int) -> [[UInt8]] {
        let body = Array(nal.dropFirst())
        let size = (body.count + pieces - 1) / pieces
        return (0..<pieces).map { index in
            let part = body.dropFirst(index * size).prefix(size)
            let flags: UInt8 = (index == 0 ? 0x80 : 0) | (index == pieces - 1 ? 0x40 : 0)
            return [nal[0] & 0xe0 | 28, flags | nal[0] & 0x1f] + part
        }
    }
}

extension MediaBytes {
    var array: [UInt8] { withUnsafeBytes { Array($0) } }
}

/// Runs packets through a depacketizer.
final class Depacketizing {
    let depacketizer: Depacketizer
    private(set) var units: [AccessUnit] = []
    private var sequence: UInt16 = 0

    init(_ format: SDPFormat, unitLimit: Int = 1 << 20) {
        depacketizer = Depacketizer(format, track: 0, unitLimit: unitLimit)
    }

    init(h264 sets: ParameterSets = ParameterSets(), trusted: Bool = false, unitLimit: Int = 1 << 20) {
        var format = SDPFormat(codec: .h264, payloadType: 96, clockRate: 90000)
        format.parameterSets = sets
        depacketizer = Depacketizer(format, track: 0, unitLimit: unitLimit)
        if trusted {
            // Markers are believed after some have proved right.
            for index in 0...NALDepacketizer.trustAfter {
                send(Packets.slice(), UInt32(truncatingIfNeeded: -10 + index) &* 6000, marker: true)
            }
            units.removeAll()
        }
    }

    /// Sends one payload and gives the units that are complete with it.
    @discardableResult
    func send(_ payload: [UInt8], _ timestamp: UInt32, marker: Bool = false, lost: Int = 0) -> [AccessUnit] {
        sequence &+= 1 &+ UInt16(lost)
        let bytes = Packets.rtp(payload, sequence: sequence, timestamp: timestamp, marker: marker)
        var output: [AccessUnit] = []
        bytes.withUnsafeBytes { buffer in
            if let packet = RTPPacket(ByteView(buffer)) {
                depacketizer.receive(packet, lost: lost, arrival: Int64(sequence), into: &output)
            }
        }
        units += output
        return output
    }

    @discardableResult
    func flush() -> [AccessUnit] {
        var output: [AccessUnit] = []
        depacketizer.flush(into: &output)
        units += output
        return output
    }
}
