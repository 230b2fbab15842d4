import NVRModel

/// Groups, storage profiles, and cameras as files.
extension OpenAPIDocument {
    private static let noCamera = "There is no such camera."
    private static let noGroup = "There is no such group, or none of its cameras is yours to see."
    private static let done = Schema.object(["status": .text, "modified_count": Schema.integer.described("Cameras that differ now.")])
    private static let categories = Schema.array(of: .choice(CopiedCategories.all.map(\.rawValue)), count: 0...100)
    private static let name = Schema.text(1...100, pattern: "^[^\(unprintable)]*[^\\s\(unprintable)][^\(unprintable)]*$")
        .described("Spaces at the ends are taken away.")
    private static let about = Schema.text(0...1000, pattern: "^[^\(unprintable)]*$").orNull

    static let cameraFileOperations: [Operation] = [
        Operation("POST /cameras/{camera_id}/clone", "cloneCamera", .cameras, "Make another camera of the same settings")
            .explained("It is switched off, and its name ends in `(copy)`, unless the body says otherwise.")
            .body(.named("CameraChanges"), required: false)
            .answers(.named("Camera"), "The new camera.")
            .refuses(400, "A storage profile that is named does not exist.")
            .refuses(404, noCamera),
        Operation("POST /cameras/{camera_id}/copy-settings", "copySettings", .cameras, "Copy settings to cameras and to those of groups")
            .explained("Who a camera is, its addresses, ONVIF and the size of its picture are never copied. All is stored, or nothing.")
            .body(.object([:], optional: ["camera_ids": idList, "group_ids": idList, "categories": categories.orNull]))
            .answers(done, "How many cameras changed.")
            .refuses(404, "There is no such camera or group."),
        Operation("POST /cameras/{camera_id}/cleanup", "cleanUpCamera", .cameras, "Apply a camera's limits of age and size now")
            .query("type", .choice(["video", "snapshot"]), "Recordings or pictures; else both.")
            .answers(
                .object([
                    "status": .text, "message": .text, "deleted_count": .integer,
                    "deleted_size_bytes": Schema.id.described("Of files that are gone."),
                ]), "What was deleted."
            )
            .refuses(400, "No such type.")
            .refuses(404, noCamera),
        exported(Operation("GET /cameras/export/all", "exportCameras", .cameras, "All cameras as a file")),
        exported(
            Operation("POST /cameras/export/bulk", "exportSomeCameras", .cameras, "Some cameras as a file").body(ids("camera_ids"))
        ).refuses(404, noCamera),
        exported(Operation("GET /cameras/{camera_id}/export", "exportCamera", .cameras, "One camera as a file")).refuses(404, noCamera),
        imported(
            Operation("POST /cameras/import", "importCameras", .cameras, "Make cameras of a file")
                .explained(
                    "A file as exports have it, JSON or tar. Cameras whose address is there already are passed over. All is stored, or nothing.")),
        imported(
            Operation("POST /cameras/import/motioneye", "importMotionEye", .cameras, "Make cameras of a backup of motionEye")
                .explained("A `.tar.gz` as motionEye writes it, or one `camera-*.conf`. Cameras without an address are passed over.")),
    ]

    private static func imported(_ operation: Operation) -> Operation {
        operation
            .query("analyze_only", .boolean, "Store nothing; tell what is in the file and what is wrong with it.")
            .body(.object(["file": .binary]), as: "multipart/form-data")
            .answers(
                .object(
                    ["count": .integer],
                    optional: [
                        "message": .text, "skipped": .integer, "camera_ids": .array(of: .id),
                        "cameras": Schema.array(of: .map(of: .anything)).described("With `analyze_only`: each with `exists` and `problems`."),
                    ]), "What was made."
            )
            .refuses(400, "The file holds no cameras, or is an archive of anything but plain files.")
    }

    private static let idList = Schema.array(of: .id, count: 0...Call.mostIDs).orNull

    private static let exportedCamera = Schema.map(of: .anything).described("The fields of a camera; `groups` are names.")

    private static func exported(_ operation: Operation) -> Operation {
        operation
            .query("format", Schema.choice(["json", "tar"]).byDefault("json"), "`tar`: one JSON file for each camera.")
            .query("include_credentials", .boolean, "With passwords, tokens and user names.")
            .answers(
                "A file to save.",
                content: [("application/json", .any(of: [.named("CameraFile"), .named("CamerasFile")])), ("application/x-tar", .binary)],
                headers: [.attachment])
    }

