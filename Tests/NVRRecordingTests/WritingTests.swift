import Foundation
import ISOBMFF
import NVRMedia
import NVRModel
import NVRRecording
import NVRStore
import Synchronization
import Testing

@Suite("Writing segments")
struct WritingTests {
    private final class Looks: Sendable { let count = Mutex(0) }

    /// Frames of all segments in order, checked against their rows.
    private static func stored(_ rig: Rig) async throws -> (segments: [Segment], frames: [[StoredFrame]]) {
        let segments = try await rig.segments()
        var all: [[StoredFrame]] = []
        for segment in segments {
            let (file, frames) = try storedFrames(rig.absolute(segment.path))
            let video = frames.filter(\.isVideo)
            #expect(video.first?.isKeyframe == true && video.first?.dts == 0)
            #expect(segment.state == .finished && segment.bytes == file.completeLength)
            #expect(segment.index == file.index.packed())
            #expect(segment.initLength == file.initRange.upperBound && segment.timescale == 90_000 && segment.width == 640 && segment.height == 360)
            let length = (file.index.entries.last?.endTime ?? 0) * 1_000_000 / 90_000
            #expect(abs(segment.end.microseconds(since: segment.start) - length) <= 1)
            let box = try #require(file.identification)
            let identity = try #require(SegmentIdentity(payload: box.payload))
            #expect(identity == SegmentIdentity(cameraID: segment.cameraID, role: segment.role, run: segment.run, start: segment.start))
            // What the fragments themselves say of their capture time.
            #expect(abs((file.wallClock ?? 0) - segment.start.microseconds) <= 1)
            all.append(frames)
        }
        return (segments, all)
    }

    @Test("every frame is stored exactly once over all rotations, and ffprobe counts the same", arguments: [false, true])
    func rotation(hasAudio: Bool) async throws {
        let rig = try Rig()
        var stream = SyntheticStream(audio: hasAudio ? aac : nil)
        let writer = try await rig.record(&stream, frames: 600, seconds: 5)
        let (segments, frames) = try await Self.stored(rig)
        #expect(segments.count == 8 && writer.droppedFrames == 0)
        let video = frames.flatMap { $0 }.filter(\.isVideo)
        #expect(video.count == 600 && zip(video, video.dropFirst()).allSatisfy { $0.number < $1.number })
        let numbers = frames.flatMap { $0.map(\.number) }.sorted()
        #expect(numbers == Array(1...stream.number))
        for (segment, next) in zip(segments, segments.dropFirst()) {
            // Without a gap, to the microsecond of rounding.
            #expect(abs(next.start.microseconds(since: segment.end)) <= 1)
        }
        for (segment, frames) in zip(segments, frames) {
            #expect(try probedPackets(rig.absolute(segment.path)) == frames.filter(\.isVideo).count)
            #expect(try probedPackets(rig.absolute(segment.path), "a:0") == frames.filter { !$0.isVideo }.count)
            #expect(segment.codecs == (hasAudio ? "avc1.42C016,mp4a.40.2" : "avc1.42C016"))
        }
        let listed = try await rig.store.events.list(EventFilter())
        #expect(listed.count == 8 && listed.allSatisfy { $0.kind == .continuous && $0.end != nil })
        #expect(rig.files().count == 8)
    }

