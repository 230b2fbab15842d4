package import ISOBMFF
import NVRModel
package import RTSP

/// Makes published packets of the frames a source delivers: repairs their times, holds back what precedes the first keyframe, and
/// starts a new run when the stream begins or the wall clock is set. Confined to the thread of its source; time is passed in.
package struct PacketAssembler {
    /// What to publish, in order.
    package enum Output {
        case description(StreamDescription)
        case packet(MediaPacket)
    }

    /// A video frame as a source has it.
    package struct VideoFrame {
        package var bytes: MediaBytes
        package var stamp: TimestampRepair.Stamp
        package var arrival: Int64
        package var isKeyframe: Bool
        package var isDamaged: Bool
        package var isReordered: Bool

        package init(
            bytes: MediaBytes, stamp: TimestampRepair.Stamp, arrival: Int64, isKeyframe: Bool, isDamaged: Bool, isReordered: Bool
        ) {
            self.bytes = bytes
            self.stamp = stamp
            self.arrival = arrival
            self.isKeyframe = isKeyframe
            self.isDamaged = isDamaged
            self.isReordered = isReordered
        }
    }

    private struct Run {
        var description: StreamDescription
        /// Monotonic microseconds of tick 0.
        var zero: Int64
        var video: TimestampRepair
        var audio: TimestampRepair?
    }

    private var run: Run?
    private var anchor = WallAnchor()
    private var wallStepped = false
    /// Where the newest video frame stands on the timeline, monotonic microseconds.
    package private(set) var lastVideoMonotonic: Int64?
    private let audio: StreamDescription.AudioTrack?
    private let videoTicks: Int64

    /// Frames before the first keyframe, which nothing could show.
    package private(set) var skippedFrames = 0
    /// Frames whose time was repaired in finished and current runs.
    package private(set) var repairedFrames = 0

    /// `audio`: the stream's audio track, when it has one we take. `framerate`: nominal frames a second, when known.
    package init(audio: StreamDescription.AudioTrack?, framerate: Double?) {
        self.audio = audio
        let rate = framerate.flatMap { $0 >= 1 && $0 <= 240 ? $0 : nil } ?? 15
        videoTicks = Int64(Double(StreamDescription.videoTimescale) / rate)
    }

    /// Monotonic microseconds → ticks since the run's origin.
    private static func ticks(_ arrival: Int64, since zero: Int64, timescale: Int) -> Int64 {
        let elapsed = max(0, arrival &- zero)
        return elapsed / 1_000_000 * Int64(timescale) + elapsed % 1_000_000 * Int64(timescale) / 1_000_000
    }

    private static func microseconds(_ ticks: Int64, timescale: Int) -> Int64 {
        let scale = Int64(timescale)
        return ticks / scale * 1_000_000 + ticks % scale * 1_000_000 / scale
    }

    /// Takes a video frame. `entry` is the sample entry in force at this frame, nil while parameter sets are unknown.
    /// `wall` is the wall time now, microseconds UTC.
    package mutating func video(_ frame: VideoFrame, entry: VideoSampleEntry?, wall: Int64, emit: (Output) -> Void) {
        if anchor.hasStepped(monotonic: frame.arrival, wall: wall) { wallStepped = true }
        if frame.isKeyframe, let entry {
            if run == nil || wallStepped {
                wallStepped = false
                let description = StreamDescription(run: wall, origin: WallTime(microseconds: wall), video: entry, audio: audio)
                run = Run(
                    description: description, zero: frame.arrival,
                    video: TimestampRepair(rate: StreamDescription.videoTimescale, nominalStep: Int(videoTicks)),
                    audio: audio.map { TimestampRepair(rate: $0.timescale, nominalStep: max(1, $0.timescale / 50)) })
                emit(.description(description))
            } else if var current = run, current.description.video != entry {
                current.description.video = entry
                run = current
                emit(.description(current.description))
            }
        }
        guard var current = run else {
            skippedFrames += 1
            return
        }
        let arrival = Self.ticks(frame.arrival, since: current.zero, timescale: StreamDescription.videoTimescale)
        let before = current.video.repairedCount
        if frame.isReordered { reorders = true }
        let time = current.video.next(frame.stamp, arrival: arrival, isReordered: reorders)
        lastVideoMonotonic = current.zero &+ Self.microseconds(time.pts, timescale: StreamDescription.videoTimescale)
        repairedFrames += current.video.repairedCount - before
        run = current
        let wallTime = current.description.origin.advanced(
            byMicroseconds: Self.microseconds(time.dts, timescale: StreamDescription.videoTimescale))
        emit(
            .packet(
                MediaPacket(
                    kind: .video, bytes: frame.bytes, dts: time.dts, pts: time.pts, isKeyframe: frame.isKeyframe,
                    isDamaged: frame.isDamaged, wall: wallTime, arrival: frame.arrival)))
    }

    /// B frames have been seen in this stream.
    private var reorders = false

    /// Takes an audio frame; dropped before the first video keyframe. `referenceArrival`: the monotonic microseconds at which it
    /// belongs by the camera's sender reports, when they are known.
    package mutating func audio(
        _ bytes: MediaBytes, stamp: TimestampRepair.Stamp, arrival: Int64, referenceArrival: Int64?, emit: (Output) -> Void
    ) {
        guard var current = run, let track = audio, var repair = current.audio else { return }
        let time = repair.next(
            stamp, arrival: Self.ticks(arrival, since: current.zero, timescale: track.timescale),
            reference: referenceArrival.map { Self.ticks($0, since: current.zero, timescale: track.timescale) })
        current.audio = repair
        run = current
        let wallTime = current.description.origin.advanced(byMicroseconds: Self.microseconds(time.dts, timescale: track.timescale))
        emit(
            .packet(
                MediaPacket(
                    kind: .audio, bytes: bytes, dts: time.dts, pts: time.dts, isKeyframe: true, isDamaged: false, wall: wallTime,
                    arrival: arrival)))
    }

    /// The source lost the stream: the next keyframe begins a new run.
    package mutating func interrupted() {
        run = nil
        wallStepped = false
        reorders = false
        lastVideoMonotonic = nil
    }
}
