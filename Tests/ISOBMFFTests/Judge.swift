import Foundation
import ISOBMFF
import Testing

/// Programs that are not ours and judge what we write. They must be installed; a missing one fails the test.
enum Judge {
    struct Outcome {
        let status: Int32
        let output: Data
        let errors: String
    }

    /// Runs a program found in the path to its end.
    static func run(_ program: String, _ arguments: [String], in folder: URL) throws -> Outcome {
        let output = folder.appending(path: "out-\(UUID().uuidString)")
        let errors = folder.appending(path: "err-\(UUID().uuidString)")
        try Data().write(to: output)
        try Data().write(to: errors)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus, output: try Data(contentsOf: output),
            errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
    }

    /// One packet as ffprobe sees it.
    struct Packet: Equatable, CustomStringConvertible {
        var stream: Int
        var pts: Int64
        var dts: Int64
        var duration: Int64
        var isKeyframe: Bool
        var isDiscarded: Bool
        var size: Int
        var position: Int64
        var hash: String

        var description: String {
            "#\(stream) pts \(pts) dts \(dts) +\(duration) \(isKeyframe ? "K" : "_")\(isDiscarded ? "D" : "_") \(size) \(hash)"
        }
    }

    private struct Answer: Decodable {
        struct Packet: Decodable {
            let stream_index: Int
            let pts: Int64?
            let dts: Int64?
            let duration: Int64?
            let flags: String
            let size: String
            let pos: String?
            let data_hash: String
        }
        struct Stream: Decodable {
            let codec_name: String
            let codec_tag_string: String
            let width: Int?
            let height: Int?
            let sample_rate: String?
            let channels: Int?
            let time_base: String
            let nb_read_packets: String
        }
        struct Format: Decodable { let duration: String? }
        let packets: [Packet]
        let streams: [Stream]
        let format: Format
    }

    struct Probe {
        var packets: [Packet]
        /// Codec, tag, size or sample rate, time base.
        var streams: [String]
        var duration: Double

        func packets(of stream: Int) -> [Packet] { packets.filter { $0.stream == stream } }
    }

    /// What ffprobe reads; it must not complain about anything.
    static func probe(_ file: URL, in folder: URL) throws -> Probe {
        let outcome = try run(
            "ffprobe",
            [
                "-v", "warning", "-count_packets", "-show_packets", "-show_streams", "-show_format", "-show_data_hash", "md5", "-of", "json",
                file.path,
            ],
            in: folder)
        #expect(outcome.status == 0)
        #expect(outcome.errors == "")
        let answer = try JSONDecoder().decode(Answer.self, from: outcome.output)
        var probe = Probe(packets: [], streams: [], duration: answer.format.duration.flatMap(Double.init) ?? 0)
        for packet in answer.packets {
            probe.packets.append(
                Packet(
                    stream: packet.stream_index, pts: packet.pts ?? .min, dts: packet.dts ?? .min, duration: packet.duration ?? 0,
                    isKeyframe: packet.flags.contains("K"), isDiscarded: packet.flags.contains("D"), size: Int(packet.size) ?? -1,
                    position: Int64(packet.pos ?? "") ?? -1, hash: packet.data_hash))
        }
        for (index, stream) in answer.streams.enumerated() {
            let shape = stream.width.map { "\($0)x\(stream.height ?? 0)" } ?? "\(stream.sample_rate ?? "") \(stream.channels ?? 0)"
            probe.streams.append("\(stream.codec_name) \(stream.codec_tag_string) \(shape) \(stream.time_base)")
            #expect(Int(stream.nb_read_packets) == probe.packets(of: index).count)
        }
        return probe
    }

    /// Decodes every frame with ffmpeg, which must not complain; answers the number of pictures.
    static func decode(_ file: URL, in folder: URL) throws -> Int { try pictures(of: file, in: folder).count }

    /// Decodes every frame with ffmpeg, which must not complain; answers a checksum of each picture.
    static func pictures(of file: URL, in folder: URL) throws -> [String] {
        let outcome = try run(
            "ffmpeg", ["-nostdin", "-v", "warning", "-i", file.path, "-map", "0:v:0", "-f", "framehash", "-hash", "adler32", "-"], in: folder)
        #expect(outcome.status == 0)
        #expect(outcome.errors == "")
        let lines = String(decoding: outcome.output, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }
        return lines.compactMap { $0.split(separator: ",").last.map(String.init) }
    }

