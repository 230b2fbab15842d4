import ISOBMFF
import NIOCore
import NVRModel
package import RTSP

/// A live stream as RTP, and how a session description tells of it. All runs of a stream lie on the wall clock, so that a client goes
/// on when the camera comes back. Pure.
package struct LiveRTP: Sendable {
    /// Of the dynamic range (RFC 3551 section 6).
    private static let videoType: UInt8 = 96
    private static let audioType: UInt8 = 97

    private let description: StreamDescription
    private let video: Packetizer
    private let audio: Packetizer?
    private let parameterSets: [[UInt8]]

    package init(_ description: StreamDescription) {
        self.description = description
        let tracks = Self.tracks(of: description)
        video = Packetizer(tracks[0])
        audio = tracks.count > 1 ? Packetizer(tracks[1]) : nil
        parameterSets = tracks[0].parameterSets.vps + tracks[0].parameterSets.sps + tracks[0].parameterSets.pps
    }

    // MARK: Describing

    /// Video is track 0, sound is track 1.
    package static func tracks(of description: StreamDescription) -> [SDPFormat] {
        [video(description)] + (description.audio.map { [audio($0)] } ?? [])
    }

    private static func video(_ description: StreamDescription) -> SDPFormat {
        let rate = StreamDescription.videoTimescale
        switch description.video {
        case .avc(let sps, let pps):
            var format = SDPFormat(codec: .h264, payloadType: videoType, clockRate: rate)
            format.parameterSets = ParameterSets(sps: sps, pps: pps)
            return format
        case .hevc(let vps, let sps, let pps):
            var format = SDPFormat(codec: .h265, payloadType: videoType, clockRate: rate)
            format.parameterSets = ParameterSets(vps: vps, sps: sps, pps: pps)
            return format
        case .mjpeg:
            // The static type (RFC 3551), which is all that some clients know.
            var format = SDPFormat(codec: .mjpeg, payloadType: 26, clockRate: rate)
            format.pictureSize = (description.width, description.height)
            return format
        }
    }

    private static func audio(_ track: StreamDescription.AudioTrack) -> SDPFormat {
        func format(_ codec: RTSPCodec, _ type: UInt8) -> SDPFormat {
            SDPFormat(codec: codec, payloadType: type, clockRate: track.timescale, channels: max(1, track.channels))
        }
        let isTelephone = track.timescale == 8000 && track.channels == 1
        switch track.codec {
        case .aac(let configuration):
            var format = format(.aac, audioType)
            format.audioSpecificConfig = configuration
            if let parsed = RTSP.AudioSpecificConfig(configuration) { format.samplesPerFrame = parsed.ticksPerFrame(clockRate: track.timescale) }
            return format
        case .opus: return format(.opus, audioType)
        case .pcmu: return format(.pcmu, isTelephone ? 0 : audioType)
        case .pcma: return format(.pcma, isTelephone ? 8 : audioType)
        }
    }

    // MARK: Packets

    func packets(_ packet: MediaPacket) -> ByteBuffer? {
        guard let packetizer = packet.kind == .video ? video : audio else { return nil }
        let time = timestamp(packet)
        let sets = packet.kind == .video && packet.isKeyframe ? parameterSets : []
        return packet.withUnsafeBytes { packetizer.packets(of: $0, parameterSets: sets, timestamp: time) }
    }

    private func timescale(_ packet: MediaPacket) -> Int {
        packet.kind == .video ? StreamDescription.videoTimescale : description.audio?.timescale ?? 1
    }

    /// The steps of the track's own clock, from where the run begins.
    private func timestamp(_ packet: MediaPacket) -> UInt32 {
        RTPClock.ticks(wall: description.origin.microseconds, rate: timescale(packet)) &+ UInt32(truncatingIfNeeded: packet.pts)
    }

    func wall(_ packet: MediaPacket) -> WallTime {
        let (seconds, rest) = packet.pts.quotientAndRemainder(dividingBy: Int64(timescale(packet)))
        return description.origin.advanced(byMicroseconds: seconds &* 1_000_000 &+ rest * 1_000_000 / Int64(timescale(packet)))
    }
}
