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
    ///   - allowance: most bytes to delete; the first of a plan always fits unless it is 0. Nil: no bound.
    package init(
        _ items: [RetentionItem], totals: [RetentionShelf: Int64], rules: RetentionRules, held: HeldRanges, clock: RetentionClock, now: WallTime,
        aim: Aim = .rules, allowance: Int64? = nil
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
        cut(work.deletions, to: allowance)
    }

    private mutating func cut(_ all: [Deletion], to allowance: Int64?) {
        guard let allowance else {
            deletions = all
            return
        }
        var bytes: Int64 = 0
        var count = 0
        for deletion in all {
            guard bytes + deletion.item.bytes <= allowance || count == 0 && allowance > 0 else { break }
            bytes += deletion.item.bytes
            count += 1
        }
        deletions = Array(all.prefix(count))
        withheld = all.dropFirst(count).reduce(into: Sum()) { $0.add($1.item) }
    }
}

/// The state of making a plan.
private struct RetentionWork {
    private let items: [RetentionItem]
    private let rules: RetentionRules
    /// Of those that may be deleted at all, oldest first.
    private var order: [Int32] = []
    /// The same by camera, once somebody asks for it.
    private var byCamera: [ID<Camera>: [Int32]]?
    /// Effective begin of each item, microseconds; `Int64.max` for what has none.
    private var begins: [Int64]
    private var isTaken: [Bool]
    /// Bytes left.
    private var left: [RetentionShelf: Int64]
    private let now: WallTime
    var deletions: [RetentionPlan.Deletion] = []
    var unmet: [RetentionPlan.Reason: Int64] = [:]
    var undated = 0

    init(
        _ items: [RetentionItem], totals: [RetentionShelf: Int64], rules: RetentionRules, held: HeldRanges, clock: RetentionClock, now: WallTime
    ) {
        self.items = items
        self.rules = rules
        self.now = now
        left = totals
        isTaken = [Bool](repeating: false, count: items.count)
        begins = [Int64](repeating: .max, count: items.count)
        order.reserveCapacity(items.count)
        let youngest = now.advanced(byMicroseconds: -Int64(rules.minimumDays) * RetentionClock.day).microseconds
        for (index, item) in items.enumerated() {
            let begin = clock.effective(item.start, now: now)?.microseconds
            if let begin { begins[index] = begin } else { undated += 1 }
            guard item.isFinished, rules.minimumDays == 0 || (begin ?? .max) <= youngest else { continue }
            guard held.isEmpty || !held.holds(item) else { continue }
            order.append(Int32(index))
        }
        let begins = begins
        func isBefore(_ left: Int32, _ right: Int32) -> Bool {
            let (a, b) = (Int(left), Int(right))
            if begins[a] != begins[b] { return begins[a] < begins[b] }
            return (items[a].start.microseconds, items[a].id, items[a].footage.rawValue)
                < (items[b].start.microseconds, items[b].id, items[b].footage.rawValue)
        }
        // Rows come in order from the database: looking is cheaper than sorting.
        if !zip(order, order.dropFirst()).allSatisfy({ !isBefore($1, $0) }) { order.sort(by: isBefore) }
    }

    private mutating func take(_ index: Int32, _ reason: RetentionPlan.Reason) {
        let item = items[Int(index)]
        isTaken[Int(index)] = true
        left[item.shelf, default: 0] -= item.bytes
        deletions.append(RetentionPlan.Deletion(item: item, reason: reason))
    }

    /// What is too old of the shelves that are asked for.
    mutating func takeAged(_ isMeant: (RetentionShelf) -> Bool) {
        // By camera and kind of footage: what began before this has been kept long enough.
        var limits: [ID<Camera>: [Int64]] = [:]
        for camera in rules.cameras.keys {
            limits[camera] = RetentionItem.Footage.allCases.map { footage in
                rules.days(footage, of: camera).map { now.advanced(byMicroseconds: -Int64($0) * RetentionClock.day).microseconds } ?? .min
            }
        }
        for index in order {
            let item = items[Int(index)]
            guard let limit = limits[item.camera]?[Int(item.footage.rawValue)], begins[Int(index)] < limit, isMeant(item.shelf) else { continue }
            take(index, .age)
        }
    }

    /// A camera's own limits of size.
    mutating func trim(_ camera: ID<Camera>, pictures: Bool?) {
        guard let limits = rules.cameras[camera] else { return }
        if pictures != true, let most = limits.recordingBytes {
            take(.cameraLimit, most: most, of: camera) { $0.camera == camera && !$0.isPictures }
        }
        if pictures != false, let most = limits.pictureBytes {
            take(.pictureLimit, most: most, of: camera) { $0.camera == camera && $0.isPictures }
        }
    }

    /// The oldest of some shelves, all of one camera if one is named, until they have `most` bytes.
    mutating func take(_ reason: RetentionPlan.Reason, most: Int64, of camera: ID<Camera>? = nil, _ isMeant: (RetentionShelf) -> Bool) {
        var excess = left.reduce(-most) { isMeant($1.key) ? $0 + $1.value : $0 }
        guard excess > 0 else { return }
        if camera != nil, byCamera == nil { byCamera = Dictionary(grouping: order) { items[Int($0)].camera } }
        for index in camera.map({ byCamera?[$0] ?? [] }) ?? order where !isTaken[Int(index)] {
            let item = items[Int(index)]
            guard isMeant(item.shelf) else { continue }
            take(index, reason)
            excess -= item.bytes
            if excess <= 0 { return }
        }
        unmet[reason, default: 0] += excess
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
