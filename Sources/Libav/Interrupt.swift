import CFFmpeg
import Synchronization

/// Ends libav's blocking calls from another thread: a flag for good and a deadline for the call at hand, both polled by
/// libav about every 100 ms while it waits for the network.
///
/// One limit of libav: looking up a host name blocks in the C library and is not interrupted.
package final class Interrupt: Sendable {
    private let cancelled = Atomic<Bool>(false)
    /// Monotonic microseconds; `Int64.max` = none.
    private let deadline = Atomic<Int64>(.max)

    package init() {}

    /// Makes the present and every later call fail with reason `.cancelled`. Any thread; cannot be undone.
    package func cancel() {
        cancelled.store(true, ordering: .releasing)
    }

    package var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    /// Makes calls fail with reason `.timedOut` from `duration` on from now; nil takes the deadline away.
    package func setDeadline(in duration: Duration?) {
        guard let duration else { return deadline.store(.max, ordering: .releasing) }
        let (seconds, attoseconds) = duration.components
        let bounded = min(max(seconds, 0), 1_000_000_000)
        deadline.store(av_gettime_relative() + bounded * 1_000_000 + attoseconds / 1_000_000_000_000, ordering: .releasing)
    }

    var isOverdue: Bool { av_gettime_relative() >= deadline.load(ordering: .acquiring) }

    var shouldStop: Bool { isCancelled || isOverdue }

    /// What libav asks. The pointer is this object, which the context that holds the callback keeps alive.
    var callback: AVIOInterruptCB {
        AVIOInterruptCB(
            callback: { opaque in
                guard let opaque else { return 0 }
                return Unmanaged<Interrupt>.fromOpaque(opaque).takeUnretainedValue().shouldStop ? 1 : 0
            },
            opaque: Unmanaged.passUnretained(self).toOpaque()
        )
    }

    /// The error to throw for `code`: libav reports both causes alike, and sometimes as a plain I/O error.
    func error(_ code: Int32, _ operation: String) -> LibavError {
        if code == cffmpeg_error_eof { return LibavError(code: code, operation: operation) }
        if isCancelled { return LibavError(code: cffmpeg_error_exit, operation: operation) }
        if isOverdue { return LibavError(code: cffmpeg_error_timed_out, operation: operation) }
        return LibavError(code: code, operation: operation)
    }
}
