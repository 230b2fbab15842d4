import NVRModel
import NVRRecording
import Testing

private let day = RetentionClock.day
private let today = WallTime(microseconds: 1_790_000_000_000_000)

private func ago(_ days: Double) -> WallTime { today.advanced(byMicroseconds: -Int64(days * Double(day))) }

/// A piece of footage, a minute long, so many days old.
private func item(
    _ id: Int64, camera: Int64 = 1, age: Double, bytes: Int64 = 10, _ footage: RetentionItem.Footage = .continuous, volume: Int64 = 0,
    finished: Bool = true
) -> RetentionItem {
    RetentionItem(
        id: id, camera: ID(camera), volume: VolumeID(rawValue: volume), start: ago(age), end: ago(age).advanced(byMicroseconds: 60_000_000),
        bytes: bytes,
        footage: footage, isFinished: finished)
}

private func totals(_ items: [RetentionItem], _ held: HeldRanges = HeldRanges()) -> [RetentionShelf: Int64] {
    items.reduce(into: [:]) { if !held.holds($1) { $0[$1.shelf, default: 0] += $1.bytes } }
}

private func plan(
    _ items: [RetentionItem], _ rules: RetentionRules, held: HeldRanges = HeldRanges(), clock: RetentionClock = RetentionClock(),
    aim: RetentionPlan.Aim = .rules, allowance: Int64? = nil, atLeastOne: Bool = true
) -> RetentionPlan {
    RetentionPlan(
        items, totals: totals(items, held), rules: rules, held: held, clock: clock, now: today, aim: aim, allowance: allowance,
        atLeastOne: atLeastOne)
}

private func hold(camera: Int64 = 1, from: Double, to: Double, expires: WallTime? = nil) -> Hold {
    Hold(
        id: ID(1), cameraID: ID(camera), range: TimeRange(start: ago(from), end: ago(to)), reason: "test", createdAt: today, userID: nil,
        userName: "admin", expiresAt: expires)
}

struct RetentionPlanTests {
    private func rules(days: Int? = nil, bytes: Int64? = nil, pictureDays: Int? = nil, pictureBytes: Int64? = nil) -> RetentionRules {
        var rules = RetentionRules()
        rules.cameras[ID(1)] = .init(recordingDays: days, pictureDays: pictureDays, recordingBytes: bytes, pictureBytes: pictureBytes)
        return rules
    }

    private func ids(_ plan: RetentionPlan) -> [Int64] { plan.deletions.map(\.item.id) }

    @Test func `What is older than its camera keeps it goes, oldest first`() {
        let made = plan([item(1, age: 6), item(2, age: 8), item(3, age: 9), item(4, camera: 2, age: 900)], rules(days: 7))
        #expect(ids(made) == [3, 2])
        #expect(made.deletions.allSatisfy { $0.reason == .age })
    }

    @Test func `Footage with events, and with labels, stays longer when that is set`() {
        var rules = rules(days: 7)
        let items = [item(1, age: 20), item(2, age: 20, .event), item(3, age: 20, .labelled), item(4, age: 40, .event), item(5, age: 40, .labelled)]
        #expect(ids(plan(items, rules)) == [4, 5, 1, 2, 3])
        rules.eventDays = 30
        rules.labelledDays = 60
        #expect(ids(plan(items, rules)) == [4, 1])
        // A shorter time than the camera's own shortens nothing.
        rules.eventDays = 1
        rules.labelledDays = 0
        #expect(ids(plan(items, rules)) == [4, 5, 1, 2, 3])
    }

    @Test func `Snapshots have limits of their own`() {
        let items = [item(1, age: 10, .snapshot), item(2, age: 5, .snapshot), item(3, age: 1, .snapshot), item(4, age: 900)]
        #expect(ids(plan(items, rules(pictureDays: 7))) == [1])
        let made = plan(items, rules(pictureBytes: 15))
        #expect(ids(made) == [1, 2])
        #expect(made.deletions.allSatisfy { $0.reason == .pictureLimit })
    }

