/// How long recordings and pictures are kept, in the wordings of the API (`preserve_movies`, `preserve_pictures`).
package enum KeepingTime {
    /// Days, or nil for "Forever" and for words that are none of these: what is not understood deletes nothing.
    package static func days(of text: String) -> Int? {
        switch text {
        case "For One Day": 1
        case "For One Week": 7
        case "For Two Weeks": 14
        case "For One Month": 30
        case "For Three Months": 90
        case "For Six Months": 180
        case "For One Year": 365
        default: nil
        }
    }

    /// The shortest wording that keeps for at least so many days; "Forever" for 0, which means no limit, and for more than a year.
    package static func wording(ofAtLeast days: Int) -> String {
        let wordings = ["For One Day", "For One Week", "For Two Weeks", "For One Month", "For Three Months", "For Six Months", "For One Year"]
        return days > 0 ? wordings.first { self.days(of: $0) ?? 0 >= days } ?? "Forever" : "Forever"
    }

    /// What began before this time has been kept long enough; nil when everything is kept for ever.
    package static func limit(of text: String, at now: WallTime) -> WallTime? {
        days(of: text).map { now.advanced(byMicroseconds: -Int64($0) * 86_400_000_000) }
    }
}
