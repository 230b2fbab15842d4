#if canImport(Glibc)
    import Glibc
#endif
package import Logging
package import NVRBase
package import NVRDetection
package import NVRMedia
package import NVRModel
import Synchronization

/// What motion detection has to tell of a camera, in order.
package enum MotionNews: Sendable {
    case began(at: WallTime)
    /// The best picture so far with its score; boxes as JSON text.
    case best(Picture, score: Double, boxes: String)
    case ended(at: WallTime)
}

/// Looks for motion in one stream: samples its frames, asks the detector, tracks events. Everything happens on the sampler's
/// thread; the news goes into a bounded stream.
///
/// `@unchecked Sendable`: detector, tracker and picture are touched only on the sampler's thread.
package final class MotionWatch: FrameWatcher, @unchecked Sendable {
    /// Seconds between analysed pictures.
    private static let interval = 0.2

    package let news: AsyncStream<MotionNews>
    private let continuation: AsyncStream<MotionNews>.Continuation
    private let hub: StreamHub
    private let hours: Camera.Schedule?
    private let logger: Logger
    private var detector: any Detector
    private var tracker: EventTracker
    private var picture = LumaPicture()
    private var calmness: Calmness
    private var sampler: FrameSampler?
    private let key = Mutex<Int?>(nil)
    private let lost = Mutex(0)

    package init(configuration: DetectorConfiguration, hours: Camera.Schedule?, hub: StreamHub, thread: BlockingThread, logger: Logger) {
        (news, continuation) = AsyncStream.makeStream(of: MotionNews.self, bufferingPolicy: .bufferingOldest(256))
        self.hub = hub
        self.hours = hours
        self.logger = logger
        detector = AdaptiveBackgroundDetector(configuration)
        tracker = EventTracker(configuration)
        calmness = Calmness(motionGap: configuration.motionGap)
        let sampler = FrameSampler(thread: thread, interval: Self.interval, watcher: self)
        self.sampler = sampler
        key.withLock { $0 = hub.attach(sampler, from: .lastKeyframe) }
    }

    /// Pictures left out because decoding fell behind, and news nobody took.
    var dropped: Int { (sampler?.dropped ?? 0) + lost.withLock { $0 } }

    /// Frames decoded so far, and frames that did not need to be; both on the sampler's thread.
    package var effort: (decoded: Int, spared: Int) { sampler?.effort ?? (0, 0) }

    private func send(_ item: MotionNews) {
        if case .dropped = continuation.yield(item) { lost.withLock { $0 += 1 } }
    }

    package var attention: DecodeThrift.Attention { calmness.attention }

    package func look(_ frame: SampledFrame) {
        take(frame, read(frame, by: &detector))
    }

    package func peek(_ frame: SampledFrame) -> Bool {
        var trial = detector
        let reading = read(frame, by: &trial)
        guard calmness.expects(reading) else { return false }
        detector = trial
        take(frame, reading)
        return true
    }

    package func failed(_ error: any Error) {
        logger.warning("a picture cannot be analysed", metadata: ["error": "\(error)"])
    }

    private func read(_ frame: SampledFrame, by detector: inout any Detector) -> MotionReading {
        picture.withMutableSamples { target in _ = target.update(fromContentsOf: frame.luma) }
        return detector.analyse(picture, at: frame.time.microseconds)
    }

    private func take(_ frame: SampledFrame, _ reading: MotionReading) {
        let time = frame.time.microseconds
        defer { calmness.saw(reading, isInEvent: tracker.isInEvent, at: time) }
        let counts = isInHours(frame.time)
        for transition in counts ? tracker.track(reading, at: time) : tracker.finish() {
            switch transition {
            case .begin(let at): send(.began(at: WallTime(microseconds: at)))
            case .update(let isBest):
                guard isBest else { continue }
                do {
                    send(.best(try frame.jpeg(quality: 85, width: min(frame.width, 1280)), score: reading.score, boxes: Self.json(reading.boxes)))
                } catch {
                    logger.warning("a thumbnail cannot be made", metadata: ["error": "\(error)"])
                }
            case .end(let at): send(.ended(at: WallTime(microseconds: at)))
            }
        }
    }

    package func streamEnded() {
        calmness.reset()
        for case .end(let at) in tracker.finish() { send(.ended(at: WallTime(microseconds: at))) }
        detector.reset()
    }

    private func isInHours(_ time: WallTime) -> Bool {
        guard let hours else { return true }
        var seconds = time_t(time.microseconds / 1_000_000)
        var local = tm()
        localtime_r(&seconds, &local)
        return hours.contains(weekday: Int(local.tm_wday), minute: Int(local.tm_hour) * 60 + Int(local.tm_min))
    }

    private static func json(_ boxes: [PictureBox]) -> String {
        func short(_ value: Double) -> String { String((value * 1000).rounded() / 1000) }
        let list = boxes.map { "[\(short($0.x)),\(short($0.y)),\(short($0.width)),\(short($0.height))]" }
        return "{\"boxes\":[\(list.joined(separator: ","))]}"
    }

    /// Stops looking; an event that is open ends.
    package func end(on thread: BlockingThread) {
        let attached = key.withLock { key in
            defer { key = nil }
            return key
        }
        if let attached { hub.detach(attached) }
        let queued = thread.enqueue { [self] in
            streamEnded()
            continuation.finish()
        }
        if !queued { continuation.finish() }
    }
}
