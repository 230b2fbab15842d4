import NVRModel

/// Cameras, and what they show now.
extension OpenAPIDocument {
    /// A list of ids, bare or as the member of an object.
    static func ids(_ key: String) -> Schema {
        let list = Schema.array(of: .id, count: 0...Call.mostIDs)
        return .any(of: [.object(required: [(key, list)]), list])
    }

    /// The answer to a deletion of many.
    static let bulkDeletion = Schema.object([
        "deleted_count": .integer, "errors": Schema.array(of: .text).described("One line for each id that could not be deleted."),
    ])
    static let message = Schema.object(["message": .text])
    private static let eitherCamera = Schema.any(of: [.named("Camera"), .named("CameraSummary")])
    private static let noProfile = "A storage profile that is named does not exist."
    private static let noCamera = "There is no such camera, or you may not see it."

    static let cameraOperations: [Operation] = [
        Operation("GET /cameras", "listCameras", .cameras, "Cameras that you may see")
            .paged()
            .answers(.array(of: eitherCamera), "In their order; API keys get the short form.", headers: [.totalCount]),
        Operation("POST /cameras", "createCamera", .cameras, "Add a camera")
            .body(.named("NewCamera"))
            .answers(.named("Camera"), "The camera, about to be started.")
            .refuses(400, noProfile),
        Operation("POST /cameras/reorder", "reorderCameras", .cameras, "Set the order of cameras")
            .body(ids("camera_ids"))
            .answers(message, "Done; cameras that are not named follow."),
        Operation("POST /cameras/bulk-delete", "deleteCameras", .cameras, "Delete several cameras")
            .query("delete_media", .boolean, "Delete their recordings too.")
            .body(ids("camera_ids"))
            .answers(bulkDeletion, "What was deleted."),
        Operation("GET /cameras/{camera_id}", "getCamera", .cameras, "One camera")
            .answers(eitherCamera, "The camera; API keys get the short form.")
            .refuses(404, noCamera),
        Operation("PUT /cameras/{camera_id}", "updateCamera", .cameras, "Change fields of a camera")
            .explained("What is not sent stays. Only what changed is changed in the running camera: a new name interrupts nothing.")
            .body(.named("CameraChanges"))
            .answers(.named("Camera"), "The camera.")
            .refuses(400, noProfile)
            .refuses(404, noCamera),
        Operation("DELETE /cameras/{camera_id}", "deleteCamera", .cameras, "Delete a camera")
            .query("delete_media", .boolean, "Delete its recordings too; else they stay on disk.")
            .answers(.named("Camera"), "The camera as it was.")
            .refuses(404, noCamera)
            .refuses(409, "With `delete_media`: some of its footage is held."),
        Operation("POST /cameras/{camera_id}/recording", "toggleRecording", .cameras, "Switch continuous recording on, or back to the mode before")
            .answers(.named("ToggledCamera"), "The camera.")
            .refuses(404, noCamera),
    ]

    /// A GET that becomes a WebSocket.
    private static func watching(_ last: String, _ id: String, _ summary: String) -> Operation {
        Operation("GET /cameras/{camera_id}/\(last)", id, .live, summary)
            .query("stream", Schema.choice(StreamRole.allCases.map(\.rawValue)).byDefault("main"), "While it does not run, the main one is shown.")
            .query("audio", Schema.boolean.byDefault(true), "Send sound, too.")
            .query(
                "codecs", Schema.text(0...64, pattern: "^(h264|h265|hevc|mjpeg)(,(h264|h265|hevc|mjpeg))*$"),
                "The video codecs that the player takes, comma-separated; none: all. When the stream has another one, the camera's other "
                    + "stream is shown if that can be played, else this one transcoded to H.264, else the message `unplayable` says why not."
            )
            .answers(101, "The WebSocket (RFC 6455).", types: [])
            .refuses(403, "You may not see this camera, or the request comes from a page of another site.")
            .refuses(404, "There is no such camera.")
            .refuses(426, "The request is no handshake, or not the first of its connection.")
            .refuses(503, "There are too many viewers.")
    }

