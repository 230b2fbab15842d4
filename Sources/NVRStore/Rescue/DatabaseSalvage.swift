import GRDB
import Logging

/// Reads what can be read out of a damaged database into a new one: what its owner set up, and what cannot be made of footage again.
package enum DatabaseSalvage {
    /// In the order in which rows refer to each other. Segments and their events are made of the files again.
    package static let tables = [
        "settings", "storage_profiles", "groups", "cameras", "group_cameras", "s3_profiles", "s3_profile_cameras", "users", "user_cameras",
        "user_groups", "second_factors", "recovery_codes", "api_tokens", "avatars", "layouts", "streaming_secrets", "holds", "events",
        "event_tags", "imports", "footage_keys", "outages", "recorded_days", "health_events", "offsite_events", "offsite_totals", "audit",
    ]

    /// Every other table, and why it is not taken over.
    package static let leftOut = [
        "segments": "made of the files again",
        "segment_indexes": "made with the segments",
        "footage_key_names": "made with the segments",
        "segment_totals": "kept by triggers",
        "sealed_totals": "kept by triggers",
        "segment_hours": "kept by triggers",
        "event_totals": "kept by triggers",
        "event_counts": "kept by triggers",
        "shelf_totals": "kept by triggers",
        "volume_totals": "kept by triggers",
        "timeline_chunks": "kept by triggers",
        "timeline_levels": "made at the start",
        "access_changes": "counted by triggers",
        "offsite_pieces": "names segments by ids that they do not have any more",
        "moves": "names segments by ids that they do not have any more",
        "garbage_files": "footage may have come under these names",
        "retention": "made at the start; without it the share is not spent and no jump of the clock is known",
        "upkeep": "the work begins anew",
        "sessions": "everybody signs in again",
        "trusted_devices": "everybody signs in again",
        "installation": "made with the new database, but for the name, which the markers of volumes tell",
        "audit_expiry": "made with the new database",
    ]
    /// Tables that hold sealed texts.
    private static let sealed: Set<String> = ["settings", "cameras", "s3_profiles", "second_factors", "streaming_secrets"]

    /// Gives the rows that were taken over, by table. The key of the old database must be that of the new one: what is sealed is copied
    /// as it is, and cameras that it does not open are left out.
    static func run(from path: String, into store: Store, logger: Logger) async -> [String: Int] {
        var salvaged: [String: Int] = [:]
        do {
            var configuration = Configuration()
            configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA trusted_schema = OFF; PRAGMA ignore_check_constraints = ON") }
            // A copy is read: SQLite writes to what it opens, and the damaged file stays as it was found.
            let copy = path + ".read"
            defer { DatabaseFiles(path: copy).removeCopy() }
            for companion in ["", "-wal"] where DatabaseFiles.length(path + companion) != nil {
                try DatabaseFiles.copy(path + companion, to: copy + companion)
            }
            let source = try DatabaseQueue(path: copy, configuration: configuration)
            // Another key: what is sealed could never be opened.
            let isSameKey = check(source).map(store.secrets.opens) ?? false
            if isSameKey { await takeName(from: source, into: store, logger: logger) }
            for table in tables where isSameKey || !sealed.contains(table) {
                do {
                    let count = try await take(table, from: source, into: store)
                    if count > 0 { salvaged[table] = count }
                } catch {
                    logger.warning("a table of the damaged database is lost", metadata: ["table": "\(table)", "error": "\(error)"])
                }
            }
            try source.close()
            // Ids of events go on behind those that are left: one that comes is to be copied.
            try await store.rows.write("looking for events anew") {
                try $0.run("UPDATE s3_profiles SET event_cursor = min(event_cursor, (SELECT coalesce(max(id), 0) FROM events))")
            }
        } catch {
            logger.warning("nothing can be read out of the damaged database", metadata: ["error": "\(error)"])
        }
        return salvaged
    }

    /// The random name of the installation: without it, no volume would be taken for one of ours.
    private static func takeName(from source: DatabaseQueue, into store: Store, logger: Logger) async {
        do {
            let name = try await source.read { try String.fetchOne($0, sql: "SELECT instance FROM installation") }
            guard let name, name.utf8.count == 32 else { return }
            try await store.rows.write("taking a name over") { try $0.run("UPDATE installation SET instance = ?", [name]) }
        } catch {
            logger.warning("the name of the installation is lost", metadata: ["error": "\(error)"])
        }
    }

    private static func take(_ table: String, from source: DatabaseQueue, into store: Store) async throws -> Int {
        let known = try await store.rows.read("reading a table") { try $0.columns(in: table).map(\.name) }
        let columns = try columns(of: table, in: source).filter(known.contains)
        guard !columns.isEmpty else { return 0 }
        let names = columns.map { "\"\($0)\"" }.joined(separator: ", ")
        let rows = try contents(of: table, names, in: source)
        guard !rows.isEmpty else { return 0 }
        let marks = columns.map { _ in "?" }.joined(separator: ", ")
        return try await store.rows.write("taking rows over") { db in
            var count = 0
            for row in rows {
                do {
                    try db.inSavepoint {
                        try db.execute(
                            sql: "INSERT OR IGNORE INTO \(table) (\(names)) VALUES (\(marks))",
                            arguments: StatementArguments(row))
                        return .commit
                    }
                    count += db.changesCount
                } catch is DatabaseError {
                    // A row that breaks a rule of the table is damaged itself.
                    continue
                }
            }
            return count
        }
    }

    /// The text that tells the key; nil when it cannot be read.
    private static func check(_ source: DatabaseQueue) -> String? {
        do { return try source.read(Sealing.check) } catch { return nil }
    }

    private static func columns(of table: String, in source: DatabaseQueue) throws -> [String] {
        try source.read { try $0.columns(in: table).map(\.name) }
    }

    /// Rows up to the first that cannot be read.
    private static func contents(of table: String, _ names: String, in source: DatabaseQueue) throws -> [[DatabaseValue]] {
        try source.read { db in
            var rows: [[DatabaseValue]] = []
            do {
                let condition =
                    switch table {
                    case "events": " WHERE segment_id IS NULL"
                    case "event_tags": " WHERE event_id IN (SELECT id FROM events WHERE segment_id IS NULL)"
                    default: ""
                    }
                let cursor = try Row.fetchCursor(db, sql: "SELECT \(names) FROM \(table)\(condition)")
                while rows.count < mostRows, let row = try cursor.next() { rows.append(Array(row.databaseValues)) }
            } catch {
                // What was read until here is what there is.
                return rows
            }
            return rows
        }
    }

    private static let mostRows = 1_000_000
}

extension Store {
    /// The names of all tables that the migrations make.
    package func tableNames() async throws -> [String] {
        try await rows.read("reading the schema") { db in
            try String.fetchAll(
                db, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'grdb_%' ORDER BY name")
        }
    }
}
