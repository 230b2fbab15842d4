package import NVRModel

#if canImport(Glibc)
    import Glibc
#endif

/// The clocks on the wall of one place, as their distance from UTC.
package struct LocalOffset: Sendable {
    /// Seconds east of UTC at a second since 1970 UTC.
    package let seconds: @Sendable (_ at: Int64) -> Int64

    package init(_ seconds: @escaping @Sendable (_ at: Int64) -> Int64) { self.seconds = seconds }

    /// The place of the server (environment `TZ`).
    package static let server = LocalOffset { second in
        var time = time_t(second)
        var fields = tm()
        // Fails only for years beyond Int32, which no row holds; UTC is then as good as anything.
        _ = localtime_r(&time, &fields)
        return Int64(fields.tm_gmtoff)
    }

    /// The distances from UTC that the server's clocks have in the years around a time: six before it and two after.
    package static func offsets(around time: WallTime) -> Set<Int64> {
        let now = time.microseconds.flooredDivision(by: 1_000_000).quotient
        let week: Int64 = 7 * 86_400
        return Set((-320...110).map { server.seconds(now + Int64($0) * week) })
    }

    /// An hour as the clocks show it.
    package struct Hour: Sendable, Hashable {
        /// The instant at which the clocks begin to show it.
        package var start: WallTime
        /// 0…23.
        package var hour: Int

        /// `09:00`.
        package var label: String { "\(padded(Int64(hour), 2)):00" }
    }

    /// The last `count` hours that the clocks showed, oldest first; the running one is the last. Where clocks go back an hour is there
    /// twice, where they go forward one is missing: each is an hour of its own, and none is counted in another.
    package func hours(_ count: Int, until now: WallTime) -> [Hour] {
        var hours: [Hour] = []
        var moment = now.microseconds.flooredDivision(by: 1_000_000).quotient
        for _ in 0..<count {
            let start = startOfHour(at: moment)
            let local = start + seconds(start)
            hours.append(
                Hour(
                    start: WallTime(microseconds: start * 1_000_000),
                    hour: Int(local.flooredDivision(by: 3600).quotient.flooredDivision(by: 24).remainder)))
            moment = start - 1
        }
        return hours.reversed()
    }

    /// The second at which the hour that the clocks show at `second` began.
    private func startOfHour(at second: Int64) -> Int64 {
        let offset = seconds(second)
        let start = second - (second + offset).flooredDivision(by: 3600).remainder
        guard seconds(start) != offset else { return start }
        // The clocks were changed within the hour: it began with that.
        var (early, late) = (start, second)
        while late - early > 1 {
            let middle = early + (late - early) / 2
            if seconds(middle) == offset { late = middle } else { early = middle }
        }
        return late
    }

    /// `2026-11-22 21:16:59` as the clocks show it.
    package func text(_ time: WallTime) -> String {
        let second = time.microseconds.flooredDivision(by: 1_000_000).quotient
        let shown = WallTime(microseconds: (second + seconds(second)) * 1_000_000).iso8601
        return String(shown.map { $0 == "T" ? " " : $0 }.dropLast())
    }

    /// Reads a time; without zone it is of this place, and a date alone is its first instant.
    package func time(iso8601 text: String) -> WallTime? {
        let isDate = text.utf8.count == 10
        let text = isDate ? text + "T00:00" : text
        // A plus sign that was not escaped in a query arrives as a space.
        let whole = text.utf8.count > 19 && text.contains(" ") ? String(text.map { $0 == " " ? "+" : $0 }) : text
        guard let plain = WallTime(iso8601: text) ?? WallTime(iso8601: whole) else { return nil }
        let hasZone = WallTime(iso8601: text, offset: 3600) ?? WallTime(iso8601: whole, offset: 3600) == plain
        return hasZone ? plain : instant(showing: plain, earlier: isDate)
    }

    /// When the clocks show what `local` would be in UTC. Where they are set back and show it twice, it is the second time unless
    /// `earlier`; where they are set forward and never show it, it is as long after the change as it would be with the clocks of before.
    package func instant(showing local: WallTime, earlier: Bool = false) -> WallTime {
        let second = local.microseconds.flooredDivision(by: 1_000_000).quotient
        // No zone changes its clocks twice within two days.
        let (before, after) = (seconds(second - 86_400), seconds(second + 86_400))
        let fitting = [before, after].filter { seconds(second - $0) == $0 }
        let offset = (earlier ? fitting.max() : fitting.min()) ?? before
        return local.advanced(byMicroseconds: -offset * 1_000_000)
    }
}
