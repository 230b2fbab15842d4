/// A sample that lies in a fragmented file.
package struct SampleLocation: Sendable, Equatable {
    package var trackID: UInt32
    /// Ticks of the track, from the file's beginning.
    package var decodeTime: Int64
    /// Ticks of the track.
    package var duration: Int64
    /// Presentation minus decode time, ticks of the track.
    package var compositionOffset: Int32
    /// Bytes.
    package var size: Int
    package var isKeyframe: Bool
    /// In the file, bytes.
    package var offset: Int64

    package init(
        trackID: UInt32, decodeTime: Int64, duration: Int64, compositionOffset: Int32, size: Int, isKeyframe: Bool, offset: Int64
    ) {
        self.trackID = trackID
        self.decodeTime = decodeTime
        self.duration = duration
        self.compositionOffset = compositionOffset
        self.size = size
        self.isKeyframe = isKeyframe
        self.offset = offset
    }

    /// Ticks of the track.
    package var presentationTime: Int64 { decodeTime &+ Int64(compositionOffset) }
}
/// What is in a fragmented file, found by reading only box headers, `moov` and every `moof`: never the payload. The file may
/// be cut off, still growing, or damaged; everything up to the last whole fragment is good.
package struct FragmentedFile: Sendable {
    /// Answers up to `count` bytes of the file from `offset` on; none only where the file ends. What is missing is asked for again, so
    /// fewer are answered where reading on would cost much.
    package typealias Read = (_ offset: Int64, _ count: Int) throws -> [UInt8]

    /// Why the scan ended.
    package enum Ending: Sendable, Equatable {
        /// The file ends after a whole fragment (or after `moov`).
        case whole
        /// The last box or fragment is not complete: the file was cut off or is still being written.
        case incomplete
        /// Bytes after `completeLength` are no boxes that belong there.
        case damaged
    }

    /// From the beginning of the file through `moov`, bytes.
    package let initRange: Range<Int64>
    /// The tracks whose coding this target knows.
    package let tracks: [TrackDescription]
    /// Needed to read samples of files from elsewhere.
    package let defaults: [TrackDefaults]
    /// The first `uuid` box in `moov`.
    package let identification: Identification?
    /// Every whole fragment.
    package private(set) var index = FragmentIndex()
    /// For each entry of the index the capture time of its first sample, microseconds UTC; nil where the file does not tell.
    package private(set) var wallClocks: [Int64?] = []
    /// The end of the last whole fragment (of `moov` when there is none), bytes: cutting the file here loses nothing readable.
    package private(set) var completeLength: Int64
    package private(set) var ending: Ending = .whole
    /// Where each track goes on, for fragments that do not tell.
    private var nextDecodeTimes: [UInt32: Int64] = [:]

    /// Fragments in a file: 2^20 is weeks of footage. It bounds memory.
    private static let mostFragments = 1 << 20
    private static let topLevelTypes: Set<FourCC> = [
        "ftyp", "styp", "pdin", "moov", "moof", "mdat", "mfra", "free", "skip", "wide", "sidx", "ssix", "emsg", "prft", "uuid", "meta",
        "meco", "udta",
    ]

    /// Throws when there is no whole and readable `moov`, or when the closure throws.
    /// - Parameter length: of the file now, bytes.
    package init(length: Int64, read: Read) throws(ISOBMFFError) {
        var window = FileWindow(length: length)
        var position: Int64 = 0
        while let box = try window.box(at: position, read: read) {
            guard Self.topLevelTypes.contains(box.type) else { throw .malformed("file") }
            guard box.end <= length else { throw .truncated("file") }
            position = box.end
            guard box.type == "moov" else { continue }
            let (bytes, content) = try window.content(of: box, read: read)
            let movie = try MovieDescription(bytes, content: content)
            tracks = movie.tracks
            defaults = movie.defaults
            identification = movie.identification
            initRange = 0..<box.end
            completeLength = box.end
            try scan(&window, read)
            return
        }
        throw .truncated("file")
    }

    /// Scans on from `completeLength` in a file that has grown.
    /// - Parameter length: of the file now, bytes.
    package mutating func extend(length: Int64, read: Read) throws(ISOBMFFError) {
        var window = FileWindow(length: length)
        try scan(&window, read)
    }

    /// Capture time of the first sample of the file, microseconds UTC.
    package var wallClock: Int64? { wallClocks.first ?? nil }

    /// The track whose times the index has: the first video track, else the first track.
    package var indexedTrack: TrackDescription? { tracks.first(where: \.isVideo) ?? tracks.first }

    private mutating func scan(_ window: inout FileWindow, _ read: Read) throws(ISOBMFFError) {
        ending = .incomplete
        do throws(ISOBMFFError) {
            try scanFragments(&window, read)
        } catch .unreadable(let reason) {
            throw .unreadable(reason)
        } catch {
            ending = .damaged
        }
    }

    /// Sets `ending` unless it throws, which stands for damage.
    private mutating func scanFragments(_ window: inout FileWindow, _ read: Read) throws(ISOBMFFError) {
        var position = completeLength
        var fragmentStart: Int64?
        var wallClock: Int64?
        var fragment: MovieFragment?
        while let box = try window.box(at: position, read: read) {
            guard Self.topLevelTypes.contains(box.type) else { throw .malformed("file") }
            guard box.end <= window.length else { return }
            position = box.end
            switch box.type {
            case "prft":
                if fragment == nil {
                    fragmentStart = fragmentStart ?? box.start
                    wallClock = try Self.wallClock(&window, box, read)
                }
            case "moof":
                let (bytes, content) = try window.content(of: box, read: read)
                if fragment != nil {
                    // The one before has no payload.
                    throw .malformed("fragment")
                }
                fragment = try MovieFragment(bytes, content: content, offset: box.start, defaults: defaults)
                fragmentStart = fragmentStart ?? box.start
            case "mdat":
                if let moof = fragment, let start = fragmentStart {
                    if let extent = moof.extent, extent.lowerBound < box.contentStart || extent.upperBound > box.end {
                        throw .malformed("fragment")
                    }
                    guard index.entries.count < Self.mostFragments else { throw .tooLarge("file") }
                    append(moof, start..<box.end, wallClock)
                }
                fragment = nil
                fragmentStart = nil
                wallClock = nil
                completeLength = box.end
            default:
                if fragmentStart == nil { completeLength = box.end }
            }
        }
        ending = completeLength == window.length ? .whole : .incomplete
    }

    private mutating func append(_ moof: MovieFragment, _ range: Range<Int64>, _ wallClock: Int64?) {
        let indexed = indexedTrack?.id ?? moof.tracks.first?.trackID ?? 0
        var start = nextDecodeTimes[indexed] ?? 0
        var duration: Int64 = 0
        var startsWithKeyframe = false
        for track in moof.tracks where track.sampleCount > 0 {
            let time = track.decodeTime ?? nextDecodeTimes[track.trackID] ?? 0
            if track.trackID == indexed, duration == 0 {
                start = time
                startsWithKeyframe = track.startsWithKeyframe
                duration = track.duration
            }
            // Decode times stay below 2^62 and a fragment's duration below 2^52; only a missing tfdt could pile them up.
            nextDecodeTimes[track.trackID] = min(time + track.duration, 1 << 62)
        }
        index.entries.append(
            FragmentIndexEntry(
                offset: range.lowerBound, size: range.upperBound - range.lowerBound, start: start, duration: duration,
                startsWithKeyframe: startsWithKeyframe))
        wallClocks.append(wallClock)
    }

    private static func wallClock(_ window: inout FileWindow, _ box: FileWindow.FileBox, _ read: Read) throws(ISOBMFFError) -> Int64 {
        let (bytes, content) = try window.content(of: box, read: read)
        var reader = ByteReader(bytes, in: content)
        try reader.skip(8)
        return NTPTime.microseconds(timestamp: try reader.u64())
    }
}
