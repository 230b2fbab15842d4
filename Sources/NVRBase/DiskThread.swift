import Synchronization

/// A thread for calls into one file system, which may hang. It counts its steps, so that others see when it is stuck in one, and lets go of
/// those who wait for it. A thread that hangs in a call cannot be ended: it ends by itself when the call returns, what was queued before is
/// done, and nobody holds this object any more. Any thread may use it; what is said to be the thread's own is for its jobs.
package final class DiskThread: Sendable {
    /// Nobody waits for the answer any more; whether the job is done some day is not known.
    package struct Unanswered: Error {
        package init() {}
    }

    private struct Queue {
        /// Jobs that have not ended.
        var pending = 0
        var refused = 0
    }

    /// How often those who wait are asked whether they go on.
    private static let interval = Duration.milliseconds(250)

    private let thread: BlockingThread
    /// The number of the step; even while nothing is being done.
    private let count = Atomic<UInt64>(0)
    private let queue = Mutex(Queue())
    private let mostWaiting: Int

    /// `mostWaiting`: callers of `run` that may wait at a time.
    package init(name: String, stackBytes: Int = 512 * 1024, niceness: Int32 = 0, mostWaiting: Int = 1024) {
        thread = BlockingThread(name: name, stackBytes: stackBytes, niceness: niceness)
        self.mostWaiting = mostWaiting
    }

    deinit { thread.stop() }

    /// The number of the step that goes on; nil while nothing is being done.
    package var step: UInt64? {
        let count = count.load(ordering: .acquiring)
        return count & 1 == 1 ? count : nil
    }

    /// Jobs that have not ended.
    package var pending: Int { queue.withLock { $0.pending } }

    /// Calls of `run` that were turned away, since too many waited.
    package var refused: Int { queue.withLock { $0.refused } }

    // MARK: The thread's own

    /// Another step begins.
    package func nextStep() { begin() }

    /// Does something that may take long for another reason than the disk.
    package func outside<Value>(_ body: () throws -> Value) rethrows -> Value {
        guard step != nil else { return try body() }
        end()
        defer { begin() }
        return try body()
    }

    private func begin() { count.store((count.load(ordering: .relaxed) + 1) | 1, ordering: .releasing) }

    private func end() { count.store((count.load(ordering: .relaxed) | 1) + 1, ordering: .releasing) }

    // MARK: Jobs

    /// Queues a job. False when the thread has been stopped or could not be made: the job will not run.
    @discardableResult
    package func enqueue(_ job: @escaping @Sendable () -> Void) -> Bool {
        queue.withLock { $0.pending += 1 }
        let isQueued = thread.enqueue { [self] in
            begin()
            job()
            end()
            queue.withLock { $0.pending -= 1 }
        }
        if !isQueued { queue.withLock { $0.pending -= 1 } }
        return isQueued
    }

    /// Runs `body` on the thread and gives its result. Throws `Unanswered` when the caller has had enough, and `exhausted` when too many wait.
    ///
    /// - Parameters:
    ///   - givesUp: asked four times a second, with how long the caller has waited. A job that has not begun by then is left out.
    ///   - late: what is to become of a result that nobody waits for any more; called on the thread.
    package func run<Value: Sendable>(
        givingUpWhen givesUp: (@Sendable (_ waited: Duration) -> Bool)? = nil, late: (@Sendable (Value) -> Void)? = nil,
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let hasRoom = queue.withLock { queue in
            if queue.pending >= mostWaiting { queue.refused += 1 }
            return queue.pending < mostWaiting
        }
        guard hasRoom else { throw NVRError(.exhausted, "too many wait for a disk that does not keep up") }
        let wait = PatientWait<Value>()
        return try await withCheckedThrowingContinuation { continuation in
            wait.begin(continuation)
            let isQueued = enqueue {
                guard wait.isWanted else { return }
                let result = Result { try body() }
                if !wait.end(with: result), case .success(let value) = result { late?(value) }
            }
            guard isQueued else {
                wait.end(with: .failure(NVRError(.unavailable, "the thread has stopped")))
                return
            }
            guard let givesUp else { return }
            let begun = ContinuousClock.now
            wait.watch(
                Task {
                    // Cancelled when the job has ended.
                    while (try? await Task.sleep(for: Self.interval)) != nil {
                        guard givesUp(begun.duration(to: .now)) else { continue }
                        wait.end(with: .failure(Unanswered()))
                        return
                    }
                })
        }
    }

    /// Lets queued jobs finish, then ends the thread. Does not wait.
    package func stop() { thread.stop() }
}
