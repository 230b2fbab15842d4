import ISOBMFF
import Libav
package import NVRBase
package import NVRModel
import RTSP
import Synchronization

/// A decoded picture of a stream, valid inside the call that gives it.
package struct SampledFrame {
    /// Area-averaged luma, `width` × `height` bytes, row by row.
    package let luma: UnsafeBufferPointer<UInt8>
    package let time: WallTime
    /// The picture's own size, pixels.
    package let width: Int
    package let height: Int
    private let frame: Frame

    fileprivate init(luma: UnsafeBufferPointer<UInt8>, time: WallTime, frame: Frame) {
        self.luma = luma
        self.time = time
        width = frame.width
        height = frame.height
        self.frame = frame
    }

    /// The whole picture as JPEG.
    package func jpeg(quality: Int, width: Int? = nil) throws -> Picture {
        let image = try JPEGEncoder(quality: quality, targetWidth: width).encode(frame)
        return Picture(jpeg: image.bytes, width: image.width, height: image.height, time: time)
    }
}

/// What a `FrameSampler` asks and tells, always on its thread.
package protocol FrameWatcher: AnyObject {
    /// How closely the stream has to be looked at from now on.
    var attention: DecodeThrift.Attention { get }
    /// A picture.
    func look(_ frame: SampledFrame)
    /// A key frame while frames before it are held back: takes it like `look` and returns true when it shows what was
    /// expected; else forgets it and returns false: it comes again after the frames before it.
    func peek(_ frame: SampledFrame) -> Bool
    /// The stream broke off.
    func streamEnded()
    /// A picture could not be had.
    func failed(_ error: any Error)
}

