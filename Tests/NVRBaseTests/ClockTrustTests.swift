import NVRBase
import Testing

@Suite("Trust in the wall clock")
struct ClockTrustTests {
    private static let day: Int64 = 86_400_000_000
    private static let year = 365 * day
    private static let now: Int64 = 1_795_000_000_000_000

    @Test("a clock that goes on is credible, also after a month without the server")
    func steady() {
        var trust = ClockTrust(lastSeen: Self.now - 29 * Self.day, wall: Self.now, monotonic: 5)
        for second in 0..<10 {
            #expect(
                trust.observe(wall: Self.now + Int64(second) * 1_000_000, monotonic: 5 + Int64(second) * 1_000_000, isSynchronized: false)
                    == .credible)
        }
        var fresh = ClockTrust(lastSeen: nil, wall: 0, monotonic: 0)
        #expect(fresh.observe(wall: 0, monotonic: 0, isSynchronized: false) == .credible)
    }

    @Test("ten years ahead is not believed, at the start and while running, until it is confirmed or has stood for a day")
    func ahead() {
        var started = ClockTrust(lastSeen: Self.now, wall: Self.now + 10 * Self.year, monotonic: 0)
        #expect(started.observe(wall: Self.now + 10 * Self.year, monotonic: 0, isSynchronized: false) == .ahead(10 * Self.year))
        #expect(!started.observe(wall: Self.now + 10 * Self.year + 1, monotonic: 1, isSynchronized: false).mayDeleteByAge)
        #expect(started.observe(wall: Self.now + 10 * Self.year + 2, monotonic: 2, isSynchronized: true) == .credible)
        var running = ClockTrust(lastSeen: Self.now, wall: Self.now, monotonic: 0)
        #expect(running.observe(wall: Self.now + 10 * Self.year, monotonic: 1, isSynchronized: false).mayDeleteByAge == false)
        #expect(running.observe(wall: Self.now + 10 * Self.year + Self.day, monotonic: Self.day, isSynchronized: false).mayDeleteByAge == false)
        #expect(running.observe(wall: Self.now + 10 * Self.year + Self.day, monotonic: Self.day + 1, isSynchronized: false) == .credible)
    }

    @Test("a jump that is taken back is forgotten")
    func back() {
        var trust = ClockTrust(lastSeen: Self.now, wall: Self.now, monotonic: 0)
        #expect(!trust.observe(wall: Self.now + Self.year, monotonic: 1, isSynchronized: false).mayDeleteByAge)
        #expect(trust.observe(wall: Self.now + 3, monotonic: 2, isSynchronized: false) == .credible)
    }

    @Test("1970 and three hours back are told, and make nothing older")
    func behind() {
        var epoch = ClockTrust(lastSeen: Self.now, wall: 0, monotonic: 0)
        #expect(epoch.observe(wall: 0, monotonic: 0, isSynchronized: false) == .behind(Self.now))
        #expect(epoch.observe(wall: 1, monotonic: 1, isSynchronized: false).mayDeleteByAge)
        // Then today: it is where it was seen last.
        #expect(epoch.observe(wall: Self.now + 2, monotonic: 2, isSynchronized: false) == .credible)
        var hours = ClockTrust(lastSeen: Self.now, wall: Self.now, monotonic: 0)
        #expect(hours.observe(wall: Self.now - 3 * 3_600_000_000, monotonic: 0, isSynchronized: false) == .behind(3 * 3_600_000_000))
    }

    @Test("the ends of the range do no harm")
    func extremes() {
        for last in [Int64.min, 0, .max] {
            for wall in [Int64.min, 0, .max] {
                var trust = ClockTrust(lastSeen: last, wall: wall, monotonic: .max)
                _ = trust.observe(wall: .min, monotonic: .min, isSynchronized: false)
                _ = trust.observe(wall: .max, monotonic: .max, isSynchronized: false)
            }
        }
    }
}
