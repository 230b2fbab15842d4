import Foundation
import NVRModel
import NVRRecording
import Testing

@Suite("Recording layout")
struct RecordingLayoutTests {
    private let layout = RecordingLayout(root: "/srv/footage")
    private static let camera = ID<Camera>(7)
    /// 2026-11-22 21:16:53.000042 in the server's time zone.
    private static let time: WallTime = {
        var parts = DateComponents()
        (parts.year, parts.month, parts.day, parts.hour, parts.minute, parts.second) = (2026, 11, 22, 21, 16, 53)
        let date = Calendar(identifier: .gregorian).date(from: parts) ?? Date(timeIntervalSince1970: 0)
        return WallTime(microseconds: Int64(date.timeIntervalSince1970) * 1_000_000 + 42)
    }()

    private func path(_ pattern: String, attempt: Int = 0, time: WallTime = Self.time) -> String {
        layout.path(camera: Self.camera, pattern: pattern, time: time, fileExtension: "mp4", attempt: attempt)
    }

    @Test(
        "letters become parts of the local time",
        arguments: [
            ("%Y-%m-%d/%H-%M-%S", "7/2026-11-22/21-16-53.mp4"), ("%y%m%d-%I%p", "7/261122-09PM.mp4"), ("%j", "7/326.mp4"),
            ("%F/%T", "7/2026-11-22/21:16:53.mp4"),
            ("%R", "7/21:16.mp4"), ("%a %b %A %B", "7/Sun Nov Sunday November.mp4"), ("%f", "7/000042.mp4"), ("camera-%t", "7/camera-7.mp4"),
            ("%q", "7/00.mp4"),
            ("100%%", "7/100%.mp4"), ("%C%u%w", "7/2070.mp4"), ("%J", "7/%J.mp4"), ("a%", "7/a%.mp4"), ("plain", "7/plain.mp4"),
            ("", "7/recording.mp4"),
        ])
    func letters(pattern: String, expected: String) { #expect(path(pattern) == expected) }

    @Test("every letter that patterns may have is replaced")
    func everyLetter() {
        for letter in FilePattern.specifiers where letter != "%" {
            let name = path("x%\(letter)y")
            #expect(!name.contains("%"), "%\(letter) stays as it is: \(name)")
            #expect(name.hasPrefix("7/") && name.hasSuffix(".mp4"))
        }
    }

    @Test("a name that is taken gets a number, and names never run out, also without a time in the pattern")
    func attempts() {
        #expect(path("a", attempt: 1) == "7/a-1.mp4" && path("a", attempt: 9) == "7/a-9.mp4")
        #expect(path("a%q", attempt: 3) == "7/a03.mp4")
        for pattern in ["a", "a%q", "%Y/%H-%M-%S", ""] {
            #expect(Set((0..<100).map { path(pattern, attempt: $0) }).count == 100)
            let later = Self.time.advanced(byMicroseconds: 1)
            #expect(Set((0..<100).map { path(pattern, attempt: $0) }).isDisjoint(with: (50..<100).map { path(pattern, attempt: $0, time: later) }))
        }
    }

    @Test("no pattern leaves the camera's folder, makes hidden traversal or names a file systems refuse")
    func hostile() {
        let patterns = [
            "../../etc/passwd", "/etc/passwd", "..", ".", "../..", "a/../../b", "a/./b", "//", "a//b", "%Y/../..", ".%%./x", "%./%.", "a\\..\\b",
            "a\0b",
            "..%/..", "%", "%%", "....//....//x", "\u{202E}x", "~/x", "$(rm)", "a/", "/", " ", "\n", String(repeating: "../", count: 100),
            String(repeating: "%s", count: 100), String(repeating: "ü", count: 5000), String(repeating: "a/", count: 50) + "b",
        ]
        var random = SeededGenerator(state: 1)
        let letters = Array("../\\%aY~\0 -dsq")
        let generated = (0..<5000).map { _ in
            String((0..<Int.random(in: 0...20, using: &random)).map { _ in letters[Int.random(in: 0..<letters.count, using: &random)] })
        }
        for pattern in patterns + generated {
            for attempt in [0, 5, 50] {
                let name = path(pattern, attempt: attempt)
                let parts = name.split(separator: "/", omittingEmptySubsequences: false)
                #expect(parts.count >= 2 && parts[0] == "7" && name.hasSuffix(".mp4"))
                #expect(!parts.contains("..") && !parts.contains(".") && !parts.contains(""), "\(pattern.debugDescription): \(name)")
                #expect(parts.allSatisfy { $0.utf8.count <= 255 })
                #expect(!name.contains("\0") && !name.contains("\\"))
                let resolved = URL(fileURLWithPath: layout.absolute(name)).standardizedFileURL.path
                #expect(resolved.hasPrefix("/srv/footage/7/"))
            }
        }
    }

    @Test("times before 1970 and far from now have names, too")
    func oddTimes() {
        for microseconds in [Int64.min, -1, -1_000_000, 0, 4_102_444_800_000_000, .max] {
            let name = path("%Y-%m-%d/%H-%M-%S-%f-%s%z%j", time: WallTime(microseconds: microseconds))
            #expect(name.hasPrefix("7/") && !name.contains("%"))
        }
    }

    @Test("a segment's identity comes back from its bytes, and other bytes are none")
    func identity() {
        var random = SeededGenerator(state: 2)
        for _ in 0..<500 {
            let identity = SegmentIdentity(
                cameraID: ID(Int64.random(in: .min ... .max, using: &random)), role: Bool.random(using: &random) ? .main : .sub,
                run: Int64.random(in: .min ... .max, using: &random), start: WallTime(microseconds: Int64.random(in: .min ... .max, using: &random)))
            #expect(SegmentIdentity(payload: identity.payload) == identity)
            #expect(identity.payload.allSatisfy { $0 < 128 })
            var damaged = identity.payload
            damaged.removeLast(Int.random(in: 1...damaged.count, using: &random))
            _ = SegmentIdentity(payload: damaged)
            _ = SegmentIdentity(payload: (0..<Int.random(in: 0...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
        #expect(SegmentIdentity.boxType.count == 16)
        for text in [
            "", "camera=1", "camera=1;stream=main;run=1;start_us=", "camera=x;stream=main;run=1;start_us=1", "camera=1;stream=third;run=1;start_us=1",
            ";;;===;;",
        ] {
            #expect(SegmentIdentity(payload: Array(text.utf8)) == nil)
        }
        #expect(SegmentIdentity(payload: Array("camera=1;stream=main;run=1;start_us=1;more=2".utf8))?.cameraID == ID(1))
        #expect(SegmentIdentity(payload: [UInt8](repeating: 0x20, count: 100_000)) == nil)
    }
}
