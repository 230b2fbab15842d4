import NVRModel

/// Buckets and the copies of events in them.
extension OpenAPIDocument {
    private static let noProfile = "There is no such profile, or no such camera."
    private static let badPlace = "The endpoint, the region or the bucket is no place where a bucket could be."
    private static let taken = "The name is taken, or there are too many profiles."

    private static func fields(required: Bool) -> Schema {
        let needed: [(String, Schema)] = [
            ("name", .text(1...100, pattern: "^[^\(unprintable)]*[^\\s\(unprintable)][^\(unprintable)]*$")),
            (
                "endpoint",
                Schema.text(1...300, format: Format.url).described(
                    "`https://server[:port]`; not this machine, unless the server was started with that allowed. No path.")
            ),
            ("bucket", .text(3...63, pattern: "^[a-z0-9][a-z0-9-]*[a-z0-9]$")),
            ("access_key", .text(1...256, pattern: "^[^\(unprintable)]+$")),
            (
                "secret_key",
                Schema.text(1...256, pattern: "^[^\(unprintable)]+$").described(
                    "Encrypted in the database and never answered: answers hold a mask, which sent back leaves it as it is.")
            ),
        ]
        let rest: [(String, Schema)] = [
            ("region", .text(1...64, pattern: "^[a-z0-9-]+$")),
            ("prefix", Schema.text(0...200, pattern: "^[a-zA-Z0-9_/-]*$").described("What all keys begin with.")),
            ("addressing", Schema.choice(S3Profile.addressings).described("How requests name the bucket.")),
            ("allow_self_signed", Schema.boolean.described("Takes a certificate that nobody vouches for.")),
            (
                "max_bytes_per_second",
                Schema.integer(0...100_000_000_000).described("Limit of what uploads take; 0 for none, else \(S3Profile.leastRate) at least.")
            ),
            ("offsite_all_cameras", Schema.boolean.described("Copies the events of every camera, also of those that come later.")),
            ("offsite_camera_ids", Schema.array(of: .id, count: 0...Call.mostIDs).described("Copies the events of these cameras.")),
        ]
        return required ? .object(required: needed, optional: rest) : .object(required: [], optional: needed + rest)
    }

    static let s3Operations: [Operation] = [
        Operation("GET /storage/s3", "listS3Profiles", .storage, "Buckets that events are copied to")
            .answers(.array(of: .named("S3Profile")), "By id."),
        Operation("POST /storage/s3", "createS3Profile", .storage, "Name a bucket that events are copied to")
            .explained(
                "The footage of motion and manual events that begin from now on is copied while it is recorded, with the seconds before it first."
            )
            .body(fields(required: true))
            .answers(.named("S3Profile"), "The profile.").refuses(400, badPlace).refuses(404, noProfile).refuses(409, taken),
        Operation("GET /storage/s3/{profile_id}", "getS3Profile", .storage, "One bucket")
            .answers(.named("S3Profile"), "The profile.").refuses(404, noProfile),
        Operation("PUT /storage/s3/{profile_id}", "updateS3Profile", .storage, "Change fields of a bucket's profile")
            .explained("What waits goes to the place that the profile names then.")
            .body(fields(required: false))
            .answers(.named("S3Profile"), "The profile.").refuses(400, badPlace).refuses(404, noProfile).refuses(409, taken),
        Operation("DELETE /storage/s3/{profile_id}", "deleteS3Profile", .storage, "Copy nothing more to a bucket, and forget it")
            .explained("What lies in the bucket stays there.")
            .answers(message, "Deleted.").refuses(404, noProfile),
        Operation("POST /storage/s3/{profile_id}/test", "testS3Profile", .storage, "Store, read and delete a small object")
            .answers(
                .object(["ok": .boolean, "error": Schema.text.orNull, "error_code": .saidCode, "error_parameters": .saidParameters]),
                "Whether that worked, and if not, why."
            )
            .refuses(404, noProfile),
        Operation("GET /storage/offsite", "getOffsiteState", .storage, "How far the copies of events are")
            .answers(.object(["profiles": .array(of: .named("OffsiteState"))]), "By profile."),
    ]

    private static let problem = Schema.any(of: [
        .object(["at": .dateTime, "message": .text, "message_code": .saidCode, "message_parameters": .saidParameters]), .null,
    ])

    static let s3Schemas: [(String, Schema)] = [
        (
            "S3Profile",
            .object([
                "id": .id, "kind": .choice(["s3"]), "name": .text, "endpoint": .text, "region": .text, "bucket": .text, "prefix": .text,
                "addressing": .choice(S3Profile.addressings), "access_key": .text, "secret_key": Schema.text.described("A mask."),
                "allow_self_signed": .boolean, "max_bytes_per_second": .integer, "offsite_all_cameras": .boolean,
                "offsite_camera_ids": .array(of: .id), "created_at": .dateTime,
            ])
        ),
        (
            "OffsiteState",
            .object([
                "profile_id": .id, "name": .text,
                "state": Schema.choice(["off", "idle", "uploading", "waiting", "failing"])
                    .described("`waiting`: for footage still to be recorded; `failing`: tried again by itself at `retry_at`."),
                "queued_events": .integer, "bytes_waiting": Schema.id.described("About."), "bytes_uploaded": .id, "objects_uploaded": .integer,
                "last_success_at": Schema.dateTime.orNull, "last_error": problem, "retry_at": Schema.dateTime.orNull,
                "cameras": .array(of: .named("OffsiteCamera")),
            ])
        ),
        (
            "OffsiteCamera",
            .object([
                "camera_id": .id, "queued_events": .integer, "bytes_waiting": Schema.id.described("About."), "bytes_uploaded": .id,
                "objects_uploaded": .integer, "events_copied": .integer,
                "events_dropped": Schema.map(of: .integer).described("How many events were not copied, by the reason."),
                "last_success_at": Schema.dateTime.orNull, "last_error": problem,
            ])
        ),
    ]
}
