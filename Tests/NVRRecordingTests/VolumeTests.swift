// What belongs here: volumes that come and go, how they are told from each other, and where footage goes meanwhile.
import Foundation
import NVRBase
import NVRModel
import NVRRecording
import NVRStore
import Testing

let testInstance = "installation-of-tests"

extension Rig {
    /// Makes the folder of a volume with its marker and makes it known; gives the folder.
    @discardableResult
    func addVolume(_ id: Int64) throws -> String {
        let path = folder.appendingPathComponent("volume-\(id)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let marker = VolumeMarker(instance: testInstance, volume: VolumeID(rawValue: id))
        if VolumeMarker.look(in: path) == .bare { try marker.write(in: path) }
        layout.volumes.set(marker.volume, .folder(path, marker: marker), name: "volume \(id)", loss: nil)
        return path
    }

    /// What an unmounted volume looks like, and back.
    func unmount(_ id: Int64) throws { try unmounting(id)() }

    func unmounting(_ id: Int64) -> @Sendable () throws -> Void {
        let path = folder.appendingPathComponent("volume-\(id)").path
        return {
            try FileManager.default.moveItem(atPath: path, toPath: path + ".away")
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
    }

    func mount(_ id: Int64) throws {
        let path = folder.appendingPathComponent("volume-\(id)").path
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.moveItem(atPath: path + ".away", toPath: path)
    }

    /// Movies below the folder of a volume.
    func movies(on id: Int64, away: Bool = false) -> [String] {
        let root = id == 0 ? layout.root : folder.appendingPathComponent("volume-\(id)").path + (away ? ".away" : "")
        let names = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(".mp4") }.sorted()
    }
}

private func seconds(_ value: Double) -> Int64 { Int64(value * 1e6) }

@Suite("What is known of a volume")
struct VolumeWatchTests {
    private let marker = VolumeMarker(instance: "a", volume: VolumeID(rawValue: 3))
    private let time = WallTime(microseconds: 1_700_000_000_000_000)

    private func loss(_ cause: VolumeLoss.Cause, _ step: VolumeWatch.Step) -> VolumeLoss? {
        guard case .lost(let loss) = step, loss.cause == cause else { return nil }
        return loss
    }

    @Test("How full a volume is that nobody has looked at is told to who has just made its folder, and of a lost one to nobody")
    func space() throws {
        let rig = try Rig()
        let folder = rig.folder.path
        let volumes = rig.layout.volumes
        func set(_ loss: VolumeLoss?) { volumes.set(marker.volume, .folder(folder, marker: marker), name: "", loss: loss) }
        set(VolumeLoss(.unknown, "it was not looked at yet", since: time))
        #expect(volumes.space(of: marker.volume, in: folder) == nil)
        #expect(volumes.space(of: marker.volume, in: folder, isPrepared: true)?.total ?? 0 > 0)
        set(VolumeLoss(.notMounted, "it has no marker", since: time))
        #expect(volumes.space(of: marker.volume, in: folder, isPrepared: true) == nil)
        set(nil)
        #expect(volumes.space(of: marker.volume, in: folder)?.total ?? 0 > 0)
    }

    @Test("A new profile's folder is given its marker, and never again")
    func marking() {
        var watch = VolumeWatch(expected: marker, isMarked: false)
        #expect(watch.saw(.bare, now: 0, at: time) == .mark && watch.loss == nil && !watch.isAvailable)
        #expect(watch.saw(.bare, now: 1, at: time) == .mark)
        #expect(watch.saw(.found(marker), now: 2, at: time) == .available(isReturn: false) && watch.isAvailable)
        #expect(loss(.notMounted, watch.saw(.bare, now: 3, at: time)) != nil)
        var marked = VolumeWatch(expected: marker, isMarked: true)
        #expect(loss(.notMounted, marked.saw(.bare, now: 0, at: time)) != nil)
        var missing = VolumeWatch(expected: marker, isMarked: false)
        #expect(loss(.notMounted, missing.saw(.missing, now: 0, at: time)) != nil)
    }

