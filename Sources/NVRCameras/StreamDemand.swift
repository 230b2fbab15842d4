import NVRBase
import Synchronization

/// Whether anybody wants a stream that is not needed all the time. Any thread may set it.
final class StreamDemand: Sendable {
    private let isWanted = Mutex(false)
    private let changes = Broadcast<Void>(capacity: 1)

    func set(_ wanted: Bool) {
        isWanted.withLock { $0 = wanted }
        changes.send(())
    }

    /// Returns once somebody wants it, or when the task is cancelled.
    func begins() async {
        let news = changes.subscribe()
        if isWanted.withLock({ $0 }) { return }
        for await _ in news where isWanted.withLock({ $0 }) { return }
    }

    /// Returns once nobody has wanted it for `patience`, or when the task is cancelled.
    func ends(patience: Duration) async {
        let news = changes.subscribe()
        while !Task.isCancelled {
            if isWanted.withLock({ $0 }) {
                for await _ in news where !isWanted.withLock({ $0 }) { break }
            } else {
                // Thrown by cancellation, which the loop sees. A viewer who looks at another camera comes back soon.
                try? await Task.sleep(for: patience)
                if !isWanted.withLock({ $0 }) { return }
            }
        }
    }
}
