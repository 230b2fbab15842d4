#if canImport(Glibc)
    import Glibc
#endif
import NVRImport
import NVRModel
import NVRRecording
import Testing

@Suite("Paths of the old installation")
struct ReferencePathsTests {
    private let paths = ReferencePaths(
        recordings: "/mnt/old", mappings: [.init(from: "/storage/ssd", to: "/mnt/ssd"), .init(from: "/storage", to: "/mnt/other")])

    @Test("the paths of its containers lead below the folders that were named, the most fitting first")
    func places() throws {
        #expect(try paths.place("/var/lib/vibe/recordings/1/2026-11-22/21-16-53.mp4") == .init(root: "/mnt/old", path: "1/2026-11-22/21-16-53.mp4"))
        #expect(try paths.place("/var/lib/motion/Camera1/a.mp4") == .init(root: "/mnt/old", path: "Camera1/a.mp4"))
        #expect(try paths.place("/data//1/a.mp4") == .init(root: "/mnt/old", path: "1/a.mp4"))
        #expect(try paths.place("/storage/ssd/1/a.mp4") == .init(root: "/mnt/ssd", path: "1/a.mp4"))
        #expect(try paths.place("/storage/hdd/1/a.mp4") == .init(root: "/mnt/other", path: "hdd/1/a.mp4"))
        #expect(paths.folder("/storage/ssd") == "/mnt/ssd")
        #expect(paths.folder("/elsewhere") == nil)
    }

