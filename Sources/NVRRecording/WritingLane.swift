import NVRBase
import NVRModel
import NVRStore
import Synchronization

/// One volume's share of the writing: its thread, and what waits for it. Whoever uses it keeps it; its thread ends with the last of them
/// (`DiskWriter.lane`).
final class WritingLane: Sendable {
    private struct State {
        var dirty: [ObjectIdentifier: SegmentPen] = [:]
        var lastSync: Int64 = 0
        /// Somebody comes back for what was written since.
        var isSyncAwaited = false
        /// Recordings whose last write the disk refused, in the order of their turns.
        var refused: [Turn] = []
        var failure: String?
        /// The failure as people who only watch may hear it.
        var trouble: DiskWriter.Trouble?
        var watch = StallWatch(patience: WritingLane.patience)
    }

    /// A recording that is to write.
    struct Turn: Sendable {
        var writer: SegmentWriter
        var pen: SegmentPen
    }

    /// What is to be synced now, or when that is.
    enum Round {
        case now([SegmentPen])
        case later(Int64)
        /// Nothing is to be done, or somebody comes back for it.
        case none
    }

    /// Microseconds for which a call may take before the volume counts as one that hangs; as long as `VolumeSentry` waits.
    static let patience: Int64 = 10_000_000

    let volume: VolumeID
    let thread: DiskThread
    /// Changed on the thread only.
    let rows = Mutex(WaitingRows())
    private let state = Mutex(State())

    init(_ volume: VolumeID) {
        self.volume = volume
        thread = DiskThread(name: volume == .standard ? "disk" : "disk-\(volume)", stackBytes: 1 << 20)
    }

    /// Nothing is being done, and nothing waits.
    var isIdle: Bool { thread.pending == 0 && rows.withLock { $0.isEmpty } && state.withLock { $0.dirty.isEmpty && $0.refused.isEmpty } }

    /// Whether the thread is stuck in a call of the disk, as far as it was looked at. `now`: monotonic.
    func isStuck(now: Int64) -> Bool { state.withLock { $0.watch.isStuck(thread.step, now: now) } }

    // MARK: Syncing

    func markDirty(_ pen: SegmentPen) { state.withLock { $0.dirty[ObjectIdentifier(pen)] = pen } }

    func clean(_ pen: SegmentPen) { state.withLock { _ = $0.dirty.removeValue(forKey: ObjectIdentifier(pen)) } }

    /// Takes what is due; `isEnding`: nobody comes back for the rest.
    func takeRound(now: Int64, isEnding: Bool) -> Round {
        state.withLock { state in
            let left = state.lastSync + DiskWriter.syncInterval - now
            guard left <= 0 else {
                // Nobody else may write before that.
                guard !state.dirty.isEmpty, !state.isSyncAwaited, !isEnding else { return .none }
                state.isSyncAwaited = true
                return .later(left)
            }
            state.lastSync = now
            guard !state.dirty.isEmpty else { return .none }
            defer { state.dirty.removeAll(keepingCapacity: true) }
            return .now(Array(state.dirty.values))
        }
    }

    func syncIsNotAwaited() { state.withLock { $0.isSyncAwaited = false } }

    // MARK: Refusals

    /// True for the first that waits.
    func refuse(_ turn: Turn) -> Bool {
        state.withLock { state in
            defer { if !state.refused.contains(where: { $0.pen === turn.pen }) { state.refused.append(turn) } }
            return state.refused.isEmpty
        }
    }

    func takeRefused() -> [Turn] {
        state.withLock { state in
            defer { state.refused = [] }
            return state.refused
        }
    }

    var failure: String? { state.withLock { $0.failure } }
    var trouble: DiskWriter.Trouble? { state.withLock { $0.trouble } }

    /// Notes that the disk refuses. `isNew`: it worked before; `isOther`: it is another kind of trouble now.
    func noteFailure(_ text: String, _ trouble: DiskWriter.Trouble, shown: WallTime?) -> (isNew: Bool, isOther: Bool) {
        state.withLock { state in
            var trouble = trouble
            trouble.since = [state.trouble?.since, shown].compactMap { $0 }.min()
            defer {
                state.failure = text
                state.trouble = trouble
            }
            return (state.failure == nil, state.trouble?.isFull != trouble.isFull)
        }
    }

    /// True when it did not before.
    func worked() -> Bool {
        state.withLock { state in
            defer {
                state.failure = nil
                state.trouble = nil
            }
            return state.failure != nil
        }
    }
}
