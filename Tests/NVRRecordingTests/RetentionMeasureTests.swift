import NVRModel
import NVRRecording
import Testing

private let day = RetentionClock.day
private let today = WallTime(microseconds: 1_790_000_000_000_000)
private func later(_ days: Double) -> WallTime { today.advanced(byMicroseconds: Int64(days * Double(day))) }

struct RetentionClockTests {
    @Test func `Time that passes makes footage older`() {
        var clock = RetentionClock()
        clock.look(today, monotonic: 0)
        #expect(clock.look(later(3), monotonic: 3 * day) == nil)
        #expect(clock.effective(later(-9), now: later(3)) == later(-9))
    }

    @Test func `A clock that goes ten years ahead makes nothing older, and back again leaves no trace`() {
        var clock = RetentionClock()
        clock.look(today, monotonic: 0)
        #expect(clock.look(later(3650), monotonic: 60_000_000) != nil)
        let old = clock.effective(later(-2), now: later(3650))
        #expect(old.map { later(3650).microseconds(since: $0) } == 2 * day + 60_000_000)
        #expect(clock.effective(later(3650), now: later(3650)) == later(3650))
        clock.look(later(0.1), monotonic: day / 10)
        #expect(clock.jumps.isEmpty)
        #expect(clock.effective(later(-2), now: later(0.1)) == later(-2))
    }

    @Test func `Days without the server make nothing older, hours do`() {
        var clock = RetentionClock(seen: today)
        #expect(clock.look(later(0.5), monotonic: 5) == nil)
        clock = RetentionClock(seen: today)
        #expect(clock.look(later(30), monotonic: 5) != nil)
        let seen = clock.effective(later(-6), now: later(31))
        #expect(seen.map { later(31).microseconds(since: $0) } == 7 * day)
    }

    @Test func `A clock that is not set is no beginning`() {
        var clock = RetentionClock(seen: today)
        clock.look(WallTime(microseconds: 1_000_000), monotonic: 5)
        #expect(clock.seen == today)
        #expect(clock.look(later(0.1), monotonic: 60_000_000) == nil)
        #expect(clock.effective(WallTime(microseconds: 1_000_000), now: today) == nil)
        #expect(clock.effective(later(400), now: today) == nil)
    }

    @Test func `Three hours back change nothing`() {
        var clock = RetentionClock()
        clock.look(today, monotonic: 0)
        clock.look(later(-0.125), monotonic: 60_000_000)
        #expect(clock.jumps.isEmpty)
        #expect(clock.look(later(0.01), monotonic: 120_000_000) == nil)
    }

    @Test func `Jumps add up, and somebody's word ends them`() {
        var clock = RetentionClock()
        clock.look(today, monotonic: 0)
        clock.look(later(10), monotonic: 0)
        clock.look(later(12), monotonic: 2 * day)
        clock.look(later(20), monotonic: 2 * day)
        #expect(clock.jumps.count == 2)
        #expect(clock.effective(today, now: later(20)) == later(18))
        #expect(clock.effective(later(11), now: later(20)) == later(19))
        clock.trust()
        #expect(clock.effective(today, now: later(20)) == today)
    }
}

struct RetentionBudgetTests {
    @Test func `A share a day, and what was recorded`() {
        var budget = RetentionBudget()
        #expect(budget.allowance(archive: 1000, share: 0.2, recorded: 50, now: today) == 250)
        budget.note(deleted: 250, archive: 1000, share: 0.2, recorded: 50, now: today)
        #expect(budget.allowance(archive: 1000, share: 0.2, recorded: 0, now: today) == 0)
        #expect(budget.allowance(archive: 1000, share: 0.2, recorded: 70, now: later(0.25)) == 120)
        #expect(budget.allowance(archive: 1000, share: 0.2, recorded: 0, now: later(5)) == 200)
        // More than a day's share is spent, and comes back in days.
        var large = RetentionBudget()
        large.note(deleted: 500, archive: 1000, share: 0.2, recorded: 0, now: today)
        #expect(!large.isWhole(archive: 1000, share: 0.2, now: later(2)) && large.isWhole(archive: 1000, share: 0.2, now: later(3)))
        // A clock that was set back gives nothing.
        #expect(budget.allowance(archive: 1000, share: 0.2, recorded: 0, now: later(-5)) == 0)
        budget.forgive()
        #expect(budget.allowance(archive: 1000, share: 0.2, recorded: 0, now: today) == 200)
    }

    @Test func `Now more, now less than is recorded comes to nothing`() {
        var budget = RetentionBudget()
        for round in 0..<1000 {
            budget.note(deleted: round % 2 == 0 ? 90 : 10, archive: 100, share: 0.2, recorded: 50, now: later(Double(round) / 1000))
        }
        #expect(budget.isWhole(archive: 100, share: 0.2, now: later(1)))
        budget.note(deleted: 60, archive: 100, share: 0.2, recorded: 50, now: later(1))
        #expect(!budget.isWhole(archive: 100, share: 0.2, now: later(1)))
    }

