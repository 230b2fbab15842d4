/// The defaults of a track's fragments from `trex` (ISO/IEC 14496-12, 8.8.3); files of this target leave all at 0.
package struct TrackDefaults: Sendable, Equatable {
    package var trackID: UInt32
    /// Ticks of the track.
    package var duration: UInt32
    /// Bytes.
    package var size: UInt32
    /// Sample flags as 8.8.3.1 packs them.
    package var flags: UInt32

    package init(trackID: UInt32, duration: UInt32, size: UInt32, flags: UInt32) {
        self.trackID = trackID
        self.duration = duration
        self.size = size
        self.flags = flags
    }
}

/// A parsed `moof`: where the samples of one fragment lie and when they are decoded.
struct MovieFragment {
    /// Samples in a fragment: 2^20 is hours of audio. It bounds what a few hostile bytes can cost.
    private static let mostSamples = 1 << 20

    struct Track {
        let trackID: UInt32
        /// nil without `tfdt`: the fragment goes on where the track's last one ended.
        var decodeTime: Int64?
        var runs: [Run] = []
        /// Of all runs, ticks.
        var duration: Int64 = 0
        var sampleCount = 0
        var startsWithKeyframe = false
    }

    struct Run {
        let count: Int
        /// File offset of the first sample.
        let offset: Int64
        let flags: UInt32
        let isSigned: Bool
        let firstSampleFlags: UInt32?
        let defaults: TrackDefaults
        /// Of the rows in the bytes of the box.
        let rows: Int

        private var rowSize: Int { (flags & 0xF00).nonzeroBitCount * 4 }

        /// Everything of one sample; `index` must be below `count`, `bytes` those that were parsed.
        func sample(_ index: Int, of bytes: [UInt8]) -> (duration: UInt32, size: UInt32, flags: UInt32, compositionOffset: Int32) {
            var at = rows + index * rowSize
            func next() -> UInt32 {
                defer { at += 4 }
                return UInt32(bytes[at]) << 24 | UInt32(bytes[at + 1]) << 16 | UInt32(bytes[at + 2]) << 8 | UInt32(bytes[at + 3])
            }
            let duration = flags & 0x100 != 0 ? next() : defaults.duration
            let size = flags & 0x200 != 0 ? next() : defaults.size
            var sampleFlags = flags & 0x400 != 0 ? next() : defaults.flags
            if index == 0, let firstSampleFlags { sampleFlags = firstSampleFlags }
            guard flags & 0x800 != 0 else { return (duration, size, sampleFlags, 0) }
            let offset = next()
            return (duration, size, sampleFlags, isSigned ? Int32(bitPattern: offset) : Int32(clamping: offset))
        }
    }

    private(set) var tracks: [Track] = []
    /// What the samples take up in the file; nil without samples.
    private(set) var extent: Range<Int64>?

    /// - Parameters:
    ///   - content: of the `moof` box in `bytes`.
    ///   - offset: of the `moof` box in the file.
    init(_ bytes: [UInt8], content: Range<Int>, offset: Int64, defaults: [TrackDefaults]) throws(ISOBMFFError) {
        var reader = ByteReader(bytes, in: content)
        var samples = 0
        var dataEnd = offset
        while let box = try reader.box() {
            guard box.type == "traf" else { continue }
            try parseTrack(bytes, box.content, moof: offset, defaults, &samples, &dataEnd)
        }
    }

    private mutating func parseTrack(
        _ bytes: [UInt8], _ content: Range<Int>, moof: Int64, _ allDefaults: [TrackDefaults], _ samples: inout Int,
        _ dataEnd: inout Int64
    ) throws(ISOBMFFError) {
        var track: Track?
        var defaults = TrackDefaults(trackID: 0, duration: 0, size: 0, flags: 0)
        // Without flags for it, the data of a second track follows that of the first (8.8.7.1).
        var base = tracks.isEmpty ? moof : dataEnd
        var next: Int64?
        var reader = ByteReader(bytes, in: content)
        while let box = try reader.box() {
            var fields = ByteReader(bytes, in: box.content)
            switch box.type {
            case "tfhd":
                let flags = try fields.u32() & 0xFF_FFFF
                let id = try fields.u32()
                defaults = allDefaults.first { $0.trackID == id } ?? defaults
                defaults.trackID = id
                if flags & 0x02_0000 != 0 { base = moof }
                if flags & 0x01 != 0 {
                    guard let explicit = Int64(exactly: try fields.u64()) else { throw .malformed("tfhd") }
                    base = explicit
                }
                if flags & 0x02 != 0 { try fields.skip(4) }
                if flags & 0x08 != 0 { defaults.duration = try fields.u32() }
                if flags & 0x10 != 0 { defaults.size = try fields.u32() }
                if flags & 0x20 != 0 { defaults.flags = try fields.u32() }
                track = Track(trackID: id)
            case "tfdt":
                let version = try fields.u32() >> 24
                let time = version == 0 ? UInt64(try fields.u32()) : try fields.u64()
                // Room is left for the durations that are added.
                guard time < 1 << 62 else { throw .malformed("tfdt") }
                track?.decodeTime = Int64(time)
            case "trun":
                guard var current = track else { throw .malformed("traf") }
                let versionAndFlags = try fields.u32()
                let flags = versionAndFlags & 0xFF_FFFF
                let count = Int(try fields.u32())
                samples += count
                guard samples <= Self.mostSamples else { throw .tooLarge("movie fragment") }
                var start = next ?? base
                if flags & 0x01 != 0 {
                    let (sum, overflow) = base.addingReportingOverflow(Int64(Int32(bitPattern: try fields.u32())))
                    guard !overflow, sum >= 0 else { throw .malformed("trun") }
                    start = sum
                }
                let first = flags & 0x04 != 0 ? try fields.u32() : nil
                guard (flags & 0xF00).nonzeroBitCount * 4 * count <= fields.remaining else { throw .truncated("trun") }
                let run = Run(
                    count: count, offset: start, flags: flags, isSigned: versionAndFlags >> 24 != 0, firstSampleFlags: first,
                    defaults: defaults, rows: fields.position)
                let end = try add(run, to: &current, bytes)
                next = end
                dataEnd = end
                track = current
            default:
                continue
            }
        }
        guard let track else { throw .malformed("traf") }
        tracks.append(track)
    }