    @Test("Whatever else is found there is a loss at once, told once")
    func losses() {
        let other = VolumeMarker(instance: "a", volume: VolumeID(rawValue: 4))
        let foreign = VolumeMarker(instance: "b", volume: VolumeID(rawValue: 3))
        let looks: [(VolumeMarker.Look, VolumeLoss.Cause)] = [
            (.found(other), .wrongVolume), (.found(foreign), .wrongVolume), (.unreadable, .wrongVolume), (.bare, .notMounted),
            (.missing, .notMounted), (.failed("Input/output error"), .unreachable),
        ]
        for (look, cause) in looks {
            var watch = VolumeWatch(expected: marker, isMarked: true)
            #expect(watch.saw(.found(marker), now: 0, at: time) == .available(isReturn: false))
            #expect(loss(cause, watch.saw(look, now: 1, at: time)) != nil, "\(look)")
            #expect(watch.saw(look, now: 2, at: time.advanced(byMicroseconds: 5)) == .nothing && watch.loss?.since == time)
        }
        var watch = VolumeWatch(expected: marker, isMarked: true)
        _ = watch.saw(.bare, now: 0, at: time)
        // Another reason, the same loss.
        let later = watch.saw(.found(other), now: 1, at: time.advanced(byMicroseconds: 9))
        guard case .lostOtherwise(let loss) = later else {
            Issue.record("\(later)")
            return
        }
        #expect(loss.cause == .wrongVolume && loss.since == time)
    }

    @Test("It is back after it was seen for a while and written to; one with a loose plug has to wait longer each time")
    func returning() {
        var watch = VolumeWatch(expected: marker, isMarked: true)
        _ = watch.saw(.found(marker), now: 0, at: time)
        var now = seconds(3600)
        var waits: [Int64] = []
        for _ in 0..<9 {
            _ = watch.saw(.bare, now: now, at: time)
            let begun = now
            while watch.saw(.found(marker), now: now, at: time) != .probe { now += seconds(1) }
            waits.append((now - begun) / 1_000_000)
            #expect(watch.loss != nil && !watch.isAvailable)
            #expect(watch.wrote(now: now) == .available(isReturn: true) && watch.loss == nil)
            now += seconds(20)
        }
        #expect(waits == [4, 8, 16, 32, 64, 128, 256, 256, 256])
        now += seconds(3600)
        #expect(watch.saw(.found(marker), now: now, at: time) == .nothing)
        _ = watch.saw(.bare, now: now, at: time)
        _ = watch.saw(.found(marker), now: now, at: time)
        #expect(watch.saw(.found(marker), now: now + seconds(4), at: time) == .probe)
        // The write is refused: it is not back.
        guard case .lostOtherwise(let loss) = watch.refused("Read-only file system", now: now + seconds(5), at: time) else {
            Issue.record("no loss")
            return
        }
        #expect(loss.cause == .failing && watch.wrote(now: now + seconds(6)) == .nothing)
        // Gone while it was on trial.
        _ = watch.saw(.found(marker), now: now + seconds(7), at: time)
        _ = watch.saw(.bare, now: now + seconds(8), at: time)
        #expect(watch.saw(.found(marker), now: now + seconds(60), at: time) == .nothing)
    }

    @Test("The default folder is used again as soon as it is seen, however often it was gone")
    func lastResort() {
        let marker = VolumeMarker(instance: "a", volume: .standard)
        var watch = VolumeWatch(expected: marker, isMarked: true)
        #expect(watch.saw(.found(marker), now: 0, at: time) == .available(isReturn: false))
        for round in 1..<9 {
            let now = seconds(Double(round) * 10)
            #expect(loss(.unreachable, watch.saw(.failed("Input/output error"), now: now, at: time)) != nil && !watch.isAvailable)
            #expect(watch.saw(.found(marker), now: now + 1, at: time) == .available(isReturn: true) && watch.isAvailable && watch.loss == nil)
        }
        #expect(loss(.notMounted, watch.saw(.bare, now: seconds(100), at: time)) != nil)
    }

    @Test("A marker reads what it wrote, and nothing else")
    func markers() throws {
        #expect(VolumeMarker(text: marker.text) == marker)
        for text in [
            "", "x", "vibenvr-volume=1\ninstance=a\n", "vibenvr-volume=2\ninstance=a\nprofile=3\n", "vibenvr-volume=1\ninstance=\nprofile=3\n",
            "\u{0}",
        ] {
            #expect(VolumeMarker(text: text) == nil)
        }
        let rig = try Rig()
        let path = rig.folder.path
        #expect(VolumeMarker.look(in: path + "/nowhere") == .missing && VolumeMarker.look(in: path) == .bare)
        try marker.write(in: path)
        #expect(VolumeMarker.look(in: path) == .found(marker))
        try Data([0xFF, 0, 1]).write(to: rig.folder.appendingPathComponent(VolumeMarker.fileName))
        #expect(VolumeMarker.look(in: path) == .unreadable)
        // A link is not followed: it would be there whatever is mounted.
        try FileManager.default.removeItem(atPath: path + "/" + VolumeMarker.fileName)
        try FileManager.default.createSymbolicLink(atPath: path + "/" + VolumeMarker.fileName, withDestinationPath: "/etc/passwd")
        guard case .failed = VolumeMarker.look(in: path) else {
            Issue.record("a link was taken for a marker")
            return
        }
    }

