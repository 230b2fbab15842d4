import Foundation
import ISOBMFF
import NVRBase
import NVRMedia
import NVRModel
import NVRRecording
import NVRStore
import Synchronization
import Testing

@Suite("Encrypted footage", .serialized)
struct EncryptedFootageTests {
    private static func keys() throws -> FootageKeys { try FootageKeys([SealedFileTests.key]) }

    private static func all(_ media: StoredMedia) throws -> [UInt8] { try media.read(offset: 0, count: Int(media.length)) }

    private static func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

    private static func change(_ path: String, _ body: (inout [UInt8]) -> Void) throws {
        var bytes = try bytes(path)
        body(&bytes)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: Data(bytes))
        try handle.close()
    }

    /// The same recording in two rigs, with and without a key.
    private static func pair(frames: Int = 400) async throws -> (encrypted: Rig, clear: Rig) {
        let (encrypted, clear) = (try Rig(keys: try keys()), try Rig())
        for rig in [encrypted, clear] {
            var stream = SyntheticStream(audio: pcmu)
            stream.frameBytes = 900
            try await rig.record(&stream, frames: frames)
        }
        return (encrypted, clear)
    }

    /// Every row has its file, and every file opens, is whole and has its end.
    private static func checkWhole(_ rig: Rig) async throws {
        let segments = try await rig.segments()
        #expect(segments.allSatisfy { $0.state == .finished })
        #expect(segments.map(\.path).sorted() == rig.files())
        for segment in segments {
            let file = try #require(try rig.layout.volumes.open(segment.place) as? SealedFile)
            #expect(try file.isEnded())
            #expect(try file.stored.length() == segment.bytes)
            let scanned = try FragmentedFile(length: try file.length()) { try file.read(at: $0, count: $1) }
            #expect(scanned.ending == .whole && scanned.index.packed() == segment.index && !scanned.index.entries.isEmpty)
            #expect(scanned.initRange.upperBound == segment.initLength)
            try file.verify()
        }
        #expect(try await rig.store.segments.unfinished().isEmpty)
    }

    @Test("what is played is byte for byte what would lie there in the clear")
    func sameFootage() async throws {
        let (encrypted, clear) = try await Self.pair()
        let (found, expected) = (try await encrypted.segments(), try await clear.segments())
        #expect(found.map(\.path) == expected.map(\.path) && found.count > 1)
        #expect(found.map(\.index) == expected.map(\.index) && found.map(\.initLength) == expected.map(\.initLength))
        var random = SeededGenerator(state: 4)
        for segment in found {
            let stored = try Self.bytes(encrypted.absolute(segment.path))
            #expect(Int64(stored.count) == segment.bytes)
            for word in ["ftyp", "moov", "mdat", "moof", "camera=1"] { #expect(Data(stored).range(of: Data(word.utf8)) == nil) }
            let plain = try Self.bytes(clear.absolute(segment.path))
            let media = try await encrypted.playback().media(path: segment.path)
            #expect(media.length == Int64(plain.count))
            #expect(try Self.all(media) == plain)
            for _ in 0..<30 {
                let from = Int.random(in: 0..<plain.count, using: &random)
                let count = Int.random(in: 1...5000, using: &random)
                #expect(try media.read(offset: Int64(from), count: count) == Array(plain[from..<min(plain.count, from + count)]))
            }
        }
        let range = TimeRange(start: wallZero.advanced(byMicroseconds: 3_000_000), end: wallZero.advanced(byMicroseconds: 21_000_000))
        for isExact in [false, true] {
            let one = try await encrypted.playback().export(ID(1), range, isExact: isExact, fileName: "a.mp4")
            let other = try await clear.playback().export(ID(1), range, isExact: isExact, fileName: "a.mp4")
            #expect(try Self.all(one) == Self.all(other))
        }
        try await Self.checkWhole(encrypted)
    }

    @Test("what grows is played from the disk, and no nonce is used twice")
    func growing() async throws {
        let rig = try Rig(keys: try Self.keys())
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 60)
        recorder.begin(stream.description)
        let playback = rig.playback()
        var before: [UInt8] = []
        for _ in 0..<6 {
            for packet in stream.packets(45) { recorder.receive(packet) }
            try await rig.disk.run {}
            let path = try #require(rig.files().first)
            let media = try await playback.media(path: path)
            let bytes = try Self.all(media)
            #expect(bytes.count > before.count && bytes.starts(with: before))
            before = bytes
            let file = try FragmentedFile(length: Int64(bytes.count)) { offset, count in
                Array(bytes[Int(offset)..<min(bytes.count, Int(offset) + count)])
            }
            #expect(file.ending == .whole)
            let segment = try #require(try await rig.segments().first)
            #expect(segment.state == .growing && segment.bytes <= (POSIXFile.length(at: rig.absolute(path)) ?? 0))
        }
        await recorder.finish()
        let stored = try Self.bytes(rig.absolute(try #require(rig.files().first)))
        let nonces = Sealed.records(stored).map { Sealed.nonce($0, stored) }
        #expect(nonces.count > 20 && Set(nonces).count == nonces.count)
        try await Self.checkWhole(rig)
    }

    /// Refuses the first listing of a segment, and keeps what the file held then.
    private final class Stumbling: SegmentLedger {
        let store: SegmentStore
        let folder: String
        let seen = Mutex<[[UInt8]]>([])

        init(_ store: SegmentStore, _ folder: String) { (self.store, self.folder) = (store, folder) }

        func intend(_ segment: Segment, isContinuous: Bool) async throws -> ID<Segment> {
            try await store.intend(segment, isContinuous: isContinuous)
        }

        func commit(_ changes: [SegmentChange]) async throws -> [SegmentOutcome] {
            let path = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String }.first { $0.hasSuffix(".mp4") }
            if let path, seen.withLock({ $0.count }) < 2 {
                let bytes = try EncryptedFootageTests.bytes("\(folder)/\(path)")
                seen.withLock { $0.append(bytes) }
                throw NVRError(.exhausted, "the disk is full")
            }
            return try await store.commit(changes)
        }
    }

    @Test("a fragment that is written again is encrypted with other nonces")
    func writtenAgain() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("nvrrecording-\(UUID().uuidString)")
        let box = Mutex<Stumbling?>(nil)
        let rig = try Rig(folder: folder, keys: try Self.keys()) { store in
            let ledger = Stumbling(store, folder.appendingPathComponent("footage").path)
            box.withLock { $0 = ledger }
            return ledger
        }
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 60)
        recorder.begin(stream.description)
        for packet in stream.packets(60) { recorder.receive(packet) }
        try await rig.disk.run {}
        let deadline = ContinuousClock.now.advanced(by: .seconds(60))
        while try await rig.segments().isEmpty, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(50)) }
        await recorder.finish()
        try await Self.checkWhole(rig)
        let ledger = try #require(box.withLock { $0 })
        var used: [[UInt8]: [UInt8]] = [:]
        let path = try #require(rig.files().first)
        for bytes in ledger.seen.withLock({ $0 }) + [try Self.bytes(rig.absolute(path))] {
            for record in Sealed.records(bytes) {
                // A file of another salt has other keys.
                let nonce = Array(bytes[32..<64]) + Sealed.nonce(record, bytes)
                let content = Array(bytes[record])
                if let known = used[nonce] { #expect(known == content) }
                used[nonce] = content
            }
        }
        #expect(ledger.seen.withLock { $0.count } == 2)
    }

    @Test("what was on disk at a crash is listed and plays, at any moment of a recording")
    func crashes() async throws {
        let rig = try Rig(keys: try Self.keys())
        var stream = SyntheticStream(audio: aac)
        let recorder = rig.recorder(rig.writer(), seconds: 4)
        recorder.begin(stream.description)
        var random = SeededGenerator(state: 8)
        for _ in 0..<8 {
            for packet in stream.packets(Int.random(in: 3...40, using: &random)) { recorder.receive(packet) }
            try await rig.disk.run {}
            let after = try rig.crashed(keys: try Self.keys())
            let report = try await after.recover()
            #expect(report.notes.isEmpty && report.truncatedBytes == 0)
            try await Self.checkWhole(after)
            #expect(try await after.recover() == StartupRecovery.Report())
        }
        await recorder.finish()
        try await Self.checkWhole(rig)
    }

    @Test("a file cut off anywhere, or with rubbish or nothing where its end should be, keeps every whole fragment")
    func tornTails() async throws {
        let rig = try Rig(keys: try Self.keys())
        var stream = SyntheticStream(audio: aac)
        let recorder = rig.recorder(rig.writer(), seconds: 60)
        recorder.begin(stream.description)
        for packet in stream.packets(120) { recorder.receive(packet) }
        try await rig.disk.run {}
        let path = try #require(rig.files().first)
        let whole = try Self.bytes(rig.absolute(path))
        // The first record is the init segment; two make a fragment.
        let records = Sealed.records(whole)
        #expect(records.count >= 11 && records.count % 2 == 1)
        var random = SeededGenerator(state: 21)
        var cuts = records.flatMap { [$0.lowerBound, $0.lowerBound + 40, $0.upperBound - 1] } + [0, 1, 63, 64, 100, whole.count]
        cuts = cuts.shuffled(using: &random)
        for (number, cut) in cuts.prefix(30).enumerated() {
            let after = try rig.crashed(keys: try Self.keys())
            let tail: [UInt8] =
                switch number % 3 {
                case 0: []
                // What was not synced may be there by its length alone.
                case 1: [UInt8](repeating: 0, count: whole.count - cut)
                default: SealedFileTests.noise(whole.count - cut, seed: UInt64(cut))
                }
            try Self.change(after.absolute(path)) { $0 = Array(whole.prefix(cut)) + tail }
            let report = try await after.recover()
            let fragments = max(0, (records.count { $0.upperBound <= cut } - 1) / 2)
            // A head that is gone is that of a file that cannot be told from others; it stays.
            if cut < 64, !tail.isEmpty {
                #expect(report.finished == 0)
                continue
            }
            if fragments == 0, !tail.isEmpty { continue }
            #expect(report.notes.isEmpty, "cut at \(cut): \(report.notes)")
            #expect(report.finished == (fragments > 0 ? 1 : 0) && report.discarded == (fragments > 0 ? 0 : 1), "cut at \(cut), \(tail.count)")
            if let segment = try await after.segments().first {
                #expect(try FragmentIndex(packed: segment.index).entries.count == fragments, "cut at \(cut)")
            }
            try await Self.checkWhole(after)
        }
        await recorder.finish()
    }

    @Test("without the key nothing is finished, cut or removed; with it everything goes on")
    func recoveryWithoutKey() async throws {
        let rig = try Rig(keys: try Self.keys())
        var stream = SyntheticStream()
        let recorder = rig.recorder(rig.writer(), seconds: 60)
        recorder.begin(stream.description)
        for packet in stream.packets(60) { recorder.receive(packet) }
        try await rig.disk.run {}
        for keys in [FootageKeys.none, try FootageKeys([SealedFileTests.otherKey])] {
            let after = try rig.crashed(keys: keys)
            let path = try #require(after.files().first)
            let before = try Self.bytes(after.absolute(path))
            let report = try await after.recover()
            #expect(report.finished == 0 && report.discarded == 0 && report.notes.count == 1)
            #expect(try Self.bytes(after.absolute(path)) == before)
            #expect(try await after.segments().map(\.state) == [.growing])
            await #expect { try await after.playback().media(path: path) } throws: { ($0 as? NVRError)?.kind == .unavailable }
            let mended = try await IntegrityCheck(layout: after.layout, store: after.store).run(repairs: true) { _ in }
            #expect(mended.repaired == 0 && mended.problems == [.locked(path: path)])
            #expect(try Self.bytes(after.absolute(path)) == before)
            let again = try after.crashed(keys: try Self.keys())
            #expect(try await again.recover().finished == 1)
            try await Self.checkWhole(again)
        }
        await recorder.finish()
    }

    @Test("checksums are those of the files as they lie, and hold without the key; a flipped bit is found with and without it")
    func integrity() async throws {
        let (rig, _) = try await Self.pair()
        var options = IntegrityCheck.Options()
        options.readsAll = true
        let clean = try await IntegrityCheck(layout: rig.layout, store: rig.store).run(options) { _, _ in }
        #expect(clean.problems.isEmpty && clean.segments > 1 && clean.locked == 0)
        let without = try rig.crashed()
        let locked = try await IntegrityCheck(layout: without.layout, store: without.store).run(options) { _, _ in }
        #expect(locked.problems.isEmpty && locked.locked == clean.segments)
        let path = rig.files()[1]
        for keys in [try Self.keys(), .none] {
            let damaged = try rig.crashed(keys: keys)
            try Self.change(damaged.absolute(path)) { $0[$0.count / 2] ^= 4 }
            options.repairs = true
            let report = try await IntegrityCheck(layout: damaged.layout, store: damaged.store).run(options) { _, _ in }
            #expect(report.problems == [.alteredFile(path: path)] && report.repaired == 0)
            #expect(damaged.files() == rig.files())
            // Cut off: with the key the row is made to say what is left; without it nothing is touched.
            let cut = try rig.crashed(keys: keys)
            try Self.change(cut.absolute(path)) { $0.removeLast($0.count / 2) }
            let mended = try await IntegrityCheck(layout: cut.layout, store: cut.store).run(options) { _, _ in }
            if keys.isEmpty {
                #expect(mended.problems == [.locked(path: path)] && mended.repaired == 0)
            } else {
                #expect(mended.problems.count == 1 && mended.repaired == 1)
                try await Self.checkWhole(cut)
            }
        }
    }

    @Test("an empty database lists encrypted footage by what is in it, and leaves what it has no key for")
    func listedAgain() async throws {
        let (rig, _) = try await Self.pair()
        let before = try await rig.segments()
        for keys in [try FootageKeys([SealedFileTests.otherKey, SealedFileTests.key]), .none] {
            let fresh = try rig.crashed(keys: keys)
            for segment in before { _ = try await fresh.store.segments.commit([.discard(segment.id)]) }
            let report = try await IntegrityCheck(layout: fresh.layout, store: fresh.store).run(repairs: true) { _ in }
            #expect(fresh.files() == rig.files())
            if keys.isEmpty {
                #expect(report.adopted == 0 && report.locked == before.count && report.problems == before.map { .locked(path: $0.path) })
                continue
            }
            #expect(report.adopted == before.count && report.locked == 0)
            let after = try await fresh.segments()
            #expect(after.map(\.path) == before.map(\.path) && after.map(\.bytes) == before.map(\.bytes) && after.map(\.index) == before.map(\.index))
            #expect(
                after.map(\.cameraID) == before.map(\.cameraID) && after.map(\.start) == before.map(\.start)
                    && after.map(\.codecs) == before.map(\.codecs))
            // A start without the key notices, although this database never recorded with it.
            let key = try Self.keys().writing?.description
            #expect(before.allSatisfy { $0.key == key } && after.allSatisfy { $0.key == key } && key != nil)
            #expect(try await fresh.store.footageKeys.inUse() == [key])
        }
    }

    @Test("clear footage and footage of several keys play side by side and in one movie")
    func mixed() async throws {
        let clear = try Rig()
        var stream = SyntheticStream()
        try await clear.record(&stream, frames: 150)
        stream.newRun()
        let first = try clear.crashed(keys: try FootageKeys([SealedFileTests.otherKey]))
        try await first.record(&stream, frames: 150)
        stream.newRun()
        let second = try first.crashed(keys: try FootageKeys([SealedFileTests.key, SealedFileTests.otherKey]))
        try await second.record(&stream, frames: 150)
        let amounts = try await second.store.footageKeys.amounts()
        let names = try [SealedFileTests.otherKey, SealedFileTests.key].map { try FootageKeys([$0]).writing?.description }
        #expect(amounts.map(\.key) == names + [nil] && amounts.allSatisfy { $0.count > 0 && $0.bytes > 0 }, "\(amounts)")
        #expect(amounts.reduce(0) { $0 + $1.count } == (try await second.segments().count))
        let range = TimeRange(start: wallZero, end: wallZero.advanced(byMicroseconds: 60_000_000))
        let movie = second.folder.appendingPathComponent("all.mp4")
        try Data(try Self.all(try await second.playback().export(ID(1), range, isExact: false, fileName: "a.mp4"))).write(to: movie)
        #expect(try probedPackets(movie.path) == 450)
        // Without the older key: what can be shown is shown.
        let third = try second.crashed(keys: try Self.keys())
        try Data(try Self.all(try await third.playback().export(ID(1), range, isExact: false, fileName: "a.mp4"))).write(to: movie)
        #expect(try probedPackets(movie.path) == 300)
        let none = TimeRange(start: wallZero.advanced(byMicroseconds: 11_500_000), end: wallZero.advanced(byMicroseconds: 20_000_000))
        await #expect { try await third.playback().export(ID(1), none, isExact: false, fileName: "a.mp4") } throws: {
            ($0 as? NVRError)?.kind == .unavailable
        }
    }

    @Test("files and pieces of them become plain ones with the key alone")
    func decryption() async throws {
        let (rig, clear) = try await Self.pair()
        let segment = try #require(try await rig.segments().first)
        let cipher = rig.layout.cipher
        let plain = try Self.bytes(clear.absolute(segment.path))
        let target = rig.folder.appendingPathComponent("out/made.mp4").path
        let report = try FootageDecryption.write(rig.absolute(segment.path), to: target, cipher, replacing: false)
        #expect(try Self.bytes(target) == plain)
        #expect(report.bytes == Int64(plain.count) && !report.isDamaged && report.note == nil)
        #expect(throws: FileError.self) { try FootageDecryption.write(rig.absolute(segment.path), to: target, cipher, replacing: false) }
        #expect { try FootageDecryption.write(clear.absolute(segment.path), to: target, cipher, replacing: true) } throws: {
            ($0 as? NVRError)?.kind == .conflict
        }
        #expect { try FootageDecryption.write(rig.absolute(segment.path), to: target, FootageCipher(), replacing: true) } throws: {
            ($0 as? NVRError)?.kind == .unavailable
        }
        // A piece as it goes to a bucket: the head and some fragments from the middle.
        let entries = try FragmentIndex(packed: segment.index).entries
        let file = try rig.layout.volumes.open(segment.place)
        let wanted = entries[3].offset..<entries[5].end
        let head = try file.storedRange(ofFragments: 0..<segment.initLength)
        let stretch = try file.storedRange(ofFragments: wanted)
        #expect(head.lowerBound == 0)
        let piece = try file.asStored.read(at: 0, count: head.count) + file.asStored.read(at: stretch.lowerBound, count: stretch.count)
        let piecePath = rig.folder.appendingPathComponent("piece.mp4").path
        try Data(piece).write(to: URL(fileURLWithPath: piecePath))
        let made = try FootageDecryption.write(piecePath, to: target, cipher, replacing: true)
        #expect(made.note == "a piece of a file" && !made.isDamaged)
        #expect(try Self.bytes(target) == Array(plain[..<Int(segment.initLength)]) + Array(plain[Int(wanted.lowerBound)..<Int(wanted.upperBound)]))
        #expect(throws: NVRError.self) { try file.storedRange(ofFragments: wanted.lowerBound + 1..<wanted.upperBound) }
        // What was altered is not written, what lies before it is.
        try Self.change(rig.absolute(segment.path)) { $0[$0.count / 2] ^= 1 }
        let damaged = try FootageDecryption.write(rig.absolute(segment.path), to: target, cipher, replacing: true)
        let left = try Self.bytes(target)
        #expect(damaged.isDamaged && damaged.bytes > 0 && plain.starts(with: left))
        #expect(!POSIXFile.exists(target + ".part"))
    }

    @Test("encrypted segments move to another volume as they lie, and play there")
    func moves() async throws {
        let rig = try Rig(keys: try Self.keys())
        try rig.addVolume(1)
        _ = try await rig.store.storageProfiles.insert(
            StorageProfile(id: ID(0), name: "archive", path: rig.folder.appendingPathComponent("volume-1").path, createdAt: wallZero))
        var camera = Camera(id: ID(0), createdAt: wallZero, name: "cam", url: "rtsp://10.0.0.1/a")
        camera.storage.archiveProfileID = 1
        camera.storage.archiveAfterHours = 1
        let id = try await rig.store.cameras.insert(camera).id
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 90, camera: id.rawValue)
        let before = try #require(try await rig.segments().first)
        let stored = try Self.bytes(rig.absolute(before.path))
        let plain = try Self.all(try await rig.playback().media(path: before.path))
        let mover = FootageMover(
            volumes: rig.layout.volumes, store: rig.store,
            removal: MediaRemoval(layout: rig.layout, store: rig.store, playback: rig.playback()), clock: rig.clock, logger: rig.log.logger)
        let report = try await mover.moveDue(at: before.end.advanced(byMicroseconds: 3_600_000_001))
        #expect(report.moved == 1 && report.bytes == before.bytes)
        let after = try #require(try await rig.segments().first)
        #expect(after.volume == VolumeID(rawValue: 1) && rig.files().isEmpty)
        #expect(try Self.bytes(rig.layout.absolute(after.place)) == stored)
        #expect(try Self.all(try await rig.playback().media(path: after.path)) == plain)
        var options = IntegrityCheck.Options()
        options.readsAll = true
        #expect(try await IntegrityCheck(layout: rig.layout, store: rig.store).run(options) { _, _ in }.problems.isEmpty)
    }

    @Test("snapshots and thumbnails are encrypted as well")
    func pictures() async throws {
        let rig = try Rig(keys: try Self.keys())
        let jpeg: [UInt8] = [0xFF, 0xD8, 0xFF, 0xE0] + Array("JFIF and what a camera saw".utf8)
        let place = try await rig.disk.store(snapshot: jpeg, camera: ID(1), pattern: "%S", time: wallZero)
        try await rig.disk.store(picture: jpeg, path: "1/thumb.jpg")
        for path in [place.path, "1/thumb.jpg"] {
            #expect(Data(try Self.bytes(rig.absolute(path))).range(of: Data("JFIF".utf8)) == nil)
            let file = try rig.layout.volumes.open(FootagePlace(.standard, path))
            #expect(try file.read(at: 0, count: 1000) == jpeg)
            #expect(try file.length() == Int64(jpeg.count))
        }
    }

    @Test("what an installation needs is found in the database, and told while a key is missing")
    func missingKeys() async throws {
        let rig = try Rig(keys: try Self.keys())
        let health = HealthLog(store: rig.store, clock: rig.clock, logger: rig.log.logger)
        let watch = FootageKeyWatch(store: rig.store, health: health, logger: rig.log.logger)
        func begin(_ keys: [[UInt8]], _ seconds: Double) async throws -> String? {
            try await watch.begin(try FootageKeys(keys), at: wallZero.advanced(byMicroseconds: Int64(seconds * 1e6)))
            return health.open.first { $0.kind == .footageKeyMissing }?.detail
        }
        #expect(try await begin([], -100) == nil)
        #expect(try await begin([SealedFileTests.otherKey], -50) == nil)
        #expect(try await begin([SealedFileTests.key], -10) == nil)
        var stream = SyntheticStream()
        try await rig.record(&stream, frames: 60)
        // Nothing was recorded with the first key.
        #expect(try await begin([SealedFileTests.key], 100) == nil)
        let detail = try #require(try await begin([SealedFileTests.otherKey], 200))
        #expect(detail.contains(try Self.keys().writing?.description ?? "-"))
        #expect(try await begin([], 250) != nil)
        #expect(try await begin([SealedFileTests.otherKey, SealedFileTests.key], 300) == nil)
        #expect(try await begin([], 350) != nil)
        // Its footage is gone.
        for segment in try await rig.segments() { _ = try await rig.store.segments.commit([.discard(segment.id)]) }
        #expect(try await begin([], 400) == nil)
    }
}
