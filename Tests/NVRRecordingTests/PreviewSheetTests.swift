import Foundation
import NVRBase
import NVRModel
import NVRRecording
import NVRStore
import Synchronization
import Testing

@Suite("Sheets of previews")
struct PreviewSheetTests {
    /// A full hour UTC, half an hour after the recording began.
    private static let hour = WallTime(microseconds: 1_700_002_800_000_000)

    private static func sheets(_ rig: Rig, budget: Int64 = 1 << 20) -> (PreviewSheets, PictureCache, Playback) {
        let playback = rig.playback()
        let cache = PictureCache(folder: rig.folder.appendingPathComponent("cache").path, budget: budget)
        return (PreviewSheets(playback: playback, cache: cache, logger: rig.log.logger), cache, playback)
    }

    private static func files(_ rig: Rig) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: rig.folder.appendingPathComponent("cache").path)) ?? []).sorted()
    }

    /// Two minutes before a full hour and two after it.
    private static func recorded() async throws -> Rig {
        let rig = try Rig()
        var stream = SyntheticStream(origin: hour.advanced(byMicroseconds: -120_000_000))
        try await rig.record(&stream, frames: 240 * 15, seconds: 60)
        return rig
    }

    @Test("a sheet has the first key frame of each half minute of its hour, and none where nothing was recorded")
    func tiles() async throws {
        let rig = try await Self.recorded()
        let (sheets, _, _) = Self.sheets(rig)
        let before = try await sheets.sheet(of: ID(1), at: Self.hour.advanced(byMicroseconds: -1))
        #expect(before.range.end == Self.hour && before.tiles.map(\.index) == [116, 117, 118, 119] && before.tileHeight == 90)
        let after = try await sheets.sheet(of: ID(1), at: Self.hour)
        #expect(after.range.start == Self.hour && after.tiles.map(\.index) == [0, 1, 2, 3])
        #expect(after.tiles[1].time == Self.hour.advanced(byMicroseconds: 30_000_000))
        #expect(before.version != after.version)
        for time in [Self.hour.advanced(byMicroseconds: 3_600_000_000), WallTime(microseconds: .max), WallTime(microseconds: .min)] {
            let error = await #expect(throws: NVRError.self) { _ = try await sheets.sheet(of: ID(1), at: time) }
            #expect(error?.kind == .notFound)
        }
    }

    @Test("a sheet is made once, kept as a file, and made again when the file is gone")
    func cached() async throws {
        let rig = try await Self.recorded()
        let (sheets, cache, _) = Self.sheets(rig)
        let first = try await sheets.picture(of: ID(1), at: Self.hour) { true }
        #expect(try first.read(offset: 0, count: 2) == [0xFF, 0xD8] && first.contentType == "image/jpeg")
        #expect(Self.files(rig).count == 1 && cache.bytes == first.length)
        // What is ready is given even to somebody who would not have been waited for.
        #expect(try await sheets.picture(of: ID(1), at: Self.hour) { false }.etag == first.etag)
        try FileManager.default.removeItem(atPath: rig.folder.appendingPathComponent("cache").path)
        let error = await #expect(throws: NVRError.self) { _ = try await sheets.picture(of: ID(1), at: Self.hour) { false } }
        #expect(error?.kind == .unavailable)
        #expect(try await sheets.picture(of: ID(1), at: Self.hour) { true }.etag == first.etag)
        #expect(Self.files(rig).count == 1)
        // Another run finds what is there.
        let again = PictureCache(folder: rig.folder.appendingPathComponent("cache").path, budget: 1 << 20)
        #expect(again.bytes == first.length)
    }

    @Test("deleted footage takes its sheets along, and the sheet of an hour that goes on takes the place of the one before")
    func versions() async throws {
        let rig = try await Self.recorded()
        let (sheets, _, playback) = Self.sheets(rig)
        let removal = MediaRemoval(layout: rig.layout, store: rig.store, playback: playback)
        removal.onRemoval { await sheets.forget($0) }
        let old = try await sheets.picture(of: ID(1), at: Self.hour) { true }
        _ = try await sheets.picture(of: ID(1), at: Self.hour.advanced(byMicroseconds: -1)) { true }
        #expect(Self.files(rig).count == 2)
        let segments = try await rig.segments().filter { $0.start >= Self.hour }
        _ = try await rig.store.segments.markGarbage([try #require(segments.last?.id)])
        try await removal.sweep()
        #expect(Self.files(rig).count == 1)
        let new = try await sheets.picture(of: ID(1), at: Self.hour) { true }
        #expect(new.etag != old.etag && Self.files(rig).count == 2)
        var stream = SyntheticStream(run: 9, origin: Self.hour.advanced(byMicroseconds: 1_000_000_000))
        try await rig.record(&stream, frames: 30)
        #expect(try await sheets.picture(of: ID(1), at: Self.hour) { true }.etag != new.etag)
        #expect(Self.files(rig).count == 2)
    }

    @Test("the cache never holds more than its budget, and drops what was not asked for the longest")
    func budget() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cache-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let cache = PictureCache(folder: folder, budget: 1000)
        for number in 0..<20 {
            try cache.store([UInt8](repeating: UInt8(number), count: 300), as: "1-\(number)-x")
            #expect(cache.read("1-0-x") != nil || number > 0)
            #expect(cache.bytes <= 1000)
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(names.count == min(number + 1, 3) && names.allSatisfy { $0.hasSuffix(".jpg") })
            if number >= 1 { #expect(cache.read("1-1-x") != nil, "asked for again and again: \(number)") }
        }
        try cache.store([UInt8](repeating: 1, count: 1001), as: "large")
        #expect(cache.read("large") == nil && cache.read("1-19-x")?.count == 300)
        try cache.remove(prefix: "1-1", except: "1-19-x")
        #expect(cache.read("1-1-x") == nil && cache.read("1-19-x") != nil)
        let none = PictureCache(folder: folder + "/none", budget: 0)
        try none.store([1], as: "x")
        #expect(none.read("x") == nil && !FileManager.default.fileExists(atPath: folder + "/none"))
    }

    @Test("repair leaves rows and files of held footage alone")
    func repair() async throws {
        let rig = try await Self.recorded()
        let segments = try await rig.segments()
        try FileManager.default.removeItem(atPath: rig.absolute(segments[0].path))
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: rig.absolute(segments[1].path)))
        _ = try await rig.store.holds.put(
            Hold(
                id: ID(0), cameraID: ID(1), range: TimeRange(start: segments[0].start, end: segments[1].end), reason: "x", createdAt: Self.hour,
                userID: nil, userName: "a", expiresAt: nil), now: Self.hour)
        let report = try await IntegrityCheck(layout: rig.layout, store: rig.store).run(repairs: true) { _ in }
        #expect(report.problems.count == 2 && report.repaired == 0)
        #expect(try await rig.segments().count == segments.count)
        #expect(FileManager.default.fileExists(atPath: rig.absolute(segments[1].path)))
    }

    @Test("limits of age and size leave what is held, and do not count it")
    func limits() async throws {
        let rig = try await Self.recorded()
        let segments = try await rig.segments()
        let playback = rig.playback()
        let removal = MediaRemoval(layout: rig.layout, store: rig.store, playback: playback)
        var camera = Camera(id: ID(1), createdAt: Self.hour, name: "door", url: "rtsp://10.0.0.1/")
        camera.recording.preserve = "For One Day"
        _ = try await rig.store.holds.put(
            Hold(
                id: ID(0), cameraID: ID(1), range: segments[1].range, reason: "x", createdAt: Self.hour, userID: nil, userName: "a", expiresAt: nil),
            now: Self.hour)
        let removed = try await removal.enforceLimits(of: camera, medium: nil, now: Self.hour.advanced(byMicroseconds: 400 * 86_400_000_000))
        #expect(removed.bytes > 0)
        #expect(try await rig.segments().map(\.id) == [segments[1].id])
        try await removal.deleteMedia(of: ID(1))
        #expect(try await removal.deleteAll(medium: nil, kind: nil).events == 0)
        #expect(try await rig.segments().map(\.id) == [segments[1].id])
        #expect(rig.files() == [segments[1].path])
    }
}
