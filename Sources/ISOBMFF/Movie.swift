/// One sample of a movie: bytes that lie in one of the caller's files.
package struct MovieSample: Sendable, Equatable {
    /// The caller's number of the file.
    package var file: Int
    /// In that file, bytes.
    package var offset: Int64
    /// Bytes.
    package var size: Int
    /// Ticks of the track, on a time line that all tracks of the movie share.
    package var decodeTime: Int64
    /// Ticks of the track. Counts for the last sample only; any other lasts until the next one's decode time.
    package var duration: Int64
    /// Presentation minus decode time, ticks of the track.
    package var compositionOffset: Int32
    package var isKeyframe: Bool
    /// Position in `MovieTrack.descriptions` of the coding of this sample.
    package var description: Int

    package init(
        file: Int, offset: Int64, size: Int, decodeTime: Int64, duration: Int64, compositionOffset: Int32 = 0, isKeyframe: Bool,
        description: Int = 0
    ) {
        self.file = file
        self.offset = offset
        self.size = size
        self.decodeTime = decodeTime
        self.duration = duration
        self.compositionOffset = compositionOffset
        self.isKeyframe = isKeyframe
        self.description = description
    }
}

/// One track of a movie.
package struct MovieTrack: Sendable, Equatable {
    /// Ticks per second.
    package var timescale: UInt32
    /// The codings that occur in the track, all video or all audio; usually one, more where a camera changed its parameters.
    package var descriptions: [TrackDescription.Kind]
    /// In decoding order.
    package var samples: [MovieSample]

    package init(timescale: UInt32, descriptions: [TrackDescription.Kind], samples: [MovieSample]) {
        self.timescale = timescale
        self.descriptions = descriptions
        self.samples = samples
    }
}

/// Bytes of one of the caller's files that are part of a movie.
package struct MoviePiece: Sendable, Equatable {
    package var file: Int
    package var offset: Int64
    package var length: Int64

    package init(file: Int, offset: Int64, length: Int64) {
        self.file = file
        self.offset = offset
        self.length = length
    }
}

/// Part of a byte range of a movie.
package enum MovieSlice: Sendable, Equatable {
    /// A range of `Movie.header`.
    case header(Range<Int>)
    /// Bytes of one of the caller's files.
    case file(Int, offset: Int64, length: Int64)
}

