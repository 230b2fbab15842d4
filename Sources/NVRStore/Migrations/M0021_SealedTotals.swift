import GRDB

/// Listed segments by the key of their files (`footage_key_names`), so that nothing has to be counted to tell how much each has. What lies in the
/// clear is not here: it is the rest of `segment_totals`. The index of encrypted segments goes, since nothing else asked it. Frozen.
enum M0021_SealedTotals {
    static func run(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE sealed_totals (
                    sealed_by INTEGER PRIMARY KEY,
                    count INTEGER NOT NULL,
                    bytes INTEGER NOT NULL
                ) STRICT;
                INSERT INTO sealed_totals SELECT sealed_by, count(*), sum(bytes) FROM segments INDEXED BY segments_by_key
                    WHERE sealed_by IS NOT NULL AND state IN (1, 2) GROUP BY sealed_by;
                DROP INDEX segments_by_key;
                CREATE TRIGGER sealed_segments_listed AFTER UPDATE OF state, bytes, sealed_by ON segments
                WHEN NEW.sealed_by IS NOT NULL AND NEW.state IN (1, 2) BEGIN
                    \(add)
                END;
                CREATE TRIGGER sealed_segments_unlisted AFTER UPDATE OF state, bytes, sealed_by ON segments
                WHEN OLD.sealed_by IS NOT NULL AND OLD.state IN (1, 2) BEGIN
                    \(take)
                END;
                CREATE TRIGGER sealed_segments_inserted AFTER INSERT ON segments
                WHEN NEW.sealed_by IS NOT NULL AND NEW.state IN (1, 2) BEGIN
                    \(add)
                END;
                CREATE TRIGGER sealed_segments_deleted AFTER DELETE ON segments
                WHEN OLD.sealed_by IS NOT NULL AND OLD.state IN (1, 2) BEGIN
                    \(take)
                END;
                """)
    }

    private static let add = """
        INSERT INTO sealed_totals VALUES (NEW.sealed_by, 1, NEW.bytes)
            ON CONFLICT DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes;
        """
    private static let take = "UPDATE sealed_totals SET count = count - 1, bytes = bytes - OLD.bytes WHERE sealed_by = OLD.sealed_by;"
}
