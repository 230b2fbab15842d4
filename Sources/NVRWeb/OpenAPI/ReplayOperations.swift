import NVRModel

/// Footage of any time.
extension OpenAPIDocument {
    private static let noFootage = "There is no footage of this time, or no such camera, or you may not see it."
    private static let time = Schema.text(1...40).described("ISO 8601, without a zone in the server's, or seconds since 1970 UTC.")

    static let replayOperations: [Operation] = [
        ranged(Operation("GET /cameras/{camera_id}/playback.m3u8", "getPlaylist", .media, "Footage as an HLS playlist"))
            .explained("fMP4 byte ranges into the stored segments. While `end` lies in the present the playlist stays open and grows.")
            .answers(200, "The playlist.", types: ["application/vnd.apple.mpegurl"], schema: .text).refuses(404, noFootage),
        ranged(Operation("GET /cameras/{camera_id}/playback.json", "getPlaybackIndex", .media, "Footage as byte ranges of the stored segments"))
            .explained("For Media Source players: `init_length` bytes of a file's head, then any fragment; each begins with a key frame.")
            .answers(.named("PlaybackIndex"), "The segments, oldest first; none where nothing was recorded.")
            .refuses(404, "There is no such camera, or you may not see it."),
        ranged(Operation("GET /cameras/{camera_id}/export.mp4", "exportFootage", .media, "A range as one MP4, never re-encoded"))
            .query("exact", .boolean, "Begin and end on the frame (by an edit list) and not at key frames.")
            .query("manifest", .boolean, "A ZIP with the MP4, a manifest and its signature, as `POST /exports` makes it; always whole.")
            .query("inline", .boolean, "To be shown and not to be saved.")
            .answersBytes(["video/mp4", "application/zip"], headers: [.attachment]).refuses(404, noFootage),
        ranged(Operation("GET /cameras/{camera_id}/timelapse.mp4", "exportTimeLapse", .media, "A range in a minute, of its key frames"))
            .query("seconds", Schema.integer(5...300).byDefault(60), "How long the movie is at most.")
            .query("inline", .boolean, "To be shown and not to be saved.")
            .answersBytes(["video/mp4"], headers: [.attachment]).refuses(404, noFootage),
        Operation("GET /cameras/{camera_id}/preview.jpg", "getPreview", .media, "The key frame nearest to a time, for scrubbing")
            .query("t", time, "The time.", required: true)
            .query("width", Schema.integer(64...1920).byDefault(320), "Pixels; rounded down to a multiple of 16, never wider than the footage.")
            .answersBytes(["image/jpeg"]).refuses(404, noFootage),
        Operation("GET /cameras/{camera_id}/sprite.json", "getPreviewSheet", .media, "What is on an hour's sheet of previews")
            .explained("Nothing is decoded for it. While the hour goes on the sheet grows, and its `url` changes with it.")
            .query("t", time, "A time in the hour; hours are those of UTC.", required: true)
            .answers(.named("PreviewSheet"), "The tiles that have a picture: the first key frame of their half minute.").refuses(404, noFootage),
        Operation("GET /cameras/{camera_id}/sprite.jpg", "getPreviewSheetPicture", .media, "An hour's previews as one picture of tiles")
            .explained("Made when it is asked for, and kept within a budget.")
            .query("t", time, "A time in the hour.", required: true)
            .query("v", .text, "Of no meaning here: it lets browsers keep what does not change.")
            .answersBytes(["image/jpeg"]).refuses(404, noFootage),
    ]

    private static let archive = """
        Stored and not compressed, of known length, made while it is sent: there are no ranges. One MP4 for each camera; those without \
        footage are named in `missing.txt`. With `event_ids` one file for each event, a JPEG for a snapshot. With `manifest` they are named in `manifest.json`, which also tells cameras, times, segments, \
        SHA-256 and who exported; `manifest.sig` is the Ed25519 signature of its bytes by the key in `public-key.pem`. \
        `vibenvr verify FILE` checks it.
        """

