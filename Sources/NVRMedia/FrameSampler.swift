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

/// Decodes a stream for analysis on a thread that several cameras share: every frame the codec needs is decoded, as cheaply as
/// possible, and at most one picture in `interval` is scaled and handed on. When decoding falls behind, whole GOPs are left out and
/// counted; the camera's thread never waits.
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
    private let onFrame: (SampledFrame) -> Void
    private let onEnd: () -> Void
    private let onError: @Sendable (any Error) -> Void

    // Touched on `thread` only.
    private var decoder: VideoDecoder?
    private let scaler = LumaScaler(width: FrameSampler.width, height: FrameSampler.height)
    private var luma = [UInt8](repeating: 0, count: FrameSampler.width * FrameSampler.height)
    private var lastGiven = WallTime(microseconds: .min)

    /// - Parameters:
    ///   - interval: seconds between pictures handed on.
    ///   - onFrame: called on `thread` with each.
    ///   - onEnd: called on `thread` when the stream broke off.
    package init(
        thread: BlockingThread, interval: Double, onFrame: @escaping (SampledFrame) -> Void, onEnd: @escaping () -> Void,
        onError: @escaping @Sendable (any Error) -> Void
    ) {
        self.thread = thread
        self.interval = Int64(interval * 1e6)
        self.onFrame = onFrame
        self.onEnd = onEnd
        self.onError = onError
    }

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
            decoder = nil
            onEnd()
        }
        if changed { decoder = nil }
        guard let description, !packets.isEmpty else { return }
        if decoder == nil {
            do {
                let setup = description.video.decoderSetup
                decoder = try VideoDecoder(codec: setup.codec, extradata: setup.extradata, options: .detection)
            } catch {
                onError(error)
                return
            }
        }
        for packet in packets {
            packet.bytes.withUnsafeBytes { bytes in
                decoder?.decode(bytes, pts: packet.pts, isKey: packet.isKeyframe) { frame in give(frame, packet.wall) }
            }
        }
    }

    private func give(_ frame: Frame, _ time: WallTime) {
        let elapsed = time.microseconds(since: lastGiven)
        // A negative step is a clock that was set: begin anew.
        guard lastGiven.microseconds == .min || elapsed < 0 || elapsed >= interval else { return }
        lastGiven = time
        do {
            try luma.withUnsafeMutableBufferPointer { try scaler.scale(frame, into: $0) }
        } catch {
            return onError(error)
        }
        luma.withUnsafeBufferPointer { onFrame(SampledFrame(luma: $0, time: time, frame: frame)) }
    }
}