    @Test func `Deleting what is recorded takes nothing from the share`() {
        var budget = RetentionBudget()
        for round in 0..<1000 {
            budget.note(deleted: 50, archive: 100, share: 0.2, recorded: 50, now: later(Double(round) / 1000))
        }
        #expect(budget.allowance(archive: 100, share: 0.2, recorded: 0, now: later(1)) == 20)
    }
}

struct SpaceProofTests {
    private func file(_ name: String, device: UInt64 = 7) -> SpaceProof.File { .init(path: name, bytes: 10, allocated: 4096, device: device) }

    @Test func `Files of another device are not touched`() {
        let proof = SpaceProof()
        #expect(proof.doubt([file("a"), file("b", device: 8)], of: 2, device: 7, othersExist: true) == .wrongVolume)
        #expect(proof.doubt([file("a"), file("b")], of: 2, device: 7, othersExist: nil) == nil)
    }

    @Test func `When most files are missing, others have to be there`() {
        let proof = SpaceProof()
        #expect(proof.doubt([file("a")], of: 3, device: 7, othersExist: nil) == .filesMissing)
        #expect(proof.doubt([], of: 1, device: 7, othersExist: false) == .filesMissing)
        #expect(proof.doubt([], of: 3, device: 7, othersExist: true) == nil)
    }

    @Test func `Space has to come, whoever else writes`() {
        var proof = SpaceProof(judging: 1000)
        proof.note(allocated: 900, before: 100, after: 100, written: 0)
        #expect(!proof.isMissing)
        proof.note(allocated: 900, before: 100, after: 100, written: 0)
        #expect(proof.isMissing)
        proof.note(allocated: 0, before: 100, after: 200, written: 350)
        #expect(!proof.isMissing)
    }
}

struct StorageFloorTests {
    @Test func `A small volume has a small floor`() {
        #expect(StorageFloor(gigabytes: 0, total: 1000 << 20).bytes == 50 << 20)
        #expect(StorageFloor(gigabytes: 0, total: 4 << 40).bytes == 4 << 30)
        #expect(StorageFloor(gigabytes: 100, total: 64 << 30).bytes == 32 << 30)
        let floor = StorageFloor(gigabytes: 1, total: 64 << 30)
        #expect(floor.shortfall(free: 1 << 30) == 0)
        #expect(floor.shortfall(free: 0) == (1 << 30) + (1 << 27))
    }
}

struct RetentionForecastTests {
    private func forecast(
        _ paces: [Int64], _ rules: RetentionRules, free: Int64 = .max / 4, deletable: Int64 = 0, floor: Int64 = 0, isDeleting: Bool = true
    ) -> [RetentionForecast.Stay] {
        let flows = paces.enumerated().map { RetentionForecast.Flow(camera: ID(Int64($0.offset) + 1), bytesADay: $0.element, bytes: 1) }
        let forecast = RetentionForecast(
            flows, rules: rules, rooms: [.standard: .init(free: free, total: free, floor: floor, deletable: deletable)], isDeleting: isDeleting)
        return flows.compactMap { forecast.stays[$0.camera] }
    }

    @Test func `Each camera by its own age and size`() {
        var rules = RetentionRules()
        rules.cameras = [ID(1): .init(recordingDays: 7), ID(2): .init(recordingDays: 7, recordingBytes: 300), ID(3): .init(recordingBytes: 10)]
        let stays = forecast([100, 100, 0], rules)
        #expect(stays.map(\.days) == [7, 3, nil])
        #expect(stays.map(\.limit) == [.age, .cameraLimit, nil])
    }

    @Test func `Cameras that share a limit keep the same time, but those that keep less`() {
        var rules = RetentionRules()
        rules.cameras = [ID(1): .init(recordingDays: 1), ID(2): .init(), ID(3): .init(recordingDays: 365)]
        rules.totalBytes = 1100
        let stays = forecast([100, 100, 100], rules)
        #expect(stays.map(\.days) == [1, 5, 5])
        #expect(stays.map(\.limit) == [.age, .totalLimit, .totalLimit])
    }

    @Test func `The disk ends what nothing else does`() {
        var rules = RetentionRules()
        rules.cameras = [ID(1): .init()]
        rules.minimumDays = 10
        let deleting = forecast([100], rules, free: 300, deletable: 300, floor: 100)
        #expect(deleting.map(\.days) == [5] && deleting.map(\.limit) == [.freeSpace])
        let stopping = forecast([100], rules, free: 300, deletable: 300, floor: 100, isDeleting: false)
        #expect(stopping.map(\.days) == [6] && stopping.map(\.limit) == [.recordingStops])
    }
}
