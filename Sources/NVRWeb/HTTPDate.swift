import NVRModel

/// A point of time as HTTP headers write it, whole seconds UTC (RFC 9110 section 5.6.7). Pure.
package struct HTTPDate: Equatable, Comparable, Sendable {
    /// Seconds since 1970 UTC.
    package let seconds: Int64

    package init(seconds: Int64) { self.seconds = seconds }

    /// Reads the preferred form and the two obsolete ones; nil for anything else.
    package init?(_ text: String) {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == "-" }).map(String.init)
        let fields: (year: Substring, month: String, day: Substring, time: String)
        switch words.count {
        case 6 where words[5] == "GMT":  // Sun, 06 Nov 1994 08:49:37 GMT and Sunday, 06-Nov-94 08:49:37 GMT
            fields = (words[3][...], words[2], words[1][...], words[4])
        case 5:  // Sun Nov  6 08:49:37 1994
            fields = (words[4][...], words[1], words[2][...], words[3])
        default:
            return nil
        }
        let clock = fields.time.split(separator: ":", omittingEmptySubsequences: false)
        guard
            let month = Self.months.firstIndex(of: fields.month), var year = Int(fields.year), let day = Int(fields.day),
            clock.count == 3, let hour = Int(clock[0]), let minute = Int(clock[1]), let second = Int(clock[2]),
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second), (0...9999).contains(year)
        else { return nil }
        // Two digits are of an obsolete form that only old clients send: 70…99 are of the last century.
        if fields.year.utf8.count == 2 { year += year < 70 ? 2000 : 1900 }
        guard let date = CivilDate(year: year, month: month + 1, day: day) else { return nil }
        seconds = date.daysSince1970 * 86_400 + Int64(hour * 3600 + minute * 60 + second)
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    package var text: String {
        let (days, rest) = seconds.flooredDivision(by: 86_400)
        let date = CivilDate(daysSince1970: days)
        let weekday = Int((days + 4).flooredDivision(by: 7).remainder)
        let clock = "\(padded(rest / 3600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))"
        return
            "\(Self.weekdays[weekday]), \(padded(Int64(date.day), 2)) \(Self.months[date.month - 1]) \(padded(Int64(date.year), 4)) \(clock) GMT"
    }

    package static func < (left: Self, right: Self) -> Bool { left.seconds < right.seconds }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
}

/// A day of the calendar. Its arithmetic is that of `WallTime`'s ISO 8601 text.
package struct CivilDate: Equatable, Sendable {
    package let year: Int
    /// 1…12.
    package let month: Int
    /// 1…31.
    package let day: Int
    package let daysSince1970: Int64

    /// Nil for days that do not exist and years outside 0…9999.
    package init?(year: Int, month: Int, day: Int) {
        guard (0...9999).contains(year), (1...12).contains(month), day >= 1, day <= WallTime.days(inMonth: month, of: year) else { return nil }
        self.year = year
        self.month = month
        self.day = day
        daysSince1970 = Int64(WallTime.days(toCivil: year, month, day))
    }

    /// The day that UTC clocks show `days` days after 1970-01-01.
    package init(daysSince1970 days: Int64) {
        (year, month, day) = WallTime.civil(daysSince1970: Int(days))
        daysSince1970 = days
    }

    /// Reads `YYYY-MM-DD` with years 1970…9998; nil for other text and for days that do not exist.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].utf8.count == 4, parts[1].utf8.count == 2, parts[2].utf8.count == 2 else { return nil }
        let isDigits = parts.allSatisfy { $0.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } }
        guard isDigits, let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]) else { return nil }
        guard (1970...9998).contains(year), let date = CivilDate(year: year, month: month, day: day) else { return nil }
        self = date
    }
}

extension Int64 {
    /// Division that rounds down, with a remainder that is never negative. `divisor` is a positive constant.
    func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

/// Decimal digits with leading zeros to `width`.
func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return digits.utf8.count >= width ? digits : String(repeating: "0", count: width - digits.utf8.count) + digits
}
