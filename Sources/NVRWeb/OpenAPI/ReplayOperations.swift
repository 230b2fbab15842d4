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
            .query("inline", .boolean, "To be shown and not to be saved.")
            .answersBytes(["video/mp4"], headers: [.attachment]).refuses(404, noFootage),
        ranged(Operation("GET /cameras/{camera_id}/timelapse.mp4", "exportTimeLapse", .media, "A range in a minute, of its key frames"))
            .query("seconds", Schema.integer(5...300).byDefault(60), "How long the movie is at most.")
            .query("inline", .boolean, "To be shown and not to be saved.")
            .answersBytes(["video/mp4"], headers: [.attachment]).refuses(404, noFootage),
        Operation("GET /cameras/{camera_id}/preview.jpg", "getPreview", .media, "The key frame nearest to a time, for scrubbing")
            .query("t", time, "The time.", required: true)
            .query("width", Schema.integer(64...1920).byDefault(320), "Pixels; rounded down to a multiple of 16, never wider than the footage.")
            .answersBytes(["image/jpeg"]).refuses(404, noFootage),
    ]

    private static func ranged(_ operation: Operation) -> Operation {
        operation.query("start", time, "From when.", required: true)
            .query("end", time, "Until when, 48 hours later at most; now when left out.")
    }

    static let replaySchemas: [(String, Schema)] = [
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
                        "fragments": .array(
                            of: .object([
                                "start": .dateTime, "duration": Schema.number.described("Seconds."), "offset": .integer, "size": .integer,
                                "media_start": Schema.number.described("Decode time of its first picture in the file, seconds."),
                            ])),
                    ])),
            ])
        )
    ]
}
