import NIOCore
import Synchronization

/// What a `LoopTicker` reads. Called on the event loop only.
protocol PacedReader: AnyObject {
    /// Time to read; `now` in monotonic microseconds, `buffer` for the length of the call.
    func tick(now: Int64, buffer: UnsafeMutableRawBufferPointer)
}

/// The monotonic clock of arrivals.
enum MonotonicClock {
    /// Microseconds.
    @inline(__always)
    static var now: Int64 { Int64(truncatingIfNeeded: NIODeadline.now().uptimeNanoseconds / 1000) }
}

/// One timer per event loop that reads all sessions of the loop together, so that the loop wakes up once for all of them.
///
/// `@unchecked Sendable`: everything but the registry is touched on its event loop only.
final class LoopTicker: NIOScheduledCallbackHandler, @unchecked Sendable {
    /// Microseconds between reads.
    static let liveInterval: Int64 = 5_000
    static let idleInterval: Int64 = 45_000

    private static let registry = Mutex<[ObjectIdentifier: LoopTicker]>([:])

    private struct Entry {
        let reader: any PacedReader
        let pace: ReadPace
    }

    private let loop: any EventLoop
    private var entries: [Entry] = []
    private var idleDue: Int64 = 0
    private var scheduled: NIOScheduledCallback?
    private var isTicking = false
    /// What all readers of the loop read into, one after the other; pages that bursts never reach cost nothing.
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)

    private init(_ loop: any EventLoop) {
        self.loop = loop
    }

    deinit {
        buffer.deallocate()
    }

    /// The ticker of a loop; call on the loop. It lives while it has readers.
    static func of(_ loop: any EventLoop) -> LoopTicker {
        loop.assertInEventLoop()
        return registry.withLock { all in
            if let ticker = all[ObjectIdentifier(loop)] { return ticker }
            let ticker = LoopTicker(loop)
            all[ObjectIdentifier(loop)] = ticker
            return ticker
        }
    }

    func add(_ reader: any PacedReader, pace: ReadPace) {
        entries.append(Entry(reader: reader, pace: pace))
        // The pace outlives the ticker, so it must not keep it.
        let listener = WeakTicker(self)
        pace.addListener(ObjectIdentifier(reader)) { [loop] in
            loop.execute { listener.ticker?.tickNow() }
        }
        if scheduled == nil, !isTicking { tickNow() }
    }

    func remove(_ reader: any PacedReader) {
        guard let index = entries.firstIndex(where: { $0.reader === reader }) else { return }
        entries[index].pace.removeListener(ObjectIdentifier(reader))
        entries.remove(at: index)
        if entries.isEmpty {
            scheduled?.cancel()
            scheduled = nil
            Self.registry.withLock { $0[ObjectIdentifier(loop)] = nil }
        }
    }

    private func tickNow() {
        scheduled?.cancel()
        scheduled = nil
        tick()
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        scheduled = nil
        tick()
    }

    private func tick() {
        guard !entries.isEmpty, !isTicking else { return }
        isTicking = true
        let now = MonotonicClock.now
        let isIdleDue = now >= idleDue
        if isIdleDue { idleDue = now + Self.idleInterval }
        var hasLive = false
        for entry in entries {
            let isLive = entry.pace.isLive
            if isLive { hasLive = true }
            if isLive || isIdleDue { entry.reader.tick(now: now, buffer: buffer) }
        }
        isTicking = false
        guard !entries.isEmpty else { return }
        let wait = hasLive ? Self.liveInterval : max(1_000, idleDue - now)
        do {
            scheduled = try loop.scheduleCallback(in: .microseconds(wait), handler: self)
        } catch {
            // The loop is shutting down, and its channels with it.
            scheduled = nil
        }
    }
}

/// A weak reference that may cross threads; only followed on the ticker's loop.
private final class WeakTicker: Sendable {
    weak let ticker: LoopTicker?

    init(_ ticker: LoopTicker) {
        self.ticker = ticker
    }
}
