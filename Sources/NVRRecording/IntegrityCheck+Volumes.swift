import NVRBase
import NVRModel
import Synchronization

/// Work on the thread of one volume, which nobody may wait for any more when it gets to its next file.
final class VolumeTurn: Sendable {
    private let threads: VolumeThreads
    private let volume: VolumeID
    private let isOver = Atomic(false)

    init(_ threads: VolumeThreads, _ volume: VolumeID) {
        self.threads = threads
        self.volume = volume
    }

    /// Another step begins. Throws when nobody waits for the work.
    func goOn() throws {
        if isOver.load(ordering: .relaxed) { throw CancellationError() }
        threads.nextStep(on: volume)
    }

    func end() { isOver.store(true, ordering: .relaxed) }
}

/// A volume that does not answer is asked once, and then nothing more: what lies elsewhere is compared as ever.
extension IntegrityCheck {
    /// Folders that are the right ones now; each is asked on its own thread, all at once.
    func rightOnes(_ options: Options, _ report: inout Report) async throws -> Set<VolumeID> {
        // The shell says this before it begins.
        for state in layout.volumes.states where isLive && !state.volume.isRemote {
            if let loss = state.loss { report.notes.append(Self.left(state.name, loss.detail)) }
        }
        let answers = try await withThrowingTaskGroup(of: (VolumeID, Bool?).self) { group in
            for volume in layout.volumes.usable {
                group.addTask { (volume, try await ask(volume, options) { [layout] _ in layout.volumes.confirm(volume) }) }
            }
            return try await group.reduce(into: [(VolumeID, Bool?)]()) { $0.append($1) }
        }
        for (volume, answer) in answers.sorted(by: { $0.0 < $1.0 }) where answer == nil { leave(volume, &report) }
        return Set(answers.filter { $0.1 == true }.map(\.0))
    }

    /// Runs `body` on the thread of a volume. Nil when that does not answer, now or before in this run.
    func onDisk<Value: Sendable>(
        _ volume: VolumeID, _ options: Options, _ report: inout Report, _ body: @escaping @Sendable (VolumeTurn) throws -> Value
    ) async throws -> Value? {
        guard !report.silent.contains(volume) else { return nil }
        let value = try await ask(volume, options, body)
        if value == nil { leave(volume, &report) }
        return value
    }

    /// Nil when the volume does not answer, or is lost meanwhile. Throws as `body` does, and when the task is cancelled.
    private func ask<Value: Sendable>(
        _ volume: VolumeID, _ options: Options, _ body: @escaping @Sendable (VolumeTurn) throws -> Value
    ) async throws -> Value? {
        let turn = VolumeTurn(threads, volume)
        // What was begun and is not waited for any more ends with the file it is at.
        defer { turn.end() }
        do {
            // Requests to a bucket have deadlines of their own.
            let patience = volume.isRemote ? VolumeThreads.longest : options.patience
            return try await withTaskCancellationHandler {
                try await threads.run(on: volume, patience: patience) { try body(turn) }
            } onCancel: {
                turn.end()
            }
        } catch let error as NVRError where error.underlying is DiskThread.Unanswered || isLost(volume, error) {
            try Task.checkCancellation()
            return nil
        }
    }

    /// It was there when the run began.
    private func isLost(_ volume: VolumeID, _ error: NVRError) -> Bool {
        error.kind == .unavailable && !volume.isRemote && !layout.volumes.isUsable(volume)
    }

    private func leave(_ volume: VolumeID, _ report: inout Report) {
        report.silent.insert(volume)
        let state = layout.volumes.states.first { $0.volume == volume }
        report.notes.append(Self.left(state?.name ?? DefaultFolder.name, state?.loss?.detail ?? "it does not answer"))
    }

    private static func left(_ name: String, _ why: String) -> String { "the volume \(name) cannot be used now: \(why)" }
}
