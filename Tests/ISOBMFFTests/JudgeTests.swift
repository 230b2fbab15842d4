import Foundation
import ISOBMFF
import Testing

@Suite("Judged by ffprobe, ffmpeg and GStreamer", .serialized)
struct JudgeTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let arguments: [String]
        let streams: [String]
    }

    static let cases = [
        Case(testDescription: "H.264 without B-frames", arguments: Clip.h264(reorder: false), streams: ["h264 avc1 160x120 1/90000"]),
        Case(testDescription: "H.264 with B-frames", arguments: Clip.h264(reorder: true), streams: ["h264 avc1 160x120 1/90000"]),
        Case(testDescription: "H.265 with B-frames", arguments: Clip.h265(), streams: ["hevc hvc1 160x120 1/90000"]),
        Case(
            testDescription: "H.264 with AAC", arguments: Clip.h264(reorder: true, audio: true),
            streams: ["h264 avc1 160x120 1/90000", "aac mp4a 16000 1 1/16000"]),
        Case(
            testDescription: "H.264 with Opus", arguments: Clip.opus(),
            streams: ["h264 avc1 160x120 1/90000", "opus Opus 48000 1 1/48000"]),
        Case(testDescription: "MJPEG", arguments: Clip.mjpeg(), streams: ["mjpeg mp4v 160x120 1/90000"]),
    ]

    /// Times of pictures at 15/s in ticks of 90 kHz.
    static func times(_ count: Int, from start: Int64 = 0) -> [Int64] { (0..<count).map { start + Int64($0) * 6000 } }

    @Test("Every packet of a fragmented file is read once, with its times, its flag and its bytes", arguments: cases)
    func fragmented(_ test: Case) throws {
        try Judge.withFolder { folder in
            let clip = try Clip.make(test.arguments, in: folder)
            #expect(clip.tracks.count == test.streams.count)
            let bytes = clip.fragmented()
            let file = folder.appending(path: "fragmented.mp4")
            try Foundation.Data(bytes).write(to: file)
            let probe = try Judge.probe(file, in: folder)
            #expect(probe.streams == test.streams)
            for track in clip.tracks.indices {
                #expect(probe.packets(of: track).timesAndContent == clip.expected(track, from: 0).timesAndContent)
            }
            #expect(abs(probe.duration - Double(clip.packets[0].count) / 15) < 0.3)
            #expect(try Judge.decode(file, in: folder) == clip.packets[0].count)
            let contents = try Judge.demultiplex(file, tracks: clip.tracks, in: folder)
            #expect(contents == clip.contents)

            let read = try SyntheticFile.open(bytes)
            #expect(read.tracks == clip.tracks && read.ending == .whole)
            #expect(read.wallClock == SyntheticFile.firstWallClock)
        }
    }

    @Test("Every packet of a movie made of that file is read once, presented from 0 on", arguments: cases)
    func movie(_ test: Case) throws {
        try Judge.withFolder { folder in
            let clip = try Clip.make(test.arguments, in: folder)
            let source = clip.fragmented()
            let tracks = try Clip.movieTracks([source], bases: [0], descriptions: [0], of: clip.tracks)
            let movie = try Movie(tracks: tracks, creationTime: 1_784_567_890, identification: SyntheticFile.identification)
            let bytes = MovieTests.bytes(movie.slices(of: 0..<movie.totalLength), movie, [source])
            let file = folder.appending(path: "movie.mp4")
            try Foundation.Data(bytes).write(to: file)
            let probe = try Judge.probe(file, in: folder)
            #expect(probe.streams == test.streams)
            // The presentation begins with the earliest sample of all tracks.
            let earliest = clip.tracks.indices.map { track in
                (clip.expected(track, from: 0).map(\.pts).min() ?? 0) * 90000 / Int64(clip.tracks[track].timescale)
            }.min() ?? 0
            for track in clip.tracks.indices {
                let start = -earliest * Int64(clip.tracks[track].timescale) / 90000
                #expect(probe.packets(of: track).timesAndContent == clip.expected(track, from: start).timesAndContent)
            }
            #expect(try Judge.decode(file, in: folder) == clip.packets[0].count)
            let contents = try Judge.demultiplex(file, tracks: clip.tracks, in: folder)
            #expect(contents == clip.contents)
            // An ordinary file is none with fragments, but tells its tracks and itself.
            let read = try SyntheticFile.open(bytes)
            #expect(read.tracks.map(\.kind) == clip.tracks.map(\.kind) && read.index.entries.isEmpty)
            #expect(read.identification == SyntheticFile.identification)
        }
    }

    @Test("A movie that begins between keyframes decodes from the keyframe and shows from its beginning")
    func exactCut() throws {
        try Judge.withFolder { folder in
            let clip = try Clip.make(Clip.h264(reorder: true, audio: true), in: folder)
            let source = clip.fragmented()
            var tracks = try Clip.movieTracks([source], bases: [0], descriptions: [0], of: clip.tracks)
            // From picture 45 on: the second GOP begins with picture 30.
            let first = (tracks[0].samples.map { $0.decodeTime + Int64($0.compositionOffset) }.min() ?? 0)
            let start = first + 45 * 6000
            tracks[0].samples.removeFirst(30)
            tracks[1].samples.removeAll { ($0.decodeTime + $0.duration) * 90000 / 16000 <= start }
            let movie = try Movie(tracks: tracks, creationTime: 0, presentationStart: start)
            let file = folder.appending(path: "cut.mp4")
            try Foundation.Data(MovieTests.bytes(movie.slices(of: 0..<movie.totalLength), movie, [source])).write(to: file)
            let probe = try Judge.probe(file, in: folder)
            let video = probe.packets(of: 0)
            #expect(video.count == 70)
            let shown = video.map(\.pts).filter { $0 >= 0 }.sorted()
            #expect(shown == Self.times(55))
            #expect(video.filter(\.isDiscarded).count == 15)
            #expect(try Judge.decode(file, in: folder) == 55)
            let sound = probe.packets(of: 1)
            #expect(sound.count == tracks[1].samples.count)
            #expect((sound.first?.pts ?? 1) <= 0 && (sound.first?.pts ?? -9999) > -1024)
            #expect(abs(probe.duration - 55.0 / 15) < 0.1)
        }
    }

    @Test("Files with different parameter sets become one movie with two sample entries and a gap in time")
    func changedParameters() throws {
        try Judge.withFolder { folder in
            let large = try Clip.make(Clip.h264(frames: 40, reorder: false), name: "a.mp4", in: folder)
            let small = try Clip.make(Clip.h264(frames: 40, reorder: false, size: "96x64"), name: "b.mp4", in: folder)
            let sources = [large.fragmented(), small.fragmented(), large.fragmented()]
            let bases: [Int64] = [0, 40 * 6000, 80 * 6000 + 450_000]
            let tracks = try Clip.movieTracks(sources, bases: bases, descriptions: [0, 1, 0], of: large.tracks)
            #expect(tracks[0].descriptions.count == 2)
            let movie = try Movie(tracks: tracks, creationTime: 0)
            let file = folder.appending(path: "changed.mp4")
            try Foundation.Data(MovieTests.bytes(movie.slices(of: 0..<movie.totalLength), movie, sources)).write(to: file)
            let probe = try Judge.probe(file, in: folder)
            let times = probe.packets.map(\.dts)
            #expect(times == Self.times(80) + Self.times(40, from: 930_000))
            #expect(probe.packets.map(\.hash) == (large.packets[0] + small.packets[0] + large.packets[0]).map(\.packet.hash))
            #expect(abs(probe.duration - 13) < 0.01)
            let outcome = try Judge.run("ffprobe", ["-v", "warning", "-show_entries", "frame=width", "-of", "csv=p=0", file.path], in: folder)
            #expect(outcome.errors == "")
            let widths = String(decoding: outcome.output, as: UTF8.self).split { !$0.isNumber }.compactMap { Int($0) }
            let expected = [Int](repeating: 160, count: 40) + [Int](repeating: 96, count: 40) + [Int](repeating: 160, count: 40)
            #expect(widths == expected)
        }
    }

    @Test("A track that begins later than the movie keeps its distance")
    func lateSound() throws {
        try Judge.withFolder { folder in
            let clip = try Clip.make(Clip.h264(reorder: false, audio: true), in: folder)
            let source = clip.fragmented()
            var tracks = try Clip.movieTracks([source], bases: [0], descriptions: [0], of: clip.tracks)
            tracks[1].samples.removeFirst(20)
            let movie = try Movie(tracks: tracks, creationTime: 0)
            let file = folder.appending(path: "late.mp4")
            try Foundation.Data(MovieTests.bytes(movie.slices(of: 0..<movie.totalLength), movie, [source])).write(to: file)
            let probe = try Judge.probe(file, in: folder)
            #expect(probe.packets(of: 0).first?.pts == 0)
            #expect(probe.packets(of: 1).first?.pts == 20480)
            #expect(probe.packets(of: 1).count == tracks[1].samples.count)
        }
    }

    @Test("Pictures presented before their decode time (signed offsets) keep their distances, and their times in a movie")
    func signedOffsets() throws {
        try Judge.withFolder { folder in
            let clip = try Clip.make(Clip.h264(reorder: true), in: folder)
            // Two frames of reordering taken off every offset.
            var shifted = clip
            for index in shifted.packets[0].indices { shifted.packets[0][index].packet.pts -= 12000 }
            let source = shifted.fragmented()
            let fragmented = folder.appending(path: "signed.mp4")
            try Foundation.Data(source).write(to: fragmented)
            let times = Self.times(100)
            let read = try Judge.probe(fragmented, in: folder).packets.map(\.pts).sorted()
            // ffmpeg delays a fragmented track by its most negative offset.
            #expect(read.map { $0 - 12000 } == times)
            #expect(try Judge.decode(fragmented, in: folder) == 100)
            let movie = try Movie(tracks: try Clip.movieTracks([source], bases: [0], descriptions: [0], of: clip.tracks), creationTime: 0)
            let file = folder.appending(path: "movie.mp4")
            try Foundation.Data(MovieTests.bytes(movie.slices(of: 0..<movie.totalLength), movie, [source])).write(to: file)
            #expect(try Judge.probe(file, in: folder).packets.map(\.pts).sorted() == times)
            #expect(try Judge.decode(file, in: folder) == 100)
        }
    }

    @Test("A fragmented file cut anywhere is clean to ffprobe after being cut again at its complete length")
    func cutFile() throws {
        try Judge.withFolder { folder in
            let clip = try Clip.make(Clip.h264(reorder: true, audio: true), in: folder)
            let source = clip.fragmented()
            let whole = try SyntheticFile.open(source).index.entries
            var random = SeededRandom(state: 11)
            for _ in 0..<6 {
                let length = Int.random(in: Int(whole[0].end)..<source.count, using: &random)
                let read = try SyntheticFile.open(Array(source.prefix(length)))
                let kept = whole.filter { $0.end <= Int64(length) }
                #expect(read.index.entries == kept)
                let file = folder.appending(path: "cut-\(length).mp4")
                try Foundation.Data(source.prefix(Int(read.completeLength))).write(to: file)
                #expect(try Judge.probe(file, in: folder).packets(of: 0).count == min(kept.count * 30, 100))
            }
        }
    }
}
