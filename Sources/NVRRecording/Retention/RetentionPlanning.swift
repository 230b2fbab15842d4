import NVRBase
package import NVRModel
package import NVRStore

/// Reads what plans are made of, and makes them.
package struct RetentionPlanning: Sendable {
    package let store: Store

    package init(store: Store) { self.store = store }

    /// What a plan is made of, without its rows.
    package struct Ground: Sendable {
        package var rules: RetentionRules
        package var held: HeldRanges
        /// Bytes of everything, and what is not held of it.
        package var archive: Int64
        package var totals: [RetentionShelf: Int64]
        package var volumes: Set<VolumeID>
        package var now: WallTime
    }

    /// `volumes`: what may be deleted from now. What lies elsewhere counts for no limit: a volume that is not there must not cost the
    /// others theirs.
    package func ground(at now: WallTime, on volumes: Set<VolumeID>) async throws -> Ground {
        let totals = try await store.retention.totals(on: volumes)
        let buckets = volumes.contains(where: \.isRemote) ? try await store.s3Profiles.all() : []
        return Ground(
            rules: RetentionRules(
                cameras: try await store.cameras.all(), profiles: try await store.storageProfiles.all(), buckets: buckets,
                settings: try await store.settings.values()),
            held: HeldRanges(try await store.retention.holds(), at: now), archive: totals.all, totals: totals.deletable, volumes: volumes, now: now)
    }

    /// Shelves that are read at the same time: two cores are halved time, and a reader of the database is left for everybody else.
    private static let readers = 2

    /// Every item that could be in a plan; with `shared`, of what cameras share only what begins before it.
    private func items(_ ground: Ground, clock: RetentionClock, aim: RetentionPlan.Aim, shared: WallTime? = nil) async throws -> [RetentionItem] {
        let shelves = Set(ground.totals.keys.map { RetentionShelf(camera: $0.camera, isPictures: $0.isPictures) })
        let needs = shelves.sorted { ($0.camera, $0.isPictures ? 1 : 0) < ($1.camera, $1.isPictures ? 1 : 0) }.map { shelf in
            (
                shelf,
                RetentionNeed(
                    of: shelf.camera, pictures: shelf.isPictures, totals: ground.totals, rules: ground.rules, held: ground.held, clock: clock,
                    now: ground.now, aim: aim, shared: shared)
            )
        }.filter { !$0.1.isNothing }
        var parts = [[RetentionItem]](repeating: [], count: needs.count)
        try await withThrowingTaskGroup(of: (Int, [RetentionItem]).self) { group in
            for (index, (shelf, need)) in needs.enumerated() {
                if index >= Self.readers, let (place, items) = try await group.next() { parts[place] = items }
                group.addTask { (index, try await self.items(of: shelf, need: need, ground)) }
            }
            for try await (place, items) in group { parts[place] = items }
        }
        var items: [RetentionItem] = []
        items.reserveCapacity(parts.reduce(0) { $0 + $1.count })
        for part in parts { items += part }
        return items
    }

    private func items(of shelf: RetentionShelf, need: RetentionNeed, _ ground: Ground) async throws -> [RetentionItem] {
        try await store.retention.items(
            of: shelf.camera, pictures: shelf.isPictures, tellsApart: ground.rules.tellsApart(shelf.camera),
            reader: Reader(need: need, volumes: ground.volumes)
        ) { $0.judge($1) }
    }

    /// Goes through a stream's items for a need.
    private struct Reader: Sendable {
        var need: RetentionNeed
        let volumes: Set<VolumeID>
        /// What follows mostly lies on the same volume: sets are asked only when it does not.
        private var volume: VolumeID?
        private var isUsable = false

        init(need: RetentionNeed, volumes: Set<VolumeID>) {
            self.need = need
            self.volumes = volumes
        }

        mutating func judge(_ item: RetentionItem) -> RetentionStore.Verdict {
            if item.volume != volume {
                volume = item.volume
                isUsable = volumes.contains(item.volume)
            }
            guard need.wants(item, isUsable: isUsable) else { return .end }
            return isUsable ? .take : .pass
        }
    }

    /// Before which all cameras' footage makes up for what limits that they share are passed by; nil when that would be most of it, or
    /// nothing.
    private func shared(_ ground: Ground, _ aim: RetentionPlan.Aim) async throws -> WallTime? {
        let excess = RetentionNeed.sharedExcess(ground.totals, ground.rules, aim)
        guard excess > 0, excess < ground.archive / 2 else { return nil }
        // What is held is passed over.
        let held = ground.archive - ground.totals.values.reduce(0, +)
        return try await store.retention.oldest(excess + max(0, held))
    }

    /// Whether a plan of what begins before some moment is the plan of everything: what it took was enough, and none of it is what goes
    /// last.
    package static func isWhole(_ plan: RetentionPlan, of items: [RetentionItem], clock: RetentionClock, now: WallTime) -> Bool {
        guard [.totalLimit, .profileLimit, .freeSpace].allSatisfy({ plan.unmet[$0] ?? 0 <= 0 }) else { return false }
        return items.allSatisfy { clock.effective($0.start, now: now) != nil }
    }

    package func plan(_ ground: Ground, clock: RetentionClock, aim: RetentionPlan.Aim, allowance: Int64?, atLeastOne: Bool = true) async throws
        -> RetentionPlan
    {
        if let shared = try await shared(ground, aim) {
            let items = try await items(ground, clock: clock, aim: aim, shared: shared)
            let plan = RetentionPlan(
                items, totals: ground.totals, rules: ground.rules, held: ground.held, clock: clock, now: ground.now, aim: aim,
                allowance: allowance, atLeastOne: atLeastOne)
            if Self.isWhole(plan, of: items, clock: clock, now: ground.now) { return plan }
        }
        return RetentionPlan(
            try await items(ground, clock: clock, aim: aim), totals: ground.totals, rules: ground.rules, held: ground.held, clock: clock,
            now: ground.now, aim: aim,
            allowance: allowance, atLeastOne: atLeastOne)
    }
}

extension RetentionClock {
    package init(_ memory: RetentionStore.Memory) {
        self.init(seen: memory.seen, jumps: memory.jumps.map { Jump(from: $0.from, to: $0.to) })
    }
}
