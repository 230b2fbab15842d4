#if canImport(Glibc)
    import Glibc
#endif
package import NVRModel

/// When a recording of the old installation began. Its name tells, in local time and whole seconds; its row has the time at which the recording
/// ended (VibeNVR v1.34) or began (what its scripts listed again), and is the better clock where the zones differ.
package enum ClipTime {
    /// How far a row may lie behind the end of its clip, microseconds: closing a file takes the product a while.
    private static let lag: Int64 = 120_000_000
    private static let before: Int64 = -5_000_000
    /// Zones differ by whole quarters of an hour.
    private static let quarter: Int64 = 900_000_000
    private static let quarters: Int64 = 26 * 4

    /// - Parameters:
    ///   - named: by the name of the file, in the zone of this process; nil when it tells none.
    ///   - row: `timestamp_start`.
    ///   - duration: of the file, microseconds.
    /// - Returns: the begin, and by how many microseconds the clock of the names was off.
    package static func start(named: WallTime?, row: WallTime, duration: Int64) -> (start: WallTime, shift: Int64) {
        guard let named else { return (row, 0) }
        let (rest, overflow) = row.microseconds.subtractingReportingOverflow(named.microseconds)
        guard !overflow else { return (named, 0) }
        let window = before...(max(0, duration) + lag)
        if window.contains(rest) { return (named, 0) }
        for distance in 1...quarters {
            for shift in [distance * quarter, -distance * quarter] where window.contains(rest - shift) {
                return (named.advanced(byMicroseconds: shift), shift)
            }
        }
        return (named, 0)
    }

    /// The local time that a path tells by a pattern like `%Y-%m-%d/%H-%M-%S`, which fits its end. Nil when it does not.
    package static func named(_ path: String, patterns: [String]) -> WallTime? {
        var path = Substring(path)
        if let dot = path.lastIndex(of: "."), !path[dot...].contains("/") { path = path[..<dot] }
        for pattern in patterns {
            let depth = pattern.split(separator: "/", omittingEmptySubsequences: false).count
            let tail = path.split(separator: "/").suffix(depth).joined(separator: "/")
            if let time = time(tail, pattern) { return time }
        }
        return nil
    }

    private static func time(_ text: String, _ pattern: String) -> WallTime? {
        var parts: [Character: Int] = [:]
        var rest = Substring(text)
        var letters = pattern.makeIterator()
        while let character = letters.next() {
            guard character == "%" else {
                guard rest.popFirst() == character else { return nil }
                continue
            }
            guard let letter = letters.next() else { return nil }
            switch letter {
            case "Y", "m", "d", "H", "M", "S":
                let width = letter == "Y" ? 4 : 2
                let digits = rest.prefix(width)
                guard digits.utf8.count == width, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = Int(digits) else { return nil }
                parts[letter] = number
                rest = rest.dropFirst(width)
            case "q", "v", "t": rest = rest.drop { $0.isASCII && $0.isNumber }
            default: return nil
            }
        }
        // What VibeNVR adds to a name that is taken.
        guard rest.isEmpty || rest.first == "-" || rest.first == "_" else { return nil }
        guard let year = parts["Y"], let month = parts["m"], let day = parts["d"], let hour = parts["H"], let minute = parts["M"] else { return nil }
        return local(year, month, day, hour, minute, parts["S"] ?? 0)
    }

    /// A time on the clocks of this process's zone.
    package static func local(_ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int, _ second: Int) -> WallTime? {
        guard (1970...2200).contains(year), (1...12).contains(month), day >= 1, day <= WallTime.days(inMonth: month, of: year), hour < 24,
            minute < 60,
            second < 60
        else { return nil }
        var parts = tm()
        parts.tm_year = Int32(year - 1900)
        parts.tm_mon = Int32(month - 1)
        parts.tm_mday = Int32(day)
        parts.tm_hour = Int32(hour)
        parts.tm_min = Int32(minute)
        parts.tm_sec = Int32(second)
        parts.tm_isdst = -1
        return WallTime(microseconds: Int64(mktime(&parts)) * 1_000_000)
    }

    /// A timestamp of a database: of PostgreSQL with its short offset (`+00`), of SQLite without any, which is local time.
    package static func stamp(_ text: String) -> WallTime? {
        var text = text
        let bytes = Array(text.utf8)
        guard bytes.count >= 19 else { return nil }
        if bytes.count >= 22, let sign = bytes.dropFirst(19).lastIndex(where: { $0 == 0x2B || $0 == 0x2D }) {
            if bytes.count - sign == 3 { text += ":00" }
            return WallTime(iso8601: text)
        }
        if bytes.last == 0x5A || bytes.last == 0x7A { return WallTime(iso8601: text) }
        // Read as if it were UTC for its parts, then put on the local clock.
        guard let plain = WallTime(iso8601: text) else { return nil }
        let seconds = plain.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        guard seconds.remainder >= 0, seconds.quotient >= 0 else { return nil }
        let day = WallTime.civil(daysSince1970: Int(seconds.quotient / 86_400))
        let clock = Int(seconds.quotient % 86_400)
        return local(day.year, day.month, day.day, clock / 3600, clock / 60 % 60, clock % 60)?.advanced(byMicroseconds: seconds.remainder)
    }
}
