import ISOBMFF
import NVRMedia
import NVRModel
import NVRStore
import Zlib

/// A segment file that is being written: what lies in it so far, whole fragments only. Used on its pen's thread only.
struct OpenSegment {
    let id: ID<Segment>
    let file: POSIXFile
    let start: WallTime
    /// Decode time of the first frame, ticks since the origin of the run.
    let baseTime: Int64
    let initLength: Int64
    /// Where the sound goes; nil when the segment has none.
    private var sound: SegmentSound.Place?
    private(set) var end: WallTime
    /// Bytes up to the end of the last whole fragment, as the index counts them: what is in the file.
    private(set) var length: Int64
    /// The same of the file as it lies on the disk.
    private(set) var storedLength: Int64
    private(set) var entries: [FragmentIndexEntry] = []
    /// Of the bytes up to `storedLength`.
    private var checksum: CRC32
    /// Bytes that are known to be on the disk.
    private(set) var synced: Int64 = 0
    /// The segment is listed.
    var hasRow = false
    /// Nil leaves the file in the clear.
    private var encryption: SegmentEncryption?

    /// `head`: what is written already, the init segment of `initLength` bytes by `encryption` if there is one.
    init(
        id: ID<Segment>, file: POSIXFile, start: WallTime, baseTime: Int64, initLength: Int64, head: [UInt8], encryption: SegmentEncryption?,
        audioTimescale: Int?
    ) {
        self.id = id
        self.file = file
        self.start = start
        self.baseTime = baseTime
        self.initLength = initLength
        self.encryption = encryption
        checksum = CRC32()
        checksum.update(head)
        storedLength = Int64(head.count)
        sound = audioTimescale.map { SegmentSound.Place(timescale: $0, videoBase: baseTime) }
        end = start
        length = initLength
    }

    private var nextSequence: UInt32 { UInt32(clamping: entries.count + 1) }

    /// Writes a chunk as a fragment behind the last; gives the bytes it takes. When it throws nothing has changed but the file behind
    /// `storedLength`.
    mutating func append(_ chunk: Chunk, with source: inout SegmentSound) throws -> Int64 {
        var samples: [FragmentSample] = []
        samples.reserveCapacity(chunk.video.count)
        for (index, packet) in chunk.video.enumerated() {
            let next = index + 1 < chunk.video.count ? chunk.video[index + 1].dts : chunk.videoEnd
            samples.append(
                FragmentSample(
                    size: packet.byteCount, duration: UInt32(clamping: max(1, next - packet.dts)), isKeyframe: packet.isKeyframe,
                    compositionOffset: Int32(clamping: packet.pts - packet.dts)))
        }
        let first = chunk.video.first?.dts ?? chunk.videoEnd
        let begin = (chunk.video.first?.dts ?? baseTime) - baseTime
        let piece = sound.flatMap { source.piece(of: chunk, at: $0) }
        let video = FragmentTrack(trackID: 1, baseDecodeTime: UInt64(max(0, begin)), samples: samples)
        let header = Fragment.header(
            sequence: nextSequence, tracks: [video] + (piece.map { [$0.track] } ?? []), wallClock: chunk.video.first?.wall.microseconds)
        // The frames' memory is held by the chunk for the length of the call.
        let before = storedLength
        let size = try withExtendedLifetime(chunk) {
            try write(header, copied: chunk.video + (piece?.copied ?? []), bytes: piece?.transcoded ?? [])
        }
        if let piece { wrote(piece, of: &source) }
        let duration = chunk.videoEnd - first
        entries.append(
            FragmentIndexEntry(offset: length, size: size, start: begin, duration: duration, startsWithKeyframe: chunk.startsWithKeyframe))
        length += size
        end = start.advanced(byMicroseconds: (begin + duration) * 1_000_000 / Int64(StreamDescription.videoTimescale))
        return storedLength - before
    }

    /// Writes the sound that the encoder held back until `chunk`, which begins the next segment, as a fragment without pictures; gives
    /// the bytes it takes, 0 when there is none.
    mutating func appendHeldBack(by chunk: Chunk, from source: inout SegmentSound) throws -> Int64 {
        guard hasRow, let place = sound, let last = entries.last, let piece = source.heldBack(by: chunk, at: place) else { return 0 }
        let header = Fragment.header(sequence: nextSequence, tracks: [piece.track])
        let before = storedLength
        let size = try write(header, copied: [], bytes: piece.transcoded)
        wrote(piece, of: &source)
        entries.append(FragmentIndexEntry(offset: length, size: size, start: last.endTime, duration: 0, startsWithKeyframe: false))
        length += size
        return storedLength - before
    }

    private mutating func wrote(_ piece: SegmentSound.Piece, of source: inout SegmentSound) {
        guard var place = sound else { return }
        source.wrote(piece, at: &place)
        sound = place
    }

    /// One gathering write of all parts; gives their bytes as the index counts them.
    private mutating func write(_ header: [UInt8], copied: [MediaPacket], bytes: [UInt8]) throws -> Int64 {
        if encryption != nil { return try writeEncrypted(header, copied: copied, bytes: bytes) }
        return try header.withUnsafeBytes { header in
            try bytes.withUnsafeBytes { bytes in
                var pieces: [UnsafeRawBufferPointer] = [header]
                pieces.reserveCapacity(2 + copied.count)
                for packet in copied { packet.withUnsafeBytes { pieces.append($0) } }
                if !bytes.isEmpty { pieces.append(bytes) }
                try file.write(pieces, at: storedLength)
                for piece in pieces { checksum.update(piece) }
                let size = pieces.reduce(0) { $0 + Int64($1.count) }
                storedLength += size
                return size
            }
        }
    }

    private mutating func writeEncrypted(_ header: [UInt8], copied: [MediaPacket], bytes: [UInt8]) throws -> Int64 {
        guard var encryption else { return 0 }
        var payload: [UInt8] = []
        payload.reserveCapacity(copied.reduce(bytes.count) { $0 + $1.byteCount })
        for packet in copied { packet.withUnsafeBytes { payload.append(contentsOf: $0) } }
        payload += bytes
        let records = try encryption.fragment(header, payload)
        try put(records)
        self.encryption = encryption
        return Int64(header.count + payload.count)
    }

    private mutating func put(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try file.write([$0], at: storedLength) }
        checksum.update(bytes)
        storedLength += Int64(bytes.count)
    }

    /// Writes what ends an encrypted file, so that a whole one is told from one that was cut off. When it throws, the file ends behind its last
    /// fragment, which is good as well.
    mutating func writeEnd() throws {
        guard let encryption, !entries.isEmpty else { return }
        let before = storedLength
        do { try put(try encryption.end()) } catch {
            try file.truncate(to: before)
            throw error
        }
    }

    /// Waits until all of it is on the disk; gives the bytes that were not before.
    mutating func sync() throws -> Int64 {
        try file.sync()
        defer { synced = storedLength }
        return storedLength - synced
    }

    /// The final row.
    var closing: SegmentClosing {
        var closing = SegmentClosing(end: end, bytes: storedLength, index: FragmentIndex(entries: entries).packed())
        closing.checksum = checksum.value
        return closing
    }
}
