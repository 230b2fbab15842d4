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
            .refuses(404, noCamera),
        Operation("POST /cameras/{camera_id}/recording", "toggleRecording", .cameras, "Switch continuous recording on, or back to the mode before")
            .answers(.named("ToggledCamera"), "The camera.")
            .refuses(404, noCamera),
    ]

    static let liveOperations: [Operation] = [
        Operation("POST /cameras/probe-stream", "probeStream", .live, "Look at a stream before it is saved")
            .body(
                .object(
                    ["rtsp_url": Schema.text(0...CameraURL.maxLength, format: Format.url)],
                    optional: ["rtsp_transport": Schema.choice(StreamTransport.allCases.map(\.rawValue)).byDefault("tcp")])
            )
            .answers(
                .object(
                    ["success": .boolean, "width": Schema.integer.orNull, "height": Schema.integer.orNull, "error": Schema.text.orNull],
                    optional: ["codec": Schema.text.orNull, "audio_codec": Schema.text.orNull]), "What was seen, or why nothing was."),
        Operation("GET /cameras/{camera_id}/frame", "getFrame", .live, "The newest picture")
            .query("width", .integer(0...7680), "Pixels; made smaller to a multiple of 16. 0 or none: the camera's own.")
            .query("raw", .boolean, "Without masks; administrators only.")
            .answers(200, "A JPEG.", types: ["image/jpeg"])
            .refuses(403, "`raw` is for administrators.")
            .refuses(404, noCamera)
            .refuses(503, "The camera has no picture now."),
        Operation("POST /cameras/{camera_id}/snapshot", "takeSnapshot", .live, "Store a picture now")
            .answers(.object(["status": .text, "message": .text]), "Stored, and an event of its own.")
            .refuses(403, "Not allowed, or snapshots by hand are switched off.")
            .refuses(404, noCamera)
            .refuses(503, "The camera has no picture now."),
    ]
}
