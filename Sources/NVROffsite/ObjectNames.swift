package import NVRModel

/// The keys of objects: `{prefix}/{camera id}-{name}/{YYYY}/{MM}/{DD}/…` in UTC. Pure.
package enum ObjectNames {
    /// The folder of a camera below a bucket's prefix, without a slash at its end. Names are made of harmless letters.
    package static func folder(prefix: String, camera: ID<Camera>, name: String) -> String {
        var safe = ""
        for scalar in name.unicodeScalars {
            let isHarmless =
                ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar) || scalar == "_" || scalar == "."
            if isHarmless { safe.unicodeScalars.append(scalar) } else if !safe.hasSuffix("-") { safe += "-" }
            if safe.utf8.count >= 48 { break }
        }
        while safe.hasSuffix("-") || safe.hasSuffix(".") { safe.removeLast() }
        while safe.hasPrefix("-") || safe.hasPrefix(".") { safe.removeFirst() }
        let folder = safe.isEmpty ? "\(camera)" : "\(camera)-\(safe)"
        return prefix.isEmpty ? folder : "\(prefix)/\(folder)"
    }

    /// A stretch of a segment that begins at `start`.
    package static func piece(folder: String, segment: ID<Segment>, start: WallTime) -> String { "\(place(folder, start))-s\(segment).mp4" }

    /// What is known of an event.
    package static func event(folder: String, event: ID<Event>, start: WallTime) -> String { "\(place(folder, start))-event-\(event).json" }

    /// `folder/2026/11/28/20261128T161247.123Z`.
    private static func place(_ folder: String, _ time: WallTime) -> String {
        let millisecond = time.microseconds - ((time.microseconds % 1000 + 1000) % 1000)
        // 2026-11-28T16:12:47.123000Z, without the fraction when it is zero.
        let text = Array(WallTime(microseconds: millisecond).iso8601)
        let (year, month, day) = (String(text[0..<4]), String(text[5..<7]), String(text[8..<10]))
        let clock = String(text[11..<13]) + String(text[14..<16]) + String(text[17..<19])
        let fraction = text.count > 23 ? String(text[20..<23]) : "000"
        return "\(folder)/\(year)/\(month)/\(day)/\(year)\(month)\(day)T\(clock).\(fraction)Z"
    }
}