    @Test(
        "paths that lead anywhere else are refused",
        arguments: [
            "/data/../etc/passwd", "/data/1/../../x.mp4", "/data/./x.mp4", "/data", "/data/", "/database/x.mp4", "/etc/passwd", "1/x.mp4", "",
            "sftp://1/x.mp4", "/data/x\0.mp4", "/storage/ssd/..",
        ])
    func refused(path: String) { #expect(throws: ReferencePaths.Refusal.self) { try paths.place(path) } }

    @Test("mappings are two absolute folders")
    func mappings() throws {
        #expect(ReferencePaths.Mapping("/a/=/b/") == .init(from: "/a", to: "/b"))
        let fetched = ReferencePaths(recordings: "/mnt/old", mappings: [ReferencePaths.Mapping("sftp://2=/mnt/fetched")].compactMap { $0 })
        #expect(try fetched.place("sftp://2/cams/3/a.mp4") == .init(root: "/mnt/fetched", path: "cams/3/a.mp4"))
        #expect(throws: ReferencePaths.Refusal.remote) { try fetched.place("sftp://21/cams/3/a.mp4") }
        for text in ["a=/b", "/a", "/a=b", "=", ""] { #expect(ReferencePaths.Mapping(text) == nil) }
    }

    @Test("links are not followed, wherever they are on the way")
    func links() throws {
        var template = Array("/tmp/nvrimport-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) != nil }
        try #require(made)
        let root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            for name in ["/real/f.mp4", "/real/l.mp4", "/link"] { unlink(root + name) }
            rmdir(root + "/real")
            rmdir(root)
        }
        mkdir(root + "/real", 0o700)
        _ = try POSIXFile.create(root + "/real/f.mp4")
        symlink(root + "/real", root + "/link")
        symlink("/etc/passwd", root + "/real/l.mp4")
        let paths = ReferencePaths(recordings: root, mappings: [])
        _ = try paths.open("/data/real/f.mp4")
        #expect(throws: ReferencePaths.Refusal.isLink) { try paths.open("/data/link/f.mp4") }
        #expect(throws: ReferencePaths.Refusal.isLink) { try paths.open("/data/real/l.mp4") }
        #expect(throws: ReferencePaths.Refusal.missing) { try paths.open("/data/real/none.mp4") }
        #expect(throws: ReferencePaths.Refusal.self) { try paths.open("/data/real") }
    }
}

@Suite("Times of the old installation")
struct ClipTimeTests {
    private func utc(_ text: String) -> WallTime { WallTime(iso8601: text)! }

    @Test("timestamps of PostgreSQL and of SQLite")
    func stamps() {
        #expect(ClipTime.stamp("2026-11-22 21:18:55.495076+00") == utc("2026-11-22T21:18:55.495076Z"))
        #expect(ClipTime.stamp("2026-11-22 21:18:55+00") == utc("2026-11-22T21:18:55Z"))
        #expect(ClipTime.stamp("2026-11-22 21:18:55-03:30") == utc("2026-11-23T00:48:55Z"))
        #expect(ClipTime.stamp("2026-11-22 21:18:55.5Z") == utc("2026-11-22T21:18:55.5Z"))
        #expect(ClipTime.stamp("2026-11-22 21:18:55.495076") == ClipTime.local(2026, 11, 22, 21, 18, 55)?.advanced(byMicroseconds: 495_076))
        for text in ["infinity", "-infinity", "", "2026-13-01 00:00:00", "0044-03-15 00:00:00+00 BC", "9999-99-99 99:99:99+99"] {
            #expect(ClipTime.stamp(text) == nil)
        }
    }

    @Test("names tell times by their pattern")
    func names() {
        let patterns = ["%Y-%m-%d/%H-%M-%S"]
        let time = ClipTime.local(2026, 11, 22, 21, 16, 53)
        #expect(ClipTime.named("/var/lib/vibe/recordings/1/2026-11-22/21-16-53.mp4", patterns: patterns) == time)
        #expect(ClipTime.named("/data/1/2026-11-22/21-16-53-00.mp4", patterns: patterns) == time)
        #expect(ClipTime.named("/data/1/20261122_211653_7.mp4", patterns: ["%Y%m%d_%H%M%S_%q"]) == time)
        #expect(ClipTime.named("/data/1/2026-11-22/99-16-53.mp4", patterns: patterns) == nil)
        #expect(ClipTime.named("/data/1/clip.mp4", patterns: patterns) == nil)
    }

    @Test("a clip begins where its name says, on the clock of its row")
    func starts() {
        let named = utc("2026-11-22T21:16:53Z")
        let minute: Int64 = 60_000_000
        // The row has the end of the clip.
        #expect(ClipTime.start(named: named, row: utc("2026-11-22T21:17:54.4Z"), duration: minute).start == named)
        #expect(ClipTime.start(named: named, row: named, duration: minute).shift == 0)
        // The name was given an hour ahead.
        let other = ClipTime.start(named: named, row: utc("2026-11-22T20:17:54.4Z"), duration: minute)
        #expect(other.start == utc("2026-11-22T20:16:53Z") && other.shift == -3_600_000_000)
        #expect(ClipTime.start(named: nil, row: named, duration: minute).start == named)
        #expect(ClipTime.start(named: WallTime(microseconds: .min), row: WallTime(microseconds: .max), duration: .max / 2).shift == 0)
    }
}

@Suite("Overlapping recordings")
struct FootageGapsTests {
    private func range(_ start: Int64, _ end: Int64) -> TimeRange {
        TimeRange(start: WallTime(microseconds: start * 1_000_000), end: WallTime(microseconds: end * 1_000_000))
    }

    @Test("only what is not there yet is taken")
    func gaps() {
        #expect(FootageGaps.of(range(0, 60), covered: []) == [range(0, 60)])
        #expect(FootageGaps.of(range(0, 60), covered: [range(-10, 70)]).isEmpty)
        #expect(FootageGaps.of(range(0, 60), covered: [range(20, 30), range(25, 40)]) == [range(0, 20), range(40, 60)])
        #expect(FootageGaps.of(range(0, 60), covered: [range(-5, 59)]) == [range(59, 60)])
        #expect(FootageGaps.of(range(0, 60), covered: [range(60, 70)]) == [range(0, 60)])
    }

    @Test("what whole seconds leave open moves a clip to the end of the one before")
    func settled() {
        let start = WallTime(microseconds: 60_000_000)
        let near = TimeRange(start: WallTime(microseconds: 0), end: WallTime(microseconds: 60_900_000))
        #expect(FootageGaps.settled(start, covered: [near]) == near.end)
        #expect(FootageGaps.settled(start, covered: [range(0, 70)]) == start)
        #expect(FootageGaps.settled(start, covered: []) == start)
    }
}

@Suite("Rows of the old installation")
struct ReferenceEventTests {
    @Test("detections are kept as JSON, and lists of labels become such")
    func metadata() {
        #expect(ReferenceEvent.metadata("person, car") == #"{"labels":["person","car"]}"#)
        #expect(ReferenceEvent.metadata(#"[{"label":"dog"}]"#) == #"[{"label":"dog"}]"#)
        #expect(ReferenceEvent.metadata(#"["dog"]"#) == #"{"labels":["dog"]}"#)
        for text in [nil, "", " ", "[]", "{}", ","] { #expect(ReferenceEvent.metadata(text) == nil) }
    }

    @Test("a file is told by its first bytes")
    func forms() {
        #expect(ReferenceSource.Form(Array("SQLite format 3\0…".utf8)) == .sqlite)
        #expect(ReferenceSource.Form(Array("PGDMP\u{1}".utf8)) == .archive)
        #expect(ReferenceSource.Form([0x1F, 0x8B, 8]) == .compressed)
        #expect(ReferenceSource.Form(Array("--\n-- PostgreSQL database dump".utf8)) == .text)
        #expect(ReferenceSource.Form([]) == .text)
    }
}