    /// Adds up a run; answers the file offset of the end of its data.
    private mutating func add(_ run: Run, to track: inout Track, _ bytes: [UInt8]) throws(ISOBMFFError) -> Int64 {
        track.runs.append(run)
        guard run.count > 0 else { return run.offset }
        if track.sampleCount == 0 { track.startsWithKeyframe = SampleFlags.isKeyframe(run.sample(0, of: bytes).flags) }
        track.sampleCount += run.count
        var size: Int64 = 0
        if run.flags & 0x300 == 0 {
            size = Int64(run.defaults.size) * Int64(run.count)
            track.duration += Int64(run.defaults.duration) * Int64(run.count)
        } else {
            for index in 0..<run.count {
                let sample = run.sample(index, of: bytes)
                size += Int64(sample.size)
                track.duration += Int64(sample.duration)
            }
        }
        let (end, overflow) = run.offset.addingReportingOverflow(size)
        guard !overflow else { throw .malformed("trun") }
        if let known = extent {
            extent = min(known.lowerBound, run.offset)..<max(known.upperBound, end)
        } else {
            extent = run.offset..<end
        }
        return end
    }
}

extension SampleLocation {
    /// The samples of one fragment in file order of its tracks. Fragments without decode time (`tfdt`) are `unsupported`.
    /// - Parameters:
    ///   - fragment: bytes from the fragment's first box (`prft` or `moof`) on, at least through its `moof`.
    ///   - offset: of these bytes in the file.
    ///   - defaults: `FragmentedFile.defaults`; files written by this target do without.
    package static func samples(
        fragment: [UInt8], at offset: Int64, defaults: [TrackDefaults] = []
    ) throws(ISOBMFFError) -> [SampleLocation] {
        guard offset >= 0, offset < 1 << 62 else { throw .malformed("fragment offset") }
        var reader = ByteReader(fragment)
        while let box = try reader.box() {
            guard box.type == "moof" else { continue }
            let moof = try MovieFragment(fragment, content: box.content, offset: offset + Int64(box.start), defaults: defaults)
            return try samples(of: moof, fragment)
        }
        throw .truncated("moof")
    }

    /// The samples of an indexed fragment; reads its `moof`, not its payload.
    package static func samples(
        of entry: FragmentIndexEntry, defaults: [TrackDefaults] = [], read: FragmentedFile.Read
    ) throws(ISOBMFFError) -> [SampleLocation] {
        var window = FileWindow(length: entry.end)
        var position = entry.offset
        while let box = try window.box(at: position, read: read), box.end <= entry.end {
            if box.type == "moof" {
                let (bytes, content) = try window.content(of: box, read: read)
                let moof = try MovieFragment(bytes, content: content, offset: box.start, defaults: defaults)
                return try samples(of: moof, bytes)
            }
            position = box.end
        }
        throw .truncated("moof")
    }

    private static func samples(of moof: MovieFragment, _ bytes: [UInt8]) throws(ISOBMFFError) -> [SampleLocation] {
        var samples: [SampleLocation] = []
        samples.reserveCapacity(moof.tracks.reduce(0) { $0 + $1.sampleCount })
        for track in moof.tracks where track.sampleCount > 0 {
            guard var time = track.decodeTime else { throw .unsupported("fragment without decode time") }
            for run in track.runs {
                var offset = run.offset
                for index in 0..<run.count {
                    let sample = run.sample(index, of: bytes)
                    samples.append(
                        SampleLocation(
                            trackID: track.trackID, decodeTime: time, duration: Int64(sample.duration),
                            compositionOffset: sample.compositionOffset, size: Int(sample.size),
                            isKeyframe: SampleFlags.isKeyframe(sample.flags), offset: offset))
                    time += Int64(sample.duration)
                    offset += Int64(sample.size)
                }
            }
        }
        return samples
    }
}
