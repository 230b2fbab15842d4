import NVRModel

/// Logs, work on what is stored, and what is not there yet.
extension OpenAPIDocument {
    static let maintenanceOperations: [Operation] =
        [
            Operation("GET /logs/", "listLogLines", .system, "The last lines of the log")
                .query(
                    "service", .choice(["all", "backend", "engine", "frontend"]), "Which part: `engine` reads and records cameras.", required: true
                )
                .query("lines", Schema.integer(1...10_000).byDefault(100), "Lines to answer at most.")
                .query("level", .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), "The least severe one.")
                .query("search", .text(0...200, pattern: "^[^\(unprintable)]*$"), "A text that the lines hold, upper and lower case alike.")
                .answers(.array(of: .text), "Oldest first, without credentials."),
            Operation("GET /logs/download", "downloadLogs", .system, "All files of the log in one")
                .answersBytes(["text/plain"], headers: [.attachment]),
            Operation("GET /settings/engine/debug-status", "getEngineStatus", .system, "What runs for each camera")
                .answers(.map(of: engineCamera), "By camera id; URLs without credentials."),
            Operation("POST /settings/sync-orphans", "startFootageSync", .system, "Make rows and files of footage agree")
                .explained(
                    """
                    Goes on by itself; files that no row knows are listed again, rows without files go. When these are more than half of all \
                    rows, they stay, and `refused` says so.
                    """
                )
                .query("dry_run", .boolean, "Only tells what differs.")
                .query("force", .boolean, "Removes rows without files even when they are more than half.")
                .query("checksums", .boolean, "Reads every byte of all footage and compares checksums.")
                .answers(.any(of: [footageSync]), "How far it is."),
            Operation("GET /settings/sync-orphans/status", "getFootageSync", .system, "How far the comparison is")
                .answers(footageSync, "The last one, or the one that runs."),
        ] + later

    private static let footageSync = Schema.object(
        [
            "status": .choice(["idle", "running", "completed", "failed"]), "started_at": Schema.dateTime.orNull,
            "finished_at": Schema.dateTime.orNull, "progress": Schema.integer(0...100).described("Percent."), "segments_checked": .integer,
            "segments_total": .integer, "files": Schema.integer.orNull, "problems": .integer, "repaired": .integer,
            "notes": Schema.array(of: .text).described("The first problems."), "notes_said": .saidList, "dry_run": .boolean,
            "refused": Schema.text.orNull.described("Why rows without files were left."), "refused_code": .saidCode,
            "refused_parameters": .saidParameters,
        ], optional: ["message": .text])

    private static let engineCamera = Schema.object([
        "running": .boolean, "connected": .boolean, "health": .text, "rtsp_url": .text, "fps": .integer, "motion": .boolean, "recording": .boolean,
        "last_frame_bytes": Schema.integer.orNull, "config": Schema.map(of: .anything).described("The settings it runs by."),
    ])

    private static let later: [Operation] = [
        ("GET /onvif/scan/stream", "scanForCameras"), ("POST /onvif/probe", "probeOnvif"), ("POST /onvif/deep-scan", "deepScanOnvif"),
        ("POST /onvif/ptz/move/{camera_id}", "movePTZ"), ("POST /onvif/ptz/stop/{camera_id}", "stopPTZ"),
        ("POST /onvif/ptz/set-home/{camera_id}", "setPTZHome"), ("POST /onvif/ptz/goto-home/{camera_id}", "goToPTZHome"),
        ("POST /onvif/ptz/goto-preset/{camera_id}", "goToPTZPreset"), ("GET /onvif/ptz/presets/{camera_id}", "listPTZPresets"),
        ("POST /onvif/ptz/probe-features/{camera_id}", "probePTZFeatures"), ("GET /oauth/login", "logInWithProvider"),
        ("GET /oauth/callback", "finishProviderLogIn"), ("POST /oauth/unlink", "unlinkProvider"), ("GET /oauth/logout", "logOutOfProvider"),
    ].map { route, id in
        let operation = Operation(
            route, id, .later, route.contains("/onvif/") ? "ONVIF: not available yet" : "Another sign-in provider: not available yet"
        ).refuses(501, "Not available yet.")
        return route.contains("{") ? operation.refuses(404, "The path names nothing.") : operation
    }
}
