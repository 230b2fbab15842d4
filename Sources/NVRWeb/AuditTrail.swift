package import Logging
import NVRAccounts
package import NVRBase
import NVRModel
package import NVRStore
import Synchronization

/// The audit trail on its way into the database. Entries wait in memory, bounded, and one writer stores many at a time, so that
/// requests do not wait for the disk. When the writer falls behind, requests that changed something wait with it; refusals of
/// unknown callers, which anybody can cause in any number, are counted instead. Any task may use it.
package final class AuditTrail: Sendable {
    private struct State {
        var entries: [AuditEntry] = []
        var waiting: [CheckedContinuation<Void, Never>] = []
        var budget = RefusalBudget()
        /// Set while the database refuses entries.
        var isFailing = false
        /// Nil before the first look at the clock.
        var clockTrust: ClockTrust?
    }

    /// Entries that may wait.
    package static let capacity = 4096
    /// Entries of one transaction.
    static let batch = 500
    /// Seconds between two tries of a database that refuses entries, and between two looks for omitted ones.
    static let pause = 1
    static let lookInterval = 60
    /// Seconds between two deletions of old entries.
    static let expiryInterval = 86_400

    private let store: Store
    private let clock: any NVRClock
    private let logger: Logger
    private let state = Mutex(State())
    private let wishes: AsyncStream<Void>
    private let wish: AsyncStream<Void>.Continuation
    private let startedAt: WallTime

    package init(store: Store, clock: any NVRClock, logger: Logger) {
        self.store = store
        self.clock = clock
        self.logger = logger
        startedAt = WallTime(microseconds: clock.wall())
        // One wish to write is as good as many.
        (wishes, wish) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: Recording

    /// Takes an entry. `isRefusal`: of a caller that nobody knows, so that it may be left out when there are many of its address.
    /// Waits only while the writer is far behind.
    package func record(_ entry: AuditEntry, isRefusal: Bool) async {
        while true {
            let isTaken = state.withLock { state -> Bool in
                guard isRefusal else { return Self.take(entry, &state) }
                guard state.entries.count < Self.capacity, let omitted = state.budget.take(entry.address, at: clock.monotonic()) else {
                    state.budget.omit(entry.address, at: clock.monotonic())
                    return true
                }
                var entry = entry
                if omitted > 0 { entry.summary = Self.listed(entry.summary, Self.omission(omitted)) }
                return Self.take(entry, &state)
            }
            wish.yield()
            if isTaken { return }
            await withCheckedContinuation { continuation in
                let goesOn = state.withLock { state -> Bool in
                    if state.entries.count < Self.capacity || state.isFailing { return true }
                    state.waiting.append(continuation)
                    return false
                }
                if goesOn { continuation.resume() }
            }
            if state.withLock({ $0.isFailing && $0.entries.count >= Self.capacity }) {
                // What was done cannot be undone any more; the log is the place that is left.
                logger.error(
                    "an entry of the audit trail is lost, since the database refuses it",
                    metadata: [
                        "user": "\(entry.userName ?? "-")", "address": "\(entry.address)", "method": "\(entry.method)", "route": "\(entry.route)",
                        "status": "\(entry.status)",
                    ])
                return
            }
        }
    }

    private static func take(_ entry: AuditEntry, _ state: inout State) -> Bool {
        guard state.entries.count < capacity else { return false }
        state.entries.append(entry)
        return true
    }

    private static func omission(_ count: Int) -> String {
        count == 1 ? "1 refused request before it is not listed" : "\(count) refused requests before it are not listed"
    }

    private static func listed(_ parts: String...) -> String { parts.filter { !$0.isEmpty }.joined(separator: "; ") }

    // MARK: Writing

    /// Writes until the task is cancelled; what comes later waits for `finish`.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                for await _ in wishes {
                    while await !write() {
                        // Thrown by the cancellation: `finish` tries once more.
                        guard (try? await Task.sleep(for: .seconds(Self.pause))) != nil else { return }
                    }
                }
            }
            group.addTask { [self] in
                repeat {
                    noteOmissions(isLast: false)
                } while (try? await Task.sleep(for: .seconds(Self.lookInterval))) != nil
            }
            group.addTask { [self] in
                repeat { await expire() } while (try? await Task.sleep(for: .seconds(Self.expiryInterval))) != nil
            }
        }
    }

    /// Stores what waits, to be called when nothing is recorded any more. Waits for the disk.
    package func finish() async {
        noteOmissions(isLast: true)
        for _ in 0..<3 {
            if await write() { return }
            try? await Task.sleep(for: .seconds(Self.pause))
        }
        let lost = state.withLock { $0.entries.count }
        logger.error("the last entries of the audit trail are lost, since the database refuses them", metadata: ["count": "\(lost)"])
    }

    /// Stores everything that waits; false when the database refused it, and it waits still. One caller at a time.
    package func write() async -> Bool {
        while true {
            let batch = state.withLock { Array($0.entries.prefix(Self.batch)) }
            guard !batch.isEmpty else { return true }
            var failure: (any Error)?
            do { try await store.audit.append(batch) } catch { failure = error }
            let (waiting, isNews) = state.withLock { state in
                let isNews = failure != nil && !state.isFailing
                state.isFailing = failure != nil
                if failure == nil { state.entries.removeFirst(batch.count) }
                defer { state.waiting = [] }
                return (state.waiting, isNews)
            }
            for continuation in waiting { continuation.resume() }
            guard let failure else { continue }
            if isNews { logger.error("the audit trail cannot be written; it waits in memory", metadata: ["error": "\(failure)"]) }
            return false
        }
    }

    /// Lists how many refusals of an address were left out, once they have ended.
    private func noteOmissions(isLast: Bool) {
        let now = clock.monotonic()
        let time = WallTime(microseconds: clock.wall())
        state.withLock { state in
            for (address, count) in state.budget.omissions(at: now, all: isLast) where state.entries.count < Self.capacity {
                state.entries.append(
                    AuditEntry(time: time, address: address, method: "*", route: "*", status: 401, summary: Self.omission(count)))
            }
        }
        wish.yield()
    }

    /// Deletes what is older than the owner wants it kept. A clock that has jumped ahead has to stand for a day first: one that is wrong by
    /// years must not cost the whole trail.
    package func expire() async {
        do {
            guard try await isClockBelieved() else {
                logger.warning("the clock has jumped ahead: no old entries of the audit trail are deleted before it has stood for a day")
                return
            }
            let days = Int64(try await store.settings.values()[Settings.auditRetentionDays])
            let limit = WallTime(microseconds: clock.wall()).advanced(byMicroseconds: -days * 86_400_000_000)
            let count = try await store.audit.expire(before: limit)
            if count > 0 { logger.info("old entries of the audit trail were deleted", metadata: ["count": "\(count)"]) }
        } catch {
            logger.warning("old entries of the audit trail could not be deleted; tried again tomorrow", metadata: ["error": "\(error)"])
        }
    }

    private func isClockBelieved() async throws -> Bool {
        var before = AuditFilter()
        before.to = startedAt
        before.limit = 1
        let newest = try await store.audit.list(before).first?.time
        let (wall, monotonic) = (clock.wall(), clock.monotonic())
        return state.withLock { state in
            var trust = state.clockTrust ?? ClockTrust(lastSeen: newest?.microseconds, wall: wall, monotonic: monotonic)
            defer { state.clockTrust = trust }
            return trust.observe(wall: wall, monotonic: monotonic, isSynchronized: false).mayDeleteByAge
        }
    }
}