    static let groupOperations: [Operation] = [
        Operation("GET /groups", "listGroups", .groups, "Groups with the cameras that you may see")
            .paged()
            .answers(.array(of: .named("Group")), "By id; API keys get cameras in the short form.", headers: [.totalCount]),
        Operation("POST /groups", "createGroup", .groups, "Make a group")
            .body(.object(["name": name], optional: ["description": about]))
            .answers(.named("Group"), "The group, empty.")
            .refuses(409, "The name is taken."),
        Operation("POST /groups/bulk-delete", "deleteGroups", .groups, "Delete several groups; their cameras stay")
            .body(ids("group_ids"))
            .answers(
                .object(["message": .text, "count": .integer, "deleted_count": .integer, "errors": .array(of: .text)]), "What was deleted."),
        Operation("GET /groups/{group_id}", "getGroup", .groups, "One group")
            .answers(.named("Group"), "The group.").refuses(404, noGroup),
        Operation("DELETE /groups/{group_id}", "deleteGroup", .groups, "Delete a group; its cameras stay")
            .answers(message, "Deleted.").refuses(404, noGroup),
        Operation("POST /groups/{group_id}/cameras", "setGroupCameras", .groups, "Make a group hold exactly these cameras")
            .body(ids("camera_ids"))
            .answers(.named("Group"), "The group.")
            .refuses(404, "There is no such group or camera."),
        Operation("POST /groups/{group_id}/action", "actOnGroup", .groups, "Do something to all cameras of a group")
            .explained("All is stored, or nothing.")
            .body(
                .object(
                    ["action": .choice(["enable_motion", "disable_motion", "copy_settings"])],
                    optional: [
                        "source_camera_id": Schema.id.orNull.described("For `copy_settings`."),
                        "target_camera_ids": idList.described("Cameras of the group; every one when absent."),
                        "categories": categories.orNull.described("For `copy_settings`; all when absent."),
                    ])
            )
            .answers(done, "How many cameras changed.")
            .refuses(400, "No such action, no source, or a camera of another group.")
            .refuses(404, "There is no such group or source."),
    ]

    static let groupSchemas: [(String, Schema)] = [
        ("CameraFile", .object(["camera": exportedCamera, "version": .text])),
        ("CamerasFile", .object(["cameras": .array(of: exportedCamera), "version": .text])),
        (
            "Group",
            .object([
                "name": .text, "description": Schema.text.orNull, "id": .id,
                "cameras": .array(of: .any(of: [.named("Camera"), .named("CameraSummary")])),
            ])
        ),
        (
            "StorageProfile",
            .object([
                "name": .text, "path": .text, "description": Schema.text.orNull, "max_size_gb": Schema.number.described("0: no limit."), "id": .id,
                "disk": Schema.any(of: [
                    .object(["total_gb": .number, "free_gb": .number, "percent": Schema.integer.orNull]), .null,
                ]).described("The volume of the folder, by its own file system; null when it cannot be reached."),
                "used_gb": Schema.number.described("Recordings and snapshots in the folder."), "state": storageState,
            ])
        ),
    ]

    static let storageState = Schema.object([
        "status": Schema.choice(["ok", "lost", "new"]).described(
            "`lost`: recording goes to the default folder, and nothing in this one is deleted. `new`: it was not looked at yet."),
        "cause": Schema.choice(["unknown", "not_mounted", "wrong_volume", "unreachable", "failing"]).orNull, "reason": Schema.text.orNull,
        "reason_code": .saidCode,
        "reason_parameters": .saidParameters,
        "since": Schema.dateTime.orNull,
    ])

    /// A profile as cameras show it.
    static let storageProfile = Schema.object([
        "name": .text, "path": .text, "description": Schema.text.orNull, "max_size_gb": .number, "id": .id,
    ])

    private static let noProfile = "There is no such profile."
    private static let badFolder = "The folder cannot be written, or lies where the system or this server keeps its own files."
    private static let taken =
        "The name is taken, the folder belongs to another profile or another installation, or recordings lie in the folder it has now."

    private static func profileFields(required: Bool) -> Schema {
        let path = Schema.text(1...StorageProfile.maxPathLength, format: "folder")
            .described("Absolute, without `..`, writable, outside of the system's folders; made when it is missing.")
        let size = Schema.number(0...1_000_000).orNull
        let rest: [(String, Schema)] = [("description", about), ("max_size_gb", required ? size.byDefault(0) : size)]
        let named: [(String, Schema)] = [("name", name), ("path", path)]
        return required ? .object(required: named, optional: rest) : .object(required: [], optional: named + rest)
    }

