import Synchronization

/// Somebody who waits for an answer, until it is there or he gives up, whatever comes first. Any thread may end the wait.
package final class PatientWait<Value: Sendable>: Sendable {
    private struct State {
        var continuation: CheckedContinuation<Value, any Error>?
        var watcher: Task<Void, Never>?
        /// What ended it before it began.
        var early: Result<Value, any Error>?
        var isOver = false
    }

    private let state = Mutex(State())

    package init() {}

    /// False once it has ended.
    package var isWanted: Bool { state.withLock { !$0.isOver } }

    /// Begins to wait; once.
    package func begin(_ continuation: CheckedContinuation<Value, any Error>) {
        let early = state.withLock { state in
            if state.early == nil { state.continuation = continuation }
            return state.early
        }
        if let early { continuation.resume(with: early) }
    }

    /// Is cancelled when the wait ends.
    package func watch(_ task: Task<Void, Never>) {
        let isOver = state.withLock { state in
            if !state.isOver { state.watcher = task }
            return state.isOver
        }
        if isOver { task.cancel() }
    }

    /// False when it has ended before: nobody hears of this result.
    @discardableResult
    package func end(with result: Result<Value, any Error>) -> Bool {
        let (isFirst, continuation, watcher) = state.withLock { state in
            defer {
                if !state.isOver, state.continuation == nil { state.early = result }
                state.isOver = true
                state.continuation = nil
                state.watcher = nil
            }
            return (!state.isOver, state.continuation, state.watcher)
        }
        watcher?.cancel()
        continuation?.resume(with: result)
        return isFirst
    }
}
