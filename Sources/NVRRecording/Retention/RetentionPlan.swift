package import NVRModel

/// What is to be deleted, in which order and why. Pure: rows, rules, holds and the time go in, a list comes out.
///
/// The order: what is too old; what is more than a camera's recordings, its pictures, a volume and everything may have; or, when space
/// is asked for, what makes it. Each oldest first. What is held, younger than the minimum or being written is in no list. Footage whose
/// time cannot be right (from a clock that was not set, or from the future) is never too old, and goes last when there is too much.
package struct RetentionPlan: Sendable, Hashable {
    package enum Reason: String, Sendable, Hashable, CaseIterable {
        case age
        case cameraLimit = "camera_limit"
        case pictureLimit = "picture_limit"
        case profileLimit = "profile_limit"
        case totalLimit = "total_limit"
        case freeSpace = "free_space"
    }

    package struct Deletion: Sendable, Hashable {
        package var item: RetentionItem
        package var reason: Reason
    }

    /// What the plan is for.
    package enum Aim: Sendable, Hashable {
        case rules
        /// One camera's own limits; nil: recordings and pictures.
        case camera(ID<Camera>, pictures: Bool?)
        /// So many bytes more on a volume.
        case space(volume: VolumeID, bytes: Int64)
    }

    package struct Sum: Sendable, Hashable {
        package var count = 0
        package var bytes: Int64 = 0

        package init(count: Int = 0, bytes: Int64 = 0) {
            self.count = count
            self.bytes = bytes
        }

        package mutating func add(_ item: RetentionItem) {
            count += 1
            bytes += item.bytes
        }

        fileprivate mutating func add(_ other: Sum) {
            count += other.count
            bytes += other.bytes
        }
    }

    package private(set) var deletions: [Deletion] = []
    package private(set) var plannedByReason: [Reason: Sum] = [:]
    /// What would be deleted beyond the allowance.
    package private(set) var withheld = Sum()
    /// Bytes above limits that stay, since the rest is held, too young or being written.
    package private(set) var unmet: [Reason: Int64] = [:]
    /// Items that are kept only because their time cannot be right.
    package private(set) var undated = 0

    package var planned: Sum { plannedByReason.values.reduce(into: Sum()) { $0.add($1) } }

    /// - Parameters:
    ///   - items: in any order; the more recent may be left out when `RetentionNeed` has had enough.
    ///   - totals: bytes of everything that is not held.
    ///   - allowance: most bytes to delete; nil: no bound.
    ///   - atLeastOne: the first fits in any case.
    package init(
        _ items: [RetentionItem], totals: [RetentionShelf: Int64], rules: RetentionRules, held: HeldRanges, clock: RetentionClock, now: WallTime,
        aim: Aim = .rules, allowance: Int64? = nil, atLeastOne: Bool = true
    ) {
        var work = RetentionWork(items, totals: totals, rules: rules, held: held, clock: clock, now: now)
        switch aim {
        case .rules:
            work.takeAged { _ in true }
            for camera in rules.cameras.keys.sorted() { work.trim(camera, pictures: nil) }
            for (volume, most) in rules.volumeBytes.sorted(by: { $0.key < $1.key }) {
                work.take(.profileLimit, most: most) { $0.volume == volume }
            }
            if let most = rules.totalBytes { work.take(.totalLimit, most: most) { _ in true } }
        case .camera(let camera, let pictures):
            work.takeAged { $0.camera == camera && (pictures ?? $0.isPictures) == $0.isPictures }
            work.trim(camera, pictures: pictures)
        case .space(let volume, let bytes):
            work.free(bytes, of: volume)
        }
        unmet = work.unmet
        undated = work.undated
        cut(work, to: allowance ?? .max, atLeastOne: atLeastOne)
    }

    private mutating func cut(_ work: RetentionWork, to allowance: Int64, atLeastOne: Bool) {
        var planned = Sum()
        var isCut = false
        var begin = 0
        for (reason, end) in work.stretches {
            var (here, beyond) = (Sum(), Sum())
            for deletion in work.deletions[begin..<end] {
                let item = deletion.item
                if !isCut, planned.bytes + item.bytes <= allowance || planned.count == 0 && atLeastOne {
                    planned.add(item)
                    here.add(item)
                } else {
                    isCut = true
                    beyond.add(item)
                }
            }
            if here.count > 0 { plannedByReason[reason, default: Sum()].add(here) }
            withheld.add(beyond)
            begin = end
        }
        deletions = isCut ? Array(work.deletions.prefix(planned.count)) : work.deletions
    }
}

/// The state of making a plan. Items are sorted into shelves once; every rule then asks a shelf, not an item.
private struct RetentionWork {
    /// What may be deleted at all.
    private struct Candidate {
        /// Effective begin, microseconds; `Int64.max` for what has none.
        var begin: Int64
        var item: Int32
        /// The shelf and the kind of footage.
        var place: Int32

        var shelf: Int { Int(place) / RetentionWork.kinds.count }
    }

    private static let kinds = RetentionItem.Footage.allCases

    private let items: [RetentionItem]
    private let rules: RetentionRules
    private let now: WallTime
    private let shelves: [RetentionShelf]
    /// Bytes left on each.
    private var left: [Int64]
    /// Oldest first.
    private var order: [Candidate] = []
    private var isTaken: [Bool] = []
    /// Places in `order` by shelf, once somebody asks for them.
    private var orderOfShelf: [[Int32]]?
    private(set) var deletions: [RetentionPlan.Deletion] = []
    /// Of which reason they are, up to which.
    private(set) var stretches: [(reason: RetentionPlan.Reason, end: Int)] = []
    private(set) var unmet: [RetentionPlan.Reason: Int64] = [:]
    private(set) var undated = 0

