import Foundation
import ISOBMFF
import NVRBase
import NVRMedia
import NVRModel
import NVRRecording
import NVRStore
import Testing

@Suite("Playback")
struct PlaybackTests {
    private static func at(_ seconds: Double) -> WallTime { wallZero.advanced(byMicroseconds: Int64(seconds * 1e6)) }

    /// Reads everything in pieces of one size.
    private static func all(_ media: StoredMedia, piece: Int = 1 << 20) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let more = try media.read(offset: Int64(bytes.count), count: piece)
            guard !more.isEmpty else { return bytes }
            bytes += more
        }
    }

    private static func motion(_ rig: Rig, _ start: Double, _ end: Double?, camera: Int64 = 1) async throws -> Event {
        try await rig.store.events.insert(
            Event(id: ID(0), cameraID: ID(camera), medium: .video, kind: .motion, start: at(start), end: end.map(at)))
    }

    private static func expectNotFound(_ body: () async throws -> StoredMedia, _ comment: String = "") async {
        let error = await #expect(throws: NVRError.self, "\(comment)") { _ = try await body() }
        #expect(error?.kind == .notFound, "\(comment) \(String(describing: error))")
    }

    @Test("an event's movie holds exactly the frames of its range, over several segments, and ffprobe counts them", arguments: [false, true])
    func eventMovie(hasAudio: Bool) async throws {
        let rig = try Rig()
        var stream = SyntheticStream(audio: hasAudio ? aac : nil)
        try await rig.record(&stream, frames: 900, seconds: 10)
        let playback = rig.playback()
        // No such camera in the database: 5 s before and 10 s after.
        let media = try await playback.video(of: try await Self.motion(rig, 22, 31))
        let bytes = try Self.all(media)
        #expect(Int64(bytes.count) == media.length && media.contentType == "video/mp4" && media.fileName.hasSuffix(".mp4"))
        let path = rig.folder.appendingPathComponent("movie.mp4").path
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        // From second 17 to second 41, in whole fragments of a second.
        let count = try probedPackets(path)
        #expect(count == 24 * 15, "\(count)")
        let sound = try probedPackets(path, "a:0")
        #expect(hasAudio ? abs(Double(sound) - 24 * 16_000 / 1024) < 20 : sound == 0, "\(sound)")
        let text = try run("ffprobe", ["-v", "quiet", "-show_entries", "packet=dts_time,flags", "-select_streams", "v:0", "-of", "csv=p=0", path])
        let rows = text.split(separator: "\n").map { $0.split(separator: ",") }
        let times = rows.compactMap { Double($0[0]) }
        #expect(rows.first?[1].hasPrefix("K") == true && times.first == 0)
        #expect(zip(times, times.dropFirst()).allSatisfy { abs($1 - $0 - 1.0 / 15) < 0.001 })
    }

    @Test("any range of a movie equals the same range of the whole", arguments: [1, 2, 3])
    func ranges(seed: UInt64) async throws {
        let rig = try Rig()
        var stream = SyntheticStream(audio: aac)
        try await rig.record(&stream, frames: 600, seconds: 6)
        let playback = rig.playback()
        let event = try await Self.motion(rig, 12, 20)
        let segment = try #require(try await rig.segments().first)
        for media in [try await playback.video(of: event), try await playback.media(path: segment.path)] {
            let bytes = try Self.all(media)
            #expect(Int64(bytes.count) == media.length)
            #expect(try Self.all(media, piece: 977) == bytes)
            var random = SeededGenerator(state: seed)
            for _ in 0..<300 {
                let start = Int64.random(in: 0...media.length + 10, using: &random)
                let count = random.chance(0.5) ? Int.random(in: 0...300, using: &random) : Int.random(in: 0...bytes.count * 2, using: &random)
                let expected = start < media.length ? Array(bytes[Int(start)..<min(bytes.count, Int(start) + count)]) : []
                #expect(try media.read(offset: start, count: count) == expected)
            }
            #expect(try media.read(offset: -1, count: 10).isEmpty)
            #expect(try media.read(offset: 0, count: 0).isEmpty)
            // A file that is asked for again is the same file.
            #expect(media.etag.hasPrefix("\"") && media.etag.hasSuffix("\""))
        }
        let (first, second) = (try await playback.video(of: event), try await playback.video(of: event))
        #expect(first.etag == second.etag)
    }

    @Test("the range of an event is what its camera keeps before and after")
    func cameraRange() async throws {
        let rig = try Rig()
        var camera = Camera(id: ID(0), createdAt: wallZero, name: "door", url: "rtsp://127.0.0.1/")
        camera.recording.capturedBefore = 1
        camera.recording.capturedAfter = 2
        let id = try await rig.store.cameras.insert(camera).id
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 300, camera: id.rawValue)
        let path = rig.folder.appendingPathComponent("movie.mp4").path
        let media = try await rig.playback().video(of: try await Self.motion(rig, 8, 12, camera: id.rawValue))
        try Data(try Self.all(media)).write(to: URL(fileURLWithPath: path))
        #expect(try probedPackets(path) == 7 * 15)
    }

    @Test("frames that two motion recordings hold, since the second one's pre-roll reaches into the first, are in the movie once")
    func overlappingRecordings() async throws {
        let rig = try Rig()
        var stream = SyntheticStream(audio: aac)
        let packets = stream.packets(300)
        let cut = try #require(packets.firstIndex { $0.kind == .video && $0.dts == 105 * 6000 })
        let end = try #require(packets.firstIndex { $0.kind == .video && $0.dts == 157 * 6000 })
        for (part, pattern) in [(packets[..<end], "a"), (packets[cut...], "b")] {
            let recorder = rig.recorder(rig.writer(pattern: pattern, listsSegments: false), seconds: 60)
            recorder.begin(stream.description)
            for packet in part { recorder.receive(packet) }
            await recorder.finish()
        }
        #expect(try await rig.segments().count == 2)
        let path = rig.folder.appendingPathComponent("movie.mp4").path
        let media = try await rig.playback().video(of: try await Self.motion(rig, 5, 15))
        try Data(try Self.all(media)).write(to: URL(fileURLWithPath: path))
        #expect(try probedPackets(path) == 300)
        #expect(try probedPackets(path, "a:0") == packets.filter { $0.kind == .audio }.count)
        let text = try run("ffprobe", ["-v", "quiet", "-show_entries", "packet=dts_time", "-select_streams", "v:0", "-of", "csv=p=0", path])
        let times = text.split(whereSeparator: { $0 == "\n" || $0 == "," }).compactMap { Double($0) }
        #expect(times.count == 300 && zip(times, times.dropFirst()).allSatisfy { abs($1 - $0 - 1.0 / 15) < 0.001 })
    }

    @Test("a growing segment is given as far as it is whole, and its event's video begins the same")
    func growing() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 600)
        recorder.begin(stream.description)
        for packet in stream.packets(40) { recorder.receive(packet) }
        try await rig.disk.run {}
        let playback = rig.playback()
        let segment = try #require(try await rig.segments().first)
        let early = try await playback.media(path: segment.path)
        let first = try Self.all(early)
        let event = try #require(try await rig.store.events.list(EventFilter()).first)
        #expect(event.end == nil)
        #expect(try Self.all(try await playback.video(of: event)) == first)
        for packet in stream.packets(60) { recorder.receive(packet) }
        try await rig.disk.run {}
        #expect(try Self.all(early) == first)
        let later = try Self.all(try await playback.media(path: segment.path))
        #expect(later.count > first.count && later.starts(with: first))
        // Motion that goes on now: what is there of it.
        let path = rig.folder.appendingPathComponent("movie.mp4").path
        let motion = try await playback.video(of: try await Self.motion(rig, 3, nil))
        try Data(try Self.all(motion)).write(to: URL(fileURLWithPath: path))
        #expect(try probedPackets(path) == 90)
        #expect(try await playback.bytes(of: ID(1), TimeRange(start: Self.at(0), end: Self.at(1))) ?? 0 > 0)
        #expect(try await playback.bytes(of: ID(1), TimeRange(start: Self.at(-10), end: Self.at(-5))) == nil)
        await recorder.finish()
    }

    @Test("a segment that was only just listed, of which nothing is known yet, keeps nobody from the others")
    func listedOnly() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 300, seconds: 10)
        let playback = rig.playback()
        let finished = try await rig.segments()
        let last = try #require(finished.last)
        // As between the commit of its row and the note that it grows.
        let (start, end) = (last.end, last.end.advanced(byMicroseconds: 1_000_000))
        let id = try await rig.store.segments.intend(
            Segment(
                id: ID(0), cameraID: ID(1), role: .main, run: 9, path: "1/2020-01-01/new.mp4", start: start, end: start, bytes: 0, state: .intended,
                width: 640, height: 360, codecs: "avc1", initLength: 0, timescale: 90_000, index: []), isContinuous: false)
        _ = try await rig.store.segments.begin(id, end: end, bytes: 1000, initLength: 900)
        let range = TimeRange(start: Self.at(-10), end: end)
        #expect(try await playback.index(of: ID(1), range).map(\.id) == finished.map(\.id))
        #expect(try await playback.bytes(of: ID(1), range) ?? 0 > 0)
        let whole = try await playback.export(ID(1), range, isExact: false, fileName: "a.mp4")
        #expect(try Self.all(whole).count > 1000)
    }

    @Test("the size of a range is that of its fragments, and not known where the index is damaged")
    func sizes() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 600)
        recorder.begin(stream.description)
        for packet in stream.packets(100) { recorder.receive(packet) }
        await recorder.finish()
        let playback = rig.playback()
        var segment = try #require(try await rig.segments().first)
        let range = TimeRange(start: Self.at(1), end: Self.at(2))
        let bytes = try #require(try await playback.bytes(of: ID(1), range))
        #expect(bytes > 0 && bytes < segment.bytes)
        #expect(try await playback.bytes(of: ID(1), range, in: segment) == bytes)
        // What reaches beyond the segment is looked for.
        #expect(try await playback.bytes(of: ID(1), TimeRange(start: Self.at(-1), end: Self.at(2)), in: segment) ?? 0 >= bytes)
        for damage in [[], [7], Array(segment.index.dropLast())] {
            segment.index = damage
            #expect(try await playback.bytes(of: ID(1), range, in: segment) == nil)
        }
    }

    @Test("footage that is deleted or truncated behind our back is not found, or what is left of it is given")
    func behindOurBack() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 450, seconds: 10)
        let playback = rig.playback()
        let segments = try await rig.segments()
        #expect(segments.count == 3)
        let event = try await Self.motion(rig, 5, 20)
        let movie = rig.folder.appendingPathComponent("movie.mp4").path
        func frames() async throws -> Int {
            playback.forget()
            try Data(try Self.all(try await playback.video(of: event))).write(to: URL(fileURLWithPath: movie))
            return try probedPackets(movie)
        }
        #expect(try await frames() == 450)
        // The last one loses its second half.
        let index = try FragmentIndex(packed: segments[2].index)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: rig.absolute(segments[2].path)))
        try handle.truncate(atOffset: UInt64(index.entries[4].end + 10))
        #expect(try await frames() == 300 + 75)
        let rest = try await playback.media(path: segments[2].path)
        #expect(rest.length == index.entries[4].end + 10)
        #expect(try Self.all(rest).count == Int(rest.length))
        try handle.truncate(atOffset: 100)
        #expect(try await frames() == 300)
        try handle.truncate(atOffset: 0)
        try handle.close()
        #expect(try await frames() == 300)
        // The middle one goes: the movie has a hole, and its times tell.
        try FileManager.default.removeItem(atPath: rig.absolute(segments[1].path))
        #expect(try await frames() == 150)
        await Self.expectNotFound { try await playback.media(path: segments[1].path) }
        await Self.expectNotFound { try await playback.media(path: segments[1].path.dropLast(4) + ".jpg") }
        let own = try await rig.store.events.list(EventFilter()).first { $0.segmentID == segments[1].id }
        await Self.expectNotFound { try await playback.video(of: try #require(own)) }
        await Self.expectNotFound { try await playback.thumbnail(of: try #require(own)) }
        // A folder or a rubbish file where footage should be.
        try FileManager.default.removeItem(atPath: rig.absolute(segments[0].path))
        try Data([UInt8](repeating: 7, count: 100_000)).write(to: URL(fileURLWithPath: rig.absolute(segments[0].path)))
        playback.forget()
        await Self.expectNotFound { try await playback.video(of: event) }
        #expect(rig.log.warnings > 0)
    }

    @Test("bytes that go while they are sent are an error, never other bytes")
    func truncatedWhileRead() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 150)
        let segment = try #require(try await rig.segments().first)
        let playback = rig.playback()
        let media = try await playback.media(path: segment.path)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: rig.absolute(segment.path)))
        try handle.truncate(atOffset: 1000)
        try handle.close()
        #expect(try media.read(offset: 0, count: 1000).count == 1000)
        let error = #expect(throws: NVRError.self) { try media.read(offset: 500, count: 1000) }
        #expect(error?.kind == .dataLoss)
    }

    @Test("an opened movie is read to its end although its files are deleted meanwhile")
    func deletedWhileRead() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 300, seconds: 5)
        let playback = rig.playback()
        let media = try await playback.video(of: try await Self.motion(rig, 5, 8))
        let bytes = try Self.all(media)
        try FileManager.default.removeItem(atPath: rig.layout.root)
        #expect(try Self.all(media) == bytes)
    }

    @Test("only what the database lists can be reached")
    func paths() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 30)
        try Data("secret".utf8).write(to: rig.folder.appendingPathComponent("secret.mp4"))
        try Data("secret".utf8).write(to: URL(fileURLWithPath: rig.absolute("1/unlisted.mp4")))
        let playback = rig.playback()
        for path in [
            "../secret.mp4", "1/unlisted.mp4", "1/unlisted.jpg", "", "/", ".mp4", ".jpg", "1/../../secret.mp4", "../nvr.db", "1", "\0", "a.jpg",
        ] {
            await Self.expectNotFound({ try await playback.media(path: path) }, path)
        }
    }

    @Test("without footage there is no movie")
    func nothing() async throws {
        let rig = try Rig()
        let playback = rig.playback()
        let event = try await Self.motion(rig, 5, 6)
        await Self.expectNotFound { try await playback.video(of: event) }
        await Self.expectNotFound { try await playback.thumbnail(of: event) }
    }

    @Test("snapshots and thumbnails are given as they are, also as the picture of their event")
    func pictures() async throws {
        let rig = try Rig()
        let playback = rig.playback()
        let path = try await rig.disk.store(snapshot: [0xFF, 0xD8, 1, 2, 3], camera: ID(1), pattern: "snap", time: wallZero).path
        var event = Event(id: ID(0), cameraID: ID(1), medium: .snapshot, kind: .manual, start: wallZero)
        event.picturePath = path
        event = try await rig.store.events.insert(event)
        for media in [try await playback.media(path: path), try await playback.thumbnail(of: event), try await playback.video(of: event)] {
            #expect(try Self.all(media) == [0xFF, 0xD8, 1, 2, 3] && media.contentType == "image/jpeg" && media.fileName == "snap.jpg")
        }
        try FileManager.default.removeItem(atPath: rig.absolute(path))
        await Self.expectNotFound { try await playback.thumbnail(of: event) }
    }

    @Test("different parameter sets within a range are one movie with several descriptions")
    func severalDescriptions() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 5)
        recorder.begin(stream.description)
        for packet in stream.packets(150) { recorder.receive(packet) }
        stream.changeParameters()
        recorder.begin(stream.description)
        for packet in stream.packets(150) { recorder.receive(packet) }
        await recorder.finish()
        let movie = rig.folder.appendingPathComponent("movie.mp4").path
        let media = try await rig.playback().video(of: try await Self.motion(rig, 8, 10))
        try Data(try Self.all(media)).write(to: URL(fileURLWithPath: movie))
        #expect(try probedPackets(movie) == 17 * 15)
    }
}

