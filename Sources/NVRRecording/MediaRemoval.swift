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
    private let logger: Logger
    /// Said of a file that cannot be deleted; nil while all can.
    private let stuck = Mutex<String?>(nil)
    /// Something is to be deleted in a bucket.
    let remoteWishes: AsyncStream<Void>
    private let remoteWish: AsyncStream<Void>.Continuation

    /// Hears of footage that is about to go.
    package typealias Listener = @Sendable ([(camera: ID<Camera>, range: TimeRange)]) async -> Void

    package init(layout: RecordingLayout, store: Store, playback: Playback, logger: Logger = Logger(label: "vibenvr")) {
        self.logger = logger
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
        /// Bytes of the files that are gone, without those that had another name: they free nothing.
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

    /// Unlinks what the rows have given up; gives the bytes that come free. What lies in buckets follows in the background. A file that
    /// cannot be deleted keeps its row, is tried again by the next sweep, and keeps none of the others.
    @discardableResult
    package func sweep() async throws -> Int64 {
        var sweep = Sweep()
        while try await unlinkSegments(&sweep) {}
        while try await unlinkFiles(&sweep) {}
        say(sweep.unlinked)
        if try await store.segments.garbageVolumes().contains(where: \.isRemote) { wakeRemote() }
        return sweep.unlinked.bytes
    }

    /// How far deletions came, and what they came to.
    private struct Sweep: Sendable {
        var lastSegment = ID<Segment>(0)
        var lastFile: FootagePlace?
        var unlinked = Unlinked()
    }

    /// What unlinking came to.
    private struct Unlinked: Sendable {
        /// That came free.
        var bytes: Int64 = 0
        var failures = 0
        /// What the system said of the first of them.
        var failure: FileError?
    }

    /// Tells once of files that cannot be deleted, and when they can.
    private func say(_ unlinked: Unlinked) {
        let text = unlinked.failure?.description
        let isNews = stuck.withLock { stuck in
            defer { stuck = text }
            return (stuck == nil) != (text == nil)
        }
        guard isNews else { return }
        if let text {
            logger.error(
                "recordings or pictures that were given up cannot be deleted; tried again with every deletion",
                metadata: ["files": "\(unlinked.failures)", "error": "\(text)"])
        } else {
            logger.notice("what could not be deleted is gone now")
        }
    }

    /// Goes on with the deletions that the last run of the program left to this one, until they are done or the task is cancelled: the
    /// next start goes on then.
    package func sweepWhatIsLeft() async {
        var sweep = Sweep()
        do {
            while !Task.isCancelled, try await unlinkSegments(&sweep) {}
            while !Task.isCancelled, try await unlinkFiles(&sweep) {}
            say(sweep.unlinked)
        } catch {
            logger.warning("deletions of the last run are left to the next cleanup or start", metadata: ["error": "\(error)"])
        }
    }

    /// Unlinks some more segments; false when there are none.
    private func unlinkSegments(_ sweep: inout Sweep) async throws -> Bool {
        let garbage = try await store.segments.garbage(on: await confirmed(), after: sweep.lastSegment, limit: 500)
        guard let last = garbage.last else { return false }
        sweep.lastSegment = last.id
        try await tell(of: garbage)
        let gone = try await unlink(garbage.map(\.place), &sweep.unlinked)
        try await store.segments.removeGarbage(garbage.filter { gone.contains($0.place) }.map(\.id))
        return true
    }

    /// The same for pictures, and for originals of what was moved.
    private func unlinkFiles(_ sweep: inout Sweep) async throws -> Bool {
        let files = try await store.segments.garbageFiles(on: await confirmed(), after: sweep.lastFile, limit: 500)
        guard let last = files.last else { return false }
        sweep.lastFile = last
        try await store.segments.removeGarbageFiles(Array(try await unlink(files, &sweep.unlinked)))
        return true
    }

    /// Folders that are there and the right ones: only there may anything be unlinked.
    func confirmed() async -> Set<VolumeID> { await threads.confirmed() }

    /// Seconds that one file may take.
    private static let patience = Duration.seconds(30)

    /// Unlinks files; gives those that are gone for certain, and the bytes that they took. What lies on a volume that hangs waits for the
    /// next sweep, and nobody else waits for it.
    private func unlink(_ places: [FootagePlace], _ all: inout Unlinked) async throws -> Set<FootagePlace> {
        var allGone: Set<FootagePlace> = []
        for (volume, places) in Dictionary(grouping: Set(places), by: \.volume) {
            do {
                let (gone, unlinked) = try await unlink(places, on: volume)
                allGone.formUnion(gone)
                all.bytes += unlinked.bytes
                all.failures += unlinked.failures
                all.failure = all.failure ?? unlinked.failure
            } catch let error as NVRError where error.kind == .unavailable {
                continue
            }
        }
        return allGone
    }

    /// Of a volume that turns out not to be the right one nothing is gone: what was not found there may come back with it.
    private func unlink(_ places: [FootagePlace], on volume: VolumeID) async throws -> (gone: [FootagePlace], Unlinked) {
        try await threads.run(on: volume, patience: Self.patience) { [layout, threads] in
            var unlinked = Unlinked()
            var gone: [FootagePlace] = []
            var folders: Set<FootagePlace> = []
            for place in places {
                // Lost since the list was made: what is to go waits for its return.
                guard layout.volumes.isUsable(place.volume) else { continue }
                threads.nextStep(on: volume)
                let path = try layout.absolute(place)
                let length = POSIXFile.lengthOfOnlyName(at: path)
                do throws(FileError) {
                    if try POSIXFile.remove(path) { unlinked.bytes += length }
                } catch {
                    unlinked.failures += 1
                    unlinked.failure = unlinked.failure ?? error
                    continue
                }
                gone.append(place)
                if let folder = POSIXFile.parent(of: path) { folders.insert(FootagePlace(place.volume, folder)) }
            }
            for folder in folders where POSIXFile.exists(folder.path) {
                try POSIXFile.syncDirectory(folder.path)
                if let root = layout.volumes.root(of: folder.volume) { POSIXFile.removeEmptyDirectories(from: folder.path, below: root) }
            }
            return (layout.volumes.confirm(volume) ? gone : [], unlinked)
        }
    }
}