    init(
        _ items: [RetentionItem], totals: [RetentionShelf: Int64], rules: RetentionRules, held: HeldRanges, clock: RetentionClock, now: WallTime
    ) {
        self.items = items
        self.rules = rules
        self.now = now
        var shelves = Array(totals.keys)
        var known = Dictionary(shelves.enumerated().map { ($1, $0) }) { first, _ in first }
        order.reserveCapacity(items.count)
        let youngest = now.advanced(byMicroseconds: -Int64(rules.minimumDays) * RetentionClock.day).microseconds
        var last: (shelf: RetentionShelf, number: Int)?
        for (index, item) in items.enumerated() {
            let begin = clock.effective(item.start, now: now)?.microseconds ?? .max
            if begin == .max { undated += 1 }
            guard item.isFinished, rules.minimumDays == 0 || begin <= youngest, held.isEmpty || !held.holds(item) else { continue }
            let shelf = item.shelf
            if last?.shelf != shelf {
                let number = known[shelf] ?? shelves.count
                if number == shelves.count {
                    shelves.append(shelf)
                    known[shelf] = number
                }
                last = (shelf, number)
            }
            let place = (last?.number ?? 0) * Self.kinds.count + Int(item.footage.rawValue)
            order.append(Candidate(begin: begin, item: Int32(index), place: Int32(place)))
        }
        self.shelves = shelves
        left = shelves.map { totals[$0] ?? 0 }
        isTaken = [Bool](repeating: false, count: order.count)
        sort()
    }

    /// Rows come in order for each stream, which Swift's sort makes use of.
    private mutating func sort() {
        let items = items
        order.sort { left, right in
            if left.begin != right.begin { return left.begin < right.begin }
            let (a, b) = (items[Int(left.item)], items[Int(right.item)])
            return (a.start.microseconds, a.id, a.footage.rawValue) < (b.start.microseconds, b.id, b.footage.rawValue)
        }
    }

    /// Takes what is at a place in the order; gives its bytes.
    private mutating func take(_ place: Int, _ reason: RetentionPlan.Reason) -> Int64 {
        // Memory that is not used costs nothing, growing does.
        if deletions.isEmpty { deletions.reserveCapacity(order.count) }
        let item = items[Int(order[place].item)]
        isTaken[place] = true
        left[order[place].shelf] -= item.bytes
        deletions.append(RetentionPlan.Deletion(item: item, reason: reason))
        return item.bytes
    }

    /// What is too old of the shelves that are asked for.
    mutating func takeAged(_ isMeant: (RetentionShelf) -> Bool) {
        // What began before this has been kept long enough: by shelf and kind of footage, one after another.
        let limits = shelves.flatMap { shelf in
            Self.kinds.map { kind -> Int64 in
                guard isMeant(shelf), let days = rules.days(kind, of: shelf.camera) else { return .min }
                return now.advanced(byMicroseconds: -Int64(days) * RetentionClock.day).microseconds
            }
        }
        guard let latest = limits.max(), latest > .min else { return }
        for place in order.indices {
            let candidate = order[place]
            if candidate.begin >= latest { break }
            if candidate.begin < limits[Int(candidate.place)] { _ = take(place, .age) }
        }
        end(.age)
    }

    /// A camera's own limits of size.
    mutating func trim(_ camera: ID<Camera>, pictures: Bool?) {
        guard let limits = rules.cameras[camera] else { return }
        if pictures != true, let most = limits.recordingBytes { take(.cameraLimit, most: most) { $0.camera == camera && !$0.isPictures } }
        if pictures != false, let most = limits.pictureBytes { take(.pictureLimit, most: most) { $0.camera == camera && $0.isPictures } }
    }

    /// The oldest of some shelves until they have `most` bytes.
    mutating func take(_ reason: RetentionPlan.Reason, most: Int64, _ isMeant: (RetentionShelf) -> Bool) {
        let meant = shelves.map(isMeant)
        var excess = zip(left, meant).reduce(-most) { $1.1 ? $0 + $1.0 : $0 }
        guard excess > 0 else { return }
        // One shelf of many is not looked for among all.
        if meant.count(where: { $0 }) == 1, let shelf = meant.firstIndex(of: true) {
            for place in ordered(on: shelf) where excess > 0 && !isTaken[Int(place)] { excess -= take(Int(place), reason) }
        } else {
            for place in order.indices where !isTaken[place] && meant[order[place].shelf] {
                excess -= take(place, reason)
                if excess <= 0 { break }
            }
        }
        if excess > 0 { unmet[reason, default: 0] += excess }
        end(reason)
    }

    private mutating func ordered(on shelf: Int) -> [Int32] {
        if let orderOfShelf { return orderOfShelf[shelf] }
        var lists = [[Int32]](repeating: [], count: shelves.count)
        for (place, candidate) in order.enumerated() { lists[candidate.shelf].append(Int32(place)) }
        orderOfShelf = lists
        return lists[shelf]
    }

    /// The oldest of a volume until so many bytes are free.
    mutating func free(_ bytes: Int64, of volume: VolumeID) {
        let isMeant = shelves.map { $0.volume == volume }
        var wanted = bytes
        for place in order.indices where isMeant[order[place].shelf] {
            if wanted <= 0 { break }
            guard items[Int(order[place].item)].bytes > 0 else { continue }
            wanted -= take(place, .freeSpace)
        }
        if wanted > 0 { unmet[.freeSpace] = wanted }
        end(.freeSpace)
    }

    /// What was taken last was for a reason.
    private mutating func end(_ reason: RetentionPlan.Reason) {
        if deletions.count > stretches.last?.end ?? 0 { stretches.append((reason, deletions.count)) }
    }
}
