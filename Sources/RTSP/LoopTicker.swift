import NIOCore
import Synchronization

/// What a `LoopTicker` reads. Called on the event loop only.
protocol PacedReader: AnyObject {
    /// Time to read everything there is and to look at deadlines; `now` in monotonic microseconds, `buffer` for the
    /// length of the call. A live reader is armed and only looks at its deadlines.
    func tick(now: Int64, isLive: Bool, buffer: UnsafeMutableRawBufferPointer)
    /// Wait for bytes and read them as they come, once.
    func arm()
    /// Whether it has read since it was armed.
    var wantsArming: Bool { get }
}

/// The monotonic clock of arrivals.
enum MonotonicClock {
    /// Microseconds.
    @inline(__always)
    static var now: Int64 { Int64(truncatingIfNeeded: NIODeadline.now().uptimeNanoseconds / 1000) }
}

/// One timer per event loop that reads all sessions of the loop together, so that the loop wakes up once for all of them.
///
/// Sessions nobody watches are read at every tick, whatever came or did not: one system call each. Live ones wait for
/// their socket, so that the first bytes of a picture wake the loop, and wait again at most 5 ms later.
///
/// `@unchecked Sendable`: everything but the registry is touched on its event loop only.
final class LoopTicker: NIOScheduledCallbackHandler, @unchecked Sendable {
    /// Microseconds between reads.
    static let liveInterval: Int64 = 5_000
    static let idleInterval: Int64 = 50_000

    private static let registry = Mutex<[ObjectIdentifier: LoopTicker]>([:])

    private struct Entry {
        let reader: any PacedReader
        let pace: ReadPace
    }

    private let loop: any EventLoop
    private var entries: [Entry] = []
    private var idleDue: Int64 = 0
    private var armDue: Int64 = .max
    private var scheduled: NIOScheduledCallback?
    private var scheduledFor: Int64 = .max
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
        tickNow()
    }

    /// Takes a reader off the ticker of its loop, if it is on one; call on the loop.
    static func remove(_ reader: any PacedReader, from loop: any EventLoop) {
        registry.withLock { $0[ObjectIdentifier(loop)] }?.remove(reader)
    }

    private func remove(_ reader: any PacedReader) {
        guard let index = entries.firstIndex(where: { $0.reader === reader }) else { return }
        entries[index].pace.removeListener(ObjectIdentifier(reader))
        entries.remove(at: index)
        if entries.isEmpty {
            scheduled?.cancel()
            scheduled = nil
            scheduledFor = .max
            Self.registry.withLock { $0[ObjectIdentifier(loop)] = nil }
        }
    }

    /// A live reader has read what it was armed for.
    func readerDisarmed() {
        guard armDue == .max else { return }
        armDue = MonotonicClock.now + Self.liveInterval
        if !isTicking { schedule(MonotonicClock.now) }
    }

    /// Whatever was planned, look at everything now: a pace changed or a reader came.
    private func tickNow() {
        idleDue = 0
        armDue = 0
        tick()
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        scheduled = nil
        scheduledFor = .max
        tick()
    }

    private func tick() {
        guard !entries.isEmpty, !isTicking else { return }
        isTicking = true
        let now = MonotonicClock.now
        let isIdleDue = now >= idleDue
        let isArmDue = now >= armDue
        if isIdleDue { idleDue = now + Self.idleInterval }
        if isArmDue { armDue = .max }
        for entry in entries {
            let isLive = entry.pace.isLive
            if isIdleDue { entry.reader.tick(now: now, isLive: isLive, buffer: buffer) }
            if isArmDue, isLive, entry.reader.wantsArming { entry.reader.arm() }
        }
        isTicking = false
        schedule(now)
    }

    private func schedule(_ now: Int64) {
        guard !entries.isEmpty else { return }
        let due = min(idleDue, armDue)
        guard due < scheduledFor || scheduled == nil else { return }
        scheduled?.cancel()
        do {
            scheduled = try loop.scheduleCallback(in: .microseconds(max(500, due - now)), handler: self)
            scheduledFor = due
        } catch {
            // The loop is shutting down, and its channels with it.
            scheduled = nil
            scheduledFor = .max
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
