import NVRModel

/// The server itself.
extension OpenAPIDocument {
    static let systemOperations: [Operation] = [
        Operation("GET /", "getRoot", .system, "The page, or a greeting")
            .answers(message, "For clients that do not accept HTML.")
            .answers(304, "The page is unchanged.", types: []),
        Operation("GET /ui", "getPage", .system, "The page")
            .answers(200, "HTML.", types: ["text/html"], headers: [.entityTag])
            .answers(304, "Unchanged.", types: []),
        Operation("GET /ui/server.json", "getServerFacts", .system, "What the page needs to know before anybody signs in")
            .answers(
                .object([
                    "version": .text,
                    "time_zone": Schema.text.orNull.described("Of the server, in the words of the IANA database; null where it has no name."),
                ]), "Version and time zone.", headers: [.entityTag]
            )
            .answers(304, "Unchanged.", types: []),
        Operation("GET /ui/{path...}", "getPageFile", .system, "A file of the page")
            .explained("A path that names no file, asked for by a browser, is a place inside of the page, and answers that.")
            .shown(as: "/ui/{path}")
            .answers(
                200, "The file.",
                types: [
                    "text/html", "text/css", "text/javascript", "text/plain", "image/svg+xml", "image/png", "application/manifest+json",
                ], headers: [.entityTag]
            )
            .answers(304, "Unchanged.", types: [])
            .refuses(404, "There is no such file."),
        Operation("GET /docs", "getDocumentationPage", .system, "These pages")
            .answers(200, "HTML.", types: ["text/html"], headers: [.entityTag])
            .answers(304, "Unchanged.", types: []),
        Operation("GET /openapi.json", "getDocument", .system, "This document")
            .answers(.map(of: .anything), "OpenAPI 3.1.", headers: [.entityTag])
            .answers(304, "Unchanged.", types: []),
        Operation("GET /health", "getHealth", .system, "Whether the server is well")
            .answers(.named("Health"), "It is.")
            .answers(.any(of: [.named("Health"), .named("Refusal")]), "The database does not answer, or the server is shutting down.", status: 503),
        Operation("GET /health/events", "listHealthEvents", .system, "What went wrong, and what still is")
            .explained(
                """
                Of cameras that you may see; what is about the server itself is for administrators. The next page is that `before` the last id. \
                Kinds: `recording_stalled` (no bytes of a camera reach the disk although they should), `database_damaged`, \
                `database_restored`, `database_lost`, `database_backup_failed`, `footage_reindexed`, `footage_drift`, `footage_key_missing`, `clock_implausible`; \
                more may come. The same is sent to `notify_webhook_url` as `{"event": "health", "kind", "state": "raised"|"cleared"|"noted", \
                …}` with `X-VibeNVR-Timestamp` and, when `notify_webhook_secret` is set, `X-VibeNVR-Signature: sha256=` and the HMAC of \
                the timestamp, a dot and the body.
                """
            )
            .query("active", .boolean, "Only what lasts.")
            .query("camera_id", .id, "Of this camera.")
            .query("before", .id, "Older than the one of this id.")
            .query("limit", Schema.integer(1...1000).byDefault(50), "Entries to answer at most.")
            .answers(
                .array(
                    of: .object([
                        "id": .id, "kind": .text, "camera_id": Schema.id.orNull, "start": .dateTime,
                        "end": Schema.dateTime.orNull.described("Null while it lasts."), "cause": Schema.text.orNull,
                        "detail": Schema.text.orNull.described("For people."), "detail_code": .saidCode,
                        "detail_parameters": .saidParameters,
                    ])), "Newest first."
            )
            .refuses(404, "There is no such camera, or you may not see it."),
        Operation("GET /health/recorded", "getRecordedShares", .system, "How much of each day was recorded, by camera")
            .explained(
                "Days are those of the server's clocks. Time in which nobody wanted a camera recorded does not count; time in which it waited for motion counts as recorded."
            )
            .query("days", Schema.integer(1...366).byDefault(7), "Days, today among them.")
            .answers(
                .object([
                    "days": .array(
                        of: .object([
                            "date": Schema.text.example("2026-11-28"),
                            "cameras": .array(
                                of: .object([
                                    "camera_id": .id, "percent": Schema.number.orNull.described("Null when there was nothing to record."),
                                    "recorded_seconds": .number, "missed_seconds": .number,
                                ])),
                        ]))
                ]), "Newest day first."),
        Operation("GET /metrics", "getMetrics", .system, "Numbers for Prometheus")
            .answers(200, "Text format 0.0.4.", types: ["text/plain"], schema: .text)
            .refuses(404, "Switched off, as it is unless configured."),
        Operation("GET /audit", "listAudit", .audit, "Who did what, when and from where")
            .explained(
                """
                Every request that may change something, sign-ins, and files that were handed out; refused ones, too. Kept for \
                `audit_retention_days`. The next page is that `before` the last id.
                """
            )
            .query("user_id", .id, "What this user did.")
            .query("user", .text(0...AuditRoutes.longestUser), "The same by name, as it was then.")
            .query("method", .text(0...AuditRoutes.longestMethod), "`POST`, `DELETE`, …")
            .query("route", .text(0...AuditRoutes.longestRoute), "The pattern of a route: `/cameras/{camera_id}`.")
            .query("camera_id", .id, "What was done to this camera.")
            .query("from", .text(0...40), "From this time on; without zone in that of the server.")
            .query("to", .text(0...40), "Before this time.")
            .query("before", .id, "Entries older than that of this id.")
            .paged()
            .answers(.array(of: .named("AuditEntry")), "Newest first."),
        Operation("GET /stats", "getStatistics", .statistics, "What the server holds and costs")
            .explained("Null where a thing is not known or does not exist here.")
            .answers(.named("Statistics"), "Of the cameras that you may see."),
        Operation("GET /stats/history", "getEventHistory", .statistics, "Events of the last day by the hour")
            .answers(.array(of: .object(["time": Schema.text.example("13:00"), "events": .integer, "videos": .integer])), "Oldest first."),
        Operation("GET /v1/homepage/stats", "getHomepageStatistics", .statistics, "Numbers for a dashboard widget")
            .answers(.named("HomepageStats"), "Of the cameras that you may see."),
        Operation("GET /stats/resources-history", "getResourceHistory", .statistics, "Load of the last day by the minute")
            .answers(.array(of: .named("ResourceSample")), "Oldest first."),
    ]

