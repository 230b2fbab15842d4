// What belongs here: how long the product waits before it tries a camera again.
import NVRBase
import Testing

@Suite("Back-off")
struct BackoffTests {
    @Test("a camera that refuses the log-in sees at most 3 wrong log-ins in any 10 minutes", arguments: [0.0, 0.37, 1.0])
    func refusedLogins(jitter: Double) {
        var backoff = Backoff()
        var attempts = [0.0]
        for _ in 0..<60 { attempts.append(attempts[attempts.count - 1] + backoff.wait(after: .unauthorized, jitter: jitter)) }
        for start in attempts {
            #expect(attempts.filter { $0 >= start && $0 <= start + 600 }.count <= 3)
        }
    }

    @Test("a refused log-in waits its time also in a young outage and after other failures")
    func refusedAfterOthers() {
        var backoff = Backoff()
        for _ in 0..<9 { _ = backoff.wait(after: .unreachable, jitter: 1) }
        #expect(backoff.wait(after: .unauthorized, jitter: 0, outage: 1) >= 300)
    }

    @Test("an unreachable camera is tried after 1 s, doubling to 30 s")
    func doubling() {
        var backoff = Backoff()
        let waits = (0..<9).map { _ in backoff.wait(after: .unreachable, jitter: 1) }
        #expect(waits == [1, 2, 4, 8, 16, 30, 30, 30, 30])
    }

    @Test("jitter shortens a wait by a fifth at most and never lengthens it past 30 s")
    func jitter() {
        for jitter in stride(from: 0.0, through: 1, by: 0.1) {
            var backoff = Backoff()
            for full in [1.0, 2, 4, 8, 16, 30, 30] {
                let wait = backoff.wait(after: .unreachable, jitter: jitter)
                #expect(wait <= full && wait >= full * 0.799)
            }
        }
    }

    @Test("a young outage is tried at least every 3 s, an old one every 30 s")
    func youngOutages() {
        var backoff = Backoff()
        var elapsed = 0.0
        var longest = 0.0
        while elapsed < Backoff.young {
            let wait = backoff.wait(after: .unreachable, jitter: 1, outage: elapsed)
            longest = max(longest, wait)
            elapsed += wait
        }
        #expect(longest <= Backoff.longestWhenYoung)
        #expect(backoff.wait(after: .unreachable, jitter: 1, outage: elapsed) == Backoff.longest)
    }

    @Test("a stream that broke off is fetched again at once, and the wait begins anew afterwards")
    func interrupted() {
        var backoff = Backoff()
        for _ in 0..<6 { _ = backoff.wait(after: .overloaded, jitter: 1) }
        for jitter in [0.0, 1] { #expect(backoff.wait(after: .interrupted, jitter: jitter) <= 0.5) }
        #expect(backoff.wait(after: .unreachable, jitter: 1) == 1)
    }

    @Test("an overloaded camera is treated like an unreachable one, not like one with a wrong password")
    func overloaded() {
        var backoff = Backoff()
        #expect(backoff.wait(after: .overloaded, jitter: 1) == 1)
        #expect(backoff.wait(after: .overloaded, jitter: 1) == 2)
    }

    @Test(
        "a log-in that was accepted before and is refused now is tried after seconds and a minute, and at most 3 times in any 10 minutes",
        arguments: [0.0, 0.37, 1.0])
    func refusedAgain(jitter: Double) {
        var backoff = Backoff()
        var attempts = [0.0]
        for number in 0..<60 {
            // A camera that restarts meanwhile is no reason to begin anew.
            if number % 7 == 3 { _ = backoff.wait(after: .unreachable, jitter: jitter, outage: 1) }
            attempts.append(attempts[attempts.count - 1] + backoff.wait(after: .refusedAgain, jitter: jitter, outage: 1))
        }
        #expect(attempts[1] <= 3 && attempts[2] - attempts[1] <= 60)
        for start in attempts {
            #expect(attempts.filter { $0 >= start && $0 <= start + 600 }.count <= 3)
        }
        #expect(backoff.isPatientWithLogins)
        backoff.accepted()
        #expect(!backoff.isPatientWithLogins)
        #expect(backoff.wait(after: .refusedAgain, jitter: jitter, outage: 1) <= 3)
    }

    @Test("reset forgets earlier failures")
    func reset() {
        var backoff = Backoff()
        for _ in 0..<6 { _ = backoff.wait(after: .unreachable, jitter: 1) }
        backoff.reset()
        #expect(backoff == Backoff())
        #expect(backoff.wait(after: .unreachable, jitter: 1) == 1)
    }
}

@Suite("Bytes a second")
struct ByteRateTests {
    @Test("No more than a second's worth goes at once, and never more than the limit in the long run")
    func limit() {
        var rate = ByteRate(1000)
        #expect(rate.take(1000, now: 0) == 0)
        #expect(rate.take(500, now: 0) == 500_000)
        #expect(rate.take(0, now: 500_000) == 0)
        // A long rest gives a second's worth, not more.
        #expect(rate.take(1000, now: 100_000_000) == 0)
        #expect(rate.take(1, now: 100_000_000) == 1000)
    }

    @Test("Whoever waits as told keeps to the limit, whatever the sizes")
    func longRun() {
        var rate = ByteRate(50_000)
        var now: Int64 = 5_000_000
        var sent = 0
        for step in 0..<500 {
            let bytes = 1 + step * 7919 % 65_536
            now += rate.take(bytes, now: now)
            sent += bytes
            #expect(Double(sent) <= 50_000 * (Double(now - 5_000_000) / 1_000_000 + 1) + 1)
        }
        #expect(Double(sent) >= 50_000 * (Double(now - 5_000_000) / 1_000_000) * 0.99)
    }

    @Test("Without a limit nothing waits, and clocks that go back take nothing away")
    func edges() {
        var free = ByteRate(0)
        #expect(free.take(.max, now: 0) == 0)
        var rate = ByteRate(10)
        #expect(rate.take(10, now: 1_000_000) == 0)
        #expect(rate.take(5, now: 0) == 500_000)
        #expect(ByteRate(-5).rate == 0)
    }
}
