import ISOBMFF
import Logging
import NVRMedia
import NVRModel
import NVRStore

/// Makes files of chunks, one after the other.
struct PieceWriter {
    let importer: FootageImporter
    let target: FootageImporter.Target
    private var sound: SegmentSound
    private var open: OpenSegment?

    init(importer: FootageImporter, target: FootageImporter.Target) {
        self.importer = importer
        self.target = target
        sound = SegmentSound(logger: importer.logger)
    }

    /// Gives the segment that ended.
    mutating func append(_ chunk: Chunk) throws -> FootageImporter.Made? {
        var ended: FootageImporter.Made?
        if chunk.startsSegment || open == nil {
            guard chunk.startsWithKeyframe else { return nil }
            ended = try finish()
            try begin(chunk)
        }
        guard var segment = open else { return ended }
        _ = try segment.append(chunk, with: &sound)
        open = segment
        return ended
    }

    private mutating func begin(_ chunk: Chunk) throws {
        guard let first = chunk.video.first else { return }
        var tracks = [TrackDescription(id: 1, timescale: UInt32(StreamDescription.videoTimescale), kind: .video(chunk.description.video))]
        let soundTrack = sound.track(chunk.description)
        if let soundTrack { tracks.append(soundTrack) }
        let identity = SegmentIdentity(cameraID: target.camera, role: .main, run: chunk.description.run, start: first.wall)
        let header = InitSegment.bytes(
            tracks: tracks, creationTime: first.wall.microseconds / 1_000_000,
            identification: Identification(type: SegmentIdentity.boxType, payload: identity.payload))
        let (id, path) = try importer.announce(
            Segment(
                id: ID(0), cameraID: target.camera, role: .main, run: chunk.description.run, path: "", start: first.wall, end: first.wall,
                bytes: 0, state: .intended, width: chunk.description.video.width, height: chunk.description.video.height,
                codecs: tracks.map { $0.codecString }.joined(separator: ","), initLength: Int64(header.count),
                timescale: StreamDescription.videoTimescale, index: [], key: importer.cipher.writingKey), target)
        do {
            var encryption = importer.cipher.sealer(.segment).map(SegmentEncryption.init)
            let head = try encryption?.begin(header) ?? header
            let file = try POSIXFile.create(path)
            try head.withUnsafeBytes { try file.write([$0], at: 0) }
            open = OpenSegment(
                id: id, file: file, start: first.wall, baseTime: first.dts, initLength: Int64(header.count), head: head,
                encryption: encryption, audioTimescale: soundTrack.map { Int($0.timescale) })
        } catch {
            try importer.discard(id, path)
            throw error
        }
    }

    mutating func finish() throws -> FootageImporter.Made? {
        guard var segment = open else { return nil }
        open = nil
        guard !segment.entries.isEmpty else {
            try importer.discard(segment.id, segment.file.path)
            return nil
        }
        try segment.writeEnd()
        _ = try segment.sync()
        if let folder = POSIXFile.parent(of: segment.file.path) { try POSIXFile.syncDirectory(folder) }
        let closing = segment.closing
        guard try importer.list(segment.id, closing, initLength: segment.initLength) else { return nil }
        segment.file.dropFromMemory()
        return FootageImporter.Made(range: TimeRange(start: segment.start, end: segment.end), bytes: closing.bytes, isLinked: false)
    }

    /// Takes the file back that is being made, after a failure.
    mutating func abandon() {
        guard let segment = open else { return }
        open = nil
        do { try importer.discard(segment.id, segment.file.path) } catch {
            // The next start of the server finds the row and puts it in order.
            importer.logger.error("an unfinished file could not be removed", metadata: ["error": "\(error)"])
        }
    }
}
