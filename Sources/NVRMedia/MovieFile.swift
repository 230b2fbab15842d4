#if canImport(Glibc)
    import Glibc
#endif
import ISOBMFF
import Libav
package import NVRModel
import RTSP

/// A recorded file of another product, read from beginning to end as a run of packets on its own clock: what the recorder would have been
/// given by the camera. Nothing is decoded or encoded.
///
/// The file is hostile: only its own bytes are read, through the demuxer of its container, with bounds on sizes and times. Not Sendable: one
/// thread opens, reads and closes it, and may block in each.
package final class MovieFile {
    /// What to do next, in order.
    package enum Item {
        case description(StreamDescription)
        case packet(MediaPacket)
    }

    /// Why a file cannot be taken, for a person.
    package struct Refusal: Error, Sendable, CustomStringConvertible {
        package var description: String
        /// Set when all that is wrong is the codec of the video.
        package var codec: String?

        package init(description: String, codec: String? = nil) {
            self.description = description
            self.codec = codec
        }
    }

    private let input: InputContext
    private let choice: LibavFeed.Choice
    private let audio: StreamDescription.AudioTrack?
    private var normalizer: NALUnitNormalizer?
    private var run: Int64
    /// Wall time of the first keyframe.
    private var start: WallTime
    private var described: StreamDescription?
    /// The file's own time of the first keyframe, ticks of video.
    private var zero: Int64?
    private var lastVideo: Int64?
    private var lastAudio: Int64?
    private var step: Int64

    /// Bytes of the largest frame that is taken.
    private static let largestFrame = 32 << 20
    /// Ticks from frame to frame: at least a millisecond, so that a second holds a thousand frames at most, and a minute at most.
    private static let steps = Int64(StreamDescription.videoTimescale) / 1000...Int64(StreamDescription.videoTimescale) * 60
    /// Ticks of the longest file.
    private static let longest = Int64(StreamDescription.videoTimescale) * 86_400

    /// Extensions of the files that can be read.
    package static let containers = ["mp4": "mov", "m4v": "mov", "mov": "mov", "mkv": "matroska", "avi": "avi"]

    /// - Parameters:
    ///   - descriptor: the file, open for reading; it stays the caller's and must stay open.
    ///   - fileExtension: one of `containers`.
    ///   - start: wall time of the first keyframe; also names the run.
    /// - Throws: `Refusal`.
    package static func open(
        descriptor: Int32, length: Int64, fileExtension: String, start: WallTime, takesAudio: Bool = true
    ) throws -> MovieFile {
        guard let format = containers[fileExtension.lowercased()] else { throw Refusal(description: "it is no MP4, MKV or AVI file") }
        let input = try input(DescriptorSource(descriptor, length), format: format)
        guard let choice = LibavFeed.Choice(input.streams, wantAudio: takesAudio) else {
            let video = input.streams.first { $0.kind == .video && !$0.isAttachedPicture }
            guard let video else { throw Refusal(description: "it has no video") }
            let codec = "\(video.codec)"
            throw Refusal(description: "its video is \(codec), not H.264, H.265 or MJPEG", codec: codec)
        }
        return MovieFile(input, choice, start)
    }

    private static func input(_ source: DescriptorSource, format: String) throws -> InputContext {
        do {
            return try InputContext(
                url: "recording", first: source, opener: NothingElse(), format: format, interrupt: Interrupt(), timeout: .seconds(60))
        } catch {
            throw Refusal(description: "it cannot be read: \(error.text)")
        }
    }

    private init(_ input: InputContext, _ choice: LibavFeed.Choice, _ start: WallTime) {
        self.input = input
        self.choice = choice
        run = start.microseconds
        self.start = start
        audio = choice.audio.flatMap { Self.track($0) }
        let rate = choice.video.frameRate?.positiveValue ?? 15
        step = min(max(Int64(Double(StreamDescription.videoTimescale) / min(max(rate, 1), 240)), Self.steps.lowerBound), Self.steps.upperBound)
        switch choice.video.codec {
        case .h264: normalizer = NALUnitNormalizer(codec: .h264, extradata: choice.video.extradata)
        case .h265: normalizer = NALUnitNormalizer(codec: .h265, extradata: choice.video.extradata)
        default: normalizer = nil
        }
        input.select(streams: Set([choice.video.index] + (audio == nil ? [] : [choice.audio?.index].compactMap { $0 })))
    }

    private static func track(_ stream: InputStream) -> StreamDescription.AudioTrack? {
        let codec: StreamDescription.AudioTrack.Codec
        switch stream.codec {
        case .aac where stream.extradata.count >= 2: codec = .aac(audioSpecificConfig: stream.extradata)
        case .opus: codec = .opus
        case .pcmMulaw: codec = .pcmu
        case .pcmAlaw: codec = .pcma
        default: return nil
        }
        guard (1...192_000).contains(stream.sampleRate), (1...8).contains(stream.channels) else { return nil }
        return .init(codec: codec, timescale: stream.sampleRate, channels: stream.channels)
    }

    /// Says when the first keyframe was shown, before any packet was read: how long the file is may tell.
    package func setStart(_ start: WallTime) {
        guard described == nil else { return }
        self.start = start
        run = start.microseconds
    }

    /// How long the file says it is, microseconds, a day at most; nil when it does not.
    package var duration: Int64? { input.duration.map { min($0, 86_400_000_000) } }

    /// Whether samples have lengths of four bytes in front of each NAL unit, as footage here has.
    package var hasPlainLengths: Bool {
        switch choice.video.codec {
        case .h264: choice.video.extradata.count > 6 && choice.video.extradata[0] == 1 && choice.video.extradata[4] & 3 == 3
        case .h265: choice.video.extradata.count > 22 && choice.video.extradata[0] == 1 && choice.video.extradata[21] & 3 == 3
        default: true
        }
    }

    /// The next packets; nil at the end of the file. Throws `Refusal`.
    package func next() throws -> [Item]? {
        guard let packet = try read() else { return nil }
        guard packet.count <= Self.largestFrame else { throw Refusal(description: "a frame is larger than \(Self.largestFrame >> 20) MB") }
        guard packet.count > 0 else { return [] }
        if packet.streamIndex == choice.video.index { return try video(packet) }
        return packet.streamIndex == choice.audio?.index ? sound(packet) : []
    }

    private func read() throws -> Packet? {
        do { return try input.readPacket(timeout: .seconds(60)) } catch {
            throw Refusal(description: "it cannot be read to its end: \(error.text)")
        }
    }

    package func close() { input.close() }

    // MARK: Packets

    private static func ticks(_ time: Int64?, of stream: InputStream, rate: Int) -> Int64? {
        guard let ticks = time.flatMap({ stream.timeBase.rescale($0, to: Rational(1, Int32(clamping: max(1, rate)))) }), abs(ticks) < 1 << 50 else {
            return nil
        }
        return ticks
    }

    private func video(_ packet: Packet) throws -> [Item] {
        let scale = StreamDescription.videoTimescale
        let bytes: MediaBytes
        let isKeyframe: Bool
        let entry: VideoSampleEntry?
        if normalizer != nil {
            guard let normalized = packet.withBytes({ normalizer?.normalize($0) }), normalized.bytes.count > 0 else { return [] }
            bytes = normalized.bytes
            isKeyframe = normalized.isKeyframe
            entry = normalizer?.entry
        } else {
            guard !packet.isCorrupt, let size = packet.withBytes(pictureSize(ofJPEG:)) else { return [] }
            bytes = packet.withBytes { MediaBytes(copying: $0) }
            isKeyframe = true
            entry = .mjpeg(width: size.width, height: size.height)
        }
        var items: [Item] = []
        if isKeyframe, let entry, described?.video != entry {
            let description = StreamDescription(run: run, origin: start, video: entry, audio: audio)
            described = description
            items.append(.description(description))
        }
        // Nothing could show what comes before the first keyframe.
        guard described != nil else { return [] }
        let stamp = Self.ticks(packet.dts ?? packet.pts, of: choice.video, rate: scale)
        if zero == nil { zero = stamp ?? 0 }
        let time = decodeTime(stamp.map { $0 - (zero ?? 0) })
        guard time < Self.longest else { throw Refusal(description: "it is longer than a day") }
        let shown = Self.ticks(packet.pts, of: choice.video, rate: scale).map { $0 - (zero ?? 0) } ?? time
        lastVideo = time
        items.append(
            .packet(
                MediaPacket(
                    kind: .video, bytes: bytes, dts: time, pts: min(max(shown, time), time + Int64(scale) * 10), isKeyframe: isKeyframe,
                    isDamaged: packet.isCorrupt, wall: wall(time, scale), arrival: 0)))
        return items
    }

    /// Times that run backwards, stand still or leap are not believed: the usual step is taken instead.
    private func decodeTime(_ stamp: Int64?) -> Int64 {
        guard let last = lastVideo else { return max(0, stamp ?? 0) }
        guard let stamp else { return last + step }
        guard Self.steps.contains(stamp - last) else {
            // What follows goes on from here, with its sound.
            zero = (zero ?? 0) + stamp - last - step
            return last + step
        }
        step = stamp - last
        return stamp
    }

    private func sound(_ packet: Packet) -> [Item] {
        guard let audio, let stream = choice.audio, let zero, described != nil else { return [] }
        let begin = zero * Int64(audio.timescale) / Int64(StreamDescription.videoTimescale)
        guard let stamp = Self.ticks(packet.pts ?? packet.dts, of: stream, rate: audio.timescale) else { return [] }
        let time = stamp - begin
        guard time >= 0, time < Int64(audio.timescale) * 86_400, time > lastAudio ?? -1 else { return [] }
        lastAudio = time
        return [
            .packet(
                MediaPacket(
                    kind: .audio, bytes: packet.withBytes { MediaBytes(copying: $0) }, dts: time, pts: time, isKeyframe: true, isDamaged: false,
                    wall: wall(time, audio.timescale), arrival: 0))
        ]
    }

    private func wall(_ ticks: Int64, _ scale: Int) -> WallTime {
        let scale = Int64(scale)
        return start.advanced(byMicroseconds: ticks / scale * 1_000_000 + ticks % scale * 1_000_000 / scale)
    }
}

/// Reads an open file from wherever it is asked to; nothing but this file.
private final class DescriptorSource: ByteSource {
    private let descriptor: Int32
    private let length: Int64
    private var place: Int64 = 0

    init(_ descriptor: Int32, _ length: Int64) {
        self.descriptor = descriptor
        self.length = length
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = Int(min(Int64(buffer.count), max(0, length - place)))
        guard count > 0 else { return 0 }
        while true {
            let got = pread(descriptor, buffer.baseAddress, count, off_t(place))
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw MovieFile.Refusal(description: "it cannot be read: \(String(cString: strerror(errno)))") }
            place += Int64(got)
            return got
        }
    }

    func seek(to offset: Int64) throws {
        guard offset >= 0 else { throw MovieFile.Refusal(description: "it leads out of itself") }
        place = offset
    }

    var isSeekable: Bool { true }
    var size: Int64? { length }
    func close() {}
}

/// Refuses the other files that a file may name.
private final class NothingElse: ByteOpener {
    func open(_ request: ByteRequest) throws -> any ByteSource { throw MovieFile.Refusal(description: "it refers to other files") }
}
