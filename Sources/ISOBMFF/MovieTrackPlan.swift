/// One track of a movie, thought through: its times on its own clock that begins at 0, its chunks, its edits.
struct TrackPlan {
    struct Chunk {
        /// Positions in the source's samples.
        var samples: Range<Int>
        /// Position in the source's descriptions.
        let description: Int
        /// Decode time in ticks of the movie.
        let movieTime: Int64
        /// In the payload of the movie.
        var offset: Int64 = 0
    }

    let source: MovieTrack
    var chunks: [Chunk] = []
    /// For each sample its time until the next one.
    private var deltas: [UInt32] = []
    private var compositionOffsets: [Int32] = []
    private(set) var mediaDuration: Int64 = 0
    /// On the shared time line, ticks of the track.
    private var firstDecodeTime: Int64
    /// When the first and after the last picture (sound) is presented; shared time line, ticks of the track.
    private var firstPresented: Int64
    private var lastPresented: Int64
    private let movieTimescale: UInt32

    // Edits: a gap in ticks of the movie, then the media from a time in ticks of the track, for so many ticks of the movie.
    private var gap: Int64 = 0
    private var mediaStart: Int64 = 0
    private var shown: Int64 = 0

    init(_ track: MovieTrack, movieTimescale: UInt32) throws(ISOBMFFError) {
        source = track
        self.movieTimescale = movieTimescale
        guard track.timescale > 0, let first = track.samples.first else { throw .malformed("movie track") }
        firstDecodeTime = first.decodeTime
        firstPresented = .max
        lastPresented = .min
        deltas.reserveCapacity(track.samples.count)
        compositionOffsets.reserveCapacity(track.samples.count)
        // All times stay far from the ends of Int64, so that sums and differences cannot overflow.
        let sane: ClosedRange<Int64> = -(1 << 60)...(1 << 60)
        var clock = first.decodeTime
        var chunkStart = clock
        for (index, sample) in track.samples.enumerated() {
            guard sane.contains(sample.decodeTime), sane.contains(sample.duration), sample.offset >= 0, sample.offset < 1 << 60,
                sample.size >= 0, sample.size <= Int(UInt32.max), track.descriptions.indices.contains(sample.description)
            else { throw .malformed("movie sample") }
            let next = index + 1 < track.samples.count ? track.samples[index + 1].decodeTime : clock + max(1, sample.duration)
            guard sane.contains(next) else { throw .malformed("movie sample") }
            guard let delta = UInt32(exactly: max(1, next - clock)) else { throw .unsupported("gap in a movie") }
            let presented = sample.decodeTime + Int64(sample.compositionOffset)
            guard let offset = Int32(exactly: presented - clock) else { throw .unsupported("gap in a movie") }
            let isNewChunk = clock - chunkStart >= Int64(track.timescale) || chunks.last?.description != sample.description
            if isNewChunk {
                chunkStart = clock
                chunks.append(
                    Chunk(
                        samples: index..<index + 1, description: sample.description,
                        movieTime: Self.scale(clock, from: track.timescale, to: movieTimescale)))
            } else {
                chunks[chunks.count - 1].samples = chunks[chunks.count - 1].samples.lowerBound..<index + 1
            }
            deltas.append(delta)
            compositionOffsets.append(offset)
            clock += Int64(delta)
            firstPresented = min(firstPresented, presented)
            lastPresented = max(lastPresented, presented + (index + 1 < track.samples.count ? Int64(delta) : max(1, sample.duration)))
        }
        mediaDuration = clock - firstDecodeTime
        // An edit cannot begin before the media does: pictures presented before the first decode time move all offsets up.
        let early = firstDecodeTime - firstPresented
        if early > 0 {
            for (index, offset) in compositionOffsets.enumerated() {
                guard let moved = Int32(exactly: Int64(offset) + early) else { throw .unsupported("gap in a movie") }
                compositionOffsets[index] = moved
            }
            firstDecodeTime -= early
        }
    }

    /// Of the first presentation; shared time line, ticks of the movie.
    var movieStart: Int64 { Self.scale(firstPresented, from: source.timescale, to: movieTimescale) }

    /// Ticks of the movie from its beginning to the end of this track.
    var shownUntil: Int64 { gap + shown }

    /// Whether anything of the track is seen or heard.
    var isShown: Bool { shown > 0 }

    /// Decides the edits for a movie that begins at the time (ticks of the movie on the shared time line).
    mutating func setPresentationStart(_ start: Int64) {
        // Bounded so that sums cannot overflow; honest times are far below.
        let bound: Int64 = 1 << 61
        let start = min(max(Self.scale(start, from: movieTimescale, to: source.timescale), -bound), bound)
        let from = max(start, firstPresented)
        gap = min(Self.scale(from - start, from: source.timescale, to: movieTimescale), bound)
        mediaStart = from - firstDecodeTime
        shown = min(Self.scale(lastPresented - from, from: source.timescale, to: movieTimescale), bound)
    }

