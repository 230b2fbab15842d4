import NVRModel

/// Events and their footage.
extension OpenAPIDocument {
    private static let noEvent = "There is no such event, or you may not see it."
    private static let movieTypes = ["video/mp4", "image/jpeg"]

    private static let dayTime = Schema.text(5...5, pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")

    static let eventOperations: [Operation] = [
        Operation("GET /events", "listEvents", .events, "What happened, newest first")
            .paged(skipAtMost: 1_000_000_000)
            .query("camera_id", .id, "Events of this camera.")
            .query("type", .choice(Event.Medium.allCases.map(\.rawValue)), "Recordings or pictures.")
            .query("event_type", .choice(Event.Kind.allCases.map(\.rawValue)), "What made them.")
            .query(
                "date", Schema.text(10...10, format: "date", pattern: "^(19[7-9]|2[0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}$"),
                "A day in the time zone of the server."
            )
            .query("group_id", .id, "Events of the cameras of this group.")
            .query("time_from", dayTime, "Events that begin at this time of day or later, in the time zone of the server.")
            .query("time_to", dayTime, "And before this one, which may lie past midnight.")
            .query("label", .text(1...64), "Events with this label.")
            .query("zone", .text(1...64), "Events in this zone.")
            .answers(.array(of: .named("Event")), "The events.", headers: [.totalCount]),
        Operation("GET /events/status", "getEventStatus", .events, "What happens now")
            .answers(.named("EventStatus"), "Motion, and the state of every camera that you may see."),
        Operation("GET /events/filters", "listEventFilters", .events, "Labels and zones that events have")
            .answers(.object(["labels": .array(of: .text), "zones": .array(of: .text)]), "By name, of what you may replay."),
        Operation("POST /events/bulk-delete", "deleteEvents", .events, "Delete several events with their footage")
            .body(ids("event_ids"))
            .answers(bulkDeletion, "What was deleted."),
        Operation("GET /events/{event_id}", "getEvent", .events, "One event")
            .answers(.named("Event"), "The event.").refuses(404, noEvent),
        Operation("DELETE /events/{event_id}", "deleteEvent", .events, "Delete an event with its footage")
            .answers(.named("Event"), "The event as it was.").refuses(404, noEvent).refuses(409, "Its footage is held."),
        Operation("GET /events/{event_id}/download", "downloadEvent", .events, "The footage of an event")
            .query("inline", .boolean, "To be shown and not to be saved.")
            .answersBytes(movieTypes, headers: [.attachment])
            .refuses(404, noEvent + " Or its footage is gone."),
        Operation("GET /events/{event_id}/thumbnail", "getEventThumbnail", .events, "A small picture of an event")
            .answersBytes(["image/jpeg"])
            .refuses(404, noEvent + " Or it has no picture."),
    ]

    static let mediaOperations: [Operation] = [
        Operation("GET /media/{path...}", "getMedia", .media, "Footage and pictures by path")
            .explained("Paths are those that events name; more elements follow where a camera's file names have them.")
            .shown(as: "/media/{camera}/{date}/{file}")
            .query("inline", .boolean, "To be shown and not to be saved.")
            .answersBytes(movieTypes)
            .refuses(403, "The path climbs.")
            .refuses(404, "There is no such file, or you may not see it.")
    ]

    static let eventSchemas: [(String, Schema)] = [
        (
            "Event",
            .object([
                "camera_id": .id, "timestamp_start": Schema.dateTime.described("The first picture."),
                "timestamp_end": Schema.dateTime.orNull.described("The last picture; null while it lasts and for pictures."),
                "type": .choice(Event.Medium.allCases.map(\.rawValue)), "event_type": .choice(Event.Kind.allCases.map(\.rawValue)),
                "file_path": Schema.text.described("A path of this server that answers the footage."),
                "file_size": Schema.id.orNull.described("Bytes; null while not known."),
                "thumbnail_path": Schema.text.orNull.described("A path of this server."), "width": Schema.integer.orNull,
                "height": Schema.integer.orNull, "motion_score": Schema.number.orNull.described("0…1."),
                "ai_metadata": Schema.text.orNull.described("JSON as text."), "id": .id,
            ])
        ),
        (
            "EventStatus",
            .object([
                "active_ids": Schema.array(of: .id).described("Cameras with motion."),
                "live_motion": Schema.map(
                    of: .object([
                        "timestamp": Schema.dateTime.described("Since when."), "source": .text, "ai_metadata": Schema.text.orNull,
                        "_updated_at": Schema.number.described("Seconds since 1970 UTC."),
                    ])
                ).described("By camera id."),
                "camera_health": Schema.map(of: .choice(CameraStatus.allCases.map(\.rawValue))).described("By camera id."),
                "recorded_bytes_last_minute": Schema.map(of: .integer).described("By camera id: what went to disk."),
            ])
        ),
    ]
}
