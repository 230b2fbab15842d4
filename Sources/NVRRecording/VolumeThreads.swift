import NVRBase
package import NVRModel
import Synchronization

/// Threads for one kind of work on footage, one for each volume, made when they are needed: a volume that hangs keeps only those waiting who
/// want something of it, and these are let go when it is taken for lost. What touches several volumes has a thread of its own.
package final class VolumeThreads: Sendable {
    private enum Key: Hashable {
        case one(VolumeID)
        case several
    }

    /// For how long a step may take on a volume of which nothing bad is known: laying out the longest movie takes no longer.
    package static let longest = Duration.seconds(600)

    /// Microseconds after which a thread that is busy with a volume which is lost is taken for stuck there.
    private static let moment: Int64 = 500_000

    private let name: String
    private let volumes: Volumes
    private let stackBytes: Int
    private let niceness: Int32
    private let threads = Mutex<[Key: DiskThread]>([:])

    package init(_ name: String, volumes: Volumes, stackBytes: Int = 512 * 1024, niceness: Int32 = 0) {
        self.name = name
        self.volumes = volumes
        self.stackBytes = stackBytes
        self.niceness = niceness
    }

    private func thread(_ key: Key) -> DiskThread {
        threads.withLock { threads in
            if let known = threads[key] { return known }
            // Of volumes that are no more. One that hangs ends by itself some day.
            threads = threads.filter { entry in
                guard case .one(let volume) = entry.key else { return true }
                return volumes.isKnown(volume) || entry.value.pending > 0
            }
            let suffix =
                switch key {
                case .one(.standard): ""
                case .one(let volume): "-\(volume)"
                case .several: "-mixed"
                }
            let thread = DiskThread(name: name + suffix, stackBytes: stackBytes, niceness: niceness)
            threads[key] = thread
            return thread
        }
    }

    /// Runs `body`, which touches the files of `wanted` and no others, on their thread. Throws `unavailable` when one of them is lost
    /// meanwhile, or their thread is stuck in one step for longer than `patience`, or for some seconds when the task is cancelled; its underlying
    /// error is `DiskThread.Unanswered` then. A body is one step, unless it tells of more.
    /// `also`: volumes that it reads, without being their work.
    package func run<Value: Sendable>(
        on wanted: Set<VolumeID>, also: Set<VolumeID> = [], patience: Duration = VolumeThreads.longest, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let all = wanted.union(also)
        // What is lost already is refused by whoever opens it, unless the thread still hangs there.
        let there = all.filter { volumes.isUsable($0) }
        let isLost = wanted.count == 1 && wanted.isDisjoint(with: there)
        let thread = thread(wanted.count > 1 ? .several : .one(wanted.first ?? .standard))
        let watch = Mutex(StallWatch(patience: Int64(patience / .microseconds(1))))
        let farewell = Mutex(StallWatch(patience: DiskWriter.farewell))
        let brief = Mutex(StallWatch(patience: Self.moment))
        let isCancelled = Atomic(false)
        do {
            return try await withTaskCancellationHandler {
                try await thread.run(
                    givingUpWhen: { [volumes] waited in
                        let (step, now) = (thread.step, Int64(waited / .microseconds(1)))
                        let isStuck = watch.withLock { $0.isStuck(step, now: now) }
                        let isIdle = farewell.withLock { $0.isStuck(step, now: now) }
                        let isBriefly = brief.withLock { $0.isStuck(step, now: now) }
                        return isStuck || isLost && isBriefly || isIdle && isCancelled.load(ordering: .relaxed)
                            || !there.allSatisfy { volumes.isUsable($0) }
                    }, body)
            } onCancel: {
                isCancelled.store(true, ordering: .relaxed)
            }
        } catch let error as DiskThread.Unanswered {
            throw NVRError(.unavailable, "the volume cannot be used now: it does not answer", underlying: error)
        }
    }

    package func run<Value: Sendable>(
        on volume: VolumeID, also: Set<VolumeID> = [], patience: Duration = VolumeThreads.longest, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await run(on: [volume], also: also, patience: patience, body)
    }

    /// How much is being done, or waits, on the thread of one volume.
    package func pending(_ volume: VolumeID) -> Int { threads.withLock { $0[.one(volume)] }?.pending ?? 0 }

    /// Another step begins: for bodies, on the thread of their volume.
    package func nextStep(on volume: VolumeID) { thread(.one(volume)).nextStep() }

    /// How long somebody waits for a volume whose disk may have to spin up.
    package static let spinUp = Duration.seconds(20)

    /// How long a look at a marker may take before the volume is not taken for the right one.
    package static let glance = Duration.seconds(5)

    /// Those of `wanted`, or of all that are usable, that are the right ones now; see `Volumes.confirmed`. One that does not answer soon
    /// is not among them.
    package func confirmed(_ wanted: Set<VolumeID>? = nil, patience: Duration = VolumeThreads.glance) async -> Set<VolumeID> {
        await withTaskGroup(of: VolumeID?.self) { group in
            for volume in wanted ?? volumes.usable {
                group.addTask { [self] in
                    do {
                        return try await run(on: volume, patience: patience) { [volumes] in volumes.confirm(volume) } ? volume : nil
                    } catch {
                        // It hangs, or too much waits for it.
                        return nil
                    }
                }
            }
            return await group.reduce(into: []) { found, volume in if let volume { found.insert(volume) } }
        }
    }
}
