package import Logging
package import NVRBase
package import NVRModel
package import NVRStore
import ServiceLifecycle

/// How much of each day was recorded, by camera. A day's numbers are noted when it is over, since its footage is deleted some day.
package final class RecordedDays: Service {
    /// The server's calendar.
    package struct Calendar: Sendable {
        /// The day that clocks on the wall show, counted since 1970.
        package var day: @Sendable (WallTime) -> Int
        package var range: @Sendable (Int) -> TimeRange

        package init(day: @escaping @Sendable (WallTime) -> Int, range: @escaping @Sendable (Int) -> TimeRange) {
            self.day = day
            self.range = range
        }
    }

    /// Days back that are noted when they were not at their end: the server was down.
    private static let catchUp = 3
    /// Seconds after the end of a day until what was recorded of it is in the database.
    private static let grace: Int64 = 600

    private let store: Store
    private let growing: GrowingSegments
    private let calendar: Calendar
    private let clock: any NVRClock
    private let logger: Logger

    package init(store: Store, growing: GrowingSegments, calendar: Calendar, clock: any NVRClock, logger: Logger) {
        self.store = store
        self.growing = growing
        self.calendar = calendar
        self.clock = clock
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            repeat {
                do { try await self.noteDaysThatAreOver() } catch {
                    self.logger.error("what was recorded of a day cannot be noted", metadata: ["error": "\(error)"])
                }
                // Thrown by the end of the program.
            } while (try? await Task.sleep(for: .seconds(1200), tolerance: .seconds(60))) != nil
        }
    }

    private func noteDaysThatAreOver() async throws {
        let now = WallTime(microseconds: clock.wall())
        let over = calendar.day(now.advanced(byMicroseconds: -Self.grace * 1_000_000)) - 1
        let cameras = try await store.cameras.all()
        let days = (over - Self.catchUp + 1)...over
        let known = Set(try await store.health.days(days, of: cameras.map(\.id)).map { Key(camera: $0.cameraID, day: $0.day) })
        var missing: [RecordedDay] = []
        for camera in cameras {
            for day in days where !known.contains(Key(camera: camera.id, day: day)) {
                missing.append(try await compute(camera, day, now))
            }
        }
        try await store.health.put(missing)
    }

    private struct Key: Hashable {
        var camera: ID<Camera>
        var day: Int
    }

    private func compute(_ camera: Camera, _ day: Int, _ now: WallTime) async throws -> RecordedDay {
        let range = calendar.range(day)
        // Before the rows: what is finished meanwhile is known by its row.
        let ends = growing.ends
        let facts = try await store.health.facts(of: camera.id, in: range)
        let share = RecordedShare.of(facts, in: range, since: camera.createdAt, ends: ends, now: now)
        return RecordedDay(cameraID: camera.id, day: day, recorded: share.recorded, missed: share.missed)
    }

    /// The last days with today, newest first, of some cameras in their order. A day on which nothing was noted is told from what is there.
    package func days(_ count: Int, of cameras: [Camera]) async throws -> [(day: Int, cameras: [RecordedDay])] {
        let now = WallTime(microseconds: clock.wall())
        let today = calendar.day(now)
        let days = (today - max(1, count) + 1)...today
        let noted = try await store.health.days(days, of: cameras.map(\.id))
        let byKey = Dictionary(noted.map { (Key(camera: $0.cameraID, day: $0.day), $0) }) { first, _ in first }
        var answer: [(day: Int, cameras: [RecordedDay])] = []
        for day in days.reversed() {
            var row: [RecordedDay] = []
            for camera in cameras {
                if let known = byKey[Key(camera: camera.id, day: day)], day != today {
                    row.append(known)
                } else if day > today - Self.catchUp - 1 {
                    row.append(try await compute(camera, day, now))
                } else {
                    row.append(RecordedDay(cameraID: camera.id, day: day, recorded: 0, missed: 0))
                }
            }
            answer.append((day, row))
        }
        return answer
    }
}
