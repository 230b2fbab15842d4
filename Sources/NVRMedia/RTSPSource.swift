import ISOBMFF
package import Logging
package import NIOCore
package import NVRBase
import NVRModel
package import RTSP

/// Reads a camera with our RTSP client. The client calls back on one event loop; many cameras share a loop.
package final class RTSPSource: PacketSource {
    package let name = "rtsp"
    private let configuration: RTSPClientConfiguration
    private let eventLoop: any EventLoop
    private let pace = ReadPace()
    private let clock: any NVRClock
    private let logger: Logger
    private let session: RTSPSession

    package init(configuration: RTSPClientConfiguration, eventLoop: any EventLoop, clock: any NVRClock, logger: Logger) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.clock = clock
        self.logger = logger
        session = RTSPSession(configuration: configuration, eventLoop: eventLoop, pace: pace, logger: logger)
    }

    package func setLive(_ isLive: Bool) { pace.isLive = isLive }

    package var network: NetworkCounters {
        let statistics = session.statistics
        var counters = NetworkCounters()
        counters.packets = statistics.packets
        counters.lost = statistics.lost
        counters.reordered = statistics.reordered
        counters.malformed = statistics.malformed
        counters.fellBackToTCP = statistics.fellBackToTCP
        return counters
    }

    package func run(into hub: StreamHub) async throws {
        let feed = RTSPFeed(hub: hub, clock: clock)
        do {
            try await session.run(feed)
            throw SourceFailure(.unreachable, "the camera ended the stream")
        } catch let error as RTSPError {
            throw Self.failure(error)
        }
    }

    /// What an error of the client means for the person and for the next attempt.
    package static func failure(_ error: RTSPError) -> SourceFailure {
        switch error {
        case .refused: SourceFailure(.unreachable, "the camera refuses the connection: is the port right?")
        case .unreachable(let text): SourceFailure(.unreachable, "the camera cannot be reached: \(text)")
        case .timeout(let phase): SourceFailure(.unreachable, "the camera does not answer (\(phase))")
        case .unauthorized: SourceFailure(.unauthorized, "the camera refuses the user name or password")
        case .status(let code, let text):
            switch code {
            case 403: SourceFailure(.unauthorized, "the camera forbids access (403 \(text))")
            case 404: SourceFailure(.unreachable, "the camera has no such stream (404): is the path of the URL right?")
            case 453, 503: SourceFailure(.overloaded, "the camera is busy (\(code) \(text))")
            default: SourceFailure(.unreachable, "the camera answers \(code) \(text)")
            }
        case .malformed(let text): SourceFailure(.unreachable, "the camera's answer makes no sense: \(text)", isUnintelligible: true)
        case .noVideo(let text): SourceFailure(.unreachable, "the camera offers no video we can record: \(text)", isUnintelligible: true)
        case .closed(let text): SourceFailure(.unreachable, "the camera closed the connection: \(text)")
        case .tls(let text): SourceFailure(.unreachable, "the encrypted connection failed: \(text)")
        case .addressRefused(let text): SourceFailure(.unreachable, "the address is not allowed: \(text)")
        case .forbidden: SourceFailure(.unauthorized, "the camera forbids access (403)")
        }
    }
}

/// Receives from one session and publishes to one hub.
///
/// `@unchecked Sendable`: all state is touched only in calls of the session, which come on its one event loop.
private final class RTSPFeed: RTSPReceiver, @unchecked Sendable {
    private let hub: StreamHub
    private let clock: any NVRClock
    private var tracks: [RTSPTrack] = []
    private var videoTrack: RTSPTrack?
    private var audioTrack: RTSPTrack?
    private var assembler: PacketAssembler?
    private var entry: VideoSampleEntry?
    private var sets = ParameterSets()
    private var jpegSize: (width: Int, height: Int)?
    private var videoReport: SenderReport?
    private var audioReport: SenderReport?
    private var lastVideoStamp: UInt32 = 0

    init(hub: StreamHub, clock: any NVRClock) {
        self.hub = hub
        self.clock = clock
    }

    func described(_ tracks: [RTSPTrack]) {
        self.tracks = tracks
        videoTrack = tracks.first { $0.codec.isVideo }
        audioTrack = tracks.first { !$0.codec.isVideo }
        sets = videoTrack?.parameterSets ?? ParameterSets()
        updateEntry()
        assembler = PacketAssembler(audio: audioTrack.flatMap(Self.audio), framerate: videoTrack?.framerate)
    }

    private static func audio(_ track: RTSPTrack) -> StreamDescription.AudioTrack? {
        let codec: StreamDescription.AudioTrack.Codec
        switch track.codec {
        case .aac: codec = .aac(audioSpecificConfig: track.audioSpecificConfig)
        case .opus: codec = .opus
        case .pcmu: codec = .pcmu
        case .pcma: codec = .pcma
        default: return nil
        }
        return StreamDescription.AudioTrack(codec: codec, timescale: track.clockRate, channels: track.channels)
    }

