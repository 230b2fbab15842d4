extension WallTime {
    /// `2026-11-22T21:16:49.380965Z`, without a fraction when it is zero. Years outside 0…9999 are pinned to its ends.
    package var iso8601: String { String(unsafeUninitializedCapacity: Self.longestISO8601, initializingUTF8With: writeISO8601) }

    /// The same, added to bytes.
    package func appendISO8601(to bytes: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.longestISO8601) { text in
            bytes.append(contentsOf: text[..<writeISO8601(text)])
        }
    }

    private static let longestISO8601 = 27

    private func writeISO8601(_ text: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let bounded = min(max(microseconds, -62_167_219_200_000_000), 253_402_300_799_999_999)
        let micros = Int((bounded % 1_000_000 + 1_000_000) % 1_000_000)
        let seconds = (Int(bounded) - micros) / 1_000_000
        let secondOfDay = (seconds % 86_400 + 86_400) % 86_400
        let (year, month, day) = Self.civil(daysSince1970: (seconds - secondOfDay) / 86_400)
        var at = 0
        func put(_ value: Int, _ width: Int, _ end: Unicode.Scalar) {
            var rest = value
            for place in stride(from: at + width - 1, through: at, by: -1) {
                text[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
            text[at + width] = UInt8(ascii: end)
            at += width + 1
        }
        put(year, 4, "-")
        put(month, 2, "-")
        put(day, 2, "T")
        put(secondOfDay / 3600, 2, ":")
        put(secondOfDay / 60 % 60, 2, ":")
        put(secondOfDay % 60, 2, micros == 0 ? "Z" : ".")
        if micros != 0 { put(micros, 6, "Z") }
        return at
    }

    /// Reads `YYYY-MM-DD[T ]HH:MM[:SS[.ffffff]][Z|±HH:MM]`. A text without zone is taken as `offset` seconds east of UTC.
    package init?(iso8601 text: String, offset: Int = 0) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 16, bytes.count <= 40 else { return nil }
        func number(_ start: Int, _ count: Int) -> Int? {
            guard start + count <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[start..<start + count] {
                guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
            }
            return value
        }
        guard let year = number(0, 4), bytes[4] == UInt8(ascii: "-"), let month = number(5, 2), bytes[7] == UInt8(ascii: "-"),
            let day = number(8, 2), bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: " "), let hour = number(11, 2),
            bytes[13] == UInt8(ascii: ":"), let minute = number(14, 2), (1...12).contains(month), day >= 1,
            day <= Self.days(inMonth: month, of: year), hour < 24, minute < 60
        else { return nil }
        var at = 16
        var second = 0
        var micros = 0
        if at < bytes.count, bytes[at] == UInt8(ascii: ":") {
            guard let value = number(at + 1, 2), value < 60 else { return nil }
            second = value
            at += 3
            if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
                at += 1
                var scale = 100_000
                let start = at
                while let digit = number(at, 1) {
                    micros += digit * scale
                    scale /= 10
                    at += 1
                }
                guard at > start else { return nil }
            }
        }
        var east = offset
        if at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "Z"), UInt8(ascii: "z"):
                east = 0
                at += 1
            case UInt8(ascii: "+"), UInt8(ascii: "-"):
                let hasColon = at + 3 < bytes.count && bytes[at + 3] == UInt8(ascii: ":")
                guard let hours = number(at + 1, 2), let minutes = number(at + (hasColon ? 4 : 3), 2), hours < 24, minutes < 60 else {
                    return nil
                }
                east = (hours * 3600 + minutes * 60) * (bytes[at] == UInt8(ascii: "-") ? -1 : 1)
                at += hasColon ? 6 : 5
            default: return nil
            }
        }
        guard at == bytes.count, abs(east) < 86_400 else { return nil }
        let days = Self.days(toCivil: year, month, day)
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - east
        self.init(microseconds: Int64(seconds) * 1_000_000 + Int64(micros))
    }

    /// Days of a month of the proleptic Gregorian calendar.
    package static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days from 1970-01-01 to a date (Howard Hinnant, "chrono-compatible low-level date algorithms").
    package static func days(toCivil year: Int, _ month: Int, _ day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    package static func civil(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
