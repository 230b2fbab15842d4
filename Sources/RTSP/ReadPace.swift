import Synchronization

/// How often the sessions that share it read their sockets: every 5 ms while somebody watches, else every 50 ms. The
/// price of a stream is the number of system calls, so reading seldom and much is what makes it cheap.
/// May be used from any thread; one pace may serve any number of sessions on any event loops.
package final class ReadPace: Sendable {
    private let live = Atomic<Bool>(false)
    private let listeners = Mutex<[ObjectIdentifier: @Sendable () -> Void]>([:])

    /// A pace nobody watches.
    package init() {}

    /// True while low latency matters. A change takes effect at once.
    package var isLive: Bool {
        get { live.load(ordering: .relaxed) }
        set {
            guard live.exchange(newValue, ordering: .relaxed) != newValue else { return }
            for listener in listeners.withLock({ Array($0.values) }) { listener() }
        }
    }

    /// Calls `body` after every change until `removeListener`.
    func addListener(_ owner: ObjectIdentifier, _ body: @escaping @Sendable () -> Void) {
        listeners.withLock { $0[owner] = body }
    }

    func removeListener(_ owner: ObjectIdentifier) {
        listeners.withLock { $0[owner] = nil }
    }
}
