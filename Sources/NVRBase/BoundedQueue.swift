import DequeModule

/// A first-in first-out queue with a bound in elements and in bytes that counts what it refuses. A plain value: its owner locks.
package struct BoundedQueue<Element> {
    private var elements = Deque<(element: Element, bytes: Int)>()
    /// Bytes of all queued elements.
    package private(set) var bytes = 0
    /// Elements refused since the queue was made.
    package private(set) var dropped = 0
    package let maxCount: Int
    package let maxBytes: Int

    package init(maxCount: Int, maxBytes: Int = .max) {
        self.maxCount = maxCount
        self.maxBytes = maxBytes
    }

    package var count: Int { elements.count }
    package var isEmpty: Bool { elements.isEmpty }

    /// False when the element was refused because a bound would be passed. An empty queue takes any single element.
    package mutating func append(_ element: Element, bytes size: Int = 0) -> Bool {
        if !elements.isEmpty, elements.count >= maxCount || bytes + size > maxBytes {
            dropped += 1
            return false
        }
        elements.append((element, size))
        bytes += size
        return true
    }

    package mutating func popFirst() -> Element? {
        guard let first = elements.popFirst() else { return nil }
        bytes -= first.bytes
        return first.element
    }

    /// Takes everything out.
    package mutating func removeAll() -> [Element] {
        let all = elements.map(\.element)
        elements.removeAll(keepingCapacity: false)
        bytes = 0
        return all
    }
}

extension BoundedQueue: Sendable where Element: Sendable {}
