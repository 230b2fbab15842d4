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
    }

    package private(set) var deletions: [Deletion] = []
    /// What would be deleted beyond the allowance.
    package private(set) var withheld = Sum()
    /// Bytes above limits that stay, since the rest is held, too young or being written.
    package private(set) var unmet: [Reason: Int64] = [:]
    /// Items that are kept only because their time cannot be right.
    package private(set) var undated = 0

    package var planned: Sum { deletions.reduce(into: Sum()) { $0.add($1.item) } }

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
        cut(work.deletions, to: allowance, atLeastOne: atLeastOne)
    }

    private mutating func cut(_ all: [Deletion], to allowance: Int64?, atLeastOne: Bool) {
        guard let allowance else {
            deletions = all
            return
        }
        var bytes: Int64 = 0
        var count = 0
        for deletion in all {
            guard bytes + deletion.item.bytes <= allowance || count == 0 && atLeastOne else { break }
            bytes += deletion.item.bytes
            count += 1
        }
        deletions = Array(all.prefix(count))
        withheld = all.dropFirst(count).reduce(into: Sum()) { $0.add($1.item) }
    }
}

/// The state of making a plan. Items are sorted into shelves once; every rule then asks a shelf, not an item.
private struct RetentionWork {
    private let items: [RetentionItem]
    private let rules: RetentionRules
    private let now: WallTime
    private let shelves: [RetentionShelf]
    /// Bytes left on each.
    private var left: [Int64]
    /// The shelf of each item.
    private var places: [Int32] = []
    /// Effective begin of each item, microseconds; `Int64.max` for what has none.
    private var begins: [Int64] = []
    /// What may be deleted at all, oldest first.
    private var order: [Int32] = []
    /// The same by shelf, once somebody asks for it.
    private var orderOfShelf: [[Int32]]?
    private var isTaken: [Bool]
    var deletions: [RetentionPlan.Deletion] = []
    var unmet: [RetentionPlan.Reason: Int64] = [:]
    var undated = 0

    init(
        _ items: [RetentionItem], totals: [RetentionShelf: Int64], rules: RetentionRules, held: HeldRanges, clock: RetentionClock, now: WallTime
    ) {
        self.items = items
        self.rules = rules
        self.now = now
        var shelves = Array(totals.keys)
        var known = Dictionary(shelves.enumerated().map { ($1, Int32($0)) }) { first, _ in first }
        isTaken = [Bool](repeating: false, count: items.count)
        places.reserveCapacity(items.count)
        begins.reserveCapacity(items.count)
        order.reserveCapacity(items.count)
        let youngest = now.advanced(byMicroseconds: -Int64(rules.minimumDays) * RetentionClock.day).microseconds
        var last: (shelf: RetentionShelf, place: Int32)?
        for (index, item) in items.enumerated() {
            let shelf = item.shelf
            if last?.shelf != shelf {
                let place = known[shelf] ?? Int32(shelves.count)
                if Int(place) == shelves.count {
                    shelves.append(shelf)
                    known[shelf] = place
                }
                last = (shelf, place)
            }
            places.append(last?.place ?? 0)
            let begin = clock.effective(item.start, now: now)?.microseconds
            if begin == nil { undated += 1 }
            begins.append(begin ?? .max)
            guard item.isFinished, rules.minimumDays == 0 || (begin ?? .max) <= youngest else { continue }
            guard held.isEmpty || !held.holds(item) else { continue }
            order.append(Int32(index))
        }
        self.shelves = shelves
        left = shelves.map { totals[$0] ?? 0 }
        sort()
    }

    /// Rows come in order for each camera, which Swift's sort makes use of.
    private mutating func sort() {
        let (begins, items) = (begins, items)
        order.sort { left, right in
            let (a, b) = (Int(left), Int(right))
            if begins[a] != begins[b] { return begins[a] < begins[b] }
            return (items[a].start.microseconds, items[a].id, items[a].footage.rawValue)
                < (items[b].start.microseconds, items[b].id, items[b].footage.rawValue)
        }
    }

    private mutating func take(_ index: Int32, _ reason: RetentionPlan.Reason) {
        let item = items[Int(index)]
        isTaken[Int(index)] = true
        left[Int(places[Int(index)])] -= item.bytes
        deletions.append(RetentionPlan.Deletion(item: item, reason: reason))
    }

    /// What is too old of the shelves that are asked for.
    mutating func takeAged(_ isMeant: (RetentionShelf) -> Bool) {
        // What began before this has been kept long enough: by shelf and kind of footage, one after another.
        let kinds = RetentionItem.Footage.allCases
        let limits = shelves.flatMap { shelf in
            kinds.map { kind -> Int64 in
                guard isMeant(shelf), let days = rules.days(kind, of: shelf.camera) else { return .min }
                return now.advanced(byMicroseconds: -Int64(days) * RetentionClock.day).microseconds
            }
        }
        guard let latest = limits.max(), latest > .min else { return }
        for index in order {
            let begin = begins[Int(index)]
            if begin >= latest { break }
            guard begin < limits[Int(places[Int(index)]) * kinds.count + Int(items[Int(index)].footage.rawValue)] else { continue }
            take(index, .age)
        }
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
        let places = places
        // One shelf of many is not looked for among all.
        let candidates = meant.count { $0 } == 1 ? meant.firstIndex(of: true).map { ordered(on: $0) } ?? order : order
        for index in candidates where !isTaken[Int(index)] && meant[Int(places[Int(index)])] {
            excess -= items[Int(index)].bytes
            take(index, reason)
            if excess <= 0 { return }
        }
        unmet[reason, default: 0] += excess
    }

    private mutating func ordered(on shelf: Int) -> [Int32] {
        if let orderOfShelf { return orderOfShelf[shelf] }
        var lists = [[Int32]](repeating: [], count: shelves.count)
        for index in order { lists[Int(places[Int(index)])].append(index) }
        orderOfShelf = lists
        return lists[shelf]
    }

    /// The oldest of a volume until so many bytes are free.
    mutating func free(_ bytes: Int64, of volume: VolumeID) {
        var wanted = bytes
        for index in order where wanted > 0 {
            let item = items[Int(index)]
            guard item.volume == volume, item.bytes > 0 else { continue }
            take(index, .freeSpace)
            wanted -= item.bytes
        }
        if wanted > 0 { unmet[.freeSpace] = wanted }
    }
}
