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
            try Data(bytes).write(to: file)
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
            try Data(bytes).write(to: file)
            let probe = try Judge.probe(file, in: folder)
            #expect(probe.streams == test.streams)
            // The presentation begins with the earliest sample of all tracks.
            let earliest =
                clip.tracks.indices.map { track in
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

    /// NAL units of an elementary stream (Annex B), start codes taken off.
    static func nalUnits(_ stream: [UInt8]) -> [[UInt8]] {
        var units: [[UInt8]] = []
        var start: Int?
        var index = 0
        while index + 3 <= stream.count {
            if stream[index] == 0, stream[index + 1] == 0, stream[index + 2] == 1 {
                if let start { units.append(Array(stream[start..<index])) }
                start = index + 3
                index += 3
            } else {
                index += 1
            }
        }
        if let start { units.append(Array(stream[start...])) }
        // A start code may have a zero before it; a NAL unit never ends with one.
        return units.map { unit in Array(unit.prefix((unit.lastIndex { $0 != 0 } ?? -1) + 1)) }
    }

    @Test("An elementary stream as a camera sends it, with parameter sets and SEI in band, decodes to the same pictures", arguments: [false, true])
    func elementaryStream(isHEVC: Bool) throws {
        try Judge.withFolder { folder in
            let name = isHEVC ? "stream.h265" : "stream.h264"
            var arguments = ["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=176x98:r=15", "-frames:v", "50", "-pix_fmt", "yuv420p"]
            if isHEVC {
                let parameters = "log-level=error:pools=none:frame-threads=1:bframes=0:keyint=20:min-keyint=20:scenecut=0:repeat-headers=1:aud=1"
                arguments += ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", parameters]
            } else {
                arguments += ["-c:v", "libx264", "-g", "20", "-sc_threshold", "0", "-bf", "0", "-x264-params", "slices=3:aud=1"]
            }
            let made = try Judge.run("ffmpeg", arguments + ["-y", name], in: folder)
            #expect(made.status == 0 && made.errors == "", "\(made.errors)")
            let stream = folder.appending(path: name)
            let units = Self.nalUnits([UInt8](try Data(contentsOf: stream)))

            func type(_ unit: [UInt8]) -> UInt8 { isHEVC ? unit[0] >> 1 & 0x3F : unit[0] & 0x1F }
            func first(_ wanted: UInt8) -> [[UInt8]] { Array(units.filter { type($0) == wanted }.prefix(1)) }
            let entry: VideoSampleEntry =
                isHEVC ? .hevc(vps: first(32), sps: first(33), pps: first(34)) : .avc(sps: first(7), pps: first(8))
            #expect((entry.width, entry.height) == (176, 98))
            #expect(entry.frameRate == 15 && !entry.mayReorder)

            var accessUnits: [(bytes: [UInt8], isKeyframe: Bool)] = []
            for unit in units {
                if type(unit) == (isHEVC ? 35 : 9) {
                    accessUnits.append(([], false))
                    continue
                }
                let length = UInt32(unit.count)
                accessUnits[accessUnits.count - 1].bytes += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) } + unit
                if isHEVC ? (16...21).contains(type(unit)) : type(unit) == 5 { accessUnits[accessUnits.count - 1].isKeyframe = true }
            }
            #expect(accessUnits.count == 50)
            #expect(accessUnits.indices.filter { accessUnits[$0].isKeyframe } == [0, 20, 40])

            var bytes = InitSegment.bytes(tracks: [TrackDescription(id: 1, timescale: 90000, kind: .video(entry))], creationTime: 0)
            for start in [0, 20, 40] {
                let part = accessUnits[start..<min(start + 20, 50)]
                let samples = part.map { FragmentSample(size: $0.bytes.count, duration: 6000, isKeyframe: $0.isKeyframe) }
                let track = FragmentTrack(trackID: 1, baseDecodeTime: UInt64(start) * 6000, samples: samples)
                bytes += Fragment.header(sequence: UInt32(start / 20 + 1), tracks: [track]) + part.flatMap(\.bytes)
            }
            let file = folder.appending(path: "fragmented.mp4")
            try Data(bytes).write(to: file)
            let probe = try Judge.probe(file, in: folder)
            #expect(probe.streams == [isHEVC ? "hevc hvc1 176x98 1/90000" : "h264 avc1 176x98 1/90000"])
            #expect(probe.packets.map(\.pts) == Self.times(50) && probe.packets.map(\.dts) == Self.times(50))
            #expect(probe.packets.map(\.isKeyframe) == accessUnits.map(\.isKeyframe))
            let pictures = try Judge.pictures(of: file, in: folder)
            let original = try Judge.pictures(of: stream, in: folder)
            #expect(pictures.count == 50 && pictures == original)
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
            try Data(MovieTests.bytes(movie.slices(of: 0..<movie.totalLength), movie, [source])).write(to: file)
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
            try Data(MovieTests.bytes(movie.slices(of: 0..<movie.totalLength), movie, sources)).write(to: file)
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
            try Data(MovieTests.bytes(movie.slices(of: 0..<movie.totalLength), movie, [source])).write(to: file)
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
            try Data(source).write(to: fragmented)
            let times = Self.times(100)
            let read = try Judge.probe(fragmented, in: folder).packets.map(\.pts).sorted()
            // ffmpeg delays a fragmented track by its most negative offset.
            #expect(read.map { $0 - 12000 } == times)
            #expect(try Judge.decode(fragmented, in: folder) == 100)
            let movie = try Movie(tracks: try Clip.movieTracks([source], bases: [0], descriptions: [0], of: clip.tracks), creationTime: 0)
            let file = folder.appending(path: "movie.mp4")
            try Data(MovieTests.bytes(movie.slices(of: 0..<movie.totalLength), movie, [source])).write(to: file)
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
                try Data(source.prefix(Int(read.completeLength))).write(to: file)
                #expect(try Judge.probe(file, in: folder).packets(of: 0).count == min(kept.count * 30, 100))
            }
        }
    }
}
