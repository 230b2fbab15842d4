import Logging
import NVRBase
package import NVRModel
package import NVRStore
import Synchronization

/// Deletes footage and pictures: first the rows say so, then the files go, then the last rows. A crash in between is finished by the
/// next start.
package final class MediaRemoval: Sendable {
    private let layout: RecordingLayout
    let store: Store
    let thread = BlockingThread(name: "removal")
    private let playback: Playback
    private let listener = Mutex<Listener?>(nil)

    /// Hears of footage that is about to go.
    package typealias Listener = @Sendable ([(camera: ID<Camera>, range: TimeRange)]) async -> Void

    package init(layout: RecordingLayout, store: Store, playback: Playback) {
        self.layout = layout
        self.store = store
        self.playback = playback
    }

    /// The folder of a volume; nil for one that cannot be reached.
    func root(of volume: Int64) -> String? { volume == 0 ? layout.root : nil }

    /// Who keeps things made of footage, and has to forget them with it.
    package func onRemoval(_ listener: @escaping Listener) { self.listener.withLock { $0 = listener } }

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

    /// What a deletion took.
    package struct Removed: Sendable, Equatable {
        package var events: Int
        /// Bytes of the files that are gone.
        package var bytes: Int64

        package init(events: Int, bytes: Int64) {
            self.events = events
            self.bytes = bytes
        }
    }

    /// Deletes the events of a medium and kind that have ended, with what only they stood for; nil means any.
    package func deleteAll(medium: Event.Medium?, kind: Event.Kind?) async throws -> Removed {
        let events = try await store.events.deleteAll(medium: medium, kind: kind)
        return Removed(events: events, bytes: try await sweep())
    }

    /// Unlinks what the rows have given up; gives the bytes of the files.
    @discardableResult
    package func sweep() async throws -> Int64 {
        var bytes: Int64 = 0
        while true {
            let garbage = try await store.segments.garbage(limit: 500)
            guard !garbage.isEmpty else { break }
            playback.forget()
            if let listener = listener.withLock({ $0 }) { await listener(try await store.segments.ranges(of: garbage.map(\.id))) }
            bytes += try await unlink(garbage.map(\.path))
            try await store.segments.removeGarbage(garbage.map(\.id))
        }
        while true {
            let files = try await store.segments.garbageFiles(limit: 500)
            guard !files.isEmpty else { break }
            bytes += try await unlink(files)
            try await store.segments.removeGarbageFiles(files)
        }
        return bytes
    }

    private func unlink(_ paths: [String]) async throws -> Int64 {
        try await thread.run { [layout] in
            var bytes: Int64 = 0
            for path in paths {
                let length = POSIXFile.length(at: layout.absolute(path)) ?? 0
                if try POSIXFile.remove(layout.absolute(path)) { bytes += length }
            }
            let folders = Set(paths.compactMap { POSIXFile.parent(of: layout.absolute($0)) })
            for folder in folders where POSIXFile.exists(folder) {
                try POSIXFile.syncDirectory(folder)
                POSIXFile.removeEmptyDirectories(from: folder, below: layout.root)
            }
            return bytes
        }
    }
}
