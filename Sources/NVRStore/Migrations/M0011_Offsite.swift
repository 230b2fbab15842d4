import GRDB

/// Buckets of S3-compatible servers, and the copies of events in them. Times are microseconds UTC. Frozen.
enum M0011_Offsite {
    static func run(_ db: Database) throws { try db.execute(sql: profiles + copies) }

    /// `secret_key` is sealed. `event_cursor`: the newest event that was looked at; earlier ones are not copied any more.
    private static let profiles = """
        CREATE TABLE s3_profiles (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE COLLATE NOCASE,
            endpoint TEXT NOT NULL,
            region TEXT NOT NULL,
            bucket TEXT NOT NULL,
            prefix TEXT NOT NULL,
            addressing TEXT NOT NULL,
            access_key TEXT NOT NULL,
            secret_key TEXT NOT NULL,
            allows_self_signed INTEGER NOT NULL,
            max_rate INTEGER NOT NULL,
            copies_all INTEGER NOT NULL,
            created_us INTEGER NOT NULL,
            event_cursor INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE s3_profile_cameras (
            profile_id INTEGER NOT NULL REFERENCES s3_profiles (id) ON DELETE CASCADE,
            camera_id INTEGER NOT NULL REFERENCES cameras (id) ON DELETE CASCADE,
            PRIMARY KEY (profile_id, camera_id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX s3_profile_cameras_by_camera ON s3_profile_cameras (camera_id);

        """

    /// No references to events, segments and cameras: what lies in a bucket outlives them. `state`: 0 waits, 1 is over. A piece with
    /// an `upload_id` is on its way.
    private static let copies = """
        CREATE TABLE offsite_events (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            profile_id INTEGER NOT NULL REFERENCES s3_profiles (id) ON DELETE CASCADE,
            event_id INTEGER NOT NULL,
            camera_id INTEGER NOT NULL,
            start_us INTEGER NOT NULL,
            folder TEXT NOT NULL,
            state INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE UNIQUE INDEX offsite_events_by_event ON offsite_events (profile_id, event_id);
        CREATE INDEX offsite_events_waiting ON offsite_events (profile_id, start_us) WHERE state = 0;
        CREATE TABLE offsite_pieces (
            profile_id INTEGER NOT NULL REFERENCES s3_profiles (id) ON DELETE CASCADE,
            segment_id INTEGER NOT NULL,
            offset INTEGER NOT NULL,
            end_offset INTEGER NOT NULL,
            camera_id INTEGER NOT NULL,
            start_us INTEGER NOT NULL,
            end_us INTEGER NOT NULL,
            key TEXT NOT NULL,
            bytes INTEGER NOT NULL,
            upload_id TEXT,
            PRIMARY KEY (profile_id, segment_id, offset)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX offsite_pieces_by_time ON offsite_pieces (profile_id, camera_id, start_us);
        CREATE TABLE offsite_totals (
            profile_id INTEGER NOT NULL REFERENCES s3_profiles (id) ON DELETE CASCADE,
            camera_id INTEGER NOT NULL,
            what TEXT NOT NULL,
            count INTEGER NOT NULL,
            bytes INTEGER NOT NULL,
            last_us INTEGER NOT NULL,
            PRIMARY KEY (profile_id, camera_id, what)
        ) STRICT, WITHOUT ROWID;
        """
}
