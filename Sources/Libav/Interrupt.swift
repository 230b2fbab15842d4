import CFFmpeg
#if canImport(Glibc)
    import Glibc
#endif
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

    /// Whether the call at hand should end now, for waits of a `ByteSource`.
    package var shouldStop: Bool { isCancelled || isOverdue }
}

/// What libav polls while it opens and reads one input: the interrupt, and whether an RTSP server has led it away from the host it
/// was sent to. Used on the thread of the input alone; libav holds its address as long as the context lives.
final class Watch {
    let interrupt: Interrupt
    /// The context that is watched, while there is one.
    var context: UnsafeMutablePointer<AVFormatContext>?
    /// Where the server has led; nil while libav is where it was sent.
    private(set) var location: String?
    /// For RTSP, where libav was sent: it puts the place of a redirect into its context before it connects there.
    private let start: [CChar]?

    init(interrupt: Interrupt, url: String) {
        self.interrupt = interrupt
        let scheme = url.prefix { $0 != ":" }.lowercased()
        start = scheme == "rtsp" || scheme == "rtsps" ? Array(url.utf8CString) : nil
    }

    var callback: AVIOInterruptCB {
        AVIOInterruptCB(
            callback: { opaque in
                guard let opaque else { return 0 }
                return Unmanaged<Watch>.fromOpaque(opaque).takeUnretainedValue().shouldStop ? 1 : 0
            },
            opaque: Unmanaged.passUnretained(self).toOpaque()
        )
    }

    var shouldStop: Bool { interrupt.shouldStop || isLedAway }

    private var isLedAway: Bool {
        if location != nil { return true }
        guard let start, let url = context?.pointee.url, strcmp(url, start) != 0 else { return false }
        location = String(cString: url)
        return true
    }

    /// The error to throw for `code`: libav reports both causes alike, and sometimes as a plain I/O error.
    func error(_ code: Int32, _ operation: String) -> LibavError {
        if location != nil { return LibavError(code: code, operation: operation, reason: .redirected) }
        if code == cffmpeg_error_eof { return LibavError(code: code, operation: operation) }
        if interrupt.isCancelled { return LibavError(code: cffmpeg_error_exit, operation: operation) }
        if interrupt.isOverdue { return LibavError(code: cffmpeg_error_timed_out, operation: operation) }
        return LibavError(code: code, operation: operation)
    }
}
