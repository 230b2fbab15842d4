import ISOBMFF
package import NIOCore
import NVRBase
import NVRModel
import Synchronization

/// What a look at a stream found out.
package struct StreamProbe: Sendable {
    package var width: Int?
    package var height: Int?
    package var codec: String?
    package var audioCodec: String?
    package var source: String?
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
    package func probe(_ settings: StreamSettings, eventLoop: any EventLoop, timeout: Double = 12) async -> StreamProbe {
        var first = await probeOnce(settings, eventLoop: eventLoop, useLibav: false, timeout: timeout)
        if first.retryWithLibav {
            first = await probeOnce(settings, eventLoop: eventLoop, useLibav: true, timeout: timeout)
        }
        return first.result
    }

    private func probeOnce(
        _ settings: StreamSettings, eventLoop: any EventLoop, useLibav: Bool, timeout: Double
    ) async -> (result: StreamProbe, retryWithLibav: Bool) {
        let source = source(for: settings, eventLoop: eventLoop, useLibav: useLibav)
        let hub = StreamHub(role: .main)
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
