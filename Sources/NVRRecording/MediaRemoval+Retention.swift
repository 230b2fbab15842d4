#if canImport(Glibc)
    import Glibc
#endif
import NVRBase
package import NVRModel
import NVRStore

/// What carrying out a plan did.
package struct RetentionOutcome: Sendable, Hashable {
    package var deleted = RetentionPlan.Sum()
    package var byReason: [RetentionPlan.Reason: RetentionPlan.Sum] = [:]
    /// Motion and manual events whose footage is gone, and snapshots.
    package var events = 0
    /// Bytes of the files that went.
    package var fileBytes: Int64 = 0
    /// Files that were not there.
    package var missing = 0
    /// Why it ended before its end.
    package var doubt: SpaceProof.Doubt?
    package var isInterrupted = false
}

extension MediaRemoval {
    /// Items and bytes of one step at most: between two steps it is seen whether space comes.
    private static let stepItems = 100
    private static let stepBytes: Int64 = 1 << 30
    /// Kept files that are looked for when those to go are not there.
    private static let samples = 8

    /// How space is measured.
    package struct Measures: Sendable {
        /// Bytes that this program has written to a volume.
        package var written: @Sendable (VolumeID) -> Int64
        /// Bytes that have to go before their space is asked for.
        package var judged = SpaceProof.judged
        /// Microseconds to wait for space that does not come at once.
        package var patience: Int64 = 10_000_000

        package init(written: @escaping @Sendable (VolumeID) -> Int64 = { _ in 0 }) { self.written = written }
    }

    /// Deletes what a camera keeps for longer than it is set to, and the oldest of what is more than it may hold. What is being
    /// written stays, and so does what is held, which counts for no limit. A medium limits it to recordings or to snapshots. Throws
    /// `unavailable` when deleting does not do what it should.
    package func enforceLimits(of camera: Camera, medium: Event.Medium?, now: WallTime) async throws -> Removed {
        let planning = RetentionPlanning(store: store)
        var ground = try await planning.ground(at: now, on: try await standing())
        // As the caller knows the camera.
        ground.rules.cameras[camera.id] = RetentionRules(cameras: [camera], profiles: [], settings: SettingValues()).cameras[camera.id]
        let clock = RetentionClock(try await store.retention.memory())
        let plan = try await planning.plan(
            ground, clock: clock, aim: .camera(camera.id, pictures: medium.map { $0 == .snapshot }), allowance: nil)
        let outcome = try await carryOut(plan, rules: ground.rules, clock: clock, now: now, also: medium == .snapshot ? [] : [camera.id])
        if let doubt = outcome.doubt { throw NVRError(.unavailable, doubt.text) }
        return Removed(events: outcome.events, bytes: outcome.fileBytes)
    }

    /// Deletes what a plan lists, step by step, and stops when the space does not come where it should. Events whose footage went go,
    /// too. `also`: cameras whose events are looked at even when nothing of theirs is in the plan.
    package func carryOut(
        _ plan: RetentionPlan, rules: RetentionRules, clock: RetentionClock, now: WallTime, also: [ID<Camera>] = [], measures: Measures = Measures()
    ) async throws -> RetentionOutcome {
        var outcome = RetentionOutcome()
        var proofs: [VolumeID: SpaceProof] = [:]
        var newest = Dictionary(also.map { ($0, WallTime?.none) }) { $1 }
        var rest = plan.deletions[...]
        while let step = Self.nextStep(&rest), outcome.doubt == nil {
            guard !Task.isCancelled else {
                outcome.isInterrupted = true
                break
            }
            var proof = proofs[step.volume] ?? SpaceProof(judging: measures.judged)
            let gone = try await take(step, kept: plan, proof: &proof, measures: measures, into: &outcome)
            proofs[step.volume] = proof
            for item in gone where !item.isPicture { newest[item.camera] = max(newest[item.camera].flatMap { $0 } ?? item.start, item.start) }
        }
        for (camera, last) in newest {
            // After a jump of the clock nobody knows how old an event is whose footage is there.
            let days = clock.jumps.isEmpty && now >= RetentionClock.earliest ? rules.days(.labelled, of: camera) : nil
            let limit = days.map { now.advanced(byMicroseconds: -Int64($0) * RetentionClock.day) }
            guard let before = [last.map { $0.advanced(byMicroseconds: 1) }, limit].compactMap({ $0 }).max() else { continue }
            outcome.events += try await store.events.deleteOld(
                camera, medium: .video, before: before, limit: limit ?? WallTime(microseconds: .min))
        }
        outcome.fileBytes += try await sweep()
        return outcome
    }

    private struct Step {
        var volume: VolumeID
        var deletions: ArraySlice<RetentionPlan.Deletion>
    }

    /// The next items, all of one volume.
    private static func nextStep(_ rest: inout ArraySlice<RetentionPlan.Deletion>) -> Step? {
        guard let volume = rest.first?.item.volume else { return nil }
        var bytes: Int64 = 0
        let step = rest.prefix(stepItems).prefix { deletion in
            defer { bytes += deletion.item.bytes }
            return deletion.item.volume == volume && bytes < stepBytes
        }
        rest = rest.dropFirst(step.count)
        return Step(volume: volume, deletions: step)
    }

