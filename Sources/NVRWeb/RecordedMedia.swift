package import NVRBase
package import NVRModel
package import NVRRecording

/// What the web side asks of stored footage and pictures. A value of functions, so that routes are tested without a disk.
package struct RecordedMedia: Sendable {
    /// A file by its path below the recording root, if the database lists it. Throws `notFound`.
    package var file: @Sendable (_ path: String) async throws -> MediaContent
    /// One movie of an event's range.
    package var video: @Sendable (Event) async throws -> MediaContent
    package var thumbnail: @Sendable (Event) async throws -> MediaContent
    /// Deletes events with what only they stand for; gives those that existed.
    package var deleteEvents: @Sendable ([ID<Event>]) async throws -> [Event]
    /// Deletes all footage and pictures of a camera.
    package var deleteMedia: @Sendable (ID<Camera>) async throws -> Void
    /// Deletes the ended events of a medium and kind, nil meaning any, with what only they stood for.
    package var deleteAll: @Sendable (Event.Medium?, Event.Kind?) async throws -> MediaRemoval.Removed
    /// Applies a camera's limits of age and size to its recordings, its snapshots, or both.
    package var enforceLimits: @Sendable (Camera, Event.Medium?) async throws -> MediaRemoval.Removed
    /// Bytes of a camera's footage in a range, of which the segment holds something.
    package var bytes: @Sendable (ID<Camera>, TimeRange, Segment) async throws -> Int64?

    package init(
        file: @escaping @Sendable (_ path: String) async throws -> MediaContent,
        video: @escaping @Sendable (Event) async throws -> MediaContent,
        thumbnail: @escaping @Sendable (Event) async throws -> MediaContent,
        deleteEvents: @escaping @Sendable ([ID<Event>]) async throws -> [Event],
        deleteMedia: @escaping @Sendable (ID<Camera>) async throws -> Void,
        deleteAll: @escaping @Sendable (Event.Medium?, Event.Kind?) async throws -> MediaRemoval.Removed,
        enforceLimits: @escaping @Sendable (Camera, Event.Medium?) async throws -> MediaRemoval.Removed,
        bytes: @escaping @Sendable (ID<Camera>, TimeRange, Segment) async throws -> Int64?
    ) {
        self.file = file
        self.video = video
        self.thumbnail = thumbnail
        self.deleteEvents = deleteEvents
        self.deleteMedia = deleteMedia
        self.deleteAll = deleteAll
        self.enforceLimits = enforceLimits
        self.bytes = bytes
    }

    package init(playback: Playback, removal: MediaRemoval, clock: any NVRClock) {
        self.init(
            file: { MediaContent(try await playback.media(path: $0)) }, video: { MediaContent(try await playback.video(of: $0)) },
            thumbnail: { MediaContent(try await playback.thumbnail(of: $0)) }, deleteEvents: { try await removal.deleteEvents($0) },
            deleteMedia: { try await removal.deleteMedia(of: $0) }, deleteAll: { try await removal.deleteAll(medium: $0, kind: $1) },
            enforceLimits: { try await removal.enforceLimits(of: $0, medium: $1, now: WallTime(microseconds: clock.wall())) },
            bytes: { try await playback.bytes(of: $0, $1, in: $2) })
    }
}

extension MediaContent {
    /// Holds `media`, and with it the open files, as long as the answer is being sent.
    init(_ media: StoredMedia) {
        self.init(
            contentType: media.contentType, length: media.length, etag: media.etag,
            lastModified: HTTPDate(seconds: media.lastModified.microseconds.flooredDivision(by: 1_000_000).quotient),
            fileName: media.fileName, read: { try media.read(offset: $0, count: $1) })
        volumes = media.volumes
    }
}
