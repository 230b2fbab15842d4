import Foundation
import NVRModel
import NVRWeb
import Testing

@Suite("Clocks on the wall")
struct LocalOffsetTests {
    private static func zone(_ name: String) throws -> LocalOffset {
        let zone = try #require(TimeZone(identifier: name))
        return LocalOffset { Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double($0)))) }
    }

    private static func time(_ text: String) throws -> WallTime { try #require(WallTime(iso8601: text)) }

    @Test(
        "Each hour that the clocks show is one bucket, also on days of 23 and 25 hours",
        arguments: [
            // Forward: 02:00 is missing.
            ("Europe/Rome", "2026-03-29T21:30:00Z", ["00", "01", "03", "04"], 23),
            ("America/New_York", "2026-03-09T03:30:00Z", ["00", "01", "03", "04"], 23),
            // Back: 02:00, and in New York 01:00, comes twice.
            ("Europe/Rome", "2026-10-25T22:30:00Z", ["00", "01", "02", "02", "03"], 25),
            ("America/New_York", "2026-11-02T04:30:00Z", ["00", "01", "01", "02", "03"], 25),
            ("UTC", "2026-11-22T23:30:00Z", ["00", "01", "02", "03"], 24),
            ("Asia/Kolkata", "2026-11-22T18:00:00Z", ["00", "01", "02", "03"], 24),
        ])
    func days(name: String, now: String, first: [String], length: Int) throws {
        let zone = try Self.zone(name)
        let now = try Self.time(now)
        // The last hour of the local day is the running one.
        let day = zone.hours(length, until: now)
        #expect(day.map(\.label).prefix(first.count) == ArraySlice(first.map { $0 + ":00" }))
        #expect(day.last?.label == "23:00")
        for (hour, next) in zip(day, day.dropFirst()) { #expect(next.start.microseconds(since: hour.start) == 3_600_000_000) }
        #expect(day.last.map { $0.start <= now && now < $0.start.advanced(byMicroseconds: 3_600_000_000) } == true)
        let before = zone.hours(length + 1, until: now)
        #expect(before.first?.label == "23:00" && Array(before.dropFirst()) == day)
        let midnight = try #require(day.first).start
        #expect(zone.text(midnight).hasSuffix(" 00:00:00"))
    }

    @Test(
        "Twenty-five entries from within every hour of the change begin at whole hours and follow each other",
        arguments: ["Europe/Rome", "America/New_York"])
    func around(name: String) throws {
        let zone = try Self.zone(name)
        for day in ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01"] {
            let begin = try Self.time(day + "T00:00:00Z")
            for quarter in 0..<96 {
                let now = begin.advanced(byMicroseconds: Int64(quarter) * 900_000_000 + 1)
                let hours = zone.hours(25, until: now)
                #expect(hours.count == 25)
                #expect(hours.allSatisfy { zone.text($0.start).hasSuffix(":00:00") })
                #expect(zip(hours, hours.dropFirst()).allSatisfy { $1.start.microseconds(since: $0.start) == 3_600_000_000 })
                #expect(hours[24].start <= now)
            }
        }
    }

    @Test("Where clocks are changed by half an hour, no instant is in two buckets or in none")
    func halfHours() throws {
        let zone = try Self.zone("Australia/Lord_Howe")
        for now in ["2026-04-05T10:00:00Z", "2026-10-04T10:00:00Z"] {
            let hours = zone.hours(48, until: try Self.time(now))
            let lengths = zip(hours, hours.dropFirst()).map { $1.start.microseconds(since: $0.start) / 60_000_000 }
            #expect(lengths.reduce(0, +) >= 46 * 60 && lengths.allSatisfy { $0 == 60 || $0 == 30 }, "\(lengths)")
            #expect(lengths.count { $0 == 30 } == 1)
        }
    }

    @Test(
        "Times without a zone are local, dates are their first instant",
        arguments: [
            ("2026-07-01T12:00", "2026-07-01T10:00:00Z"), ("2026-01-01 12:00:30", "2026-01-01T11:00:30Z"), ("2026-01-01", "2025-12-31T23:00:00Z"),
            ("2026-01-01T12:00Z", "2026-01-01T12:00:00Z"), ("2026-01-01T12:00:00+05:00", "2026-01-01T07:00:00Z"),
            ("2026-01-01T12:00:00 05:00", "2026-01-01T07:00:00Z"), ("2026-03-29", "2026-03-28T23:00:00Z"), ("2026-03-30", "2026-03-29T22:00:00Z"),
        ])
    func reading(text: String, expected: String) throws {
        #expect(try Self.zone("Europe/Rome").time(iso8601: text)?.iso8601 == expected)
    }

    @Test(
        "A date is its first instant also where midnight is skipped, comes twice, or the whole day is left out",
        arguments: [
            // Clocks go from 00:00 to 01:00, and from 24:00 back to 23:00.
            ("America/Santiago", "2026-09-06", "2026-09-06T04:00:00Z"), ("America/Santiago", "2026-04-05", "2026-04-05T04:00:00Z"),
            ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z"), ("Africa/Cairo", "2026-10-30", "2026-10-29T22:00:00Z"),
            // 01:00 becomes 00:00 of the same day.
            ("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"), ("America/Havana", "2026-03-08", "2026-03-08T05:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30:00Z"), ("Australia/Lord_Howe", "2026-04-06", "2026-04-05T13:30:00Z"),
            // The 30th of December 2011 did not happen.
            ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z"), ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
            ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"), ("Pacific/Apia", "2012-01-01", "2011-12-31T10:00:00Z"),
            ("Asia/Kathmandu", "2026-01-01", "2025-12-31T18:15:00Z"),
        ])
    func dates(zone: String, text: String, expected: String) throws {
        #expect(try Self.zone(zone).time(iso8601: text)?.iso8601 == expected)
    }

    @Test(
        "A time that comes twice is the second one, a time that never comes is as long after the change",
        arguments: [
            ("Europe/Rome", "2026-10-25T02:30", "2026-10-25T01:30:00Z"), ("America/New_York", "2026-11-01T01:30", "2026-11-01T06:30:00Z"),
            ("Europe/Rome", "2026-03-29T02:30", "2026-03-29T01:30:00Z"), ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:30:00Z"),
            ("America/Santiago", "2026-09-06T00:30", "2026-09-06T04:30:00Z"), ("Africa/Cairo", "2026-10-29T23:30", "2026-10-29T21:30:00Z"),
            ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T15:15:00Z"), ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45:00Z"),
            ("Europe/Rome", "2026-10-25T01:59:59", "2026-10-24T23:59:59Z"), ("Europe/Rome", "2026-10-25T03:00", "2026-10-25T02:00:00Z"),
            ("America/New_York", "2026-11-01T00:59", "2026-11-01T04:59:00Z"), ("America/New_York", "2026-11-01T02:00", "2026-11-01T07:00:00Z"),
        ])
    func changes(zone: String, text: String, expected: String) throws {
        #expect(try Self.zone(zone).time(iso8601: text)?.iso8601 == expected)
    }

    @Test("Other texts are no times", arguments: ["", "now", "2026-13-01", "2026-01-01T", "2026-01-01T25:00", "12:00"])
    func bad(text: String) throws {
        #expect(try Self.zone("Europe/Rome").time(iso8601: text) == nil)
    }
}
