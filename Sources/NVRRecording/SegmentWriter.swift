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

        package init(cameraID: ID<Camera>, role: StreamRole, fileName: String, listsSegments: Bool) {
            self.cameraID = cameraID
            self.role = role
            self.fileName = fileName
            self.listsSegments = listsSegments
        }
    }

    /// Chunks waiting for the disk at most, bytes.
    package static let queueBytes = 32 << 20

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
    private let disk: DiskWriter
    private let logger: Logger
    private let queue = Mutex(Queue())
    private let written = Mutex<(total: Int64, recent: [(second: Int64, bytes: Int64)])>((0, []))

    // Touched on the disk's thread only.
    private var open: OpenSegment?
    private var transcoder: AACTranscoder?
    private var transcoderRun: Int64?
    /// The transcoded sound of the newest chunk by the number of its first packet: a chunk that is tried again is not transcoded again.
    private var transcodedChunk: (first: UInt64, sound: [AACTranscoder.Output])?
    /// Begin of the newest transcoded frame that is in a file, ticks since the origin of the run.
    private var lastTranscoded: Int64?
    private var needsKeyframe = false

    private struct OpenSegment {
        var id: ID<Segment>
        var file: POSIXFile
        var start: WallTime
        var origin: WallTime
        var baseTime: Int64
        var audioTimescale: Int?
        var audioEnd: Int64 = 0
        var end: WallTime
        var length: Int64
        var sequence: UInt32 = 0
        var entries: [FragmentIndexEntry] = []
        var hasRow = false
        var initLength: Int64
    }

    package init(configuration: Configuration, disk: DiskWriter, logger: Logger) {
        self.configuration = configuration
        fileName = Mutex(configuration.fileName)
        self.disk = disk
        self.logger = logger
    }

    /// The pattern of the names of files that are made from now on.
    package func setFileName(_ pattern: String) { fileName.withLock { $0 = pattern } }

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
        let schedule = queue.withLock { queue in
            while queue.bytes + bytes > Self.queueBytes, !queue.chunks.isEmpty { Self.dropOldestGOP(&queue) }
            queue.chunks.append(chunk)
            queue.bytes += bytes
            if queue.isScheduled { return false }
            queue.isScheduled = true
            return true
        }
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
                disk.worked()
                queue.withLock { queue in
                    // The queue may have dropped it meanwhile; then the count was made there.
                    guard let first = queue.chunks.first, first.video.first?.sequence == chunk.video.first?.sequence else { return }
                    queue.chunks.removeFirst()
                    queue.bytes -= chunk.bytes
                }
            } catch {
                disk.failed(error, camera: "\(configuration.cameraID)")
                rollBack()
                if disk.isStopping {
                    queue.withLock { queue in
                        queue.chunks.removeAll()
                        queue.bytes = 0
                        queue.isScheduled = false
                    }
                    return
                }
                pause(microseconds: DiskWriter.retryInterval)
                // Other recordings on this disk get their turn between tries.
                disk.schedule(self)
                return
            }
        }
    }

    /// After a failed write: the file is cut back to its last whole fragment and ends there; the chunk stays queued.
    private func rollBack() {
        guard let segment = open else { return }
        do {
            try segment.file.truncate(to: segment.length)
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

    private func write(_ chunk: Chunk) throws {
        if chunk.startsSegment || open == nil || needsKeyframe {
            guard chunk.startsWithKeyframe else {
                // What follows a loss can only be shown from the next keyframe on.
                queue.withLock { $0.droppedFrames += chunk.video.count }
                return
            }
            try appendHeldBackSound(of: chunk)
            close()
            try begin(chunk)
            needsKeyframe = false
        }
        guard let before = open else { return }
        var segment = before
        let written = try append(chunk, to: &segment)
        open = segment
        disk.count(fragmentBytes: written)
        account(written)
        if !segment.hasRow {
            let isKept: Bool
            do {
                try segment.file.sync()
                if let folder = POSIXFile.parent(of: segment.file.path) { try POSIXFile.syncDirectory(folder) }
                isKept = try disk.list(segment.id, end: segment.end, bytes: segment.length, initLength: segment.initLength)
            } catch {
                // The chunk is written again, so it must not count as written.
                open = before
                throw error
            }
            guard isKept else { return abandon() }
            open?.hasRow = true
            disk.growing.begin(
                segment.id,
                GrowingSegments.Extent(
                    cameraID: configuration.cameraID, role: configuration.role, start: segment.start, end: segment.end,
                    bytes: segment.length, entries: segment.entries))
        } else {
            if let last = segment.entries.last { disk.growing.extend(segment.id, end: segment.end, entry: last) }
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

    /// Makes the file with its row in state `intended`.
    private func begin(_ chunk: Chunk) throws {
        guard let first = chunk.video.first else { return }
        var tracks = [TrackDescription(id: 1, timescale: UInt32(StreamDescription.videoTimescale), kind: .video(chunk.description.video))]
        var audioTimescale: Int?
        if let audio = chunk.description.audio {
            if transcoderRun != chunk.description.run {
                transcoder = try AACTranscoder(audio)
                transcoderRun = chunk.description.run
                transcodedChunk = nil
                lastTranscoded = nil
            }
            if let transcoder {
                audioTimescale = transcoder.timescale
                tracks.append(
                    TrackDescription(
                        id: 2, timescale: UInt32(transcoder.timescale), kind: .audio(.aac(audioSpecificConfig: transcoder.audioSpecificConfig))))
            } else {
                audioTimescale = audio.timescale
                let entry: AudioSampleEntry
                switch audio.codec {
                case .aac(let configuration): entry = .aac(audioSpecificConfig: configuration)
                case .opus, .pcmu, .pcma: entry = .opus(channels: audio.channels, preSkip: 0, sampleRate: 48_000)
                }
                tracks.append(TrackDescription(id: 2, timescale: UInt32(clamping: audio.timescale), kind: .audio(entry)))
            }
        }
        let start = first.wall
        let identity = SegmentIdentity(cameraID: configuration.cameraID, role: configuration.role, run: chunk.description.run, start: start)
        let header = InitSegment.bytes(
            tracks: tracks, creationTime: start.microseconds / 1_000_000,
            identification: Identification(type: SegmentIdentity.boxType, payload: identity.payload))
        let pattern = fileName.withLock { $0 }
        for attempt in 0..<100 {
            let path = disk.layout.path(
                camera: configuration.cameraID, pattern: pattern, time: start, fileExtension: "mp4", attempt: attempt)
            let absolute = disk.layout.absolute(path)
            if let folder = POSIXFile.parent(of: absolute) { try POSIXFile.makeDirectories(folder) }
            if POSIXFile.exists(absolute) { continue }
            let id: ID<Segment>
            do {
                id = try disk.intend(
                    Segment(
                        id: ID(0), cameraID: configuration.cameraID, role: configuration.role, run: chunk.description.run, path: path,
                        start: start, end: start, bytes: 0, state: .intended, width: chunk.description.video.width,
                        height: chunk.description.video.height, codecs: tracks.map { $0.codecString }.joined(separator: ","),
                        initLength: Int64(header.count), timescale: StreamDescription.videoTimescale, index: []),
                    isContinuous: configuration.listsSegments)
            } catch let error as NVRError where error.kind == .conflict {
                // A row whose file is gone has this name; it stays until somebody repairs it.
                continue
            }
            do {
                let file = try POSIXFile.create(absolute)
                try header.withUnsafeBytes { try file.write([$0], at: 0) }
                open = OpenSegment(
                    id: id, file: file, start: start, origin: chunk.description.origin, baseTime: first.dts,
                    audioTimescale: audioTimescale, end: start, length: Int64(header.count), initLength: Int64(header.count))
                return
            } catch {
                do {
                    try POSIXFile.remove(absolute)
                    try disk.discard(id)
                } catch {
                    logger.error("an unfinished segment could not be taken back; the next start does it", metadata: ["error": "\(error)"])
                }
                throw error
            }
        }
        throw NVRError(.conflict, "100 files named like \(pattern) are there already for one second")
    }

    /// Writes a fragment behind the last; gives its bytes.
    private func append(_ chunk: Chunk, to segment: inout OpenSegment) throws -> Int64 {
        var videoSamples: [FragmentSample] = []
        videoSamples.reserveCapacity(chunk.video.count)
        for (index, packet) in chunk.video.enumerated() {
            let next = index + 1 < chunk.video.count ? chunk.video[index + 1].dts : chunk.videoEnd
            videoSamples.append(
                FragmentSample(
                    size: packet.byteCount, duration: UInt32(clamping: max(1, next - packet.dts)), isKeyframe: packet.isKeyframe,
                    compositionOffset: Int32(clamping: packet.pts - packet.dts)))
        }
        let start = (chunk.video.first?.dts ?? segment.baseTime) - segment.baseTime
        let duration = chunk.videoEnd - (chunk.video.first?.dts ?? chunk.videoEnd)
        var tracks = [FragmentTrack(trackID: 1, baseDecodeTime: UInt64(max(0, start)), samples: videoSamples)]
        var transcoded: [AACTranscoder.Output] = []
        var copied: [MediaPacket] = []
        if let timescale = segment.audioTimescale {
            let base = segment.baseTime * Int64(timescale) / Int64(StreamDescription.videoTimescale)
            var sound: [(time: Int64, duration: Int64, size: Int)]
            if transcoder != nil {
                let (all, written) = (try transcode(chunk), lastTranscoded ?? .min)
                // What came out late is in the segment before; the encoder's look-ahead before the first sound of the run holds nothing.
                transcoded = all.filter { $0.time > written && $0.time + $0.duration > base }
                sound = transcoded.map { ($0.time - base, $0.duration, $0.bytes.count) }
            } else {
                copied = chunk.audio
                let duration = nominalAudioDuration(chunk.description.audio)
                sound = copied.map { ($0.dts - base, duration, $0.byteCount) }
            }
            if let track = Self.place(sound, from: &segment.audioEnd) { tracks.append(track) }
        }
        let wall = chunk.video.first?.wall.microseconds
        let header = Fragment.header(sequence: segment.sequence + 1, tracks: tracks, wallClock: wall)
        var size = Int64(header.count)
        // The frames' memory is held by the chunk for the length of the call.
        try withExtendedLifetime(chunk) {
            var pieces: [UnsafeRawBufferPointer] = []
            pieces.reserveCapacity(1 + chunk.video.count + copied.count + transcoded.count)
            let sound = transcoded.flatMap(\.bytes)
            try header.withUnsafeBytes { header in
                try sound.withUnsafeBytes { sound in
                    pieces.append(header)
                    for packet in chunk.video { packet.withUnsafeBytes { pieces.append($0) } }
                    for packet in copied { packet.withUnsafeBytes { pieces.append($0) } }
                    if !sound.isEmpty { pieces.append(sound) }
                    size = pieces.reduce(0) { $0 + Int64($1.count) }
                    try segment.file.write(pieces, at: segment.length)
                }
            }
        }
        lastTranscoded = transcoded.last?.time ?? lastTranscoded
        segment.sequence += 1
        segment.entries.append(
            FragmentIndexEntry(
                offset: segment.length, size: size, start: start, duration: duration, startsWithKeyframe: chunk.startsWithKeyframe))
        segment.length += size
        segment.end = segment.start.advanced(
            byMicroseconds: (start + duration) * 1_000_000 / Int64(StreamDescription.videoTimescale))
        return size
    }

    private func transcode(_ chunk: Chunk) throws -> [AACTranscoder.Output] {
        guard let transcoder, let first = chunk.audio.first?.sequence else { return [] }
        if let known = transcodedChunk, known.first == first { return known.sound }
        var sound: [AACTranscoder.Output] = []
        for packet in chunk.audio { sound += try transcoder.push(packet) }
        transcodedChunk = (first, sound)
        return sound
    }

    /// The encoder holds sound back: what belongs before the new segment that `chunk` begins comes out with its first sound, and goes
    /// behind the last pictures of the open one.
    private func appendHeldBackSound(of chunk: Chunk) throws {
        guard var segment = open, segment.hasRow, let timescale = segment.audioTimescale, transcoderRun == chunk.description.run,
            let border = chunk.video.first?.dts, let last = segment.entries.last
        else { return }
        let scale = Int64(StreamDescription.videoTimescale)
        let (written, stop) = (lastTranscoded ?? .min, border * Int64(timescale) / scale)
        let held = try transcode(chunk).filter { $0.time > written && $0.time < stop }
        let base = segment.baseTime * Int64(timescale) / scale
        guard let track = Self.place(held.map { ($0.time - base, $0.duration, $0.bytes.count) }, from: &segment.audioEnd) else { return }
        let bytes = Fragment.header(sequence: segment.sequence + 1, tracks: [track]) + held.flatMap(\.bytes)
        try bytes.withUnsafeBytes { try segment.file.write([$0], at: segment.length) }
        lastTranscoded = held.last?.time
        segment.sequence += 1
        segment.entries.append(
            FragmentIndexEntry(offset: segment.length, size: Int64(bytes.count), start: last.endTime, duration: 0, startsWithKeyframe: false))
        segment.length += Int64(bytes.count)
        open = segment
        disk.count(fragmentBytes: Int64(bytes.count))
    }

    /// Lays sound where its own times say, but never before `end`, which moves behind it: sound that came late shortens itself and
    /// does not push back what follows.
    private static func place(_ sound: [(time: Int64, duration: Int64, size: Int)], from end: inout Int64) -> FragmentTrack? {
        var starts: [Int64] = []
        starts.reserveCapacity(sound.count)
        for piece in sound { starts.append(max(starts.last.map { $0 + 1 } ?? end, piece.time)) }
        guard let first = starts.first, let last = starts.last, let lastPiece = sound.last else { return nil }
        end = last + max(1, lastPiece.duration)
        let stops = starts.dropFirst() + [end]
        let samples = zip(sound, zip(starts, stops)).map { piece, span in
            FragmentSample(size: piece.size, duration: UInt32(clamping: span.1 - span.0), isKeyframe: true)
        }
        return FragmentTrack(trackID: 2, baseDecodeTime: UInt64(max(0, first)), samples: samples)
    }

    private func nominalAudioDuration(_ track: StreamDescription.AudioTrack?) -> Int64 {
        switch track?.codec {
        case .aac(let configuration):
            // A configuration that cannot be read means the usual 1024.
            Int64((try? AudioSpecificConfig(bytes: configuration))?.samplesPerFrame ?? 1024)
        case .opus: 960
        default: 160
        }
    }

    func sync() {
        guard let segment = open else { return }
        do {
            try segment.file.sync()
        } catch {
            disk.failed(error, camera: "\(configuration.cameraID)")
        }
    }

    /// Ends the open segment: sync, final row.
    private func close() {
        guard let segment = open else { return }
        open = nil
        disk.clean(self)
        guard !segment.entries.isEmpty else { return discard(segment) }
        do {
            try segment.file.sync()
            if !segment.hasRow {
                if let folder = POSIXFile.parent(of: segment.file.path) { try POSIXFile.syncDirectory(folder) }
            }
            try disk.finish(
                segment.id, SegmentClosing(end: segment.end, bytes: segment.length, index: FragmentIndex(entries: segment.entries).packed()))
        } catch {
            // The file is whole; the next start finishes its row from the file.
            disk.failed(error, camera: "\(configuration.cameraID)")
        }
        disk.growing.remove(segment.id)
    }

    private func discard(_ segment: OpenSegment) {
        disk.clean(self)
        do {
            try POSIXFile.remove(segment.file.path)
            try disk.discard(segment.id)
        } catch {
            logger.error("an empty segment could not be taken back; the next start does it", metadata: ["error": "\(error)"])
        }
    }
}
