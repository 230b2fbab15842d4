import Foundation
import NVRModel
import NVRRecording
import NVRStore
import Testing

@Suite("Zooms of the timeline")
struct TimelineZoomTests {
    private static let zones = [
        "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu", "America/Havana", "UTC",
    ]

    private static func offset(_ name: String) throws -> (Int64) -> Int64 {
        let zone = try #require(TimeZone(identifier: name))
        return { Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double($0)))) }
    }

    private static func range(_ start: Int64, _ end: Int64) -> TimeRange {
        TimeRange(start: WallTime(microseconds: start * 1_000_000), end: WallTime(microseconds: end * 1_000_000))
    }

    private static let year: Double = 365 * 86_400

    @Test("The zoom is a thousandth of the range or what was asked for, and never too much")
    func choice() {
        func zoom(_ span: Double, _ wanted: Double? = nil, cameras: Int = 1) -> [Int] {
            let zoom = TimelineZoom.choose(span: span, wanted: wanted, cameras: cameras)
            return [zoom.resolution, zoom.isFine ? 1 : 0]
        }
        #expect(zoom(5) == [1, 1])
        #expect(zoom(3600) == [5, 1])
        #expect(zoom(6 * 3600, cameras: 32) == [30, 1])
        #expect(zoom(86_400, cameras: 32) == [300, 0])
        #expect(zoom(86_400, cameras: 4) == [120, 1])
        #expect(zoom(7 * 86_400, cameras: 32) == [900, 0])
        #expect(zoom(30 * 86_400) == [3600, 0])
        #expect(zoom(Self.year) == [86_400, 0])
        #expect(zoom(5 * Self.year) == [604_800, 0])
        #expect(zoom(50 * Self.year, 0) == [604_800, 0])
        #expect(zoom(Self.year, 1) == [10_800, 0])
        #expect(zoom(Self.year, 1, cameras: 64) == [86_400, 0])
        #expect(zoom(3600, 60) == [60, 1])
        #expect(zoom(3600, 61) == [120, 1])
        #expect(zoom(3600, 300) == [300, 0])
        #expect(zoom(3600, 1e9) == [604_800, 0])
        for cameras in [1, 7, 32, 64] {
            for wanted in [0.0, 1, 77, 5000, 1e6] {
                for span in [0.000_001, 1, 4000, 1e5, 1e6, 1e7, 1e8, 1.5e9] {
                    let zoom = TimelineZoom.choose(span: span, wanted: wanted, cameras: cameras)
                    let cells =
                        zoom.borders(TimeRange(start: WallTime(microseconds: 1), end: WallTime(seconds: span)), offset: { _ in 3600 }).count - 1
                    #expect(
                        cells >= 1 && cells <= TimelineZoom.mostCells
                            && (cells * cameras <= TimelineZoom.mostCellsOfAll || zoom.resolution == 604_800))
                }
            }
        }
    }

    @Test("Short cells begin at multiples of their length and hold the whole range")
    func uniform() {
        let zoom = TimelineZoom(resolution: 300, isFine: false)
        #expect(zoom.borders(Self.range(301, 900), offset: { _ in 0 }) == [300, 600, 900])
        #expect(zoom.borders(Self.range(300, 901), offset: { _ in 0 }) == [300, 600, 900, 1200])
        #expect(zoom.borders(Self.range(-1, 1), offset: { _ in 0 }) == [-300, 0, 300])
        let instant = TimeRange(start: WallTime(microseconds: 5), end: WallTime(microseconds: 6))
        #expect(TimelineZoom(resolution: 1, isFine: true).borders(instant, offset: { _ in 0 }) == [0, 1])
    }

    @Test("Days are those of the clocks on the wall, of 23 and 25 hours where these are changed", arguments: zones)
    func days(zone: String) throws {
        let offset = try Self.offset(zone)
        let start: Int64 = 1_767_225_600  // 2026-01-01
        let borders = TimelineZoom(resolution: 86_400, isFine: false).borders(Self.range(start, start + 366 * 86_400), offset: offset)
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: zone))
        for (border, next) in zip(borders, borders.dropFirst()) {
            #expect(Date(timeIntervalSince1970: Double(border)) == calendar.startOfDay(for: Date(timeIntervalSince1970: Double(border))), "\(border)")
            #expect(next > border)
        }
        var lengths: [Int64: Int] = [:]
        for (border, next) in zip(borders, borders.dropFirst()) { lengths[next - border, default: 0] += 1 }
        let changes: [Int64] = lengths.keys.filter { $0 != 86_400 }.sorted()
        switch zone {
        case "UTC", "Asia/Kathmandu": #expect(changes.isEmpty)
        case "Australia/Lord_Howe": #expect(changes == [84_600, 88_200])
        default: #expect(changes == [82_800, 90_000])
        }
        #expect(borders[0] <= start && borders[borders.count - 1] >= start + 366 * 86_400)
        let weeks = TimelineZoom(resolution: 604_800, isFine: false).borders(Self.range(start, start + 366 * 86_400), offset: offset)
        #expect(weeks.allSatisfy { calendar.component(.weekday, from: Date(timeIntervalSince1970: Double($0))) == 2 })
        #expect(weeks.dropFirst().dropLast().allSatisfy { borders.contains($0) })
    }

    @Test("Hours begin where the clocks show one or are changed, and every one of a change is there", arguments: zones)
    func hours(zone: String) throws {
        let offset = try Self.offset(zone)
        let start: Int64 = 1_767_225_600
        for step in [3600, 10_800, 21_600] as [Int64] {
            for day in 0..<183 {
                let begin = start + Int64(day) * 2 * 86_400 + 1234
                let range = Self.range(begin, begin + 2 * 86_400)
                let borders = TimelineZoom(resolution: Int(step), isFine: false).borders(range, offset: offset)
                #expect(borders[0] <= begin && borders[1] > begin && borders[borders.count - 1] >= begin + 2 * 86_400)
                for (border, next) in zip(borders, borders.dropFirst()) {
                    #expect(next > border && next - border <= step + 3600)
                    let isAtMultiple = (border + offset(border)) % step == 0
                    #expect(isAtMultiple || offset(border) != offset(border - 1), "\(border)")
                    if step == 3600 { #expect(next - border <= 3600, "\(border)") }
                }
            }
        }
    }

    @Test("Every cell is made of whole buckets, and nearly all of the largest", arguments: zones)
    func runs(zone: String) throws {
        let offset = try Self.offset(zone)
        let start: Int64 = 1_767_225_600
        let offsets = Set((0..<366).map { offset(start + $0 * 86_400) })
        let levels = TimelineLevel.needed(offsets: offsets).enumerated().map { TimelineLevel(id: Int64($0), unit: $1[0], phase: $1[1]) }
        let byID = Dictionary(uniqueKeysWithValues: levels.map { ($0.id, $0) })
        for resolution in [300, 900, 3600, 10_800, 21_600, 86_400, 604_800] {
            let span: Int64 = resolution < 3600 ? 9 * 86_400 : 360 * 86_400
            let borders = TimelineZoom(resolution: resolution, isFine: false).borders(Self.range(start + 99, start + span), offset: offset)
            let runs = TimelineZoom.runs(borders, levels)
            var cell = 0
            for run in runs {
                let level = try #require(byID[run.level])
                #expect(run.firstCell == cell)
                for place in 0..<run.cells {
                    let first = run.firstBucket + Int64(place) * run.bucketsPerCell
                    #expect(first * level.unit - level.phase == borders[cell] * 1000)
                    #expect((first + run.bucketsPerCell) * level.unit - level.phase == borders[cell + 1] * 1000)
                    cell += 1
                }
            }
            #expect(cell == borders.count - 1)
            #expect(runs.count <= 9, "\(resolution): \(runs)")
            if resolution >= 86_400 {
                let days = runs.filter { byID[$0.level]?.unit == TimelineLevel.day }.reduce(0) { $0 + $1.cells }
                #expect(days >= borders.count - 1 - 2 - (resolution == 86_400 ? 0 : 2))
            }
        }
        // A server that has just been moved there: five minutes make up everything.
        let borders = TimelineZoom(resolution: 86_400, isFine: false).borders(Self.range(start, start + 30 * 86_400), offset: offset)
        let fine = TimelineZoom.runs(borders, [TimelineLevel(id: 0, unit: TimelineLevel.fiveMinutes, phase: 0)])
        #expect(fine.reduce(0) { $0 + $1.cells } == borders.count - 1)
    }
}