    @Test("a segment is listed with its first fragment and its growth is known at once")
    func growth() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 60)
        recorder.begin(stream.description)
        for packet in stream.packets(31) { recorder.receive(packet) }
        try await rig.disk.run {}
        let segment = try #require(try await rig.segments().first)
        #expect(segment.state == .growing)
        let current = rig.disk.growing.current(segment)
        #expect(current.end.microseconds(since: current.start) == 2_000_000)
        // The first fragment of a run is short.
        #expect(try FragmentIndex(packed: current.index).entries.count == 3)
        #expect(try #require(rig.files().first) == segment.path)
        let size = try FileManager.default.attributesOfItem(atPath: rig.absolute(segment.path))[.size] as? Int64
        #expect(size == current.bytes)
        let range = TimeRange(start: wallZero, end: wallZero.advanced(byMicroseconds: 1))
        #expect(rig.disk.growing.overlapping(ID(1), .main, range) == [segment.id])
        #expect(rig.disk.growing.overlapping(ID(1), .sub, range).isEmpty && rig.disk.growing.overlapping(ID(2), .main, range).isEmpty)
        await recorder.finish()
        #expect(rig.disk.growing.extent(of: segment.id) == nil)
        #expect(try await rig.segments().first?.state == .finished)
    }

    @Test("what was written is synced within a second, while writing goes on")
    func syncing() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 600)
        recorder.begin(stream.description)
        for _ in 0..<20 {
            for packet in stream.packets(15) { recorder.receive(packet) }
            try await rig.disk.run {}
            rig.clock.advance(1)
        }
        #expect(rig.disk.counters.syncs >= 18)
        await recorder.finish()
    }

    @Test("runs, changed parameters and several cameras make files of their own")
    func runs() async throws {
        let rig = try Rig()
        var streams = [SyntheticStream(), SyntheticStream()]
        let recorders = [rig.recorder(rig.writer(camera: 1), seconds: 60), rig.recorder(rig.writer(camera: 2), seconds: 60)]
        for index in 0..<2 { recorders[index].begin(streams[index].description) }
        for round in 0..<4 {
            for index in 0..<2 {
                for packet in streams[index].packets(40) { recorders[index].receive(packet) }
                if round == 1 { streams[index].changeParameters() }
                if round == 2 {
                    recorders[index].interrupted()
                    streams[index].newRun(after: 5)
                }
                if round < 3 { recorders[index].begin(streams[index].description) }
            }
        }
        for recorder in recorders { await recorder.finish() }
        let (segments, frames) = try await Self.stored(rig)
        #expect(segments.count == 6)
        for camera in [Int64(1), 2] {
            let own = zip(segments, frames).filter { $0.0.cameraID == ID(camera) }
            #expect(own.map { $0.1.count } == [80, 40, 40])
            #expect(own.map { $0.0.run } == [1, 1, 2])
            #expect(own.flatMap { $0.1.map(\.number) } == Array(1...160))
            #expect(own[2].0.start.microseconds(since: own[1].0.end) > 4_000_000)
        }
    }

    @Test("files of the same name get other names, and a row without its file does not stop the recording")
    func sameNames() async throws {
        let rig = try Rig()
        for round in 0..<30 {
            var stream = SyntheticStream(run: Int64(round), origin: wallZero.advanced(byMicroseconds: Int64(round) * 10_000_000))
            try await rig.record(&stream, frames: 5, pattern: "always")
        }
        #expect(Set(rig.files()).count == 30 && rig.files().contains("1/always.mp4") && rig.files().contains("1/always-1.mp4"))
        for name in ["1/always.mp4", "1/always-1.mp4"] { try FileManager.default.removeItem(atPath: rig.absolute(name)) }
        var stream = SyntheticStream(run: 99, origin: wallZero.advanced(byMicroseconds: 999_000_000))
        let writer = try await rig.record(&stream, frames: 5, pattern: "always")
        #expect(writer.droppedFrames == 0 && rig.files().count == 29)
        #expect(try await rig.store.segments.newest(ID(1), .main)?.run == 99)
        #expect(rig.log.errors == 0)
    }

    @Test("when the folder cannot be written the oldest GOPs go, and recording resumes by itself")
    func refusingDisk() async throws {
        let rig = try Rig()
        // A file lies where the recording root should be.
        try Data().write(to: URL(fileURLWithPath: rig.layout.root))
        var stream = SyntheticStream()
        stream.frameBytes = 100_000
        stream.gop = 10
        let writer = rig.writer()
        let recorder = rig.recorder(writer, seconds: 20)
        recorder.begin(stream.description)
        // 60 MB for a queue of 32.
        for packet in stream.packets(600) { recorder.receive(packet) }
        try await rig.disk.run {}
        #expect(rig.disk.failure != nil && writer.droppedFrames > 200)
        try FileManager.default.removeItem(atPath: rig.layout.root)
        for packet in stream.packets(100) { recorder.receive(packet) }
        await recorder.finish()
        #expect(rig.disk.failure == nil && rig.disk.counters.failures > 0)
        let (segments, frames) = try await Self.stored(rig)
        let numbers = frames.flatMap { $0.map(\.number) }
        #expect(numbers.count + writer.droppedFrames == 700)
        // What is left is the newest footage, without a hole, from a keyframe on.
        let first = try #require(numbers.first)
        #expect(numbers == Array(first...700) && first % 10 == 1 && !segments.isEmpty)
        #expect(rig.log.errors == 1 && rig.log.lines.withLock { $0.contains { $0.text.contains("written again") } })
    }

    @Test("a failure between a fragment and its row stores no frame twice")
    func failureBeforeRow() async throws {
        let rig = try Rig()
        let moved = rig.folder.appendingPathComponent("moved").path
        let root = rig.layout.root
        let looks = Looks()
        // The thread looks at the clock after it wrote the first fragment: then the folder is gone, so that it cannot be synced.
        rig.clock.setLook {
            if looks.count.withLock({
                $0 += 1; return $0
            }) == 1 {
                rename(root, moved)
            }
        }
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 60)
        recorder.begin(stream.description)
        for packet in stream.packets(100) { recorder.receive(packet) }
        await recorder.finish()
        try await rig.disk.run {}
        try await rig.disk.run {}
        await recorder.finish()
        let (segments, frames) = try await Self.stored(rig)
        #expect(segments.count == 1 && frames.flatMap { $0.map(\.number) } == Array(1...100))
        #expect(rig.disk.counters.failures >= 1 && rig.disk.failure == nil)
        #expect(try await rig.store.segments.unfinished().isEmpty)
    }

    @Test("a segment deleted while it is announced is given up, and recording goes on at the next keyframe")
    func deletedWhileWritten() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 4)
        recorder.begin(stream.description)
        for packet in stream.packets(31) { recorder.receive(packet) }
        try await rig.disk.run {}
        let first = try #require(try await rig.segments().first)
        _ = try await rig.store.segments.markGarbage([first.id])
        for packet in stream.packets(150) { recorder.receive(packet) }
        await recorder.finish()
        let (segments, frames) = try await Self.stored(rig)
        #expect(!segments.isEmpty && !segments.contains { $0.id == first.id })
        #expect(frames.flatMap { $0.map(\.number) }.last == 181)
    }

    @Test("a new recording that begins while the old one ends keeps its segment open")
    func overlappingRecordings() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let writer = rig.writer(listsSegments: false)
        let first = rig.recorder(writer, seconds: 60)
        first.begin(stream.description)
        for packet in stream.packets(40) { first.receive(packet) }
        let second = rig.recorder(writer, seconds: 60)
        first.endNow()
        async let ending: Void = first.finish()
        second.begin(stream.description)
        var numbers: [UInt64] = []
        for packet in [stream.video(key: true)] + (0..<59).map({ _ in stream.video(key: false) }) {
            numbers.append(packet.sequence)
            second.receive(packet)
        }
        await ending
        for packet in (0..<60).map({ _ in stream.video(key: false) }) {
            numbers.append(packet.sequence)
            second.receive(packet)
        }
        await second.finish()
        let stored = try await Self.stored(rig).frames.flatMap { $0.map(\.number) }
        #expect(Array(stored.suffix(120)) == numbers && stored.count == 160 && writer.droppedFrames == 0)
        #expect(try await rig.store.events.list(EventFilter()).isEmpty)
    }

    @Test("sound stays beside its pictures, also when it comes late or the recording begins in the middle of it", arguments: [0, 0.2, 0.4, 0.9])
    func soundInStep(lag: Double) async throws {
        let rig = try Rig()
        var stream = SyntheticStream(audio: aac)
        _ = stream.packets(20)
        let recorder = rig.recorder(rig.writer(), seconds: 4)
        recorder.begin(stream.description)
        for packet in stream.packets(300, audioLag: lag) { recorder.receive(packet) }
        await recorder.finish()
        let (segments, frames) = try await Self.stored(rig)
        #expect(segments.count == 5)
        for (segment, frames) in zip(segments, frames) {
            let sound = frames.filter { !$0.isVideo }
            #expect(!sound.isEmpty && zip(sound, sound.dropFirst()).allSatisfy { $0.dts < $1.dts })
            // A second into the segment everything lies where its own time says: the numbers of sound frames tell it.
            let start = segment.start.microseconds(since: wallZero) * 16_000 / 1_000_000
            for frame in sound where frame.dts > 16_000 {
                let time = try #require(stream.soundTimes[frame.number])
                #expect(abs(frame.dts - (time - start)) <= 1, "\(frame.dts) instead of \(time - start)")
            }
        }
        #expect(Set(frames.flatMap { $0.map(\.number) }).count == frames.reduce(0) { $0 + $1.count })
    }

    @Test("G.711 becomes AAC without a gap over all rotations", arguments: [0, 0.2])
    func transcodedSound(lag: Double) async throws {
        let rig = try Rig()
        var stream = SyntheticStream(audio: pcmu)
        let recorder = rig.recorder(rig.writer(), seconds: 4)
        recorder.begin(stream.description)
        for packet in stream.packets(600, audioLag: lag) { recorder.receive(packet) }
        await recorder.finish()
        let (segments, frames) = try await Self.stored(rig)
        #expect(segments.count == 10 && frames.flatMap { $0 }.filter(\.isVideo).count == 600)
        var times: [Double] = []
        for (segment, frames) in zip(segments, frames) {
            let file = try storedFrames(rig.absolute(segment.path)).file
            let scale = Double(try #require(file.tracks.first { !$0.isVideo }).timescale)
            times += frames.filter { !$0.isVideo }.map { segment.start.seconds + Double($0.dts) / scale }
            let sound = frames.filter { !$0.isVideo }.count
            #expect(try probedPackets(rig.absolute(segment.path), "a:0") == sound && sound > 0)
            #expect(try probedPackets(rig.absolute(segment.path)) == 60)
        }
        let steps = zip(times, times.dropFirst()).map { $1 - $0 }
        let usual = try #require(steps.sorted().dropFirst(steps.count / 2).first)
        #expect(steps.allSatisfy { abs($0 - usual) < 0.002 }, "\(usual): \(steps.filter { abs($0 - usual) >= 0.002 })")
        #expect(try #require(times.last) - segments[0].start.seconds > 39)
    }

    @Test("bytes of the last minute are told")
    func recentBytes() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let writer = try await rig.record(&stream, frames: 150)
        let bytes = writer.recentBytes(now: rig.clock.monotonic())
        #expect(bytes > 150 * 200 && bytes == rig.disk.counters.bytes)
        #expect(writer.recentBytes(now: rig.clock.monotonic() + 61_000_000) == 0)
    }

    @Test("after the stop nothing is taken, and a disk that refuses does not hold it up")
    func stopping() async throws {
        let rig = try Rig()
        try Data().write(to: URL(fileURLWithPath: rig.layout.root))
        var stream = SyntheticStream()
        let writer = rig.writer()
        let recorder = rig.recorder(writer)
        recorder.begin(stream.description)
        for packet in stream.packets(100) { recorder.receive(packet) }
        await recorder.finish()
        await rig.disk.stop()
        recorder.receive(stream.video(key: true))
        await recorder.finish()
        #expect(try await rig.segments().isEmpty)
    }

    @Test("pictures are written whole under the first free name, thumbnails over older ones")
    func pictures() async throws {
        let rig = try Rig()
        var paths: Set<String> = []
        for number in 0..<30 {
            let path = try await rig.disk.store(snapshot: [UInt8(number)], camera: ID(4), pattern: "%Y-%m-%d/%H-%M-%S-%q", time: wallZero).path
            #expect(try Data(contentsOf: URL(fileURLWithPath: rig.absolute(path))) == Data([UInt8(number)]))
            paths.insert(path)
        }
        #expect(paths.count == 30 && paths.allSatisfy { $0.hasPrefix("4/") && $0.hasSuffix(".jpg") })
        for byte in [UInt8(1), 2] {
            try await rig.disk.store(picture: [byte, byte], path: "4/thumbs/1.jpg")
            #expect(try Data(contentsOf: URL(fileURLWithPath: rig.absolute("4/thumbs/1.jpg"))) == Data([byte, byte]))
        }
        #expect(!rig.files().contains { $0.hasSuffix(".part") })
        // A folder lies where the picture should be: refused, nothing left behind.
        try FileManager.default.createDirectory(atPath: rig.absolute("4/thumbs/2.jpg"), withIntermediateDirectories: true)
        await #expect(throws: FileError.self) { try await rig.disk.store(picture: [1], path: "4/thumbs/2.jpg") }
        #expect(!rig.files().contains { $0.hasSuffix(".part") })
    }
}
