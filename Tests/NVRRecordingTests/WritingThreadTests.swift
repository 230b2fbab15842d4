// What belongs here: volumes that hang while others are written to, read and cleaned.
import Dispatch
import Foundation
import NVRBase
import NVRModel
import NVRRecording
import NVRStore
import Synchronization
import Testing

/// A thread that is stuck in a job until it is let go.
private final class Hang: Sendable {
    private let gate = DispatchSemaphore(value: 0)
    private let begun = AsyncStream.makeStream(of: Void.self)

    /// What hangs.
    func job() {
        begun.continuation.yield()
        gate.wait()
    }

    func end() { gate.signal() }

    /// Waits until something does.
    func begins() async { for await _ in begun.stream { return } }
}

@Suite("Writing threads of volumes")
struct WritingThreadTests {
    private let one = VolumeID(rawValue: 1)
    private let two = VolumeID(rawValue: 2)

    private func writer(_ rig: Rig, camera: Int64, on volume: VolumeID) -> SegmentWriter {
        SegmentWriter(
            configuration: .init(cameraID: ID(camera), role: .main, fileName: "%s-%f", listsSegments: true, volume: volume), disk: rig.disk,
            logger: rig.log.logger)
    }

    /// Keeps the writing thread of a volume busy.
    private func hang(_ rig: Rig, _ volume: VolumeID) async -> Hang {
        let (hang, disk) = (Hang(), rig.disk)
        Task { try await disk.run(on: volume) { hang.job() } }
        await hang.begins()
        return hang
    }

    private func numbers(_ rig: Rig, _ segment: Segment) throws -> [UInt64] {
        try storedFrames(try rig.layout.absolute(segment.place)).frames.filter(\.isVideo).map(\.number)
    }

