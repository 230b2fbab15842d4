/// The depacketizer of one track: a closed set, so that a packet costs no dynamic dispatch through a protocol.
/// Confined to the session's event loop.
package enum Depacketizer {
    case nal(NALDepacketizer)
    case jpeg(JPEGDepacketizer)
    case aac(AACDepacketizer)
    case latm(LATMDepacketizer)
    /// One packet is one unit: G.711 (RFC 3551) and Opus (RFC 7587).
    case whole(WholePacketDepacketizer)

    /// Takes the next packet, before which `lost` are missing; appends the units that are complete with it.
    @inline(__always)
    package func receive(_ packet: RTPPacket, lost: Int, arrival: Int64, into output: inout [AccessUnit]) {
        switch self {
        case .nal(let one): one.receive(packet, lost: lost, arrival: arrival, into: &output)
        case .jpeg(let one): one.receive(packet, lost: lost, arrival: arrival, into: &output)
        case .aac(let one): one.receive(packet, lost: lost, arrival: arrival, into: &output)
        case .latm(let one): one.receive(packet, lost: lost, arrival: arrival, into: &output)
        case .whole(let one): one.receive(packet, lost: lost, arrival: arrival, into: &output)
        }
    }

    /// Forgets what is in progress; the source began anew.
    package func reset() {
        switch self {
        case .nal(let one): one.reset()
        case .jpeg(let one): one.reset()
        case .aac(let one): one.reset()
        case .latm(let one): one.reset()
        case .whole: break
        }
    }

    /// Delivers what is in progress and complete as far as can be known; the source has ended.
    package func flush(into output: inout [AccessUnit]) {
        if case .nal(let one) = self { one.flush(into: &output) }
    }

    /// Pieces of payload that made no sense.
    package var malformed: Int {
        switch self {
        case .nal(let one): one.malformed
        case .jpeg(let one): one.malformed
        case .aac(let one): one.malformed
        case .latm(let one): one.malformed
        case .whole: 0
        }
    }

    /// The depacketizer for a track of a description.
    package init(_ format: SDPFormat, track: Int, unitLimit: Int) {
        switch format.codec {
        case .h264:
            self = .nal(
                NALDepacketizer(
                    syntax: .h264, track: track, parameterSets: format.parameterSets, hasDecodingOrder: false, unitLimit: unitLimit))
        case .h265:
            self = .nal(
                NALDepacketizer(
                    syntax: .h265, track: track, parameterSets: format.parameterSets, hasDecodingOrder: format.hasDecodingOrder,
                    unitLimit: unitLimit))
        case .mjpeg:
            self = .jpeg(JPEGDepacketizer(track: track, size: format.pictureSize, unitLimit: unitLimit))
        case .aac:
            switch format.aacPacking {
            case .latm(let subframes):
                self = .latm(
                    LATMDepacketizer(track: track, subframes: subframes, samplesPerFrame: format.samplesPerFrame, unitLimit: min(unitLimit, 1 << 20)))
            case .generic(let fields):
                self = .aac(
                    AACDepacketizer(track: track, fields: fields, samplesPerFrame: format.samplesPerFrame, unitLimit: min(unitLimit, 1 << 20)))
            }
        case .pcmu, .pcma, .opus:
            self = .whole(WholePacketDepacketizer(track: track))
        }
    }
}

/// Every packet is one access unit.
package final class WholePacketDepacketizer {
    private let track: Int
    private var writer = ChunkWriter(preferredCapacity: 16 << 10, unitLimit: 65536)
    private var lost = 0

    init(track: Int) {
        self.track = track
    }

    func receive(_ packet: RTPPacket, lost newlyLost: Int, arrival: Int64, into output: inout [AccessUnit]) {
        lost &+= newlyLost
        guard packet.payload.count > 0, writer.append(packet.payload), let bytes = writer.publish() else { return }
        output.append(
            AccessUnit(track: track, bytes: bytes, rtpTimestamp: packet.timestamp, arrival: arrival, isKeyframe: true, lostPackets: lost))
        lost = 0
    }
}