    /// Deletes one step; gives what went.
    private func take(
        _ step: Step, kept plan: RetentionPlan, proof: inout SpaceProof, measures: Measures, into outcome: inout RetentionOutcome
    ) async throws -> [RetentionItem] {
        if step.volume.isRemote { return try await take(step.deletions, in: step.volume, kept: plan, into: &outcome) }
        let segments = step.deletions.filter { !$0.item.isPicture }.map { ID<Segment>($0.item.id) }
        let pictures = step.deletions.filter { $0.item.isPicture }.map { ID<Event>($0.item.id) }
        guard let root = await root(of: step.volume) else {
            outcome.doubt = .wrongVolume
            return []
        }
        let segmentPaths = try await store.segments.paths(of: segments)
        let picturePaths = try await store.retention.picturePaths(of: pictures)
        let paths = segmentPaths.values.map { $0 } + picturePaths.values.map { $0 }
        let (device, files) = try await look(at: paths, on: step.volume, below: root)
        let sample = files.count * 2 < paths.count ? try await keptFilesExist(step.volume, root: root, without: plan) : nil
        if let doubt = proof.doubt(files, of: paths.count, device: device, othersExist: sample) {
            outcome.doubt = doubt
            return []
        }
        let written = measures.written(step.volume)
        let before = try await free(on: step.volume, at: root)
        let marked = Set(try await store.segments.markGarbage(segments).map(\.id))
        let deletion = try await store.events.delete(pictures, footage: .keep)
        let goneEvents = Set(deletion.deleted.map(\.id))
        outcome.events += goneEvents.count
        outcome.fileBytes += try await sweep()
        let stillThere = Set(try await look(at: files.map(\.path), on: step.volume, below: root).files.map(\.path))
        let gone = files.filter { !stillThere.contains($0.path) }
        var last = (free: try await free(on: step.volume, at: root), written: measures.written(step.volume))
        proof.note(allocated: gone.reduce(0) { $0 + $1.allocated }, before: before, after: last.free, written: last.written - written)
        var waited: Int64 = 0
        while proof.isMissing, waited < measures.patience, !Task.isCancelled {
            // Cancelled with the server, and then the next run goes on.
            try? await Task.sleep(for: .milliseconds(500))
            waited += 500_000
            let next = (free: try await free(on: step.volume, at: root), written: measures.written(step.volume))
            proof.note(allocated: 0, before: last.free, after: next.free, written: next.written - last.written)
            last = next
        }
        if proof.isMissing { outcome.doubt = .noSpaceGained }
        outcome.missing += paths.count - files.count
        let deleted = step.deletions.filter { $0.item.isPicture ? goneEvents.contains(ID($0.item.id)) : marked.contains(ID($0.item.id)) }
        for deletion in deleted {
            outcome.deleted.add(deletion.item)
            outcome.byReason[deletion.reason, default: .init()].add(deletion.item)
        }
        return deleted.map(\.item)
    }

    /// Whether some of the newest files that stay are there; nil when none stays.
    private func keptFilesExist(_ volume: VolumeID, root: String, without plan: RetentionPlan) async throws -> Bool? {
        let going = Set(plan.deletions.lazy.filter { !$0.item.isPicture }.map { ID<Segment>($0.item.id) })
        let paths = try await store.retention.newestPaths(of: volume, without: going, limit: Self.samples)
        guard !paths.isEmpty else { return nil }
        return try await look(at: paths, on: volume, below: root).files.count * 2 >= paths.count
    }

    /// The files of paths that are there, and the device of the folder they should lie on.
    private func look(at paths: [String], on volume: VolumeID, below root: String) async throws -> (device: UInt64, files: [SpaceProof.File]) {
        try await threads.run(on: volume) {
            var status = stat()
            guard stat(root, &status) == 0 else { throw FileError(operation: "look at", path: root, code: errno) }
            let device = UInt64(status.st_dev)
            // Of the folder: overlay file systems may tell the device below of a file.
            var devices: [String: UInt64] = [:]
            let files = paths.compactMap { path -> SpaceProof.File? in
                var status = stat()
                guard lstat("\(root)/\(path)", &status) == 0 else { return nil }
                let (bytes, allocated) = (Int64(status.st_size), status.st_nlink > 1 ? 0 : Int64(status.st_blocks) * 512)
                let folder = POSIXFile.parent(of: "\(root)/\(path)") ?? root
                if devices[folder] == nil { devices[folder] = stat(folder, &status) == 0 ? UInt64(status.st_dev) : 0 }
                return SpaceProof.File(path: path, bytes: bytes, allocated: allocated, device: devices[folder] ?? 0)
            }
            return (device, files)
        }
    }

    /// Free bytes of the volume of a folder.
    private func free(on volume: VolumeID, at root: String) async throws -> Int64 {
        try await threads.run(on: volume) { try POSIXFile.space(at: root).free }
    }
}

extension SpaceProof.Doubt {
    /// For people.
    package var text: String {
        switch self {
        case .wrongVolume:
            "files that are to be deleted lie on another file system than their folder, or the folder is not there; nothing more is deleted"
        case .filesMissing: "most files that are to be deleted are not there: is the volume mounted? Nothing more is deleted"
        case .notDeleted:
            "a bucket cannot be reached, or keeps objects that are to go (do the keys permit deleting?); nothing more is deleted"
        case .noSpaceGained:
            "files were deleted and their volume gained no space: snapshots of the file system, or a program that has them open or fills the disk; nothing more is deleted"
        }
    }
}
