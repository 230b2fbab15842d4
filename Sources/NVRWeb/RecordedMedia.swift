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

    package init(
        file: @escaping @Sendable (_ path: String) async throws -> MediaContent,
        video: @escaping @Sendable (Event) async throws -> MediaContent,
        thumbnail: @escaping @Sendable (Event) async throws -> MediaContent,
        deleteEvents: @escaping @Sendable ([ID<Event>]) async throws -> [Event],
        deleteMedia: @escaping @Sendable (ID<Camera>) async throws -> Void
    ) {
        self.file = file
        self.video = video
        self.thumbnail = thumbnail
        self.deleteEvents = deleteEvents
        self.deleteMedia = deleteMedia
    }

    package init(playback: Playback, removal: MediaRemoval) {
        self.init(
            file: { MediaContent(try await playback.media(path: $0)) }, video: { MediaContent(try await playback.video(of: $0)) },
            thumbnail: { MediaContent(try await playback.thumbnail(of: $0)) }, deleteEvents: { try await removal.deleteEvents($0) },
            deleteMedia: { try await removal.deleteMedia(of: $0) })
    }
}

extension MediaContent {
    /// Holds `media`, and with it the open files, as long as the answer is being sent.
    init(_ media: StoredMedia) {
        self.init(
            contentType: media.contentType, length: media.length, etag: media.etag,
            lastModified: HTTPDate(seconds: media.lastModified.microseconds.flooredDivision(by: 1_000_000).quotient),
            fileName: media.fileName, read: { try media.read(offset: $0, count: $1) })
    }
}
