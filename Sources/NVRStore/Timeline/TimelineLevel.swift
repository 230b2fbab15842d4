/// One way in which time is divided into buckets of equal length: five minutes, hours, days. Hours and days are there once for each
/// distance from UTC that the server's clocks have, so that every hour and day they show is a bucket, or a few. Milliseconds. Pure.
package struct TimelineLevel: Sendable, Hashable {
    /// Number of the row.
    package var id: Int64
    package var unit: Int64
    /// Added to a time before it is divided, 0..<unit.
    package var phase: Int64

    package init(id: Int64, unit: Int64, phase: Int64) {
        self.id = id
        self.unit = unit
        self.phase = phase
    }

    package static let fiveMinutes: Int64 = 300_000
    package static let hour: Int64 = 3_600_000
    package static let day: Int64 = 86_400_000

    /// Buckets in one row.
    package static let chunk: Int64 = 96
    /// Digits of a bucket in the text of its row.
    static let digits = 9
    /// The largest number that fits.
    static let most: Int64 = 999_999_999

    /// What lies outside counts at the ends: 1970 and the end of the year 9999.
    static let latest: Int64 = 253_402_300_799_000
    /// Of a segment or an event that claims to be longer, the first 400 days count.
    static let longest: Int64 = 400 * day

    package func bucket(of time: Int64) -> Int64 { (time + phase) / unit }

    /// Units and phases that clocks with these distances from UTC (seconds east) need.
    package static func needed(offsets: some Sequence<Int64>) -> Set<[Int64]> {
        var needed: Set<[Int64]> = [[fiveMinutes, 0], [hour, 0], [day, 0]]
        for offset in offsets {
            // Distances that were no quarters of an hour are gone since 1972.
            let rounded = offset * 1000 / fiveMinutes * fiveMinutes
            for unit in [hour, day] { needed.insert([unit, ((rounded % unit) + unit) % unit]) }
        }
        return needed
    }

    /// The milliseconds of a row that count.
    static func clip(_ startMicros: Int64, _ endMicros: Int64) -> Range<Int64> {
        let start = min(max(startMicros / 1000, 0), latest)
        let end = min(max(endMicros / 1000, 0), latest, start + longest)
        return start..<max(start, end)
    }
}

/// What a bucket counts. Raw values are stored.
package enum TimelineSeries: Int, Sendable, CaseIterable {
    /// Milliseconds of listed footage of the main stream.
    case footage = 0
    /// The same of the sub-stream.
    case subFootage = 1
    /// Milliseconds of motion that has ended.
    case motion = 2
    /// Videos that begin: motion and what people asked for. Segments of continuous recordings are no events here.
    case events = 3
    case snapshots = 4
}

/// Sums of buckets in the making, to be stored as whole rows.
struct TimelineSums {
    private struct Key: Hashable {
        var series: Int
        var level: Int64
        var chunk: Int64
    }

    private var chunks: [Key: [Int64]] = [:]

    mutating func add(_ series: TimelineSeries, _ level: TimelineLevel, bucket: Int64, _ amount: Int64) {
        let (chunk, place) = bucket.quotientAndRemainder(dividingBy: TimelineLevel.chunk)
        chunks[Key(series: series.rawValue, level: level.id, chunk: chunk), default: Array(repeating: 0, count: Int(TimelineLevel.chunk))][
            Int(place)] += amount
    }

    /// A stretch of time, by its share in each bucket.
    mutating func add(_ series: TimelineSeries, _ level: TimelineLevel, _ span: Range<Int64>) {
        guard !span.isEmpty else { return }
        for bucket in level.bucket(of: span.lowerBound)...level.bucket(of: span.upperBound - 1) {
            let start = bucket * level.unit - level.phase
            add(series, level, bucket: bucket, min(span.upperBound, start + level.unit) - max(span.lowerBound, start))
        }
    }

    /// Rows that are not empty: series, level, chunk, sum and text.
    var rows: [(series: Int, level: Int64, chunk: Int64, total: Int64, cells: String)] {
        chunks.compactMap { key, cells in
            let total = cells.reduce(0, +)
            guard total > 0 else { return nil }
            var text: [UInt8] = []
            text.reserveCapacity(cells.count * TimelineLevel.digits)
            for cell in cells {
                var rest = min(max(cell, 0), TimelineLevel.most)
                var digits = [UInt8](repeating: UInt8(ascii: "0"), count: TimelineLevel.digits)
                for place in digits.indices.reversed() where rest > 0 {
                    digits[place] += UInt8(rest % 10)
                    rest /= 10
                }
                text += digits
            }
            return (key.series, key.level, key.chunk, total, String(decoding: text, as: UTF8.self))
        }
    }
}
