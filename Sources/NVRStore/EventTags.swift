import GRDB
import NVRModel

/// Labels and zones of an event, from the JSON of a detector, often somebody else's: every text under a key `label` or `zone`, or in a list
/// under `labels` or `zones`, at any depth.
enum EventTags {
    struct Tag: Hashable {
        var isZone: Bool
        var text: String
    }

    /// Of one event: the JSON comes from outside.
    static let most = 32
    static let longest = 64

    /// In lower case, each once. Text that is no JSON has none.
    static func of(_ metadata: String?) -> [Tag] {
        // A detector may write what it likes; what cannot be read is kept and shown all the same.
        guard let metadata, let value = try? JSONValue(parsing: Array(metadata.utf8)) else { return [] }
        var tags: [Tag] = []
        collect(value, &tags)
        return tags
    }

    private static func collect(_ value: JSONValue, _ tags: inout [Tag]) {
        guard tags.count < most else { return }
        if let list = value.array {
            for element in list { collect(element, &tags) }
        } else if let object = value.object {
            for key in object.keys {
                guard let member = object[key] else { continue }
                switch key {
                case "label", "zone": note(member, key == "zone", &tags)
                case "labels", "zones":
                    for element in member.array ?? [] { note(element, key == "zones", &tags) }
                default: break
                }
                collect(member, &tags)
            }
        }
    }

    private static func note(_ value: JSONValue, _ isZone: Bool, _ tags: inout [Tag]) {
        guard tags.count < most, let text = value.string, !text.isEmpty, text.count <= longest else { return }
        let tag = Tag(isZone: isZone, text: text.lowercased())
        if !tags.contains(tag) { tags.append(tag) }
    }

    /// Writes the tags of a stored event anew, in the transaction that stored it.
    static func store(_ db: Database, _ event: Event, isNew: Bool) throws {
        if !isNew { try db.run("DELETE FROM event_tags WHERE event_id = ?", [event.id.rawValue]) }
        for tag in of(event.metadata) {
            try db.run(
                "INSERT INTO event_tags (is_zone, tag, start_us, event_id, camera_id, medium, kind) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    tag.isZone, tag.text, event.start.microseconds, event.id.rawValue, event.cameraID.rawValue, EventStore.code(event.medium),
                    EventStore.code(event.kind),
                ])
        }
    }
}
