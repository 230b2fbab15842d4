import ISOBMFF
import Testing

@Suite("Movies over samples of several files")
struct MovieTests {
    /// Two synthetic files one after the other on one time line.
    static func tracks(_ files: [SyntheticFile]) -> [MovieTrack] {
        var video: [MovieSample] = []
        var audio: [MovieSample] = []
        for (number, file) in files.enumerated() {
            let base = Int64(number) * 72072
            for sample in file.samples {
                let isVideo = sample.trackID == 1
                let moved = MovieSample(
                    file: number, offset: sample.offset, size: sample.size,
                    decodeTime: sample.decodeTime + (isVideo ? base : base * 16 / 90), duration: sample.duration,
                    compositionOffset: sample.compositionOffset, isKeyframe: sample.isKeyframe)
                if isVideo { video.append(moved) } else { audio.append(moved) }
            }
        }
        return [
            MovieTrack(timescale: 90000, descriptions: [SyntheticFile.tracks[0].kind], samples: video),
            MovieTrack(timescale: 16000, descriptions: [SyntheticFile.tracks[1].kind], samples: audio),
        ]
    }

    static func bytes(_ slices: [MovieSlice], _ movie: Movie, _ files: [[UInt8]]) -> [UInt8] {
        slices.flatMap { slice -> [UInt8] in
            switch slice {
            case .header(let range): Array(movie.header[range])
            case .file(let number, let offset, let length): Array(files[number][Int(offset)..<Int(offset + length)])
            }
        }
    }

    @Test("The pieces hold every sample once and any byte range is cut from them")
    func slices() throws {
        let files = [SyntheticFile(random: 1), SyntheticFile(random: 2)]
        let contents = files.map(\.bytes)
        let movie = try Movie(tracks: Self.tracks(files), creationTime: 1_784_567_890)
        let payload = files.reduce(0) { $0 + $1.samples.reduce(0) { $0 + $1.size } }
        #expect(movie.totalLength == Int64(movie.header.count + payload))
        #expect(movie.pieces.reduce(0) { $0 + $1.length } == Int64(payload))
        let whole = Self.bytes(movie.slices(of: 0..<movie.totalLength), movie, contents)
        #expect(whole.count == Int(movie.totalLength))
        var random = SeededRandom(state: 5)
        for _ in 0..<2000 {
            let a = Int64.random(in: 0...movie.totalLength, using: &random)
            let b = Int64.random(in: a...movie.totalLength, using: &random)
            #expect(Self.bytes(movie.slices(of: a..<b), movie, contents) == Array(whole[Int(a)..<Int(b)]))
        }
        #expect(movie.slices(of: movie.totalLength..<movie.totalLength + 5).isEmpty)
        #expect(movie.slices(of: -5..<0).isEmpty)
        #expect(Self.bytes(movie.slices(of: Int64.min..<Int64.max), movie, contents) == whole)
    }

    @Test("Adjacent samples become one piece, chunks of two tracks take turns at most a second apart")
    func pieces() throws {
        let video = (0..<250).map { (index: Int) -> MovieSample in
            let number = Int64(index)
            return MovieSample(file: 0, offset: 1000 + number * 10, size: 10, decodeTime: number * 3600, duration: 3600, isKeyframe: index == 0)
        }
        let one = MovieTrack(timescale: 90000, descriptions: [.video(ParameterSets.avc)], samples: video)
        let silent = try Movie(tracks: [one], creationTime: 0)
        #expect(silent.pieces == [MoviePiece(file: 0, offset: 1000, length: 2500)])
        let audio = (0..<157).map { (index: Int) -> MovieSample in
            let number = Int64(index)
            return MovieSample(file: 1, offset: number * 7, size: 7, decodeTime: number * 1024, duration: 1024, isKeyframe: true)
        }
        let two = MovieTrack(timescale: 16000, descriptions: [.audio(ParameterSets.aac)], samples: audio)
        let both = try Movie(tracks: [one, two], creationTime: 0)
        #expect(both.pieces.count == 20)
        for piece in both.pieces {
            if piece.file == 0 { #expect(piece.length == 250) } else { #expect(piece.length <= 112) }
        }
    }

    @Test("More than 4 GiB of samples take 64-bit offsets and sizes")
    func large() throws {
        let samples = (0..<50).map { (file: Int) -> MovieSample in
            MovieSample(file: file, offset: 1 << 40, size: 100_000_000, decodeTime: Int64(file) * 90000, duration: 90000, isKeyframe: true)
        }
        let movie = try Movie(
            tracks: [MovieTrack(timescale: 90000, descriptions: [.video(ParameterSets.avc)], samples: samples)], creationTime: 0)
        #expect(movie.totalLength == Int64(movie.header.count) + 5_000_000_000)
        let tail = Array(movie.header.suffix(16))
        #expect(tail == [0, 0, 0, 1] + Array("mdat".utf8) + [0, 0, 0, 1, 0x2A, 0x05, 0xF2, 0x10])
        #expect(movie.header.indices.contains { movie.header[$0...].starts(with: Array("co64".utf8)) })
        let end = movie.totalLength
        #expect(movie.slices(of: end - 5..<end) == [.file(49, offset: (1 << 40) + 99_999_995, length: 5)])
    }

    @Test("Impossible samples and empty movies are refused")
    func refused() throws {
        let good = MovieSample(file: 0, offset: 0, size: 1, decodeTime: 0, duration: 1, isKeyframe: true)
        func movie(_ change: (inout MovieSample) -> Void, start: Int64? = nil) throws -> Movie {
            var changed = good
            change(&changed)
            return try Movie(
                tracks: [MovieTrack(timescale: 1000, descriptions: [.video(ParameterSets.avc)], samples: [good, changed])], creationTime: 0,
                presentationStart: start)
        }
        #expect(throws: ISOBMFFError.malformed("movie without samples")) { try Movie(tracks: [], creationTime: 0) }
        #expect(throws: ISOBMFFError.malformed("movie sample")) { try movie { $0.size = -1 } }
        #expect(throws: ISOBMFFError.malformed("movie sample")) { try movie { $0.size = 1 << 33 } }
        #expect(throws: ISOBMFFError.malformed("movie sample")) { try movie { $0.offset = -1 } }
        #expect(throws: ISOBMFFError.malformed("movie sample")) { try movie { $0.description = 1 } }
        #expect(throws: ISOBMFFError.malformed("movie sample")) { try movie { $0.decodeTime = .max } }
        #expect(throws: ISOBMFFError.unsupported("gap in a movie")) { try movie { $0.decodeTime = 1 << 34 } }
        #expect(throws: ISOBMFFError.malformed("movie without samples")) { try movie({ $0.decodeTime = 1 }, start: .max) }
        #expect(try movie({ $0.decodeTime = 1 }, start: .min).totalLength > 0)
        #expect(try movie({ $0.decodeTime = -7 }).totalLength > 0)
    }
}