/// An ordinary MP4 file (`moov` first, not fragmented) that exists only as its header and a list of pieces of other files:
/// sent or written without copying samples through memory.
package struct Movie: Sendable {
    /// `ftyp`, `moov` and the header of `mdat`.
    package let header: [UInt8]
    /// What follows the header, in order; adjacent pieces are merged, so there are about two for each second.
    package let pieces: [MoviePiece]
    /// Of the whole file, bytes.
    package let totalLength: Int64
    /// File offset of each piece, in step with `pieces`.
    private let starts: [Int64]

    /// Tracks without a sample that is shown are left out. Decode times that do not rise are spread by a tick; what is shown
    /// when does not change by that.
    /// - Parameters:
    ///   - tracks: the first one's timescale becomes the movie's; make it the video.
    ///   - creationTime: seconds UTC since 1970.
    ///   - presentationStart: where playback begins, in ticks of the first track on the shared time line; samples presented
    ///     before it are decoded but not shown (by an edit list). nil: with the earliest sample of all tracks.
    ///   - identification: stored as a `uuid` box in `moov`.
    /// - Throws: `malformed` for samples without files, sizes or codings, `unsupported` for gaps of 2^32 ticks and more.
    package init(
        tracks: [MovieTrack], creationTime: Int64, presentationStart: Int64? = nil, identification: Identification? = nil
    ) throws(ISOBMFFError) {
        let timescale = max(1, tracks.first?.timescale ?? 1)
        var plans: [TrackPlan] = []
        for track in tracks where !track.samples.isEmpty { plans.append(try TrackPlan(track, movieTimescale: timescale)) }
        let start = presentationStart ?? plans.map(\.movieStart).min() ?? 0
        for index in plans.indices { plans[index].setPresentationStart(start) }
        plans.removeAll { !$0.isShown }
        guard !plans.isEmpty else { throw .malformed("movie without samples") }

        // Chunks of at most a second take turns in order of time, so that a player needs to look ahead no further.
        var chunks: [(time: Int64, track: Int, chunk: Int)] = []
        chunks.reserveCapacity(plans.reduce(0) { $0 + $1.chunks.count })
        for (track, plan) in plans.enumerated() {
            for (chunk, value) in plan.chunks.enumerated() { chunks.append((value.movieTime, track, chunk)) }
        }
        chunks.sort { ($0.time, $0.track, $0.chunk) < ($1.time, $1.track, $1.chunk) }

        var pieces: [MoviePiece] = []
        var payload: Int64 = 0
        for (_, track, chunk) in chunks {
            plans[track].chunks[chunk].offset = payload
            for sample in plans[track].source.samples[plans[track].chunks[chunk].samples] where sample.size > 0 {
                let size = Int64(sample.size)
                if let last = pieces.last, last.file == sample.file, last.offset + last.length == sample.offset {
                    pieces[pieces.count - 1].length += size
                } else {
                    pieces.append(MoviePiece(file: sample.file, offset: sample.offset, length: size))
                }
                payload += size
            }
        }

        // Chunk offsets count from the beginning of the file: the size of the header has to be known, so it is made twice.
        func draft(base: Int64, wide: Bool) -> [UInt8] {
            Self.header(
                plans, timescale: timescale, creationTime: creationTime, identification: identification, payload: payload, base: base,
                wide: wide)
        }
        var wide = payload > Int64(UInt32.max)
        var size = draft(base: 0, wide: wide).count
        if !wide, Int64(size) + payload > Int64(UInt32.max) {
            wide = true
            size = draft(base: 0, wide: wide).count
        }
        header = draft(base: Int64(size), wide: wide)
        self.pieces = pieces
        var end = Int64(header.count)
        var starts: [Int64] = []
        starts.reserveCapacity(pieces.count)
        for piece in pieces {
            starts.append(end)
            end += piece.length
        }
        self.starts = starts
        totalLength = end
    }

    /// What makes up a byte range of the file, which is cut to the file's length. Time grows with the logarithm of the pieces
    /// and the number of slices answered.
    package func slices(of range: Range<Int64>) -> [MovieSlice] {
        let range = range.clamped(to: 0..<totalLength)
        guard !range.isEmpty else { return [] }
        var slices: [MovieSlice] = []
        let headerEnd = Int64(header.count)
        if range.lowerBound < headerEnd {
            slices.append(.header(Int(range.lowerBound)..<Int(min(range.upperBound, headerEnd))))
        }
        var position = max(range.lowerBound, headerEnd)
        // The last piece that starts at or before the position.
        var low = 0
        var high = starts.count
        while low < high {
            let middle = (low + high) / 2
            if starts[middle] <= position { low = middle + 1 } else { high = middle }
        }
        var index = max(0, low - 1)
        while position < range.upperBound, index < pieces.count {
            let piece = pieces[index]
            let inside = position - starts[index]
            let length = min(piece.length - inside, range.upperBound - position)
            slices.append(.file(piece.file, offset: piece.offset + inside, length: length))
            position += length
            index += 1
        }
        return slices
    }

    // MARK: - Header

    private static func header(
        _ plans: [TrackPlan], timescale: UInt32, creationTime: Int64, identification: Identification?, payload: Int64, base: Int64,
        wide: Bool
    ) -> [UInt8] {
        let samples = plans.reduce(0) { $0 + $1.source.samples.count }
        var writer = BoxWriter(capacity: 1024 + 2048 * plans.count + samples * 6 + (identification?.payload.count ?? 0))
        writer.box("ftyp") {
            $0.append("isom")
            $0.u32(0)
            for brand: FourCC in ["isom", "iso4", "mp41", "mp42"] { $0.append(brand) }
        }
        writer.box("moov") {
            let duration = plans.map(\.shownUntil).max() ?? 0
            MovieBoxes.movieHeader(
                timescale: timescale, duration: UInt64(clamping: duration), creationTime: creationTime,
                nextTrackID: UInt32(truncatingIfNeeded: plans.count + 1), into: &$0)
            for (index, plan) in plans.enumerated() {
                let kind = plan.source.descriptions[0]
                $0.box("trak") {
                    MovieBoxes.trackHeader(
                        UInt32(truncatingIfNeeded: index + 1), kind: kind, duration: UInt64(clamping: plan.shownUntil),
                        creationTime: creationTime, into: &$0)
                    plan.writeEdits(into: &$0)
                    MovieBoxes.media(
                        kind: kind, timescale: plan.source.timescale, duration: UInt64(clamping: plan.mediaDuration),
                        creationTime: creationTime, into: &$0
                    ) {
                        plan.writeTable(base: base, wide: wide, into: &$0)
                    }
                }
            }
            if let identification { MovieBoxes.identification(identification, into: &$0) }
        }
        if payload > Int64(UInt32.max) - 8 {
            writer.u32(1)
            writer.append("mdat")
            writer.u64(UInt64(clamping: payload + 16))
        } else {
            writer.u32(UInt32(clamping: payload + 8))
            writer.append("mdat")
        }
        return writer.bytes
    }
}