    @Test("A folder that belongs to somebody is not given to another profile")
    func claims() throws {
        let rig = try Rig()
        let path = rig.folder.path
        let judge = StorageVolume(recordingRoot: rig.layout.root)
        let (own, other) = (VolumeID(rawValue: 3), VolumeID(rawValue: 4))
        #expect(try !judge.claim(path, instance: "a", own: nil, profiles: [own]))
        try marker.write(in: path)
        #expect(try judge.claim(path, instance: "a", own: own, profiles: [own]))
        #expect(throws: NVRError.self) { try judge.claim(path, instance: "a", own: other, profiles: [own, other]) }
        #expect(throws: NVRError.self) { try judge.claim(path, instance: "b", own: own, profiles: [own]) }
        #expect(VolumeMarker.look(in: path) == .found(marker))
        // Of a profile that is no more.
        #expect(try !judge.claim(path, instance: "a", own: nil, profiles: []))
        #expect(VolumeMarker.look(in: path) == .bare)
    }
}

@Suite("Footage on volumes")
struct VolumeTests {
    @Test("A path never leads out of its volume, and what is not there cannot be reached")
    func paths() throws {
        let rig = try Rig()
        let root = try rig.addVolume(1)
        let volumes = rig.layout.volumes
        let volume = VolumeID(rawValue: 1)
        #expect(try volumes.file(FootagePlace(volume, "2/a.mp4")) == root + "/2/a.mp4")
        #expect(try volumes.file(FootagePlace(.standard, "2/a.mp4")) == rig.layout.root + "/2/a.mp4")
        for path in ["", "/etc/passwd", "..", "../x", "2/../../x", "2//x", "./x", "2/.", "2/", "a\0b"] {
            for volume in [volume, .standard] {
                #expect(throws: NVRError.self, "\(path)") { try volumes.file(FootagePlace(volume, path)) }
                #expect(throws: NVRError.self, "\(path)") { try volumes.open(FootagePlace(volume, path)) }
            }
        }
        #expect(throws: NVRError.self) { try volumes.file(FootagePlace(VolumeID(rawValue: 9), "2/a.mp4")) }
        volumes.setLoss(volume, VolumeLoss(.notMounted, "gone", since: wallZero))
        #expect(throws: NVRError.self) { try volumes.file(FootagePlace(volume, "2/a.mp4")) }
        #expect(volumes.usable == [.standard] && !volumes.confirm(volume) && !volumes.isWritable(volume))
        volumes.setLoss(volume, nil, isSettling: true)
        #expect(volumes.isUsable(volume) && volumes.confirm(volume) && !volumes.isWritable(volume))
    }

    private func writer(_ rig: Rig, on volume: Int64, pattern: String = "%s-%f") -> SegmentWriter {
        SegmentWriter(
            configuration: .init(cameraID: ID(1), role: .main, fileName: pattern, listsSegments: true, volume: VolumeID(rawValue: volume)),
            disk: rig.disk, logger: rig.log.logger)
    }

    private func record(_ rig: Rig, _ stream: inout SyntheticStream, frames: Int, with writer: SegmentWriter) async {
        let recorder = rig.recorder(writer)
        recorder.begin(stream.description)
        for packet in stream.packets(frames) { recorder.receive(packet) }
        await recorder.finish()
    }

    @Test("Footage and snapshots go where they belong, play from there, and go from there")
    func routing() async throws {
        let rig = try Rig()
        try rig.addVolume(1)
        var stream = SyntheticStream()
        await record(rig, &stream, frames: 60, with: writer(rig, on: 1))
        let segments = try await rig.segments()
        #expect(segments.count == 1 && segments.allSatisfy { $0.volume == VolumeID(rawValue: 1) })
        #expect(rig.movies(on: 1) == segments.map(\.path) && rig.files().isEmpty)
        #expect(try await rig.playback().media(path: segments[0].path).length == segments[0].bytes)
        let place = try await rig.disk.store(snapshot: [1, 2], camera: ID(1), pattern: "snap", time: wallZero, volume: VolumeID(rawValue: 1))
        #expect(place.volume == VolumeID(rawValue: 1))
        // A path is given once, on whatever volume.
        let next = try await rig.disk.store(snapshot: [3], camera: ID(1), pattern: "snap", time: wallZero) { $0 == place.path }
        #expect(next.path != place.path && next.volume == .standard)
        #expect(try await rig.store.segments.volumeTotals().map(\.volume) == [VolumeID(rawValue: 1)])
        let removal = MediaRemoval(layout: rig.layout, store: rig.store, playback: rig.playback())
        _ = try await rig.store.segments.markGarbage(segments.map(\.id))
        #expect(try await removal.sweep() == segments[0].bytes && rig.movies(on: 1).isEmpty)
        #expect(try await rig.store.segments.volumeTotals().isEmpty)
    }

