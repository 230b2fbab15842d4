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
    /// What follows the header, in order; adjacent pieces are merged.
    package let pieces: [MoviePiece]
    /// Of the whole file, bytes.
    package let totalLength: Int64

    /// - Parameters:
    ///   - presentationStart: where playback begins, in ticks of 1/1,000,000 s on the shared time line; samples that end before
    ///     it are decoded but not shown (an edit list says so).
    package init(
        tracks: [MovieTrack], creationTime: Int64, presentationStart: Int64? = nil, identification: Identification? = nil
    ) throws(ISOBMFFError) { throw .unsupported("") }

    /// What makes up a byte range of the file, which is cut to the file's length.
    package func slices(of range: Range<Int64>) -> [MovieSlice] { [] }
}