    static let exportOperations: [Operation] = [
        Operation("POST /exports", "exportFootageOfCameras", .media, "Footage of several cameras in one ZIP")
            .explained(archive)
            .body(
                Schema.any(of: [
                    .object(
                        ["camera_ids": .array(of: .id, count: 1...ExportRoutes.mostCameras), "start": anyTime],
                        optional: [
                            "end": Schema.any(of: [anyTime, .null]).described("Now when left out; 48 hours for all cameras together at most."),
                            "exact": Schema.any(of: [.boolean, .null]), "manifest": Schema.any(of: [.boolean, .null]),
                        ]),
                    .object(
                        ["event_ids": .array(of: .id, count: 1...ExportRoutes.mostEvents)],
                        optional: ["exact": Schema.any(of: [.boolean, .null]), "manifest": Schema.any(of: [.boolean, .null])]),
                ])
            )
            .answers(200, "The archive.", types: ["application/zip"], headers: [.attachment])
            .refuses(404, noFootage),
        Operation("GET /exports", "downloadExport", .media, "The same for plain links")
            .explained(archive)
            .query("camera_ids", .text(1...2000), "Ids with commas; with `start`.")
            .query("start", time, "From when.")
            .query("end", time, "Until when; now when left out.")
            .query("event_ids", .text(1...4000), "Ids with commas, in place of cameras and a time.")
            .query("exact", .boolean, "Begin and end on the frame.")
            .query("manifest", .boolean, "With a manifest and a signature.")
            .answers(200, "The archive.", types: ["application/zip"], headers: [.attachment])
            .refuses(403, "You may see one of the cameras, but not its footage.").refuses(404, noFootage),
        Operation("GET /exports/public-key", "getExportKey", .media, "The key that exports are signed with")
            .answers(
                .object([
                    "algorithm": .text, "fingerprint_sha256": Schema.text.described("Of the key's SubjectPublicKeyInfo, hexadecimal."),
                    "pem": .text,
                ]), "The public half."),
    ]

    private static let anyTime = Schema.any(of: [
        Schema.text(1...40, format: "date-time").described("Without a zone in the server's."),
        Schema.number(0...1e11).described("Seconds since 1970 UTC."),
    ])

    private static func ranged(_ operation: Operation) -> Operation {
        operation.query("start", time, "From when.", required: true)
            .query("end", time, "Until when, 48 hours later at most; now when left out.")
    }

    static let replaySchemas: [(String, Schema)] = [
        (
            "PreviewSheet",
            .object([
                "camera_id": .id, "start": .dateTime, "end": .dateTime, "url": Schema.text.described("Of the picture; a path of this server."),
                "interval": Schema.number.described("Seconds from tile to tile."), "columns": .integer, "rows": .integer,
                "tile_width": Schema.integer.described("Pixels."), "tile_height": .integer,
                "is_complete": Schema.boolean.described("The hour is over."),
                "tiles": .array(
                    of: .object([
                        "index": Schema.integer.described("Row by row."), "x": Schema.integer.described("Pixels from the left."), "y": .integer,
                        "time": Schema.dateTime.described("Of the picture."),
                    ])),
            ])
        ),
        (
            "PlaybackIndex",
            .object([
                "camera_id": .id, "start": .dateTime, "end": .dateTime,
                "segments": .array(
                    of: .object([
                        "url": Schema.text.described("A path of this server."),
                        "init_length": Schema.integer.described("Bytes at the head of the file."),
                        "codecs": Schema.text.described("RFC 6381."), "width": .integer, "height": .integer,
                        "run": Schema.integer.described("Segments of one run join without a gap."),
                        "is_growing": Schema.boolean.described("More will come."),
                        "is_encrypted": Schema.boolean.described("As it lies on the disk; what is read here is not."),
                        "fragments": .array(
                            of: .object([
                                "start": .dateTime, "duration": Schema.number.described("Seconds."), "offset": .integer, "size": .integer,
                                "media_start": Schema.number.described("Decode time of its first picture in the file, seconds."),
                            ])),
                    ])),
            ])
        ),
    ]
}