    @Test("A volume that hangs keeps no recording of another volume waiting, and goes on itself when it is back")
    func independence() async throws {
        let rig = try Rig()
        try rig.addVolume(1)
        try rig.addVolume(2)
        let hang = await hang(rig, one)
        var streams = (SyntheticStream(), SyntheticStream(run: 2), SyntheticStream(run: 3))
        let waiting = rig.recorder(writer(rig, camera: 1, on: one))
        waiting.begin(streams.0.description)
        for packet in streams.0.packets(60) { waiting.receive(packet) }
        for (camera, volume) in [(Int64(2), two), (3, .standard)] {
            let recorder = rig.recorder(writer(rig, camera: camera, on: volume))
            recorder.begin(camera == 2 ? streams.1.description : streams.2.description)
            for packet in camera == 2 ? streams.1.packets(60) : streams.2.packets(60) { recorder.receive(packet) }
            await recorder.finish()
        }
        #expect(try await rig.segments().map(\.volume.rawValue).sorted() == [0, 2])
        hang.end()
        await waiting.finish()
        let segments = try await rig.segments()
        #expect(segments.map(\.volume.rawValue).sorted() == [0, 1, 2] && segments.allSatisfy { $0.state == .finished })
        for segment in segments { #expect(try numbers(rig, segment) == Array(1...60)) }
    }

    @Test("A recording leaves a volume that hangs for long, with all that waits; what was open there ends when the volume is back")
    func leaving() async throws {
        let rig = try Rig()
        try rig.addVolume(1)
        var stream = SyntheticStream()
        let recorder = rig.recorder(writer(rig, camera: 1, on: one), seconds: 60)
        recorder.begin(stream.description)
        for packet in stream.packets(61) { recorder.receive(packet) }
        try await rig.disk.run(on: one) {}
        let hang = await hang(rig, one)
        #expect(rig.disk.threads.map(\.isStuck) == [false, false])
        for packet in stream.packets(45) { recorder.receive(packet) }
        rig.clock.advance(9)
        for packet in stream.packets(15) { recorder.receive(packet) }
        #expect(rig.layout.volumes.states.map(\.loss) == [nil])
        rig.clock.advance(2)
        for packet in stream.packets(30) { recorder.receive(packet) }
        try await rig.disk.run {}
        #expect(rig.layout.volumes.states.map(\.loss?.detail) == ["it does not answer"])
        #expect(rig.disk.threads.map(\.volume) == [.standard, one] && rig.disk.threads.map(\.isStuck) == [false, true])
        #expect(try await rig.segments().map(\.volume.rawValue) == [1, 0])
        // Nothing new is begun there, not even when nobody has noticed that it hangs.
        rig.layout.volumes.setLoss(one, nil)
        let place = try await rig.disk.store(snapshot: [1], camera: ID(1), pattern: "s", time: wallZero, volume: one)
        #expect(place.volume == .standard)
        hang.end()
        try await rig.disk.run(on: one) {}
        await recorder.finish()
        let segments = try await rig.segments()
        #expect(segments.map(\.state) == [.finished, .finished] && rig.disk.growing.ends.isEmpty)
        #expect(try segments.flatMap { try numbers(rig, $0) } == Array(1...151))
        #expect(rig.disk.trouble(of: ID(1)) == nil && rig.log.errors == 0)
        // The next segment lies there again.
        let next = rig.recorder(writer(rig, camera: 1, on: one))
        next.begin(stream.description)
        for packet in stream.packets(30) { next.receive(packet) }
        await next.finish()
        #expect(try await rig.segments().last?.volume == one)
    }

    @Test("Between two segments a recording goes to the volume that is wished for, and comes back from one that is not there")
    func moving() async throws {
        let rig = try Rig()
        try rig.addVolume(1)
        try rig.addVolume(2)
        var stream = SyntheticStream()
        let writer = writer(rig, camera: 1, on: one)
        let recorder = rig.recorder(writer, seconds: 2)
        recorder.begin(stream.description)
        func record() async throws {
            for packet in stream.packets(60) { recorder.receive(packet) }
            for volume in [one, two, .standard, one, two, .standard] { try await rig.disk.run(on: volume) {} }
        }
        try await record()
        writer.setVolume(two)
        try await record()
        try rig.unmount(2)
        try await record()
        try rig.mount(2)
        try await record()
        writer.setVolume(.standard)
        try await record()
        await recorder.finish()
        let segments = try await rig.segments()
        #expect(try segments.flatMap { try numbers(rig, $0) } == Array(1...300))
        var places: [Int64] = []
        for segment in segments where places.last != segment.volume.rawValue { places.append(segment.volume.rawValue) }
        #expect(places == [1, 2, 0, 2, 0])
        #expect(rig.disk.failure == nil && rig.log.errors == 0)
    }

    @Test("What one volume refuses is no trouble of cameras that write to another")
    func trouble() async throws {
        let rig = try Rig()
        try rig.addVolume(1)
        // A file where the default folder should be.
        try Data().write(to: URL(fileURLWithPath: rig.layout.root))
        var (stream, other) = (SyntheticStream(), SyntheticStream(run: 2))
        let stuck = rig.recorder(writer(rig, camera: 1, on: .standard))
        stuck.begin(stream.description)
        for packet in stream.packets(60) { stuck.receive(packet) }
        let sound = rig.recorder(writer(rig, camera: 2, on: one))
        sound.begin(other.description)
        for packet in other.packets(60) { sound.receive(packet) }
        await sound.finish()
        try await rig.disk.run {}
        #expect(rig.disk.failure(of: ID(1)) != nil && rig.disk.trouble(of: ID(1)) != nil && rig.disk.failure != nil)
        #expect(rig.disk.failure(of: ID(2)) == nil && rig.disk.trouble(of: ID(2)) == nil)
        try FileManager.default.removeItem(atPath: rig.layout.root)
        await stuck.finish()
        #expect(rig.disk.failure == nil)
    }

    @Test("The thread of a volume that is no more ends")
    func threads() async throws {
        let rig = try Rig()
        try rig.addVolume(1)
        var stream = SyntheticStream()
        func record() async {
            let recorder = rig.recorder(writer(rig, camera: 1, on: one))
            recorder.begin(stream.description)
            for packet in stream.packets(30) { recorder.receive(packet) }
            await recorder.finish()
        }
        await record()
        #expect(rig.disk.threads.map(\.volume) == [.standard, one])
        // One that is away keeps its thread, and gets no second one.
        try rig.unmount(1)
        for _ in 0..<3 { await record() }
        #expect(rig.disk.threads.map(\.volume) == [.standard, one])
        rig.layout.volumes.forget(one)
        // Seen when another thread is made, once the last job has let go of its recording.
        for id in Int64(2)..<200 where rig.disk.threads.contains(where: { $0.volume == one }) {
            try rig.addVolume(id)
            _ = writer(rig, camera: id, on: VolumeID(rawValue: id))
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(!rig.disk.threads.contains { $0.volume == one })
    }

    @Test("Work on one volume does not wait for another, and who waits for a lost one is let go")
    func work() async throws {
        let rig = try Rig()
        try rig.addVolume(1)
        try rig.addVolume(2)
        let threads = VolumeThreads("work", volumes: rig.layout.volumes)
        let hang = Hang()
        let one = one
        let stuck = Task { try await threads.run(on: one) { hang.job() } }
        await hang.begins()
        #expect(try await threads.run(on: two) { 2 } == 2)
        #expect(try await threads.run(on: [two, .standard]) { 3 } == 3)
        #expect(await threads.confirmed(patience: .milliseconds(200)) == [.standard, two])
        await #expect(throws: NVRError.self) { try await threads.run(on: one, patience: .milliseconds(200)) {} }
        rig.layout.volumes.setLoss(one, VolumeLoss(.unreachable, "it does not answer", since: wallZero))
        await #expect(throws: NVRError.self) { try await stuck.value }
        // Its thread still hangs: nobody waits for it any more.
        await #expect(throws: NVRError.self) { try await threads.run(on: one) {} }
        hang.end()
        rig.layout.volumes.setLoss(one, nil)
        #expect(await threads.confirmed() == [.standard, one, two])
    }

    /// Three finished segments on each of two volumes and the default folder.
    private func shelves() async throws -> Rig {
        let rig = try Rig()
        try rig.addVolume(1)
        try rig.addVolume(2)
        for (camera, volume) in [(Int64(1), one), (2, two), (3, .standard)] {
            var stream = SyntheticStream(run: camera)
            let recorder = rig.recorder(writer(rig, camera: camera, on: volume), seconds: 2)
            recorder.begin(stream.description)
            for packet in stream.packets(90) { recorder.receive(packet) }
            await recorder.finish()
        }
        return rig
    }

    @Test("A comparison leaves a volume alone that does not answer, says so, and goes on with what lies elsewhere")
    func comparing() async throws {
        let rig = try await shelves()
        let before = try await rig.segments()
        #expect(before.count == 9)
        // On each volume a file is gone; beside them lies one that nobody knows.
        for volume in [one, two, .standard] {
            let gone = try #require(before.first { $0.volume == volume })
            try FileManager.default.removeItem(atPath: rig.layout.absolute(gone.place))
        }
        let last = try #require(before.last { $0.volume == two })
        let copy = try rig.layout.absolute(last.place)
        try FileManager.default.copyItem(atPath: copy, toPath: copy.replacing(".mp4", with: "-more.mp4"))
        let threads = VolumeThreads("check", volumes: rig.layout.volumes)
        let (hang, one) = (Hang(), one)
        let stuck = Task { try await threads.run(on: one) { hang.job() } }
        await hang.begins()
        let check = IntegrityCheck(layout: rig.layout, store: rig.store, threads: threads, isLive: false)
        var options = IntegrityCheck.Options()
        options.repairs = true
        options.readsAll = true
        options.patience = .milliseconds(300)
        let report = try await check.run(options) { _, _ in }
        #expect(report.silent == [one] && report.notes == ["the volume volume 1 cannot be used now: it does not answer"])
        #expect(Reason(report.notes[0])?.code == "footage_not_there")
        #expect(report.segments == 6 && report.problems.count == 3 && report.adopted == 1 && report.repaired == 3 && report.refusal == nil)
        #expect(try await rig.segments().count { $0.volume == one } == 3)
        hang.end()
        try await stuck.value
        let whole = try await check.run(options) { _, _ in }
        #expect(whole.silent.isEmpty && whole.notes.isEmpty && whole.problems.count == 1 && whole.repaired == 1)
        #expect(try await rig.segments().count { $0.volume == one } == 2)
    }

    @Test("A comparison whose volume stops answering in its midst reads no more there, and one that is cancelled ends at the next file")
    func comparingMeanwhile() async throws {
        let rig = try await shelves()
        let threads = VolumeThreads("check", volumes: rig.layout.volumes)
        let check = IntegrityCheck(layout: rig.layout, store: rig.store, threads: threads, isLive: true)
        let (hang, one) = (Hang(), one)
        var options = IntegrityCheck.Options()
        options.readsAll = true
        options.patience = .milliseconds(300)
        let first = Atomic(true)
        // The pause is taken after the volumes were found to be the right ones.
        options.pace = { _, _ in
            guard first.exchange(false, ordering: .relaxed) else { return }
            Task { try await threads.run(on: one) { hang.job() } }
            await hang.begins()
        }
        let report = try await check.run(options) { _, _ in }
        #expect(report.silent == [one] && report.problems.isEmpty)
        // Whoever ends the program does not wait for the volume, either.
        options.patience = .seconds(600)
        let before = threads.pending(one)
        let waiting = Task { [options] in try await check.run(options) { _, _ in } }
        while threads.pending(one) == before { try await Task.sleep(for: .milliseconds(5)) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        hang.end()
    }
}
