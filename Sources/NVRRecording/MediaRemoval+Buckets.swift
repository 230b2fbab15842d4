package import Logging
import NVRBase
import NVRModel
import NVRStore

/// Deleting in buckets. There is no free space to look at: each object has to be gone, which the bucket says when it is asked for it (404),
/// before its row goes.
extension MediaRemoval {
    /// Volumes that are there and the right ones, and hold anything: only what lies there may be planned for deletion.
    func standing() async throws -> Set<VolumeID> {
        var standing = await confirmed()
        for volume in try await store.retention.volumes() where volume.isRemote {
            if await layout.volumes.remote(volume)?.isRightOne() == true { standing.insert(volume) }
        }
        return standing
    }

    /// The same as it was seen last: neither the disks nor the network are asked.
    var assumed: Set<VolumeID> {
        let lost = Set(layout.volumes.states.filter { $0.loss != nil }.map(\.volume))
        return layout.volumes.usable.union(layout.volumes.remotes.map(\.volume)).subtracting(lost)
    }

    /// Seconds until deletions that failed are tried again.
    private static let pause = 60

    /// Deletes in buckets what rows have given up, whenever there is some, until the task is cancelled.
    package func sweepRemotely(logger: Logger) async {
        wakeRemote()
        var alarm: Task<Void, Never>?
        for await _ in remoteWishes {
            alarm?.cancel()
            var isLeft = false
            do {
                for volume in try await store.segments.garbageVolumes().filter(\.isRemote).sorted() {
                    do { try await sweep(volume) } catch let error as NVRError {
                        isLeft = true
                        logger.warning(
                            "nothing can be deleted in a bucket now; it is tried again", metadata: ["volume": "\(volume)", "error": "\(error)"])
                    }
                }
            } catch {
                isLeft = true
                logger.warning("nothing can be deleted in buckets now; it is tried again", metadata: ["error": "\(error)"])
            }
            guard isLeft else { continue }
            alarm = Task {
                // Cancelled when it is tried sooner.
                guard (try? await Task.sleep(for: .seconds(Self.pause))) != nil else { return }
                wakeRemote()
            }
        }
        alarm?.cancel()
    }

    /// Deletes in one bucket what rows have given up. Throws `unavailable` when it cannot be reached, does not delete, or an object is there
    /// afterwards: then its row stays, and it is tried again.
    func sweep(_ volume: VolumeID) async throws {
        guard let remote = layout.volumes.remote(volume) else { throw NVRError(.unavailable, "the bucket is not known any more") }
        while true {
            try Task.checkCancellation()
            let garbage = try await store.segments.garbage(on: [volume], limit: 200)
            guard !garbage.isEmpty else { break }
            try await tell(of: garbage)
            try await delete(garbage.map(\.path), in: remote)
            try await store.segments.removeGarbage(garbage.map(\.id))
        }
        while true {
            try Task.checkCancellation()
            let files = try await store.segments.garbageFiles(on: [volume], limit: 200)
            guard !files.isEmpty else { break }
            try await delete(files.map(\.path), in: remote)
            try await store.segments.removeGarbageFiles(files)
        }
    }

    /// Throws unless all of it is gone for certain.
    private func delete(_ paths: [String], in remote: any RemoteVolume) async throws {
        let absence = NVRError(.unavailable, "the bucket \(remote.name) is not there")
        guard await remote.isRightOne() else { throw absence }
        try await remote.remove(paths)
        let left = try await Self.there(paths, in: remote).count
        guard left == 0 else { throw NVRError(.unavailable, "\(left) objects in the bucket \(remote.name) are there after they were deleted") }
        // In between it may have been swapped: then what was not found there says nothing.
        guard await remote.isRightOne() else { throw absence }
    }

    /// Requests at a time.
    private static let atOnce = 4

    /// Those of some files that a bucket has.
    static func there(_ paths: [String], in remote: any RemoteVolume) async throws -> [String] {
        try await withThrowingTaskGroup(of: String?.self) { group in
            var rest = paths[...]
            var found: [String] = []
            func next() {
                guard let path = rest.popFirst() else { return }
                group.addTask { try await remote.size(of: path) == nil ? nil : path }
            }
            for _ in 0..<Self.atOnce { next() }
            while let result = try await group.next() {
                if let result { found.append(result) }
                next()
            }
            return found
        }
    }

    // MARK: Retention

    /// Files of a step, and of those that stay, that are looked for.
    private static let samples = 8

    /// Deletes one step of a plan in a bucket; gives what went. It ends with a doubt when the files of the step and others that stay are not
    /// there, or when something that is to go does not.
    func take(
        _ deletions: ArraySlice<RetentionPlan.Deletion>, in volume: VolumeID, kept plan: RetentionPlan, into outcome: inout RetentionOutcome
    ) async throws -> [RetentionItem] {
        guard let remote = layout.volumes.remote(volume), await remote.isRightOne() else {
            outcome.doubt = .wrongVolume
            return []
        }
        do {
            // Nothing more is given up while what was given up before is still there.
            try await sweep(volume)
            if let doubt = try await doubt(deletions, in: remote, volume, kept: plan) {
                outcome.doubt = doubt
                return []
            }
        } catch let error as NVRError where error.kind == .unavailable {
            outcome.doubt = .notDeleted
            return []
        }
        let marked = Set(try await store.segments.markGarbage(deletions.filter { !$0.item.isPicture }.map { ID($0.item.id) }).map(\.id))
        let deletion = try await store.events.delete(deletions.filter { $0.item.isPicture }.map { ID($0.item.id) }, footage: .keep)
        let gone = Set(deletion.deleted.map(\.id))
        outcome.events += gone.count
        do { try await sweep(volume) } catch let error as NVRError where error.kind == .unavailable { outcome.doubt = .notDeleted }
        let deleted = deletions.filter { $0.item.isPicture ? gone.contains(ID($0.item.id)) : marked.contains(ID($0.item.id)) }
        for deletion in deleted {
            outcome.deleted.add(deletion.item)
            outcome.byReason[deletion.reason, default: .init()].add(deletion.item)
            if outcome.doubt == nil { outcome.fileBytes += deletion.item.bytes }
        }
        return deleted.map(\.item)
    }

    private func doubt(
        _ deletions: ArraySlice<RetentionPlan.Deletion>, in remote: any RemoteVolume, _ volume: VolumeID, kept plan: RetentionPlan
    ) async throws -> SpaceProof.Doubt? {
        let sample = deletions.filter { !$0.item.isPicture }.prefix(Self.samples).map { ID<Segment>($0.item.id) }
        let paths = try await store.segments.paths(of: sample).values.map { $0 }
        guard !paths.isEmpty, try await Self.there(paths, in: remote).count * 2 < paths.count else { return nil }
        let going = Set(plan.deletions.lazy.filter { !$0.item.isPicture }.map { ID<Segment>($0.item.id) })
        let kept = try await store.retention.newestPaths(of: volume, without: going, limit: Self.samples)
        guard !kept.isEmpty, try await Self.there(kept, in: remote).count * 2 >= kept.count else { return .filesMissing }
        return nil
    }
}
