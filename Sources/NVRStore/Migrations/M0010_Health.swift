import GRDB

/// What people must hear of, how much of each day was recorded, and checksums of footage. Times are microseconds UTC. Frozen.
enum M0010_Health {
    static func run(_ db: Database) throws { try db.execute(sql: tables) }

    /// `camera_id` is 0 for the server itself. `day` counts days of the server's calendar since 1970. `upkeep` holds what long work
    /// needs to go on after a restart. `crc32` (ISO 3309) is of the whole file; null where nobody has taken it.
    private static let tables = """
        CREATE TABLE health_events (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL,
            camera_id INTEGER NOT NULL,
            start_us INTEGER NOT NULL,
            end_us INTEGER,
            cause TEXT,
            detail TEXT
        ) STRICT;
        CREATE UNIQUE INDEX health_events_by_start ON health_events (kind, camera_id, start_us);
        CREATE INDEX health_events_open ON health_events (id) WHERE end_us IS NULL;
        CREATE TABLE recorded_days (
            camera_id INTEGER NOT NULL,
            day INTEGER NOT NULL,
            recorded_us INTEGER NOT NULL,
            missed_us INTEGER NOT NULL,
            PRIMARY KEY (camera_id, day)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE upkeep (
            name TEXT PRIMARY KEY NOT NULL,
            value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        ALTER TABLE segments ADD COLUMN crc32 INTEGER;
        """
}
