import NVRModel

/// An event of the old installation. Its row stands for a file.
package struct ReferenceEvent {
    var id: Int64
    var camera: Int64
    var medium: Event.Medium
    var kind: Event.Kind
    /// `timestamp_start`, whatever it means there.
    var stamp: WallTime
    /// Microseconds, when the row tells.
    var duration: Int64?
    var file: String
    var thumbnail: String?
    var width: Int?
    var height: Int?
    var score: Double?
    /// JSON.
    var metadata: String?

    /// Bytes of the longest text of a row.
    static let longest = 256 << 10
    private static let longestClip: Int64 = 86_400_000_000

    /// Nil with the reason when the row cannot be used.
    static func read(_ row: ReferenceRow) -> Result<ReferenceEvent, ReasonedRefusal> {
        guard let id = row.integer("id"), let camera = row.integer("camera_id") else { return .failure(.init("it has no id or no camera")) }
        guard let stamp = row.stamp("timestamp_start"), (0...4_102_444_800_000_000).contains(stamp.microseconds) else {
            return .failure(.init("its time cannot be understood"))
        }
        guard let file = row.text("file_path"), !file.isEmpty else { return .failure(.init("it has no file")) }
        let medium: Event.Medium = row.text("type")?.lowercased() == "snapshot" ? .snapshot : .video
        var event = ReferenceEvent(id: id, camera: camera, medium: medium, kind: kind(row.text("event_type")), stamp: stamp, file: file)
        if let end = row.stamp("timestamp_end"), end > stamp, end.microseconds(since: stamp) <= longestClip {
            event.duration = end.microseconds(since: stamp)
        }
        event.thumbnail = row.text("thumbnail_path").flatMap { $0.isEmpty ? nil : $0 }
        event.width = row.integer("width").flatMap { (1...16_384).contains($0) ? Int($0) : nil }
        event.height = row.integer("height").flatMap { (1...16_384).contains($0) ? Int($0) : nil }
        // 0 is what is written when nothing was measured.
        event.score = row.number("motion_score").flatMap { $0 > 0 && $0 <= 1 ? $0 : nil }
        event.metadata = metadata(row.text("ai_metadata"))
        return .success(event)
    }

    private static func kind(_ text: String?) -> Event.Kind {
        switch text?.lowercased() {
        case "continuous", "scheduled", "always": .continuous
        case "manual": .manual
        default: .motion
        }
    }

    /// Detections: JSON as it is, or a list of labels with commas in between.
    package static func metadata(_ text: String?) -> String? {
        guard let text, text.utf8.count <= 64 << 10, text.contains(where: { !$0.isWhitespace }) else { return nil }
        if let value = try? JSONValue(parsing: Array(text.utf8)), value.array != nil || value.object != nil {
            // A list of bare labels means the same as one with commas.
            if let list = value.array, !list.isEmpty, list.allSatisfy({ $0.string != nil }) {
                return JSONValue.object(["labels": value]).serialized()
            }
            return value == [] || value == .object([:]) ? nil : text
        }
        let labels = text.split(separator: ",").prefix(32).map { part in
            String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }.filter { !$0.isEmpty && $0.utf8.count <= 64 }
        return labels.isEmpty ? nil : JSONValue.object(["labels": .array(labels.map(JSONValue.string))]).serialized()
    }
}

/// Why something is left out, for a person.
struct ReasonedRefusal: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}
