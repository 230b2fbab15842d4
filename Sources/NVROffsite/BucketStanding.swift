import NVRModel
import NVRRecording
import Synchronization

/// Whether a bucket is there and the right one, as it was seen last. Any task may use it.
final class BucketStanding: Sendable {
    private struct State {
        var isMarked: Bool
        /// Why it was not the right one when it was looked at last.
        var failure: VolumeLoss?
        /// Monotonic microseconds of the last failure.
        var failedAt: Int64?
    }

    /// Microseconds for which a failure is believed: nobody waits for a server that did not answer a moment ago.
    private static let patience: Int64 = 10_000_000

    private let state: Mutex<State>

    init(isMarked: Bool) { state = Mutex(State(isMarked: isMarked)) }

    var failure: VolumeLoss? { state.withLock { $0.failure } }
    /// One that was never given a marker holds nothing that could be lost.
    var loss: VolumeLoss? { state.withLock { $0.isMarked ? $0.failure : nil } }
    var isMarked: Bool { state.withLock { $0.isMarked } }

    /// Whether it failed a moment ago.
    func hasJustFailed(now: Int64) -> Bool { state.withLock { $0.failedAt.map { now - $0 < Self.patience } ?? false } }

    /// Takes a look at its marker; true when it is the right one.
    func saw(_ look: VolumeMarker.Look, expecting marker: VolumeMarker, now: Int64, at time: WallTime) -> Bool {
        state.withLock { state in
            guard look != .found(marker) else {
                state = State(isMarked: true)
                return true
            }
            func lose(_ cause: VolumeLoss.Cause, _ detail: String) {
                state.failure = VolumeLoss(cause, detail, since: state.failure?.since ?? time)
                state.failedAt = now
            }
            switch look {
            case .found(let other):
                lose(
                    .wrongVolume,
                    other.instance == marker.instance ? "it is the archive of volume \(other.volume)" : "it belongs to another installation")
            case .unreadable: lose(.wrongVolume, "its marker makes no sense")
            case .bare: if state.isMarked { lose(.notMounted, "its marker is missing: it is another bucket, or was emptied") }
            // Some servers make a bucket when something is stored in it; others say then that there is none.
            case .missing: if state.isMarked { lose(.notMounted, "there is no such bucket") }
            case .failed(let reason): lose(.unreachable, reason)
            }
            return false
        }
    }
}
