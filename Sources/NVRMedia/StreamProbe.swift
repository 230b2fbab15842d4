import ISOBMFF
package import NIOCore
package import NVRBase
import NVRModel
import RTSP
import Synchronization

/// What a look at a stream found out.
package struct StreamProbe: Sendable {
    package var width: Int?
    package var height: Int?
    package var codec: String?
    package var audioCodec: String?
    package var source: String?
    /// What the camera shows: a JPEG, when it was asked for and the key frame decodes.
    package var picture: [UInt8]?
    /// Why there is nothing to tell; free of credentials.
    package var error: String?

    package init(width: Int? = nil, height: Int? = nil, codec: String? = nil, audioCodec: String? = nil, source: String? = nil, error: String? = nil)
    {
        self.width = width
        self.height = height
        self.codec = codec
        self.audioCodec = audioCodec
        self.source = source
        self.error = error
    }
}

extension ReaderEnvironment {
    /// Connects once, waits for the first keyframe and disconnects. Ends within `timeout` seconds.
    ///
    /// `pictures`: the thread that decodes a picture of `width` pixels at most; nil when none is wanted.
    package func probe(
        _ settings: StreamSettings, eventLoop: any EventLoop, timeout: Double = 12, pictures: (thread: BlockingThread, width: Int)? = nil
    ) async -> StreamProbe {
        let keyframe = FirstKeyframe()
        var first = await probeOnce(settings, eventLoop: eventLoop, useLibav: false, timeout: timeout, keyframe)
        if first.retryWithLibav {
            first = await probeOnce(settings, eventLoop: eventLoop, useLibav: true, timeout: timeout, keyframe)
        }
        guard let pictures, first.result.error == nil, let (entry, packet) = keyframe.found else { return first.result }
        // A stream that is understood and does not decode has no picture; what is known of it is told all the same.
        first.result.picture = try? await pictures.thread.run {
            let bytes = packet.bytes.withUnsafeBytes { Array($0) }
            return try StillPicture.decode(bytes, entry: entry, time: packet.wall, width: pictures.width).jpeg
        }
        return first.result
    }

    /// Keeps the first key frame that comes.
    private final class FirstKeyframe: PacketSink {
        private struct State {
            var entry: VideoSampleEntry?
            var packet: MediaPacket?
        }

        private let state = Mutex(State())

        var found: (VideoSampleEntry, MediaPacket)? {
            state.withLock { state in state.entry.flatMap { entry in state.packet.map { (entry, $0) } } }
        }

        func begin(_ description: StreamDescription) {
            state.withLock { state in
                state.entry = description.video
                state.packet = nil
            }
        }

        func receive(_ packet: MediaPacket) {
            guard packet.kind == .video, packet.isKeyframe, !packet.isDamaged else { return }
            state.withLock { state in
                if state.packet == nil { state.packet = packet }
            }
        }

        func interrupted() {}
    }

    private func probeOnce(
        _ settings: StreamSettings, eventLoop: any EventLoop, useLibav: Bool, timeout: Double, _ keyframe: FirstKeyframe
    ) async -> (result: StreamProbe, retryWithLibav: Bool) {
        let source = source(for: settings, eventLoop: eventLoop, useLibav: useLibav)
        let hub = StreamHub(role: .main)
        let key = hub.attach(keyframe, from: .next)
        defer { hub.detach(key) }
        let outcome: (StreamProbe, Bool) = await withTaskGroup(of: (StreamProbe, Bool)?.self) { group in
            group.addTask {
                do {
                    try await source.run(into: hub)
                    return (StreamProbe(error: "the camera ended the stream"), false)
                } catch let failure as SourceFailure {
                    return (StreamProbe(error: failure.reason), failure.isUnintelligible && !useLibav && source.name == "rtsp")
                } catch {
                    return nil
                }
            }
            group.addTask {
                let steps = Int(timeout * 20)
                for _ in 0..<steps {
                    if let description = hub.description, hub.lastVideoArrival != nil {
                        return (
                            StreamProbe(
                                width: description.video.width, height: description.video.height, codec: description.videoCodecName,
                                audioCodec: description.audio?.name, source: source.name), false
                        )
                    }
                    // Cancelled when the source has failed before.
                    guard (try? await Task.sleep(for: .milliseconds(50))) != nil else { return nil }
                }
                return (StreamProbe(error: "no picture came within \(Int(timeout)) s"), false)
            }
            var answer: (StreamProbe, Bool)?
            while answer == nil, let next = await group.next() { answer = next }
            group.cancelAll()
            return answer ?? (StreamProbe(error: "the look was stopped"), false)
        }
        return (outcome.0, outcome.1)
    }
}