@Suite("Deleting and checking")
struct DeletionTests {
    @Test("deleting an event deletes its footage, its picture and empty folders, and nothing else")
    func deletion() async throws {
        let rig = try Rig()
        var (first, second) = (SyntheticStream(), SyntheticStream(run: 2, origin: wallZero.advanced(byMicroseconds: 86_400_000_000)))
        try await rig.record(&first, frames: 150, pattern: "%s/a")
        try await rig.record(&second, frames: 150, pattern: "%s/a")
        let thumbnail = "1/thumbnails/1.jpg"
        try await rig.disk.store(picture: [1], path: thumbnail)
        let events = try await rig.store.events.list(EventFilter()).sorted { $0.start < $1.start }
        _ = try await rig.store.events.update(events[0].id) { $0.thumbnailPath = thumbnail }
        let removal = MediaRemoval(layout: rig.layout, store: rig.store, playback: rig.playback())
        let gone = try await removal.deleteEvents([events[0].id, ID(999)])
        #expect(gone.map(\.id) == [events[0].id])
        let left = try await rig.segments()
        #expect(left.count == 1 && left[0].run == 2 && rig.files() == left.map(\.path))
        #expect(!FileManager.default.fileExists(atPath: rig.absolute("1/thumbnails")))
        #expect(try await rig.store.segments.garbage().isEmpty)
        #expect(try await rig.store.segments.garbageFiles().isEmpty)
        #expect(try await removal.deleteEvents([events[0].id]).isEmpty)
    }

