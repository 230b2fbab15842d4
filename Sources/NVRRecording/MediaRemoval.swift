package import Logging
import NVRBase
package import NVRModel
package import NVRStore
import Synchronization

/// Deletes footage and pictures: first the rows say so, then the files go, then the last rows. A crash in between is finished by the
/// next start.
package final class MediaRemoval: Sendable {
    let layout: RecordingLayout
    let store: Store
    let threads: VolumeThreads
    private let playback: Playback
    private let listener = Mutex<Listener?>(nil)
    /// Something is to be deleted in a bucket.
    let remoteWishes: AsyncStream<Void>
    private let remoteWish: AsyncStream<Void>.Continuation

    /// Hears of footage that is about to go.
    package typealias Listener = @Sendable ([(camera: ID<Camera>, range: TimeRange)]) async -> Void

    package init(layout: RecordingLayout, store: Store, playback: Playback) {
        self.layout = layout
        self.store = store
        self.playback = playback
        threads = VolumeThreads("removal", volumes: layout.volumes)
        (remoteWishes, remoteWish) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// The folder of a volume; nil when it is not the right one now.
    func root(of volume: VolumeID) async -> String? {
        await threads.confirmed([volume]).isEmpty ? nil : layout.volumes.root(of: volume)
    }

    /// The folders of the volumes that may be deleted from now.
    package func roots() async -> [(id: VolumeID, root: String)] {
        await confirmed().sorted().compactMap { volume in layout.volumes.root(of: volume).map { (volume, $0) } }
    }

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

    /// Somebody looks after what is to be deleted in buckets.
    func wakeRemote() { remoteWish.yield() }

    /// What is made of footage is forgotten with it.
    func tell(of garbage: [GarbageSegment]) async throws {
        playback.forget()
        if let listener = listener.withLock({ $0 }) { await listener(try await store.segments.ranges(of: garbage.map(\.id))) }
    }

    /// Unlinks what the rows have given up; gives the bytes of the files. What lies in buckets follows in the background.
    @discardableResult
    package func sweep() async throws -> Int64 {
        var bytes: Int64 = 0
        while let freed = try await sweepSegments() { bytes += freed }
        while let freed = try await sweepFiles() { bytes += freed }
        if try await store.segments.garbageVolumes().contains(where: \.isRemote) { wakeRemote() }
        return bytes
    }

    /// Goes on with the deletions that the last run of the program left to this one, until they are done or the task is cancelled: the
    /// next start goes on then.
    package func sweepWhatIsLeft(logger: Logger) async {
        do {
            while !Task.isCancelled, try await sweepSegments() != nil {}
            while !Task.isCancelled, try await sweepFiles() != nil {}
        } catch {
            logger.warning("deletions of the last run are left to the next cleanup or start", metadata: ["error": "\(error)"])
        }
    }

    /// Unlinks some segments; gives the bytes of their files, nil when none went.
    private func sweepSegments() async throws -> Int64? {
        let garbage = try await store.segments.garbage(on: await confirmed(), limit: 500)
        guard !garbage.isEmpty else { return nil }
        try await tell(of: garbage)
        let (gone, freed) = try await unlink(garbage.map(\.place))
        try await store.segments.removeGarbage(garbage.filter { gone.contains($0.place) }.map(\.id))
        return gone.isEmpty ? nil : freed
    }

    /// The same for pictures, and for originals of what was moved.
    private func sweepFiles() async throws -> Int64? {
        let files = try await store.segments.garbageFiles(on: await confirmed(), limit: 500)
        guard !files.isEmpty else { return nil }
        let (gone, freed) = try await unlink(files)
        try await store.segments.removeGarbageFiles(Array(gone))
        return gone.isEmpty ? nil : freed
    }

    /// Folders that are there and the right ones: only there may anything be unlinked.
    func confirmed() async -> Set<VolumeID> { await threads.confirmed() }

    /// Seconds that one file may take.
    private static let patience = Duration.seconds(30)

    /// Unlinks files; gives those that are gone for certain, and the bytes that they had. What lies on a volume that hangs waits for the
    /// next sweep, and nobody else waits for it.
    private func unlink(_ places: [FootagePlace]) async throws -> (gone: Set<FootagePlace>, bytes: Int64) {
        var all: (gone: Set<FootagePlace>, bytes: Int64) = ([], 0)
        for (volume, places) in Dictionary(grouping: Set(places), by: \.volume) {
            do {
                let (gone, bytes) = try await unlink(places, on: volume)
                all = (all.gone.union(gone), all.bytes + bytes)
            } catch let error as NVRError where error.kind == .unavailable {
                continue
            }
        }
        return all
    }

    /// Of a volume that turns out not to be the right one nothing is gone: what was not found there may come back with it.
    private func unlink(_ places: [FootagePlace], on volume: VolumeID) async throws -> (gone: [FootagePlace], bytes: Int64) {
        try await threads.run(on: volume, patience: Self.patience) { [layout, threads] in
            var bytes: Int64 = 0
            var folders: Set<FootagePlace> = []
            for place in places {
                // Lost since the list was made: what is to go waits for its return.
                guard layout.volumes.isUsable(place.volume) else { continue }
                threads.nextStep(on: volume)
                let path = try layout.absolute(place)
                let length = POSIXFile.length(at: path) ?? 0
                if try POSIXFile.remove(path) { bytes += length }
                if let folder = POSIXFile.parent(of: path) { folders.insert(FootagePlace(place.volume, folder)) }
            }
            for folder in folders where POSIXFile.exists(folder.path) {
                try POSIXFile.syncDirectory(folder.path)
                if let root = layout.volumes.root(of: folder.volume) { POSIXFile.removeEmptyDirectories(from: folder.path, below: root) }
            }
            return (layout.volumes.confirm(volume) ? places : [], bytes)
        }
    }
}
