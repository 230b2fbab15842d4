#if canImport(Glibc)
    import Glibc
#endif
import ISOBMFF
import Logging
import NVRBase
import NVRMedia
import NVRModel
import NVRStore
import Synchronization

/// Writes one stream's chunks into segment files on one volume: create → sync file → sync folder → row, fragment after fragment, and at
/// the end the final row.
///
/// `@unchecked Sendable`: once it has a turn, everything that changes is touched only on its lane's thread.
final class SegmentPen: @unchecked Sendable {
    /// The next segment begins on another volume.
    private struct Elsewhere: Error {
        var volume: VolumeID
        /// One that has just been found not to be there: it is not asked again at once.
        var declined: VolumeID?
    }

    /// The thread hung, and another pen has gone on meanwhile.
    private struct Superseded: Error {}

    /// Tries after which a file that cannot be written is given up, unless the disk is full.
    private static let mostTries = 4

    let lane: WritingLane
    private let configuration: SegmentWriter.Configuration
    private let disk: DiskWriter
    private let logger: Logger
    private var open: OpenSegment?
    private var sound: SegmentSound
    private var needsKeyframe = false
    /// The file may not be sound: the next keyframe begins another.
    private var endsAtKeyframe = false
    private var failedTries = 0
    /// Footage was lost, and what follows is not written yet.
    private var isBehind = false
    /// The next segment begins here although this volume is wished for.
    private var declined: VolumeID?

    init(configuration: SegmentWriter.Configuration, lane: WritingLane, disk: DiskWriter, logger: Logger) {
        self.configuration = configuration
        self.lane = lane
        self.disk = disk
        self.logger = logger
        sound = SegmentSound(logger: logger)
    }

    /// Before its first turn.
    func decline(_ volume: VolumeID?) { declined = volume }

    // MARK: Turns

    /// Writes what is queued, as far as the disk allows it.
    func drain(for writer: SegmentWriter) {
        while true {
            let chunk: Chunk
            switch writer.order(for: self) {
            case .rest: return
            case .retire: return close()
            case .write(let next, let isAfterLoss):
                chunk = next
                if isAfterLoss {
                    close()
                    needsKeyframe = true
                    isBehind = true
                }
            }
            lane.thread.nextStep()
            do {
                try write(chunk, for: writer)
                failedTries = 0
                disk.worked(on: lane)
                guard writer.wrote(chunk, with: self) else { return close() }
                if isBehind { disk.caughtUp(configuration.cameraID) }
                isBehind = false
            } catch let elsewhere as Elsewhere {
                return writer.pass(from: self, to: successor(elsewhere))
            } catch {
                guard writer.isCurrent(self) else {
                    rollBack()
                    return close()
                }
                if leavesVolume(after: error) { continue }
                disk.failed(error, on: lane, camera: "\(configuration.cameraID)", shown: chunk.video.first?.wall)
                declined = nil
                rollBack()
                giveUpFile(after: error)
                if disk.isStopping {
                    writer.giveUp(self)
                    return close()
                }
                return disk.retryLater(WritingLane.Turn(writer: writer, pen: self))
            }
        }
    }

    /// Writes what is queued and, when its end was lost, ends what is open. False when another pen has to go on.
    func finish(for writer: SegmentWriter) -> Bool {
        drain(for: writer)
        guard writer.isCurrent(self) else { return false }
        // The end of the segment may be among what was lost. Else what is open belongs to a recording that has begun meanwhile.
        if writer.isAfterLoss { close() }
        return true
    }

    /// Another pen writes now.
    func retire() { close() }