    private static let encryption = Schema.object([
        "enabled": Schema.boolean.described("Whether new footage is encrypted."),
        "key": Schema.text.orNull.described("Name of the key that new footage is encrypted with. Names tell nothing of keys."),
        "since": Schema.dateTime.orNull.described("Since when it is."),
        "keys": Schema.array(
            of: .object([
                "key": .text, "available": Schema.boolean.described("Whether the server has it."),
                "writing": Schema.boolean.described("New footage is encrypted with it."), "recordings": .integer, "bytes": .integer,
            ])
        ).described("Keys that the server has or that footage needs, with the footage that each has."),
        "clear": Schema.object(["recordings": .integer, "bytes": .integer]).described("Footage that is not encrypted."),
        "missing_keys": Schema.array(of: .text).described("Keys of footage that is listed and cannot be shown, since the server does not have them."),
    ])

    static let storageOperations: [Operation] = [
        Operation("GET /storage/encryption", "getFootageEncryption", .storage, "Whether footage is encrypted, and with which keys")
            .explained("Counts are up to 15 seconds old.").answers(encryption, "Keys by their names."),
        Operation("GET /storage/profiles", "listStorageProfiles", .storage, "Storage profiles")
            .paged().answers(.array(of: .named("StorageProfile")), "By id.", headers: [.totalCount]),
        Operation("POST /storage/profiles", "createStorageProfile", .storage, "Make a storage profile")
            .explained(
                """
                Cameras may name it for what they always record, for motion and for snapshots. Its folder is given a file \
                `.vibenvr-volume`, by which the right volume is told from another one or from an empty mount point; while it is not \
                there, recordings go to the default folder.
                """
            )
            .body(profileFields(required: true))
            .answers(.named("StorageProfile"), "The profile.").refuses(400, badFolder).refuses(409, taken),
        Operation("GET /storage/profiles/{profile_id}", "getStorageProfile", .storage, "One storage profile")
            .answers(.named("StorageProfile"), "The profile.").refuses(404, noProfile),
        Operation("PUT /storage/profiles/{profile_id}", "updateStorageProfile", .storage, "Change fields of a storage profile")
            .body(profileFields(required: false))
            .answers(.named("StorageProfile"), "The profile.").refuses(400, badFolder).refuses(404, noProfile).refuses(409, taken),
        Operation("DELETE /storage/profiles/{profile_id}", "deleteStorageProfile", .storage, "Delete a storage profile")
            .explained("Its cameras go back to the default. One that does not exist is as good as deleted.")
            .answers(message, "Deleted.").refuses(404, "The path names nothing.")
            .refuses(409, "Recordings or snapshots lie in its folder."),
    ]

    static let eventIntakeOperations: [Operation] = [
        Operation("POST /events", "createEvent", .events, "Mark a stretch of stored footage as an event")
            .explained("Sizes and dimensions are those of the footage, whatever the body says.")
            .body(
                .object(
                    [
                        "camera_id": .id, "timestamp_start": .dateTime, "type": .choice(Event.Medium.allCases.map(\.rawValue)),
                        "event_type": .choice(["motion", "manual"]),
                        "file_path": Schema.text(1...StorageProfile.maxPathLength).described("A recording of the camera, as events name it."),
                    ],
                    optional: [
                        "timestamp_end": Schema.dateTime.orNull.described("The recording's end when absent."),
                        "motion_score": Schema.number(0...1).orNull, "ai_metadata": Schema.text(0...100_000).orNull,
                    ])
            )
            .answers(.named("Event"), "The event.")
            .refuses(400, "The recording holds nothing of this time.")
            .refuses(404, "There is no such camera or recording.")
            .refuses(409, "The picture has an event already."),
        Operation("POST /events/webhook", "reportMotion", .events, "Tell of motion that another program sees")
            .explained("Motion ends with `motion_off`, or after a minute in which nothing is told of it. One of `type` and `event` is required.")
            .body(
                .object(
                    ["camera_id": .id],
                    optional: [
                        "type": .choice(["motion_on", "motion_off"]), "event": .choice(["motion_on", "motion_off"]),
                        "timestamp": Schema.dateTime.orNull.described(
                            "When it was seen; counts as far back as the camera keeps footage from before motion."),
                    ])
            )
            .answers(.object(["status": .text]), "Taken over.")
            .refuses(404, "There is no such camera.")
            .refuses(409, "The camera is switched off."),
        Operation("DELETE /events/bulk/all", "deleteAllEvents", .events, "Delete all events, or all of a kind, with their footage")
            .explained("Events that last stay, and so does what is held and footage that an event of another kind needs.")
            .query("event_type", .choice(["video", "picture", "snapshot", "motion", "continuous", "manual"]), "What to delete.")
            .answers(
                .object(
                    ["deleted_count": .integer, "deleted_size_bytes": .id, "deleted_size_mb": .number, "type": .text],
                    optional: ["errors": Schema.array(of: .text).described("How many events stayed because they are held; left out for none.")]),
                "What was deleted, and the bytes that the disks have back: none of a file that has another name, as an imported one may."),
    ]
}
