package import NVRModel
package import NVRRecording

/// What the web side asks of ranges of footage. A value of functions, so that routes are tested without a disk.
package struct ReplayMedia: Sendable {
    package var index: @Sendable (ID<Camera>, TimeRange) async throws -> [ReplaySegment]
    package var export: @Sendable (ID<Camera>, TimeRange, _ isExact: Bool, _ fileName: String) async throws -> MediaContent
    package var keyframe: @Sendable (ID<Camera>, WallTime, _ width: Int) async throws -> MediaContent
    package var timeLapse: @Sendable (ID<Camera>, TimeRange, _ seconds: Int, _ fileName: String) async throws -> MediaContent

    package init(
        index: @escaping @Sendable (ID<Camera>, TimeRange) async throws -> [ReplaySegment],
        export: @escaping @Sendable (ID<Camera>, TimeRange, _ isExact: Bool, _ fileName: String) async throws -> MediaContent,
        keyframe: @escaping @Sendable (ID<Camera>, WallTime, _ width: Int) async throws -> MediaContent,
        timeLapse: @escaping @Sendable (ID<Camera>, TimeRange, _ seconds: Int, _ fileName: String) async throws -> MediaContent
    ) {
        self.index = index
        self.export = export
        self.keyframe = keyframe
        self.timeLapse = timeLapse
    }

    package init(playback: Playback) {
        self.init(
            index: { try await playback.index(of: $0, $1) },
            export: { MediaContent(try await playback.export($0, $1, isExact: $2, fileName: $3)) },
            keyframe: { MediaContent(try await playback.keyframe(of: $0, at: $1, width: $2)) },
            timeLapse: { MediaContent(try await playback.timeLapse($0, $1, seconds: $2, fileName: $3)) })
    }
}