    static let liveOperations: [Operation] = [
        Operation("POST /cameras/probe-stream", "probeStream", .live, "Look at a stream before it is saved")
            .body(
                .object(
                    ["rtsp_url": Schema.text(0...CameraURL.maxLength, format: Format.url)],
                    optional: [
                        "rtsp_transport": Schema.choice(StreamTransport.allCases.map(\.rawValue)).byDefault("tcp"),
                        "picture": Schema.any(of: [.boolean, .null]).described("Also what the camera shows."),
                    ])
            )
            .answers(
                .object(
                    ["success": .boolean, "width": Schema.integer.orNull, "height": Schema.integer.orNull, "error": Schema.text.orNull],
                    optional: [
                        "codec": Schema.text.orNull, "audio_codec": Schema.text.orNull, "error_code": .saidCode, "error_parameters": .saidParameters,
                        "picture": Schema.text.orNull.described("A JPEG as a `data:` URL; null when there is none."),
                    ]), "What was seen, or why nothing was."),
        Operation("GET /cameras/{camera_id}/frame", "getFrame", .live, "The newest picture")
            .query("width", .integer(0...7680), "Pixels; made smaller to a multiple of 16. 0 or none: the camera's own.")
            .query("raw", .boolean, "Without masks; administrators only.")
            .answers(200, "A JPEG.", types: ["image/jpeg"])
            .refuses(403, "`raw` is for administrators.")
            .refuses(404, noCamera)
            .refuses(503, "The camera has no picture now."),
        Operation("GET /cameras/{camera_id}/stream", "getMovingPictures", .live, "Moving pictures as motion JPEG")
            .explained(
                "One endless answer that any browser shows in an image. Pictures are made while somebody watches, and shared by all who do; "
                    + "a client that does not keep up gets fewer. The answer ends when the right to see the camera does."
            )
            .query("width", .integer(0...7680), "Pixels; made smaller to a multiple of 16. 0 or none: the camera's own.")
            .query("fps", Schema.integer(1...60).byDefault(5), "Pictures a second; never more than 10.")
            .answers(200, "JPEG pictures, each a part.", types: ["multipart/x-mixed-replace"])
            .refuses(404, noCamera)
            .refuses(503, "The camera has no picture now, or there are too many viewers."),
        watching("ws", "watchFrames", "Pictures and sound as the camera sends them, over a WebSocket")
            .explained(
                """
                Every message is binary and begins with ten bytes, little-endian: u8 kind (0 video, 1 sound, 2 JSON), u8 1 for a keyframe, \
                f64 seconds of presentation. Video is H.264 or H.265 in Annex B with parameter sets in front of every keyframe, or one \
                JPEG; sound is one frame of AAC, Opus or G.711. JSON has a `type`: `info` says what the frames behind it are, `state` how \
                the camera is, `motion` what moves, `lost` how many pictures a viewer who did not keep up has missed, `unplayable` why \
                a player gets no picture that it takes. The newest GOP comes at once.
                """),
        watching("mse", "watchFragments", "Fragmented MP4 for Media Source Extensions, over a WebSocket")
            .explained(
                """
                Text messages are the JSON of `/ws`; `info` has the `mime_type` of the source buffer. Binary messages are an \
                initialisation segment after every `info`, and one fragment for each frame. Fragments lie on one timeline, the wall \
                clock's; a player begins at the start of what is buffered.
                """),
        Operation("POST /cameras/{camera_id}/snapshot", "takeSnapshot", .live, "Store a picture now")
            .answers(.object(["status": .text, "message": .text]), "Stored, and an event of its own.")
            .refuses(403, "Not allowed, or snapshots by hand are switched off.")
            .refuses(404, noCamera)
            .refuses(503, "The camera has no picture now."),
    ]
}
