import NVRBase
package import NVRModel
package import NVRRecording

/// What the web side asks of ranges of footage. A value of functions, so that routes are tested without a disk.
package struct ReplayMedia: Sendable {
    package var index: @Sendable (ID<Camera>, TimeRange) async throws -> [ReplaySegment]
    package var export: @Sendable (ID<Camera>, TimeRange, _ isExact: Bool, _ fileName: String) async throws -> MediaContent
    package var keyframe: @Sendable (ID<Camera>, WallTime, _ width: Int, _ isWanted: @escaping @Sendable () -> Bool) async throws -> MediaContent
    package var timeLapse: @Sendable (ID<Camera>, TimeRange, _ seconds: Int, _ fileName: String) async throws -> MediaContent
    /// What is on the sheet of previews of the hour of a time, and the sheet.
    package var sheet: @Sendable (ID<Camera>, WallTime) async throws -> PreviewSheet = { _, _ in throw Self.nothing }
    package var sheetPicture: @Sendable (ID<Camera>, WallTime, _ isWanted: @escaping @Sendable () -> Bool) async throws -> MediaContent = {
        _, _, _ in throw Self.nothing
    }
    /// A ZIP to take away.
    package var archive: @Sendable (ExportRequest) async throws -> StreamedContent = { _ in throw Self.nothing }
    /// The key that archives are signed with.
    package var publicKey: (fingerprint: String, pem: String) = ("", "")

    private static let nothing = NVRError(.notFound, "there is no footage of this time")

    package init(
        index: @escaping @Sendable (ID<Camera>, TimeRange) async throws -> [ReplaySegment],
        export: @escaping @Sendable (ID<Camera>, TimeRange, _ isExact: Bool, _ fileName: String) async throws -> MediaContent,
        keyframe: @escaping @Sendable (ID<Camera>, WallTime, _ width: Int, _ isWanted: @escaping @Sendable () -> Bool) async throws -> MediaContent,
        timeLapse: @escaping @Sendable (ID<Camera>, TimeRange, _ seconds: Int, _ fileName: String) async throws -> MediaContent
    ) {
        self.index = index
        self.export = export
        self.keyframe = keyframe
        self.timeLapse = timeLapse
    }

    package init(playback: Playback, exports: Exports, sheets: PreviewSheets) {
        self.init(
            index: { try await playback.index(of: $0, $1) },
            export: { MediaContent(try await playback.export($0, $1, isExact: $2, fileName: $3)) },
            keyframe: { MediaContent(try await playback.keyframe(of: $0, at: $1, width: $2, isWanted: $3)) },
            timeLapse: { MediaContent(try await playback.timeLapse($0, $1, seconds: $2, fileName: $3)) })
        sheet = { try await sheets.sheet(of: $0, at: $1) }
        sheetPicture = { MediaContent(try await sheets.picture(of: $0, at: $1, isWanted: $2)) }
        archive = { StreamedContent(try await exports.archive($0)) }
        publicKey = (exports.publicKey.fingerprint, exports.publicKey.pem)
    }
}
