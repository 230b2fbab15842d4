package import NVRModel

/// How many of a camera's oldest items a plan needs to see: those that may be too old, and as many bytes beyond as all limits together
/// are passed by. What is left out could be in no plan. Pure.
package struct RetentionNeed: Sendable, Hashable {
    /// Items that begin before this may be too old, microseconds.
    private let ageLimit: Int64
    private var bytes: Int64
    private let youngest: Int64
    private let latest: Int64
    private let held: HeldRanges

    package init(
        of camera: ID<Camera>, pictures: Bool, totals: [RetentionShelf: Int64], rules: RetentionRules, held: HeldRanges, now: WallTime,
        aim: RetentionPlan.Aim
    ) {
        self.held = held
        youngest = now.advanced(byMicroseconds: -Int64(rules.minimumDays) * RetentionClock.day).microseconds
        latest = now.advanced(byMicroseconds: RetentionClock.longestAbsence).microseconds
        var age: Int64 = .min
        let shortest: RetentionItem.Footage = pictures ? .snapshot : .continuous
        if let days = rules.days(shortest, of: camera) { age = now.advanced(byMicroseconds: -Int64(days) * RetentionClock.day).microseconds }
        func excess(_ most: Int64?, _ isMeant: (RetentionShelf) -> Bool) -> Int64 {
            guard let most else { return 0 }
            return max(0, totals.reduce(-most) { isMeant($1.key) ? $0 + $1.value : $0 })
        }
        let limits = rules.cameras[camera]
        let own = excess(pictures ? limits?.pictureBytes : limits?.recordingBytes) { $0.camera == camera && $0.isPictures == pictures }
        switch aim {
        case .rules:
            let volumes = rules.volumeBytes.reduce(Int64(0)) { sum, entry in sum + excess(entry.value) { $0.volume == entry.key } }
            bytes = own + volumes + excess(rules.totalBytes) { _ in true }
        case .camera(let named, let only):
            let isMeant = named == camera && (only ?? pictures) == pictures
            bytes = isMeant ? own : 0
            if !isMeant { age = .min }
        case .space(_, let wanted):
            // The items of other volumes count for nothing; they are looked at all the same.
            bytes = wanted
            age = .min
        }
        ageLimit = age
        if case .space(let volume, _) = aim { self.volume = volume } else { volume = nil }
    }

    private var volume: VolumeID?

    /// Whether anything has to be looked at.
    package var isNothing: Bool { ageLimit == .min && bytes <= 0 }

    /// Whether the next item, in order of their begin, has to be seen.
    /// `volumes`: what may be deleted from; nil: all.
    package mutating func wants(_ item: RetentionItem, on volumes: Set<VolumeID>? = nil) -> Bool {
        guard item.start.microseconds < ageLimit || bytes > 0 else { return false }
        let isDated = item.start >= RetentionClock.earliest && item.start.microseconds <= latest
        let counts = isDated && item.isFinished && item.start.microseconds <= youngest && (volume ?? item.volume) == item.volume
            && volumes?.contains(item.volume) ?? true
        if counts, held.isEmpty || !held.holds(item) { bytes -= item.bytes }
        return true
    }
}
