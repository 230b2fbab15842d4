package import NIOCore
package import NVRModel
package import ISOBMFF
import RTSP

/// A frame in the form in which viewers get it, made once and shared by all of them.
package struct LiveFrame: Sendable {
    package var kind: MediaPacket.Kind
    package var isKeyframe: Bool
    /// Of the packet in its hub.
    package var sequence: UInt64
    /// The whole message.
    package var bytes: ByteBuffer
    /// When it is to be shown.
    package var wall: WallTime

    package init(
        kind: MediaPacket.Kind, isKeyframe: Bool, sequence: UInt64, bytes: ByteBuffer, wall: WallTime = WallTime(microseconds: 0)
    ) {
        self.kind = kind
        self.isKeyframe = isKeyframe
        self.sequence = sequence
        self.bytes = bytes
        self.wall = wall
    }

    package var byteCount: Int { bytes.readableBytes }
}

/// The form in which frames go out.
package enum LiveFormat: String, Sendable, Hashable, CaseIterable {
    /// A header of ten bytes and the frame as decoders take it; video as Annex B.
    case frames
    /// Fragmented MP4, one frame a fragment, for Media Source Extensions.
    case fragments
    /// RTP packets for RTSP clients, as `Packetizer` makes them; parameter sets in front of keyframes.
    case rtp
}

/// Ten bytes in front of every message of the form `frames`: u8 kind, u8 key flag, f64 presentation time in seconds, little-endian.
package enum LiveHeader {
    package static let length = 10

    package enum Kind: UInt8, Sendable {
        case video = 0
        case audio = 1
        case json = 2
    }

    package static func write(_ kind: Kind, isKeyframe: Bool, seconds: Double, into buffer: inout ByteBuffer) {
        buffer.writeInteger(kind.rawValue)
        buffer.writeInteger(isKeyframe ? 1 as UInt8 : 0)
        buffer.writeInteger(seconds.bitPattern, endianness: .little)
    }
}

/// Makes live frames of one stream's packets. Pure.
package struct LiveEncoder: Sendable {
    package let format: LiveFormat
    package let description: StreamDescription
    /// Start codes and parameter sets that go in front of keyframes.
    private let parameterSets: [UInt8]
    private let fragments: LiveFragments
    private let rtp: LiveRTP

    /// `epoch`: wall time of second 0 of fragments.
    package init(format: LiveFormat, description: StreamDescription, epoch: WallTime) {
        self.format = format
        self.description = description
        parameterSets = AnnexB.parameterSets(of: description.video)
        fragments = LiveFragments(description: description, epoch: epoch)
        rtp = LiveRTP(description)
    }

    /// Nil for a frame that the format cannot carry. `videoStep`: ticks from one picture to the next, about.
    package func frame(_ packet: MediaPacket, videoStep: Int64) -> LiveFrame? {
        let bytes: ByteBuffer?
        switch format {
        case .frames: bytes = plain(packet)
        case .fragments: bytes = fragments.fragment(packet, videoStep: videoStep)
        case .rtp: bytes = rtp.packets(packet)
        }
        return bytes.map {
            LiveFrame(
                kind: packet.kind, isKeyframe: packet.isKeyframe && packet.kind == .video, sequence: packet.sequence, bytes: $0,
                wall: rtp.wall(packet))
        }
    }

    private func plain(_ packet: MediaPacket) -> ByteBuffer {
        let timescale = packet.kind == .video ? StreamDescription.videoTimescale : description.audio?.timescale ?? 1
        let isKey = packet.isKeyframe && packet.kind == .video
        let sets = isKey ? parameterSets.count : 0
        var buffer = ByteBufferAllocator().buffer(capacity: LiveHeader.length + sets + packet.byteCount)
        LiveHeader.write(
            packet.kind == .video ? .video : .audio, isKeyframe: packet.kind == .audio || isKey, seconds: Double(packet.pts) / Double(timescale),
            into: &buffer)
        if isKey { buffer.writeBytes(parameterSets) }
        packet.withUnsafeBytes { bytes in
            let start = buffer.writerIndex
            buffer.writeBytes(bytes)
            if packet.kind == .video, !parameterSets.isEmpty { AnnexB.replaceLengths(in: &buffer, from: start) }
        }
        return buffer
    }
}

/// NAL units behind start codes (ITU-T H.264 and H.265, Annex B). Pure.
package enum AnnexB {
    static let startCode: UInt32 = 1

    /// Empty for codecs without parameter sets.
    package static func parameterSets(of entry: VideoSampleEntry) -> [UInt8] {
        let units: [[UInt8]] =
            switch entry {
            case .avc(let sps, let pps): sps + pps
            case .hevc(let vps, let sps, let pps): vps + sps + pps
            case .mjpeg: []
            }
        return units.flatMap { [0, 0, 0, 1] + $0 }
    }

    /// Turns the 4-byte lengths in front of NAL units into start codes of the same size. A length that reaches beyond the end ends it.
    package static func replaceLengths(in buffer: inout ByteBuffer, from start: Int) {
        var at = start
        while let length = buffer.getInteger(at: at, as: UInt32.self) {
            buffer.setInteger(startCode, at: at)
            let next = at + 4 + Int(length)
            guard next <= buffer.writerIndex else { return }
            at = next
        }
    }
}
