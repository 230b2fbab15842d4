import FoundationEssentials
import GRDB
import NVRBase
package import NVRModel

/// What comparing rows with files needs.
extension SegmentStore {
    /// Whether no segment was ever listed in this database.
    package func isUntouched() async throws -> Bool {
        try await rows.read("reading segments") { db in
            try db.row("SELECT seq FROM sqlite_sequence WHERE name = 'segments'") { $0["seq"] as Int64 } ?? 0 == 0
        }
    }

    /// Rows in any state by id, a page at a time.
    package func pageToCheck(after id: ID<Segment>?, limit: Int = 1000) async throws -> [SegmentToCheck] {
        try await rows.read("reading segments") { db in
            try db.rows(
                "SELECT id, camera_id, volume, path, start_us, bytes, state, crc32 FROM segments WHERE id > ? ORDER BY id LIMIT ?",
                [id?.rawValue ?? 0, limit]
            ) { row in
                SegmentToCheck(
                    entry: try Self.entry(row), checksum: (row["crc32"] as Int64?).map { UInt32(truncatingIfNeeded: $0) })
            }
        }
    }

    /// Those of some paths that a row in any state has.
    package func listed(among paths: [String]) async throws -> Set<String> {
        guard !paths.isEmpty else { return [] }
        return try await rows.read("reading segments") { db in
            var found: Set<String> = []
            for path in paths where try db.row("SELECT 1 AS one FROM segments WHERE path = ?", [path], { $0["one"] as Int }) != nil {
                found.insert(path)
            }
            return found
        }
    }

    /// Lists files that no row knows, in one transaction; those whose paths are taken are left out. Gives how many were listed.
    package func adopt(_ files: [(segment: Segment, closing: SegmentClosing)]) async throws -> Int {
        guard !files.isEmpty else { return 0 }
        let events = try await rows.write("listing footage again") { db in
            var events: [ID<Event>?] = []
            for (segment, closing) in files {
                guard try db.row("SELECT 1 AS one FROM segments WHERE path = ?", [segment.path], { $0["one"] as Int }) == nil else { continue }
                let id = try Self.insert(db, segment, isContinuous: true)
                events.append(try Self.apply(db, .finish(id, closing)).changedEvent)
            }
            return events
        }
        for id in events.compactMap({ $0 }) { rows.changes.send(.event(id)) }
        return events.count
    }

    /// Notes the checksum of a finished segment that has none yet.
    package func setChecksum(_ checksum: UInt32, of id: ID<Segment>) async throws {
        try await rows.write("noting a checksum") { db in
            try db.run("UPDATE segments SET crc32 = ? WHERE id = ? AND state = 2 AND crc32 IS NULL", [Int64(checksum), id.rawValue])
        }
    }
}

/// A row that is to be compared with its file.
package struct SegmentToCheck: Sendable, Hashable {
    package var entry: SegmentEntry
    /// CRC-32 (ISO 3309) of the whole file; nil where nobody has taken it.
    package var checksum: UInt32?
}
