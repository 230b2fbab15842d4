import NVRModel

/// Cleaning up, and how long recordings stay.
extension OpenAPIDocument {
    static let retentionOperations: [Operation] = [
        Operation("POST /settings/cleanup", "cleanUp", .storage, "Delete what the rules no longer keep")
            .explained(
                "Applies ages and limits now. What goes beyond the share of everything that may be deleted in a day is withheld until a call confirms it; confirming also says that the clock is right. Values may be sent in the query as well."
            )
            .query("camera_id", .integer, "The limits of this camera alone.")
            .query("media_type", .choice(["video", "snapshot", "all"]), "Recordings or snapshots alone, of one camera.")
            .body(
                .object(
                    [:],
                    optional: [
                        "confirm": Schema.boolean.orNull, "dry_run": Schema.boolean.orNull, "camera_id": Schema.integer.orNull,
                        "media_type": Schema.choice(["video", "snapshot", "all"]).orNull,
                    ]), required: false
            )
            .answers(cleanup, "What was planned and done, and why it stopped.")
            .refuses(404, "There is no such camera.")
            .refuses(409, "A cleanup is under way."),
        Operation("GET /settings/cleanup/status", "getCleanupStatus", .storage, "What the last cleanups did")
            .answers(
                .object([
                    "running": .boolean, "last_cleanup": cleanup.orNull, "last_floor": cleanup.orNull,
                    "alarm": Schema.object(["cause": .text, "reason": .text, "since": Schema.dateTime]).orNull,
                ]), "The last by the rules, the last that made space, and why less is deleted than should be."),
        Operation("GET /storage/forecast", "getStorageForecast", .storage, "For how many days recordings will be there")
            .answers(
                .object([
                    "cleanup_enabled": .boolean,
                    "cameras": .array(
                        of: .object([
                            "camera_id": .integer, "name": .text, "bytes_per_day": .integer, "stored_bytes": .integer,
                            "days": Schema.number.orNull, "limited_by": Schema.choice(limits).orNull, "configured_days": Schema.integer.orNull,
                        ])),
                    "volumes": .array(
                        of: .object(["id": .integer, "total_bytes": .integer, "free_bytes": .integer, "floor_bytes": .integer])),
                ]), "By the pace of the last day and the rules as they are."),
    ]

    private static let limits = ["age", "camera_limit", "profile_limit", "total_limit", "free_space", "recording_stops"]

    private static let sum = Schema.object(["count": .integer, "size_bytes": .integer])

    private static let cleanup = Schema.object([
        "status": .choice(["success", "stopped", "planned"]), "message": .text, "time": Schema.dateTime, "dry_run": .boolean, "planned": sum,
        "planned_by_reason": Schema.map(of: sum), "deleted_count": .integer, "deleted_size_bytes": .integer, "deleted_events": .integer,
        "missing_files": .integer, "withheld": sum, "unmet_bytes": Schema.map(of: .integer), "undated_files": .integer, "unseen_hours": .integer,
        "stopped_by": Schema.text.orNull, "needs_confirmation": .boolean,
    ])
}
