import NVRCameras
import NVRModel
import Testing

@Suite("How many events begin")
struct EventPaceTests {
    private static let second: Int64 = 1_000_000

    /// Feeds motion that lasts and rests for random times; gives when events began, and the ends, by their number.
    private static func run(
        hours: Int64, lasts: ClosedRange<Int64>, rests: ClosedRange<Int64>, seed: UInt64
    ) -> (begins: [Int64], ends: [(entered: Int64, at: WallTime)]) {
        var random = SeededGenerator(state: seed)
        var pace = EventPace()
        var begins: [Int64] = []
        var ends: [(entered: Int64, at: WallTime)] = []
        var now: Int64 = 0
        while now < hours * EventPace.hour {
            if pace.began(now: now) { begins.append(now) }
            now += Int64.random(in: lasts, using: &random)
            let end = WallTime(microseconds: now)
            if let end = pace.ended(at: end, now: now) { ends.append((now, end)) }
            let next = now + Int64.random(in: rests, using: &random)
            if let due = pace.heldUntil, due <= next, let end = pace.tick(now: due) { ends.append((due, end)) }
            now = next
        }
        if let end = pace.finish() { ends.append((now, end)) }
        return (begins, ends)
    }

    @Test("at most 60 begin in any hour, however motion comes and goes, and every one of them ends", arguments: UInt64(0)..<40)
    func storms(seed: UInt64) {
        var random = SeededGenerator(state: seed)
        let shortest = Int64.random(in: 1...60, using: &random) * Self.second / 10
        let longest = shortest + Int64.random(in: 1...400, using: &random) * Self.second
        let (begins, ends) = Self.run(hours: 8, lasts: 100_000...shortest, rests: shortest...longest, seed: seed)
        for (index, begin) in begins.enumerated() {
            #expect(begins[index...].prefix { $0 - begin < EventPace.hour }.count <= 60)
        }
        #expect(begins.count == ends.count)
        for ((entered, end), begin) in zip(ends, begins) {
            #expect(end.microseconds >= begin && entered - end.microseconds <= EventPace.hold)
        }
    }

    @Test("what comes no more often than forty times an hour ends at once, each as an event of its own")
    func ordinary() {
        let (begins, ends) = Self.run(hours: 24, lasts: 5 * Self.second...10 * Self.second, rests: 95 * Self.second...200 * Self.second, seed: 3)
        #expect(begins.count == ends.count && begins.count > 400)
        #expect(ends.allSatisfy { $0.entered == $0.at.microseconds })
    }

    @Test("an end that is held back keeps its time, and motion that comes meanwhile goes on with the event")
    func held() {
        var pace = EventPace()
        var now: Int64 = 0
        for _ in 0..<EventPace.free - 1 {
            #expect(pace.began(now: now) == true)
            #expect(pace.ended(at: WallTime(microseconds: now), now: now) != nil)
            now += Self.second
        }
        #expect(pace.began(now: now) == true)
        let last = WallTime(microseconds: now - 7)
        #expect(pace.ended(at: last, now: now) == nil)
        #expect(pace.heldUntil == now + EventPace.hold)
        #expect(pace.began(now: now + 5 * Self.second) == false)
        #expect(pace.heldUntil == nil)
        #expect(pace.tick(now: .max) == nil)
        #expect(pace.ended(at: last, now: now + 6 * Self.second) == nil)
        #expect(pace.tick(now: now + 6 * Self.second + EventPace.hold - 1) == nil)
        #expect(pace.tick(now: now + 6 * Self.second + EventPace.hold) == last)
        #expect(pace.finish() == nil)
    }
}