/// Decodes a stream for analysis on a thread that several cameras share: what `DecodeThrift` cannot spare is decoded, as cheaply
/// as possible, and at most one picture in `interval` is scaled and handed on. When decoding falls behind, whole GOPs are left out
/// and counted; the camera's thread never waits.
///
/// `@unchecked Sendable`: `queue` is behind a mutex, everything marked so is touched only on `thread`.
package final class FrameSampler: PacketSink, @unchecked Sendable {
    package static let width = 320
    package static let height = 180
    /// Frames handed to the thread at once: fewer wake-ups, at most a fifth of a second later at 15 frames a second.
    private static let batch = 3

    private struct Queue {
        var packets: [MediaPacket] = []
        var bytes = 0
        var description: StreamDescription?
        var changed = false
        var ended = false
        var isScheduled = false
        var waitsForKeyframe = true
        var dropped = 0
    }

    private let thread: BlockingThread
    /// Microseconds between pictures handed on.
    private let interval: Int64
    private let queue = Mutex(Queue())
    private weak var watcher: (any FrameWatcher)?

    // Touched on `thread` only.
    private var decoder: VideoDecoder?
    /// Looks at key frames while `decoder` waits for what is held back; then they change places.
    private var spare: VideoDecoder?
    private var isIntraOnly = false
    private var thrift = DecodeThrift()
    private var held: [MediaPacket] = []
    private let scaler = LumaScaler(width: FrameSampler.width, height: FrameSampler.height)
    private var luma = [UInt8](repeating: 0, count: FrameSampler.width * FrameSampler.height)
    private var lastGiven = WallTime(microseconds: .min)
    /// Frames decoded, and frames that were held back and never needed.
    private var decoded = 0
    private var spared = 0

    /// - Parameters:
    ///   - interval: seconds between pictures handed on.
    ///   - watcher: who looks; not kept.
    package init(thread: BlockingThread, interval: Double, watcher: any FrameWatcher) {
        self.thread = thread
        self.interval = Int64(interval * 1e6)
        self.watcher = watcher
    }

    /// Frames decoded so far, and frames that did not need to be. On the sampler's thread.
    package var effort: (decoded: Int, spared: Int) { (decoded, spared) }

    /// Frames left out because decoding fell behind.
    package var dropped: Int { queue.withLock { $0.dropped } }

    package func begin(_ description: StreamDescription) {
        queue.withLock { queue in
            queue.description = description
            queue.changed = true
            queue.waitsForKeyframe = true
            queue.packets.removeAll()
            queue.bytes = 0
        }
    }

    package func receive(_ packet: MediaPacket) {
        guard packet.kind == .video else { return }
        let schedule = queue.withLock { queue in
            if packet.isKeyframe { queue.waitsForKeyframe = false }
            if queue.waitsForKeyframe {
                queue.dropped += 1
                return false
            }
            if queue.packets.count >= 90 || queue.bytes > 8 << 20 {
                queue.dropped += queue.packets.count + 1
                queue.packets.removeAll()
                queue.bytes = 0
                queue.waitsForKeyframe = true
                return false
            }
            queue.packets.append(packet)
            queue.bytes += packet.bytes.count
            guard !queue.isScheduled, queue.packets.count >= Self.batch || packet.isKeyframe else { return false }
            queue.isScheduled = true
            return true
        }
        if schedule { thread.enqueue { [self] in work() } }
    }

    package func interrupted() {
        queue.withLock { queue in
            queue.packets.removeAll()
            queue.bytes = 0
            queue.waitsForKeyframe = true
            queue.ended = true
        }
        thread.enqueue { [self] in work() }
    }

    private func work() {
        let (packets, description, changed, ended) = queue.withLock { queue in
            defer {
                queue.packets.removeAll(keepingCapacity: true)
                queue.bytes = 0
                queue.changed = false
                queue.ended = false
                queue.isScheduled = false
            }
            return (queue.packets, queue.description, queue.changed, queue.ended)
        }
        if ended {
            // What was held back is the last there is to see.
            decodeHeld()
            decoder = nil
            thrift.reset()
            watcher?.streamEnded()
        }
        if changed {
            held.removeAll()
            thrift.reset()
            decoder = nil
            spare = nil
        }
        guard let description, !packets.isEmpty, prepare(description) else { return }
        for packet in packets { take(packet, description) }
    }

    private func prepare(_ description: StreamDescription) -> Bool {
        guard decoder == nil else { return true }
        do {
            decoder = try Self.decoder(description)
            isIntraOnly = decoder?.codec == .mjpeg
            return true
        } catch {
            watcher?.failed(error)
            return false
        }
    }

    private static func decoder(_ description: StreamDescription) throws -> VideoDecoder {
        let setup = description.video.decoderSetup
        return try VideoDecoder(codec: setup.codec, extradata: setup.extradata, options: .detection)
    }

    private func take(_ packet: MediaPacket, _ description: StreamDescription) {
        guard let watcher else { return }
        switch thrift.step(isKeyframe: packet.isKeyframe, bytes: packet.bytes.count, at: packet.arrival, watcher.attention) {
        case .decode:
            decode(packet)
        case .hold:
            held.append(packet)
        case .catchUp:
            decodeHeld()
            decode(packet)
        case .peek:
            if peek(packet, description) {
                spared += held.count
                held.removeAll(keepingCapacity: true)
            } else {
                decodeHeld()
                decode(packet)
            }
        }
    }

    private func decodeHeld() {
        for packet in held { decode(packet) }
        held.removeAll(keepingCapacity: true)
    }

    private func decode(_ packet: MediaPacket) {
        // Where every frame is a key frame, only those that are wanted need decoding.
        if isIntraOnly, !isDue(packet.wall) { return spared += 1 }
        decoded += 1
        packet.bytes.withUnsafeBytes { bytes in
            decoder?.decode(bytes, pts: packet.pts, isKey: packet.isKeyframe) { frame in
                guard isDue(packet.wall) else { return }
                lastGiven = packet.wall
                scaled(frame, packet.wall) { watcher?.look($0) }
            }
        }
    }

    private func isDue(_ time: WallTime) -> Bool {
        // A negative step is a clock that was set: begin anew.
        let elapsed = time.microseconds(since: lastGiven)
        return lastGiven.microseconds == .min || elapsed < 0 || elapsed >= interval
    }

    /// Whether the key frame shows what was expected; then decoding goes on behind it.
    private func peek(_ packet: MediaPacket, _ description: StreamDescription) -> Bool {
        if spare == nil {
            do { spare = try Self.decoder(description) } catch {
                watcher?.failed(error)
                return false
            }
        }
        decoded += 1
        var isExpected = false
        packet.bytes.withUnsafeBytes { bytes in
            // A decoder that gives nothing at once reorders frames: then nothing is spared.
            spare?.decode(bytes, pts: packet.pts, isKey: true) { frame in
                scaled(frame, packet.wall) { isExpected = watcher?.peek($0) ?? false }
            }
        }
        if isExpected {
            lastGiven = packet.wall
            swap(&decoder, &spare)
        }
        spare?.reset()
        return isExpected
    }

    private func scaled(_ frame: Frame, _ time: WallTime, _ body: (SampledFrame) -> Void) {
        do {
            try luma.withUnsafeMutableBufferPointer { try scaler.scale(frame, into: $0) }
        } catch {
            watcher?.failed(error)
            return
        }
        luma.withUnsafeBufferPointer { body(SampledFrame(luma: $0, time: time, frame: frame)) }
    }
}
