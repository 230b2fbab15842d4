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

    /// What began before this time has been kept long enough; nil when everything is kept for ever.
    package static func limit(of text: String, at now: WallTime) -> WallTime? {
        days(of: text).map { now.advanced(byMicroseconds: -Int64($0) * 86_400_000_000) }
    }
}