    @Test("While a volume is away the default folder takes its footage, and nothing is made, deleted or repaired in its place")
    func away() async throws {
        let rig = try Rig()
        try rig.addVolume(1)
        var stream = SyntheticStream()
        let writer = writer(rig, on: 1)
        await record(rig, &stream, frames: 60, with: writer)
        try rig.unmount(1)
        // Nobody has noticed yet: the look before a new file does.
        await record(rig, &stream, frames: 60, with: writer)
        let segments = try await rig.segments()
        #expect(segments.map(\.volume.rawValue) == [1, 0] && rig.movies(on: 0) == [segments[1].path])
        #expect(try FileManager.default.contentsOfDirectory(atPath: rig.folder.appendingPathComponent("volume-1").path).isEmpty)
        let check = IntegrityCheck(layout: rig.layout, store: rig.store)
        let report = try await check.run(repairs: true) { _ in }
        #expect(report.problems.isEmpty && report.segments == 1)
        let removal = MediaRemoval(layout: rig.layout, store: rig.store, playback: rig.playback())
        _ = try await rig.store.segments.markGarbage([segments[0].id])
        #expect(try await removal.sweep() == 0)
        #expect(try await rig.recover() == StartupRecovery.Report())
        #expect(try await rig.store.segments.garbage().map(\.id) == [segments[0].id] && rig.movies(on: 1, away: true) == [segments[0].path])
        await #expect(throws: NVRError.self) { try await rig.playback().media(path: segments[0].path) }
        try rig.mount(1)
        #expect(try await removal.sweep() == segments[0].bytes)
        #expect(try await rig.store.segments.garbage().isEmpty && rig.movies(on: 1).isEmpty)
        await record(rig, &stream, frames: 60, with: writer)
        #expect(try await rig.segments().map(\.volume.rawValue) == [0, 1])
    }

    @Test("A write that the volume refuses ends its segment, and what follows goes to the default folder")
    func refusal() async throws {
        let rig = try Rig()
        let root = try rig.addVolume(1)
        var stream = SyntheticStream()
        let writer = writer(rig, on: 1, pattern: "x/%s-%f")
        // A file where a folder is needed.
        try FileManager.default.createDirectory(atPath: root + "/1", withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: root + "/1/x"))
        await record(rig, &stream, frames: 60, with: writer)
        let segments = try await rig.segments()
        #expect(segments.map(\.volume) == [.standard])
        #expect(rig.layout.volumes.states.map(\.loss?.cause) == [.failing])
        #expect(rig.disk.failure == nil)
    }

    @Test("What a crash left on a volume that is away is finished when it is back, and only then")
    func recovery() async throws {
        let rig = try Rig()
        try rig.addVolume(1)
        var stream = SyntheticStream()
        let recorder = rig.recorder(writer(rig, on: 1))
        recorder.begin(stream.description)
        for packet in stream.packets(90) { recorder.receive(packet) }
        try await rig.disk.run(on: VolumeID(rawValue: 1)) {}
        let crashed = try rig.crashed()
        await recorder.finish()
        try crashed.addVolume(1)
        try crashed.unmount(1)
        #expect(try await crashed.recover().finished == 0)
        #expect(try await crashed.segments().map(\.state) == [.growing])
        try crashed.mount(1)
        let recovery = StartupRecovery(layout: crashed.layout, store: crashed.store, logger: crashed.log.logger)
        let growing = try await crashed.segments()[0].id
        #expect(try await recovery.run(on: VolumeID(rawValue: 1), writing: [growing]).finished == 0)
        #expect(try await recovery.run(on: VolumeID(rawValue: 1), writing: []).finished == 1)
        #expect(try await crashed.segments().map(\.state) == [.finished])
    }

