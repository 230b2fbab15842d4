import Foundation
import Logging
import NVRBase
import NVRModel
import NVRStore
import Testing

@Suite("A damaged or missing database", .serialized)
struct RescueTests {
    private static let now = WallTime(microseconds: 1_795_000_000_000_000)

    private final class Place {
        let folder: String
        let logger: Logger
        var path: String { folder + "/vibenvr.db" }
        var backups: DatabaseBackups { DatabaseBackups(folder: folder + "/backups/db") }

        init() throws {
            folder = FileManager.default.temporaryDirectory.appendingPathComponent("rescue-\(UUID().uuidString)").path
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            var quiet = Logger(label: "test")
            quiet.logLevel = .critical
            logger = quiet
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }  // A leftover in /tmp harms nobody.

        func open(hasFootage: Bool = true) async throws -> (store: Store, rescue: DatabaseRescue?) {
            try await Store.openRescuing(
                at: path, keys: SecretKeys(), backups: backups, hasFootage: hasFootage, now: RescueTests.now, logger: logger)
        }

        /// A database with some rows, closed; with a backup when asked for.
        func fill(backup: Bool, segments: Int = 400) async throws {
            let store = try Store.open(at: path)
            _ = try await store.cameras.insert(Camera(id: ID(0), createdAt: RescueTests.now, name: "Door", url: "rtsp://10.0.0.8/x"))
            for number in 0..<segments { try await RescueTests.add(store, number) }
            if backup { _ = try backups.make(of: store, now: RescueTests.now) }
            try store.close()
        }

        var bytes: [UInt8] {
            get throws { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }
        }

        func write(_ bytes: [UInt8]) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

