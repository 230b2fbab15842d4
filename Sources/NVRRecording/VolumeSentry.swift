package import Logging
package import NVRBase
package import NVRModel
package import NVRStore
import Synchronization

/// Looks after the default folder and the volumes of storage profiles: marks new ones, notices when one is gone, swapped or broken, and when
/// it is back. Every volume has a thread of its own, since a share that hangs must not keep the others from being looked at. One that hangs
/// counts as lost, but for the default folder: there is no other to go to.
package final class VolumeSentry: Sendable {
    private struct Post: Sendable {
        var folder: String
        var name: String
        var watch: VolumeWatch
        var marker: VolumeMarker
        let thread: BlockingThread
        /// Monotonic time at which a look began that has not ended.
        var lookingSince: Int64?
        /// The server came up without it.
        var isLate = false
    }

    /// Puts in order what was interrupted on a volume, before it is written to again.
    package typealias Return = @Sendable (VolumeID) async -> Void

    /// Microseconds between two looks.
    private static let interval: Int64 = 2_000_000
    /// Microseconds after which a look that has not ended counts as a loss.
    private static let patience: Int64 = 10_000_000
    /// Microseconds that the start of the server waits for the first looks at most: at the volumes of profiles, and at the default folder,
    /// whose disk may have to spin up.
    private static let firstPatience: Int64 = 1_000_000
    private static let defaultPatience: Int64 = 15_000_000

    private let volumes: Volumes
    private let store: Store
    private let clock: any NVRClock
    private let logger: Logger
    private let posts = Mutex<[VolumeID: Post]>([:])
    private let onReturn = Mutex<Return?>(nil)
    /// One wish to look at once is as good as many.
    private let wishes: AsyncStream<Void>
    private let wish: AsyncStream<Void>.Continuation

    package init(volumes: Volumes, store: Store, clock: any NVRClock, logger: Logger) {
        self.volumes = volumes
        self.store = store
        self.clock = clock
        self.logger = logger
        (wishes, wish) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    deinit { posts.withLock { $0.values.forEach { $0.thread.stop() } } }

    package func onReturn(_ body: @escaping Return) { onReturn.withLock { $0 = body } }

    // MARK: Running

    /// Takes in the profiles and looks at each; to be called once, before anything on the volumes is touched. A volume that does not
    /// answer in time is taken for lost until it does.
    package func begin() async throws {
        volumes.onDoubt { [weak self] volume, reason in self?.doubted(volume, reason) }
        try await takeProfiles()
        let begun = clock.monotonic()
        let (news, tell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        for thread in posts.withLock({ $0.values.map(\.thread) }) {
            // Ends with the look, however long that takes; a thread that was stopped has nothing to tell.
            Task {
                _ = try? await thread.run {}
                tell.yield()
            }
        }
        let alarms = [Self.firstPatience, Self.defaultPatience].map { patience in
            Task {
                // Cancelled when everything was looked at.
                try? await Task.sleep(for: .microseconds(patience))
                tell.yield()
            }
        }
        defer { alarms.forEach { $0.cancel() } }
        for await _ in news {
            let passed = clock.monotonic() - begun
            if posts.withLock({ posts in !posts.contains { $0.value.lookingSince != nil && passed < Self.patience(with: $0.key) } }) { break }
        }
        posts.withLock { posts in
            posts = posts.mapValues { post in
                var post = post
                post.isLate = post.lookingSince != nil
                return post
            }
        }
    }

    private static func patience(with volume: VolumeID) -> Int64 { volume == .standard ? defaultPatience : firstPatience }

    /// Looks every other second until the task is cancelled.
    package func run() async {
        let changes = store.changes.subscribe()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await change in changes {
                    switch change {
                    case .storageProfile, .storageProfileDeleted: await self.takeProfilesAgain()
                    default: continue
                    }
                }
            }
            group.addTask { for await _ in self.wishes { self.lookAtAll() } }
            group.addTask {
                while true {
                    do { try await Task.sleep(for: .microseconds(Self.interval)) } catch { return }
                    self.lookAtAll()
                }
            }
            await group.waitForAll()
        }
    }

    private func takeProfilesAgain() async {
        do { try await takeProfiles() } catch {
            logger.error("the storage profiles cannot be read; volumes are looked after as before", metadata: ["error": "\(error)"])
        }
    }

    private func takeProfiles() async throws {
        let profiles = try await store.storageProfiles.all()
        let instance = try await store.settings.values()[Settings.instanceID]
        let time = WallTime(microseconds: clock.wall())
        posts.withLock { posts in
            takeDefault(&posts, instance, at: time)
            for (volume, post) in posts where volume != .standard && !profiles.contains(where: { VolumeID($0.id) == volume }) {
                posts[volume] = nil
                volumes.forget(volume)
                post.thread.stop()
            }
            for profile in profiles {
                let volume = VolumeID(profile.id)
                let marker = VolumeMarker(instance: instance, volume: volume)
                if posts[volume]?.folder == profile.path, posts[volume]?.marker == marker {
                    posts[volume]?.name = profile.name
                    volumes.rename(volume, profile.name)
                    continue
                }
                posts[volume]?.thread.stop()
                posts[volume] = Post(
                    folder: profile.path, name: profile.name, watch: VolumeWatch(expected: marker, isMarked: profile.markedAt != nil),
                    marker: marker, thread: BlockingThread(name: "volume-\(volume)"))
                volumes.set(
                    volume, .folder(profile.path, marker: marker), name: profile.name,
                    loss: VolumeLoss(.unknown, "it was not looked at yet", since: time))
            }
        }
        lookAtAll()
    }

    private func takeDefault(_ posts: inout [VolumeID: Post], _ instance: String, at time: WallTime) {
        let marker = VolumeMarker(instance: instance, volume: .standard)
        guard posts[.standard]?.marker != marker else { return }
        posts[.standard]?.thread.stop()
        // Whether it has to be marked is asked of what lies in it, since the folder is older than its marker.
        posts[.standard] = Post(
            folder: volumes.root, name: DefaultFolder.name, watch: VolumeWatch(expected: marker, isMarked: true), marker: marker,
            thread: BlockingThread(name: "volume-default"))
        volumes.set(
            .standard, .folder(volumes.root, marker: marker), name: DefaultFolder.name,
            loss: VolumeLoss(.unknown, "it was not looked at yet", since: time))
    }

    private func doubted(_ volume: VolumeID, _ reason: String?) {
        guard let reason else {
            wish.yield()
            return
        }
        step(volume) { $0.refused(reason, now: self.clock.monotonic(), at: self.now) }
    }

    private var now: WallTime { WallTime(microseconds: clock.wall()) }

    // MARK: Looking

    private func lookAtAll() {
        for volume in posts.withLock({ Array($0.keys) }) { look(at: volume) }
    }

    private func look(at volume: VolumeID) {
        let monotonic = clock.monotonic()
        let post = posts.withLock { posts -> Post? in
            guard let post = posts[volume], post.lookingSince == nil else { return nil }
            posts[volume]?.lookingSince = monotonic
            return post
        }
        guard let post else {
            // Who writes to the default folder waits for it in any case, with what he has in memory, and tells of it.
            guard volume != .standard else { return }
            let isHanging = posts.withLock { $0[volume]?.lookingSince.map { monotonic - $0 > Self.patience } ?? false }
            if isHanging { step(volume) { $0.saw(.failed("it does not answer"), now: monotonic, at: self.now) } }
            return
        }
        post.thread.enqueue { [weak self] in
            guard let self else { return }
            let look = volume == .standard ? lookAtDefault(post) : VolumeMarker.look(in: post.folder)
            let isCurrent = posts.withLock { posts in
                guard posts[volume]?.thread === post.thread else { return false }
                posts[volume]?.lookingSince = nil
                return true
            }
            guard isCurrent else { return }
            // Of the right volume only: what a mount point without it says is of another.
            if case .found(post.marker) = look, let space = try? POSIXFile.space(at: post.folder) {
                let fileSystem = POSIXFile.fileSystem(of: post.folder)
                volumes.setSpace(volume, Volumes.Space(free: space.free, total: space.total, fileSystem: fileSystem))
            }
            step(volume) { $0.saw(look, now: self.clock.monotonic(), at: self.now) }
        }
    }

    /// Tells the watch of a volume something and does what it wants done.
    private func step(_ volume: VolumeID, _ body: (inout VolumeWatch) -> VolumeWatch.Step) {
        let taken = posts.withLock { posts -> (VolumeWatch.Step, Post)? in
            guard var post = posts[volume] else { return nil }
            var step = body(&post.watch)
            // What was left undone by the last run waits for it.
            if post.isLate, case .available = step { step = .available(isReturn: true) }
            if case .available = step { post.isLate = false }
            posts[volume] = post
            // Under the lock, so that what is told last is what counts.
            switch step {
            case .lost(let loss), .lostOtherwise(let loss): volumes.setLoss(volume, loss)
            case .available(let isReturn): volumes.setLoss(volume, nil, isSettling: isReturn)
            case .nothing, .mark, .probe: break
            }
            return (step, post)
        }
        guard let (step, post) = taken else { return }
        let about: Logger.Metadata = ["profile": "\(post.name)", "folder": "\(post.folder)"]
        switch step {
        case .nothing: break
        case .mark: post.thread.enqueue { [weak self] in self?.mark(volume, post) }
        case .probe: post.thread.enqueue { [weak self] in self?.probe(volume, post) }
        case .lost(let loss):
            logger.error(
                volume == .standard
                    ? "the folder for recordings is not there: nothing is recorded into it or deleted until it is; when it is a new disk, see vibenvr adopt"
                    : "the volume of a storage profile is not used: recording goes to the default folder, and nothing on it is deleted",
                metadata: about.merging(["reason": "\(loss.detail)"]) { $1 })
        case .lostOtherwise(let loss):
            logger.warning(
                "the volume of a storage profile is not used for another reason now", metadata: about.merging(["reason": "\(loss.detail)"]) { $1 })
        case .available(let isReturn):
            noteMarked(volume, post)
            guard isReturn else { return }
            logger.notice(volume == .standard ? "the folder for recordings is back" : "the volume of a storage profile is back", metadata: about)
            settle(volume)
        }
    }

    /// What was interrupted by the loss is put in order, then new footage goes there again.
    private func settle(_ volume: VolumeID) {
        let body = onReturn.withLock { $0 }
        Task { [weak self] in
            await body?(volume)
            guard let self else { return }
            posts.withLock { posts in
                // Lost again meanwhile: the next return settles it.
                if posts[volume]?.watch.loss == nil { volumes.setLoss(volume, nil) }
            }
        }
    }

    // MARK: On the volume's thread

    /// Marks the default folder when it is known to be the right one without that.
    private func lookAtDefault(_ post: Post) -> VolumeMarker.Look {
        let look = VolumeMarker.look(in: post.folder)
        guard look != .found(post.marker) else { return look }
        do {
            let folder = DefaultFolder(root: post.folder, store: store)
            switch try folder.claim(look, known: { try blockingWait { try await folder.known() } }) {
            case .foreign: return look
            case .gone: try POSIXFile.makeDirectories(post.folder)
            case .ours: break
            }
            try post.marker.write(in: post.folder)
            logger.notice("the folder for recordings was given its marker", metadata: ["folder": "\(post.folder)"])
            return VolumeMarker.look(in: post.folder)
        } catch let error as FileError {
            return .failed("its marker cannot be written: \(error.systemText)")
        } catch {
            return .failed("what lies in it is not known: \(error)")
        }
    }

    private func mark(_ volume: VolumeID, _ post: Post) {
        do {
            // The row that says so follows when it is seen.
            try post.marker.write(in: post.folder)
            logger.notice("the folder of a storage profile was given its marker", metadata: ["profile": "\(post.name)", "folder": "\(post.folder)"])
        } catch {
            return step(volume) { $0.refused("its marker cannot be written: \(error.systemText)", now: self.clock.monotonic(), at: self.now) }
        }
        step(volume) { $0.saw(VolumeMarker.look(in: post.folder), now: self.clock.monotonic(), at: self.now) }
    }

    private func probe(_ volume: VolumeID, _ post: Post) {
        do {
            try StorageVolume.tryWriting(in: post.folder, syncing: true)
            // Between the last look and the try it may have gone: then what was written to was another one.
            guard VolumeMarker.look(in: post.folder) == .found(post.marker) else { return look(at: volume) }
            step(volume) { $0.wrote(now: self.clock.monotonic()) }
        } catch {
            step(volume) { $0.refused("it cannot be written", now: self.clock.monotonic(), at: self.now) }
        }
    }

    /// The marker is there although the row does not say so: the profile was restored, or the server ended in between.
    private func noteMarked(_ volume: VolumeID, _ post: Post) {
        guard volume != .standard else { return }
        Task { [store, logger, now] in
            do {
                guard let profile = try await store.storageProfiles.get(ID(volume.rawValue)), profile.markedAt == nil else { return }
                try await store.storageProfiles.setMarked(profile.id, at: now)
            } catch {
                logger.warning("a storage profile cannot be changed", metadata: ["error": "\(error)"])
            }
        }
    }
}