    /// Reads the file with GStreamer's qtdemux; answers the bytes of all samples of each track, one after the other.
    static func demultiplex(_ file: URL, tracks: [TrackDescription], in folder: URL) throws -> [[UInt8]] {
        var arguments = ["-q", "filesrc", "location=\(file.path)", "!", "qtdemux", "name=d"]
        for track in tracks {
            arguments += ["d.\(track.isVideo ? "video" : "audio")_0", "!", "queue", "!", "filesink", "location=\(folder.path)/gst-\(track.id)"]
        }
        let outcome = try run("gst-launch-1.0", arguments, in: folder)
        #expect(outcome.status == 0)
        #expect(outcome.errors == "")
        return try tracks.map { [UInt8](try Data(contentsOf: folder.appending(path: "gst-\($0.id)"))) }
    }

    /// A folder that is gone afterwards.
    static func withFolder<T>(_ body: (URL) throws -> T) throws -> T {
        let folder = FileManager.default.temporaryDirectory.appending(path: "isobmff-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // A folder left behind in the temporary one does no harm.
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder)
    }
}

/// A clip that ffmpeg encoded and muxed: the source of samples, and the reference for them.
struct Clip {
    var tracks: [TrackDescription]
    /// Packets of each track in decoding order with their bytes.
    var packets: [[(packet: Judge.Packet, bytes: [UInt8])]]

    static func make(_ arguments: [String], name: String = "clip.mp4", in folder: URL) throws -> Clip {
        let file = folder.appending(path: name)
        let made = try Judge.run("ffmpeg", ["-nostdin", "-v", "error"] + arguments + ["-y", file.path], in: folder)
        #expect(made.status == 0 && made.errors == "", "\(made.errors)")
        let bytes = [UInt8](try Data(contentsOf: file))
        // ffmpeg's own boxes, read by us.
        let tracks = try SyntheticFile.open(bytes).tracks
        let probe = try Judge.probe(file, in: folder)
        let packets = tracks.indices.map { stream in
            probe.packets(of: stream).map { (packet: $0, bytes: Array(bytes[Int($0.position)..<Int($0.position) + $0.size])) }
        }
        return Clip(tracks: tracks, packets: packets)
    }

