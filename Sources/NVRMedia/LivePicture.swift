import ISOBMFF
import Libav
package import NVRBase
package import NVRModel
import RTSP
import Synchronization

/// A JPEG and when the camera saw it.
package struct Picture: Sendable {
    package var jpeg: [UInt8]
    package var width: Int
    package var height: Int
    package var time: WallTime

    package init(jpeg: [UInt8], width: Int, height: Int, time: WallTime) {
        self.jpeg = jpeg
        self.width = width
        self.height = height
        self.time = time
    }
}

extension VideoSampleEntry {
    /// The libav codec and the extradata with which length-prefixed units decode.
    var decoderSetup: (codec: CodecID, extradata: [UInt8]) {
        switch self {
        case .avc(let sps, let pps): (.h264, AVCConfiguration.bytes(sps: sps, pps: pps))
        case .hevc(let vps, let sps, let pps): (.h265, HEVCConfiguration.bytes(vps: vps, sps: sps, pps: pps))
        case .mjpeg: (.mjpeg, [])
        }
    }
}

/// The newest picture of a hub as JPEG. Decodes only while somebody asks, goes on where the last picture ended when it can, and
/// gives everybody who asks at the same time the same picture.
///
/// `@unchecked Sendable`: the decoder and its position are touched only on `thread`.
package final class LivePicture: @unchecked Sendable {
    private let hub: StreamHub
    private let thread: BlockingThread
    private let clock: any NVRClock
    private var decoder: VideoDecoder?
    private var decoderEntry: VideoSampleEntry?
    private var position: UInt64?
    private var frame: (frame: Frame, time: WallTime)?
    private var lastUse: Int64 = 0
    private let isWarm = Mutex(false)
    private var cached: [Int: (sequence: UInt64, made: Int64, picture: Picture)] = [:]

    package init(hub: StreamHub, thread: BlockingThread, clock: any NVRClock) {
        self.hub = hub
        self.thread = thread
        self.clock = clock
    }

    /// - Parameters:
    ///   - width: pixels; the stream's own when nil.
    ///   - quality: 1…100.
    ///   - age: microseconds that a picture made for somebody else may be old.
    /// - Throws: `NVRError(.unavailable)` when the stream has no picture.
    package func take(width: Int?, quality: Int = 80, age: Int64 = 150_000) async throws -> Picture {
        try await thread.run { [self] in try takeOnThread(width: width, quality: quality, age: age) }
    }

    private func takeOnThread(width: Int?, quality: Int, age: Int64) throws -> Picture {
        let now = clock.monotonic()
        lastUse = now
        let wasWarm = isWarm.withLock { isWarm in
            defer { isWarm = true }
            return isWarm
        }
        if !wasWarm { planRelease() }
        let key = (width ?? 0) * 128 + quality
        if let hit = cached[key], now - hit.made < age { return hit.picture }
        guard let newest = hub.newestPackets(after: decoder == nil ? nil : position) else {
            throw NVRError(.unavailable, "the camera has no picture now")
        }
        // Nothing new has come: the picture is the same.
        if newest.continues, newest.packets.isEmpty, let hit = cached[key], hit.sequence == position { return hit.picture }
        if decoder == nil || decoderEntry != newest.description.video || !newest.continues {
            if decoderEntry != newest.description.video || decoder == nil {
                let setup = newest.description.video.decoderSetup
                decoder = try VideoDecoder(codec: setup.codec, extradata: setup.extradata)
                decoderEntry = newest.description.video
                frame = nil
            } else {
                decoder?.reset()
            }
        }
        guard let decoder else { throw NVRError(.unavailable, "the camera has no picture now") }
        for packet in newest.packets {
            packet.bytes.withUnsafeBytes { bytes in
                decoder.decode(bytes, pts: packet.pts, isKey: packet.isKeyframe) { frame = ($0, packet.wall) }
            }
            position = packet.sequence
        }
        guard let frame, let position else { throw NVRError(.unavailable, "the camera has no picture now") }
        let image = try JPEGEncoder(quality: quality, targetWidth: width).encode(frame.frame)
        let picture = Picture(jpeg: image.bytes, width: image.width, height: image.height, time: frame.time)
        if cached.count > 4 { cached.removeAll() }
        cached[key] = (position, now, picture)
        return picture
    }

    /// Seconds without a question after which the decoder goes.
    package static let idleLimit = 15.0

    /// Looks again when the decoder may have become needless; there is nothing to look at while nobody asks.
    private func planRelease() {
        Task { [weak self] in
            // Nobody cancels it.
            try? await Task.sleep(for: .seconds(Self.idleLimit), tolerance: .seconds(1))
            self?.releaseIfIdle()
        }
    }

    /// Frees the decoder when nobody has asked for `seconds`; happens by itself after 15.
    package func releaseIfIdle(for seconds: Double = LivePicture.idleLimit) {
        guard isWarm.withLock({ $0 }) else { return }
        thread.enqueue { [self] in
            guard Double(clock.monotonic() - lastUse) / 1e6 >= seconds else { return planRelease() }
            decoder = nil
            decoderEntry = nil
            frame = nil
            position = nil
            cached.removeAll()
            isWarm.withLock { $0 = false }
        }
    }
}