    /// `edts`, when there is anything to tell (ISO/IEC 14496-12, 8.6.6).
    func writeEdits(into writer: inout BoxWriter) {
        guard gap > 0 || mediaStart > 0 else { return }
        let version: UInt8 = max(gap, shown) > Int64(UInt32.max) || mediaStart > Int64(Int32.max) ? 1 : 0
        func edit(_ duration: Int64, _ time: Int64, _ writer: inout BoxWriter) {
            if version == 1 {
                writer.u64(UInt64(bitPattern: duration))
                writer.u64(UInt64(bitPattern: time))
            } else {
                writer.u32(UInt32(clamping: duration))
                writer.u32(UInt32(bitPattern: Int32(clamping: time)))
            }
            writer.u32(0x0001_0000)
        }
        writer.box("edts") {
            $0.fullBox("elst", version: version) {
                $0.u32(gap > 0 ? 2 : 1)
                if gap > 0 { edit(gap, -1, &$0) }
                edit(shown, mediaStart, &$0)
            }
        }
    }

    /// The boxes in `stbl` (ISO/IEC 14496-12, 8.5 to 8.7).
    func writeTable(base: Int64, wide: Bool, into writer: inout BoxWriter) {
        MovieBoxes.sampleDescriptions(source.descriptions, into: &writer)
        Self.writeRuns("stts", deltas, into: &writer)
        if compositionOffsets.contains(where: { $0 != 0 }) {
            let version: UInt8 = compositionOffsets.contains { $0 < 0 } ? 1 : 0
            Self.writeRuns("ctts", version: version, compositionOffsets.map { UInt32(bitPattern: $0) }, into: &writer)
        }
        if source.samples.contains(where: { !$0.isKeyframe }) {
            Self.writeCounted("stss", into: &writer) {
                var count: UInt32 = 0
                for (index, sample) in source.samples.enumerated() where sample.isKeyframe {
                    $0.u32(UInt32(truncatingIfNeeded: index + 1))
                    count += 1
                }
                return count
            }
        }
        Self.writeCounted("stsc", into: &writer) {
            var count: UInt32 = 0
            for (index, chunk) in chunks.enumerated() {
                if index > 0, chunks[index - 1].samples.count == chunk.samples.count, chunks[index - 1].description == chunk.description {
                    continue
                }
                $0.u32(UInt32(truncatingIfNeeded: index + 1))
                $0.u32(UInt32(truncatingIfNeeded: chunk.samples.count))
                $0.u32(UInt32(truncatingIfNeeded: chunk.description + 1))
                count += 1
            }
            return count
        }
        writer.fullBox("stsz") {
            $0.u32(0)
            $0.u32(UInt32(truncatingIfNeeded: source.samples.count))
            for sample in source.samples { $0.u32(UInt32(truncatingIfNeeded: sample.size)) }
        }
        writer.fullBox(wide ? "co64" : "stco") {
            $0.u32(UInt32(truncatingIfNeeded: chunks.count))
            for chunk in chunks {
                let offset = base + chunk.offset
                if wide { $0.u64(UInt64(clamping: offset)) } else { $0.u32(UInt32(truncatingIfNeeded: offset)) }
            }
        }
    }

    /// A table of runs of equal values.
    private static func writeRuns(_ type: FourCC, version: UInt8 = 0, _ values: [UInt32], into writer: inout BoxWriter) {
        writeCounted(type, version: version, into: &writer) {
            var count: UInt32 = 0
            var start = 0
            for index in values.indices where index + 1 == values.count || values[index + 1] != values[index] {
                $0.u32(UInt32(truncatingIfNeeded: index + 1 - start))
                $0.u32(values[index])
                start = index + 1
                count += 1
            }
            return count
        }
    }

    /// A table whose number of entries is known after writing them.
    private static func writeCounted(
        _ type: FourCC, version: UInt8 = 0, into writer: inout BoxWriter, _ entries: (inout BoxWriter) -> UInt32
    ) {
        writer.fullBox(type, version: version) {
            let position = $0.bytes.count
            $0.u32(0)
            let count = entries(&$0)
            $0.patch(count, at: position)
        }
    }

    /// Rounded down.
    private static func scale(_ ticks: Int64, from: UInt32, to: UInt32) -> Int64 {
        if from == to { return ticks }
        let product = Int128(ticks) * Int128(to)
        let (quotient, remainder) = product.quotientAndRemainder(dividingBy: Int128(max(1, from)))
        return Int64(clamping: remainder < 0 ? quotient - 1 : quotient)
    }
}
