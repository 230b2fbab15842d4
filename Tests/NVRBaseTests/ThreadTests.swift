// What belongs here: threads made for blocking, waiting on them, and the clocks.
#if canImport(Glibc)
    import Glibc
#endif
import NVRBase
import Synchronization
import Testing

@Suite("Threads and clocks")
struct ThreadTests {
    private final class Log: Sendable {
        let values = Mutex<[Int]>([])
        let running = Mutex(0)
        let overlaps = Mutex(0)
    }

    private struct Refusal: Error {}

    @Test("jobs run one after another, in the order given")
    func order() async throws {
        let thread = BlockingThread(name: "order")
        defer { thread.stop() }
        let log = Log()
        for value in 0..<1000 { thread.enqueue { log.values.withLock { $0.append(value) } } }
        try await thread.run {}
        #expect(log.values.withLock { $0 } == Array(0..<1000))
    }

    @Test("jobs from many tasks never run at the same time, and each runs once")
    func exclusion() async throws {
        let thread = BlockingThread(name: "exclusion")
        defer { thread.stop() }
        let log = Log()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<20 {
                group.addTask {
                    for job in 0..<50 {
                        try await thread.run {
                            if log.running.withLock({
                                $0 += 1; return $0
                            }) > 1 {
                                log.overlaps.withLock { $0 += 1 }
                            }
                            log.values.withLock { $0.append(task * 50 + job) }
                            log.running.withLock { $0 -= 1 }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(log.overlaps.withLock { $0 } == 0)
        #expect(log.values.withLock { $0 }.sorted() == Array(0..<1000))
    }

    @Test("work that nobody waits for gets what others leave of the CPU")
    func classes() async throws {
        var classes: [[Int]] = []
        for thread in [BlockingThread(name: "plain"), BlockingThread(name: "nice", niceness: 7), BlockingThread(name: "idle", isIdle: true)] {
            defer { thread.stop() }
            classes.append(try await thread.run { [Int(sched_getscheduler(0)), Int(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0))] })
        }
        // SCHED_OTHER and SCHED_IDLE (sched(7)).
        #expect(classes.map { $0[0] } == [0, 0, 5])
        #expect(classes[1][1] >= 7 && classes[0][1] < classes[1][1])
    }

    @Test("run gives the result or the error of its body")
    func results() async throws {
        let thread = BlockingThread(name: "results")
        defer { thread.stop() }
        #expect(try await thread.run { 6 * 7 } == 42)
        await #expect(throws: Refusal.self) { try await thread.run { throw Refusal() } }
        #expect(try await thread.run { "still here" } == "still here")
    }

    @Test("a stopped thread finishes what is queued and takes nothing more")
    func stopping() async throws {
        let thread = BlockingThread(name: "stopping")
        let log = Log()
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .unbounded)
        for value in 0..<100 { thread.enqueue { log.values.withLock { $0.append(value) } } }
        thread.enqueue { continuation.finish() }
        thread.stop()
        #expect(!thread.enqueue { log.values.withLock { $0.append(-1) } })
        let error = await #expect(throws: NVRError.self) { try await thread.run {} }
        #expect(error?.kind == .unavailable)
        for await _ in stream {}
        #expect(log.values.withLock { $0 } == Array(0..<100))
        thread.stop()
    }

    @Test("stopping from a job of the thread itself ends it")
    func stoppingFromWithin() async throws {
        let thread = BlockingThread(name: "within")
        try await thread.run { thread.stop() }
        await #expect(throws: NVRError.self) { try await thread.run {} }
    }

    @Test("a thread waits for an asynchronous operation and gets its result or error")
    func waiting() async throws {
        let thread = BlockingThread(name: "waiting")
        defer { thread.stop() }
        let other = BlockingThread(name: "other")
        defer { other.stop() }
        #expect(try await thread.run { try blockingWait { try await other.run { 5 } } } == 5)
        await #expect(throws: Refusal.self) { try await thread.run { try blockingWait { throw Refusal() } } }
    }

    @Test("monotonic time never goes back, and wall time lies in this century")
    func clocks() {
        let clock = SystemClock()
        var last = clock.monotonic()
        for _ in 0..<10_000 {
            let now = clock.monotonic()
            #expect(now >= last)
            last = now
        }
        #expect(clock.wall() > 1_600_000_000_000_000 && clock.wall() < 4_102_444_800_000_000)
        pause(microseconds: -1)
        pause(microseconds: 0)
    }
}
