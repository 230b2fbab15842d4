import Logging
import NVRBase
package import NVRModel
package import NVRStore

/// Deletes footage and pictures: first the rows say so, then the files go, then the last rows. A crash in between is finished by the
/// next start.
package final class MediaRemoval: Sendable {
    private let layout: RecordingLayout
    private let store: Store
    private let thread = BlockingThread(name: "removal")
    private let playback: Playback

    package init(layout: RecordingLayout, store: Store, playback: Playback) {
        self.layout = layout
        self.store = store
        self.playback = playback
    }

    /// Deletes events with their pictures, and footage that no other event stands for. Gives those that were there.
    package func deleteEvents(_ ids: [ID<Event>]) async throws -> [Event] {
        let deletion = try await store.events.delete(ids)
        try await sweep()
        return deletion.deleted
    }

    /// Deletes everything that was recorded of a camera.
    package func deleteMedia(of camera: ID<Camera>) async throws {
        try await store.cameras.cleanUp(camera)
        try await sweep()
    }

    /// Unlinks what the rows have given up.
    package func sweep() async throws {
        while true {
            let garbage = try await store.segments.garbage(limit: 500)
            guard !garbage.isEmpty else { break }
            playback.forget()
            try await unlink(garbage.map(\.path))
            try await store.segments.removeGarbage(garbage.map(\.id))
        }
        while true {
            let files = try await store.segments.garbageFiles(limit: 500)
            guard !files.isEmpty else { break }
            try await unlink(files)
            try await store.segments.removeGarbageFiles(files)
        }
    }

    private func unlink(_ paths: [String]) async throws {
        try await thread.run { [layout] in
            for path in paths { try POSIXFile.remove(layout.absolute(path)) }
            let folders = Set(paths.compactMap { POSIXFile.parent(of: layout.absolute($0)) })
            for folder in folders where POSIXFile.exists(folder) {
                try POSIXFile.syncDirectory(folder)
                POSIXFile.removeEmptyDirectories(from: folder, below: layout.root)
            }
        }
    }
}
