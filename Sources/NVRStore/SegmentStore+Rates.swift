import GRDB
import NVRBase
package import NVRModel

extension SegmentStore {
    /// Microseconds.
    private static let hour: Int64 = 3_600_000_000
    private static let day: Int64 = 24 * hour

    /// Bytes that each camera records in a day, as it did in the 24 hours before `now`, both streams together. A camera whose footage
    /// is younger is measured over what it has, at least an hour. From sums by the hour (table `segment_hours`), of which the oldest
    /// counts by the part of it that lies in the 24 hours.
    package func bytesADay(at now: WallTime) async throws -> [ID<Camera>: Int64] {
        try await rows.read("measuring the footage") { db in
            let running = max(0, now.microseconds) / Self.hour
            let pairs = try db.rows(Self.ratesSQL, [running - 24]) { row -> (ID<Camera>, Int64) in
                let begin: Int64 = row[1] ?? now.microseconds
                let span = min(Self.day, max(Self.hour, now.microseconds - begin))
                // The hour 24 hours ago has passed by as much as the running one has.
                let part = 1 - Double(now.microseconds % Self.hour) / Double(Self.hour)
                let bytes = Double(row[2] as Int64) + (span == Self.day ? part : 1) * Double(row[3] as Int64)
                return (ID(row[0]), Int64(bytes * Double(Self.day) / Double(span)))
            }
            return Dictionary(pairs) { $1 }
        }
    }

    /// Camera, begin of its oldest footage, bytes of the hours after the named one and bytes of that one.
    static let ratesSQL = """
        SELECT t.camera_id,
            (SELECT start_us FROM segments INDEXED BY segments_by_time WHERE camera_id = t.camera_id AND role = 0 AND state IN (1, 2)
                ORDER BY start_us LIMIT 1),
            coalesce(sum(h.bytes) FILTER (WHERE h.hour > ?1), 0), coalesce(sum(h.bytes) FILTER (WHERE h.hour = ?1), 0)
        FROM (SELECT DISTINCT camera_id FROM segment_totals WHERE count > 0) AS t
        CROSS JOIN segment_hours AS h ON h.camera_id = t.camera_id AND h.hour >= ?1
        GROUP BY t.camera_id
        """
}
