import Synchronization

/// The last value that was made for a key, kept until there is one for another key. For values that cost more to make than to keep and
/// hold as long as their key does. Any task may use it; two that miss at once both make one.
package final class Versioned<Key: Equatable & Sendable, Value: Sendable>: Sendable {
    private let kept = Mutex<(key: Key, value: Value)?>(nil)

    package init() {}

    package func value(for key: Key) -> Value? { kept.withLock { $0.flatMap { $0.key == key ? $0.value : nil } } }

    package func keep(_ value: Value, for key: Key) { kept.withLock { $0 = (key, value) } }
}

/// The same for several subjects at a time, at most `capacity`; when there are more, all are forgotten. Any task may use it.
package final class VersionedEach<Subject: Hashable & Sendable, Key: Equatable & Sendable, Value: Sendable>: Sendable {
    private let capacity: Int
    private let kept = Mutex<[Subject: (key: Key, value: Value)]>([:])

    package init(capacity: Int) { self.capacity = capacity }

    package func value(of subject: Subject, for key: Key) -> Value? {
        kept.withLock { $0[subject].flatMap { $0.key == key ? $0.value : nil } }
    }

    package func keep(_ value: Value, of subject: Subject, for key: Key) {
        kept.withLock { kept in
            if kept.count >= capacity, kept[subject] == nil { kept.removeAll() }
            kept[subject] = (key, value)
        }
    }
}