    @Test("A sentry marks new profiles, tells of losses and puts a volume that is back in order")
    func sentry() async throws {
        let rig = try Rig()
        let path = rig.folder.appendingPathComponent("volume-1").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let profile = try await rig.store.storageProfiles.insert(
            StorageProfile(id: ID(0), name: "disk", path: path, createdAt: wallZero))
        let volumes = rig.layout.volumes
        let clock = SystemClock()
        let sentry = VolumeSentry(volumes: volumes, store: rig.store, clock: clock, logger: rig.log.logger)
        let back = AsyncStream.makeStream(of: VolumeID.self)
        sentry.onReturn { back.continuation.yield($0) }
        try await sentry.begin()
        let running = Task { await sentry.run() }
        defer { running.cancel() }
        func until(_ condition: () async throws -> Bool) async throws {
            let end = clock.monotonic() + 30_000_000
            while try await !condition(), clock.monotonic() < end { try await Task.sleep(for: .milliseconds(10)) }
            #expect(try await condition())
        }
        let volume = VolumeID(profile.id)
        try await until { volumes.isWritable(volume) }
        try await until { try await rig.store.storageProfiles.get(profile.id)?.markedAt != nil }
        try rig.unmount(1)
        #expect(!volumes.confirm(volume))
        try await until { volumes.states.last?.loss?.cause == .notMounted }
        #expect(VolumeMarker.look(in: path) == .bare)
        try rig.mount(1)
        for await returned in back.stream {
            #expect(returned == volume)
            break
        }
        try await until { volumes.isWritable(volume) }
        // A profile that is no more is forgotten, with what was to be deleted there.
        #expect(try await rig.store.storageProfiles.delete(profile.id))
        try await until { volumes.states.map(\.volume) == [.standard] }
    }

    @Test("The default folder is told from an empty one in its place by what the database knows of it")
    func defaultFolder() async throws {
        let rig = try Rig()
        let folder = DefaultFolder(root: rig.layout.root, store: rig.store)
        let foreign = VolumeMarker(instance: "another", volume: .standard)
        // Nothing is known yet: whatever is there may be used, but the folder of a profile.
        func claim(_ look: VolumeMarker.Look) async throws -> DefaultFolder.Claim {
            let known = try await folder.known()
            return folder.claim(look, known: { known })
        }
        #expect(try await claim(.missing) == .gone)
        #expect(try await claim(.bare) == .ours)
        #expect(try await claim(.found(foreign)) == .ours)
        #expect(try await claim(.found(VolumeMarker(instance: "another", volume: VolumeID(rawValue: 3)))) == .foreign)
        #expect(try await claim(.failed("Input/output error")) == .foreign)
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 60)
        #expect(try await claim(.bare) == .ours)
        #expect(try await claim(.unreadable) == .ours)
        let away = rig.layout.root + ".away"
        try FileManager.default.moveItem(atPath: rig.layout.root, toPath: away)
        #expect(try await claim(.missing) == .gone)
        try FileManager.default.createDirectory(atPath: rig.layout.root, withIntermediateDirectories: false)
        #expect(try await claim(.bare) == .foreign)
        #expect(try await claim(.found(foreign)) == .foreign)
        // A link that leads nowhere is the place of a disk that is not there.
        try FileManager.default.removeItem(atPath: rig.layout.root)
        try FileManager.default.createSymbolicLink(atPath: rig.layout.root, withDestinationPath: away + ".not")
        #expect(try await claim(.missing) == .foreign)
    }

    @Test("Footage waits while the default folder is not there, and nothing is made in its place")
    func defaultFolderIsLost() async throws {
        let rig = try Rig()
        let root = rig.layout.root
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let marker = VolumeMarker(instance: testInstance, volume: .standard)
        try marker.write(in: root)
        rig.layout.volumes.set(.standard, .folder(root, marker: marker), name: DefaultFolder.name, loss: nil)
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 60)
        let known = rig.files()
        try FileManager.default.moveItem(atPath: root, toPath: root + ".away")
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
        #expect(rig.layout.volumes.confirmed().isEmpty)
        let writer = rig.writer()
        let recorder = rig.recorder(writer)
        recorder.begin(stream.description)
        for packet in stream.packets(60) { recorder.receive(packet) }
        try await rig.disk.run {}
        #expect(rig.files().isEmpty && rig.disk.trouble(of: ID(1))?.reason == "the folder for recordings is not mounted")
        try FileManager.default.removeItem(atPath: root)
        try FileManager.default.moveItem(atPath: root + ".away", toPath: root)
        await recorder.finish()
        #expect(rig.files().count == known.count + 1 && rig.disk.trouble(of: ID(1)) == nil)
    }
}
