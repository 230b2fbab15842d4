package import NVRModel

#if canImport(Glibc)
    import Glibc
#endif

/// A calendar day in the server's time zone (environment `TZ`) as a range of wall time: 23, 24 or 25 hours where clocks change.
package enum LocalDay {
    /// From the first instant that clocks on the wall show `date` to the first that shows the next day.
    package static func range(of date: CivilDate) -> TimeRange {
        let next = CivilDate(daysSince1970: date.daysSince1970 + 1)
        return TimeRange(
            start: WallTime(microseconds: start(of: date) * 1_000_000), end: WallTime(microseconds: start(of: next) * 1_000_000))
    }

    /// The day that the wall shows at `time`.
    package static func date(at time: WallTime) -> CivilDate { date(atSecond: time.microseconds.flooredDivision(by: 1_000_000).quotient) }

    /// Hour of the day, 0…23, that the wall shows at `time`.
    package static func hour(at time: WallTime) -> Int {
        Int(fields(atSecond: time.microseconds.flooredDivision(by: 1_000_000).quotient).tm_hour)
    }

    /// `20261122_211700`: a time as file names tell it.
    package static func stamp(at time: WallTime) -> String {
        let fields = fields(atSecond: time.microseconds.flooredDivision(by: 1_000_000).quotient)
        func two(_ value: Int32) -> String { padded(Int64(value), 2) }
        return padded(Int64(fields.tm_year) + 1900, 4) + two(fields.tm_mon + 1) + two(fields.tm_mday) + "_" + two(fields.tm_hour)
            + two(fields.tm_min) + two(fields.tm_sec)
    }

    /// Reads an ISO 8601 time; one without a zone is what the wall shows. Where clocks go back, it is the second of the two.
    package static func time(iso8601 text: String) -> WallTime? {
        guard let asUTC = WallTime(iso8601: text) else { return nil }
        // The zone that is named, or none: an offset changes only times that name no zone.
        guard WallTime(iso8601: text, offset: 3600) != asUTC else { return asUTC }
        return LocalOffset.server.instant(showing: asUTC)
    }

    /// The time of day that the wall shows at `time`.
    package static func clock(at time: WallTime) -> (hour: Int, minute: Int, second: Int) {
        let fields = fields(atSecond: time.microseconds.flooredDivision(by: 1_000_000).quotient)
        return (Int(fields.tm_hour), Int(fields.tm_min), Int(fields.tm_sec))
    }

    /// How far the clocks on the wall are from UTC between two moments, seconds since 1970 UTC: at the first, and from each change on.
    package static func clocks(from first: Int64, to last: Int64) -> [(since: Int64, offset: Int64)] {
        func offset(_ second: Int64) -> Int64 { Int64(fields(atSecond: second).tm_gmtoff) }
        var clocks = [(since: first, offset: offset(first))]
        // No zone changes its clocks forth and back within a week.
        var time = first
        while time < last {
            let next = min(time + 7 * 86_400, last)
            if offset(next) != clocks[clocks.count - 1].offset {
                var (early, late) = (time, next)
                while late - early > 1 {
                    let middle = early + (late - early) / 2
                    if offset(middle) == clocks[clocks.count - 1].offset { early = middle } else { late = middle }
                }
                clocks.append((late, offset(late)))
            }
            time = next
        }
        return clocks
    }

    /// The last full hour that the wall showed; zones need not be whole hours from UTC.
    package static func startOfHour(at time: WallTime) -> WallTime {
        let (second, micros) = time.microseconds.flooredDivision(by: 1_000_000)
        let fields = fields(atSecond: second)
        return time.advanced(byMicroseconds: -(Int64(fields.tm_min) * 60 + Int64(fields.tm_sec)) * 1_000_000 - micros)
    }

    /// Seconds UTC of the first instant of `date`. Local dates never run backwards within the searched half day on either side of
    /// the guess, so a bisection finds it, also where midnight does not exist (clocks go forward at 00:00) or comes twice.
    private static func start(of date: CivilDate) -> Int64 {
        let wanted = date.daysSince1970
        var early = wanted * 86_400 - 86_400  // UTC+14 is the easternmost zone, so the day before has not ended yet
        var late = wanted * 86_400 + 86_400
        while late - early > 1 {
            let middle = early + (late - early) / 2
            if Self.date(atSecond: middle).daysSince1970 >= wanted { late = middle } else { early = middle }
        }
        return late
    }

    private static func date(atSecond second: Int64) -> CivilDate {
        let fields = fields(atSecond: second)
        let date = CivilDate(year: Int(fields.tm_year) + 1900, month: Int(fields.tm_mon) + 1, day: Int(fields.tm_mday))
        return date ?? CivilDate(daysSince1970: second.flooredDivision(by: 86_400).quotient)
    }

    private static func fields(atSecond second: Int64) -> tm {
        var time = time_t(second)
        var fields = tm()
        // Fails only for years beyond Int32, which `CivilDate` and the database do not hold; the zeroed fields are then harmless.
        _ = localtime_r(&time, &fields)
        return fields
    }
}
