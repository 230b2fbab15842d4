import ISOBMFF
package import Logging
import NVRBase
import NVRMedia
package import NVRModel
import Synchronization

/// Takes one stream's chunks for the disk. Chunks wait in a bounded queue; when it is full because the disk is slow or full, the oldest
/// GOPs go and are counted. A `SegmentPen` writes them into files, on the thread of the volume where they belong; another volume gets
/// another pen, between two segments, or when the thread of the old one hangs.
///
/// `@unchecked Sendable`: everything that changes is behind a mutex.
package final class SegmentWriter: @unchecked Sendable {
    /// What the writer needs to know of its camera.
    package struct Configuration: Sendable, Equatable {
        package var cameraID: ID<Camera>
        package var role: StreamRole
        /// `movie_file_name`.
        package var fileName: String
        /// Segments of a continuous recording are listed as events; those around motion are not, the motion is.
        package var listsSegments: Bool
        /// Where files are to lie; the default folder takes them while that volume cannot.
        package var volume: VolumeID

        package init(cameraID: ID<Camera>, role: StreamRole, fileName: String, listsSegments: Bool, volume: VolumeID = .standard) {
            self.volume = volume
            self.cameraID = cameraID
            self.role = role
            self.fileName = fileName
            self.listsSegments = listsSegments
        }
    }

    /// What a pen is to do next.
    enum Order {
        /// Write the first chunk of the queue. `isAfterLoss`: what was before it is missing.
        case write(Chunk, isAfterLoss: Bool)
        case rest
        /// Another pen writes now.
        case retire
    }

    private struct Queue {
        var chunks: [Chunk] = []
        var bytes = 0
        var droppedFrames = 0
        var lostSinceLast = false
        /// The pen has a turn, or gets one.
        var isScheduled = false
        var pen: SegmentPen
    }

    private let configuration: Configuration
    private let fileNamePattern: Mutex<String>
    private let volume: Mutex<VolumeID>
    private let disk: DiskWriter
    private let logger: Logger
    private let queue: Mutex<Queue>
    private let written = Mutex<(total: Int64, recent: [(second: Int64, bytes: Int64)])>((0, []))

    package init(configuration: Configuration, disk: DiskWriter, logger: Logger) {
        self.configuration = configuration
        fileNamePattern = Mutex(configuration.fileName)
        volume = Mutex(configuration.volume)
        self.disk = disk
        self.logger = logger
        let lane = disk.lane(of: disk.target(of: configuration.volume))
        queue = Mutex(Queue(pen: SegmentPen(configuration: configuration, lane: lane, disk: disk, logger: logger)))
        disk.setHome(of: ObjectIdentifier(self), configuration.cameraID, lane.volume)
    }

    deinit { disk.setHome(of: ObjectIdentifier(self), configuration.cameraID, nil) }

    /// The pattern of the names of files that are made from now on.
    package func setFileName(_ pattern: String) { fileNamePattern.withLock { $0 = pattern } }

    /// Where files are to lie that are made from now on.
    package func setVolume(_ volume: VolumeID) { self.volume.withLock { $0 = volume } }

    var fileName: String { fileNamePattern.withLock { $0 } }
    var wish: VolumeID { volume.withLock { $0 } }

    /// Frames lost because the disk did not keep up.
    package var droppedFrames: Int { queue.withLock { $0.droppedFrames } }

    func noteDropped(_ frames: Int) { queue.withLock { $0.droppedFrames += frames } }

    /// Bytes written in the last minute before `now` (monotonic microseconds).
    package func recentBytes(now: Int64) -> Int64 {
        written.withLock { written in
            written.recent.filter { now / 1_000_000 - $0.second < 60 }.reduce(0) { $0 + $1.bytes }
        }
    }

    func account(_ bytes: Int64) {
        let second = disk.clock.monotonic() / 1_000_000
        written.withLock { written in
            written.total += bytes
            if written.recent.last?.second == second {
                written.recent[written.recent.count - 1].bytes += bytes
            } else {
                written.recent.append((second, bytes))
                written.recent.removeAll { second - $0.second >= 60 }
            }
        }
    }

    /// Queues a chunk; never blocks.
    package func append(_ chunk: Chunk) {
        let bytes = chunk.bytes
        let (pen, isNew, lost) = queue.withLock { queue in
            var lost: WallTime?
            while queue.bytes + bytes > disk.bufferBytes, let oldest = queue.chunks.first {
                lost = lost ?? oldest.video.first?.wall ?? chunk.video.first?.wall
                Self.dropOldestGOP(&queue)
            }
            queue.chunks.append(chunk)
            queue.bytes += bytes
            defer { queue.isScheduled = true }
            return (queue.pen, !queue.isScheduled, lost)
        }
        if let lost { disk.fellBehind(configuration.cameraID, shown: lost) }
        if isNew { disk.schedule(WritingLane.Turn(writer: self, pen: pen)) }
        // Nothing stands in for the default folder.
        guard pen.lane.volume != .standard, pen.lane.isStuck(now: disk.clock.monotonic()) else { return }
        disk.distrust(pen.lane.volume, reason: DiskWriter.silence)
        leaveHanging(pen)
    }

    /// Drops the first chunk and those after it up to the next that starts with a keyframe.
    private static func dropOldestGOP(_ queue: inout Queue) {
        var count = 1
        while count < queue.chunks.count, !queue.chunks[count].startsWithKeyframe { count += 1 }
        for chunk in queue.chunks.prefix(count) {
            queue.bytes -= chunk.bytes
            queue.droppedFrames += chunk.video.count
        }
        queue.chunks.removeFirst(count)
        queue.lostSinceLast = true
    }

    /// Waits until what is queued is on the disk; its last chunk ends the segment. A disk that does not work or hangs is not waited for.
    package func finish() async {
        // Once for each volume that what is queued may come by.
        for _ in 0..<4 {
            let pen = queue.withLock { $0.pen }
            do {
                if try await disk.run(on: pen.lane, patience: DiskWriter.farewell, { [self] in pen.finish(for: self) }) { return }
            } catch is DiskThread.Unanswered {
                guard pen.lane.volume != .standard else { return }
                // It may just be slow: nobody else has to leave it.
                leaveHanging(pen)
            } catch {
                // Only when the thread has ended, and then nothing is open.
                return
            }
        }
    }

    // MARK: For pens

    func isCurrent(_ pen: SegmentPen) -> Bool { queue.withLock { $0.pen === pen } }

    /// Footage was lost that no pen has heard of.
    var isAfterLoss: Bool { queue.withLock { $0.lostSinceLast } }

    func order(for pen: SegmentPen) -> Order {
        queue.withLock { queue in
            guard queue.pen === pen else { return .retire }
            guard let first = queue.chunks.first else {
                queue.isScheduled = false
                return .rest
            }
            defer { queue.lostSinceLast = false }
            return .write(first, isAfterLoss: queue.lostSinceLast)
        }
    }

    /// The chunk is written. False when another pen writes it as well.
    func wrote(_ chunk: Chunk, with pen: SegmentPen) -> Bool {
        queue.withLock { queue in
            guard queue.pen === pen else { return false }
            // The queue may have dropped it meanwhile; then the count was made there.
            guard let first = queue.chunks.first, first.video.first?.sequence == chunk.video.first?.sequence else { return true }
            queue.chunks.removeFirst()
            queue.bytes -= chunk.bytes
            return true
        }
    }

    /// Nothing more is tried.
    func giveUp(_ pen: SegmentPen) {
        queue.withLock { queue in
            guard queue.pen === pen else { return }
            queue.chunks.removeAll()
            queue.bytes = 0
            queue.isScheduled = false
        }
    }

    /// Goes on with another pen, on its lane. On the old pen's thread, as the last it does: what it has open it has closed.
    func pass(from pen: SegmentPen, to next: SegmentPen) {
        let isPassed = queue.withLock { queue in
            guard queue.pen === pen else { return false }
            queue.pen = next
            queue.isScheduled = true
            return true
        }
        guard isPassed else { return }
        disk.setHome(of: ObjectIdentifier(self), configuration.cameraID, next.lane.volume)
        disk.schedule(WritingLane.Turn(writer: self, pen: next))
    }

    // MARK: Hanging

    /// The thread of a volume hangs: what waits goes on in the default folder, from the next keyframe on, and what the thread has in hand
    /// ends when it comes back.
    private func leaveHanging(_ pen: SegmentPen) {
        let next = SegmentPen(configuration: configuration, lane: disk.lane(of: .standard), disk: disk, logger: logger)
        next.decline(pen.lane.volume)
        let (isPassed, lost) = queue.withLock { queue -> (Bool, WallTime?) in
            guard queue.pen === pen else { return (false, nil) }
            queue.pen = next
            queue.isScheduled = true
            guard let first = queue.chunks.first, !first.startsWithKeyframe else { return (true, nil) }
            queue.lostSinceLast = true
            return (true, first.video.first?.wall)
        }
        guard isPassed else { return }
        if let lost { disk.fellBehind(configuration.cameraID, shown: lost) }
        disk.setHome(of: ObjectIdentifier(self), configuration.cameraID, .standard)
        disk.schedule(WritingLane.Turn(writer: self, pen: next))
        pen.lane.thread.enqueue { pen.retire() }
    }
}
