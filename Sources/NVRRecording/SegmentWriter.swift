#if canImport(Glibc)
    import Glibc
#endif
import ISOBMFF
package import Logging
import NVRBase
import NVRMedia
package import NVRModel
import NVRStore
import Synchronization

/// Writes one stream's chunks into segment files: create → sync file → sync folder → row, fragment after fragment, and at the end
/// the final row. Chunks wait in a bounded queue; when it is full because the disk is slow or full, the oldest GOPs go and are counted.
///
/// `@unchecked Sendable`: the queue is behind a mutex, everything else is touched only on the disk's thread.
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

    /// Tries after which a file that cannot be written is given up, unless the disk is full.
    private static let mostTries = 4

    private struct Queue {
        var chunks: [Chunk] = []
        var bytes = 0
        var droppedFrames = 0
        var droppedChunks = 0
        var lostSinceLast = false
        var isFinishing = false
        var isScheduled = false
    }

    private let configuration: Configuration
    private let fileName: Mutex<String>
    private let volume: Mutex<VolumeID>
    private let disk: DiskWriter
    private let logger: Logger
    private let queue = Mutex(Queue())
    private let written = Mutex<(total: Int64, recent: [(second: Int64, bytes: Int64)])>((0, []))

    // Touched on the disk's thread only.
    private var open: OpenSegment?
    private var sound: SegmentSound
    private var needsKeyframe = false
    /// The file may not be sound: the next keyframe begins another.
    private var endsAtKeyframe = false
    private var failedTries = 0

    package init(configuration: Configuration, disk: DiskWriter, logger: Logger) {
        self.configuration = configuration
        fileName = Mutex(configuration.fileName)
        volume = Mutex(configuration.volume)
        self.disk = disk
        self.logger = logger
        sound = SegmentSound(logger: logger)
    }

    /// The pattern of the names of files that are made from now on.
    package func setFileName(_ pattern: String) { fileName.withLock { $0 = pattern } }

    /// Where files are to lie that are made from now on.
    package func setVolume(_ volume: VolumeID) { self.volume.withLock { $0 = volume } }

    /// Frames lost because the disk did not keep up.
    package var droppedFrames: Int { queue.withLock { $0.droppedFrames } }

    /// Bytes written in the last minute before `now` (monotonic microseconds).
    package func recentBytes(now: Int64) -> Int64 {
        written.withLock { written in
            written.recent.filter { now / 1_000_000 - $0.second < 60 }.reduce(0) { $0 + $1.bytes }
        }
    }

    /// Queues a chunk; never blocks.
    package func append(_ chunk: Chunk) {
        let bytes = chunk.bytes
        let (schedule, lost) = queue.withLock { queue in
            var lost: WallTime?
            while queue.bytes + bytes > disk.bufferBytes, let oldest = queue.chunks.first {
                lost = lost ?? oldest.video.first?.wall ?? chunk.video.first?.wall
                Self.dropOldestGOP(&queue)
            }
            queue.chunks.append(chunk)
            queue.bytes += bytes
            if queue.isScheduled { return (false, lost) }
            queue.isScheduled = true
            return (true, lost)
        }
        if let lost { disk.fellBehind(configuration.cameraID, shown: lost) }
        if schedule { disk.schedule(self) }
    }

    /// Drops the first chunk and those after it up to the next that starts with a keyframe.
    private static func dropOldestGOP(_ queue: inout Queue) {
        var count = 1
        while count < queue.chunks.count, !queue.chunks[count].startsWithKeyframe { count += 1 }
        for chunk in queue.chunks.prefix(count) {
            queue.bytes -= chunk.bytes
            queue.droppedFrames += chunk.video.count
            queue.droppedChunks += 1
        }
        queue.chunks.removeFirst(count)
        queue.lostSinceLast = true
    }

    /// Waits until what is queued is on the disk; its last chunk ends the segment. A disk that does not work is not waited for.
    package func finish() async {
        // Refused only when the thread has ended, and then nothing is open.
        try? await disk.run { [self] in
            drain()
            // The end of the segment may be among what was lost. Else what is open belongs to a recording that has begun meanwhile.
            if queue.withLock({ $0.lostSinceLast }) { close() }
        }
    }

    // MARK: On the disk's thread

    func drain() {
        while true {
            let (chunk, lost) = queue.withLock { queue -> (Chunk?, Bool) in
                guard let first = queue.chunks.first else {
                    queue.isScheduled = false
                    return (nil, false)
                }
                defer { queue.lostSinceLast = false }
                return (first, queue.lostSinceLast)
            }
            guard let chunk else { return }
            if lost {
                close()
                needsKeyframe = true
            }
            do {
                try write(chunk)
                failedTries = 0
                disk.worked()
                if lost { disk.caughtUp(configuration.cameraID) }
                queue.withLock { queue in
                    // The queue may have dropped it meanwhile; then the count was made there.
                    guard let first = queue.chunks.first, first.video.first?.sequence == chunk.video.first?.sequence else { return }
                    queue.chunks.removeFirst()
                    queue.bytes -= chunk.bytes
                }
            } catch {
                if leavesVolume(after: error) { continue }
                disk.failed(error, camera: "\(configuration.cameraID)", shown: chunk.video.first?.wall)
                rollBack()
                giveUpFile(after: error)
                if disk.isStopping {
                    queue.withLock { queue in
                        queue.chunks.removeAll()
                        queue.bytes = 0
                        queue.isScheduled = false
                    }
                    return close()
                }
                return disk.retryLater(self)
            }
        }
    }

    /// After a failed write: the file is cut back to its last whole fragment and ends there; the chunk stays queued.
    private func rollBack() {
        guard let segment = open else { return }
        do {
            try segment.file.truncate(to: segment.storedLength)
        } catch {
            logger.error("a segment could not be cut back", metadata: ["error": "\(error)"])
        }
        if segment.entries.isEmpty {
            discard(segment)
            open = nil
        } else {
            needsKeyframe = false
        }
    }

    /// A file that refuses again and again ends, since another one may not; what was lost is at most up to the next keyframe.
    private func giveUpFile(after error: any Error) {
        failedTries += 1
        guard failedTries >= Self.mostTries, let error = error as? FileError, !error.isFull, open != nil else { return }
        failedTries = 0
        close()
        needsKeyframe = true
    }

    private func write(_ chunk: Chunk) throws {
        try disk.demandSpace(for: chunk.bytes, on: open?.volume ?? disk.writableVolume(volume.withLock { $0 }))
        // What cannot be written there any more goes on elsewhere.
        let isLost = open.map { !disk.layout.volumes.isWritable($0.volume) } ?? false
        if chunk.startsSegment || open == nil || needsKeyframe || (isLost || endsAtKeyframe) && chunk.startsWithKeyframe {
            guard chunk.startsWithKeyframe else {
                // What follows a loss can only be shown from the next keyframe on.
                queue.withLock { $0.droppedFrames += chunk.video.count }
                return
            }
            disk.count(fragmentBytes: try open?.appendHeldBack(by: chunk, from: &sound) ?? 0)
            close()
            try begin(chunk)
            needsKeyframe = false
            endsAtKeyframe = false
        }
        guard let before = open else { return }
        let soundBefore = sound
        var segment = before
        let written = try segment.append(chunk, with: &sound)
        open = segment
        disk.count(fragmentBytes: written)
        account(written)
        if !segment.hasRow {
            let isKept: Bool
            do {
                let synced = try segment.sync()
                disk.noteSynced(synced, of: configuration.cameraID)
                if let folder = POSIXFile.parent(of: segment.file.path) { try POSIXFile.syncDirectory(folder) }
                isKept = try disk.list(segment.id, end: segment.end, bytes: segment.storedLength, initLength: segment.initLength)
            } catch {
                // The chunk is written again, so it must not count as written.
                open = before
                sound.goBack(to: soundBefore)
                throw error
            }
            open = segment
            guard isKept else { return abandon() }
            open?.hasRow = true
            disk.growing.begin(
                segment.id,
                GrowingSegments.Extent(
                    cameraID: configuration.cameraID, role: configuration.role, start: segment.start, end: segment.end,
                    bytes: segment.storedLength, entries: segment.entries))
        } else {
            if let last = segment.entries.last { disk.growing.extend(segment.id, end: segment.end, bytes: segment.storedLength, entry: last) }
            disk.markDirty(self)
        }
        if chunk.endsSegment { close() }
    }

    /// Somebody deleted the segment while it was written: the file goes, and the next keyframe begins a new one.
    private func abandon() {
        guard let segment = open else { return }
        open = nil
        needsKeyframe = true
        disk.clean(self)
        disk.growing.remove(segment.id)
        do {
            try POSIXFile.remove(segment.file.path)
        } catch {
            logger.error("a deleted segment's file could not be removed", metadata: ["error": "\(error)"])
        }
    }

    private func account(_ bytes: Int64) {
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

    /// Begins a segment where it belongs, or in the default folder when that volume is not there.
    private func begin(_ chunk: Chunk) throws {
        let volume = disk.confirmedVolume(volume.withLock { $0 })
        do {
            try begin(chunk, on: volume)
        } catch let error as FileError where volume != .standard && error.isOfVolume {
            disk.layout.volumes.distrust(volume, reason: error.systemText, at: chunk.video.first?.wall ?? WallTime(microseconds: disk.clock.wall()))
            try begin(chunk, on: .standard)
        } catch let error as NVRError where volume != .standard && error.kind == .unavailable && !disk.layout.volumes.isWritable(volume) {
            try begin(chunk, on: .standard)
        }
    }

    /// A write was refused. True when that is the fault of a volume that footage can do without: what is on it ends, and goes on in the
    /// default folder.
    private func leavesVolume(after error: any Error) -> Bool {
        guard let volume = open?.volume, volume != .standard, let error = error as? FileError, error.isOfVolume else { return false }
        disk.layout.volumes.distrust(volume, reason: error.systemText, at: WallTime(microseconds: disk.clock.wall()))
        rollBack()
        close()
        needsKeyframe = true
        return true
    }

    /// Makes the file with its row in state `intended`.
    private func begin(_ chunk: Chunk, on volume: VolumeID) throws {
        guard let first = chunk.video.first else { return }
        try disk.demandPresence(volume)
        var tracks = [TrackDescription(id: 1, timescale: UInt32(StreamDescription.videoTimescale), kind: .video(chunk.description.video))]
        let soundTrack = sound.track(chunk.description)
        if let soundTrack { tracks.append(soundTrack) }
        let start = first.wall
        let identity = SegmentIdentity(cameraID: configuration.cameraID, role: configuration.role, run: chunk.description.run, start: start)
        let header = InitSegment.bytes(
            tracks: tracks, creationTime: start.microseconds / 1_000_000,
            identification: Identification(type: SegmentIdentity.boxType, payload: identity.payload))
        var encryption = disk.layout.cipher.sealer(.segment).map(SegmentEncryption.init)
        let head = try encryption?.begin(header) ?? header
        let pattern = fileName.withLock { $0 }
        for attempt in 0..<100 {
            let path = disk.layout.path(
                camera: configuration.cameraID, pattern: pattern, time: start, fileExtension: "mp4", attempt: attempt)
            let absolute = try disk.layout.absolute(FootagePlace(volume, path))
            try disk.makeFolder(of: absolute, on: volume)
            if POSIXFile.exists(absolute) { continue }
            let id: ID<Segment>
            do {
                id = try disk.intend(
                    Segment(
                        id: ID(0), cameraID: configuration.cameraID, role: configuration.role, run: chunk.description.run, volume: volume,
                        path: path, start: start, end: start, bytes: 0, state: .intended, width: chunk.description.video.width,
                        height: chunk.description.video.height, codecs: tracks.map { $0.codecString }.joined(separator: ","),
                        initLength: Int64(header.count), timescale: StreamDescription.videoTimescale, index: [],
                        key: disk.layout.cipher.writingKey),
                    isContinuous: configuration.listsSegments)
            } catch let error as NVRError where error.kind == .conflict {
                // A row whose file is gone has this name; it stays until somebody repairs it.
                continue
            }
            let file: POSIXFile
            do {
                file = try POSIXFile.create(absolute)
            } catch {
                disk.settle(WaitingRows.Entry(.discard(id), volume: volume))
                // Somebody else's file, made since we looked.
                if error.exists { continue }
                throw error
            }
            do {
                // The volume may have gone since it was looked at; then this file lies where it would have been.
                guard disk.layout.volumes.confirm(volume) else {
                    throw FileError(operation: "write", path: absolute, code: ENODEV)
                }
                try head.withUnsafeBytes { try file.write([$0], at: 0) }
            } catch {
                disk.settle(WaitingRows.Entry(.discard(id), before: .unlink(absolute), volume: volume))
                throw error
            }
            open = OpenSegment(
                id: id, file: file, start: start, baseTime: first.dts, initLength: Int64(header.count), head: head, encryption: encryption,
                audioTimescale: soundTrack.map { Int($0.timescale) })
            open?.volume = volume
            return
        }
        throw NVRError(.conflict, "100 files named like \(pattern) are there already for one second")
    }

    func beginWriteback() {
        guard let open else { return }
        open.file.beginWriteback(from: open.synced)
    }

    func sync() {
        guard var segment = open else { return }
        do {
            let synced = try segment.sync()
            open = segment
            disk.noteSynced(synced, of: configuration.cameraID)
        } catch {
            if leavesVolume(after: error) { return }
            // What was not synced may be gone, and the system says so only once.
            endsAtKeyframe = true
            disk.failed(error, camera: "\(configuration.cameraID)")
        }
    }

    /// Ends the open segment: sync, final row. What fails is tried again until it is done; recording goes on meanwhile.
    private func close() {
        guard var segment = open else { return }
        open = nil
        disk.clean(self)
        do { try segment.writeEnd() } catch {
            logger.notice("an encrypted file is left without its end, which reading does without", metadata: ["error": "\(error)"])
        }
        guard !segment.entries.isEmpty else { return discard(segment) }
        disk.settle(WaitingRows.Entry(.finish(segment.id, segment.closing), before: .sync(segment.file), volume: segment.volume))
    }

    private func discard(_ segment: OpenSegment) {
        disk.clean(self)
        disk.settle(WaitingRows.Entry(.discard(segment.id), before: .unlink(segment.file.path), volume: segment.volume))
    }
}
