#if canImport(Glibc)
    import Glibc
#endif
import Synchronization

/// A named thread for calls that block: libav, file writes, fsync. Jobs run one after another in the order given.
///
/// `@unchecked Sendable`: the mutable state is behind a pthread mutex; the pthread handles are made in `init` and never changed.
package final class BlockingThread: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var jobs: [@Sendable () -> Void] = []
    private var isStopping = false
    private var isFinished = false

    /// Starts the thread. `name` is cut to 15 bytes, the kernel's limit. `stackBytes` is address space, touched pages only count.
    /// `niceness`: 1…19 for work that everything else goes before. `isIdle`: for work that gets what nobody else wants of the CPU
    /// (SCHED_IDLE, sched(7)); on a machine that is busy all the time that is next to nothing, so nobody may wait for it.
    package init(name: String, stackBytes: Int = 512 * 1024, niceness: Int32 = 0, isIdle: Bool = false) {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        if !Self.start(Start(thread: self, name: name, niceness: niceness, isIdle: isIdle), stackBytes: stackBytes) { isFinished = true }
    }

    /// What the new thread receives: the object it serves, kept alive until the thread ends.
    private final class Start {
        let thread: BlockingThread
        let name: String
        let niceness: Int32
        let isIdle: Bool
        init(thread: BlockingThread, name: String, niceness: Int32, isIdle: Bool) {
            self.thread = thread
            self.name = String(decoding: name.utf8.prefix(15), as: UTF8.self)
            self.niceness = niceness
            self.isIdle = isIdle
        }
    }

    private static func start(_ start: Start, stackBytes: Int) -> Bool {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackBytes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let argument = Unmanaged.passRetained(start).toOpaque()
        var handle = pthread_t()
        let code = pthread_create(&handle, &attributes, entry, argument)
        if code != 0 { Unmanaged<Start>.fromOpaque(argument).release() }
        return code == 0
    }

    private static let entry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
        guard let argument else { return nil }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        BlockingThread.nameThisThread(start.name)
        // 0: of this thread alone (setpriority(2), "C library/kernel differences"). Where it is refused, the thread is like the others.
        if start.niceness > 0 { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, start.niceness) }
        if start.isIdle {
            var none = sched_param(sched_priority: 0)
            _ = sched_setscheduler(0, BlockingThread.idlePolicy, &none)
        }
        start.thread.loop()
        return nil
    }

    /// SCHED_IDLE of <linux/sched.h>, which glibc shows to programs of GNU extensions only.
    private static let idlePolicy: CInt = 5

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Through /proc, since glibc's call is hidden from Swift. The name only serves `top -H`, so a failure changes nothing.
    private static func nameThisThread(_ name: String) {
        let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = name.withCString { write(descriptor, $0, strlen($0)) }
        close(descriptor)
    }

    private func loop() {
        while true {
            pthread_mutex_lock(mutex)
            while jobs.isEmpty, !isStopping { pthread_cond_wait(condition, mutex) }
            let batch = jobs
            jobs.removeAll(keepingCapacity: true)
            if batch.isEmpty, isStopping {
                isFinished = true
                pthread_cond_broadcast(condition)
                pthread_mutex_unlock(mutex)
                return
            }
            pthread_mutex_unlock(mutex)
            for job in batch { job() }
        }
    }

    /// Queues a job. False when the thread has been stopped or could not be made: the job will not run.
    @discardableResult
    package func enqueue(_ job: @escaping @Sendable () -> Void) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard !isStopping, !isFinished else { return false }
        jobs.append(job)
        pthread_cond_signal(condition)
        return true
    }

    /// Runs `body` on the thread and gives its result.
    package func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Result, any Error>) in
            let queued = enqueue { continuation.resume(with: Swift.Result { try body() }) }
            if !queued { continuation.resume(throwing: NVRError(.unavailable, "the thread has stopped")) }
        }
    }

    /// Lets queued jobs finish, then ends the thread. Does not wait.
    package func stop() {
        pthread_mutex_lock(mutex)
        isStopping = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }
}
