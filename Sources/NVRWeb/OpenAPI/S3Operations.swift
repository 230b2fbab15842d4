import NVRModel

/// Buckets and the copies of events in them.
extension OpenAPIDocument {
    private static let noProfile = "There is no such profile, or no such camera."
    private static let badPlace = "The endpoint, the region or the bucket is no place where a bucket could be."
    private static let taken =
        "The name is taken, there are too many profiles, archived footage lies in the bucket it has, or keys would lie in another one's archive."

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
            (
                "max_size_gb",
                Schema.number(0...1_000_000).described("What archived footage may take there; the oldest beyond that is deleted. 0: no limit.")
            ),
            ("offsite_all_cameras", Schema.boolean.described("Copies the events of every camera, also of those that come later.")),
            ("offsite_camera_ids", Schema.array(of: .id, count: 0...Call.mostIDs).described("Copies the events of these cameras.")),
        ]
        return required ? .object(required: needed, optional: rest) : .object(required: [], optional: needed + rest)
    }

    static let s3Operations: [Operation] = [
        Operation("GET /storage/s3", "listS3Profiles", .storage, "Buckets that events are copied to and footage moves into")
            .answers(.array(of: .named("S3Profile")), "By id."),
        Operation("POST /storage/s3", "createS3Profile", .storage, "Name a bucket that events are copied to, or footage moves into")
            .explained(
                """
                The footage of motion and manual events that begin from now on is copied while it is recorded, with the seconds before it first. \
                A camera that names minus the id of the profile as its `archive_storage_profile_id` moves its old recordings and snapshots there.
                """
            )
            .body(fields(required: true))
            .answers(.named("S3Profile"), "The profile.").refuses(400, badPlace).refuses(404, noProfile).refuses(409, taken),
        Operation("GET /storage/s3/{profile_id}", "getS3Profile", .storage, "One bucket")
            .answers(.named("S3Profile"), "The profile.").refuses(404, noProfile),
        Operation("PUT /storage/s3/{profile_id}", "updateS3Profile", .storage, "Change fields of a bucket's profile")
            .explained(
                """
                What waits goes to the place that the profile names then. Bucket and prefix stay while archived footage lies there; the \
                endpoint may change, since a marker in the bucket tells whether it is the same one.
                """
            )
            .body(fields(required: false))
            .answers(.named("S3Profile"), "The profile.").refuses(400, badPlace).refuses(404, noProfile).refuses(409, taken),
        Operation("DELETE /storage/s3/{profile_id}", "deleteS3Profile", .storage, "Copy nothing more to a bucket, and forget it")
            .explained("What lies in the bucket stays there.")
            .answers(message, "Deleted.").refuses(404, noProfile)
            .refuses(409, "It is the archive of a camera, or footage that moved there is listed."),
        forgets(
            "POST /storage/s3/{profile_id}/forget", "forgetS3Profile", "Give up the footage of a bucket that is gone for good", noProfile),
        forgets(
            "POST /storage/profiles/{profile_id}/forget", "forgetStorageProfile", "Give up the footage of a volume that is gone for good",
            "There is no such profile."),
        Operation("POST /storage/s3/{profile_id}/test", "testS3Profile", .storage, "Store, read and delete a small object")
            .answers(
                .object(["ok": .boolean, "error": Schema.text.orNull, "error_code": .saidCode, "error_parameters": .saidParameters]),
                "Whether that worked, and if not, why."
            )
            .refuses(404, noProfile),
        Operation("GET /storage/offsite", "getOffsiteState", .storage, "How far the copies of events are")
            .answers(.object(["profiles": .array(of: .named("OffsiteState"))]), "By profile."),
    ]

    /// Numbers that have to be named, so that nobody gives up more than he knows of.
    private static func forgets(_ route: String, _ id: String, _ summary: String, _ missing: String) -> Operation {
        Operation(route, id, .storage, summary)
            .explained(
                """
                The rows of its recordings and snapshots go, and no file is touched; then the profile can be deleted. `dry_run` tells the numbers \
                that have to be sent.
                """
            )
            .query("dry_run", .boolean, "Only tells what would be given up.")
            .body(
                .object(["recordings": Schema.integer(0...Int.max), "snapshots": Schema.integer(0...Int.max), "bytes": Schema.integer(0...Int.max)]),
                required: false
            )
            .answers(
                .object(["recordings": .integer, "snapshots": .integer, "bytes": .id, "forgotten": .boolean]), "What was given up, or would be."
            )
            .refuses(404, missing)
            .refuses(409, "The volume is there, the numbers are not what lies on it, or some of it is held.")
    }

    private static let problem = Schema.any(of: [
        .object(["at": .dateTime, "message": .text, "message_code": .saidCode, "message_parameters": .saidParameters]), .null,
    ])

    static let s3Schemas: [(String, Schema)] = [
        (
            "S3Profile",
            .object([
                "id": .id, "kind": .choice(["s3"]), "name": .text, "endpoint": .text, "region": .text, "bucket": .text, "prefix": .text,
                "addressing": .choice(S3Profile.addressings), "access_key": .text, "secret_key": Schema.text.described("A mask."),
                "allow_self_signed": .boolean, "max_bytes_per_second": .integer, "max_size_gb": .number, "offsite_all_cameras": .boolean,
                "offsite_camera_ids": .array(of: .id), "created_at": .dateTime,
                "archive": Schema.object(["recordings": .integer, "snapshots": .integer, "bytes": .id]).described("What moved into the bucket."),
                "state": storageState,
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