    private func successor(_ elsewhere: Elsewhere) -> SegmentPen {
        let next = SegmentPen(configuration: configuration, lane: disk.lane(of: elsewhere.volume), disk: disk, logger: logger)
        next.sound = sound
        next.isBehind = isBehind
        next.declined = elsewhere.declined
        return next
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

    // MARK: Writing

    private func write(_ chunk: Chunk, for writer: SegmentWriter) throws {
        // What cannot be written there any more goes on elsewhere.
        let isLost = open != nil && !disk.layout.volumes.isWritable(lane.volume)
        let begins = chunk.startsSegment || open == nil || needsKeyframe || (isLost || endsAtKeyframe) && chunk.startsWithKeyframe
        if begins, chunk.startsWithKeyframe { try goWhereItBelongs(chunk, wish: writer.wish) }
        try disk.demandSpace(for: chunk.bytes, on: lane.volume)
        if begins {
            guard chunk.startsWithKeyframe else {
                // What follows a loss can only be shown from the next keyframe on.
                writer.noteDropped(chunk.video.count)
                return
            }
            try endBefore(chunk)
            try begin(chunk, fileName: writer.fileName)
            declined = nil
            needsKeyframe = false
            endsAtKeyframe = false
        }
        guard let before = open else { return }
        let soundBefore = sound
        var segment = before
        segment.file.reserve(for: segment.storedLength + Int64(chunk.bytes), counting: disk.ahead)
        let written = try segment.append(chunk, with: &sound)
        // The thread may have hung: then the chunk is in another file by now.
        guard writer.isCurrent(self) else { throw Superseded() }
        open = segment
        disk.count(fragmentBytes: written)
        writer.account(written)
        if !segment.hasRow {
            let isKept: Bool
            do {
                isKept = try list(&segment, for: writer)
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
            lane.markDirty(self)
        }
        if chunk.endsSegment { close() }
    }

    /// The first fragment is made sure of, then its row. False when the segment was deleted meanwhile.
    private func list(_ segment: inout OpenSegment, for writer: SegmentWriter) throws -> Bool {
        let synced = try segment.sync()
        disk.noteSynced(synced, of: configuration.cameraID)
        if let folder = POSIXFile.parent(of: segment.file.path) { try POSIXFile.syncDirectory(folder) }
        guard writer.isCurrent(self) else { throw Superseded() }
        return try disk.list(segment.id, end: segment.end, bytes: segment.storedLength, initLength: segment.initLength, on: lane)
    }

    /// Throws when the segment that a chunk begins belongs on another volume; then nothing is open any more.
    private func goWhereItBelongs(_ chunk: Chunk, wish: VolumeID) throws {
        guard wish != declined else { return }
        let target = disk.target(of: wish, from: lane.volume)
        guard target != lane.volume else { return }
        try endBefore(chunk)
        throw Elsewhere(volume: target)
    }

    /// Ends what is open, with the sound that was held back until the chunk that begins the next segment.
    private func endBefore(_ chunk: Chunk) throws {
        disk.count(fragmentBytes: try open?.appendHeldBack(by: chunk, from: &sound) ?? 0)
        close()
    }

    /// Somebody deleted the segment while it was written: the file goes, and the next keyframe begins a new one.
    private func abandon() {
        guard let segment = open else { return }
        open = nil
        needsKeyframe = true
        lane.clean(self)
        disk.growing.remove(segment.id)
        do {
            try POSIXFile.remove(segment.file.path)
        } catch {
            logger.error("a deleted segment's file could not be removed", metadata: ["error": "\(error)"])
        }
    }

    /// Begins a segment. Throws `Elsewhere` when the volume turns out not to be there; the default folder, for which nothing stands in, is
    /// waited for.
    private func begin(_ chunk: Chunk, fileName: String) throws {
        let volume = lane.volume
        guard volume != .standard else { return try makeFile(chunk, fileName: fileName) }
        let elsewhere = Elsewhere(volume: .standard, declined: volume)
        guard disk.confirm(volume) else { throw elsewhere }
        do {
            try makeFile(chunk, fileName: fileName)
        } catch let error as FileError where error.isOfVolume {
            disk.distrust(volume, reason: error.systemText, at: chunk.video.first?.wall)
            throw elsewhere
        } catch let error as NVRError where error.kind == .unavailable && !disk.layout.volumes.isWritable(volume) {
            throw elsewhere
        }
    }

    /// A write was refused. True when that is the fault of a volume that footage can do without: what is on it ends, and goes on in the
    /// default folder.
    private func leavesVolume(after error: any Error) -> Bool {
        guard open != nil, lane.volume != .standard, let error = error as? FileError, error.isOfVolume else { return false }
        disk.distrust(lane.volume, reason: error.systemText)
        rollBack()
        close()
        needsKeyframe = true
        return true
    }

    /// Makes the file with its row in state `intended`.
    private func makeFile(_ chunk: Chunk, fileName pattern: String) throws {
        guard let first = chunk.video.first else { return }
        let volume = lane.volume
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
                    isContinuous: configuration.listsSegments, on: lane)
            } catch let error as NVRError where error.kind == .conflict {
                // A row whose file is gone has this name; it stays until somebody repairs it.
                continue
            }
            let file: POSIXFile
            do {
                file = try POSIXFile.create(absolute)
            } catch {
                disk.settle(WaitingRows.Entry(.discard(id), volume: volume), on: lane)
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
                disk.settle(WaitingRows.Entry(.discard(id), before: .unlink(absolute), volume: volume), on: lane)
                throw error
            }
            open = OpenSegment(
                id: id, file: file, start: start, baseTime: first.dts, initLength: Int64(header.count), head: head, encryption: encryption,
                audioTimescale: soundTrack.map { Int($0.timescale) })
            return
        }
        throw NVRError(.conflict, "100 files named like \(pattern) are there already for one second")
    }

    // MARK: Syncing and ending

    func beginWriteback() {
        guard let open else { return }
        open.file.beginWriteback(from: open.synced)
    }

    func awaitWriteback() {
        guard let open else { return }
        open.file.awaitWriteback(from: open.synced)
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
            disk.failed(error, on: lane, camera: "\(configuration.cameraID)")
        }
    }

    /// Ends the open segment: sync, final row. What fails is tried again until it is done; recording goes on meanwhile.
    private func close() {
        guard var segment = open else { return }
        open = nil
        lane.clean(self)
        do { try segment.writeEnd() } catch {
            logger.notice("an encrypted file is left without its end, which reading does without", metadata: ["error": "\(error)"])
        }
        guard !segment.entries.isEmpty else { return discard(segment) }
        disk.settle(
            WaitingRows.Entry(.finish(segment.id, segment.closing), before: .sync(segment.file), volume: lane.volume), on: lane)
    }

    private func discard(_ segment: OpenSegment) {
        lane.clean(self)
        disk.settle(WaitingRows.Entry(.discard(segment.id), before: .unlink(segment.file.path), volume: lane.volume), on: lane)
    }
}
