import ISOBMFF
import Libav
import NVRBase
import NVRModel
import RTSP
import Synchronization

/// A stream once more as H.264, for viewers whose player does not take its own codec: decoded and encoded once for all of them, and
/// only while somebody watches. Sound goes through as it is. Works on a thread of its own; when that falls behind, whole GOPs are left
/// out and counted, and the camera notices nothing.
///
/// `@unchecked Sendable`: `state` is behind a mutex; everything marked so is touched only on the thread.
package final class StreamTranscoder: PacketSink, @unchecked Sendable {
    /// Pixels: a larger picture is made smaller, since encoding costs by the pixel.
    package static let widest = 1280
    /// Packets and bytes that may wait.
    private static let mostPackets = 120
    private static let mostBytes = 16 << 20

    private enum Item {
        case begin(StreamDescription)
        case packet(MediaPacket)
        case interruption
    }

    private struct State {
        /// Somebody watches.
        var isWanted = false
        /// There is room, too.
        var isRunning = false
        /// Made when it is needed first; it orders all work, also that of a stretch that ended and the next one's.
        var thread: BlockingThread?
        var hubKey: Int?
        var items: [Item] = []
        var bytes = 0
        var isScheduled = false
        var waitsForKeyframe = true
        var wasRefused = false
        /// Why nothing comes although somebody watches.
        var refusal: String?
    }

    /// What viewers attach to.
    package let output: StreamHub
    private let input: StreamHub
    private let room: TranscodeRoom
    private let state = Mutex(State())

    // Touched on the thread only.
    private var decoder: VideoDecoder?
    private var encoder: VideoEncoder?
    private var description: StreamDescription?
    private var isAnnounced = false
    private var normalizer: NALUnitNormalizer?
    /// Pictures go to the encoder in the order of their times; what belongs to one is kept until it comes out of the decoder.
    private var pending: [Int64: (isKeyframe: Bool, arrival: Int64)] = [:]

    package init(input: StreamHub, room: TranscodeRoom) {
        self.input = input
        self.room = room
        output = StreamHub(role: input.role)
    }

    deinit { state.withLock { $0.thread }?.stop() }

    /// Why nothing comes although somebody watches; nil while all is well.
    package var refusal: String? { state.withLock { $0.refusal } }

    /// Begins with the first viewer and ends with the last one.
    package func setWanted(_ isWanted: Bool) {
        state.withLock { $0.isWanted = isWanted }
        if isWanted { begin() } else { end() }
    }

    /// Tries again for room when there was none.
    package func retry() { if refusal != nil { begin() } }

    private func begin() {
        let starts = state.withLock { state in
            guard state.isWanted, !state.isRunning else { return false }
            guard room.enter(isNew: !state.wasRefused) else {
                state.wasRefused = true
                state.refusal =
                    room.isOn
                    ? "the server already transcodes \(room.most == 1 ? "a stream" : "\(room.most) streams") and has room for no more"
                    : "transcoding is switched off on this server"
                return false
            }
            state.wasRefused = false
            state.refusal = nil
            state.isRunning = true
            state.waitsForKeyframe = true
            if state.thread == nil { state.thread = BlockingThread(name: "transcode", stackBytes: 1 << 20) }
            return true
        }
        guard starts else { return }
        let key = input.attach(self, from: .lastKeyframe)
        let isSurplus = state.withLock { state in
            guard state.isRunning, state.hubKey == nil else { return true }
            state.hubKey = key
            return false
        }
        if isSurplus { input.detach(key) }
    }

    private func end() {
        let (thread, key, wasRunning) = state.withLock { state in
            defer {
                state.isRunning = false
                state.hubKey = nil
                state.items = []
                state.bytes = 0
                state.refusal = nil
                state.wasRefused = false
            }
            return (state.thread, state.hubKey, state.isRunning)
        }
        if let key { input.detach(key) }
        guard wasRunning else { return }
        room.leave()
        thread?.enqueue { [weak self] in
            self?.forget()
            self?.output.interrupt()
        }
    }

    // MARK: Taking packets, on the thread that reads the camera

    package func begin(_ description: StreamDescription) {
        take { state in
            state.items.removeAll()
            state.bytes = 0
            state.items.append(.begin(description))
            state.waitsForKeyframe = true
        }
    }

    package func receive(_ packet: MediaPacket) {
        var dropped = 0
        take { state in
            if packet.kind == .video, packet.isKeyframe { state.waitsForKeyframe = false }
            if state.waitsForKeyframe {
                if packet.kind == .video { dropped = 1 }
                return
            }
            if state.items.count >= Self.mostPackets || state.bytes > Self.mostBytes {
                // Descriptions stay; the GOP that does not fit goes.
                var kept: [Item] = []
                for item in state.items {
                    if case .packet(let old) = item { dropped += old.kind == .video ? 1 : 0 } else { kept.append(item) }
                }
                if packet.kind == .video { dropped += 1 }
                state.items = kept
                state.bytes = 0
                state.waitsForKeyframe = true
                return
            }
            state.items.append(.packet(packet))
            state.bytes += packet.byteCount
        }
        if dropped > 0 { room.note(dropped: dropped) }
    }

    package func interrupted() {
        take { state in
            state.items.removeAll()
            state.bytes = 0
            state.items.append(.interruption)
            state.waitsForKeyframe = true
        }
    }

    private func take(_ change: (inout State) -> Void) {
        let thread = state.withLock { state -> BlockingThread? in
            guard state.isRunning else { return nil }
            change(&state)
            guard !state.items.isEmpty, !state.isScheduled else { return nil }
            state.isScheduled = true
            return state.thread
        }
        thread?.enqueue { [weak self] in self?.work() }
    }

    // MARK: Working, on the transcoder's thread

    private func work() {
        let items = state.withLock { state in
            defer {
                state.items.removeAll(keepingCapacity: true)
                state.bytes = 0
                state.isScheduled = false
            }
            return state.items
        }
        for item in items {
            switch item {
            case .begin(let description):
                forget()
                self.description = description
            case .interruption:
                forget()
                output.interrupt()
            case .packet(let packet):
                if packet.kind == .video { transcode(packet) } else if isAnnounced { output.publish(packet) }
            }
        }
    }

    private func forget() {
        decoder = nil
        encoder = nil
        normalizer = nil
        description = nil
        isAnnounced = false
        pending = [:]
    }

    private func transcode(_ packet: MediaPacket) {
        guard let description else { return }
        do {
            if decoder == nil {
                let setup = description.video.decoderSetup
                decoder = try VideoDecoder(codec: setup.codec, extradata: setup.extradata)
            }
            pending[packet.pts] = (packet.isKeyframe, packet.arrival)
            // A decoder that holds more back than any codec reorders has lost them.
            if pending.count > 64 { pending = pending.filter { $0.key > packet.pts - 2 * Int64(StreamDescription.videoTimescale) } }
            try packet.withUnsafeBytes { bytes in
                try decoder?.decode(bytes, pts: packet.pts, isKey: packet.isKeyframe) { try encode($0, description) }
            }
        } catch {
            // One picture that cannot be coded is left out; parameters that cannot be coded at all are told.
            pending.removeValue(forKey: packet.pts)
            if encoder == nil { state.withLock { $0.refusal = "the stream cannot be transcoded: \(error)" } }
            room.note(dropped: 1)
        }
    }

    private func encode(_ frame: Frame, _ description: StreamDescription) throws {
        guard let pts = frame.pts else { return }
        let origin = pending.removeValue(forKey: pts)
        let encoder = try self.encoder ?? makeEncoder(frame)
        // Where every picture is a key frame, ours come as seldom as usual.
        let isKey = !isAnnounced || decoder?.codec != .mjpeg && origin?.isKeyframe == true
        var coded = 0
        for picture in try encoder.encode(frame, pts: pts, isKey: isKey) {
            guard let unit = picture.bytes.withUnsafeBytes({ normalizer?.normalize($0) }) else { continue }
            if !isAnnounced {
                guard picture.isKey, let entry = normalizer?.entry else { continue }
                output.publish(StreamDescription(run: description.run, origin: description.origin, video: entry, audio: description.audio))
                isAnnounced = true
            }
            let micros = picture.pts.multipliedReportingOverflow(by: 1_000_000).partialValue / Int64(StreamDescription.videoTimescale)
            output.publish(
                MediaPacket(
                    kind: .video, bytes: unit.bytes, dts: picture.pts, pts: picture.pts, isKeyframe: picture.isKey, isDamaged: frame.isDamaged,
                    wall: description.origin.advanced(byMicroseconds: micros), arrival: origin?.arrival ?? 0))
            coded += 1
        }
        room.note(pictures: coded)
    }

    private func makeEncoder(_ frame: Frame) throws -> VideoEncoder {
        let size = VideoEncoderOptions.size(of: frame.width, frame.height, most: Self.widest)
        let made = try VideoEncoder(VideoEncoderOptions(width: size.width, height: size.height))
        normalizer = NALUnitNormalizer(codec: .h264, extradata: made.parameterSets)
        encoder = made
        return made
    }
}

/// A stream of a camera as viewers see it who need H.264.
package struct TranscodedStream: Sendable {
    package let live: LiveStream
    private let transcoder: StreamTranscoder

    /// `source`: the stream that is transcoded; `hub`: where its packets come from.
    package init(of source: LiveStream, hub: StreamHub, room: TranscodeRoom) {
        let transcoder = StreamTranscoder(input: hub, room: room)
        self.transcoder = transcoder
        live = LiveStream(hub: transcoder.output) { isWanted in
            if isWanted { source.want() } else { source.release() }
            transcoder.setWanted(isWanted)
        }
    }

    /// Why nothing comes although somebody watches; asking tries again for room when there was none.
    package func refusal() -> String? {
        transcoder.retry()
        return transcoder.refusal
    }
}
