import ISOBMFF
import Libav
import NVRBase
import RTSP

/// Turns the packets of one opened input into published ones: the video and, when wanted, one audio stream. Confined to the thread
/// that reads the input.
final class LibavFeed {
    /// The streams that are read.
    struct Choice {
        var video: InputStream
        var audio: InputStream?

        /// Nil without video that can be recorded.
        init?(_ streams: [InputStream], wantAudio: Bool) {
            guard
                let video = streams.first(where: {
                    $0.kind == .video && !$0.isAttachedPicture && [.h264, .h265, .mjpeg].contains($0.codec)
                })
            else { return nil }
            self.video = video
            audio = wantAudio ? streams.first { $0.kind == .audio && [.aac, .opus, .pcmMulaw, .pcmAlaw].contains($0.codec) } : nil
        }

        /// AAC that is described by the headers of its frames alone, as in a transport stream.
        var hasHeaders: Bool { audio.map { $0.codec == .aac && $0.extradata.count < 2 } ?? false }
    }

    private let choice: Choice
    private let audio: StreamDescription.AudioTrack?
    private let isTimed: Bool
    private let hub: StreamHub
    private let clock: any NVRClock
    private var assembler: PacketAssembler
    private var normalizer: NALUnitNormalizer?
    private var pictureEntry: VideoSampleEntry?

    /// `header`: of the first audio frame, when the choice has such. `isTimed`: the video's timestamps are the camera's own.
    init(_ choice: Choice, header: ADTSHeader?, isTimed: Bool, hub: StreamHub, clock: any NVRClock) {
        self.choice = choice
        self.isTimed = isTimed
        self.hub = hub
        self.clock = clock
        audio = choice.audio.flatMap { Self.track($0, header) }
        assembler = PacketAssembler(audio: audio, framerate: isTimed ? choice.video.frameRate?.positiveValue : nil)
        switch choice.video.codec {
        case .h264: normalizer = NALUnitNormalizer(codec: .h264, extradata: choice.video.extradata)
        case .h265: normalizer = NALUnitNormalizer(codec: .h265, extradata: choice.video.extradata)
        default: normalizer = nil
        }
    }

    private static func track(_ stream: InputStream, _ header: ADTSHeader?) -> StreamDescription.AudioTrack? {
        let codec: StreamDescription.AudioTrack.Codec
        switch stream.codec {
        case .aac where stream.extradata.count >= 2: codec = .aac(audioSpecificConfig: stream.extradata)
        case .aac:
            guard let header else { return nil }
            return .init(codec: .aac(audioSpecificConfig: header.audioSpecificConfig), timescale: header.sampleRate, channels: header.channels)
        case .opus: codec = .opus
        case .pcmMulaw: codec = .pcmu
        case .pcmAlaw: codec = .pcma
        default: return nil
        }
        return .init(codec: codec, timescale: max(1, stream.sampleRate), channels: max(1, stream.channels))
    }

    /// Publishes a packet that arrived at `arrival`, monotonic microseconds.
    func take(_ packet: Packet, arrival: Int64) {
        if packet.streamIndex == choice.video.index {
            video(packet, arrival)
        } else if packet.streamIndex == choice.audio?.index {
            sound(packet, arrival)
        }
    }

    private func video(_ packet: Packet, _ arrival: Int64) {
        let stamp = isTimed ? Self.stamp(packet.pts, of: choice.video, rate: StreamDescription.videoTimescale) : .missing
        let wall = clock.wall() &- (clock.monotonic() &- arrival)
        if normalizer != nil {
            guard let normalized = packet.withBytes({ normalizer?.normalize($0) }), normalized.bytes.count > 0 else { return }
            let reordered = packet.pts != nil && packet.dts != nil && packet.pts != packet.dts
            assembler.video(
                .init(
                    bytes: normalized.bytes, stamp: stamp, arrival: arrival, isKeyframe: normalized.isKeyframe, isDamaged: packet.isCorrupt,
                    isReordered: reordered),
                entry: normalizer?.entry, wall: wall, emit: publish)
        } else {
            // A picture that broke off with its connection shows nothing its neighbours do not.
            if packet.isCorrupt { return }
            if let size = packet.withBytes(pictureSize(ofJPEG:)) { pictureEntry = .mjpeg(width: size.width, height: size.height) }
            assembler.video(
                .init(
                    bytes: packet.withBytes { MediaBytes(copying: $0) }, stamp: stamp, arrival: arrival, isKeyframe: true,
                    isDamaged: false, isReordered: false),
                entry: pictureEntry, wall: wall, emit: publish)
        }
    }

    private func sound(_ packet: Packet, _ arrival: Int64) {
        guard let audio, let stream = choice.audio else { return }
        var stamp = Self.stamp(packet.pts, of: stream, rate: audio.timescale)
        packet.withBytes { bytes in
            for frame in choice.hasHeaders ? ADTSHeader.frames(in: bytes) : [bytes] {
                assembler.audio(MediaBytes(copying: frame), stamp: stamp, arrival: arrival, referenceArrival: nil, emit: publish)
                stamp = .missing
            }
        }
    }

    private static func stamp(_ time: Int64?, of stream: InputStream, rate: Int) -> TimestampRepair.Stamp {
        time.flatMap { stream.timeBase.rescale($0, to: Rational(1, Int32(clamping: max(1, rate)))) }
            .map { .wrapping(UInt64(bitPattern: $0) & (1 << 62 - 1), bits: 62) } ?? .missing
    }

    private func publish(_ output: PacketAssembler.Output) {
        switch output {
        case .description(let description): hub.publish(description)
        case .packet(let packet): hub.publish(packet)
        }
    }
}

/// What a live source sent while its streams were still being looked for: libav hands it out at once, and only the last packet
/// arrived when it was read. The others arrived before it by what their timestamps say.
struct LibavBacklog {
    /// Packets that may have been held back.
    private static let most = 1024
    /// A read that takes longer than this, microseconds, waited for the network.
    private static let waited: Int64 = 3_000

    private(set) var packets: [(packet: Packet, arrival: Int64)] = []
    /// Of the first audio frame, when the choice has such.
    private(set) var header: ADTSHeader?
    /// The source ended meanwhile.
    private(set) var hasEnded = false

    /// Reads until the source has to be waited for, and, when the choice needs it, until the first audio frame. `begun`: when the
    /// source was asked for its first byte, monotonic microseconds.
    init(_ opened: LibavInput.Opened, _ choice: LibavFeed.Choice, begun: Int64, clock: any NVRClock) throws(LibavError) {
        var read: [Packet] = []
        var edge = begun
        while read.count < Self.most {
            let before = clock.monotonic()
            guard let packet = try opened.context.readPacket() else {
                hasEnded = true
                break
            }
            edge = clock.monotonic()
            read.append(packet)
            if header == nil, choice.hasHeaders, packet.streamIndex == choice.audio?.index { header = packet.withBytes { ADTSHeader($0) } }
            let isAtEdge = opened.isAhead || edge - before > Self.waited
            if isAtEdge, !choice.hasHeaders || header != nil { break }
        }
        func time(_ packet: Packet) -> Int64? {
            let stream = packet.streamIndex == choice.video.index ? choice.video : choice.audio
            return packet.dts.flatMap { stream?.timeBase.microseconds($0) }
        }
        let newest = read.lazy.compactMap { time($0) }.max()
        var last = begun
        for packet in read {
            let before = newest.flatMap { newest in time(packet).map { newest - $0 } } ?? 0
            last = min(max(last, edge - max(0, before)), edge)
            packets.append((packet, last))
        }
    }
}
