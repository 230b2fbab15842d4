// What belongs here: real streams, made by the ffmpeg program, through the libav source into pictures.
import Foundation
import ISOBMFF
import Logging
import NIOPosix
import NVRBase
import NVRMedia
import NVRModel
import RTSP
import Synchronization
import Testing

@Suite("Files through the libav source", .serialized)
struct FileTests {
    /// Reads a file to its end; gives the hub with everything that was published, and why reading ended.
    static func read(_ path: String, audio: Bool = false, sink: (any PacketSink)? = nil) async throws -> (
        hub: StreamHub, heard: Collector, failure: SourceFailure
    ) {
        let hub = StreamHub(role: .main, preRollSpan: 60_000_000)
        let collector = Collector()
        _ = hub.attach(collector, from: .next)
        if let sink { _ = hub.attach(sink, from: .next) }
        let source = LibavSource(
            url: Secret("file:\(path)"), transport: .tcp, wantAudio: audio, eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            clock: SteppingClock(), logger: Logger(label: "test"))
        let failure = await #expect(throws: SourceFailure.self) { try await source.run(into: hub) }
        return (hub, collector, try #require(failure))
    }

    @Test(
        "every packet that ffprobe counts is published, times increase, and the first is a keyframe",
        arguments: [
            ("clip.mp4", h264, "h264"),
            ("clip.ts", h264, "h264"),
            ("clip.mkv", h264, "h264"),
            ("b.mp4", ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-g", "20", "-bf", "2", "-threads", "1"], "h264"),
            ("b.ts", ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-g", "20", "-bf", "2", "-threads", "1"], "h264"),
            (
                "clip265.mp4",
                ["-pix_fmt", "yuv420p", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:pools=none:keyint=10:bframes=0"],
                "hevc"
            ),
            (
                "clip265.ts",
                ["-pix_fmt", "yuv420p", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:pools=none:keyint=10:bframes=0"],
                "hevc"
            ),
            ("clip.avi", ["-pix_fmt", "yuvj420p", "-c:v", "mjpeg"], "mjpeg"),
        ])
    func packetCounts(name: String, codec: [String], expected: String) async throws {
        let folder = try TemporaryFolder()
        let path = try makeClip(folder, name, codec)
        let (hub, heard, failure) = try await Self.read(path)
        #expect(failure.cause == .interrupted, "\(failure.reason)")
        let packets = heard.packets.withLock { $0 }
        #expect(packets.count == (try probedPackets(path, "v:0")))
        #expect(packets.first?.isKeyframe == true)
        #expect(zip(packets, packets.dropFirst()).allSatisfy { $0.dts < $1.dts })
        #expect(packets.allSatisfy { $0.pts >= $0.dts && $0.byteCount > 0 && !$0.isDamaged })
        #expect(heard.descriptions.withLock { $0.count } == 1)
        #expect(hub.description?.width == 320 && hub.description?.height == 240 && hub.description?.videoCodecName == expected)
        if expected != "mjpeg" {
            // Units with 4-byte lengths that fill the packet, and no parameter sets among them.
            for packet in packets {
                packet.withUnsafeBytes { bytes in
                    var at = 0
                    while at + 4 < bytes.count {
                        let type = expected == "h264" ? Int(bytes[at + 4] & 0x1F) : Int(bytes[at + 4] >> 1 & 0x3F)
                        #expect(expected == "h264" ? ![7, 8, 9].contains(type) : !(32...35).contains(type))
                        at += 4 + (Int(bytes[at]) << 24 | Int(bytes[at + 1]) << 16 | Int(bytes[at + 2]) << 8 | Int(bytes[at + 3]))
                    }
                    #expect(at == bytes.count)
                }
            }
        }
    }

    @Test("sound is published beside the pictures when it is wanted, and left out when not")
    func sound() async throws {
        let folder = try TemporaryFolder()
        let path = try makeClip(folder, "sound.mp4", h264, audio: ["-c:a", "aac"])
        let (hub, heard, _) = try await Self.read(path, audio: true)
        let packets = heard.packets.withLock { $0 }
        #expect(packets.filter { $0.kind == .video }.count == (try probedPackets(path, "v:0")))
        let sound = packets.filter { $0.kind == .audio }
        // Sound before the first picture is not taken.
        let probed = try probedPackets(path, "a:0")
        #expect(sound.count <= probed && sound.count >= probed - 3)
        #expect(zip(sound, sound.dropFirst()).allSatisfy { $0.dts < $1.dts })
        #expect(hub.description?.audio?.name == "aac" && hub.description?.audio?.timescale == 16_000)
        let (_, silent, _) = try await Self.read(path)
        #expect(silent.packets.withLock { $0 }.allSatisfy { $0.kind == .video })
    }

    @Test("what is no video is refused with a reason that names no path")
    func refusals() async throws {
        let folder = try TemporaryFolder()
        let text = folder.path("secret-name.mp4")
        try Data("this is no video, only text".utf8).write(to: URL(fileURLWithPath: text))
        for path in [text, folder.path("missing.mp4")] {
            let (hub, heard, failure) = try await Self.read(path)
            #expect(hub.description == nil && heard.heard.isEmpty)
            #expect(!failure.reason.isEmpty && !failure.reason.contains("secret-name") && !failure.reason.contains(folder.url.path))
        }
        let sound = folder.path("sound.wav")
        try run("ffmpeg", ["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "sine", "-t", "1", sound])
        let (_, _, failure) = try await Self.read(sound)
        #expect(failure.isUnintelligible)
    }

    @Test("the newest picture of a hub comes as JPEG, scaled when asked, the same to all who ask at once")
    func livePicture() async throws {
        let folder = try TemporaryFolder()
        let thread = BlockingThread(name: "pictures", stackBytes: 1 << 20)
        defer { thread.stop() }
        let empty = LivePicture(hub: StreamHub(role: .main), thread: thread, clock: SteppingClock(step: 1))
        let nothing = await #expect(throws: NVRError.self) { try await empty.take(width: nil) }
        #expect(nothing?.kind == .unavailable)
        for (name, codec) in [("a.mp4", h264), ("a.avi", ["-pix_fmt", "yuvj420p", "-c:v", "mjpeg"])] {
            let (hub, _, _) = try await Self.read(try makeClip(folder, name, codec))
            let live = LivePicture(hub: hub, thread: thread, clock: SteppingClock(step: 1))
            let full = try await live.take(width: nil)
            #expect(full.width == 320 && full.height == 240 && full.jpeg.starts(with: [0xFF, 0xD8]))
            #expect(full.jpeg.withUnsafeBytes(pictureSize(ofJPEG:)).map { $0 == (320, 240) } == true)
            // The newest frame, not the keyframe it needs.
            #expect(full.time == hub.lastVideoWall)
            let small = try await live.take(width: 160, quality: 50)
            #expect(small.width == 160 && small.height == 120 && small.jpeg.count < full.jpeg.count)
            let again = try await live.take(width: nil)
            #expect(again.jpeg == full.jpeg)
            live.releaseIfIdle(for: -1)
            let afterRelease = try await live.take(width: nil)
            #expect(afterRelease.time == full.time)
            hub.interrupt()
            live.releaseIfIdle(for: -1)
            await #expect(throws: NVRError.self) { try await live.take(width: nil) }
        }
    }

    private final class Seen: FrameWatcher, Sendable {
        struct Frame: Equatable { var time: WallTime; var mean: Int; var count: Int; var width: Int; var height: Int; var jpeg: Int }
        let frames = Mutex<[Frame]>([])
        let peeks = Mutex(0)
        let ends = Mutex(0)
        let errors = Mutex(0)
        let attention: DecodeThrift.Attention
        /// Whether each peek shows what was expected, in turn.
        private let answers: @Sendable (Int) -> Bool

        init(_ attention: DecodeThrift.Attention = .full, answers: @escaping @Sendable (Int) -> Bool = { _ in true }) {
            self.attention = attention
            self.answers = answers
        }

        func look(_ frame: SampledFrame) {
            let sum = frame.luma.reduce(0) { $0 + Int($1) }
            // The test fails by its count when a picture cannot be made.
            let jpeg = (try? frame.jpeg(quality: 70))?.jpeg.count ?? 0
            frames.withLock {
                $0.append(
                    .init(
                        time: frame.time, mean: sum / max(1, frame.luma.count), count: frame.luma.count, width: frame.width, height: frame.height,
                        jpeg: jpeg))
            }
        }

        func peek(_ frame: SampledFrame) -> Bool {
            let number = peeks.withLock { count in
                count += 1
                return count
            }
            guard answers(number) else { return false }
            look(frame)
            return true
        }

        func streamEnded() { ends.withLock { $0 += 1 } }
        func failed(_ error: any Error) { errors.withLock { $0 += 1 } }
    }

    private static func sampler(_ thread: BlockingThread, interval: Double, _ seen: Seen) -> FrameSampler {
        FrameSampler(thread: thread, interval: interval, watcher: seen)
    }

    @Test("frames held back are decoded as if they never were when the key frame is not as expected, and spared when it is")
    func heldFrames() async throws {
        let folder = try TemporaryFolder()
        let thread = BlockingThread(name: "analysis", stackBytes: 1 << 20)
        defer { thread.stop() }
        // GOPs of a second and, with frames that wait for later ones, of the same.
        let (hub, heard, _) = try await Self.read(
            try makeClip(folder, "held.mp4", ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "0"], frames: 250))
        let packets = heard.packets.withLock { all in
            all.enumerated().map { index, packet in
                var later = packet
                later.arrival = Int64(index) * 40_000
                return later
            }
        }
        func shown(_ seen: Seen) async throws -> (frames: [Seen.Frame], effort: (decoded: Int, spared: Int)) {
            let sampler = Self.sampler(thread, interval: 0, seen)
            sampler.begin(try #require(hub.description))
            for (index, packet) in packets.enumerated() {
                sampler.receive(packet)
                if index % 25 == 0 { try await thread.run {} }
            }
            // What is still held is decoded when the stream ends.
            try await thread.run {}
            sampler.interrupted()
            return try await thread.run { (seen.frames.withLock { $0 }, sampler.effort) }
        }
        let all = try await shown(Seen(.full)).frames
        #expect(all.count >= 248)
        let doubted = try await shown(Seen(.calm) { _ in false })
        #expect(doubted.frames == all && doubted.effort.spared == 0)
        let trusted = try await shown(Seen(.calm))
        // Of ten GOPs the length of three has to be known; of each of the other seven fifteen frames are spared, but not of the last.
        #expect((80...100).contains(trusted.effort.spared), "\(trusted.effort)")
        #expect(trusted.frames.allSatisfy(all.contains))
        let mixed = try await shown(Seen(.calm) { $0 % 2 == 0 })
        #expect(mixed.frames.allSatisfy(all.contains) && mixed.frames.count > trusted.frames.count && mixed.frames.count < all.count)
        #expect(zip(mixed.frames, mixed.frames.dropFirst()).allSatisfy { $0.time < $1.time })
    }

    @Test("a sampler decodes every frame of a stream, and hands on as many as asked for")
    func frameSampler() async throws {
        let folder = try TemporaryFolder()
        let thread = BlockingThread(name: "analysis", stackBytes: 1 << 20)
        defer { thread.stop() }
        let path = try makeClip(folder, "sampled.mp4", h264)
        let all = Seen()
        let sampler = Self.sampler(thread, interval: 0, all)
        let (hub, heard, _) = try await Self.read(path, sink: sampler)
        try await thread.run {}
        let frames = all.frames.withLock { $0 }
        // The last one or two wait for company.
        #expect((48...50).contains(frames.count) && sampler.dropped == 0)
        #expect(frames.allSatisfy { $0.count == 320 * 180 && $0.width == 320 && $0.height == 240 && $0.jpeg > 1000 && $0.mean > 20 && $0.mean < 235 })
        #expect(zip(frames, frames.dropFirst()).allSatisfy { $0.time < $1.time })
        sampler.interrupted()
        try await thread.run {}
        #expect(all.ends.withLock { $0 } == 1 && all.errors.withLock { $0 } == 0)

        // The same packets again, one picture in half a second.
        let few = Seen()
        let slow = Self.sampler(thread, interval: 0.5, few)
        let packets = heard.packets.withLock { $0 }
        slow.begin(try #require(hub.description))
        for packet in packets { slow.receive(packet) }
        try await thread.run {}
        let times = few.frames.withLock { $0.map(\.time) }
        #expect(times.count > 1 && zip(times, times.dropFirst()).allSatisfy { $1.microseconds(since: $0) >= 500_000 })
    }

    @Test("a sampler that falls behind leaves out whole GOPs and counts them")
    func samplerBehind() async throws {
        let folder = try TemporaryFolder()
        let thread = BlockingThread(name: "analysis", stackBytes: 1 << 20)
        defer { thread.stop() }
        let (hub, heard, _) = try await Self.read(try makeClip(folder, "behind.mp4", h264))
        let packets = heard.packets.withLock { $0 }
        let seen = Seen()
        let sampler = Self.sampler(thread, interval: 0, seen)
        let description = try #require(hub.description)
        // The thread is busy while 150 frames come in.
        let (gate, open) = AsyncStream<Void>.makeStream(bufferingPolicy: .unbounded)
        thread.enqueue { _ = try? blockingWait { for await _ in gate {} } }
        sampler.begin(description)
        for round in 0..<3 {
            for packet in packets {
                var later = packet
                later.wall = packet.wall.advanced(byMicroseconds: Int64(round) * 10_000_000)
                sampler.receive(later)
            }
        }
        open.finish()
        try await thread.run {}
        let frames = seen.frames.withLock { $0.count }
        // 90 wait at most; what comes then is left out up to the next keyframe.
        #expect(sampler.dropped == 100 && (48...50).contains(frames))
        #expect(seen.errors.withLock { $0 } == 0)
    }

    @Test("the first keyframe of a file decodes to a picture, and rubbish does not")
    func stillPicture() async throws {
        let folder = try TemporaryFolder()
        let (hub, heard, _) = try await Self.read(try makeClip(folder, "still.mp4", h264))
        let key = try #require(heard.packets.withLock { $0.first })
        let entry = try #require(hub.description).video
        let bytes = key.withUnsafeBytes { [UInt8]($0) }
        let picture = try StillPicture.decode(bytes, entry: entry, time: key.wall, width: 160)
        #expect(picture.width == 160 && picture.height == 120 && picture.time == key.wall)
        #expect(try StillPicture.decode(bytes, entry: entry, time: key.wall, width: 9999).width == 320)
        #expect(throws: (any Error).self) { try StillPicture.decode([0, 0, 0, 2, 0x65, 0xFF], entry: entry, time: key.wall, width: nil) }
        #expect(throws: (any Error).self) { try StillPicture.decode([], entry: entry, time: key.wall, width: nil) }
    }
}

@Suite("JPEG headers")
struct PictureSizeTests {
    @Test("the size is found behind other segments, and nothing is read past the end")
    func sizes() {
        let frame: [UInt8] = [0xFF, 0xC0, 0, 17, 8, 0x02, 0xD0, 0x05, 0x00, 3, 1, 0x22, 0]
        let comment: [UInt8] = [0xFF, 0xFE, 0, 4, 1, 2]
        func size(_ bytes: [UInt8]) -> [Int]? { bytes.withUnsafeBytes(pictureSize(ofJPEG:)).map { [$0.width, $0.height] } }
        #expect(size([0xFF, 0xD8] + frame) == [1280, 720])
        #expect(size([0xFF, 0xD8] + comment + comment + [0xFF, 0xFF] + frame) == [1280, 720])
        #expect(size([0xFF, 0xD8, 0xFF, 0xC2] + frame.dropFirst(2)) == [1280, 720])
        for count in 0..<(2 + frame.count) { _ = size(Array(([0xFF, 0xD8] + frame).prefix(count))) }
        #expect(size([]) == nil && size([0xFF]) == nil)
        #expect(size([0xFF, 0xD8, 0xFF, 0xDA] + frame) == nil)
        #expect(size([0xFF, 0xD8, 0xFF, 0xFE, 0, 0] + frame) == nil)
        #expect(size([0xFF, 0xD8, 0xFF, 0xFE, 0xFF, 0xFF] + frame) == nil)
        #expect(size([0xFF, 0xD8, 0xFF, 0xC0, 0, 17, 8, 0, 0, 0, 0, 3, 1]) == nil)
    }

    @Test("random bytes never trap")
    func random() {
        for seed in 0..<20_000 {
            var random = SeededGenerator(state: UInt64(seed))
            var bytes = (0..<Int.random(in: 0...64, using: &random)).map { _ in
                random.chance(0.4) ? UInt8(0xFF) : UInt8.random(in: 0...255, using: &random)
            }
            if bytes.count > 1 { bytes.replaceSubrange(0..<2, with: [0xFF, 0xD8]) }
            _ = bytes.withUnsafeBytes(pictureSize(ofJPEG:))
        }
    }
}