/// How many refusals of one address are listed one by one: some at once, then one a second; and how many of all addresses, since some
/// people have very many. Pure; times are monotonic microseconds.
package struct RefusalBudget: Sendable {
    private struct Account {
        var left: Double
        var at: Int64
        var omitted: Int

        mutating func fill(upTo most: Int, perSecond: Double, at now: Int64) {
            left = min(Double(most), left + Double(max(0, now - at)) / 1_000_000 * perSecond)
            at = now
        }
    }

    /// Refusals at once.
    package static let burst = 60
    /// The same of all addresses together, and how many a second after that.
    package static let burstOfAll = 1200
    static let perSecondOfAll = 10.0
    /// Addresses that are told apart.
    static let mostAddresses = 1024

    private var accounts: [String: Account] = [:]
    private var all = Account(left: Double(burstOfAll), at: 0, omitted: 0)

    package init() {}

    /// Nil when this one is too many; otherwise how many before it were.
    package mutating func take(_ address: String, at now: Int64) -> Int? {
        let network = AddressNetwork.name(of: address)
        var account = filled(network, at: now)
        defer { accounts[network] = account }
        all.fill(upTo: Self.burstOfAll, perSecond: Self.perSecondOfAll, at: now)
        guard account.left >= 1, all.left >= 1 else { return nil }
        account.left -= 1
        all.left -= 1
        defer { account.omitted = 0 }
        return account.omitted
    }

    package mutating func omit(_ address: String, at now: Int64) {
        let network = AddressNetwork.name(of: address)
        var account = filled(network, at: now)
        account.omitted += 1
        accounts[network] = account
    }

    /// Addresses with omissions, and how many; of those that are quiet again unless all are wanted. Counted from 0 again.
    package mutating func omissions(at now: Int64, all: Bool) -> [(address: String, count: Int)] {
        var found: [(String, Int)] = []
        for address in accounts.keys.sorted() {
            var account = filled(address, at: now)
            if account.omitted > 0, all || account.left >= 1 {
                found.append((address, account.omitted))
                account.omitted = 0
            }
            accounts[address] = account.omitted == 0 && account.left >= Double(Self.burst) ? nil : account
        }
        guard found.count > Self.mostTold else { return found }
        found.sort { $0.1 > $1.1 }
        let rest = found[(Self.mostTold - 1)...].reduce(0) { $0 + $1.1 }
        found.removeLast(found.count - Self.mostTold + 1)
        found.append((Self.others, rest))
        return found
    }

    /// Addresses whose omissions are told one by one at a time.
    static let mostTold = 64

    private mutating func filled(_ address: String, at now: Int64) -> Account {
        guard var account = accounts[address] else {
            if accounts.count >= Self.mostAddresses {
                // Those who have been quiet for longest are forgotten first; what was omitted of them is counted on for all.
                let eldest = accounts.filter { $0.key != Self.others }.min { $0.value.at < $1.value.at }
                if let eldest, let old = accounts.removeValue(forKey: eldest.key), old.omitted > 0 {
                    accounts[Self.others, default: Account(left: 0, at: now, omitted: 0)].omitted += old.omitted
                }
            }
            return Account(left: Double(Self.burst), at: now, omitted: 0)
        }
        account.fill(upTo: Self.burst, perSecond: 1, at: now)
        return account
    }

    /// Stands for the addresses that were forgotten.
    private static let others = "several"
}
