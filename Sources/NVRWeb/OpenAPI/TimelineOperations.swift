import NVRModel

/// What happened when.
extension OpenAPIDocument {
    private static let time = Schema.text(1...40).described("ISO 8601, without a zone in the server's, or seconds since 1970 UTC.")
    private static let seconds = Schema.number.described("Seconds since 1970 UTC.")

    static let timelineOperations: [Operation] = [
        Operation("GET /timeline", "getTimeline", .media, "What happened when, at any zoom")
            .explained(
                """
                Footage, gaps with their causes, motion and events of several cameras. Five years cost what five seconds do. Times are \
                seconds since 1970 UTC. Hours, days and weeks (Monday) are those of the server's clocks, so that a day may have 23 or 25 hours.
                """
            )
            .query("cameras", Schema.text(0...1400), "Ids with commas between them, 64 at most; all that you may replay when left out.")
            .query("start", time, "From when.", required: true)
            .query("end", time, "Until when, 50 years later at most; now when left out.")
            .query(
                "resolution", .number(0...1e9),
                "Seconds of a bucket at least; a thousandth of the range when left out. The answer says what was taken."
            )
            .answers(.named("Timeline"), "The timeline.")
            .refuses(403, "You may see a camera, but not its recordings.")
            .refuses(404, "There is no such camera, or you may not see it.")
    ]

    static let timelineSchemas: [(String, Schema)] = [
        (
            "Timeline",
            .object([
                "start": seconds, "end": seconds, "now": seconds,
                "resolution": Schema.integer.described("Seconds of a bucket, but for days and hours at which clocks are changed."),
                "detail": Schema.choice(["footage", "buckets"]).described("Whether `spans` and `events` are there."),
                "bucket_start": Schema.integer.described("Where the first bucket begins."), "bucket_count": .integer,
                "bucket_borders": Schema.array(of: .integer).orNull.described(
                    "One more than buckets; null when each is `resolution` seconds long."),
                "cameras_left_out": Schema.integer.described("Cameras that were not named and are too many."),
                "cameras": .array(of: .named("TimelineCamera")),
            ])
        ),
        (
            "TimelineCamera",
            .object([
                "camera_id": .id, "first": Schema.number.orNull.described("Begin of the oldest footage there is."),
                "last": Schema.number.orNull.described("End of the newest."),
                "spans": Schema.array(of: .array(of: .number, count: 2...2)).orNull.described("Begin and end of what was recorded."),
                "gaps": Schema.array(
                    of: .object([
                        "start": seconds, "end": seconds, "cause": .choice(Outage.Cause.allCases.map(\.name)),
                        "reason": Schema.text.orNull.described("For people."), "reason_code": .saidCode,
                        "reason_parameters": .saidParameters,
                    ])
                ).described(
                    """
                    Why there is no footage where there is none, oldest first. With `spans`, gaps lie between them; without, footage may lie in \
                    them, and what is too short to be seen is left out.
                    """),
                "gaps_cut": Schema.boolean.described("The oldest gaps are left out."),
                "buckets": .object([
                    "footage": shares("recorded"), "motion": shares("with motion"),
                    "events": Schema.array(of: .integer).described(
                        "Videos of motion, or asked for, that begin in it. Zeros at the end are left out."),
                    "snapshots": Schema.array(of: .integer).described("Zeros at the end are left out."),
                ]),
                "events": Schema.array(
                    of: .object([
                        "id": .id, "type": .choice(Event.Medium.allCases.map(\.rawValue)), "kind": .choice(Event.Kind.allCases.map(\.rawValue)),
                        "start": seconds, "end": Schema.number.orNull.described("Null while it lasts."), "score": Schema.number.orNull,
                    ])
                ).orNull.described("Oldest first; null where they are only counted."),
            ])
        ),
    ]

    private static func shares(_ what: String) -> Schema {
        Schema.array(of: .integer(0...1000)).described(
            "Thousandths of each bucket that are \(what); 1000 is all of it, 0 nothing. Zeros at the end are left out.")
    }
}
