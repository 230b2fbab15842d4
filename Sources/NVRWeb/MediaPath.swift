package import NVRModel

/// URL paths below `/media/` and what they mean. The first element is a camera: its id, its name, or its name made safe for URLs.
/// Below it lie the files of the recording root, and one movie of every event under its day. Pure.
package enum MediaPath {
    /// The URL path of a file below the recording root.
    package static func url(_ path: String) -> String {
        isPlain(path)
            ? "/media/" + path
            : "/media/" + path.split(separator: "/").map { percentEncoded(String($0)) }.joined(separator: "/")
    }

    /// Whether a path is its own URL path, as those of nearly all files are.
    static func isPlain(_ path: String) -> Bool {
        var path = path
        return path.withUTF8 { isPlain($0) }
    }

    static func isPlain(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
        var previous = UInt8(ascii: "/")
        for byte in path {
            let isLetter = (byte | 0x20) &- UInt8(ascii: "a") < 26
            // `-`, `.`, `/` and the digits follow each other.
            guard isLetter || byte &- UInt8(ascii: "-") < 13 || byte == UInt8(ascii: "_"), byte != UInt8(ascii: "/") || previous != byte else {
                return false
            }
            previous = byte
        }
        return previous != UInt8(ascii: "/")
    }

    /// The path of the picture that stands for a segment: beside it, made of its first keyframe when it is asked for.
    package static func thumbnail(_ segment: String) -> String {
        segment.hasSuffix(".mp4") ? segment.dropLast(4) + ".jpg" : segment + ".jpg"
    }

    /// The path below the recording root that an answer's `file_path` means, if it is one of this camera's; nil otherwise.
    package static func file(_ url: String, of camera: ID<Camera>) -> String? {
        let path = url.hasPrefix("/media/") ? String(url.dropFirst(7)) : url
        let request = RequestPath("/" + path)
        guard request.isSafe, request.segments.count > 1, request.segments.first == camera.description else { return nil }
        return request.segments.joined(separator: "/")
    }

    /// The URL path of the movie of an event, which is no file: it is cut from whatever segments cover the range.
    package static func url(of event: Event) -> String {
        "/media/\(event.cameraID)/\(day(event.start))/event-\(event.id).mp4"
    }

    /// The event that a path means; nil when it names none.
    package static func event(in segments: [String]) -> ID<Event>? {
        guard segments.count == 3, let name = segments.last, name.hasPrefix("event-"), name.hasSuffix(".mp4") else { return nil }
        let digits = name.dropFirst(6).dropLast(4)
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return Int64(digits).map { ID($0) }
    }

    /// The camera of a path's first element. Ids go before names, so that a camera called "2" never hides another.
    package static func camera(_ element: String, among cameras: [Camera]) -> ID<Camera>? {
        CameraName.camera(element, among: cameras)
    }

    /// A name with every character but letters, digits, `-`, `_` and `.` as `_`.
    package static func urlSafe(_ name: String) -> String { CameraName.urlSafe(name) }

    private static func day(_ time: WallTime) -> String {
        let date = LocalDay.date(at: time)
        return "\(padded(Int64(date.year), 4))-\(padded(Int64(date.month), 2))-\(padded(Int64(date.day), 2))"
    }
}