    private func updateEntry() {
        guard let videoTrack else { return }
        switch videoTrack.codec {
        case .h264 where !sets.sps.isEmpty && !sets.pps.isEmpty: entry = .avc(sps: sets.sps, pps: sets.pps)
        case .h265 where !sets.sps.isEmpty && !sets.pps.isEmpty && !sets.vps.isEmpty:
            entry = .hevc(vps: sets.vps, sps: sets.sps, pps: sets.pps)
        case .mjpeg: entry = jpegSize.map { .mjpeg(width: $0.width, height: $0.height) }
        default: break
        }
        // Parameter sets that cannot be read describe nothing a file could hold: wait for better ones in the stream.
        if let found = entry, found.width <= 0 || found.height <= 0 { entry = nil }
    }

    func received(_ unit: AccessUnit) {
        if unit.track == videoTrack?.index {
            video(unit)
        } else if unit.track == audioTrack?.index {
            audio(unit)
        }
    }

    private func video(_ unit: AccessUnit) {
        if let changed = unit.parameterSets {
            sets = changed
            updateEntry()
        }
        if videoTrack?.codec == .mjpeg, let size = unit.bytes.withUnsafeBytes(pictureSize(ofJPEG:)), jpegSize.map({ $0 == size }) != true {
            jpegSize = size
            updateEntry()
        }
        guard assembler != nil, unit.bytes.count > 0 else { return }
        lastVideoStamp = unit.rtpTimestamp
        // The wall time of the arrival, not of now: the two would differ by what this thread had to do meanwhile.
        let wall = clock.wall() &- (clock.monotonic() &- unit.arrival)
        assembler?.video(
            PacketAssembler.VideoFrame(
                bytes: unit.bytes, stamp: .wrapping(UInt64(unit.rtpTimestamp), bits: 32), arrival: unit.arrival,
                isKeyframe: unit.isKeyframe || videoTrack?.codec == .mjpeg, isDamaged: unit.isDamaged, isReordered: unit.isReordered),
            entry: entry, wall: wall, emit: publish)
    }

    private func audio(_ unit: AccessUnit) {
        guard assembler != nil, unit.bytes.count > 0 else { return }
        // Found before the assembler is changed: it is asked where the video stands.
        let reference = audioReference(unit.rtpTimestamp)
        assembler?.audio(
            unit.bytes, stamp: .wrapping(UInt64(unit.rtpTimestamp), bits: 32), arrival: unit.arrival,
            referenceArrival: reference, emit: publish)
    }

    private func publish(_ output: PacketAssembler.Output) {
        switch output {
        case .description(let description): hub.publish(description)
        case .packet(let packet): hub.publish(packet)
        }
    }

    func received(_ report: SenderReport) {
        if report.track == videoTrack?.index {
            videoReport = report
        } else if report.track == audioTrack?.index {
            audioReport = report
        }
    }

    /// Where an audio frame belongs beside the newest video frame by the camera's own clock (RFC 3550, 6.4.1), monotonic microseconds.
    private func audioReference(_ stamp: UInt32) -> Int64? {
        guard let videoReport, let audioReport, let videoTrack, let audioTrack, let position = assembler?.lastVideoMonotonic else { return nil }
        func cameraTime(_ stamp: UInt32, _ report: SenderReport, rate: Int) -> Int64 {
            let ticks = Int64(Int32(bitPattern: stamp &- report.rtpTimestamp))
            return report.ntpMicroseconds &+ ticks * 1_000_000 / Int64(max(rate, 1))
        }
        let distance =
            cameraTime(stamp, audioReport, rate: audioTrack.clockRate)
            &- cameraTime(lastVideoStamp, videoReport, rate: videoTrack.clockRate)
        // Reports of clocks that do not belong together say nothing.
        guard distance > -3_000_000, distance < 3_000_000 else { return nil }
        return position &+ distance
    }
}

/// Width and height in the frame header (SOF0…SOF2) of a JPEG, ITU-T T.81 B.2.2. Nil when there is none in a sane place.
package func pictureSize(ofJPEG bytes: UnsafeRawBufferPointer) -> (width: Int, height: Int)? {
    var at = 2
    while at + 9 < bytes.count, at < 65_536 {
        guard bytes[at] == 0xFF else { return nil }
        let marker = bytes[at + 1]
        if marker == 0xFF {
            at += 1
            continue
        }
        if (0xC0...0xC2).contains(marker) {
            let height = Int(bytes[at + 5]) << 8 | Int(bytes[at + 6])
            let width = Int(bytes[at + 7]) << 8 | Int(bytes[at + 8])
            return width > 0 && height > 0 ? (width, height) : nil
        }
        if marker == 0xDA || marker == 0xD9 { return nil }
        let length = Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
        guard length >= 2 else { return nil }
        at += 2 + length
    }
    return nil
}
