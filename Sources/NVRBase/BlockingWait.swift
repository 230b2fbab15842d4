import Dispatch
import Synchronization

/// Waits on a thread made for blocking until an asynchronous operation has ended. Never call it from a task: a cooperative thread
/// that blocks can starve the very operation it waits for.
package func blockingWait<Value: Sendable>(_ operation: @escaping @Sendable () async throws -> Value) throws -> Value {
    let semaphore = DispatchSemaphore(value: 0)
    let box = ResultBox<Value>()
    // The task lives exactly as long as this call waits for it.
    Task {
        do {
            let value = try await operation()
            box.result.withLock { $0 = .success(value) }
        } catch {
            box.result.withLock { $0 = .failure(error) }
        }
        semaphore.signal()
    }
    semaphore.wait()
    guard let result = box.result.withLock({ $0 }) else { throw NVRError(.internalFault, "an operation ended without a result") }
    return try result.get()
}

private final class ResultBox<Value: Sendable>: Sendable {
    let result = Mutex<Result<Value, any Error>?>(nil)
}
