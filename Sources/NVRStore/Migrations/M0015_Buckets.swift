import GRDB

/// Buckets as archives: how much may lie in one, when it was given its marker, and moves of pictures and into buckets. Frozen.
enum M0015_Buckets {
    /// `moves`: as before, of segments (medium 0) and of events with a picture (medium 1). `upload`: what finds a half-made file in a bucket
    /// again; NULL while nothing of ours lies there.
    static func run(_ db: Database) throws {
        try db.execute(
            sql: """
                ALTER TABLE s3_profiles ADD COLUMN max_size_gb REAL NOT NULL DEFAULT 0;
                ALTER TABLE s3_profiles ADD COLUMN marked_us INTEGER;
                CREATE TABLE moves_of_media (
                    medium INTEGER NOT NULL,
                    subject_id INTEGER NOT NULL,
                    volume INTEGER NOT NULL,
                    path TEXT NOT NULL,
                    upload TEXT,
                    PRIMARY KEY (medium, subject_id)
                ) STRICT, WITHOUT ROWID;
                INSERT INTO moves_of_media SELECT 0, segment_id, volume, path, NULL FROM moves;
                DROP TABLE moves;
                ALTER TABLE moves_of_media RENAME TO moves;
                """)
    }
}
