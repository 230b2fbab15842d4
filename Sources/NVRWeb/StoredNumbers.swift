import NVRAccounts
import NVRBase
package import NVRModel
package import NVRStore

/// What the database says in numbers to somebody who sees certain cameras. Bytes unless said otherwise.
package struct StoredNumbers: Sendable {
    package var movies: [ID<Camera>: Statistics.Holding] = [:]
    package var pictures: [ID<Camera>: Statistics.Holding] = [:]
    /// Both, by where they lie.
    package var volumes: [VolumeID: Statistics.Holding] = [:]
    /// What each camera records in a day at its pace of the last 24 hours.
    package var bytesADay: [ID<Camera>: Int64] = [:]
    package var eventTotals: [EventTotal] = []
    package var eventsLastDay = 0
    /// Events since the begin of the day, the week (Monday) and the month on the server's clock.
    package var eventsToday = 0
    package var eventsThisWeek = 0
    package var eventsThisMonth = 0
    package var newestEvent: Event?
    package var databaseBytes: Int64 = 0
    package var profiles: [StorageProfile] = []

    package init() {}

    /// Whose numbers: the cameras somebody may see and those whose recordings he may see; nil = every one, also deleted ones.
    struct Sight: Sendable, Hashable {
        var view: Set<ID<Camera>>?
        var replay: Set<ID<Camera>>?

        /// `caller` nil: the server itself.
        init(_ caller: Identity?) {
            view = caller.flatMap { Access.visibleCameras($0) }
            replay = caller.flatMap { Access.visibleCameras($0, .replay) }
        }
    }

    static func read(_ store: Store, _ sight: Sight, at now: WallTime) async throws -> StoredNumbers {
        func isSeen(_ id: ID<Camera>) -> Bool { sight.view?.contains(id) ?? true }
        var numbers = StoredNumbers()
        for total in try await store.segments.totals() where isSeen(total.cameraID) {
            numbers.movies[total.cameraID, default: .init()].count += total.count
            numbers.movies[total.cameraID, default: .init()].bytes += total.bytes
        }
        numbers.eventTotals = try await store.events.totals().filter { isSeen($0.cameraID) }
        for total in numbers.eventTotals where total.medium == .snapshot {
            numbers.pictures[total.cameraID, default: .init()].count += total.count
            numbers.pictures[total.cameraID, default: .init()].bytes += total.bytes
        }
        for (shelf, count, bytes) in try await store.retention.shelves() where isSeen(shelf.camera) {
            numbers.volumes[shelf.volume, default: .init()].count += count
            numbers.volumes[shelf.volume, default: .init()].bytes += bytes
        }
        numbers.bytesADay = try await store.segments.bytesADay(at: now).filter { isSeen($0.key) }
        let today = LocalDay.date(at: now)
        // The first day of 1970 was a Thursday.
        let monday = CivilDate(daysSince1970: today.daysSince1970 - (today.daysSince1970 + 3).flooredDivision(by: 7).remainder)
        let first = CivilDate(daysSince1970: today.daysSince1970 - Int64(today.day - 1))
        let begins = [now.advanced(byMicroseconds: -86_400_000_000)] + [today, monday, first].map { LocalDay.range(of: $0).start }
        // An event may have begun in this very microsecond.
        let counts = try await store.events.counts(
            of: begins.map { TimeRange(start: $0, end: now.advanced(byMicroseconds: 1)) }, allowed: sight.replay)
        (numbers.eventsLastDay, numbers.eventsToday) = (counts[0], counts[1])
        (numbers.eventsThisWeek, numbers.eventsThisMonth) = (counts[2], counts[3])
        numbers.newestEvent = try await store.events.list(EventFilter(allowed: sight.replay, limit: 1)).first
        numbers.databaseBytes = try await store.bytes()
        numbers.profiles = try await store.storageProfiles.all()
        return numbers
    }
}

/// The numbers as they were read last, good until a commit changes footage or cameras, and for a minute at most, since some are of the
/// time before now. Any task may use it.
final class NumberReader: Sendable {
    private struct Moment: Sendable, Equatable {
        var footage: Int
        var cameras: Int
        var minute: Int64
    }

    /// Sights that are kept.
    static let capacity = 32

    private let store: Store
    private let kept = VersionedEach<StoredNumbers.Sight, Moment, StoredNumbers>(capacity: NumberReader.capacity)

    init(store: Store) { self.store = store }

    func numbers(for caller: Identity?, at now: WallTime) async throws -> StoredNumbers {
        let sight = StoredNumbers.Sight(caller)
        // Asked before reading: what is committed meanwhile makes what is kept old at once.
        let moment = Moment(
            footage: store.versions.footage, cameras: store.versions.cameras, minute: now.microseconds.flooredDivision(by: 60_000_000).quotient)
        if let numbers = kept.value(of: sight, for: moment) { return numbers }
        let numbers = try await StoredNumbers.read(store, sight, at: now)
        kept.keep(numbers, of: sight, for: moment)
        return numbers
    }
}
