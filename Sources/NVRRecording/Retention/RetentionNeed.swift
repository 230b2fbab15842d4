package import NVRModel

/// How many of a camera's oldest items a plan needs to see: those that may be too old, and beyond them as many bytes as each limit is
/// passed by. What is left out could be in no plan: whatever a limit takes, everything older under the same limit is taken before or
/// may not be taken at all. Pure.
package struct RetentionNeed: Sendable, Hashable {
    /// Items that begin before this may be too old, microseconds.
    private var ageLimit: Int64 = .min
    /// Bytes by which the camera's own limit and that of everything are passed, and those of volumes; without what was seen.
    private var own: Int64 = 0
    private var total: Int64 = 0
    private var volumes: [VolumeID: Int64] = [:]
    private let youngest: Int64
    private let now: WallTime
    private let held: HeldRanges
    private let clock: RetentionClock

    /// `shared`: what all cameras have to see for limits that they share, in place of what one of them alone would need for these.
    package init(
        of camera: ID<Camera>, pictures: Bool, totals: [RetentionShelf: Int64], rules: RetentionRules, held: HeldRanges, clock: RetentionClock,
        now: WallTime, aim: RetentionPlan.Aim, shared: WallTime? = nil
    ) {
        self.held = held
        self.clock = clock
        self.now = now
        youngest = rules.minimumDays == 0 ? .max : now.advanced(byMicroseconds: -Int64(rules.minimumDays) * RetentionClock.day).microseconds
        func excess(_ most: Int64?, _ isMeant: (RetentionShelf) -> Bool) -> Int64 {
            guard let most else { return 0 }
            return max(0, totals.reduce(-most) { isMeant($1.key) ? $0 + $1.value : $0 })
        }
        if let shared { ageLimit = shared.microseconds }
        switch aim {
        case .rules where shared != nil: break
        case .rules:
            volumes = rules.volumeBytes.reduce(into: [:]) { volumes, entry in
                let excess = excess(entry.value) { $0.volume == entry.key }
                if excess > 0 { volumes[entry.key] = excess }
            }
            total = excess(rules.totalBytes) { _ in true }
        case .camera(let named, let only): guard named == camera, (only ?? pictures) == pictures else { return }
        case .space(let volume, let wanted):
            volumes = wanted > 0 && shared == nil ? [volume: wanted] : [:]
            return
        }
        let limits = rules.cameras[camera]
        own = excess(pictures ? limits?.pictureBytes : limits?.recordingBytes) { $0.camera == camera && $0.isPictures == pictures }
        // The shortest time that any of them is kept for.
        if let days = rules.days(pictures ? .snapshot : .continuous, of: camera) {
            ageLimit = max(ageLimit, now.advanced(byMicroseconds: -Int64(days) * RetentionClock.day).microseconds)
        }
    }

    /// Bytes by which limits that cameras share are passed.
    package static func sharedExcess(_ totals: [RetentionShelf: Int64], _ rules: RetentionRules, _ aim: RetentionPlan.Aim) -> Int64 {
        func excess(_ most: Int64, _ isMeant: (RetentionShelf) -> Bool) -> Int64 {
            max(0, totals.reduce(-most) { isMeant($1.key) ? $0 + $1.value : $0 })
        }
        switch aim {
        case .rules:
            return rules.volumeBytes.reduce(rules.totalBytes.map { most in excess(most) { _ in true } } ?? 0) { sum, entry in
                sum + excess(entry.value) { $0.volume == entry.key }
            }
        case .camera: return 0
        case .space(_, let wanted): return max(0, wanted)
        }
    }

    /// Whether nothing has to be looked at.
    package var isNothing: Bool { ageLimit == .min && isMet }

    private var isMet: Bool { own <= 0 && total <= 0 && volumes.isEmpty }

    /// Whether the next item, in order of their begin, has to be seen. `isUsable`: it lies where something may be deleted.
    package mutating func wants(_ item: RetentionItem, isUsable: Bool = true) -> Bool {
        guard item.start.microseconds < ageLimit || !isMet else { return false }
        // What goes last, if at all, makes nothing else unnecessary.
        guard !isMet, item.isFinished, isUsable, held.isEmpty || !held.holds(item),
            let begin = clock.effective(item.start, now: now), youngest == .max || begin.microseconds <= youngest
        else { return true }
        own -= item.bytes
        total -= item.bytes
        if let left = volumes[item.volume] { volumes[item.volume] = left > item.bytes ? left - item.bytes : nil }
        return true
    }
}