    @Test("a deletion tells the bytes that come free: none of a file that has another name")
    func freed() async throws {
        let rig = try Rig()
        var (first, second) = (SyntheticStream(), SyntheticStream(run: 2, origin: wallZero.advanced(byMicroseconds: 86_400_000_000)))
        try await rig.record(&first, frames: 150)
        try await rig.record(&second, frames: 150)
        let segments = try await rig.segments().sorted { $0.start < $1.start }
        try FileManager.default.linkItem(atPath: rig.absolute(segments[0].path), toPath: rig.absolute("original.mp4"))
        let removal = MediaRemoval(layout: rig.layout, store: rig.store, playback: rig.playback())
        let removed = try await removal.deleteAll(medium: nil, kind: nil)
        #expect(removed.events == 2 && removed.bytes == segments[1].bytes)
        #expect(FileManager.default.fileExists(atPath: rig.absolute("original.mp4")))
    }

    @Test("footage that another event stands for stays")
    func shared() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(listsSegments: false), seconds: 60)
        recorder.begin(stream.description)
        for packet in stream.packets(300) { recorder.receive(packet) }
        await recorder.finish()
        func motion(_ start: Double) async throws -> Event {
            try await rig.store.events.insert(
                Event(
                    id: ID(0), cameraID: ID(1), medium: .video, kind: .motion, start: wallZero.advanced(byMicroseconds: Int64(start * 1e6)),
                    end: wallZero.advanced(byMicroseconds: Int64(start * 1e6) + 1_000_000)))
        }
        let (one, two) = (try await motion(3), try await motion(15))
        let removal = MediaRemoval(layout: rig.layout, store: rig.store, playback: rig.playback())
        _ = try await removal.deleteEvents([one.id])
        #expect(rig.files().count == 1)
        _ = try await removal.deleteEvents([two.id])
        #expect(rig.files().isEmpty)
        #expect(try await rig.segments().isEmpty)
    }

    @Test("a sweep that cannot unlink leaves the rows, and the next one finishes it")
    func twoPhases() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 150)
        let segment = try #require(try await rig.segments().first)
        // A folder with something in it lies where the file was.
        let path = rig.absolute(segment.path)
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path + "/x", withIntermediateDirectories: true)
        _ = try await rig.store.segments.markGarbage([segment.id])
        let removal = MediaRemoval(layout: rig.layout, store: rig.store, playback: rig.playback())
        #expect(try await removal.sweep() == 0)
        #expect(try await rig.store.segments.garbage().map(\.id) == [segment.id])
        #expect(try await rig.segments().isEmpty)
        // What can be deleted is: one bad file keeps no other, and nobody from deleting.
        var next = SyntheticStream(run: 2, origin: wallZero.advanced(byMicroseconds: 86_400_000_000))
        try await rig.record(&next, frames: 150)
        let other = try #require(try await rig.segments().first)
        _ = try await rig.store.segments.markGarbage([other.id])
        #expect(try await removal.sweep() == other.bytes)
        #expect(try await rig.store.segments.garbage().map(\.id) == [segment.id])
        // Nor does it keep the server from starting.
        let recovery = StartupRecovery(layout: rig.layout, store: rig.store, logger: rig.log.logger)
        #expect(try await recovery.run(now: wallZero).notes.count == 1)
        #expect(try await rig.store.segments.garbage().map(\.id) == [segment.id])
        try FileManager.default.removeItem(atPath: path)
        try await removal.sweep()
        #expect(try await rig.store.segments.garbage().isEmpty)
        #expect(try await rig.store.segments.get(segment.id) == nil)
    }

    @Test("all media of a camera go, those of others stay")
    func camera() async throws {
        let rig = try Rig()
        var (one, two) = (SyntheticStream(), SyntheticStream())
        try await rig.record(&one, frames: 300, camera: 1, seconds: 5)
        try await rig.record(&two, frames: 300, camera: 2, seconds: 5)
        try await MediaRemoval(layout: rig.layout, store: rig.store, playback: rig.playback()).deleteMedia(of: ID(1))
        #expect(rig.files().count == 4 && rig.files().allSatisfy { $0.hasPrefix("2/") })
        #expect(try await rig.store.events.list(EventFilter()).allSatisfy { $0.cameraID == ID(2) })
    }

    @Test("the check finds nothing in a sound archive")
    func soundArchive() async throws {
        let rig = try Rig()
        var stream = SyntheticStream(audio: aac)
        try await rig.record(&stream, frames: 300, seconds: 5)
        let report = try await IntegrityCheck(layout: rig.layout, store: rig.store).run(repairs: false) { _ in }
        #expect(report.problems.isEmpty && report.segments == 4 && report.files == 4 && report.repaired == 0)
    }

    @Test("the check tells what differs, repairs it when asked to, and then finds nothing")
    func repairs() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 375, seconds: 5)
        let segments = try await rig.segments()
        #expect(segments.count == 5)
        try FileManager.default.removeItem(atPath: rig.absolute(segments[0].path))
        let index = try FragmentIndex(packed: segments[1].index)
        try FileHandle(forWritingTo: URL(fileURLWithPath: rig.absolute(segments[1].path))).truncate(atOffset: UInt64(index.entries[1].end + 3))
        try Data("rubbish, and nothing else".utf8).write(to: URL(fileURLWithPath: rig.absolute(segments[2].path)))
        // Somebody else's file and a link are not ours.
        try Data("notes".utf8).write(to: URL(fileURLWithPath: rig.absolute("1/notes.txt")))
        try FileManager.default.createSymbolicLink(atPath: rig.absolute("1/link.mp4"), withDestinationPath: rig.absolute(segments[3].path))
        let check = IntegrityCheck(layout: rig.layout, store: rig.store)
        let found = try await check.run(repairs: false) { _ in }
        #expect(found.problems.count == 3 && found.repaired == 0, "\(found.problems)")
        #expect(found.problems.contains(.missingFile(path: segments[0].path)))
        #expect(found.problems.contains(.shortFile(path: segments[1].path, bytes: index.entries[1].end, expected: segments[1].bytes)))
        #expect(found.problems.allSatisfy { !$0.description.isEmpty })
        #expect(try await rig.segments().count == 5)
        let repaired = try await check.run(repairs: true) { _ in }
        #expect(repaired.repaired == 3)
        let left = try await rig.segments()
        #expect(left.map(\.id) == [segments[1].id, segments[3].id, segments[4].id])
        #expect(left[0].bytes == index.entries[1].end && left[0].end.microseconds(since: left[0].start) == 2_000_000)
        #expect(try await check.run(repairs: false) { _ in }.problems.isEmpty)
        #expect(FileManager.default.fileExists(atPath: rig.absolute("1/notes.txt")))
    }

    @Test("footage whose database is lost is listed again by what its files say of themselves")
    func adoption() async throws {
        let rig = try Rig()
        var stream = SyntheticStream(audio: aac)
        try await rig.record(&stream, frames: 300, camera: 7, seconds: 5)
        let before = try await rig.segments()
        let files = rig.files()
        for name in ["nvr.db", "nvr.db-wal", "nvr.db-shm"] { try? FileManager.default.removeItem(at: rig.folder.appendingPathComponent(name)) }
        // A file from elsewhere is told and left alone.
        let lost = try rig.crashed()
        try Data("ftyp? no".utf8).write(to: URL(fileURLWithPath: lost.absolute("7/foreign.mp4")))
        let check = IntegrityCheck(layout: lost.layout, store: lost.store)
        let report = try await check.run(repairs: true) { _ in }
        #expect(report.repaired == 4 && report.problems.count == 5)
        let after = try await lost.segments()
        #expect(after.map(\.path).sorted() == files)
        for (old, new) in zip(before, after) {
            var (old, new) = (old, new)
            old.id = ID(0)
            new.id = ID(0)
            #expect(old == new)
        }
        #expect(try await lost.store.events.list(EventFilter()).count == 4)
        #expect(try await check.run(repairs: true) { _ in }.repaired == 0)
    }
}