    @Test func `The strictest limit applies, and what one deletes counts for the next`() {
        var rules = rules(days: 7, bytes: 30)
        rules.cameras[ID(2)] = .init()
        rules.totalBytes = 50
        rules.volumeBytes[VolumeID(rawValue: 5)] = 10
        let items =
            (1...5).map { item($0, age: Double(10 - $0)) } + (11...13).map { item($0, camera: 2, age: Double(20 - $0)) }
            + [item(21, camera: 2, age: 3, volume: 5), item(22, camera: 2, age: 2, volume: 5)]
        let made = plan(items, rules)
        // 100 bytes; too old are 1 and 2 (9 and 8 days); the volume has one too many; then 70 are left of 50.
        #expect(made.deletions.map(\.reason) == [.age, .age, .profileLimit, .totalLimit, .totalLimit])
        #expect(ids(made) == [1, 2, 21, 11, 12])
    }

    @Test func `Holds and minimum days win over every limit`() {
        var rules = rules(days: 1, bytes: 0)
        rules.totalBytes = 0
        rules.minimumDays = 3
        let held = HeldRanges([hold(from: 9, to: 7.5)], at: today)
        let items = [item(1, age: 10), item(2, age: 8), item(3, age: 2.5), item(4, age: 4)]
        let made = plan(items, rules, held: held)
        #expect(ids(made) == [1, 4])
        #expect(made.unmet[.cameraLimit] == 10)
        let expired = HeldRanges([hold(from: 9, to: 7.5, expires: ago(0.1))], at: today)
        #expect(ids(plan(items, rules, held: expired)) == [1, 2, 4])
    }

    @Test func `What is being written stays`() {
        #expect(ids(plan([item(1, age: 10, finished: false), item(2, age: 9)], rules(days: 7, bytes: 0))) == [2])
    }

    @Test func `A run keeps to its allowance and says what is left`() {
        let items = (1...10).map { item($0, age: 20 - Double($0)) }
        let made = plan(items, rules(days: 7), allowance: 35)
        #expect(ids(made) == [1, 2, 3])
        #expect(made.withheld == .init(count: 7, bytes: 70))
        // One goes in any case, or nothing ever would where files are large.
        #expect(ids(plan(items, rules(days: 7), allowance: 1)) == [1])
        #expect(ids(plan(items, rules(days: 7), allowance: 9, atLeastOne: false)) == [])
    }

    @Test func `Space is made on its volume by the oldest there`() {
        let items = [item(1, age: 9, volume: 5), item(2, age: 8), item(3, camera: 2, age: 7), item(4, age: 6, .snapshot), item(5, age: 5)]
        let made = plan(items, rules(), aim: .space(volume: .standard, bytes: 25))
        #expect(ids(made) == [2, 3, 4])
        #expect(plan(items, rules(), aim: .space(volume: VolumeID(rawValue: 5), bytes: 25)).unmet[.freeSpace] == 15)
    }

    @Test func `Footage of a clock that was not set is never too old, and goes last`() {
        let unset = RetentionItem(
            id: 1, camera: ID(1), start: WallTime(microseconds: 5_000_000), end: WallTime(microseconds: 65_000_000), bytes: 10, footage: .continuous)
        let future = item(2, age: -400)
        let items = [unset, future, item(3, age: 2), item(4, age: 1)]
        #expect(ids(plan(items, rules(days: 7))) == [])
        #expect(plan(items, rules(days: 7)).undated == 2)
        #expect(ids(plan(items, rules(bytes: 15))) == [3, 4, 1])
    }

    @Test func `A plan for a camera touches nothing else`() {
        var rules = rules(days: 7, bytes: 10)
        rules.cameras[ID(2)] = .init(recordingDays: 1, recordingBytes: 1)
        rules.totalBytes = 1
        let items = [item(1, age: 8), item(2, age: 2), item(3, age: 1), item(4, camera: 2, age: 9), item(5, age: 900, .snapshot)]
        #expect(ids(plan(items, rules, aim: .camera(ID(1), pictures: nil))) == [1, 2])
        #expect(ids(plan(items, rules, aim: .camera(ID(1), pictures: true))) == [])
    }
}

