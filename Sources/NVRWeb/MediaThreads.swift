package import NIOPosix
import NVRBase
package import NVRModel
import Synchronization

/// Threads on which files are read while they are sent: some for each volume, made when something of it is wanted, so that one that hangs
/// keeps only its own viewers waiting.
package final class MediaThreads: Sendable {
    private enum Key: Hashable {
        case one(VolumeID)
        case several
    }

    /// Files of a volume that are read at a time.
    private static let atOnce = 4

    private let common: NIOThreadPool
    private let pools = Mutex<[Key: NIOThreadPool]>([:])

    /// `common`: for what lies on no volume.
    package init(common: NIOThreadPool) { self.common = common }

    deinit {
        // What still reads for an answer finishes; its result is wanted by nobody.
        pools.withLock { pools in pools.values.forEach { $0.shutdownGracefully { _ in } } }
    }

    /// Runs `body`, which blocks, for files on some volumes. A task that is cancelled waits no longer, whatever becomes of it.
    package func run<Value: Sendable>(on volumes: Set<VolumeID>, _ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let wait = PatientWait<Value>()
        let pool = pool(for: volumes)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                wait.begin(continuation)
                pool.submit { state in
                    guard case .active = state, wait.isWanted else {
                        wait.end(with: .failure(NVRError(.unavailable, "the server ends")))
                        return
                    }
                    wait.end(with: Result { try body() })
                }
            }
        } onCancel: {
            wait.end(with: .failure(CancellationError()))
        }
    }

    /// Of one volume, or of all movies that lie on several.
    private func pool(for volumes: Set<VolumeID>) -> NIOThreadPool {
        guard let first = volumes.first else { return common }
        let key = volumes.count > 1 ? Key.several : Key.one(first)
        return pools.withLock { pools in
            if let known = pools[key] { return known }
            let pool = NIOThreadPool(numberOfThreads: Self.atOnce)
            pool.start()
            pools[key] = pool
            return pool
        }
    }
}