    private static let maybe = Schema.number.orNull
    private static let maybeCount = Schema.integer.orNull
    private static let holding = Schema.object(["count": .integer, "size_gb": maybe])

    static let statisticsSchemas: [(String, Schema)] = [
        (
            "Health",
            .object([
                "status": .choice(["ok", "degraded", "error"]),
                "components": .object(["database": .choice(["ok", "error"]), "engine": .choice(["ok", "degraded"])]),
                "is_weak_key": .boolean,
                "problems": Schema.array(
                    of: .object(["kind": .text, "cause": Schema.text.orNull, "count": .integer, "since": .dateTime])
                ).described("What is wrong now, without names: `recording_stalled` of so many cameras."),
            ])
        ),
        (
            "HomepageStats",
            .object([
                "cameras_total": .integer, "cameras_online": .integer, "cameras_recording": .integer, "events_today": .integer,
                "events_this_week": .integer, "events_this_month": .integer,
                "last_event_time": Schema.text.orNull.described("In the time zone of the server."), "last_event_camera": Schema.text.orNull,
                "storage_used_gb": maybe, "storage_total_gb": maybe, "storage_percent": maybeCount, "uptime": Schema.text.example("5d 12h 30m"),
            ])
        ),
        (
            "AuditEntry",
            .object([
                "id": .id, "timestamp": .dateTime, "user_id": Schema.id.orNull, "username": Schema.text.orNull,
                "api_token_id": Schema.id.orNull, "address": Schema.text.described("Of the client."), "method": .text,
                "route": Schema.text.example("/cameras/{camera_id}"), "parameters": .map(of: .any(of: [.integer, .text])),
                "camera_id": Schema.id.orNull, "status": .integer,
                "summary": Schema.text.described("What was asked for: names and ids, never a text that a client sent."),
            ])
        ),
        (
            "ResourceSample",
            .object([
                "timestamp": .dateTime, "cpu_percent": maybe, "memory_mb": maybe, "backend_cpu": maybe, "engine_cpu": maybe,
                "backend_mem_mb": maybe, "engine_mem_mb": maybe, "network_recv_mbps": maybe, "network_sent_mbps": maybe,
                "host_cpu_percent": maybe, "host_memory_mb": maybe,
            ])
        ),
        (
            "Statistics",
            .object([
                "active_cameras": .integer, "total_errors": Schema.integer.described("Active cameras without a picture."),
                "total_events": .integer, "events_24h": .integer, "video_count": .integer, "picture_count": .integer, "storage": storage,
                "resources": .object([
                    "cpu_percent": maybe, "memory_mb": maybe, "backend_cpu": maybe, "backend_mem_mb": maybe, "engine_cpu": maybe,
                    "engine_mem_mb": maybe, "host_cpu_percent": maybe, "host_memory_mb": maybe, "host_memory_total_mb": maybe,
                ]), "network": .object(["recv_mbps": maybe, "sent_mbps": maybe]), "engine": engine,
                "database": .object(["size_mb": maybe, "event_count": .integer]), "details": details, "system_status": .text,
                "uptime": Schema.text.example("5d 12h 30m"), "hw_accel": .object(["enabled": .boolean, "type": .text, "status": .text]),
            ])
        ),
    ]

    private static let storage = Schema.object([
        "total_gb": maybe.described("The disks of the recording folder and of the profiles' folders, each counted once."),
        "used_gb": maybe.described("All recordings and snapshots, also those in buckets."), "free_gb": maybe,
        "percent": maybeCount.described("How much of the disks recordings and snapshots take."), "estimated_retention_days": maybe,
        "daily_rate_gb": maybe, "configured_retention": Schema.text.orNull, "configured_retention_days": maybeCount,
        "required_storage_gb": maybe, "total_quota_gb": .number, "quota_percent": .integer,
    ])

    private static let engine = Schema.object([
        "status": .text, "hw_accel": .boolean, "hw_accel_type": .text,
        "mqtt": .object(["enabled": .boolean, "host": .text, "connected": .boolean]),
        "ai": .object([
            "initialized": .boolean, "hardware": Schema.text.orNull, "model_type": Schema.text.orNull, "last_inference_time": maybe,
            "inference_count": .integer, "last_inference_attempt": maybe,
        ]),
    ])

    private static let details = Schema.object([
        "global": .object(["movies": holding, "images": holding]),
        "cameras": Schema.map(
            of: .object([
                "movies": holding, "images": holding, "daily_rate_gb": maybe, "estimated_retention_days": maybe,
                "retention_limited_by": Schema.text.orNull,
            ])
        ).described("By camera id."),
        "profiles": Schema.map(
            of: .object([
                "name": .text, "path": Schema.text.orNull, "size_gb": maybe, "count": .integer, "total_gb": maybe, "free_gb": maybe,
            ])
        )
        .described("By profile id; `default` is the recording folder."),
    ])
}