struct RetentionRulesTests {
    @Test func `Each rule is read from its own setting, camera or profile`() {
        var camera = Camera(id: ID(1), createdAt: today, name: "a", url: "rtsp://10.0.0.1/")
        camera.recording.preserve = "For One Day"
        camera.recording.maxStorage = 2
        camera.pictures.preserve = "For One Month"
        camera.pictures.maxStorage = 0.5
        let rules = RetentionRules(
            cameras: [camera, Camera(id: ID(2), createdAt: today, name: "b", url: "rtsp://10.0.0.2/")], profiles: [],
            settings: SettingValues(stored: [
                "max_global_storage_gb": "3", "retention_event_days": "14", "retention_labelled_days": "60", "retention_minimum_days": "2",
                "retention_max_share_percent": "35",
            ]))
        #expect(rules.totalBytes == 3 << 30 && rules.share == 0.35 && rules.minimumDays == 2)
        let kinds: [RetentionItem.Footage] = [.continuous, .event, .labelled, .snapshot]
        // A day is less than the minimum.
        #expect(kinds.map { rules.days($0, of: ID(1)) } == [2, 14, 60, 30])
        #expect(kinds.map { rules.days($0, of: ID(2)) } == [7, 14, 60, nil])
        #expect(kinds.map { rules.days($0, of: ID(3)) } == [nil, nil, nil, nil])
        #expect(rules.cameras[ID(1)]?.recordingBytes == 2 << 30 && rules.cameras[ID(1)]?.pictureBytes == 1 << 29)
        #expect(rules.cameras[ID(2)]?.recordingBytes == nil && rules.cameras[ID(2)]?.pictureBytes == nil)
    }
}

/// SplitMix64, so that a failing seed can be run again.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

struct RetentionPropertyTests {
    private struct World {
        var items: [RetentionItem] = []
        var rules = RetentionRules()
        var holds: [Hold] = []
        var clock = RetentionClock()

        init(_ random: inout Seeded) {
            let cameras = Int64.random(in: 1...4, using: &random)
            for camera in 1...cameras where Bool.random(using: &random) || camera == 1 {
                rules.cameras[ID(camera)] = .init(
                    recordingDays: [nil, 1, 7, 30].randomElement(using: &random) ?? nil,
                    pictureDays: [nil, 1, 7, 90].randomElement(using: &random) ?? nil,
                    recordingBytes: [nil, 0, 200, 1000].randomElement(using: &random) ?? nil,
                    pictureBytes: [nil, 0, 50, 300].randomElement(using: &random) ?? nil)
            }
            rules.eventDays = [0, 0, 14, 60].randomElement(using: &random) ?? 0
            rules.labelledDays = [0, 0, 30, 90].randomElement(using: &random) ?? 0
            rules.minimumDays = [0, 0, 0, 2, 10].randomElement(using: &random) ?? 0
            rules.totalBytes = [nil, 0, 500, 3000].randomElement(using: &random) ?? nil
            for volume in Int64(0)...2 { rules.volumeBytes[VolumeID(rawValue: volume)] = [nil, nil, 100, 900].randomElement(using: &random) ?? nil }
            for number in 0..<Int64.random(in: 0...150, using: &random) {
                let start: WallTime
                switch Int.random(in: 0..<20, using: &random) {
                case 0: start = WallTime(microseconds: Int64.random(in: 0...1_000_000_000_000, using: &random))
                case 1: start = ago(-Double.random(in: 0...4000, using: &random))
                default: start = ago(Double.random(in: 0...100, using: &random))
                }
                let footage = RetentionItem.Footage.allCases.randomElement(using: &random) ?? .continuous
                let length = footage == .snapshot ? 0 : Int64.random(in: 0...300_000_000, using: &random)
                items.append(
                    RetentionItem(
                        id: number, camera: ID(Int64.random(in: 1...cameras, using: &random)),
                        volume: VolumeID(rawValue: Int64.random(in: 0...2, using: &random)),
                        start: start, end: start.advanced(byMicroseconds: length), bytes: Int64.random(in: 0...60, using: &random), footage: footage,
                        isFinished: Int.random(in: 0..<12, using: &random) > 0))
            }
            for number in 0..<Int64.random(in: 0...5, using: &random) {
                let from = Double.random(in: 0...100, using: &random)
                var held = hold(
                    camera: Int64.random(in: 1...cameras, using: &random), from: from, to: from - Double.random(in: 0.01...20, using: &random))
                held.expiresAt = [nil, ago(0.5), ago(-3)].randomElement(using: &random) ?? nil
                holds.append(held)
                _ = number
            }
            if Int.random(in: 0..<4, using: &random) == 0 {
                let from = Double.random(in: 2...90, using: &random)
                clock = RetentionClock(jumps: [.init(from: ago(from), to: ago(from - Double.random(in: 1...from, using: &random)))])
            }
        }

