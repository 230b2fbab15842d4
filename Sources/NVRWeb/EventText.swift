import NVRModel
import NVRStore

/// Lists of events as JSON: what `EventRoutes.json` says of each, written by hand, since a page has a hundred of them and is asked for
/// all the time. Pure.
struct EventText {
    private var out: [UInt8] = []

    static func bytes(_ page: EventPage) -> [UInt8] {
        var text = EventText()
        text.out.reserveCapacity(16 + page.events.count * 400)
        text.out.append(UInt8(ascii: "["))
        for (event, segment) in zip(page.events, page.segmentPaths) { text.write(event, segment) }
        text.out.append(UInt8(ascii: "]"))
        return text.out
    }

    private mutating func write(_ event: Event, _ segment: String?) {
        raw(out.count > 1 ? ",{\"camera_id\":" : "{\"camera_id\":")
        number(event.cameraID.rawValue)
        raw(",\"timestamp_start\":")
        time(event.start)
        raw(",\"timestamp_end\":")
        if let end = event.end { time(end) } else { null() }
        raw(",\"type\":")
        text(event.medium.rawValue)
        raw(",\"event_type\":")
        text(event.kind.rawValue)
        raw(",\"file_path\":")
        switch event.medium {
        case .snapshot: if let picture = event.picturePath { path(picture) } else { text("") }
        case .video: if let segment { path(segment) } else { text(MediaPath.url(of: event)) }
        }
        raw(",\"file_size\":")
        number(event.bytes)
        raw(",\"thumbnail_path\":")
        if let thumbnail = event.thumbnailPath {
            path(thumbnail)
        } else if let segment {
            path(MediaPath.thumbnail(segment))
        } else {
            null()
        }
        raw(",\"width\":")
        number(event.width.map(Int64.init))
        raw(",\"height\":")
        number(event.height.map(Int64.init))
        raw(",\"motion_score\":")
        if let score = event.score { JSONValue.append(score, to: &out) } else { null() }
        raw(",\"ai_metadata\":")
        if let metadata = event.metadata { text(metadata) } else { null() }
        raw(",\"id\":")
        number(event.id.rawValue)
        out.append(UInt8(ascii: "}"))
    }

    private mutating func raw(_ text: StaticString) {
        out.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
    private mutating func null() { raw("null") }
    private mutating func text(_ text: String) { JSONValue.append(text, to: &out) }

    /// The URL of a file below the recording root. Nearly all are written as they are.
    private mutating func path(_ path: String) {
        var path = path
        let isPlain = path.withUTF8 { bytes in
            guard MediaPath.isPlain(bytes) else { return false }
            raw("\"/media/")
            out.append(contentsOf: bytes)
            out.append(UInt8(ascii: "\""))
            return true
        }
        if !isPlain { text(MediaPath.url(path)) }
    }

    private mutating func time(_ time: WallTime) {
        out.append(UInt8(ascii: "\""))
        time.appendISO8601(to: &out)
        out.append(UInt8(ascii: "\""))
    }

    private mutating func number(_ value: Int64?) {
        guard let value else { return null() }
        JSONValue.append(value, to: &out)
    }
}

extension MediaPath {
    /// The URL paths of an event's footage or picture, and of its thumbnail. `segment`: the path of the segment that it stands for.
    static func urls(of event: Event, _ segment: String?) -> (file: String, thumbnail: String?) {
        let thumbnail = (event.thumbnailPath ?? segment.map(MediaPath.thumbnail)).map { url($0) }
        switch event.medium {
        case .snapshot: return (event.picturePath.map { url($0) } ?? "", thumbnail)
        case .video: return (segment.map { url($0) } ?? url(of: event), thumbnail)
        }
    }
}
