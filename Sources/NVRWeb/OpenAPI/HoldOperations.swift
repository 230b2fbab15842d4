import NVRModel

/// Holds on footage.
extension OpenAPIDocument {
    private static let noCamera = "There is no such camera, or you may not see it."
    private static let time = Schema.any(of: [
        Schema.text(1...40, format: "date-time").described("Without a zone in the server's."),
        Schema.number(0...1e11).described("Seconds since 1970 UTC."),
    ])

    static let holdOperations: [Operation] = [
        Operation("GET /cameras/{camera_id}/holds", "listHolds", .media, "Ranges of footage that nothing deletes")
            .explained("Expired ones are shown for 90 days.")
            .answers(.array(of: .named("Hold")), "The holds by their start.")
            .refuses(404, noCamera),
        Operation("PUT /cameras/{camera_id}/holds", "putHold", .media, "Hold a range of footage, or change a hold")
            .explained(
                """
                What was or will be recorded in the range is deleted by nothing while the hold lasts: no request, no limit of age or size, no \
                repair; whole segments are kept, and events in the range with their pictures. Footage that is held counts for no limit of \
                size. A hold of the same range is changed, and with `id` the range of that hold.
                """
            )
            .body(
                .object(
                    ["start": time, "end": time, "reason": Schema.text(Hold.reasonLength)],
                    optional: [
                        "expires_at": Schema.any(of: [time, .null]).described("From when on it protects no longer; null: until it is released."),
                        "id": Schema.any(of: [.id, .null]).described("The hold to change."),
                    ])
            )
            .answers(.named("Hold"), "The hold.")
            .refuses(404, noCamera + " Or it has no hold of the id.")
            .refuses(409, "The camera has too many holds, or another one has the range."),
        Operation("DELETE /cameras/{camera_id}/holds/{hold_id}", "releaseHold", .media, "Release a hold")
            .answers(.named("Hold"), "The hold as it was.")
            .refuses(404, noCamera + " Or it has no such hold."),
        Operation("DELETE /cameras/{camera_id}/holds", "releaseRange", .media, "Release the hold of a range")
            .query("start", .text(1...40), "Of the hold, exactly.", required: true)
            .query("end", .text(1...40), "Of the hold, exactly.", required: true)
            .answers(.named("Hold"), "The hold as it was.")
            .refuses(404, noCamera + " Or it has no hold of exactly this range."),
    ]

    static let holdSchemas: [(String, Schema)] = [
        (
            "Hold",
            .object([
                "id": .id, "camera_id": .id, "start": .dateTime, "end": .dateTime, "reason": .text, "created_at": .dateTime,
                "created_by": Schema.text.described("The name of who made it."), "created_by_id": Schema.id.orNull,
                "expires_at": Schema.dateTime.orNull, "is_active": Schema.boolean.described("It has not expired."),
            ])
        )
    ]
}
