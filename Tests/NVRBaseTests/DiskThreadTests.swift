// What belongs here: threads for disks that may hang, and telling that one does.
import Dispatch
import NVRBase
import Synchronization
import Testing

@Suite("Threads for disks")
struct DiskThreadTests {
    @Test("a step that goes on for longer than the patience is a stall; a new one, or rest, begins anew")
    func stalls() {
        var watch = StallWatch(patience: 10)
        func isStuck(_ step: UInt64?, _ now: Int64) -> Bool { watch.isStuck(step, now: now) }
        #expect(!isStuck(nil, 0) && !isStuck(nil, 100))
        #expect(!isStuck(1, 100) && !isStuck(1, 109) && isStuck(1, 110) && isStuck(1, 500))
        #expect(!isStuck(3, 501) && !isStuck(3, 510) && isStuck(3, 511))
        #expect(!isStuck(nil, 512))
        // What was not looked at is not held against it.
        #expect(!isStuck(5, 2000) && isStuck(5, 2010))
    }

    @Test("steps are counted while something is done, and not while a job waits for something else")
    func steps() async throws {
        let thread = DiskThread(name: "steps")
        #expect(thread.step == nil)
        let seen = try await thread.run { () -> [UInt64?] in
            let first = thread.step
            thread.nextStep()
            let second = thread.step
            let outside = thread.outside { thread.step }
            return [first, second, outside, thread.step]
        }
        let numbers = seen.compactMap { $0 }
        #expect(seen[2] == nil && numbers.count == 3 && Set(numbers).count == 3 && numbers == numbers.sorted())
        // The job has ended a moment after its answer.
        while thread.pending > 0 { await Task.yield() }
        #expect(thread.step == nil)
    }

    @Test("who waits for a thread that hangs is let go, what has not begun is left out, and a late result is not lost")
    func lettingGo() async throws {
        let thread = DiskThread(name: "hanging")
        let gate = DispatchSemaphore(value: 0)
        let begun = Mutex(false)
        let late = AsyncStream.makeStream(of: Int.self)
        await #expect(throws: DiskThread.Unanswered.self) {
            try await thread.run(
                givingUpWhen: { _ in begun.withLock { $0 } }, late: { late.continuation.yield($0) },
                {
                    begun.withLock { $0 = true }
                    gate.wait()
                    return 42
                })
        }
        let hasRun = Mutex(false)
        await #expect(throws: DiskThread.Unanswered.self) {
            try await thread.run(givingUpWhen: { _ in true }) { hasRun.withLock { $0 = true } }
        }
        #expect(thread.step != nil && thread.pending == 2)
        gate.signal()
        for await value in late.stream {
            #expect(value == 42)
            break
        }
        #expect(try await thread.run { "still here" } == "still here")
        #expect(!hasRun.withLock { $0 })
    }

    @Test("too many who wait are turned away and counted")
    func room() async throws {
        let thread = DiskThread(name: "full", mostWaiting: 2)
        let gate = DispatchSemaphore(value: 0)
        thread.enqueue { gate.wait() }
        thread.enqueue {}
        await #expect(throws: NVRError.self) { try await thread.run {} }
        #expect(thread.refused == 1)
        gate.signal()
        while thread.pending > 0 { await Task.yield() }
        try await thread.run {}
        thread.stop()
        await #expect(throws: NVRError.self) { try await thread.run {} }
    }
}
