import GRDB
package import NVRModel

/// A row that is to be as it is here, or to go.
package enum OutageChange: Sendable, Hashable {
    /// Told from others by its camera and its start.
    case put(Outage)
    case remove(ID<Camera>, start: WallTime)

    package var key: OutageKey {
        switch self {
        case .put(let outage): OutageKey(cameraID: outage.cameraID, start: outage.start)
        case .remove(let camera, let start): OutageKey(cameraID: camera, start: start)
        }
    }
}

package struct OutageKey: Sendable, Hashable {
    package var cameraID: ID<Camera>
    package var start: WallTime
}

/// When cameras recorded nothing, and why. The rows of a camera follow each other; of each camera one may last.
package struct OutageStore: Sendable {
    let rows: Rows

    /// Microseconds for which rows are kept: five years.
    package static let kept: Int64 = 5 * 366 * 86_400_000_000

    /// Takes changes over in one transaction. Changes of cameras that do not exist are passed over. Doing it twice does no harm.
    package func apply(_ changes: [OutageChange]) async throws {
        guard !changes.isEmpty else { return }
        try await rows.write("noting an outage") { db in
            for change in changes {
                switch change {
                case .put(let outage):
                    try db.run(
                        """
                        INSERT INTO outages (camera_id, start_us, end_us, cause, reason)
                        SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM cameras WHERE id = ?1)
                        ON CONFLICT DO UPDATE SET end_us = excluded.end_us, cause = excluded.cause, reason = excluded.reason
                        """,
                        [
                            outage.cameraID.rawValue, outage.start.microseconds, outage.end.map { max($0, outage.start).microseconds },
                            outage.cause.rawValue, outage.reason,
                        ])
                case .remove(let camera, let start):
                    try db.run("DELETE FROM outages WHERE camera_id = ? AND start_us = ?", [camera.rawValue, start.microseconds])
                }
            }
        }
    }

    static let newestSQL = """
        SELECT camera_id, start_us, end_us, cause, reason FROM outages WHERE camera_id = ? ORDER BY start_us DESC LIMIT ?
        """

    /// The newest rows of a camera, oldest first.
    package func newest(_ camera: ID<Camera>, limit: Int) async throws -> [Outage] {
        try await rows.read("reading outages") { db in
            try db.rows(Self.newestSQL, [camera.rawValue, limit], Self.outage).reversed()
        }
    }

    /// Deletes what ended long ago. Gives the number of rows.
    package func deleteOld(of cameras: [ID<Camera>], at now: WallTime) async throws -> Int {
        let limit = now.advanced(byMicroseconds: -Self.kept).microseconds
        return try await rows.write("deleting old outages") { db in
            var count = 0
            for camera in cameras {
                try db.run("DELETE FROM outages WHERE camera_id = ? AND start_us < ? AND end_us < ?", [camera.rawValue, limit, limit])
                count += db.changesCount
            }
            return count
        }
    }

    static func outage(_ row: Row) -> Outage {
        Outage(
            cameraID: ID(row[0]), start: WallTime(microseconds: row[1]), end: (row[2] as Int64?).map(WallTime.init(microseconds:)),
            cause: Outage.Cause(rawValue: row[3]) ?? .unknown, reason: row[4])
    }
}