        func isHeld(_ item: RetentionItem) -> Bool {
            holds.contains { hold in
                let end = item.isPicture ? item.start.advanced(byMicroseconds: 1) : max(item.end, item.start.advanced(byMicroseconds: 1))
                return hold.cameraID == item.camera && hold.expiresAt.map { $0 > today } ?? true && hold.range.start < end
                    && item.start < hold.range.end
            }
        }

        func age(_ item: RetentionItem) -> Int64? { clock.effective(item.start, now: today).map { today.microseconds(since: $0) } }

        func mayGo(_ item: RetentionItem) -> Bool {
            guard item.isFinished, !isHeld(item) else { return false }
            return rules.minimumDays == 0 || (age(item) ?? 0) >= Int64(rules.minimumDays) * day
        }

        var held: HeldRanges { HeldRanges(holds, at: today) }

        func plan(allowance: Int64? = nil, seen: [RetentionItem]? = nil) -> RetentionPlan {
            RetentionPlan(
                seen ?? items, totals: totals(items, held), rules: rules, held: held, clock: clock, now: today, allowance: allowance)
        }
    }

    @Test(arguments: 0..<400) func `Random rules, footage, holds and clocks`(seed: Int) throws {
        var random = Seeded(state: UInt64(seed))
        let world = World(&random)
        let plan = world.plan()
        // Nothing that is held, too young, being written or not there, and nothing twice.
        let gone = plan.deletions.map(\.item)
        #expect(gone.allSatisfy(world.mayGo))
        #expect(Set(gone).count == gone.count && Set(gone).isSubset(of: Set(world.items)))
        for deletion in plan.deletions where deletion.reason == .age {
            let days = try #require(world.rules.days(deletion.item.footage, of: deletion.item.camera))
            #expect(try #require(world.age(deletion.item)) > Int64(days) * day)
        }
        // The order: by reason, and for each oldest first, footage without a time last.
        let reasons: [RetentionPlan.Reason] = [.age, .cameraLimit, .pictureLimit, .profileLimit, .totalLimit]
        func place(_ reason: RetentionPlan.Reason) -> Int {
            let place = reasons.firstIndex(of: reason) ?? 99
            return place == 2 ? 1 : place
        }
        #expect(zip(plan.deletions, plan.deletions.dropFirst()).allSatisfy { place($0.reason) <= place($1.reason) })
        for reason in [RetentionPlan.Reason.age, .totalLimit] {
            let ages = plan.deletions.filter { $0.reason == reason }.map { world.age($0.item) ?? .min }
            #expect(zip(ages, ages.dropFirst()).allSatisfy(>=))
        }
        // Nothing younger goes for a limit while something older of the same shelf stays that might.
        let left = Set(world.items).subtracting(gone)
        if let youngest = plan.deletions.last(where: { $0.reason == .totalLimit }) {
            #expect(!left.contains { world.mayGo($0) && (world.age($0) ?? .min) > (world.age(youngest.item) ?? .min) })
        }
        // Below every limit, or nothing is left that may go.
        func check(_ most: Int64?, _ isMeant: (RetentionItem) -> Bool) {
            guard let most else { return }
            let stays = left.filter { isMeant($0) && !world.isHeld($0) }
            #expect(stays.reduce(0) { $0 + $1.bytes } <= most || !stays.contains(where: world.mayGo))
        }
        check(world.rules.totalBytes) { _ in true }
        for (volume, most) in world.rules.volumeBytes { check(most) { $0.volume == volume } }
        for (camera, limits) in world.rules.cameras {
            check(limits.recordingBytes) { $0.camera == camera && !$0.isPicture }
            check(limits.pictureBytes) { $0.camera == camera && $0.isPicture }
        }
        #expect(
            !left.contains { (item: RetentionItem) -> Bool in
                guard world.mayGo(item), let age = world.age(item), let days = world.rules.days(item.footage, of: item.camera) else { return false }
                return age > Int64(days) * day
            })
        try expectBounded(world, plan, &random)
        expectEnough(world, plan)
    }

    /// Bounded runs one after another come to the same end, and none passes its allowance.
    private func expectBounded(_ world: World, _ whole: RetentionPlan, _ random: inout Seeded) throws {
        var world = world
        let allowance = Int64.random(in: 1...300, using: &random)
        for _ in 0...world.items.count {
            let plan = world.plan(allowance: allowance)
            #expect(plan.planned.bytes <= allowance || plan.deletions.count == 1)
            if plan.deletions.isEmpty {
                #expect(plan.withheld.count == 0)
                break
            }
            let gone = Set(plan.deletions.map(\.item))
            world.items.removeAll { gone.contains($0) }
        }
        #expect(world.plan().deletions.isEmpty)
        #expect(whole.planned.count + whole.withheld.count >= 0)
    }

    /// What the need leaves out changes nothing.
    private func expectEnough(_ world: World, _ whole: RetentionPlan) {
        var seen: [RetentionItem] = []
        for camera in Set(world.items.map(\.camera)) {
            for pictures in [false, true] {
                var need = RetentionNeed(
                    of: camera, pictures: pictures, totals: totals(world.items, world.held), rules: world.rules, held: world.held, clock: world.clock,
                    now: today, aim: .rules)
                if need.isNothing { continue }
                let shelf = world.items.filter { $0.camera == camera && $0.isPicture == pictures }.sorted { ($0.start, $0.id) < ($1.start, $1.id) }
                for item in shelf {
                    guard need.wants(item) else { break }
                    seen.append(item)
                }
            }
        }
        #expect(world.plan(seen: seen).deletions == whole.deletions)
        expectEnoughOfTheOldest(world, whole)
    }

    /// What begins before some moment gives the same plan, whenever it says that it does.
    private func expectEnoughOfTheOldest(_ world: World, _ whole: RetentionPlan) {
        let totals = totals(world.items, world.held)
        var excess = RetentionNeed.sharedExcess(totals, world.rules, .rules)
        guard excess > 0 else { return }
        let oldest = world.items.filter { !$0.isPicture }.sorted { ($0.start, $0.id) < ($1.start, $1.id) }
        guard
            let last = oldest.first(where: { item in
                excess -= item.bytes
                return excess <= 0
            })
        else { return }
        var seen: [RetentionItem] = []
        for camera in Set(world.items.map(\.camera)) {
            for pictures in [false, true] {
                var need = RetentionNeed(
                    of: camera, pictures: pictures, totals: totals, rules: world.rules, held: world.held, clock: world.clock, now: today,
                    aim: .rules, shared: last.start.advanced(byMicroseconds: 1))
                let shelf = world.items.filter { $0.camera == camera && $0.isPicture == pictures }.sorted { ($0.start, $0.id) < ($1.start, $1.id) }
                seen += shelf.prefix { need.wants($0) }
            }
        }
        let plan = world.plan(seen: seen)
        guard RetentionPlanning.isWhole(plan, of: seen, clock: world.clock, now: today) else { return }
        #expect(plan.deletions == whole.deletions)
    }
}