        var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted() }
    }

    private static func add(_ store: Store, _ number: Int) async throws {
        let start = now.advanced(byMicroseconds: Int64(number) * 10_000_000)
        let end = start.advanced(byMicroseconds: 10_000_000)
        let segment = Segment(
            id: ID(0), cameraID: ID(1), role: .main, run: 1, path: "1/\(number).mp4", start: start, end: start, bytes: 0, state: .intended,
            width: 640, height: 360, codecs: "avc1", initLength: 5, timescale: 90_000, index: [])
        _ = try await store.segments.adopt([(segment, SegmentClosing(end: end, bytes: 1000, index: [UInt8](repeating: 7, count: 200)))])
    }

    @Test("a sound database is opened as it is, and a fresh one is no rescue")
    func sound() async throws {
        let place = try Place()
        let (fresh, none) = try await place.open(hasFootage: false)
        #expect(none == nil)
        try fresh.close()
        try FileManager.default.removeItem(atPath: place.path)
        try await place.fill(backup: true)
        let (store, rescue) = try await place.open()
        #expect(rescue == nil)
        #expect(try await store.segments.pageToCheck(after: nil).count == 400)
        #expect(try await !store.segments.isUntouched())
        try store.close()
    }

    @Test("backups are whole, private, single files, and old ones go in their order")
    func backups() async throws {
        let place = try Place()
        try await place.fill(backup: false, segments: 3)
        let store = try Store.open(at: place.path)
        for hour in 0..<12 { _ = try place.backups.make(of: store, now: Self.now.advanced(byMicroseconds: Int64(hour) * 3_600_000_000)) }
        let copies = place.backups.list()
        #expect(copies.count <= BackupRotation.recent + BackupRotation.days && copies.count >= BackupRotation.recent)
        #expect(copies.first?.time == Self.now.advanced(byMicroseconds: 11 * 3_600_000_000))
        let names = try FileManager.default.contentsOfDirectory(atPath: place.backups.folder)
        #expect(names.count == copies.count)
        let mode = try FileManager.default.attributesOfItem(atPath: copies[0].path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        try store.close()
    }

    @Test("a backup is of one moment, and gets done, although others write all the time")
    func writtenMeanwhile() async throws {
        let place = try Place()
        let store = try Store.open(at: place.path)
        func event(_ number: Int) -> Event {
            Event(
                id: ID(0), cameraID: ID(1), medium: .video, kind: .manual, start: Self.now.advanced(byMicroseconds: Int64(number) * 1_000_000),
                metadata: String(repeating: "x", count: 500))
        }
        // Several steps of the copy.
        for part in 0..<10 { try await store.events.insertMany((0..<2000).map { event(part * 2000 + $0) }) }
        #expect(try await store.bytes() > 12 << 20)
        let writing = Task {
            var count = 0
            while !Task.isCancelled {
                _ = try await store.events.insert(event(100_000 + count))
                count += 1
            }
            return count
        }
        let latest = ContinuousClock.now + .seconds(120)
        while try await store.events.count(EventFilter()) == 20_000 {
            try #require(ContinuousClock.now < latest)
            try await Task.sleep(for: .milliseconds(1))
        }
        let copy = try place.backups.make(of: store, now: Self.now)
        writing.cancel()
        let written = try await writing.value
        // Beside the key.
        let beside = place.folder + "/copy.db"
        try FileManager.default.moveItem(atPath: copy.path, toPath: beside)
        let restored = try Store.open(at: beside)
        let count = try await restored.events.count(EventFilter())
        #expect(count > 20_000 && count <= 20_000 + written)
        #expect(try await restored.problems().isEmpty)
        try restored.close()
        try store.close()
    }

    @Test("a backup that is stopped at any moment leaves nothing, or was whole before", arguments: [nil, 0, 1, 2, 4, 8, 16, 32])
    func stopped(milliseconds: Int?) async throws {
        let place = try Place()
        let store = try Store.open(at: place.path)
        let events = (0..<8000).map { number in
            Event(
                id: ID(0), cameraID: ID(1), medium: .video, kind: .manual, start: Self.now.advanced(byMicroseconds: Int64(number) * 1_000_000),
                metadata: String(repeating: "x", count: 500))
        }
        try await store.events.insertMany(events)
        let early = BackupStop()
        early.stop()
        #expect(throws: CancellationError.self) { try place.backups.begin(of: store, now: Self.now, until: early) }
        let stop = BackupStop()
        let draft = try place.backups.begin(of: store, now: Self.now, until: stop)
        if let milliseconds {
            async let stopping: Void = {
                try await Task.sleep(for: .milliseconds(milliseconds))
                stop.stop()
            }()
            do { _ = try place.backups.finish(draft, until: stop) } catch { #expect(error is CancellationError) }
            try await stopping
        } else {
            stop.stop()
            #expect(throws: CancellationError.self) { try place.backups.finish(draft, until: stop) }
            #expect(place.backups.list().isEmpty)
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: place.backups.folder)
        #expect(names.count == place.backups.list().count)
        // The next one is made as ever.
        let copy = try place.backups.make(of: store, now: Self.now.advanced(byMicroseconds: 60_000_000))
        #expect(place.backups.list().first == copy)
        try store.close()
    }

    @Test("rotation keeps the newest, one a day before, and what fits")
    func rotation() {
        func copy(_ hour: Int, _ bytes: Int64 = 1) -> DatabaseBackups.Copy {
            DatabaseBackups.Copy(path: "\(hour)", time: WallTime(microseconds: Int64(1000 - hour) * 3_600_000_000), bytes: bytes)
        }
        let surplus = BackupRotation.surplus((1..<200).map { copy($0) }, newest: copy(0)).map(\.path)
        #expect(surplus.count == 199 - 3 - BackupRotation.days && !surplus.contains("1") && !surplus.contains("3"))
        let large = BackupRotation.surplus((1..<10).map { copy($0, 3 << 30) }, newest: copy(0, 3 << 30))
        #expect(large.count == 8 && !large.contains(copy(1, 3 << 30)))
    }

    @Test("a missing database is replaced by its backup; without one, and with footage, it is told")
    func missing() async throws {
        let place = try Place()
        try await place.fill(backup: true)
        for name in place.names where name.hasPrefix("vibenvr.db") { try FileManager.default.removeItem(atPath: place.folder + "/" + name) }
        let (store, rescue) = try await place.open()
        #expect(rescue?.backup == Self.now && rescue?.keptAside == nil)
        #expect(try await store.segments.pageToCheck(after: nil).count == 400)
        try store.close()
        try FileManager.default.removeItem(atPath: place.backups.folder)
        try place.write([])
        for name in place.names where name.hasSuffix("-wal") { try FileManager.default.removeItem(atPath: place.folder + "/" + name) }
        let (empty, told) = try await place.open()
        #expect(told != nil && told?.backup == nil)
        #expect(try await empty.segments.isUntouched())
        try empty.close()
    }

    @Test("bits that flip anywhere, and a file cut anywhere, still give a database that works; the damaged file is kept")
    func flips() async throws {
        let place = try Place()
        try await place.fill(backup: true)
        let original = try place.bytes
        var random = SystemRandomNumberGenerator()
        var rescued = 0
        for round in 0..<40 {
            for name in place.names where name.hasPrefix("vibenvr.db") { try FileManager.default.removeItem(atPath: place.folder + "/" + name) }
            var bytes = original
            if round % 8 == 7 {
                bytes.removeSubrange(Int.random(in: 1..<bytes.count, using: &random)...)
            } else {
                // One bit in the schema and the small tables, many bits anywhere.
                let reach = round % 2 == 0 ? min(bytes.count, 120_000) : bytes.count
                for _ in 0..<(round % 2 == 0 ? 1 : 64) {
                    let place = Int.random(in: 0..<reach, using: &random)
                    bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                }
            }
            try place.write(bytes)
            let (store, rescue) = try await place.open()
            #expect(try await store.cameras.all().count == 1)
            try await Self.add(store, 1000)
            if let rescue {
                rescued += 1
                #expect(rescue.backup != nil && rescue.keptAside != nil)
                let kept = try #require(rescue.keptAside)
                #expect(FileManager.default.fileExists(atPath: kept))
            }
            try store.close()
        }
        #expect(rescued > 0)
    }

    @Test("a damaged backup is passed over, and without any good one what can be read is saved")
    func salvage() async throws {
        let place = try Place()
        // So much footage that what its owner set up, and the schema, lie before the last third.
        try await place.fill(backup: true, segments: 3000)
        let copy = try #require(place.backups.list().first)
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: copy.path)))
        for index in stride(from: 4096 * 3, to: bytes.count, by: 97) { bytes[index] ^= 0x55 }
        try Data(bytes).write(to: URL(fileURLWithPath: copy.path))
        // The last pages: rows and indexes of footage.
        var live = try place.bytes
        for index in stride(from: live.count * 2 / 3, to: live.count, by: 31) { live[index] ^= 0xAA }
        try place.write(live)
        let (store, rescue) = try await Store.openRescuing(
            at: place.path, keys: SecretKeys(), backups: place.backups, hasFootage: true, suspicion: "the test", now: Self.now, logger: place.logger)
        #expect(rescue != nil && rescue?.backup == nil)
        #expect(rescue?.salvaged["cameras"] == 1)
        #expect(try await store.cameras.all().map(\.general.name) == ["Door"])
        #expect(FileManager.default.fileExists(atPath: copy.path))
        try store.close()
    }

    @Test("every table is taken over from a damaged database, or left out for a reason")
    func salvagedTables() async throws {
        let store = try Store.inMemory()
        #expect(Set(DatabaseSalvage.tables).isDisjoint(with: DatabaseSalvage.leftOut.keys))
        #expect(try await store.tableNames() == (DatabaseSalvage.tables + DatabaseSalvage.leftOut.keys).sorted())
    }

    @Test("a wrong key is no damage")
    func wrongKey() async throws {
        let place = try Place()
        try await place.fill(backup: true, segments: 1)
        let key = place.folder + "/secret-box.key"
        try Data((0..<32).map { UInt8($0) }).write(to: URL(fileURLWithPath: key))
        await #expect(throws: NVRError.self) { _ = try await place.open() }
        #expect(!place.names.contains { $0.contains("damaged") })
    }

    @Test("cameras that only footage tells of keep their ids, and no other camera gets one of them")
    func found() async throws {
        let store = try Store.inMemory()
        #expect(try await store.cameras.highestID() == ID(0))
        #expect(try await store.cameras.insertFound([ID(7), ID(3)], at: Self.now) == [ID(3), ID(7)])
        let next = try await store.cameras.insert(Camera(id: ID(0), createdAt: Self.now, name: "New", url: "rtsp://10.0.0.8/x"))
        #expect(next.id == ID(8))
        #expect(try await store.cameras.get(ID(3))?.general.isActive == false)
        try await store.upkeep.set(.reindexing, "why")
        #expect(try await store.upkeep.get(.reindexing) == "why")
        try await store.upkeep.set(.reindexing, nil)
        #expect(try await store.upkeep.get(.reindexing) == nil)
    }
}
