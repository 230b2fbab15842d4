import ISOBMFF
import Libav
package import Logging
package import NVRBase
import NVRModel
package import RTSP
import Synchronization

/// Reads a camera with libav, on a thread of its own that can be interrupted: HTTP MJPEG, HLS, RTMP, files, and RTSP cameras that
/// our own client cannot make sense of.
package final class LibavSource: PacketSource {
    package let name = "libav"
    private let url: Secret
    private let options: [String: String]
    private let protocols: AllowedProtocols
    private let clock: any NVRClock
    private let logger: Logger
    private let wantAudio: Bool
    private let counters = Mutex(NetworkCounters())

    /// `url` may carry credentials. `transport` matters for RTSP alone.
    package init(url: Secret, transport: RTSPTransport, wantAudio: Bool, clock: any NVRClock, logger: Logger) {
        self.url = url
        self.wantAudio = wantAudio
        self.clock = clock
        self.logger = logger
        let scheme = url.reveal().prefix { $0 != ":" }.lowercased()
        switch scheme {
        case "rtsp", "rtsps":
            protocols = .rtsp
            options = ["rtsp_transport": transport == .udp ? "udp" : "tcp", "timeout": "10000000", "fflags": "nobuffer"]
        case "rtmp", "rtmps", "rtmpt":
            protocols = .rtmp
            options = ["rw_timeout": "10000000"]
        case "file":
            protocols = .file
            options = [:]
        default:
            protocols = .web
            options = ["rw_timeout": "10000000", "reconnect": "0", "fflags": "nobuffer"]
        }
    }

    package func setLive(_ isLive: Bool) {}

    package var network: NetworkCounters { counters.withLock { $0 } }

    package func run(into hub: StreamHub) async throws {
        let interrupt = Interrupt()
        let thread = BlockingThread(name: "libav", stackBytes: 1 << 20)
        defer { thread.stop() }
        let failure: SourceFailure = try await withTaskCancellationHandler {
            try await thread.run { [self] in read(into: hub, interrupt: interrupt) }
        } onCancel: {
            interrupt.cancel()
        }
        try Task.checkCancellation()
        throw failure
    }

    /// Runs on the thread until the stream ends; the result says why.
    private func read(into hub: StreamHub, interrupt: Interrupt) -> SourceFailure {
        do throws(LibavError) {
            let input = try InputContext(
                url: url.reveal(), options: options, protocols: protocols, interrupt: interrupt, timeout: .seconds(15))
            defer { input.close() }
            let streams = input.streams
            guard
                let video = streams.first(where: {
                    $0.kind == .video && !$0.isAttachedPicture && [.h264, .h265, .mjpeg].contains($0.codec)
                })
            else {
                return SourceFailure(.unreachable, "the source offers no H.264, H.265 or MJPEG video", isUnintelligible: true)
            }
            let audioStream = wantAudio ? streams.first { $0.kind == .audio && Self.audioCodec($0.codec, $0.extradata) != nil } : nil
            let audio = audioStream.flatMap { stream in
                Self.audioCodec(stream.codec, stream.extradata).map {
                    StreamDescription.AudioTrack(codec: $0, timescale: max(1, stream.sampleRate), channels: max(1, stream.channels))
                }
            }
            input.select(streams: Set([video.index] + (audioStream.map { [$0.index] } ?? [])))
            var assembler = PacketAssembler(audio: audio, framerate: video.frameRate?.positiveValue)
            var normalizer: NALUnitNormalizer? =
                switch video.codec {
                case .h264: NALUnitNormalizer(codec: .h264, extradata: video.extradata)
                case .h265: NALUnitNormalizer(codec: .h265, extradata: video.extradata)
                default: nil
                }
            var pictureEntry: VideoSampleEntry?
            let publish: (PacketAssembler.Output) -> Void = { output in
                switch output {
                case .description(let description): hub.publish(description)
                case .packet(let packet): hub.publish(packet)
                }
            }
            // A file is read at the pace of its own clock, as if a camera sent it.
            let isFile = protocols == .file
            var pacing: (first: Int64, start: Int64)?
            while let packet = try input.readPacket(timeout: .seconds(10)) {
                if isFile, packet.streamIndex == video.index, let dts = packet.dts, let time = video.timeBase.microseconds(dts) {
                    if let pacing {
                        Self.wait(until: pacing.start + (time - pacing.first), clock: clock, interrupt: interrupt)
                    } else {
                        pacing = (time, clock.monotonic())
                    }
                }
                let arrival = clock.monotonic()
                counters.withLock { $0.packets += 1 }
                if packet.streamIndex == video.index {
                    let ticks = packet.pts.flatMap { video.timeBase.rescale($0, to: Rational(1, Int32(StreamDescription.videoTimescale))) }
                    let stamp: TimestampRepair.Stamp = ticks.map { .wrapping(UInt64(bitPattern: $0) & (1 << 62 - 1), bits: 62) } ?? .missing
                    let reordered = packet.pts != nil && packet.dts != nil && packet.pts != packet.dts
                    if normalizer != nil {
                        guard let normalized = packet.withBytes({ normalizer?.normalize($0) }), normalized.bytes.count > 0 else { continue }
                        assembler.video(
                            .init(
                                bytes: normalized.bytes, stamp: stamp, arrival: arrival, isKeyframe: normalized.isKeyframe,
                                isDamaged: packet.isCorrupt, isReordered: reordered),
                            entry: normalizer?.entry, wall: clock.wall(), emit: publish)
                    } else {
                        if let size = packet.withBytes(pictureSize(ofJPEG:)) { pictureEntry = .mjpeg(width: size.width, height: size.height) }
                        assembler.video(
                            .init(
                                bytes: packet.withBytes { MediaBytes(copying: $0) }, stamp: stamp, arrival: arrival, isKeyframe: true,
                                isDamaged: packet.isCorrupt, isReordered: false),
                            entry: pictureEntry, wall: clock.wall(), emit: publish)
                    }
                } else if let audioStream, packet.streamIndex == audioStream.index {
                    let ticks = packet.pts.flatMap {
                        audioStream.timeBase.rescale($0, to: Rational(1, Int32(clamping: max(1, audioStream.sampleRate))))
                    }
                    assembler.audio(
                        packet.withBytes { MediaBytes(copying: $0) },
                        stamp: ticks.map { .wrapping(UInt64(bitPattern: $0) & (1 << 62 - 1), bits: 62) } ?? .missing, arrival: arrival,
                        referenceArrival: nil, emit: publish)
                }
            }
            return SourceFailure(.interrupted, "the source came to its end")
        } catch {
            return Self.failure(error)
        }
    }

    /// Sleeps in short steps so that an interrupt is heard.
    private static func wait(until time: Int64, clock: any NVRClock, interrupt: Interrupt) {
        while !interrupt.isCancelled {
            let rest = time - clock.monotonic()
            guard rest > 0 else { return }
            pause(microseconds: min(rest, 20_000))
        }
    }

    private static func audioCodec(_ codec: CodecID, _ extradata: [UInt8]) -> StreamDescription.AudioTrack.Codec? {
        switch codec {
        case .aac where extradata.count >= 2: .aac(audioSpecificConfig: extradata)
        case .opus: .opus
        case .pcmMulaw: .pcmu
        case .pcmAlaw: .pcma
        default: nil
        }
    }

    static func failure(_ error: LibavError) -> SourceFailure {
        switch error.reason {
        case .unauthorized: SourceFailure(.unauthorized, "the camera refuses the user name or password")
        case .forbidden: SourceFailure(.unauthorized, "the camera forbids access (403)")
        case .notFound: SourceFailure(.unreachable, "the camera has no such stream (404): is the path of the URL right?")
        case .refused: SourceFailure(.unreachable, "the camera refuses the connection: is the port right?")
        case .timedOut: SourceFailure(.unreachable, "the camera does not answer")
        case .cancelled: SourceFailure(.interrupted, "reading was stopped")
        case .endOfStream: SourceFailure(.interrupted, "the source came to its end")
        default: SourceFailure(.unreachable, "the source cannot be read: \(error.text)", isUnintelligible: error.reason == .invalidInput)
        }
    }
}
