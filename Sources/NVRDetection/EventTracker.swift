/// What a reading did to the present event. Times are microseconds on the stream's time line.
package enum EventTransition: Hashable, Sendable {
    /// An event began: the time of its first picture with motion, a little in the past.
    case begin(at: Int64)
    /// A picture with motion within an event; `isBest` when it is the best to show so far.
    case update(isBest: Bool)
    /// The event ended: the time of its last picture with motion.
    case end(at: Int64)
}

/// Makes events of readings: begins one after enough pictures with motion, ends it after enough time without.
///
/// Pure: all times come with the readings and ticks.
package struct EventTracker: Hashable, Sendable {
    private enum State: Hashable, Sendable {
        case quiet
        /// Motion that may become an event.
        case candidate(first: Int64, last: Int64, pictures: Int, misses: Int)
        case event(last: Int64, best: Double)
    }

    private let minMotionFrames: Int
    /// Microseconds.
    private let motionGap: Int64
    private var state = State.quiet

    package init(_ configuration: DetectorConfiguration) {
        minMotionFrames = max(1, configuration.minMotionFrames)
        let (seconds, attoseconds) = configuration.motionGap.components
        motionGap = min(max(seconds, 0), 86_400) * 1_000_000 + max(0, attoseconds / 1_000_000_000_000)
    }

    package var isInEvent: Bool {
        if case .event = state { true } else { false }
    }

    /// Takes the reading of the picture at `time`. The transitions come in order; none for most pictures.
    package mutating func track(_ reading: MotionReading, at time: Int64) -> [EventTransition] {
        // What is long over ends before what is new begins.
        let ended = tick(time)
        guard reading.isMotion, !reading.isGlobalChange else {
            if case .candidate(let first, let last, let pictures, let misses) = state {
                state = misses >= 1 ? .quiet : .candidate(first: first, last: last, pictures: pictures, misses: misses + 1)
            }
            return ended
        }
        switch state {
        case .event(_, let best):
            // A tenth better, or the same picture would be replaced all the time.
            let isBest = reading.score > best * 1.1
            state = .event(last: time, best: isBest ? reading.score : best)
            return ended + [.update(isBest: isBest)]
        case .quiet:
            return ended + advance(first: time, pictures: 1, reading, at: time)
        case .candidate(let first, _, let pictures, _):
            return ended + advance(first: first, pictures: pictures + 1, reading, at: time)
        }
    }

    private mutating func advance(first: Int64, pictures: Int, _ reading: MotionReading, at time: Int64) -> [EventTransition] {
        guard pictures >= minMotionFrames else {
            state = .candidate(first: first, last: time, pictures: pictures, misses: 0)
            return []
        }
        state = .event(last: time, best: reading.score)
        return [.begin(at: first), .update(isBest: true)]
    }

    /// Lets time pass without a picture, as when the stream is lost: ends an event whose gap is over.
    package mutating func tick(_ now: Int64) -> [EventTransition] {
        switch state {
        case .quiet:
            return []
        case .candidate(_, let last, _, _):
            if isOver(last, now) { state = .quiet }
            return []
        case .event(let last, _):
            guard isOver(last, now) else { return [] }
            state = .quiet
            return [.end(at: last)]
        }
    }

    /// Ends what is open, whatever the time: the detector stops, or the stream's time line breaks.
    package mutating func finish() -> [EventTransition] {
        defer { state = .quiet }
        guard case .event(let last, _) = state else { return [] }
        return [.end(at: last)]
    }

    /// The gap has passed, or time ran backwards by more than a second: then it is another time line.
    private func isOver(_ last: Int64, _ now: Int64) -> Bool {
        let (elapsed, overflow) = now.subtractingReportingOverflow(last)
        return overflow || elapsed >= max(1, motionGap) || elapsed < -1_000_000
    }
}
