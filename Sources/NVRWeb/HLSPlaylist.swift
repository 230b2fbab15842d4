package import NVRModel
package import NVRRecording

/// A media playlist (RFC 8216) over stored segments: fMP4, byte ranges into the files, nothing copied. Pure.
package enum HLSPlaylist {
    /// - Parameters:
    ///   - isOpen: more footage will come: the player asks again for what follows.
    ///   - query: is added to every address, for players that keep neither cookies nor headers; empty or begins with "?".
    package static func text(_ segments: [ReplaySegment], isOpen: Bool, query: String = "") -> String {
        let longest = segments.flatMap(\.fragments).map(\.duration).max() ?? 1_000_000
        var lines = [
            "#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:\(max(1, (longest + 999_999) / 1_000_000))",
            "#EXT-X-PLAYLIST-TYPE:\(isOpen ? "EVENT" : "VOD")", "#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-INDEPENDENT-SEGMENTS",
        ]
        for (number, segment) in segments.enumerated() {
            let url = MediaPath.url(segment.path) + query
            // Each file has a time line of its own that begins at zero.
            if number > 0 { lines.append("#EXT-X-DISCONTINUITY") }
            lines.append("#EXT-X-MAP:URI=\"\(url)\",BYTERANGE=\"\(segment.initLength)@0\"")
            for (position, fragment) in segment.fragments.enumerated() {
                if position == 0 { lines.append("#EXT-X-PROGRAM-DATE-TIME:\(fragment.start.iso8601)") }
                lines.append("#EXTINF:\(decimal(fragment.duration)),")
                lines.append("#EXT-X-BYTERANGE:\(fragment.size)@\(fragment.offset)")
                lines.append(url)
            }
        }
        if !isOpen { lines.append("#EXT-X-ENDLIST") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Microseconds after the end of the newest footage for which more may still be on its way: between two segments none grows until the
    /// first key frame after the border is written, and a player that was told of an end asks no more (RFC 8216, section 6.2.1).
    private static let patience: Int64 = 30_000_000

    /// Whether a playlist of footage up to `end` will have more, at a wall time in microseconds.
    package static func goesOn(_ segments: [ReplaySegment], until end: WallTime, now: Int64) -> Bool {
        guard let last = segments.last, end.microseconds > now - 2_000_000 else { return false }
        guard let newest = last.fragments.last, !last.isGrowing else { return last.isGrowing }
        return newest.start.microseconds + newest.duration > now - patience
    }

    /// Microseconds as seconds with six digits.
    private static func decimal(_ microseconds: Int64) -> String {
        let fraction = String(1_000_000 + microseconds % 1_000_000).dropFirst()
        return "\(microseconds / 1_000_000).\(fraction)"
    }
}
