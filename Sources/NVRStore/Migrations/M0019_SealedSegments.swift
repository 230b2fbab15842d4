import GRDB

/// Which key the file of a segment is encrypted with: `sealed_by` names an entry of `footage_key_names`; NULL is a file in the clear. What was
/// recorded before goes by the periods of `footage_keys`. Frozen.
enum M0019_SealedSegments {
    static func run(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE footage_key_names (
                    id INTEGER PRIMARY KEY,
                    key TEXT NOT NULL UNIQUE
                ) STRICT;
                ALTER TABLE segments ADD COLUMN sealed_by INTEGER;
                CREATE INDEX segments_by_key ON segments (sealed_by) WHERE sealed_by IS NOT NULL;
                INSERT INTO footage_key_names (key) SELECT key FROM footage_keys GROUP BY key ORDER BY min(id);
                """)
        let periods = try Row.fetchAll(
            db,
            sql: """
                SELECT n.id, k.since_us, ifnull(k.until_us, 9223372036854775807) AS until_us
                FROM footage_keys AS k JOIN footage_key_names AS n ON n.key = k.key ORDER BY k.id
                """)
        for period in periods {
            try db.execute(
                sql: "UPDATE segments SET sealed_by = ? WHERE start_us >= ? AND start_us < ?",
                arguments: [period["id"] as Int64, period["since_us"] as Int64, period["until_us"] as Int64])
        }
    }
}