    static func h264(frames: Int = 100, reorder: Bool, size: String = "160x120", audio: Bool = false, extra: [String] = []) -> [String] {
        var arguments = ["-f", "lavfi", "-i", "testsrc=s=\(size):r=15"]
        if audio { arguments += ["-f", "lavfi", "-i", "sine=r=16000", "-c:a", "aac", "-t", "\(Double(frames) / 15)"] }
        arguments += ["-frames:v", "\(frames)", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-g", "30", "-sc_threshold", "0", "-threads", "1"]
        arguments += ["-bf", reorder ? "3" : "0", "-video_track_timescale", "90000"]
        return arguments + extra
    }

    static func h265(frames: Int = 100) -> [String] {
        [
            "-f", "lavfi", "-i", "testsrc=s=160x120:r=15", "-frames:v", "\(frames)", "-pix_fmt", "yuv420p", "-c:v", "libx265", "-g", "30", "-tag:v",
            "hvc1", "-preset", "ultrafast", "-x265-params",
            "log-level=error:pools=none:frame-threads=1:bframes=3:keyint=30:min-keyint=30:scenecut=0:open-gop=0",
            "-video_track_timescale", "90000",
        ]
    }

    static func mjpeg(frames: Int = 40) -> [String] {
        [
            "-f", "lavfi", "-i", "testsrc=s=160x120:r=15", "-frames:v", "\(frames)", "-pix_fmt", "yuvj420p", "-c:v", "mjpeg",
            "-video_track_timescale", "90000",
        ]
    }

    static func opus(frames: Int = 60) -> [String] {
        [
            "-f", "lavfi", "-i", "testsrc=s=160x120:r=15", "-f", "lavfi", "-i", "sine=r=48000", "-frames:v", "\(frames)", "-t", "4", "-pix_fmt",
            "yuv420p",
            "-c:v", "libx264", "-bf", "0", "-g", "30", "-c:a", "libopus", "-video_track_timescale", "90000",
        ]
    }

    /// The bytes of all samples of each track, one after the other.
    var contents: [[UInt8]] { packets.map { $0.flatMap(\.bytes) } }

    /// Samples of a track with decode times from 0 on.
    func samples(_ track: Int) -> [(time: Int64, sample: FragmentSample, bytes: [UInt8])] {
        let first = packets[track].first?.packet.dts ?? 0
        return packets[track].map { packet, bytes in
            let sample = FragmentSample(
                size: bytes.count, duration: UInt32(packet.duration), isKeyframe: packet.isKeyframe, compositionOffset: Int32(packet.pts - packet.dts)
            )
            return (packet.dts - first, sample, bytes)
        }
    }

    /// The clip as a fragmented file of ours, cut at keyframes.
    func fragmented() -> [UInt8] {
        var file = InitSegment.bytes(tracks: tracks, creationTime: 1_784_567_890, identification: SyntheticFile.identification)
        let video = samples(0)
        var starts = video.indices.filter { video[$0].sample.isKeyframe }
        // Pictures that are all keyframes are cut twice a second.
        if starts.count == video.count { starts = starts.filter { $0 % 7 == 0 } }
        let audio = tracks.count > 1 ? samples(1) : []
        var nextAudio = 0
        for (number, start) in starts.enumerated() {
            let end = number + 1 < starts.count ? starts[number + 1] : video.count
            var parts = [FragmentTrack(trackID: tracks[0].id, baseDecodeTime: UInt64(video[start].time), samples: video[start..<end].map(\.sample))]
            var payload = video[start..<end].flatMap(\.bytes)
            if tracks.count > 1 {
                let until = end == video.count ? Int64.max : video[end].time * Int64(tracks[1].timescale) / 90000
                let stop = audio[nextAudio...].firstIndex { $0.time >= until } ?? audio.count
                if stop > nextAudio {
                    parts.append(
                        FragmentTrack(
                            trackID: tracks[1].id, baseDecodeTime: UInt64(audio[nextAudio].time), samples: audio[nextAudio..<stop].map(\.sample)))
                    payload += audio[nextAudio..<stop].flatMap(\.bytes)
                }
                nextAudio = stop
            }
            let clock = SyntheticFile.firstWallClock + video[start].time * 100 / 9
            file += Fragment.header(sequence: UInt32(number + 1), tracks: parts, wallClock: clock) + payload
        }
        return file
    }

    /// What ffprobe must see of a track, its decode times moved so that they begin at `start`.
    func expected(_ track: Int, from start: Int64) -> [Judge.Packet] {
        let first = packets[track].first?.packet.dts ?? 0
        return packets[track].map {
            var packet = $0.packet
            packet.pts += start - first
            packet.dts += start - first
            packet.isDiscarded = false
            return packet
        }
    }

    /// The samples of fragmented files as tracks of a movie; the time of file n begins at `bases[n]` in ticks of the first track.
    static func movieTracks(_ files: [[UInt8]], bases: [Int64], descriptions: [Int], of tracks: [TrackDescription]) throws -> [MovieTrack] {
        var movieTracks = tracks.map { MovieTrack(timescale: $0.timescale, descriptions: [], samples: []) }
        for (number, bytes) in files.enumerated() {
            let file = try SyntheticFile.open(bytes)
            for (index, track) in file.tracks.enumerated() where descriptions[number] == movieTracks[index].descriptions.count {
                movieTracks[index].descriptions.append(track.kind)
            }
            for entry in file.index.entries {
                for sample in try SampleLocation.samples(of: entry, read: SyntheticFile.reader(bytes)) {
                    let index = tracks.firstIndex { $0.id == sample.trackID } ?? 0
                    movieTracks[index].samples.append(
                        MovieSample(
                            file: number, offset: sample.offset, size: sample.size,
                            decodeTime: sample.decodeTime + bases[number] * Int64(tracks[index].timescale) / Int64(tracks[0].timescale),
                            duration: sample.duration, compositionOffset: sample.compositionOffset, isKeyframe: sample.isKeyframe,
                            description: descriptions[number]))
                }
            }
        }
        return movieTracks
    }
}

extension [Judge.Packet] {
    /// Without what depends on the place of a packet in its file. ffmpeg's last packet of a fragmented file may lack a duration.
    var timesAndContent: [String] {
        map { "pts \($0.pts) dts \($0.dts) \($0.isKeyframe ? "K" : "_")\($0.isDiscarded ? "D" : "_") \($0.size) \($0.hash)" }
    }
}
