package import NVRModel
package import NVRStore

/// How finely a timeline is shown, and where the borders of its cells lie. Pure.
package struct TimelineZoom: Sendable, Equatable {
    /// Seconds of a cell; hours and days are those of the clocks on the wall and can be longer or shorter where these are changed.
    package var resolution: Int
    /// Whether segments and events are looked at one by one.
    package var isFine: Bool

    package init(resolution: Int, isFine: Bool) {
        self.resolution = resolution
        self.isFine = isFine
    }

    /// Cells of one camera.
    package static let mostCells = 4000
    /// Cells of all cameras together.
    package static let mostCellsOfAll = 64_000
    /// Minutes of all cameras together that are looked at segment by segment; there is about one a minute.
    static let mostMinutes = 12_000.0

    private static let fine = [1, 2, 5, 10, 15, 30, 60, 120]
    private static let coarse = [300, 900, hour, 3 * hour, 6 * hour, day, 7 * day]
    static let hour = 3600
    static let day = 86_400

    /// The finest zoom that is not finer than `wanted` seconds, by default a thousandth of the range, and not too much.
    package static func choose(span: Double, wanted: Double?, cameras: Int) -> TimelineZoom {
        let wanted = wanted ?? span / 1000
        let isFew = Double(max(1, cameras)) * (span / 60).rounded(.up) <= mostMinutes
        let most = Double(min(mostCells, mostCellsOfAll / max(1, cameras)) - 2)
        let choices = (isFew ? fine : []) + coarse
        let found = choices.first { Double($0) >= wanted && span / Double($0) <= most } ?? 7 * day
        return TimelineZoom(resolution: found, isFine: found < coarse[0])
    }

    /// The same, coarse enough not to need single rows.
    package var withoutRows: TimelineZoom { TimelineZoom(resolution: max(resolution, Self.coarse[0]), isFine: false) }

    /// Whether all cells have the same length.
    package var isUniform: Bool { resolution < Self.hour }

    /// Outages that are much shorter than a cell cannot be seen.
    var outages: TimelineQuery.ShortestOutage {
        resolution >= Self.day ? .hours : resolution >= Self.hour ? .minutes : .any
    }

    // MARK: Cells

    /// Borders of the cells that hold a range, seconds since 1970 UTC: one more than there are cells. `offset`: seconds that the clocks on
    /// the wall are east of UTC at a second.
    package func borders(_ range: TimeRange, offset: (Int64) -> Int64) -> [Int64] {
        let start = range.start.microseconds.floored(by: 1_000_000).quotient
        let (whole, rest) = range.end.microseconds.floored(by: 1_000_000)
        let end = max(start + 1, whole + (rest > 0 ? 1 : 0))
        let step = Int64(resolution)
        if isUniform {
            let first = start.floored(by: step).quotient * step
            return Array(stride(from: first, to: end + step, by: Int64.Stride(step)).prefix { $0 - step < end })
        }
        // Any earlier time leads to a true border.
        var border = start - step - 2 * Int64(Self.day)
        var next = Self.next(after: border, step, offset)
        while next <= start { (border, next) = (next, Self.next(after: next, step, offset)) }
        var borders = [border]
        while next < end {
            borders.append(next)
            next = Self.next(after: next, step, offset)
        }
        return borders + [next]
    }

    /// Weeks begin on Monday; 1970 began on a Thursday.
    private static func shift(_ step: Int64) -> Int64 { step == 7 * Int64(day) ? 3 * Int64(day) : 0 }

    /// The first second after `time` at which the clocks show a multiple of `step` that they had not reached then. An hour that is there
    /// twice is two cells.
    private static func next(after time: Int64, _ step: Int64, _ offset: (Int64) -> Int64) -> Int64 {
        func local(_ time: Int64) -> Int64 { time + offset(time) + shift(step) }
        let target = (local(time).floored(by: step).quotient + 1) * step
        let before = offset(time)
        let usual = target - shift(step) - before
        if usual > time, offset(usual - 1) == before, offset(usual) >= before { return rounded(usual) }
        // The clocks are changed before that.
        var (early, late) = (time, max(usual, time) + Int64(day))
        while late - early > 1 {
            let middle = early + (late - early) / 2
            if local(middle) >= target { late = middle } else { early = middle }
        }
        let reached = late
        guard step == Int64(hour) else { return rounded(reached) }
        (early, late) = (time, reached)
        while late - early > 1 {
            let middle = early + (late - early) / 2
            if offset(middle) != before { late = middle } else { early = middle }
        }
        let isWorthACell = late - time >= 300 && offset(late) != before
        return rounded(isWorthACell ? min(late, reached) : reached)
    }

    /// Sums are kept by five minutes. All clocks but some of before 1972 agree.
    private static func rounded(_ time: Int64) -> Int64 { (time + 299).floored(by: 300).quotient * 300 }

    // MARK: Sums

    /// The buckets that make up the cells between borders (seconds), the largest that fit. `levels` holds one of five minutes.
    package static func runs(_ borders: [Int64], _ levels: [TimelineLevel]) -> [TimelineRun] {
        let levels = levels.sorted { $0.unit > $1.unit }
        var runs: [TimelineRun] = []
        for cell in borders.indices.dropLast() {
            // What is before 1970 has no buckets.
            let (start, end) = (max(0, borders[cell]) * 1000, borders[cell + 1] * 1000)
            guard end > start, let level = levels.first(where: { (start + $0.phase) % $0.unit == 0 && (end - start) % $0.unit == 0 }) else {
                continue
            }
            let count = (end - start) / level.unit
            let first = level.bucket(of: start)
            if let last = runs.indices.last, runs[last].level == level.id, runs[last].bucketsPerCell == count,
                runs[last].firstCell + runs[last].cells == cell, runs[last].firstBucket + Int64(runs[last].cells) * count == first
            {
                runs[last].cells += 1
            } else {
                runs.append(TimelineRun(level: level.id, firstBucket: first, bucketsPerCell: count, firstCell: cell, cells: 1))
            }
        }
        return runs
    }
}

extension Int64 {
    /// Division that rounds down, with a remainder that is never negative. `divisor` is positive.
    func floored(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
