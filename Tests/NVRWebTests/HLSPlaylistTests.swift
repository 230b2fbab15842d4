import NVRModel
import NVRRecording
import NVRWeb
import Testing

@Suite("HLS playlist")
struct HLSPlaylistTests {
    private static func segment(_ id: Int64, growing: Bool = false) -> ReplaySegment {
        let start = WallTime(microseconds: 1_700_000_000_000_000 + id * 4_000_000)
        return ReplaySegment(
            id: ID(id), path: "3/2026-11-23/a \(id).mp4", initLength: 900, codecs: "avc1.640028", width: 640, height: 360, run: 1, isGrowing: growing,
            fragments: (0..<2).map {
                ReplayFragment(
                    start: start.advanced(byMicroseconds: Int64($0) * 2_000_000), duration: $0 == 0 ? 2_000_000 : 2_066_667,
                    offset: 900 + Int64($0) * 5000,
                    size: 5000, mediaStart: Int64($0) * 2_000_000)
            })
    }

    @Test("segments are byte ranges of files, joined by discontinuities")
    func text() {
        let lines = HLSPlaylist.text([Self.segment(1), Self.segment(2)], isOpen: false).split(separator: "\n").map(String.init)
        #expect(lines.first == "#EXTM3U" && lines.last == "#EXT-X-ENDLIST")
        #expect(lines.contains("#EXT-X-TARGETDURATION:3"))
        #expect(lines.count { $0 == "#EXT-X-DISCONTINUITY" } == 1)
        #expect(lines.contains("#EXT-X-MAP:URI=\"/media/3/2026-11-23/a%201.mp4\",BYTERANGE=\"900@0\""))
        #expect(lines.contains("#EXTINF:2.066667,") && lines.contains("#EXT-X-BYTERANGE:5000@5900"))
        #expect(lines.count { $0.hasPrefix("/media/") } == 4)
        #expect(lines.count { $0.hasPrefix("#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:2") } == 2)
    }

    @Test("an open playlist has no end, and a token goes along")
    func open() {
        let text = HLSPlaylist.text([Self.segment(1, growing: true)], isOpen: true, query: "?token=x")
        #expect(!text.contains("ENDLIST") && text.contains("#EXT-X-PLAYLIST-TYPE:EVENT"))
        #expect(text.split(separator: "\n").filter { $0.hasPrefix("/media/") }.allSatisfy { $0.hasSuffix(".mp4?token=x") })
        #expect(HLSPlaylist.text([], isOpen: false).contains("#EXT-X-ENDLIST"))
    }

    @Test("it goes on while footage grows, between two segments too, but not for ever after the last and not for what is past")
    func goingOn() {
        let end = WallTime(microseconds: 1_700_000_000_000_000 + 4_000_000 + 4_066_667)
        let now = end.microseconds
        #expect(HLSPlaylist.goesOn([Self.segment(1, growing: true)], until: WallTime(microseconds: now + 600_000_000), now: now + 600_000_000))
        for seconds: Int64 in [0, 3, 20] {
            let later = now + seconds * 1_000_000
            #expect(HLSPlaylist.goesOn([Self.segment(1)], until: WallTime(microseconds: later), now: later))
            #expect(!HLSPlaylist.goesOn([Self.segment(1)], until: end.advanced(byMicroseconds: -3_000_000), now: later))
            #expect(!HLSPlaylist.goesOn([Self.segment(1, growing: true)], until: end.advanced(byMicroseconds: -3_000_000), now: later))
        }
        #expect(!HLSPlaylist.goesOn([Self.segment(1)], until: WallTime(microseconds: now + 40_000_000), now: now + 40_000_000))
        #expect(!HLSPlaylist.goesOn([], until: end, now: now))
    }
}
