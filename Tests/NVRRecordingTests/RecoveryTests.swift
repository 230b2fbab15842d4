import Foundation
import ISOBMFF
import NVRMedia
import NVRModel
import NVRRecording
import NVRStore
import Testing

@Suite("Start after a crash", .serialized)
struct RecoveryTests {
    private static func cut(_ path: String, to length: Int) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.truncate(atOffset: UInt64(length))
        try handle.close()
    }

    private static func size(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
    }

    private static func draft(_ path: String) -> Segment {
        Segment(
            id: ID(0), cameraID: ID(1), role: .main, run: 1, path: path, start: wallZero, end: wallZero, bytes: 0, state: .intended, width: 640,
            height: 360,
            codecs: "avc1", initLength: 0, timescale: 90_000, index: [])
    }

    /// Every row has its file, every file its row, and every file opens.
    private static func checkWhole(_ rig: Rig) async throws {
        let segments = try await rig.segments()
        #expect(segments.allSatisfy { $0.state == .finished })
        #expect(segments.map(\.path).sorted() == rig.files())
        for segment in segments {
            let (file, frames) = try storedFrames(rig.absolute(segment.path))
            #expect(!frames.isEmpty && segment.bytes == file.completeLength && segment.index == file.index.packed())
            #expect(segment.end > segment.start)
        }
        #expect(try await rig.store.segments.unfinished().isEmpty)
        #expect(try await rig.store.segments.garbage().isEmpty)
        #expect(try await rig.store.problems().isEmpty)
    }

    @Test("what was on disk is listed and plays, at any moment of a recording")
    func anyMoment() async throws {
        let rig = try Rig()
        var stream = SyntheticStream(audio: aac)
        let recorder = rig.recorder(rig.writer(), seconds: 4)
        recorder.begin(stream.description)
        var random = SeededGenerator(state: 8)
        for _ in 0..<12 {
            for packet in stream.packets(Int.random(in: 3...40, using: &random)) { recorder.receive(packet) }
            try await rig.disk.run {}
            let after = try rig.crashed()
            let report = try await after.recover()
            #expect(report.notes.isEmpty && report.truncatedBytes == 0)
            try await Self.checkWhole(after)
            let numbers = try await after.segments().flatMap { try storedFrames(after.absolute($0.path)).frames.filter(\.isVideo).map(\.number) }
            let all = Set(numbers)
            #expect(all.count == numbers.count)
            // At most the chunk that was being gathered and the one held back for its sound are missing.
            let newest = stream.dts
            let kept = try await after.segments().last.map { $0.end.microseconds(since: wallZero) } ?? 0
            #expect(newest * 1_000_000 / 90_000 - kept <= 2_000_000)
            for event in try await after.store.events.list(EventFilter()) { #expect(event.end != nil) }
            // A second start finds nothing to do.
            #expect(try await after.recover() == StartupRecovery.Report())
        }
        await recorder.finish()
        try await Self.checkWhole(rig)
    }

    @Test("a file cut off anywhere keeps every whole fragment, and one without any goes with its row")
    func truncatedAnywhere() async throws {
        let rig = try Rig()
        var stream = SyntheticStream(audio: aac)
        let recorder = rig.recorder(rig.writer(), seconds: 60)
        recorder.begin(stream.description)
        for packet in stream.packets(150) { recorder.receive(packet) }
        try await rig.disk.run {}
        let path = try #require(rig.files().first)
        let whole = try storedFrames(rig.absolute(path)).file
        var random = SeededGenerator(state: 21)
        var cuts =
            whole.index.entries.flatMap { [Int($0.offset), Int($0.offset) + 1, Int($0.end) - 1] } + [0, 1, 7, Int(whole.initRange.upperBound) - 1]
        cuts = (cuts + (0..<10).map { _ in Int.random(in: 0...Int(whole.completeLength), using: &random) }).shuffled(using: &random)
        for cut in cuts.prefix(24) + [0] {
            let after = try rig.crashed()
            try Self.cut(after.absolute(path), to: cut)
            let report = try await after.recover()
            let expected = whole.index.entries.prefix { $0.end <= cut }
            #expect(report.notes.isEmpty, "cut at \(cut): \(report.notes)")
            if let last = expected.last {
                #expect(report.finished == 1 && report.discarded == 0 && report.truncatedBytes == Int64(cut) - last.end)
                #expect(try Self.size(after.absolute(path)) == Int(last.end))
                let segment = try #require(try await after.segments().first)
                #expect(segment.end.microseconds(since: segment.start) == last.endTime * 1_000_000 / 90_000)
            } else {
                #expect(report.discarded == 1 && after.files().isEmpty, "cut at \(cut)")
                #expect(try await after.store.events.list(EventFilter()).isEmpty)
            }
            try await Self.checkWhole(after)
        }
        await recorder.finish()
    }

    @Test("rubbish behind the last fragment is cut off")
    func rubbishTail() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 60)
        recorder.begin(stream.description)
        for packet in stream.packets(60) { recorder.receive(packet) }
        try await rig.disk.run {}
        let path = try #require(rig.files().first)
        let length = try Self.size(rig.absolute(path))
        for tail in [[UInt8](repeating: 0, count: 5000), [UInt8](repeating: 0xFF, count: 3), Array("moof, but not really".utf8)] {
            let after = try rig.crashed()
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: after.absolute(path)))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data(tail))
            try handle.close()
            let report = try await after.recover()
            #expect(report.finished == 1 && report.truncatedBytes == Int64(tail.count))
            #expect(try Self.size(after.absolute(path)) == length)
            try await Self.checkWhole(after)
        }
        await recorder.finish()
    }

    @Test("rows without files and files without a whole fragment go, together")
    func announcedOnly() async throws {
        let rig = try Rig()
        try FileManager.default.createDirectory(atPath: rig.absolute("1"), withIntermediateDirectories: true)
        let contents: [(name: String, bytes: [UInt8]?)] = [
            ("missing", nil), ("empty", []), ("short", [0, 0, 0, 8]), ("zeros", [UInt8](repeating: 0, count: 4096)),
            ("rubbish", (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 37) }), ("text", Array("no video at all".utf8)),
        ]
        for (name, bytes) in contents {
            _ = try await rig.store.segments.intend(Self.draft("1/\(name).mp4"), isContinuous: true)
            if let bytes { try Data(bytes).write(to: URL(fileURLWithPath: rig.absolute("1/\(name).mp4"))) }
        }
        _ = try await rig.store.segments.intend(Self.draft("no/such/folder/x.mp4"), isContinuous: true)
        let growing = try await rig.store.segments.intend(Self.draft("1/growing.mp4"), isContinuous: true)
        _ = try await rig.store.segments.begin(growing, end: wallZero.advanced(byMicroseconds: 1_000_000), bytes: 10, initLength: 5)
        try Data().write(to: URL(fileURLWithPath: rig.absolute("1/growing.mp4")))
        let report = try await rig.recover()
        #expect(report.discarded == 8 && report.finished == 0 && report.notes.isEmpty, "\(report)")
        #expect(rig.files().isEmpty)
        #expect(try await rig.store.segments.entries(after: nil).isEmpty)
        #expect(try await rig.store.events.list(EventFilter()).isEmpty)
    }

    @Test("a listed file whose head is damaged is left alone and told, and does not keep the others from being finished")
    func damagedHead() async throws {
        let rig = try Rig()
        var streams = [SyntheticStream(), SyntheticStream()]
        let recorders = [rig.recorder(rig.writer(camera: 1), seconds: 60), rig.recorder(rig.writer(camera: 2), seconds: 60)]
        for index in 0..<2 {
            recorders[index].begin(streams[index].description)
            for packet in streams[index].packets(60) { recorders[index].receive(packet) }
        }
        try await rig.disk.run {}
        let after = try rig.crashed()
        let path = try #require(after.files().first)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: after.absolute(path)))
        try handle.write(contentsOf: Data([UInt8](repeating: 0xAA, count: 64)))
        try handle.close()
        let report = try await after.recover()
        #expect(report.finished == 1 && report.notes.count == 1 && report.notes[0].contains(path))
        #expect(after.files().count == 2)
        for recorder in recorders { await recorder.finish() }
    }

    @Test("deletions that a crash interrupted go on")
    func garbage() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 300, seconds: 4)
        let segments = try await rig.segments()
        #expect(segments.count == 5)
        _ = try await rig.store.segments.markGarbage([segments[0].id, segments[2].id])
        // One file went before the crash.
        try FileManager.default.removeItem(atPath: rig.absolute(segments[0].path))
        let after = try rig.crashed()
        let report = try await after.recover()
        #expect(report.removedFiles == 1)
        #expect(after.files() == [segments[1], segments[3], segments[4]].map(\.path).sorted())
        try await Self.checkWhole(after)
        #expect(try await after.store.events.list(EventFilter()).count == 3)
    }

    @Test("very many deletions do not hold a start up: it goes on with some, and the rest follows while cameras run")
    func manyDeletions() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 60)
        let count = StartupRecovery.deletionsAtStart + 20
        var events: [ID<Event>] = []
        for number in 0..<count {
            let path = "1/p\(number).jpg"
            try Data([1]).write(to: URL(fileURLWithPath: rig.absolute(path)))
            events.append(
                try await rig.store.events.insert(
                    Event(id: ID(0), cameraID: ID(1), medium: .snapshot, kind: .manual, start: wallZero, picturePath: path)
                ).id)
        }
        _ = try await rig.store.events.delete(events)
        #expect(rig.files().count == count + 1)
        let after = try rig.crashed()
        let report = try await after.recover()
        #expect(report.removedFiles == StartupRecovery.deletionsAtStart)
        #expect(try await after.store.segments.garbageFiles().count == 20)
        let removal = MediaRemoval(layout: after.layout, store: after.store, playback: after.playback())
        // A server that ends meanwhile leaves them to the next start.
        let ending = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            await removal.sweepWhatIsLeft()
        }
        await ending.value
        #expect(try await after.store.segments.garbageFiles().count == 20)
        await removal.sweepWhatIsLeft()
        #expect(try await after.store.segments.garbageFiles().isEmpty)
        let kept = try await after.segments().map(\.path)
        #expect(after.files() == kept)
        try await Self.checkWhole(after)
    }

    @Test("events that never ended are ended")
    func staleEvents() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 150)
        let event = try await rig.store.events.insert(
            Event(id: ID(0), cameraID: ID(1), medium: .video, kind: .motion, start: wallZero.advanced(byMicroseconds: 2_000_000)))
        rig.clock.advance(3600)
        let report = try await rig.recover()
        #expect(report.endedEvents == 1)
        let ended = try #require(try await rig.store.events.get(event.id))
        #expect(ended.end.map { $0 >= ended.start && $0 <= WallTime(microseconds: rig.clock.wall()) } == true)
    }

    @Test("a power cut on the way of deleting and writing many times over never leaves a row without file or a file without row")
    func manyCrashes() async throws {
        let rig = try Rig()
        var stream = SyntheticStream()
        stream.gop = 10
        var random = SeededGenerator(state: 77)
        var current = rig
        for round in 0..<8 {
            let recorder = current.recorder(current.writer(), seconds: 3)
            stream.newRun(after: 2)
            recorder.begin(stream.description)
            for packet in stream.packets(Int.random(in: 10...120, using: &random)) { recorder.receive(packet) }
            try await current.disk.run {}
            if round % 3 == 2, let old = try await current.segments().first(where: { $0.state == .finished }) {
                _ = try await current.store.segments.markGarbage([old.id])
            }
            let after = try current.crashed()
            if round % 2 == 1, let growing = try await after.segments().last, growing.state == .growing {
                try Self.cut(after.absolute(growing.path), to: Int.random(in: 0...Self.size(after.absolute(growing.path)), using: &random))
            }
            _ = try await after.recover()
            try await Self.checkWhole(after)
            await recorder.finish()
            current = after
        }
    }
}
