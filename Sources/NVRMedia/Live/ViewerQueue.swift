import DequeModule
package import NVRModel

/// What the frames behind it are.
package struct LiveRun: Sendable, Equatable {
    package var description: StreamDescription
    package var role: StreamRole
    /// As measured; nil when nothing was there to measure.
    package var framesPerSecond: Double?
    /// The camera sends another codec.
    package var isTranscoded: Bool

    package init(description: StreamDescription, role: StreamRole, framesPerSecond: Double? = nil, isTranscoded: Bool = false) {
        self.isTranscoded = isTranscoded
        self.description = description
        self.role = role
        self.framesPerSecond = framesPerSecond
    }
}

/// What waits for one viewer, bounded. A viewer who does not keep up loses everything up to the next keyframe, and is told how many
/// pictures that were; nobody else notices. Pure: time is passed in.
package struct ViewerQueue: Sendable {
    package enum Item: Sendable {
        case run(LiveRun)
        case frame(LiveFrame)
        case interruption
        /// Pictures that were left out here.
        case lost(Int)
    }

    private struct Entry {
        var item: Item
        /// Monotonic microseconds.
        var queuedAt: Int64

        var frame: LiveFrame? {
            if case .frame(let frame) = item { return frame }
            return nil
        }
    }

    /// Bytes that may wait. A single GOP that is larger is still begun.
    package let largest: Int
    /// Microseconds that a frame may wait.
    package let longest: Int64
    private var entries = Deque<Entry>()
    private var waitsForKeyframe = false
    /// Pictures left out that the viewer has not been told of.
    private var untold = 0
    package private(set) var bytes = 0
    private var frames = 0
    /// Pictures left out since the viewer came.
    package private(set) var lost = 0

    package init(largest: Int = 4 << 20, longest: Int64 = 3_000_000) {
        self.largest = largest
        self.longest = longest
    }

    package var isEmpty: Bool { entries.isEmpty }

    package mutating func append(_ run: LiveRun, at now: Int64) {
        waitsForKeyframe = false
        entries.append(Entry(item: .run(run), queuedAt: now))
    }

    package mutating func appendInterruption(at now: Int64) { entries.append(Entry(item: .interruption, queuedAt: now)) }

    /// Another stream takes the place of this one: what waits is of no more use, and nobody misses it.
    package mutating func removeAll() {
        entries.removeAll()
        bytes = 0
        frames = 0
        waitsForKeyframe = false
    }

    package mutating func append(_ frame: LiveFrame, at now: Int64) {
        if waitsForKeyframe {
            guard frame.isKeyframe else {
                if frame.kind == .video { count(1) }
                return
            }
            waitsForKeyframe = false
            tell(at: now)
        }
        entries.append(Entry(item: .frame(frame), queuedAt: now))
        bytes += frame.byteCount
        frames += 1
        if isTooMuch(at: now) { skip(at: now) }
    }

    package mutating func popFirst() -> Item? {
        guard let entry = entries.popFirst() else { return nil }
        if let frame = entry.frame {
            bytes -= frame.byteCount
            frames -= 1
        }
        return entry.item
    }

    private func isTooMuch(at now: Int64) -> Bool {
        // One alone is sent, however large or old it is.
        guard frames > 1, let oldest = entries.first(where: { $0.frame != nil }) else { return false }
        return bytes > largest || now - oldest.queuedAt > longest
    }

    private mutating func count(_ pictures: Int) {
        untold += pictures
        lost += pictures
    }

    private mutating func tell(at now: Int64) {
        guard untold > 0 else { return }
        entries.append(Entry(item: .lost(untold), queuedAt: now))
        untold = 0
    }

    /// Goes on at the newest keyframe that waits, when that is enough; else at the next that comes.
    private mutating func skip(at now: Int64) {
        let old = entries
        let key = old.lastIndex { $0.frame?.isKeyframe == true }
        // A keyframe that is first in line has been waited for as long as the rest.
        let from = key.flatMap { key in old[..<key].contains { $0.frame != nil } ? key : nil } ?? old.endIndex
        entries.removeAll(keepingCapacity: true)
        bytes = 0
        frames = 0
        for (index, entry) in old.enumerated() {
            if index == from { tell(at: now) }
            guard let frame = entry.frame else {
                // What describes the stream always arrives.
                if case .lost(let pictures) = entry.item { untold += pictures } else { entries.append(entry) }
                continue
            }
            if index >= from {
                entries.append(entry)
                bytes += frame.byteCount
                frames += 1
            } else if frame.kind == .video {
                count(1)
            }
        }
        if from == old.endIndex { waitsForKeyframe = true } else if isTooMuch(at: now) { skip(at: now) }
    }
}
